"""Contrasts across level crossings: each is the exact gradient of the surrogate of its own levels.

Two spins, the second without a transverse field, so that its Z is conserved and levels of its two signs cross. The cost
pushes both: the ground state changes its sign between the nudges 1 and 2. References are 2x2 blocks of one sign.
"""

import numpy as np
import pytest
from cases import NO_INPUTS
from reference import gradient
from warned import warns

from qep_qiskit.core.errors import BranchJumpWarning
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import IsingNetwork, WeightInitialisation, chain
from qep_qiskit.network.cost import OperatorCost
from qep_qiskit.network.cost_terms import CostTerm
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation, term_expectations

pytestmark = pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.NudgeBeyondGapWarning")

NETWORK = IsingNetwork(graph=chain(2), outputs=(0, 1), fields=WeightInitialisation(frozen=["h[1]"]))
WEIGHTS = NETWORK.weights_from({"J[0,1]": 0.6, "h[0]": 1.0, "h[1]": 0.0, "b[0]": 0.3, "b[1]": 1.5})
COST = OperatorCost.from_terms(
    [CostTerm(string=PauliString.of("Z", spin), coefficient=value) for spin, value in ((0, 0.5), (1, 1.0))], 2
)
HAMILTONIAN = NudgedHamiltonian(NETWORK, COST)
TRAINED = np.array([True, True, False, True, True])  # a field on spin 1 would join the blocks


def levels(weights, beta):
    """Levels by the sign of Z1, of shape (2 signs, 2), each pair ascending: h X + (J z + b - beta/2) Z of spin 0."""
    coupling, field, _, bias, other = weights
    found = []
    for sign in (1.0, -1.0):
        length = np.hypot(field, coupling * sign + bias - beta / 2)
        found.append(sign * (beta - other) + np.array([-length, length]))
    return np.array(found)


def surrogate(energy, weights, beta):
    return (energy(weights, beta) - energy(weights, -beta)) / (2 * beta)


def ground(weights, beta):
    return levels(weights, beta).min()


def counted(weights, beta):
    return np.sort(levels(weights, beta), axis=None)[1]


def followed(weights, beta):
    """The level that is the first excited one without a nudge: the upper one of sign +1."""
    return levels(weights, beta)[0, 1]


def contrast_of(level, beta):
    estimator = GradientEstimator(
        hamiltonian=HAMILTONIAN,
        preparation=ExactPreparation(level=level),
        contrast=Contrast(kind="symmetric", beta=beta),
        shots=None,
    )
    work = estimator.estimate(WEIGHTS, NO_INPUTS, NO_INPUTS, RequestKey("test", 0))
    return run_measurements(work, VectorExecutor(Seeds(0)))[0]


def exact(energy, beta):
    return gradient(lambda weights: surrogate(energy, weights, beta), WEIGHTS)[TRAINED]


def crossing(one, other):
    """The nudge, between two, at which the ground state changes the sign of Z1."""
    first, second = (int(levels(WEIGHTS, beta).min(axis=1).argmin()) for beta in (one, other))
    return first != second


def test_levels_are_those_of_the_network():
    free = HAMILTONIAN.free_coefficients(WEIGHTS, NO_INPUTS)
    nudge, _ = HAMILTONIAN.operator_nudge(NO_INPUTS)
    solved = ExactPreparation(level=1).solve(HAMILTONIAN.groups, free + np.array([[-2.0], [0.0], [2.0]]) * nudge)
    assert solved.energies == pytest.approx([counted(WEIGHTS, beta) for beta in (-2, 0, 2)], rel=0, abs=1e-12)
    assert counted(WEIGHTS, 0.0) == followed(WEIGHTS, 0.0)


def test_ground_states_may_cross_and_the_contrast_is_exact_all_the_same():
    assert not crossing(-1.0, 1.0)
    assert crossing(1.0, 2.0)
    smooth = contrast_of(0, 1.0)
    with warns(BranchJumpWarning, "ground states cross .* stays the exact gradient .* may differ from the cost"):
        crossed = contrast_of(0, 2.0)
    for found, beta in ((smooth, 1.0), (crossed, 2.0)):
        assert found.gradient[TRAINED] == pytest.approx(exact(ground, beta), rel=0, abs=1e-10)


def test_what_a_crossing_costs_is_that_the_surrogate_leaves_the_cost():
    cost = surrogate(ground, WEIGHTS, 1e-4)
    assert cost == pytest.approx(1.0 + 0.5 * 0.9 / np.hypot(1.0, 0.9), abs=1e-8)
    assert surrogate(ground, WEIGHTS, 1.0) == pytest.approx(cost, rel=0.01)
    assert surrogate(ground, WEIGHTS, 2.0) < 0.7 * cost


@pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.BranchJumpWarning")
def test_excited_states_followed_by_overlap_or_counted_are_exact_each_for_its_own_surrogate():
    beta = 2.0
    by_overlap = contrast_of(1, beta).gradient[TRAINED]
    free = HAMILTONIAN.free_coefficients(WEIGHTS, NO_INPUTS)
    nudge, _ = HAMILTONIAN.operator_nudge(NO_INPUTS)
    solved = ExactPreparation(level=1).solve(HAMILTONIAN.groups, free + np.array([[-beta], [beta]]) * nudge)
    means = term_expectations(HAMILTONIAN.groups, solved.vectors)
    by_number = HAMILTONIAN.jacobian(WEIGHTS, NO_INPUTS).pull_back((means[1:] - means[:1]) / (2 * beta))[0][TRAINED]
    assert by_overlap == pytest.approx(exact(followed, beta), rel=0, abs=1e-10)
    assert by_number == pytest.approx(exact(counted, beta), rel=0, abs=1e-10)
    assert np.abs(by_overlap - by_number).max() > 0.1
