"""The gate in front of losses: what is not finite, of another shape, or no derivative is refused in one line."""

import numpy as np
import pytest

from qep_qiskit.core.errors import DataError, NetworkError, ResultError
from qep_qiskit.network.checked_loss import CheckedLoss, check_derivatives, loss_name
from qep_qiskit.network.losses import CrossEntropy, CustomLoss, NegativeAbs, SquaredError

SPINS = np.tile([-1.0, 1.0], (2, 1))
ATOMS = np.tile([-np.inf, np.inf], (2, 1))
TARGETS = np.array([[0.8, 0.2], [0.3, 0.7], [0.5, 0.5]])


class SteepError(SquaredError):
    def gradient(self, outputs, targets):
        return outputs - targets


class BentError(SquaredError):
    def curvature(self, outputs, targets):
        return -super().curvature(outputs, targets)


class ForgetsTheSum(CrossEntropy):
    def gradient(self, outputs, targets):
        return self.gain * (np.exp(self._log_probabilities(outputs)) - targets)


REFUSED = {
    "nan": (CustomLoss(lambda o, y: np.sqrt((o - y).sum(axis=1))), "is not finite for sample"),
    "inf": (CustomLoss(lambda o, y: -np.log(np.maximum(0, o * np.sign(y))).sum(axis=1)), "is not finite for sample"),
    "scalar": (CustomLoss(lambda o, y: ((o - y) ** 2).mean()), r"expected shape \(samples,\) = \(3,\), got \(\)"),
    "elements": (CustomLoss(lambda o, y: (o - y) ** 2), r"expected shape \(samples,\) = \(3,\), got \(3, 2\)"),
    "complex": (CustomLoss(lambda o, y: (1j * (o - y)).sum(axis=1)), "expected real numbers, got complex128"),
    "raises": (CustomLoss(lambda o, y: o[:, 5]), "cannot be had: IndexError"),
    "in place": (CustomLoss(lambda o, y: np.subtract(o, y, out=o).sum(axis=1)), "cannot be had: ValueError"),
    "mean over samples": (CustomLoss(lambda o, y: ((o - y) ** 2).sum(axis=1) / len(o)), "depends on the other samples"),
    "wrong slope": (SteepError(), "the gradient of 'it' is not the derivative of its value"),
    "wrong curvature": (BentError(), "the curvature of 'it' is not the derivative of its gradient"),
    "own slope": (CustomLoss(lambda o, y: ((o - y) ** 2).sum(axis=1), lambda o, y: o - y), "the gradient of 'it'"),
    "slope of another shape": (
        CustomLoss(lambda o, y: ((o - y) ** 2).sum(axis=1), lambda o, y: (o - y).sum(axis=1)),
        r"gradient of 'it': expected shape \(samples, outputs\)",
    ),
}
TAKEN = {
    "squared": SquaredError(),
    "entropy": CrossEntropy(gain=5.0),
    "negative size": NegativeAbs(),
    "own": CustomLoss(lambda o, y: np.exp(3 * (o - y)).sum(axis=1)),
    "own with a kink": CustomLoss(lambda o, y: np.maximum(0.0, 1.0 - o * y).sum(axis=1)),
    "own, tiny": CustomLoss(lambda o, y: 1e-12 * ((o - y) ** 2).sum(axis=1), lambda o, y: 2e-12 * (o - y)),
    "own, huge": CustomLoss(lambda o, y: 1e12 * ((o - y) ** 2).sum(axis=1), lambda o, y: 2e12 * (o - y)),
}


def check(loss, targets=TARGETS, reach=SPINS):
    check_derivatives(CheckedLoss(loss, "it"), targets, reach)


@pytest.mark.parametrize("name", REFUSED)
def test_a_loss_that_cannot_be_used_is_one_line(name):
    loss, words = REFUSED[name]
    with pytest.raises(NetworkError, match=words) as error:
        check(loss)
    assert str(error.value).startswith("loss: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("reach", [SPINS, ATOMS])
@pytest.mark.parametrize("name", TAKEN)
def test_good_losses_pass(name, reach):
    check(TAKEN[name], reach=reach)


def test_tiny_losses_are_held_to_the_same():
    with pytest.raises(NetworkError, match="is not the derivative"):
        check(CustomLoss(lambda o, y: 1e-12 * ((o - y) ** 2).sum(axis=1), lambda o, y: 1e-12 * (o - y)))


@pytest.mark.parametrize("targets", [[[0.3, 0.3]], [[1.0, -1.0]], [[0.5, 0.6]], [[1.5, -0.5]]])
def test_cross_entropy_wants_distributions(targets):
    with pytest.raises(DataError, match=r"^loss: cross_entropy needs targets that are probabilities.*sample 0"):
        check(CrossEntropy(), np.array(targets))


@pytest.mark.parametrize("targets", [[[0.3, 0.3]], [[1.0, -1.0]], [[0.5, 0.0]], [[2.0, 1.0]]])
def test_derivatives_of_cross_entropy_are_right_for_any_targets(targets, rng):
    loss, outputs, y = CrossEntropy(), rng.uniform(-1, 1, (1, 2)), np.array(targets)
    for shift in 1e-5 * np.eye(2):
        slope = (loss.value(outputs + shift, y) - loss.value(outputs - shift, y)) / 2e-5
        bend = (loss.gradient(outputs + shift, y) - loss.gradient(outputs - shift, y)) / 2e-5
        assert slope == pytest.approx(loss.gradient(outputs, y) @ shift / 1e-5, abs=1e-8)
        assert bend == pytest.approx(loss.curvature(outputs, y) @ shift / 1e-5, abs=1e-8)


def test_a_gradient_of_cross_entropy_that_forgets_the_sum_is_found():
    """What the check of the targets would hide: the derivatives are compared on their own."""
    loss = CheckedLoss(CustomLoss(CrossEntropy().value, ForgetsTheSum().gradient), "it")
    with pytest.raises(NetworkError, match="is not the derivative of its value"):
        check_derivatives(loss, np.array([[0.3, 0.3]]), SPINS)


@pytest.mark.parametrize("method", ["value", "gradient", "curvature"])
def test_what_comes_in_is_looked_at_too(method):
    evaluate = getattr(CheckedLoss(SquaredError(), "squared_error"), method)
    outputs = np.array([[0.1, 0.2], [0.3, 0.4]])
    with pytest.raises(ResultError, match="output 1 of sample 0 is nan"):
        evaluate(np.array([[0.1, np.nan], [0.3, 0.4]]), outputs)
    with pytest.raises(DataError, match="number 0 of sample 1 is inf"):
        evaluate(outputs, np.array([[0.1, 0.2], [np.inf, 0.4]]))
    with pytest.raises(DataError, match=r"one row for every sample, 2 in all, got an array of shape \(1, 2\)"):
        evaluate(outputs, outputs[:1])
    with pytest.raises(DataError, match="squared_error needs one for every output, 2 in all, got 1"):
        evaluate(outputs, outputs[:, :1])


def test_names_of_losses():
    def steep(outputs, targets):
        return np.sum(outputs, axis=1)

    assert [loss_name(loss) for loss in (CrossEntropy(), CustomLoss(steep), SteepError())] == [
        "cross_entropy",
        "steep",
        "SteepError",
    ]
