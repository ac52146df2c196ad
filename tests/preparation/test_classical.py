"""Classical spins: exact search against a look at every state, and what the contrast of such spins is."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from cases import SMALL_GRAPHS, random_network
from classical_cases import BETAS, KEY, classical, energy_of, family_of, lowest, prepared
from reference import gradient
from warned import warns

from qep_qiskit.core.errors import ConfigError, DegenerateGroundStateWarning, ResourceError
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import StatevectorExecutor, VectorExecutor
from qep_qiskit.execution.aer import AerExecutor, aer_sampler_executor
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import IsingNetwork, chain, complete
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.cost_terms import CostTerm
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.outcomes.known_states import SpinConfigurations
from qep_qiskit.preparation import (
    ConvergenceReport,
    ExactPreparation,
    ExactSearch,
    HamiltonianFamily,
    PreparationResult,
    exact_preparation,
)


@pytest.mark.parametrize("name", ["edges", "complete", "lattice"])
def test_search_finds_the_lowest_of_all_states(name, rng):
    problem = classical(name, rng)
    family, constants = family_of(*problem)
    found = prepared(ExactSearch(), family)
    spins = found.states.spins.reshape(3, len(BETAS), -1)
    for sample, (x, y) in enumerate(zip(problem[2], problem[3], strict=True)):
        for phase, beta in enumerate(BETAS):
            energy, expected = lowest(problem[0], problem[1], x, y, beta)
            assert tuple(spins[sample, phase]) == expected
            shown = found.report.energies[sample, phase] + beta * constants[sample]
            assert shown == pytest.approx(energy, abs=1e-12)


def test_gap_is_the_distance_to_the_next_state(rng):
    problem = classical("complete", rng)
    family, _ = family_of(*problem)
    levels = sorted(
        energy_of(problem[0].network, problem[1], problem[2][0], spins) for spins in product((1, -1), repeat=4)
    )
    assert prepared(ExactSearch(), family).report.gaps[0, 2] == pytest.approx(levels[1] - levels[0], abs=1e-12)


def mean_surrogate(hamiltonian, inputs, targets, contrast):
    """The contrastive function: the stencil over F(beta), whose exact gradient the contrast is."""

    def value(weights):
        return np.mean(
            [
                sum(w * lowest(hamiltonian, weights, x, y, beta)[0] for beta, w in contrast.phases)
                for x, y in zip(inputs, targets, strict=True)
            ]
        )

    return value


@pytest.mark.deep(but=["contrast1"])
@pytest.mark.parametrize("contrast", [("symmetric", 1.5), ("one_sided", 1.5), ("one_sided", -1.5)])
def test_contrast_is_the_gradient_of_the_contrastive_function(contrast, rng):
    contrast = Contrast(kind=contrast[0], beta=contrast[1])
    hamiltonian, weights, inputs, targets = classical("complete", rng)
    estimator = GradientEstimator(
        hamiltonian=hamiltonian, preparation=ExactSearch(), contrast=contrast, shots=100, measures_free_cost=True
    )
    found, usage = run_measurements(estimator.estimate(weights, inputs, targets, KEY), VectorExecutor(Seeds(0)))
    expected = gradient(mean_surrogate(hamiltonian, inputs, targets, contrast), weights, step=1e-4)
    assert np.abs(expected).max() > 0.1
    assert found.gradient == pytest.approx(expected, abs=1e-8)
    assert np.all(found.variance == 0)
    assert usage.shots == 0
    low, high = found.diagnostics.lower, found.diagnostics.upper
    assert not low > found.cost.mean + 1e-12
    assert not high < found.cost.mean - 1e-12


def test_cost_is_a_step_function(rng):
    """Where the ground state is unique the free cost does not move: the limit of small nudges learns nothing."""
    hamiltonian, weights, inputs, targets = classical("ring", rng)
    exact = exact_gradient(hamiltonian, weights, inputs, targets)
    small = GradientEstimator(
        hamiltonian=hamiltonian, preparation=ExactSearch(), contrast=Contrast(beta=1e-6), shots=None
    )
    found = run_measurements(small.estimate(weights, inputs, targets, KEY), VectorExecutor(Seeds(0)))[0]
    assert np.all(exact.gradient == 0)
    assert np.all(found.gradient == 0)
    expected = [
        sum((lowest(hamiltonian, weights, x, y, 0)[1][k] - t) ** 2 for k, t in zip((0, 2), y, strict=True))
        for x, y in zip(inputs, targets, strict=True)
    ]
    assert exact.cost == pytest.approx(np.mean(expected), abs=1e-12)


@pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.NudgeBeyondGapWarning")
@pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.BranchJumpWarning")
@pytest.mark.parametrize("loss", [False, True])
def test_quantum_network_tends_to_it_without_fields(loss, rng):
    """Means, contrast and cost at h = 0.004, 0.002 and 0.001 come closer, faster than h."""
    network, weights = random_network(SMALL_GRAPHS["ring"], rng, num_inputs=1, outputs=(0, 2))
    cost = LossOnExpectations.on_spins((0, 2), 4) if loss else OperatorCost.squared_error((0, 2), 4)
    inputs, targets = rng.normal(size=(3, 1)), rng.normal(size=(3, 2))

    def estimate(fields, preparation, values):
        own = IsingNetwork(graph=network.graph, outputs=(0, 2), inputs=network.inputs, fields=fields)
        estimator = GradientEstimator(
            hamiltonian=NudgedHamiltonian(own, cost),
            preparation=preparation,
            contrast=Contrast(beta=1.5),
            shots=None,
            measures_free_cost=True,
        )
        return run_measurements(estimator.estimate(values, inputs, targets, KEY), VectorExecutor(Seeds(0)))[0]

    keeps = np.array([name[0] != "h" for name in network.layout.names])
    limit = estimate(None, ExactSearch(), weights[keeps])
    assert np.abs(limit.gradient).max() > 0.1
    errors = []
    for h in (0.004, 0.002, 0.001):
        near = estimate(network.fields, ExactPreparation(), np.where(keeps, weights, h))
        gradient_error = np.abs(near.gradient[keeps] - limit.gradient).max()
        errors.append(max(gradient_error, abs(near.cost.mean - limit.cost.mean)))
    assert errors[2] < 5e-3
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


def test_ties_are_told():
    network = IsingNetwork(graph=chain(3), outputs=(2,), fields=None)
    hamiltonian = NudgedHamiltonian(network, OperatorCost.squared_error((2,), 3))
    family, _ = family_of(hamiltonian, np.array([1.0, 1.0, 0, 0, 0]), np.zeros((1, 0)), np.ones((1, 1)), np.zeros(1))
    with warns(DegenerateGroundStateWarning, "ground states of classical spins", detail="1 of 1 state"):
        prepared(ExactSearch(), family)


def test_too_many_spins_are_refused():
    network = IsingNetwork(graph=chain(60), outputs=(2,), fields=None)
    family = HamiltonianFamily.of_free(network.groups, np.ones((1, network.groups[0].num_terms)), KEY)
    with pytest.raises(ResourceError, match="exact search among all states of 60 qubits"):
        prepared(ExactSearch(), family)


def test_choice_of_solver(rng):
    hamiltonian, *_ = classical("ring", rng)
    quantum, _ = random_network(SMALL_GRAPHS["ring"], rng)
    assert isinstance(exact_preparation(hamiltonian.groups), ExactSearch)
    assert isinstance(exact_preparation(hamiltonian.groups, level=1), ExactPreparation)
    assert isinstance(exact_preparation(quantum.groups), ExactPreparation)


@pytest.mark.parametrize("size", [2, 9, 70])
def test_spins_are_measured_as_they_are(size, rng):
    """Any number of spins, on any executor that takes states, whatever the shots; no noise."""
    network = IsingNetwork(graph=chain(size), outputs=(0,), fields=None)
    spins = rng.choice([-1, 1], size=(4, size)).astype(np.int8)
    states = SpinConfigurations(spins=spins, energies=np.zeros(4))
    estimator = GradientEstimator(
        hamiltonian=NudgedHamiltonian(network, LossOnExpectations.on_spins((0,), size)),
        preparation=Fixed(states),
        contrast=Contrast(beta=0.1),
        shots=7,
    )
    seeds = Seeds(0)
    for executor in (
        VectorExecutor(seeds),
        StatevectorExecutor(seeds),
        AerExecutor(seeds),
        aer_sampler_executor(seeds),
    ):
        work = estimator.estimate(np.zeros(2 * size - 1), np.zeros((2, 0)), np.zeros((2, 1)), KEY)
        # Rows are (sample, beta): the contrast is (s at beta - s at -beta) / (2 beta) of every word.
        found = run_measurements(work, executor)[0]
        words = [[int(part) for part in name[2:-1].split(",")] for name in network.layout.names]
        values = np.array([[np.prod(row[word]) for word in words] for row in spins.astype(float)])
        expected = -(values[1::2] - values[::2]).mean(axis=0) / 0.2
        assert found.gradient == pytest.approx(expected, abs=1e-12)
        assert np.all(found.variance == 0)


class Fixed:
    """Gives the same states for every family; of the first stage every second one."""

    def __init__(self, states):
        self.states = states

    def prepare(self, family, start):
        yield from ()
        rows = np.arange(0, 4, 4 // (family.num_samples * len(family.betas)))
        return PreparationResult(
            states=self.states.rows(rows), report=replace(ConvergenceReport.silent(family), branches=False)
        )


def test_spins_have_no_outcomes_in_other_bases():
    network = IsingNetwork(graph=complete(2), outputs=(0,))
    cost = OperatorCost.from_terms([CostTerm(string=PauliString.of("X", 0), coefficient=1.0)], 2)
    states = SpinConfigurations(spins=np.ones((4, 2), dtype=np.int8), energies=np.zeros(4))
    estimator = GradientEstimator(
        hamiltonian=NudgedHamiltonian(network, cost), preparation=Fixed(states), contrast=Contrast(beta=0.1), shots=None
    )
    work = estimator.estimate(np.zeros(5), np.zeros((2, 0)), np.zeros((2, 0)), KEY)
    with pytest.raises(ConfigError, match="group X: classical spins have outcomes in the Z basis only"):
        run_measurements(work, VectorExecutor(Seeds(0)))
