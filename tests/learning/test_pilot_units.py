"""First pilots of losses: a ladder that fits the size of the measured error signals."""

import numpy as np
import pytest
from cases import NO_INPUTS, random_network
from qiskit.quantum_info import SparsePauliOp

from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning import Contrast, GradientEstimator, measure_pilot
from qep_qiskit.learning.chosen_phases import unit_of_signals
from qep_qiskit.learning.diagnostics import nudge_sizes, typical_nudge_size
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.learning.pilot import first_beta
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import chain
from qep_qiskit.network.cost import LossOnExpectations
from qep_qiskit.network.losses import CrossEntropy, SquaredError
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation


def pilot_at(distance, *, scaled):
    """A pilot where the output is so far from its target; twice that is the error signal."""
    network, weights = random_network(chain(3), np.random.default_rng(4))
    hamiltonian = NudgedHamiltonian(network, LossOnExpectations.on_spins((2,), 3))
    outputs = exact_gradient(hamiltonian, weights, NO_INPUTS, np.zeros((1, 1))).outputs
    estimator = GradientEstimator(
        hamiltonian=hamiltonian, preparation=ExactPreparation(), contrast=Contrast(beta=0.1), shots=1_000_000
    )
    work = measure_pilot(
        estimator,
        weights,
        NO_INPUTS,
        outputs - distance,
        RequestKey("pilot", 0),
        beta=0.05,
        levels=3,
        trainable=np.ones(len(weights), dtype=bool),
        in_units_of_signals=scaled,
    )
    return run_measurements(work, VectorExecutor(Seeds(0)))[0].measured.betas


@pytest.mark.parametrize(("distance", "factor"), [(0.5, 1.0), (0.125, 4.0), (1.0, 0.5), (0.002, 16.0)])
def test_nudges_grow_as_signals_shrink(distance, factor):
    assert pilot_at(distance, scaled=True) == pytest.approx(factor * np.array([-0.2, -0.1, -0.05, 0.05, 0.1, 0.2]))


def test_nudges_that_are_given_stay():
    assert pilot_at(0.125, scaled=False) == pytest.approx([-0.2, -0.1, -0.05, 0.05, 0.1, 0.2])


def problem_of(*observables, loss=None):
    network, weights = random_network(chain(3), np.random.default_rng(4))
    cost = LossOnExpectations([SparsePauliOp.from_list(one) for one in observables], loss or SquaredError())
    return NudgedHamiltonian(network, cost), weights


def test_opposite_outputs_have_the_size_of_both():
    # Of two classes with outputs M and -M the signals are opposite, too: s M + (-s)(-M) = 2 s M.
    mean = [("IIZ", 0.5), ("IZI", 0.5)]
    opposite, weights = problem_of(mean, [(string, -c) for string, c in mean], loss=CrossEntropy())
    alone, _ = problem_of([(string, 2 * c) for string, c in mean])
    targets = np.array([[1.0, 0.0]])
    assert first_beta(opposite, weights, NO_INPUTS, targets) == first_beta(alone, weights, NO_INPUTS, targets[:, :1])
    nudge = opposite.signal_nudge(np.array([[0.25, -0.25]]))
    assert unit_of_signals(opposite, nudge, targets) == 4.0


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_outputs_on_different_strings_have_the_size_of_their_sum(sign):
    hamiltonian, _ = problem_of([("IIZ", 1.0)], [("IZI", sign), ("IIX", 0.5)])
    found = typical_nudge_size(hamiltonian.groups, hamiltonian.nudge_in_units(np.zeros((1, 2))))
    assert found == nudge_sizes(hamiltonian.groups, hamiltonian.signal_nudge(np.ones((1, 2))))[0] == 5.0


def test_samples_without_a_nudge_do_not_set_its_size():
    hamiltonian, _ = problem_of([("IIZ", 1.0)])
    nudge = hamiltonian.signal_nudge(np.array([[0.0], [0.0], [0.5], [0.0]]))
    assert unit_of_signals(hamiltonian, nudge, np.zeros((4, 1))) == 2.0
