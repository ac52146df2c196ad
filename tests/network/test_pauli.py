"""Networks of Pauli strings: against matrices, and against the Ising network that they can be."""

import numpy as np
import pytest
from cases import NO_INPUTS, SMALL_GRAPHS, exact_contrast, half_one_plus_z, random_network
from chi_square import LIMIT, variance_p_value
from qiskit.quantum_info import SparsePauliOp
from reference import expectation, ground, pauli_matrix, run_program, sum_of_paulis, without_phase

from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.pauli_strings import sparse_pauli_op
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, StatevectorExecutor, VectorExecutor
from qep_qiskit.execution.aer import AerExecutor
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import Interaction, PauliNetwork, WeightInitialisation
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.expressions import parse_operator
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.outcomes.states import CircuitStates
from qep_qiskit.preparation import AdiabaticPreparation, ExactPreparation


def operator(text, num_qubits):
    return sparse_pauli_op(parse_operator(text).items(), num_qubits)


def matrix(text, num_qubits):
    terms = parse_operator(text)
    return sum_of_paulis(list(terms), list(terms.values()), num_qubits)


def part(text, weight=None, index=None, num_qubits=3):
    return Interaction(operator=operator(text, num_qubits), weight=weight, input=index)


def mixed():
    """Tied weights over several groups, an input with a weight and one without, a fixed part, and constants."""
    return PauliNetwork(
        interactions=(
            part("-X0 - X1 - X2"),
            part("0.5 - Z0 Z1 + 0.5 Z1 X2 + Y0 Y1", "a"),
            part("Y2 + 0.3 Z0", "b"),
            part("Z0 + 0.25", "c", 0),
            part("Z1 - Z2", "a", 1),
            part("0.7 Z2 X1 + 2", None, 1),
        ),
        outputs=(2,),
        num_inputs=2,
    )


def mixed_matrix(weights, x):
    a, b, c = weights
    total = matrix("-X0 - X1 - X2", 3) + a * matrix("0.5 - Z0 Z1 + 0.5 Z1 X2 + Y0 Y1", 3)
    total += b * matrix("Y2 + 0.3 Z0", 3) + c * x[0] * matrix("Z0 + 0.25", 3)
    return total + a * x[1] * matrix("Z1 - Z2", 3) + x[1] * matrix("0.7 Z2 X1 + 2", 3)


def as_pauli(network):
    """An Ising network as a Pauli network."""
    none, ones = np.zeros(network.num_inputs), np.ones(network.num_inputs)
    blocks = {block.symbol: block.names for block in network.layout.blocks}
    parts = [Interaction(operator=network.interaction(name, none), weight=name) for s in "Jhb" for name in blocks[s]]
    for name in blocks.get("W", ()):
        index = int(name[2:].split(",")[0])
        parts.append(Interaction(operator=network.interaction(name, ones), weight=name, input=index))
    return PauliNetwork(interactions=tuple(parts), outputs=network.outputs, num_inputs=network.num_inputs)


def by_term(network, weights, inputs):
    """Coefficients (samples, terms), the words in order."""
    order = sorted(range(len(network.terms)), key=network.terms.__getitem__)
    return network.coefficients(weights, inputs)[:, order]


@pytest.fixture(params=sorted(SMALL_GRAPHS))
def twins(request, rng):
    """An Ising network, the same in Pauli strings, weights and inputs."""
    network, weights = random_network(SMALL_GRAPHS[request.param], rng, num_inputs=2)
    return network, as_pauli(network), weights, rng.normal(size=(2, 2))


def test_ising_network_in_pauli_words_has_its_groups_and_coefficients(twins):
    ising, pauli, weights, inputs = twins
    assert pauli.layout.names == ising.layout.names
    assert [(group.name, set(group.terms)) for group in pauli.groups] == [
        (group.name, set(group.terms)) for group in ising.groups
    ]
    assert np.allclose(by_term(pauli, weights, inputs), by_term(ising, weights, inputs), rtol=0, atol=1e-14)
    assert pauli.unreached_outputs() == ising.unreached_outputs() == ()


def test_ising_network_in_pauli_words_has_its_gradients_and_contrasts(twins):
    ising, pauli, weights, inputs = twins
    size, targets = ising.num_qubits, np.array([[0.5], [-0.5]])
    cost = LossOnExpectations.on_spins((size - 1,), size)
    both = [NudgedHamiltonian(network, cost) for network in (ising, pauli)]
    exact = [exact_gradient(hamiltonian, weights, inputs, targets).gradient for hamiltonian in both]
    assert exact[1] == pytest.approx(exact[0], abs=1e-10)
    contrasts = [exact_contrast(h, weights, Contrast(beta=0.2), inputs, targets).gradient for h in both]
    assert contrasts[1] == pytest.approx(contrasts[0], abs=1e-10)


def test_ising_network_in_pauli_words_has_its_shots_and_trotter_states(twins):
    """The same groups in the same order: even the shots are the same."""
    ising, pauli, weights, inputs = twins
    size = ising.num_qubits
    found = []
    for network in (ising, pauli):
        estimator = GradientEstimator(
            hamiltonian=NudgedHamiltonian(network, half_one_plus_z(size - 1, size)),
            preparation=AdiabaticPreparation(total_time=2.0, steps=6),
            contrast=Contrast(beta=0.2),
            shots=50,
        )
        work = estimator.estimate(weights, inputs, np.zeros((2, 0)), RequestKey("test", 0))
        found.append(run_measurements(work, StatevectorExecutor(Seeds(4)))[0])
    assert found[1].gradient == pytest.approx(found[0].gradient, abs=1e-12)
    assert found[1].variance == pytest.approx(found[0].variance, abs=1e-12)


def test_hamiltonian_and_interaction_are_the_formula(rng):
    network = mixed()
    weights, x = rng.normal(size=3), rng.normal(size=2)
    assert network.layout.names == ("a", "b", "c")
    assert np.allclose(network.hamiltonian(weights, x).to_matrix(), mixed_matrix(weights, x), rtol=0, atol=1e-12)
    for index, name in enumerate(network.layout.names):
        shift = np.eye(3)[index]
        change = (mixed_matrix(weights + shift, x) - mixed_matrix(weights - shift, x)) / 2
        assert np.allclose(network.interaction(name, x).to_matrix(), change, rtol=0, atol=1e-12)
        assert network.interaction(name, x) == network.interaction(index, x)


def test_coefficients_are_affine_in_the_weights_with_the_jacobian_for_slope(rng):
    network = mixed()
    weights, other, inputs = rng.normal(size=3), rng.normal(size=3), rng.normal(size=(4, 2))
    change = network.coefficients(weights, inputs) - network.coefficients(other, inputs)
    jacobian = network.jacobian(weights, inputs)
    slope = np.stack([jacobian.pull_back(np.tile(row, (4, 1))) for row in np.eye(len(network.terms))], axis=2)
    assert np.allclose(np.einsum("swt,w->st", slope, weights - other), change, rtol=0, atol=1e-12)
    assert not np.allclose(network.coefficients(np.zeros(3), inputs), 0.0)


def test_sparse_operators_come_in_and_go_out():
    weighted = {"J": SparsePauliOp(["ZZI", "IZZ"]), "h": SparsePauliOp(["XII"], [-1.0])}
    network = PauliNetwork.from_operators(weighted, SparsePauliOp(["YII", "III"], [0.5, 2.0]), outputs=(0,))
    found = network.hamiltonian(network.weights_from({"J": 2.0, "h": 3.0}))
    expected = SparsePauliOp(["ZZI", "IZZ", "XII", "YII", "III"], [2.0, 2.0, -3.0, 0.5, 2.0])
    assert (found - expected).simplify().to_list() == [("III", 0)]
    assert network.interaction("J").simplify().equiv(weighted["J"])


def test_starts_bounds_and_frozen_weights():
    start = WeightInitialisation(values={"J": 0.5}, mean=1.0, minimum=0.2, maximum=2.0, frozen=["h"])
    weighted = {"J": SparsePauliOp("ZZ"), "h": SparsePauliOp("XI")}
    layout = PauliNetwork.from_operators(weighted, start=start).layout
    assert layout.initial(Seeds(0)).tolist() == [0.5, 1.0]
    assert layout.trainable().tolist() == [True, False]
    assert [bound.tolist() for bound in layout.bounds()] == [[0.2, 0.2], [2.0, 2.0]]


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("executor", [StatevectorExecutor, AerExecutor])
def test_ramp_through_mixed_bases_is_the_product_of_exponentials(executor, order, rng):
    network = mixed()
    program = AdiabaticPreparation(total_time=1.5, steps=4, order=order).program(network.groups)
    assert any("Y" in group.basis.letters for group in program.groups)
    rows = network.coefficients(rng.normal(size=3), rng.normal(size=(2, 2)))
    found = executor(Seeds(0)).vectors(CircuitStates(program=program, parameters=rows))
    for row, vector in zip(rows, found, strict=True):
        assert np.allclose(without_phase(vector), without_phase(run_program(program, row)), rtol=0, atol=1e-10)


def test_slow_ramp_ends_in_the_ground_state(rng):
    network = mixed()
    weights, x = rng.normal(0, 0.3, size=3), rng.normal(0, 0.3, size=2)
    _, state, _ = ground(network.hamiltonian(weights, x).to_matrix())
    ramp = AdiabaticPreparation(total_time=40.0, steps=400)
    parameters = network.coefficients(weights, x[None])
    vectors = StatevectorExecutor(Seeds(0)).vectors(
        CircuitStates(program=ramp.program(network.groups), parameters=parameters)
    )
    assert abs(np.vdot(state, vectors[0])) ** 2 == pytest.approx(1.0, abs=1e-4)


TIED = ["Z0 Z1", "Z1 Z2", "Z0", "X1 X2", "X0"]


def tied_and_untied():
    """A weight on a sum of words in several groups, and the same sum with a weight for every word."""
    fixed = operator("-0.5 X0 - 0.5 X1 - 0.5 X2 - 0.4 Z2", 3)
    tied = PauliNetwork.from_operators({"w": -1.0 * operator(" + ".join(TIED), 3)}, fixed)
    untied = PauliNetwork.from_operators({word: -1.0 * operator(word, 3) for word in TIED}, fixed)
    cost = OperatorCost.from_operator(operator("Z2", 3))
    return NudgedHamiltonian(tied, cost), NudgedHamiltonian(untied, cost)


def test_tied_weight_has_the_sum_of_the_gradients():
    tied, untied = tied_and_untied()
    contrast = Contrast(beta=0.3)
    one = exact_contrast(tied, np.array([0.4]), contrast).gradient
    many = exact_contrast(untied, np.full(5, 0.4), contrast).gradient
    assert one == pytest.approx([many.sum()], abs=1e-12)
    exact = [exact_gradient(h, np.full(n, 0.4), NO_INPUTS, NO_INPUTS).gradient for h, n in ((tied, 1), (untied, 5))]
    assert exact[0] == pytest.approx([exact[1].sum()], abs=1e-10)


def measured(hamiltonian, weights, beta, shots, repeats):
    estimator = GradientEstimator(
        hamiltonian=hamiltonian, preparation=ExactPreparation(), contrast=Contrast(beta=beta), shots=shots
    )
    executor = VectorExecutor(Seeds(11))
    works = [estimator.estimate(weights, NO_INPUTS, NO_INPUTS, RequestKey("test", i)) for i in range(repeats)]
    return [run_measurements(work, executor)[0] for work in works]


@pytest.mark.deep
def test_variance_of_a_tied_weight_has_the_covariances_of_its_words():
    """Var = sum over phases and groups of Var(O_g) / (shots (2 beta)^2): within a group one batch, else independent."""
    (tied, _), beta, shots = tied_and_untied(), 0.3, 40
    found = measured(tied, np.array([0.4]), beta, shots, 1000)
    expected = alone = 0.0
    for nudge in (-beta, beta):
        _, state, _ = ground(tied.network.hamiltonian([0.4]).to_matrix() + nudge * pauli_matrix("Z2", 3))
        for group in tied.network.groups:
            words = [pauli_matrix(word, 3) for word in group.terms if str(word) in TIED]
            total = sum(words, np.zeros((8, 8)))
            expected += (expectation(total @ total, state) - expectation(total, state) ** 2) / shots / (2 * beta) ** 2
            alone += sum(1 - expectation(word, state) ** 2 for word in words) / shots / (2 * beta) ** 2
    gradients = np.array([estimate.gradient for estimate in found])
    assert variance_p_value(gradients, expected) > LIMIT
    assert variance_p_value(gradients, alone) < LIMIT
    assert np.mean([estimate.variance for estimate in found]) == pytest.approx(expected, rel=0.02)


def test_groups_without_weights_are_not_measured_for_the_gradient():
    network = PauliNetwork.from_operators({"J": operator("Z0 Z1", 2)}, operator("-X0 - X1", 2))
    hamiltonian = NudgedHamiltonian(network, OperatorCost.from_operator(operator("Z0 Z1", 2)))
    assert len(hamiltonian.groups) == 2
    assert [hamiltonian.groups[g].name for g in hamiltonian.groups_of(hamiltonian.trained_terms)] == ["Z"]
    estimator = GradientEstimator(
        hamiltonian=hamiltonian, preparation=ExactPreparation(), contrast=Contrast(beta=0.1), shots=10
    )
    work = estimator.estimate(np.array([0.3]), NO_INPUTS, NO_INPUTS, RequestKey("test", 0))
    _, usage = run_measurements(work, VectorExecutor(Seeds(0)))
    assert usage.circuits == 2


def test_outputs_that_no_word_joins_to_an_input():
    network = PauliNetwork(
        interactions=(part("X0 Y1 + Z2", "w", num_qubits=4), part("Z0", None, 0, num_qubits=4)),
        outputs=(0, 1, 2, 3),
        num_inputs=1,
    )
    assert network.unreached_outputs() == (2, 3)


@pytest.mark.parametrize(
    ("parts", "options", "words"),
    [
        ((), {}, "expected at least one term"),
        ((part("Z0"),), {}, "nothing here trains"),
        ((part("Z0", "a"), part("2.0", "b")), {}, "weight 'b' multiplies nothing but a constant"),
        ((part("Z0 - Z0", "a"),), {}, "weight 'a' multiplies nothing but a constant"),
        ((part("Z0", "a"), part("Z0", "b", num_qubits=2)), {}, "operators act on 2 and on 3 qubits"),
        ((part("Z0", "a", 0),), {}, "input 0 is out of range; there are no inputs"),
        ((part("Z0", "a", 2),), {"num_inputs": 2}, "input 2 is out of range; there are 2 inputs, 0 to 1"),
        ((part("Z0", "a"),), {"outputs": (3,)}, "outputs: spin 3 is out of range"),
    ],
)
def test_bad_networks_are_refused_in_one_line(parts, options, words):
    with pytest.raises(NetworkError) as caught:
        PauliNetwork(interactions=parts, **options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_operator_that_is_not_hermitian_names_its_weight():
    with pytest.raises(NetworkError, match="operator of weight 'a', term ZZ: expected a real coefficient"):
        Interaction(operator=SparsePauliOp("ZZ", 1j), weight="a")
    with pytest.raises(NetworkError, match="weight 'a': input: expected a whole number"):
        Interaction(operator=SparsePauliOp("ZZ"), weight="a", input=0.5)


def test_unknown_weights_are_named():
    network = mixed()
    for question in (lambda: network.interaction("q", [0, 0]), lambda: network.weights_from({"q": 1.0})):
        with pytest.raises(NetworkError, match="no weight q; there are a, b, c"):
            question()
    with pytest.raises(NetworkError, match="x: expected 2 clamped inputs"):
        network.hamiltonian(np.zeros(3))
    with pytest.raises(NetworkError, match=r"weights: no weight q; there are a"):
        _ = PauliNetwork.from_operators({"a": operator("Z0", 1)}, start=WeightInitialisation(values={"q": 1.0})).layout
