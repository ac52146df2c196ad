"""Losses of every copy of the outputs: each copy has the targets and a loss of its own, and the losses are added."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.network.losses import Loss


@dataclass(frozen=True, slots=True, kw_only=True)
class LossOfCopies:
    """The sum of one loss over several copies of the outputs.

    Outputs are ordered with the copies of the first output first, then those of the second.

    Args:
        loss: The loss of one set of outputs.
        copies: Number of copies of every output.

    Example:
        >>> loss = LossOfCopies(loss=qep.SquaredError(), copies=2)
        >>> loss.value(np.array([[1.0, 0.5]]), np.array([[1.0]]))
        array([0.25])
    """

    loss: Loss
    copies: int

    @property
    def _sets(self) -> list[slice]:
        """The outputs of the first copies, of the second ones, and so on."""
        return [slice(first, None, self.copies) for first in range(self.copies)]

    def value(self, outputs: NDArray, targets: NDArray) -> NDArray[np.float64]:
        """Return the summed loss of every sample, shape (samples,)."""
        return np.sum([self.loss.value(outputs[:, where], targets) for where in self._sets], axis=0)

    def gradient(self, outputs: NDArray, targets: NDArray) -> NDArray[np.float64]:
        """Return the error signals of all copies, shape (samples, outputs * copies)."""
        found = np.zeros(outputs.shape)
        for where in self._sets:
            found[:, where] = self.loss.gradient(outputs[:, where], targets)
        return found

    def curvature(self, outputs: NDArray, targets: NDArray) -> NDArray[np.float64]:
        """Return the second derivatives, shape (samples, outputs * copies, outputs * copies); none between copies."""
        found = np.zeros((*outputs.shape, outputs.shape[1]))
        for where in self._sets:
            found[:, where, where] = self.loss.curvature(outputs[:, where], targets)
        return found
