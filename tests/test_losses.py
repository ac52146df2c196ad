"""Losses against numerical derivatives, and the loss of noisy expectations."""

import numpy as np
import pytest
from cases import random_network
from chi_square import LIMIT, mean_p_value, variance_p_value
from reference import derivative
from scipy.special import log_softmax

from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning.free_phase import measure_free
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import chain
from qep_qiskit.network.cost import LossOnExpectations
from qep_qiskit.network.losses import CrossEntropy, CustomLoss, NegativeAbs, SquaredError
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation

LOSSES = {
    "squared": SquaredError(),
    "entropy": CrossEntropy(gain=3.0),
    "soft entropy": CrossEntropy(gain=0.5),
    "smoothed entropy": CrossEntropy(gain=3.0, label_smoothing=0.3),
    "negative size": NegativeAbs(),
    "custom": CustomLoss(lambda o, y: np.sum(np.sin(o * y) + o**4, axis=1)),
    "custom with slope": CustomLoss(lambda o, y: np.sum((o - y) ** 4, axis=1), lambda o, y: 4 * (o - y) ** 3),
}
NUMERICAL = {"custom": 1e-6, "custom with slope": 1e-6}


@pytest.fixture
def batch(rng):
    return rng.uniform(-1, 1, (4, 3)), rng.dirichlet(np.ones(3), 4)


@pytest.mark.parametrize("name", LOSSES)
def test_error_signals_are_the_derivative(name, batch):
    loss, (outputs, targets) = LOSSES[name], batch
    shifts = np.eye(3)
    found = [derivative(lambda h, d=d: loss.value(outputs + h * d, targets)) for d in shifts]
    assert np.allclose(loss.gradient(outputs, targets), np.stack(found, axis=-1), rtol=0, atol=1e-7)


@pytest.mark.parametrize("name", LOSSES)
def test_curvature_is_the_second_derivative(name, batch):
    loss, (outputs, targets) = LOSSES[name], batch
    found = [derivative(lambda h, d=d: loss.gradient(outputs + h * d, targets)) for d in np.eye(3)]
    curvature = loss.curvature(outputs, targets)
    assert np.allclose(curvature, np.stack(found, axis=-1), rtol=0, atol=NUMERICAL.get(name, 1e-8))
    assert np.array_equal(curvature, curvature.transpose(0, 2, 1))


def test_cross_entropy_is_log_softmax(batch):
    outputs, targets = batch
    expected = -np.sum(targets * log_softmax(3.0 * outputs, axis=1), axis=1)
    assert np.allclose(CrossEntropy(gain=3.0).value(outputs, targets), expected, rtol=0, atol=1e-12)


def test_smoothed_labels_share_a_part_of_the_probability(batch):
    outputs, targets = batch
    smoothed, plain = CrossEntropy(gain=3.0, label_smoothing=0.3), CrossEntropy(gain=3.0)
    for name in ("value", "gradient", "curvature"):
        expected = getattr(plain, name)(outputs, 0.7 * targets + 0.1)
        assert np.allclose(getattr(smoothed, name)(outputs, targets), expected, rtol=0, atol=1e-12)
    with pytest.raises(NetworkError, match=r"label_smoothing: expected less than 1, got 1"):
        CrossEntropy(label_smoothing=1.0)


def test_cross_entropy_survives_large_outputs():
    outputs, targets = np.array([[1e3, -1e3]]), np.array([[0.0, 1.0]])
    assert CrossEntropy(gain=3.0).value(outputs, targets)[0] == pytest.approx(6000.0)
    assert np.isfinite(CrossEntropy(gain=3.0).curvature(outputs, targets)).all()


@pytest.mark.parametrize("gain", [0.0, -1.0, float("nan")])
def test_gain_is_positive(gain):
    with pytest.raises(NetworkError, match=r"gain"):
        CrossEntropy(gain=gain)


def free_costs(loss, shots, repeats, rng):
    """Exact loss, and (values, variances) of repeated measurements, of one network of four spins."""
    network, weights = random_network(chain(4), rng, outputs=(1, 3))
    hamiltonian = NudgedHamiltonian(network, LossOnExpectations.on_spins(network.outputs, 4, loss))
    targets = np.array([[0.8, 0.2]])
    coefficients = hamiltonian.free_coefficients(weights, np.zeros((1, 0)))

    def once(count, step):
        work = measure_free(
            hamiltonian,
            ExactPreparation(),
            coefficients,
            targets,
            shots=[count] * 2,
            key=RequestKey("test", step),
        )
        return run_measurements(work, VectorExecutor(Seeds(4)))[0]

    found = [once(shots, step) for step in range(repeats)]
    return once(None, 0).cost, [phase.cost for phase in found], found, targets


@pytest.mark.deep(but=["squared-12"])
@pytest.mark.parametrize(("name", "shots"), [("squared", 12), ("squared", 200), ("entropy", 400)])
def test_reported_loss_is_free_of_bias(name, shots, rng):
    exact, costs, _, _ = free_costs(LOSSES[name], shots, 500, rng)
    assert exact.variances[0] == 0.0
    assert mean_p_value([cost.values for cost in costs], exact.values) > LIMIT


def test_plain_loss_of_few_shots_is_biased(rng):
    exact, _, phases, targets = free_costs(SquaredError(), 4, 500, rng)
    plain = [SquaredError().value(phase.outputs, targets) for phase in phases]
    assert mean_p_value(plain, exact.values) < LIMIT


@pytest.mark.parametrize(("name", "shots"), [("squared", 400), ("entropy", 1000)])
def test_reported_loss_has_the_reported_variance(name, shots, rng):
    _, costs, _, _ = free_costs(LOSSES[name], shots, 500, rng)
    variance = np.mean([cost.variances for cost in costs], axis=0)
    assert variance_p_value([cost.values for cost in costs], variance) > LIMIT


def test_one_shot_has_no_error_of_its_own(rng):
    _, costs, phases, targets = free_costs(SquaredError(), 1, 3, rng)
    assert np.isnan(costs[0].variances).all()
    assert costs[0].values == pytest.approx(SquaredError().value(phases[0].outputs, targets))
