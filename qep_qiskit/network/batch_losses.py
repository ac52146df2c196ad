"""Losses of a whole batch, which couple its samples: one number L(y_1, ..., y_S) of the outputs of S samples.

Training follows dL/dw exactly. A gradient is a mean over samples everywhere in this package, so the error signal of
sample s is S dL/dy_s: the mean of the responses to these signals is dL/dw. A batch loss that is the mean of losses of
single samples has the same signals, and so the same nudges, as these. The batch is that of the trainer; an evaluation
takes all its samples as one batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.limits import Positive, check_limits

_STEP = 1e-4


class BatchLoss(ABC):
    """Base class of losses of a batch. All arrays have the samples of the batch on the first axis.

    Attributes:
        reads_inputs: Whether the loss takes the inputs of the samples, in the place of their targets.
        names_classes: Whether outputs decode to classes, so that an accuracy is reported.

    Example:
        >>> class Spread(qep.BatchLoss):  # minus the variance of the outputs over the batch
        ...     def value(self, outputs, targets):
        ...         return -outputs.var(axis=0).sum()
        ...
        ...     def gradient(self, outputs, targets):
        ...         return -2.0 * (outputs - outputs.mean(axis=0)) / len(outputs)
        ...
        >>> cost = qep.LossOnExpectations.on_spins([1], 2, Spread())
        >>> cost.signals(np.array([[0.5], [-0.5]]), np.zeros((2, 0)))  # samples times the gradient
        array([[-1.],
               [ 1.]])
    """

    reads_inputs: ClassVar[bool] = False
    names_classes: ClassVar[bool] = False

    @abstractmethod
    def value(self, outputs: NDArray, targets: NDArray) -> float:
        """Return the loss of the batch, one number.

        Args:
            outputs: Shape (samples, outputs), output expectations.
            targets: Shape (samples, targets).
        """

    @abstractmethod
    def gradient(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Return the derivatives of the loss of the batch by the outputs of each sample, shape (samples, outputs).

        Args:
            outputs: Shape (samples, outputs), output expectations.
            targets: Shape (samples, targets).
        """

    def curvature(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Return the second derivatives, shape (samples, outputs, samples, outputs); by default numerical.

        Args:
            outputs: Shape (samples, outputs), output expectations.
            targets: Shape (samples, targets).
        """
        columns = []
        for shift in _STEP * np.eye(outputs.size):
            moved = shift.reshape(outputs.shape)
            change = self.gradient(outputs + moved, targets) - self.gradient(outputs - moved, targets)
            columns.append(np.ravel(change) / (2.0 * _STEP))
        found = np.array(columns)
        return ((found + found.T) / 2.0).reshape(*outputs.shape, *outputs.shape)


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Losses of the pairs of a batch as functions f(d) of the distance d of their outputs; all of shape (S, S).

    Args:
        counted: Whether a pair counts; false on the diagonal.
        values: f(d).
        slopes: f'(d) / d; zero where d is zero and f has a kink.
        seconds: f''(d).
    """

    counted: NDArray[np.bool_]
    values: NDArray[np.float64]
    slopes: NDArray[np.float64]
    seconds: NDArray[np.float64]


class _PairLoss(BatchLoss):
    """Mean over pairs of samples of a function of the distance of their outputs."""

    @abstractmethod
    def _pairs(self, distance: NDArray, targets: NDArray) -> _Pairs:
        """Return the losses of all pairs at distances of shape (samples, samples)."""

    def value(self, outputs: NDArray, targets: NDArray) -> float:
        """Return the mean over pairs; zero without pairs."""
        pairs = self._pairs(_distances(outputs)[1], targets)
        return float(pairs.values[pairs.counted].sum() / _twice(pairs))

    def gradient(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Return the derivatives by the outputs, shape (samples, outputs)."""
        away, distance = _distances(outputs)
        pairs = self._pairs(distance, targets)
        slopes = np.where(pairs.counted, pairs.slopes, 0.0)
        return np.einsum("st,sto->so", slopes, away) * 2.0 / _twice(pairs)

    def curvature(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Return the second derivatives, shape (samples, outputs, samples, outputs)."""
        away, distance = _distances(outputs)
        pairs = self._pairs(distance, targets)
        slopes, seconds = (np.where(pairs.counted, part, 0.0) for part in (pairs.slopes, pairs.seconds))
        along = np.divide(away, distance[:, :, None], out=np.zeros_like(away), where=distance[:, :, None] > 0.0)
        own = (seconds - slopes)[:, :, None, None] * along[:, :, :, None] * along[:, :, None, :]
        own += slopes[:, :, None, None] * np.eye(outputs.shape[1])
        found = -own.transpose(0, 2, 1, 3)
        samples = np.arange(len(outputs))
        found[samples, :, samples, :] += own.sum(axis=1)
        return found * 2.0 / _twice(pairs)


@dataclass(frozen=True, slots=True)
class Contrastive(_PairLoss):
    """Contrastive loss: mean over pairs of d^2 for equal targets, and of m^2 max(0, 1 - d^2 / m^2)^2 for others.

    d is the Euclidean distance of the outputs of two samples and m the margin. Samples of one class come together,
    others apart. Unlike the usual max(0, m - d)^2 it is smooth where outputs coincide, so that shot noise of outputs
    has a small effect there. A batch of one sample has no pairs and the loss zero.

    Args:
        margin: Distance of outputs beyond which samples of different classes do not matter.

    Raises:
        NetworkError: The margin is not positive.

    Example:
        >>> outputs, labels = np.array([[0.0], [0.5], [0.5]]), np.array([[0.0], [1.0], [1.0]])
        >>> round(qep.Contrastive(margin=1.0).value(outputs, labels), 4)  # (9/16 + 9/16 + 0) / 3
        0.375
    """

    margin: Positive = 1.0

    def __post_init__(self) -> None:
        check_limits(self, error=NetworkError)

    def _pairs(self, distance: NDArray, targets: NDArray) -> _Pairs:
        same = (targets[:, None] == targets[None]).all(axis=2)
        share = (distance / self.margin) ** 2
        missing = np.maximum(1.0 - share, 0.0)
        return _Pairs(
            counted=~np.eye(len(targets), dtype=bool),
            values=np.where(same, distance**2, (self.margin * missing) ** 2),
            slopes=np.where(same, 2.0, -4.0 * missing),
            seconds=np.where(same, 2.0, np.where(missing > 0.0, 12.0 * share - 4.0, 0.0)),
        )


@dataclass(frozen=True, slots=True)
class Sensitivity(_PairLoss):
    """Minus the sensitivity of the outputs to the inputs: -|<O>_1 - <O>_2| / |x_1 - x_2| (Wanjura & Marquardt 2024).

    In a batch of more than two samples it is the mean over all pairs with different inputs. It takes the inputs of
    the samples as targets. Several outputs, or inputs, have a Euclidean distance.

    Example:
        >>> outputs, inputs = np.array([[0.1], [0.7]]), np.array([[0.2], [0.4]])
        >>> round(qep.Sensitivity().value(outputs, inputs), 3)
        -3.0
    """

    reads_inputs: ClassVar[bool] = True

    def _pairs(self, distance: NDArray, targets: NDArray) -> _Pairs:
        apart = _distances(targets)[1]
        counted = apart > 0.0
        if not counted.any():
            raise ValueError(
                f"expected two samples with different inputs in a batch, got {len(targets)} without; "
                "set training.batch_size to at least 2"
            )
        rate = np.divide(1.0, apart, out=np.zeros_like(apart), where=counted)
        slopes = np.divide(-rate, distance, out=np.zeros_like(rate), where=distance > 0.0)
        return _Pairs(counted=counted, values=-rate * distance, slopes=slopes, seconds=np.zeros_like(rate))


def _distances(rows: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Differences of all pairs of rows, shape (rows, rows, columns), and their lengths, shape (rows, rows)."""
    away = rows[:, None] - rows[None]
    return away, np.sqrt((away**2).sum(axis=2))


def _twice(pairs: _Pairs) -> float:
    """Twice the number of pairs; one where there are none."""
    return max(1.0, float(np.count_nonzero(pairs.counted)))
