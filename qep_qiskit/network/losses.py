"""Differentiable losses of expectations: L(<O_1>, ..., <O_m>, y).

A loss has a value, error signals dL/d<O_o>, which define the nudge, and a curvature. The curvature propagates the shot
noise of the outputs to the error signals, and corrects the bias of the reported loss.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Protocol

import numpy as np
from annotated_types import Ge, Lt
from numpy.typing import NDArray

from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.limits import Positive, check_limits

_STEP = 1e-4


class Loss(Protocol):
    """Interface of a loss of output expectations. All arrays are batches with samples on the first axis.

    Example:
        >>> class Quartic:
        ...     def value(self, outputs, targets):
        ...         return np.sum((outputs - targets) ** 4, axis=1)
        ...
        ...     def gradient(self, outputs, targets):
        ...         return 4.0 * (outputs - targets) ** 3
        ...
        ...     def curvature(self, outputs, targets):
        ...         return 12.0 * (outputs - targets)[:, :, None] ** 2 * np.eye(outputs.shape[1])
        ...
        >>> qep.LossOnExpectations.on_spins([1], 2, Quartic()).signals(np.array([[0.5]]), np.array([[1.0]]))
        array([[-0.5]])
    """

    def value(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Return the loss of every sample, shape (samples,).

        Args:
            outputs: Shape (samples, outputs), output expectations.
            targets: Shape (samples, targets).
        """

    def gradient(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Return the error signals dL/d<O_o>, shape (samples, outputs).

        Args:
            outputs: Shape (samples, outputs), output expectations.
            targets: Shape (samples, targets).
        """

    def curvature(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Return the second derivatives d^2L/d<O_o>d<O_p>, shape (samples, outputs, outputs).

        Args:
            outputs: Shape (samples, outputs), output expectations.
            targets: Shape (samples, targets).
        """


@dataclass(frozen=True, slots=True)
class SquaredError:
    """Squared error L = sum_o (<O_o> - y_o)^2.

    Example:
        >>> qep.SquaredError().value(np.array([[0.5]]), np.array([[1.0]]))
        array([0.25])
        >>> qep.SquaredError().gradient(np.array([[0.5]]), np.array([[1.0]]))
        array([[-1.]])
    """

    def value(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Return the sum of squared deviations, shape (samples,)."""
        return np.sum((outputs - targets) ** 2, axis=1)

    def gradient(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Return 2 (<O_o> - y_o), shape (samples, outputs)."""
        return 2.0 * (outputs - targets)

    def curvature(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Return twice the identity matrix, shape (samples, outputs, outputs)."""
        return np.broadcast_to(2.0 * np.eye(outputs.shape[1]), (*outputs.shape, outputs.shape[1]))


@dataclass(frozen=True, slots=True)
class NegativeAbs:
    """L = - sum_o |<O_o>|, a loss without targets that increases the size of all expectations."""

    def value(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Return minus the sum of absolute values, shape (samples,)."""
        return -np.abs(outputs).sum(axis=1)

    def gradient(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Return minus the signs of the outputs, shape (samples, outputs)."""
        return -np.sign(outputs)

    def curvature(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Return zeros, shape (samples, outputs, outputs): the loss is linear except at zero."""
        return np.zeros((*outputs.shape, outputs.shape[1]))


@dataclass(frozen=True, slots=True)
class CrossEntropy:
    """Cross-entropy L = - sum_o y_o log softmax(gain <O>)_o.

    The derivatives hold for any y; a run requires targets that are probability distributions.

    Args:
        gain: Inverse temperature of the softmax; because expectations lie in [-1, 1], probabilities near 0 or 1 need a
            gain of about 3 or more.
        label_smoothing: Part of each sample's probability that is shared evenly among all classes, in [0, 1) (Szegedy
            et al. 2016, arXiv:1512.00567): y is replaced by (1 - s) y + s / classes. Outputs then stop growing where a
            sample is classified well enough. The value is that of the smoothed y, so it does not reach zero.

    Raises:
        NetworkError: The gain is not positive, or the smoothing is outside [0, 1).

    Example:
        >>> qep.CrossEntropy(gain=3.0).value(np.array([[0.0, 0.0]]), np.array([[1.0, 0.0]]))
        array([0.69314718])
    """

    gain: Positive = 3.0
    label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0

    def __post_init__(self) -> None:
        check_limits(self, error=NetworkError)

    def _smoothed(self, targets: NDArray) -> NDArray:
        """Return the targets with a part of them shared among all classes."""
        share = self.label_smoothing
        return (1.0 - share) * targets + share * targets.mean(axis=1, keepdims=True) if share else targets

    def _log_probabilities(self, outputs: NDArray) -> NDArray:
        shifted = self.gain * (outputs - outputs.max(axis=1, keepdims=True))
        return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))

    def value(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Return the cross-entropy in nats, shape (samples,)."""
        return -np.sum(self._smoothed(targets) * self._log_probabilities(outputs), axis=1)

    def gradient(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Return gain * (sum(y) softmax - y), y smoothed, shape (samples, outputs)."""
        total = targets.sum(axis=1, keepdims=True)
        return self.gain * (total * np.exp(self._log_probabilities(outputs)) - self._smoothed(targets))

    def curvature(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Return gain^2 sum(y) (diag(p) - p p^T) with p the softmax, shape (samples, outputs, outputs)."""
        p, total = np.exp(self._log_probabilities(outputs)), targets.sum(axis=1)[:, None, None]
        return self.gain**2 * total * (p[:, :, None] * np.eye(p.shape[1]) - p[:, :, None] * p[:, None, :])


@dataclass(frozen=True, slots=True)
class CustomLoss:
    """A loss given by a function of the user; missing derivatives are numerical.

    Args:
        function: Smooth function from (samples, outputs) and (samples, targets) to losses (samples,).
        derivative: Function of the same arrays that returns the error signals (samples, outputs), or None.

    Example:
        >>> loss = qep.CustomLoss(lambda outputs, targets: ((outputs - targets) ** 4).sum(axis=1))
        >>> loss.gradient(np.array([[0.5]]), np.array([[1.0]])).round(6)
        array([[-0.5]])
    """

    function: Callable[[NDArray, NDArray], NDArray]
    derivative: Callable[[NDArray, NDArray], NDArray] | None = None

    def value(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Return the values of the given function, shape (samples,)."""
        return np.asarray(self.function(outputs, targets))

    def gradient(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Return the given derivative, or central differences of the function, shape (samples, outputs)."""
        if self.derivative is not None:
            return np.asarray(self.derivative(outputs, targets))
        return _central(self.value, outputs, targets)

    def curvature(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Return symmetrised central differences of the error signals, shape (samples, outputs, outputs)."""
        second = _central(self.gradient, outputs, targets)
        return (second + second.transpose(0, 2, 1)) / 2.0


def _central(function: Callable[[NDArray, NDArray], NDArray], outputs: NDArray, targets: NDArray) -> NDArray:
    """Return central differences with respect to every output, stacked on the last axis."""
    columns = []
    for shift in _STEP * np.eye(outputs.shape[1]):
        forward, backward = function(outputs + shift, targets), function(outputs - shift, targets)
        columns.append((forward - backward) / (2.0 * _STEP))
    return np.stack(columns, axis=-1)
