"""Weights on springs: their equilibrium by an independent minimisation, and what their moves do to the cost."""

import re
from functools import cache

import numpy as np
import pytest
from cases import FAR_NUDGES, NO_INPUTS, half_one_plus_z, random_network
from chi_square import LIMIT, mean_p_value, variance_p_value
from reference import fitted_slope, pauli_matrix
from scipy.optimize import minimize
from stopping import StopAtRequest
from warned import warns

from qep_qiskit.config import from_file
from qep_qiskit.core.errors import ConfigError, NetworkError, UnconvergedWarning
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning import AgnosticUpdate, Contrast, GradientBatch, GradientEstimator
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.measurement import Usage, run_measurements
from qep_qiskit.network import IsingNetwork, WeightInitialisation, chain, complete
from qep_qiskit.network.cost import LossOnExpectations
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation

pytestmark = FAR_NUDGES
NO_TARGETS = np.zeros((1, 0))


def problem(seed, size=4):
    """A random network whose last spin is to point down, with its weights."""
    network, weights = random_network(complete(size), np.random.default_rng(seed))
    return NudgedHamiltonian(network, half_one_plus_z(size - 1, size)), weights


def moved(hamiltonian, weights, *, epsilon, beta, kind="one_sided", x=NO_INPUTS, y=NO_TARGETS, **options):
    """The estimate of one step with exact states, and the move of the weights."""
    shots = options.pop("shots", None)
    estimator = GradientEstimator(
        hamiltonian=hamiltonian,
        preparation=ExactPreparation(),
        contrast=Contrast(kind=kind, beta=beta),
        shots=shots,
    )
    update = AgnosticUpdate(**{"epsilon": epsilon, "tolerance": 1e-9} | options)
    key = RequestKey("test", options.pop("step", 0))
    work = update.estimate(estimator, GradientBatch(weights=weights, inputs=x, targets=y, key=key))
    found, usage = run_measurements(work, VectorExecutor(Seeds(0)))
    return found, found.equilibrium.weights - weights, usage


@cache
def matrix_of(text, num_qubits):
    return pauli_matrix(text, num_qubits)


def energies(hamiltonian, weights, beta):
    """Ground-state energy of H + beta C, of a dense matrix of Pauli strings."""
    coefficients = hamiltonian.free_coefficients(weights, NO_INPUTS)[0]
    coefficients = coefficients + beta * hamiltonian.operator_nudge(NO_TARGETS)[0][0]
    size = hamiltonian.num_qubits
    matrix = sum(c * matrix_of(str(term), size) for c, term in zip(coefficients, hamiltonian.terms, strict=True))
    return np.linalg.eigvalsh(matrix)[0]


def free_cost(hamiltonian, weights):
    return exact_gradient(hamiltonian, weights, NO_INPUTS, NO_TARGETS).cost


@pytest.mark.deep(but=["symmetric"])
@pytest.mark.parametrize("kind", ["one_sided", "symmetric"])
def test_weights_are_at_the_joint_minimum(kind):
    """The minimum over the weights of the ground-state energy and the springs, found by BFGS from elsewhere."""
    hamiltonian, weights = problem(0, size=2)
    epsilon, beta = 0.2, 0.4
    found, _, _ = moved(hamiltonian, weights, epsilon=epsilon, beta=beta, kind=kind)
    controls = found.equilibrium.controls

    def joint(point, nudge):
        return energies(hamiltonian, point, nudge) + ((point - controls) ** 2).sum() / (2 * epsilon)

    start = weights + 0.1
    for nudge, place in ((-beta if kind == "symmetric" else 0.0, weights), (beta, found.equilibrium.weights)):
        best = minimize(joint, start, args=(nudge,), options={"gtol": 1e-9}, jac="3-point")
        assert best.x == pytest.approx(place, abs=2e-7)
    assert found.equilibrium.residual < 1e-9 * np.linalg.norm(found.equilibrium.weights - weights)


def test_the_move_tends_to_the_gradient_with_epsilon_and_with_beta():
    hamiltonian, weights = problem(10)
    gradient = exact_gradient(hamiltonian, weights, NO_INPUTS, NO_TARGETS).gradient

    def deviation(epsilon, beta, kind):
        expected = -epsilon * beta * (2 if kind == "symmetric" else 1) * gradient
        move = moved(hamiltonian, weights, epsilon=epsilon, beta=beta, kind=kind)[1]
        return np.linalg.norm(move - expected) / np.linalg.norm(expected)

    for_epsilon = [1e-3, 2e-3, 4e-3, 8e-3]
    assert fitted_slope(for_epsilon, [deviation(e, 1e-3, "symmetric") for e in for_epsilon]) == pytest.approx(
        1, abs=0.02
    )
    for kind, betas, slope in (("one_sided", [1e-3, 2e-3, 4e-3], 1), ("symmetric", [0.04, 0.08, 0.16], 2)):
        found = [deviation(1e-7, beta, kind) for beta in betas]
        assert fitted_slope(betas, found) == pytest.approx(slope, abs=0.03)


def test_deviations_are_of_the_published_size():
    """Four spins, gap 1.56: a thousandth at epsilon 0.001, some percent at 0.03, of order one at 0.3."""
    hamiltonian, weights = problem(10)
    gradient = exact_gradient(hamiltonian, weights, NO_INPUTS, NO_TARGETS).gradient
    found = {}
    for epsilon in (0.001, 0.03, 0.3):
        estimate, move, _ = moved(hamiltonian, weights, epsilon=epsilon, beta=0.001)
        found[epsilon] = np.linalg.norm(move / (-epsilon * 0.001) - gradient) / np.linalg.norm(gradient)
        assert 3 <= estimate.equilibrium.iterations <= 45
    assert found == pytest.approx({0.001: 1.3e-3, 0.03: 4.1e-2, 0.3: 0.80}, rel=0.05)


@pytest.mark.deep
@pytest.mark.parametrize("kind", ["one_sided", "symmetric"])
def test_the_surrogate_never_rises_and_the_cost_does_not_for_small_nudges(kind):
    epsilon = 0.08
    for seed in range(10):
        hamiltonian, weights = problem(seed, size=3)
        low = {"one_sided": 0.0, "symmetric": -1.0}[kind]

        def surrogate(point, beta, hamiltonian=hamiltonian, low=low):
            return (energies(hamiltonian, point, beta) - energies(hamiltonian, point, low * beta)) / (beta - low * beta)

        after = moved(hamiltonian, weights, epsilon=epsilon, beta=0.5, kind=kind)[0].equilibrium.weights
        assert surrogate(after, 0.5) < surrogate(weights, 0.5)
        after = moved(hamiltonian, weights, epsilon=epsilon, beta=0.02, kind=kind)[0].equilibrium.weights
        assert free_cost(hamiltonian, after) < free_cost(hamiltonian, weights)


def test_the_bound_by_the_gap_is_sufficient():
    """Contraction <= 2 epsilon sigma^2 / gap, with sigma^2 the largest eigenvalue of the covariance of dH/dw."""
    for seed in range(6):
        hamiltonian, weights = problem(seed, size=3)
        found = moved(hamiltonian, weights, epsilon=0.02, beta=0.01)[0]
        free = hamiltonian.free_coefficients(weights, NO_INPUTS)
        state = ExactPreparation().solve(hamiltonian.groups, free).vectors[0]
        derivatives = [-pauli_matrix(name_of(name), 3) @ state for name in hamiltonian.network.layout.names]
        means = np.array([np.vdot(state, one).real for one in derivatives])
        covariance = np.array([[np.vdot(a, b).real for a in derivatives] for b in derivatives]) - np.outer(means, means)
        bound = 2 * 0.02 * np.linalg.eigvalsh(covariance)[-1] / found.diagnostics.gap
        assert 0.1 * bound < found.equilibrium.contraction < bound


def name_of(weight):
    """Pauli string of a weight of an Ising network."""
    letter, sites = {"J": "Z", "b": "Z", "h": "X"}[weight[0]], re.findall(r"\d+", weight)
    return " ".join(letter + site for site in sites)


def test_too_large_an_epsilon_is_refused_with_the_number_that_would_do():
    hamiltonian, weights = problem(3)
    with pytest.raises(
        NetworkError, match=r"each move is 1\.\d+ times .* too large for a gap of 0.712; expected"
    ) as error:
        moved(hamiltonian, weights, epsilon=0.3, beta=0.001)
    largest = float(str(error.value).rsplit(" ", 1)[1])
    found, _, _ = moved(hamiltonian, weights, epsilon=0.8 * largest, beta=0.001, tolerance=1e-3, max_iterations=200)
    assert found.equilibrium.contraction < 1.0
    with warns(UnconvergedWarning, "max_iterations", detail="residual .* contraction"):
        moved(hamiltonian, weights, epsilon=0.8 * largest, beta=0.001, max_iterations=3)


def test_a_batch_is_the_mean_hamiltonian_and_error_signals_are_held():
    network, weights = random_network(complete(2), np.random.default_rng(1), num_inputs=1)
    hamiltonian = NudgedHamiltonian(network, LossOnExpectations.on_outputs(network))
    x, y, epsilon, beta = np.array([[0.5], [-0.8]]), np.array([[0.8], [-0.8]]), 0.1, 0.3
    found, move, _ = moved(hamiltonian, weights, epsilon=epsilon, beta=beta, kind="symmetric", x=x, y=y)
    outputs = found.outputs

    def mean_force(point, nudge):
        free = hamiltonian.free_coefficients(point, x) + nudge * hamiltonian.nudge(y, outputs)
        forces = []
        for row, values in zip(free, hamiltonian.jacobian(point, x).values, strict=True):
            matrices = [pauli_matrix(str(term), 2) for term in hamiltonian.terms]
            state = np.linalg.eigh(sum(c * m for c, m in zip(row, matrices, strict=True)))[1][:, 0]
            means = np.array([np.vdot(state, matrix @ state).real for matrix in matrices])
            jacobian = hamiltonian.jacobian(point, x)
            force = np.zeros(len(point))
            np.add.at(force, jacobian.weight, values * means[jacobian.term])
            forces.append(force)
        return np.mean(forces, axis=0)

    after = weights + move
    assert found.equilibrium.controls == pytest.approx(weights + epsilon * mean_force(weights, -beta), abs=1e-12)
    assert after == pytest.approx(found.equilibrium.controls - epsilon * mean_force(after, beta), abs=1e-10)
    assert found.gradient == pytest.approx(-move / (2 * beta * epsilon), abs=1e-7)


def test_frozen_weights_have_no_springs_and_bounds_stop_weights():
    network = IsingNetwork(
        graph=chain(2),
        outputs=(1,),
        fields=WeightInitialisation(mean=1.0, frozen=["h[0]"]),
        biases=WeightInitialisation(mean=0.2, minimum=0.199),
    )
    weights = network.layout.initial(Seeds(0))
    hamiltonian = NudgedHamiltonian(network, half_one_plus_z(1, 2))
    found, move, _ = moved(hamiltonian, weights, epsilon=0.1, beta=0.5)
    moves = dict(zip(network.layout.names, move, strict=True))
    assert moves["h[0]"] == 0.0
    assert moves["b[1]"] == pytest.approx(-0.001)
    assert moves["J[0,1]"] != 0.0
    assert dict(zip(network.layout.names, found.equilibrium.controls, strict=True))["h[0]"] == 1.0


@pytest.mark.deep
def test_moves_by_shots_are_those_of_exact_states_with_the_reported_error():
    """At a small epsilon: the noise of a move is (1 + contraction) times that of the contrast."""
    hamiltonian, weights = problem(0, size=2)
    epsilon, beta = 0.01, 0.5
    options = {"epsilon": epsilon, "beta": beta, "kind": "symmetric"}
    _, exact, _ = moved(hamiltonian, weights, **options)
    runs = [moved_by_shots(hamiltonian, weights, step, **options) for step in range(100)]
    moves = np.array([found.equilibrium.weights - weights for found, _ in runs])
    reported = np.mean([found.variance for found, _ in runs], axis=0) * (2 * beta * epsilon) ** 2
    assert mean_p_value(moves, exact) > LIMIT
    assert variance_p_value(moves, reported) > LIMIT
    iterations = [found.equilibrium.iterations for found, _ in runs]
    assert min(iterations) == 2
    assert 2.0 < np.mean(iterations) < 2.2  # a second move within two standard errors of nothing is the last
    for found, usage in runs:
        circuits = 4 + 2 * (found.equilibrium.iterations - 1)
        assert usage == Usage(shots=100 * circuits, circuits=circuits)


def moved_by_shots(hamiltonian, weights, step, *, epsilon, beta, kind):
    estimator = GradientEstimator(
        hamiltonian=hamiltonian, preparation=ExactPreparation(), contrast=Contrast(kind=kind, beta=beta), shots=100
    )
    key = RequestKey("test", step)
    batch = GradientBatch(weights=weights, inputs=NO_INPUTS, targets=NO_TARGETS, key=key)
    work = AgnosticUpdate(epsilon=epsilon).estimate(estimator, batch)
    return run_measurements(work, VectorExecutor(Seeds(5)))


STEP = [
    "preparation={kind='exact'}",
    "update={kind='agnostic', epsilon=0.2}",
    "contrast.beta=0.5",
    "training.epochs=3",
    "training.batch_size=2",
]


def test_a_run_stopped_on_the_way_to_equilibrium_goes_on_to_the_same_bits():
    experiment = from_file("configs/xor.toml", [*STEP, "network.num_spins=2"])
    whole = experiment.trainer(callbacks=())
    assert whole.run() == "finished"
    first = experiment.trainer(callbacks=[StopAtRequest(6)])
    assert first.run() == "stopped"
    assert len(first.state.request_log) == 2  # the free phase and both nudged ones; weights have still to move
    second = experiment.trainer(callbacks=(), state=first.state)
    assert second.run() == "finished"
    assert np.array_equal(second.weights, whole.weights)
    assert second.state.shots == whole.state.shots


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["contrast.kind='four_point'"], "update.kind: 'agnostic' weights move from one phase to another"),
        (["measurement.error_bars='replicated'"], "update.kind: 'agnostic' weights are at one place"),
        (["update.learning_rate=0.1"], "update.learning_rate: 'agnostic' weights move by themselves"),
        (["update={kind='agnostic'}"], "update.epsilon: 'agnostic' needs the compliance"),
        (["update={kind='adam', tolerance=0.1}"], "update.tolerance: goes with kind = 'agnostic'"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_runs(changes, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        from_file("configs/xor.toml", [*STEP, *changes])


def test_springs_that_jump_elsewhere_are_warned_of():
    """Forces that saturate end a run-away far from the first weights."""
    changes = ["measurement.shots='exact'", "update.epsilon=5.0", "training.epochs=1", "training.batch_size=4"]
    trainer = from_file("configs/xor.toml", [*STEP, *changes]).trainer(callbacks=())
    with pytest.warns(UnconvergedWarning, match="came to rest elsewhere"):
        trainer.run()


PREPARATIONS = {
    "ramp": ("xor", ["preparation.steps=10", "preparation.total_time=3"]),
    "vqe": ("xor_vqe", ["measurement.shots=20", "preparation.options.maxiter=3", "training.batch_size=1"]),
    "thermal": ("thermal", ["contrast={kind='symmetric', beta=0.2}", "measurement.shots='exact'"]),
    "classical": ("classical_ising", []),
    "gaussian": ("oscillators", ["measurement.shots='exact'", "training.batch_size=2"]),
    "grid": ("oscillators_grid", ["measurement.shots=50", "training.batch_size=1", "preparation.steps=2"]),
    "elastic": ("elastic", []),
    "excited": ("excited", []),
    "no data": ("aim", []),
}


@pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.QepWarning")
@pytest.mark.deep(but=["ramp", "gaussian", "thermal"])
@pytest.mark.parametrize("name", PREPARATIONS)
def test_every_preparation_finds_an_equilibrium(name):
    config, changes = PREPARATIONS[name]
    spring = "update={kind='agnostic', epsilon=0.01, tolerance=1e-4}"
    experiment = from_file(f"configs/{config}.toml", [*changes, spring])
    weights, data = experiment.network.layout.initial(experiment.seeds), experiment.task.train.take(np.arange(1))
    update = experiment.trainer(callbacks=()).update
    key = RequestKey("test", 0)
    batch = GradientBatch(weights=weights, inputs=data.inputs, targets=data.targets, key=key)
    work = update.estimate(experiment.estimator, batch)
    found, usage = run_measurements(work, experiment.executor)
    move = np.linalg.norm(found.equilibrium.weights - weights)
    assert found.equilibrium.iterations >= 2 or move < 1e-12
    if usage.shots == 0:
        assert found.equilibrium.residual <= 1e-4 * move + 1e-15


@pytest.mark.deep
@pytest.mark.parametrize("shots", [pytest.param("'exact'", marks=pytest.mark.slow), 100])
def test_xor_is_learned(shots):
    changes = [*STEP, "training.epochs=60", "training.batch_size=4", f"measurement.shots={shots}"]
    trainer = from_file("configs/xor.toml", changes).trainer(callbacks=())
    assert trainer.run() == "finished"
    assert trainer.evaluations.train.tally.accuracy == 1.0
    assert trainer.evaluations.train.tally.mean_cost < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_iris_is_learned(seed):
    trainer = from_file("configs/iris_agnostic.toml", [f"seed={seed}"]).trainer(callbacks=())
    assert trainer.run() == "finished"
    assert trainer.evaluations.test.tally.accuracy > 0.9
