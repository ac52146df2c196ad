"""Free fermions against exact diagonalisation, and the contrast at a hundred spins against differences of the cost."""

import numpy as np
import pytest
from cases import NO_INPUTS
from qiskit.quantum_info import SparsePauliOp, Statevector
from reference import derivative, fitted_slope, ground, ising_matrix

from qep_qiskit.core.errors import DegenerateGroundStateWarning, NetworkError
from qep_qiskit.core.merging import merge_into_groups
from qep_qiskit.core.pauli_strings import PauliString, sparse_pauli_op
from qep_qiskit.learning import Contrast
from qep_qiskit.network import ClampedInputs, IsingNetwork, WeightInitialisation, chain, ring
from qep_qiskit.network.cost import OperatorCost
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation, chain_term_means, solve_chain, term_expectations

ENDS = {
    "both": (1, 1),
    "one reversed": (1, -1),
    "both reversed": (-1, -1),
    "left": (1, 0),
    "right": (0, -1),
    "none": (0, 0),
}


def matrix_of(couplings, fields, left, right):
    size = len(fields)
    biases = np.zeros(size)
    biases[0] += left
    biases[-1] += right
    return ising_matrix([(k, k + 1) for k in range(size - 1)], couplings, fields, biases)


def random_chain(size, rng, *, zeros=False):
    couplings, fields = rng.normal(size=size - 1), rng.normal(size=size)
    if zeros and size > 1:
        couplings[rng.integers(size - 1)] = 0.0
        fields[rng.integers(size)] = 0.0
    return couplings, fields


def means_by_diagonalisation(matrix, words):
    energy, state, gap = ground(matrix)
    vector = Statevector(np.ascontiguousarray(state))
    operators = [sparse_pauli_op([(PauliString.parse(word), 1.0)], vector.num_qubits) for word in words]
    return energy, gap, np.array([vector.expectation_value(operator).real for operator in operators])


@pytest.mark.parametrize("zeros", [False, True], ids=["generic", "with zeros"])
@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
def test_energy_gap_and_means_are_those_of_exact_diagonalisation(ends, zeros, rng):
    """Rounding in a state is amplified by the inverse gap, in the reference as here."""
    for size in [*range(1, 7)] * 3 + [*range(1, 9)]:
        words = [f"Z{k} Z{k + 1}" for k in range(size - 1)] + [f"X{k}" for k in range(size)] + ["Z0", f"Z{size - 1}"]
        couplings, fields = random_chain(size, rng, zeros=zeros)
        left, right = np.array(ends) * rng.uniform(0.2, 1.5, 2)
        state = solve_chain(couplings, fields, left, right)
        energy, gap, means = means_by_diagonalisation(matrix_of(couplings, fields, left, right), words)
        assert state.energy == pytest.approx(energy, rel=1e-13, abs=1e-13)
        assert state.gap == pytest.approx(gap, abs=1e-13 * max(1.0, abs(energy)))
        found = np.array([*state.zz, *state.x, state.z_left, state.z_right])
        if gap > 1e-3:
            assert np.abs(found - means).max() < 1e-13 / min(1.0, gap)


@pytest.mark.parametrize("size", [2, 5, 7])
def test_products_of_z_and_products_of_x(size, rng):
    couplings, fields = random_chain(size, rng)
    state = solve_chain(couplings, fields, 0.7, -0.4)
    subsets = [[k for k in range(size) if mask >> k & 1] for mask in range(1, 1 << size)]
    words = [" ".join(f"{letter}{k}" for k in spins) for letter in "ZX" for spins in subsets]
    _, gap, means = means_by_diagonalisation(matrix_of(couplings, fields, 0.7, -0.4), words)
    found = [product(spins) for product in (state.z_product, state.x_product) for spins in subsets]
    assert gap > 1e-3
    assert found == pytest.approx(means, abs=1e-12)


def test_opposed_ends_hold_a_domain_wall():
    """It costs the energy of one quasiparticle, 2 (J - h) and a little kinetic energy; a bond reversed undoes it."""
    couplings, fields = np.ones(59), np.full(60, 0.3)
    parallel, opposed = solve_chain(couplings, fields, 1.0, 1.0), solve_chain(couplings, fields, 1.0, -1.0)
    assert 1.4 < opposed.energy - parallel.energy < 1.41
    couplings[30] = -1.0
    relieved = solve_chain(couplings, fields, 1.0, -1.0)
    assert relieved.energy == pytest.approx(parallel.energy, rel=1e-13)
    assert relieved.z_right == pytest.approx(-parallel.z_right, abs=1e-13)


def test_critical_chain_has_its_known_energy():
    """Pfeuty (1970): an open chain of J = h = 1 has the energy 1 - 1 / sin(pi / (4 N + 2))."""
    size = 200
    state = solve_chain(np.ones(size - 1), np.ones(size))
    assert state.energy == pytest.approx(1.0 - 1.0 / np.sin(np.pi / (4 * size + 2)), rel=1e-13)
    assert state.gap == pytest.approx(4.0 * np.sin(np.pi / (4 * size + 2)), rel=1e-10)
    assert state.num_spins == size


@pytest.mark.parametrize("sizes", [(0, 0), (3, 3), (1, 3)])
def test_arrays_that_do_not_make_a_chain(sizes):
    with pytest.raises(NetworkError, match="expected N fields and N - 1 couplings") as caught:
        solve_chain(np.zeros(sizes[0]), np.zeros(sizes[1]))
    assert "\n" not in str(caught.value)


def end_driven(size, rng, biases=None):
    """A chain whose first spin is driven by a clamped input, with weights of order one."""
    inputs = ClampedInputs(count=1, links=((0, 0),))
    network = IsingNetwork(graph=chain(size), outputs=(size - 1,), inputs=inputs, biases=biases)
    spread = {"J": (0.6, 1.0), "h": (0.8, 1.2), "b": (0.0, 0.0), "W": (0.5, 1.0)}
    draws = [rng.uniform(*spread[block.symbol], len(block.names)) for block in network.layout.blocks]
    return network, np.concatenate(draws)


def test_means_of_a_network_come_in_the_order_of_its_terms(rng):
    network, weights = end_driven(6, rng, biases=WeightInitialisation())
    cost = OperatorCost.from_operator(SparsePauliOp(["ZIZIIZ", "IXXIII"], [0.8, -0.5]))
    hamiltonian = NudgedHamiltonian(network, cost)
    row = hamiltonian.free_coefficients(weights, np.array([[0.9]]))
    exact = term_expectations(hamiltonian.groups, ExactPreparation().solve(hamiltonian.groups, row).vectors)[0]
    assert chain_term_means(hamiltonian.groups, row[0]) == pytest.approx(exact, abs=1e-11)


@pytest.mark.parametrize(
    ("graph", "weight", "term"),
    [(chain(5), "b[2]", "Z2"), (ring(5), "J[0,4]", "Z0 Z4")],
    ids=["bias in the middle", "coupling between ends"],
)
def test_what_is_not_such_a_chain_is_refused(graph, weight, term):
    network = IsingNetwork(graph=graph, outputs=(4,))
    row = network.coefficients(network.weights_from({"J[0,1]": 1.0, weight: 0.25}), NO_INPUTS)[0]
    with pytest.raises(NetworkError, match=f"the term -0.25 \\* '{term}' does not fit; only couplings") as caught:
        chain_term_means(network.groups, row)
    assert "\n" not in str(caught.value)


def test_means_that_free_fermions_do_not_have_are_refused():
    groups = merge_into_groups((), [PauliString.parse(text) for text in ("Z0 Z1", "X0", "X1", "Z0", "Y0 Y1")], 2)
    row = np.array([-1.0 if len(word.factors) == 1 else 0.0 for group in groups for word in group.terms])
    with pytest.raises(NetworkError, match="no mean of 'Y0 Y1'; only products of Z's and products of X's"):
        chain_term_means(groups, row)


def test_degenerate_ground_state_is_told(rng):
    network, _ = end_driven(6, rng)
    weights = network.weights_from({f"J[{k},{k + 1}]": 1.0 for k in range(5)})
    with pytest.warns(DegenerateGroundStateWarning, match="Break the symmetry"):
        chain_term_means(network.groups, network.coefficients(weights, np.ones((1, 1)))[0])


SIZE = 100


@pytest.fixture
def long_chain(rng):
    """A hundred spins, the cost Z of the last one, and some weights near it, where the response is not tiny."""
    network, weights = end_driven(SIZE, rng)
    hamiltonian = NudgedHamiltonian(network, OperatorCost.from_operator(SparsePauliOp("Z" + "I" * (SIZE - 1))))
    weights[network.layout.names.index("W[0,0]")] = 1.0
    names = network.layout.names
    near = [names.index(name) for name in ("J[98,99]", "J[97,98]", "J[95,96]", "h[99]", "h[98]", "h[96]", "h[93]")]
    return hamiltonian, weights, near


def driven_row(hamiltonian, weights):
    """Coefficients with a field on the last spin too: without it <Z_99> is as good as zero."""
    row = hamiltonian.free_coefficients(weights, np.ones((1, 1)))[0]
    row[hamiltonian.terms.index(PauliString.of("Z", SIZE - 1))] = -0.3
    return row


def contrast_at(hamiltonian, weights, beta):
    """The symmetric contrast of free-fermion states, pulled back to weights."""
    contrast = Contrast(kind="symmetric", beta=beta)
    row, nudge = driven_row(hamiltonian, weights), hamiltonian.operator_nudge(NO_INPUTS)[0][0]
    means = np.array([chain_term_means(hamiltonian.groups, row + b * nudge) for b in contrast.betas])
    return hamiltonian.jacobian(weights, np.ones((1, 1))).pull_back((contrast.stencil @ means)[None])[0]


def cost_of(hamiltonian, weights):
    means = chain_term_means(hamiltonian.groups, driven_row(hamiltonian, weights))
    return means[hamiltonian.terms.index(PauliString.of("Z", SIZE - 1))]


def differences_of_the_cost(hamiltonian, weights, chosen):
    steps = np.eye(len(weights))[chosen]
    return np.array([derivative(lambda e, d=d: cost_of(hamiltonian, weights + e * d)) for d in steps])


def test_contrast_at_a_hundred_spins_converges_to_the_gradient_of_the_cost(long_chain):
    hamiltonian, weights, near = long_chain
    exact = differences_of_the_cost(hamiltonian, weights, near)
    assert np.abs(exact).max() > 0.05
    betas = np.geomspace(0.01, 0.04, 4)
    biases = [np.linalg.norm(contrast_at(hamiltonian, weights, beta)[near] - exact) for beta in betas]
    assert fitted_slope(betas, biases) == pytest.approx(2.0, abs=0.05)


def test_reciprocity_at_a_hundred_spins(long_chain):
    """d<dH/dw>/dbeta = d<C>/dw, both sides by differences."""
    hamiltonian, weights, near = long_chain
    row, nudge = driven_row(hamiltonian, weights), hamiltonian.operator_nudge(NO_INPUTS)[0][0]
    response = derivative(lambda beta: chain_term_means(hamiltonian.groups, row + beta * nudge))
    found = hamiltonian.jacobian(weights, np.ones((1, 1))).pull_back(response[None])[0]
    assert found[near] == pytest.approx(differences_of_the_cost(hamiltonian, weights, near), abs=1e-9)
