"""Gradients of losses over a batch: exact derivative, circuits, error bars by shots, replicates and evaluations."""

import numpy as np
import pytest
from cases import FAR_NUDGES, SMALL_GRAPHS, random_network
from chi_square import LIMIT, mean_p_value, variance_p_value
from reference import expectation, ground, pauli_matrix

from qep_qiskit.core.errors import ConfigError, NetworkError
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, StatevectorExecutor, VectorExecutor
from qep_qiskit.learning import Contrast, GradientEstimator, Replication, coupled_noise, evaluation
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.learning.finite_differences import finite_differences
from qep_qiskit.learning.signal_noise import ExpectedResponse
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network.batch_losses import BatchLoss, Contrastive, Sensitivity
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.cost_terms import CostTerm
from qep_qiskit.network.losses import SquaredError
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import AdiabaticPreparation, ExactPreparation
from qep_qiskit.tasks import Dataset

pytestmark = FAR_NUDGES
KEY, STEP = RequestKey("test", 0), 1e-4


class MeanOfSquares(BatchLoss):
    """The mean over samples of squared errors, which couples nothing."""

    def value(self, outputs, targets):
        return SquaredError().value(outputs, targets).mean()

    def gradient(self, outputs, targets):
        return SquaredError().gradient(outputs, targets) / len(outputs)


def problem_of(loss, rng, samples=4, outputs=(0, 2), spread=0.8):
    """Network, weights, inputs and classes of a batch; the outputs of the samples differ clearly."""
    network, weights = random_network(SMALL_GRAPHS["edges"], rng, num_inputs=1)
    hamiltonian = NudgedHamiltonian(network, LossOnExpectations.on_spins(outputs, network.num_qubits, loss))
    inputs, classes = spread * rng.normal(size=(samples, 1)), np.tile([[0.0], [1.0]], (samples // 2, 1))
    return hamiltonian, weights, inputs, classes


def exact_outputs(hamiltonian, weights, inputs):
    """By dense matrices."""
    network, rows = hamiltonian.network, []
    for x in inputs:
        state = ground(network.hamiltonian(weights, x).to_matrix())[1]
        rows.append([expectation(pauli_matrix(f"Z{o}", network.num_qubits), state) for o in (0, 2)])
    return np.array(rows)


def central(hamiltonian, weights, inputs, targets):
    """Central differences of the batch loss of exact states, of fourth order."""
    loss, found = hamiltonian.cost.loss, []
    for shift in STEP * np.eye(len(weights)):
        values = [loss.value(exact_outputs(hamiltonian, weights + k * shift, inputs), targets) for k in (-2, -1, 1, 2)]
        found.append(np.array([1, -8, 8, -1]) @ values / (12 * STEP))
    return np.array(found)


def estimator_of(hamiltonian, beta=1e-3, kind="symmetric", **options):
    given = {"preparation": ExactPreparation(), "shots": None} | options
    return GradientEstimator(hamiltonian=hamiltonian, contrast=Contrast(kind=kind, beta=beta), **given)


@pytest.mark.parametrize("loss", [Contrastive(margin=1.5), Sensitivity()], ids=["contrastive", "sensitivity"])
def test_gradient_is_the_derivative_of_the_batch_loss(loss, rng):
    hamiltonian, weights, inputs, classes = problem_of(loss, rng)
    expected = central(hamiltonian, weights, inputs, hamiltonian.targets_of(inputs, classes))
    assert np.abs(expected).max() > 1e-2
    found = exact_gradient(hamiltonian, weights, inputs, classes)
    assert np.allclose(found.gradient, expected, rtol=0, atol=1e-8)
    outputs = exact_outputs(hamiltonian, weights, inputs)
    assert found.cost == pytest.approx(loss.value(outputs, hamiltonian.targets_of(inputs, classes)), abs=1e-10)
    four_point = estimator_of(hamiltonian, kind="four_point", beta=5e-4)
    executor = VectorExecutor(Seeds(0))
    estimate, _ = run_measurements(four_point.estimate(weights, inputs, classes, KEY), executor)
    assert np.allclose(estimate.gradient, expected, rtol=0, atol=1e-8)
    assert estimate.cost.mean == pytest.approx(found.cost, abs=1e-10)
    differences = finite_differences(four_point, executor, weights, inputs, classes)
    assert np.allclose(differences.gradient, expected, rtol=0, atol=1e-6)


def test_circuits_follow_the_signals_of_the_batch(rng):
    """The gradient of a batch of circuits is that of single samples with their share in the signals of the batch."""
    hamiltonian, weights, inputs, classes = problem_of(Contrastive(margin=1.5), rng)
    ramp, executor = AdiabaticPreparation(total_time=3.0, steps=6), StatevectorExecutor(Seeds(0))
    found, _ = run_measurements(
        estimator_of(hamiltonian, preparation=ramp, beta=0.1).estimate(weights, inputs, classes, KEY), executor
    )
    signals = 4 * hamiltonian.cost.loss.gradient(found.outputs, classes)
    linear = linear_in_signals(hamiltonian)
    alone = [
        run_measurements(
            estimator_of(linear, preparation=ramp, beta=0.1).estimate(weights, inputs[[s]], signals[[s]], KEY), executor
        )[0].gradient
        for s in range(4)
    ]
    assert np.allclose(found.gradient, np.mean(alone, axis=0), rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", ["symmetric", "one_sided"])
def test_loss_without_coupling_is_that_of_samples(kind, rng):
    """Same gradient, error bars and loss as the loss of samples whose mean it is."""
    hamiltonian, weights, inputs, _ = problem_of(MeanOfSquares(), rng)
    alone = NudgedHamiltonian(hamiltonian.network, LossOnExpectations.on_spins((0, 2), hamiltonian.num_qubits))
    targets = rng.uniform(-0.5, 0.5, (4, 2))
    found, expected = (
        run_measurements(
            estimator_of(problem, kind=kind, beta=0.2, shots=100).estimate(weights, inputs, targets, KEY),
            VectorExecutor(Seeds(3)),
        )[0]
        for problem in (hamiltonian, alone)
    )
    for name in ("gradient", "variance", "group_variance"):
        assert np.allclose(getattr(found, name), getattr(expected, name), rtol=1e-7, atol=1e-12)
    assert found.cost.mean == pytest.approx(expected.cost.mean, rel=1e-8)
    assert found.cost.standard_error == pytest.approx(expected.cost.standard_error, rel=0.02)


REPEATS, SHOTS = 200, 400


def linear_in_signals(hamiltonian):
    """The same network with error signals as targets."""
    terms = [CostTerm(string=PauliString.of("Z", o), coefficient=1.0, target=k) for k, o in enumerate((0, 2))]
    return NudgedHamiltonian(hamiltonian.network, OperatorCost.from_terms(terms, hamiltonian.num_qubits))


def exact_response(problem, kind, beta, step=1e-4):
    """Derivatives of the contrasts of all terms by the signals of each sample, at the exact signals."""
    hamiltonian, weights, inputs, classes = problem
    signals = hamiltonian.cost.signals(exact_outputs(*problem[:3]), classes)
    estimator = estimator_of(linear_in_signals(hamiltonian), kind=kind, beta=beta)
    betas, executor = estimator.contrast.betas, VectorExecutor(Seeds(0))

    def contrast(given):
        found, _ = run_measurements(estimator.phases(weights, inputs, given, KEY, betas), executor)
        return np.einsum("p,spt->st", estimator.contrast.stencil_on(betas), found.moments.means)

    columns = [contrast(signals + h) - contrast(signals - h) for h in step * np.eye(2)]
    response = np.stack(columns, axis=-1) / (2 * step)
    zeros = np.zeros((response.shape[1], 2, 2))
    return ExpectedResponse(response=response, residual_variance=zeros, gain_variance=0.0, bend=np.ones(len(inputs)))


def differs_by(variances, gradients):
    """Summed claimed variances minus the summed scatter, in standard deviations of the scatter."""
    covariance = np.cov(gradients.T)
    sigma = np.sqrt(2.0 * (covariance**2).sum() / (len(gradients) - 1))
    return (variances.mean(axis=0).sum() - np.trace(covariance)) / sigma


def repeated(problem, **options):
    hamiltonian, weights, inputs, classes = problem
    estimator, executor = estimator_of(hamiltonian, **options), VectorExecutor(Seeds(1))
    works = (estimator.estimate(weights, inputs, classes, RequestKey("test", r)) for r in range(REPEATS))
    return [run_measurements(work, executor)[0] for work in works]


@pytest.mark.deep(but=["symmetric"])
@pytest.mark.parametrize("kind", ["symmetric", "one_sided"])
def test_error_bars_are_the_scatter(kind, rng, monkeypatch):
    """Variances of gradient and loss, and the mean of the loss, with the exact response to error signals."""
    problem = problem_of(Contrastive(margin=1.5), rng)
    response = exact_response(problem, kind, beta=0.3)
    monkeypatch.setattr(coupled_noise, "expected_response", lambda *_, **__: response)
    estimates = repeated(problem, kind=kind, beta=0.3, shots=SHOTS)
    gradients, variances = np.array([e.gradient for e in estimates]), np.array([e.variance for e in estimates])
    assert abs(differs_by(variances, gradients)) < 3.0
    assert variance_p_value(gradients, variances.mean(axis=0)) > LIMIT
    fixed = np.array([e.group_variance.sum(axis=0) for e in estimates])
    assert variance_p_value(gradients, fixed.mean(axis=0)) < LIMIT  # the noise of the signals matters here
    assert all(e.approximate for e in estimates)  # because the response is not measured
    costs = np.array([e.cost.mean for e in estimates])
    truth = exact_gradient(*problem).cost
    assert mean_p_value(costs[:, None], truth) > LIMIT
    assert variance_p_value(costs[:, None], np.mean([e.cost.standard_error**2 for e in estimates])) > LIMIT


@pytest.mark.deep
def test_error_bars_with_little_noise_of_signals(rng):
    """With the response as a batch shows it, where the shots of the nudged phases matter most."""
    problem = problem_of(Contrastive(margin=1.5), rng)
    estimates = repeated(problem, beta=0.1, shots=SHOTS)
    gradients, variances = np.array([e.gradient for e in estimates]), np.array([e.variance for e in estimates])
    assert abs(differs_by(variances, gradients)) < 3.0
    assert variance_p_value(gradients, variances.mean(axis=0)) > LIMIT


@pytest.mark.deep
def test_replicates_have_batches_of_their_own(rng):
    problem = problem_of(Contrastive(margin=1.5), rng)
    estimates = repeated(problem, beta=0.1, shots=SHOTS, replication=Replication(replicates=4))
    gradients = np.array([e.gradient for e in estimates])
    assert abs(differs_by(np.array([e.variance for e in estimates]), gradients)) < 3.0
    assert mean_p_value(np.array([[e.cost.mean] for e in estimates]), exact_gradient(*problem).cost) > LIMIT


@pytest.mark.parametrize("shots", [None, 200])
def test_evaluation_in_parts_is_of_the_whole_set(shots, rng, monkeypatch):
    hamiltonian, weights, inputs, classes = problem_of(Contrastive(margin=1.5), rng)
    data = Dataset(inputs=inputs, targets=classes, labels=None, classes=(), input_names=("x",))
    monkeypatch.setattr(evaluation, "_SAMPLES_PER_REQUEST", 3)
    estimator, executor = estimator_of(hamiltonian, shots=shots), VectorExecutor(Seeds(0))
    found = evaluation.evaluate(estimator, executor, weights, data, purpose="test", index=0)
    assert found.outputs.shape == (4, 2)
    if shots is None:
        assert found.tally.mean_cost == pytest.approx(exact_gradient(hamiltonian, weights, inputs, classes).cost)
        assert found.tally.cost_error == 0.0
    else:
        truth = exact_gradient(hamiltonian, weights, inputs, classes).cost
        assert 0.0 < abs(found.tally.mean_cost - truth) < 3.0 * found.tally.cost_error


def test_kinks_within_the_noise_are_said(rng):
    """A sensitivity whose sign the shots do not resolve has approximate error bars, a resolved one has not."""
    problem = problem_of(Sensitivity(), rng, samples=2)
    hamiltonian, weights, _, classes = problem
    inputs = np.array([[-1.0], [1.0]])
    assert not run_measurements(
        estimator_of(hamiltonian, shots=10_000, beta=0.1).estimate(weights, inputs, classes, KEY),
        VectorExecutor(Seeds(0)),
    )[0].approximate
    close = 1e-3 * inputs
    assert run_measurements(
        estimator_of(hamiltonian, shots=10_000, beta=1e-4).estimate(weights, close, classes, KEY),
        VectorExecutor(Seeds(0)),
    )[0].approximate


def test_refusals(rng):
    hamiltonian, _, _, classes = problem_of(Contrastive(), rng)
    with pytest.raises(ConfigError, match="takes at least 2 shots, because"):
        estimator_of(hamiltonian, shots=1)
    with pytest.raises(ConfigError, match="takes at least 2 shots in every replicate"):
        estimator_of(hamiltonian, shots=4, replication=Replication(replicates=4))
    with pytest.raises(ConfigError, match="remove_signal_bias: goes with a loss of single samples"):
        estimator_of(hamiltonian, shots=8, replication=Replication(replicates=4, remove_signal_bias=True))
    with pytest.raises(NetworkError, match="goes with a contrast of nudged states"):
        hamiltonian.nudge_slope(classes, np.zeros((4, 2)))
