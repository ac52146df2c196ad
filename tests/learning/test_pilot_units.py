"""First pilots of losses: a ladder that fits the size of the measured error signals."""

import numpy as np
import pytest
from cases import NO_INPUTS, random_network

from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning import Contrast, GradientEstimator, measure_pilot
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import chain
from qep_qiskit.network.cost import LossOnExpectations
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
