"""Differentiable losses on expectations: L(<O_1>, ..., <O_m>, y).

A loss gives its value, the error signals dL/d<O_o> that the nudge is made of, and its curvature, which
carries the shot noise of the outputs into the error signals and removes its bias from the reported loss.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import NetworkError

_STEP = 1e-4


class Loss(Protocol):
    """A loss of output expectations. All arrays are batches: samples first."""

    def value(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Loss of every sample: (samples, outputs) and (samples, targets) to (samples,)."""
        ...

    def gradient(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Error signals dL/d<O_o>, shape (samples, outputs)."""
        ...

    def curvature(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Second derivatives, shape (samples, outputs, outputs)."""
        ...


@dataclass(frozen=True, slots=True)
class SquaredError:
    """L = sum_o (<O_o> - y_o)^2.

    Example:
        >>> qep.SquaredError().value(np.array([[0.5]]), np.array([[1.0]]))
        array([0.25])
        >>> qep.SquaredError().gradient(np.array([[0.5]]), np.array([[1.0]]))
        array([[-1.]])
    """

    def value(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Sum of squared deviations."""
        return np.sum((outputs - targets) ** 2, axis=1)

    def gradient(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """2 (<O_o> - y_o)."""
        return 2.0 * (outputs - targets)

    def curvature(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Twice the identity."""
        return np.broadcast_to(2.0 * np.eye(outputs.shape[1]), (*outputs.shape, outputs.shape[1]))


@dataclass(frozen=True, slots=True)
class NegativeAbs:
    """L = - sum_o |<O_o>|: no targets, expectations of either sign grow."""

    def value(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Minus the sum of sizes."""
        return -np.abs(outputs).sum(axis=1)

    def gradient(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Minus the signs."""
        return -np.sign(outputs)

    def curvature(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Zero: away from zero the loss is linear."""
        return np.zeros((*outputs.shape, outputs.shape[1]))


@dataclass(frozen=True, slots=True)
class CrossEntropy:
    """L = - sum_o y_o log softmax(gain <O>)_o. Derivatives are right for any y; a run wants distributions.

    Args:
        gain: Inverse temperature; expectations lie in [-1, 1], so a gain of about 3 is needed to be sure.

    Raises:
        NetworkError: The gain is not positive.

    Example:
        >>> qep.CrossEntropy(gain=3.0).value(np.array([[0.0, 0.0]]), np.array([[1.0, 0.0]]))
        array([0.69314718])
    """

    gain: float = 3.0

    def __post_init__(self) -> None:
        if not self.gain > 0:
            raise NetworkError(f"gain: expected a positive number, got {self.gain}")

    def _log_probabilities(self, outputs: NDArray) -> NDArray:
        shifted = self.gain * (outputs - outputs.max(axis=1, keepdims=True))
        return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))

    def value(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Cross-entropy in nats."""
        return -np.sum(targets * self._log_probabilities(outputs), axis=1)

    def gradient(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Gain * (sum(y) softmax - y)."""
        total = targets.sum(axis=1, keepdims=True)
        return self.gain * (total * np.exp(self._log_probabilities(outputs)) - targets)

    def curvature(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """gain^2 sum(y) (diag(p) - p p^T)."""
        p, total = np.exp(self._log_probabilities(outputs)), targets.sum(axis=1)[:, None, None]
        return self.gain**2 * total * (p[:, :, None] * np.eye(p.shape[1]) - p[:, :, None] * p[:, None, :])


@dataclass(frozen=True, slots=True)
class CustomLoss:
    """The user's own loss, given by a function; derivatives are taken numerically where not given.

    Args:
        function: (samples, outputs), (samples, targets) to (samples,); smooth.
        derivative: Error signals of the same arrays, shape (samples, outputs), or None.

    Example:
        >>> loss = qep.CustomLoss(lambda outputs, targets: ((outputs - targets) ** 4).sum(axis=1))
        >>> loss.gradient(np.array([[0.5]]), np.array([[1.0]])).round(6)
        array([[-0.5]])
    """

    function: Callable[[NDArray, NDArray], NDArray]
    derivative: Callable[[NDArray, NDArray], NDArray] | None = None

    def value(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """The given function."""
        return np.asarray(self.function(outputs, targets))

    def gradient(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """The given derivative, or central differences of the function."""
        if self.derivative is not None:
            return np.asarray(self.derivative(outputs, targets))
        return _central(self.value, outputs, targets)

    def curvature(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Central differences of the error signals, made symmetric."""
        second = _central(self.gradient, outputs, targets)
        return (second + second.transpose(0, 2, 1)) / 2.0


def _central(function: Callable[[NDArray, NDArray], NDArray], outputs: NDArray, targets: NDArray) -> NDArray:
    """Central differences by every output, stacked on the last axis."""
    columns = []
    for shift in _STEP * np.eye(outputs.shape[1]):
        forward, backward = function(outputs + shift, targets), function(outputs - shift, targets)
        columns.append((forward - backward) / (2.0 * _STEP))
    return np.stack(columns, axis=-1)
