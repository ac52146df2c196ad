"""Losses of a batch against numerical derivatives, and how a cost passes them on."""

import numpy as np
import pytest

from qep_qiskit.core.errors import NetworkError
from qep_qiskit.network.batch_losses import BatchLoss, Contrastive, Sensitivity
from qep_qiskit.network.cost import LossOnExpectations

CLASSES = np.array([0, 1, 0, 2, 1.0])[:, None]
INPUTS = np.array([[0.1, 0.2], [0.3, -0.2], [0.1, 0.2], [0.9, 0.0], [-0.5, 0.4]])  # the first and the third are equal
LOSSES = {"contrastive": (Contrastive(margin=0.9), CLASSES), "sensitivity": (Sensitivity(), INPUTS)}
every_loss = pytest.mark.parametrize("name", LOSSES)
REACH = np.tile([-1.0, 1.0], (3, 1))


class Spread(BatchLoss):
    """Minus the variance of the outputs over the batch; its curvature is numerical."""

    def value(self, outputs, targets):
        return -outputs.var(axis=0).sum()

    def gradient(self, outputs, targets):
        return -2.0 * (outputs - outputs.mean(axis=0)) / len(outputs)


class NoDerivative(Spread):
    """Its gradient is not the derivative of its value."""

    def gradient(self, outputs, targets):
        return super().gradient(outputs, targets) * len(outputs)


def differences(function, outputs, step=1e-5):
    shifts = step * np.eye(outputs.size).reshape(-1, *outputs.shape)
    found = np.array([(function(outputs + h) - function(outputs - h)) / (2 * step) for h in shifts])
    return np.moveaxis(found, 0, -1).reshape(*found.shape[1:], *outputs.shape)


def by_pairs(f):
    """Mean over all pairs (i, j) for which f gives a number."""
    values = [f(i, j) for i in range(5) for j in range(i)]
    return np.mean([value for value in values if value is not None])


@every_loss
def test_value_and_derivatives(name, rng):
    (loss, targets), outputs = LOSSES[name], rng.uniform(-1, 1, (5, 3))
    lengths = np.linalg.norm(outputs[:, None] - outputs, axis=2)
    apart = np.linalg.norm(INPUTS[:, None] - INPUTS, axis=2)

    def contrastive(i, j):
        if CLASSES[i] == CLASSES[j]:
            return lengths[i, j] ** 2
        return 0.81 * max(0, 1 - lengths[i, j] ** 2 / 0.81) ** 2

    def sensitivity(i, j):
        return -lengths[i, j] / apart[i, j] if apart[i, j] else None

    expected = by_pairs(contrastive if name == "contrastive" else sensitivity)
    assert loss.value(outputs, targets) == pytest.approx(expected, abs=1e-12)
    slopes = differences(lambda o: np.asarray(loss.value(o, targets)), outputs)
    assert np.allclose(loss.gradient(outputs, targets), slopes, rtol=0, atol=1e-8)
    curvature = loss.curvature(outputs, targets)
    assert np.allclose(curvature, differences(lambda o: loss.gradient(o, targets), outputs), rtol=0, atol=1e-7)
    assert np.allclose(BatchLoss.curvature(loss, outputs, targets), curvature, rtol=0, atol=1e-6)


@every_loss
def test_equal_outputs_have_finite_derivatives(name):
    (loss, targets), outputs = LOSSES[name], np.zeros((5, 3))
    assert np.array_equal(loss.gradient(outputs, targets), outputs)
    assert np.isfinite(loss.curvature(outputs, targets)).all()


def test_cost_gives_samples_times_the_gradient(rng):
    (loss, targets), outputs = LOSSES["contrastive"], rng.uniform(-1, 1, (5, 3))
    cost = LossOnExpectations.on_spins((0, 1, 2), 3, loss)
    assert cost.value(outputs, targets).mean() == loss.value(outputs, targets)
    assert np.allclose(cost.signals(outputs, targets), 5 * loss.gradient(outputs, targets), rtol=1e-14)
    assert np.allclose(cost.coupling(outputs, targets), 5 * loss.curvature(outputs, targets), rtol=1e-14)
    own = [cost.coupling(outputs, targets)[s, :, s] for s in range(5)]
    assert np.array_equal(cost.curvature(outputs, targets), own)


def test_batches_that_follow_each_other_are_not_mixed(rng):
    (loss, targets), outputs = LOSSES["contrastive"], rng.uniform(-1, 1, (10, 3))
    cost, both = LossOnExpectations.on_spins((0, 1, 2), 3, loss).in_batches_of(5), np.concatenate([targets] * 2)
    for name in ("value", "signals", "curvature", "coupling"):
        alone = [getattr(cost, name)(outputs[part], targets) for part in (slice(5), slice(5, 10))]
        assert np.array_equal(getattr(cost, name)(outputs, both), np.concatenate(alone))
    with pytest.raises(ValueError, match="multiple of 5 samples"):
        cost.value(outputs[:7], both[:7])


@pytest.mark.parametrize("loss", [Contrastive(), Sensitivity(), Spread()])
def test_check_accepts(loss):
    LossOnExpectations.on_spins((0, 1, 2), 3, loss).check(INPUTS, REACH)


def test_wrong_gradient_is_refused():
    cost = LossOnExpectations.on_spins((0, 1, 2), 3, NoDerivative())
    with pytest.raises(NetworkError, match="gradient of 'NoDerivative' is not the derivative of its value"):
        cost.check(INPUTS, REACH)


def test_values_of_samples_are_refused():
    class OfSamples(Spread):
        def value(self, outputs, targets):
            return outputs.sum(axis=1)

    with pytest.raises(NetworkError, match=r"expected shape \(\) = \(\), got \(5,\)"):
        LossOnExpectations.on_spins((0, 1, 2), 3, OfSamples()).check(INPUTS, REACH)


def test_sensitivity_needs_two_different_inputs():
    cost = LossOnExpectations.on_spins((0,), 1, Sensitivity())
    with pytest.raises(NetworkError, match="two samples with different inputs in a batch, got 1 without"):
        cost.value(np.zeros((1, 1)), np.ones((1, 1)))
