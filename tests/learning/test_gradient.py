"""Gradients of exact states against finite differences of the cost, and what they cost to measure."""

import numpy as np
import pytest
from cases import SMALL_GRAPHS, exact_contrast, random_network
from qiskit.quantum_info import SparsePauliOp
from reference import expectation, gradient, ground

from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.execution.aer import AerExecutor, aer_sampler_executor
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.measurement import Usage, run_measurements
from qep_qiskit.network import ClampedInputs, IsingNetwork, WeightInitialisation, chain
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.losses import CrossEntropy, CustomLoss, SquaredError
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import AdiabaticPreparation, ExactPreparation

LOSSES = {
    "squared": SquaredError(),
    "entropy": CrossEntropy(gain=2.0),
    "custom": CustomLoss(lambda o, y: np.sum((o - y) ** 4, axis=1), lambda o, y: 4 * (o - y) ** 3),
}
COSTS = {
    **{
        name: lambda size, loss=loss: LossOnExpectations.on_spins((0, size - 1), size, loss)
        for name, loss in LOSSES.items()
    },
    "operator": lambda size: OperatorCost.squared_error((0, size - 1), size),
    "operator with other Paulis": lambda size: OperatorCost.from_function(
        lambda y: SparsePauliOp(["I" * (size - 2) + "XZ", "Y" + "I" * (size - 2) + "Y", "I" * size], [y[0], 0.7, y[1]]),
        np.ones((1, 2)),
        size,
    ),
    "observables with other Paulis": lambda size: LossOnExpectations(
        (SparsePauliOp(["I" * (size - 1) + "X", "I" * size], [1.0, 0.2]), SparsePauliOp("Z" + "I" * (size - 2) + "X"))
    ),
}


def problem(name, cost, rng):
    network, weights = random_network(SMALL_GRAPHS[name], rng, num_inputs=1, outputs=(0, 2))
    hamiltonian = NudgedHamiltonian(network, COSTS[cost](network.num_qubits))
    return hamiltonian, weights, rng.normal(size=(3, 1)), rng.dirichlet(np.ones(2), 3)


def mean_cost(hamiltonian, inputs, targets):
    """Mean cost of the batch as a function of the weights, from dense matrices."""

    def cost(weights):
        return np.mean([sample_cost(hamiltonian, weights, x, y) for x, y in zip(inputs, targets, strict=True)])

    return cost


def sample_cost(hamiltonian, weights, x, y):
    state = ground(hamiltonian.network.hamiltonian(weights, x).to_matrix())[1]
    if isinstance(hamiltonian.cost, OperatorCost):
        return expectation(hamiltonian.cost.operator(y).to_matrix(), state)
    outputs = np.array([expectation(o.to_matrix(), state) for o in hamiltonian.cost.observables])
    return hamiltonian.cost.loss.value(outputs[None], y[None])[0]


@pytest.mark.deep(but=["edges-operator", "edges-squared", "edges-entropy", "complete-operator with other Paulis"])
@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("name", ["edges", "complete"])
def test_gradient_is_the_finite_difference_of_the_cost(name, cost, rng):
    hamiltonian, weights, inputs, targets = problem(name, cost, rng)
    expected = gradient(mean_cost(hamiltonian, inputs, targets), weights, step=0.02)
    exact = exact_gradient(hamiltonian, weights, inputs, targets)
    assert exact.cost == pytest.approx(mean_cost(hamiltonian, inputs, targets)(weights), abs=1e-10)
    assert exact.gradient == pytest.approx(expected, abs=1e-8)
    contrast = exact_contrast(hamiltonian, weights, Contrast(kind="four_point", beta=5e-4), inputs, targets)
    assert contrast.gradient == pytest.approx(expected, abs=2e-8)


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("kind", ["one_sided", "symmetric"])
def test_reported_cost_is_the_free_one(kind, cost, rng):
    hamiltonian, weights, inputs, targets = problem("edges", cost, rng)
    estimator = estimator_of(hamiltonian, kind=kind, beta=0.05, measures_free_cost=True)
    found, _ = run_measurements(
        estimator.estimate(weights, inputs, targets, RequestKey("test", 0)), VectorExecutor(Seeds(0))
    )
    assert found.cost.mean == pytest.approx(mean_cost(hamiltonian, inputs, targets)(weights), abs=1e-10)


def test_symmetric_operator_cost_without_a_free_phase_is_close(rng):
    hamiltonian, weights, inputs, targets = problem("edges", "operator", rng)
    exact = mean_cost(hamiltonian, inputs, targets)(weights)
    deviations = [
        exact_contrast(hamiltonian, weights, Contrast(beta=beta), inputs, targets).cost.mean - exact
        for beta in (0.02, 0.04)
    ]
    assert deviations[1] / deviations[0] == pytest.approx(4.0, abs=0.2)


def estimator_of(hamiltonian, *, shots=None, preparation=None, measures_free_cost=False, **contrast):
    return GradientEstimator(
        hamiltonian=hamiltonian,
        preparation=preparation or ExactPreparation(),
        contrast=Contrast(**{"beta": 0.1} | contrast),
        shots=shots,
        measures_free_cost=measures_free_cost,
    )


@pytest.mark.parametrize(
    ("cost", "kind", "measures_free_cost", "circuits"),
    [
        # Per sample: outputs of the free phase, and Z and X of every phase that is not measured yet.
        ("operator", "one_sided", False, 4),
        ("operator", "one_sided", True, 4),
        ("operator", "symmetric", False, 4),
        ("operator", "symmetric", True, 5),
        ("operator", "four_point", False, 8),
        ("squared", "one_sided", False, 4),
        ("squared", "symmetric", False, 5),
        ("squared", "four_point", False, 9),
        ("observables with other Paulis", "one_sided", False, 5),
    ],
)
def test_no_batch_is_measured_twice(cost, kind, measures_free_cost, circuits, rng):
    hamiltonian, weights, inputs, targets = problem("edges", cost, rng)
    estimator = estimator_of(hamiltonian, shots=10, kind=kind, measures_free_cost=measures_free_cost)
    _, usage = run_measurements(
        estimator.estimate(weights, inputs, targets, RequestKey("test", 0)), VectorExecutor(Seeds(0))
    )
    assert usage == Usage(shots=3 * 10 * circuits, circuits=3 * circuits)


def test_stages_have_keys_of_their_own(rng):
    hamiltonian, weights, inputs, targets = problem("edges", "squared", rng)
    work = estimator_of(hamiltonian, shots=10).estimate(weights, inputs, targets, RequestKey("test", 7))
    executor, first = VectorExecutor(Seeds(0)), next(work)
    second = work.send(executor.collect(executor.submit(first)))
    assert (first.key, second.key) == (RequestKey("test", 7, 0), RequestKey("test", 7, 1))


@pytest.mark.parametrize("cost", ["operator", "squared"])
def test_every_executor_gives_the_same_gradient(cost, rng):
    """The ladder: exact probabilities of circuits, then shots on two paths within five sigmas."""
    hamiltonian, weights, inputs, targets = problem("edges", cost, rng)
    ramp = AdiabaticPreparation(total_time=3.0, steps=8)
    options = {"preparation": ramp, "beta": 0.4}

    def run(executor, shots):
        work = estimator_of(hamiltonian, shots=shots, **options).estimate(
            weights, inputs, targets, RequestKey("test", 0)
        )
        return run_measurements(work, executor)[0]

    exact = run(AerExecutor(Seeds(1)), None)
    for executor in (AerExecutor(Seeds(1)), aer_sampler_executor(Seeds(1))):
        found = run(executor, 4000)
        assert np.all(np.abs(found.gradient - exact.gradient) < 5 * found.standard_error)
        assert abs(found.cost.mean - exact.cost.mean) < 5 * found.cost.standard_error
    assert not exact.variance.any()


# The antiferromagnetic chain of five spins in numbers n = (1 + Z) / 2:
# (Omega / 2) sum X - Delta sum n + sum n n', loss (<A^2> - 1)^2 with A = (1/5) sum (-1)^i Z_i.
def antiferromagnet():
    graph, ends = chain(5), np.array([1.0, 2.0, 2.0, 2.0, 1.0])
    network = IsingNetwork(
        graph=graph,
        outputs=(4,),
        couplings=WeightInitialisation(),
        fields=WeightInitialisation(),
        biases=WeightInitialisation(),
    )
    named = {f"J[{j},{k}]": -0.25 for j, k in graph.edges}
    named |= {f"h[{k}]": -0.25 for k in range(5)} | {f"b[{k}]": 0.75 - ends[k] / 4 for k in range(5)}
    pairs = [("ZZ", [j, k], (-1) ** (j + k) / 25) for j in range(5) for k in range(5) if j != k]
    order = SparsePauliOp.from_sparse_list([*pairs, ("", [], 0.2)], 5).simplify()
    return NudgedHamiltonian(network, LossOnExpectations((order,))), network.weights_from(named)


def by_omega_and_delta(values, network):
    """Chain rule: h = -Omega/2 and b = Delta/2 - ..."""
    h, b = values[network.layout.slice_of("h")], values[network.layout.slice_of("b")]
    return -h.sum() / 2, b.sum() / 2


def test_antiferromagnetic_chain():
    hamiltonian, weights = antiferromagnet()
    inputs, targets = np.zeros((1, 0)), np.ones((1, 1))
    exact = exact_gradient(hamiltonian, weights, inputs, targets)
    gap = ExactPreparation().solve(hamiltonian.groups, hamiltonian.free_coefficients(weights, inputs)).gaps[0]
    assert exact.outputs[0, 0] == pytest.approx(0.671697, abs=0.51e-6)
    assert gap == pytest.approx(0.39423, abs=0.51e-5)
    reference = by_omega_and_delta(exact.gradient, hamiltonian.network)
    assert reference == pytest.approx((0.693343, 0.341460), abs=0.51e-6)
    one_sided = exact_contrast(hamiltonian, weights, Contrast(kind="one_sided", beta=0.1), inputs, targets)
    assert by_omega_and_delta(one_sided.gradient, hamiltonian.network) == pytest.approx((0.67902, 0.32337), abs=0.51e-5)
    symmetric = exact_contrast(hamiltonian, weights, Contrast(beta=0.1), inputs, targets)
    bias = np.subtract(by_omega_and_delta(symmetric.gradient, hamiltonian.network), reference)
    assert bias == pytest.approx((-2.45e-3, -3.7e-4), abs=0.51e-5)


def test_clamped_inputs_that_are_zero_have_no_gradient(rng):
    network = IsingNetwork(graph=chain(2), outputs=(1,), inputs=ClampedInputs.all_to(2, (0, 1)))
    hamiltonian = NudgedHamiltonian(network, LossOnExpectations.on_spins((1,), 2))
    weights = rng.uniform(0.3, 1.0, network.layout.num_weights)
    found = exact_contrast(
        hamiltonian, weights, Contrast(beta=0.1), np.array([[0.0, 1.0]]), np.array([[-1.0]])
    ).gradient
    silent = [name.startswith("W[0") for name in network.layout.names]
    assert not found[silent].any()
    assert found[~np.array(silent)].all()
