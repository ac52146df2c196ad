"""Excited states that are followed through crossings of levels.

Spin 0 has a field h X, spin 1 a field b Z, and the cost pushes spin 1: the states with spin 0 flipped and with spin 1
flipped cross at beta = h - b, protected because both spins keep their own quantum numbers.
"""

import warnings

import numpy as np
import pytest
from cases import NO_INPUTS
from qiskit.quantum_info import SparsePauliOp
from reference import sum_of_paulis
from variational_cases import KEY, prepare
from warned import warns

from qep_qiskit.core.errors import BranchJumpWarning
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.network import IsingNetwork, chain
from qep_qiskit.network.cost import OperatorCost
from qep_qiskit.network.cost_terms import CostTerm
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation, HamiltonianFamily, term_expectations

H, B = 1.0, 0.95
SOLVERS = pytest.mark.parametrize("solver", ["dense", "lanczos"])


def crossing(coupling=0.0, extra=1):
    """The two spins, and more that are held by strong fields."""
    size = 2 + extra
    network = IsingNetwork(graph=chain(size), outputs=(1,))
    named = {"h[0]": H, "b[1]": B, "J[0,1]": coupling} | {f"b[{k}]": 5.0 for k in range(2, size)}
    others = (
        {f"h[{k}]": 0.0 for k in range(1, size)} | {"b[0]": 0.0} | {f"J[{k},{k + 1}]": 0.0 for k in range(1, size - 1)}
    )
    weights = network.weights_from(named | others)
    cost = OperatorCost.from_terms([CostTerm(string=PauliString.of("Z", 1), coefficient=-1.0)], size)
    hamiltonian = NudgedHamiltonian(network, cost)
    return hamiltonian, hamiltonian.free_coefficients(weights, NO_INPUTS)


def followed(betas, *, solver="dense", **options):
    hamiltonian, free = crossing(**options)
    nudge, _ = hamiltonian.operator_nudge(NO_INPUTS)
    family = HamiltonianFamily(groups=hamiltonian.groups, free=free, nudge=nudge, betas=np.array(betas), key=KEY)
    prepared_states, _ = prepare(ExactPreparation(level=1, solver=solver), family)
    means = term_expectations(hamiltonian.groups, prepared_states.states.vectors)
    words = [str(word) for word in hamiltonian.terms]
    return means[:, words.index("Z1")], prepared_states.report


@SOLVERS
def test_a_followed_state_keeps_its_character_through_a_crossing(solver):
    betas = (-0.2, 0.0, 0.02, 0.2)
    flips, report = followed(betas, solver=solver)
    assert flips == pytest.approx(-np.ones(4), abs=1e-9)
    assert report.energies[0] == pytest.approx(-H + B + np.array(betas) - 5.0, abs=1e-9)
    assert report.overlaps == pytest.approx(np.ones((1, 4)), abs=1e-9)


def test_plain_ordering_would_jump_at_that_crossing():
    hamiltonian, free = crossing()
    nudge, _ = hamiltonian.operator_nudge(NO_INPUTS)
    ordered = ExactPreparation(level=1).solve(hamiltonian.groups, free + np.array([[0.02], [0.2]]) * nudge)
    words = [str(word) for word in hamiltonian.terms]
    flips = term_expectations(hamiltonian.groups, ordered.vectors)[:, words.index("Z1")]
    assert flips == pytest.approx([-1.0, 1.0], abs=1e-9)


@SOLVERS
def test_a_crossing_that_is_wide_open_is_followed_around(solver):
    """An anticrossing much wider than the nudge's finest part: the state changes its character smoothly."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flips, report = followed((0.0, 0.05, 0.3), solver=solver, coupling=0.1)
    hamiltonian, free = crossing(coupling=0.1)
    nudge, _ = hamiltonian.operator_nudge(NO_INPUTS)
    assert flips[0] < -0.5
    levels = [
        np.linalg.eigvalsh(sum_of_paulis(hamiltonian.terms, row, 3))
        for row in free + np.array([[0.0], [0.05], [0.3]]) * nudge
    ]
    assert np.abs(np.array(levels) - report.energies[0][:, None]).min(axis=1).max() < 1e-9


def test_where_following_is_impossible_it_is_said():
    """A nudge that ends in the middle of an anticrossing narrower than any step: half of each state is there."""
    hamiltonian, free = crossing(coupling=0.0)
    words = [str(word) for word in hamiltonian.terms]
    # X1 and Z0 Z1 together couple the two states weakly.
    free[0, words.index("X1")], free[0, words.index("Z0 Z1")] = 1e-4, 1e-4
    nudge, _ = hamiltonian.operator_nudge(NO_INPUTS)
    matrices = lambda beta: sum_of_paulis(hamiltonian.terms, free[0] + beta * nudge[0], 3)  # noqa: E731
    betas = np.linspace(H - B - 1e-5, H - B + 1e-5, 2001)
    closest = min(betas, key=lambda beta: np.diff(np.linalg.eigvalsh(matrices(beta)))[1])
    family = HamiltonianFamily(groups=hamiltonian.groups, free=free, nudge=nudge, betas=np.array([closest]), key=KEY)
    with warns(BranchJumpWarning, "level 1 cannot be followed", detail="from beta = .* overlap is at most"):
        prepare(ExactPreparation(level=1), family)


def test_phases_are_followed_outwards_whatever_their_order():
    ordered, _ = followed((-0.2, -0.1, 0.0, 0.1, 0.2))
    assert ordered == pytest.approx(-np.ones(5), abs=1e-9)
    one, _ = followed((0.2,))
    assert one == pytest.approx([-1.0], abs=1e-9)


def test_operator_of_the_crossing_is_what_it_says():
    hamiltonian, free = crossing()
    expected = SparsePauliOp(["IIX", "IZI", "ZII"], [-H, -B, -5.0]).to_matrix()
    assert np.allclose(sum_of_paulis(hamiltonian.terms, free[0], 3), expected, rtol=0, atol=1e-12)
