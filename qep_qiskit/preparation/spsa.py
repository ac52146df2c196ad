"""SPSA that asks for everything an iteration wants to know at once: on a device a question is a job."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from qiskit_algorithms.optimizers import SPSA
from qiskit_algorithms.optimizers.spsa import bernoulli_perturbation


class JointSPSA(SPSA):
    """SPSA of qiskit-algorithms, with the directions of one iteration (`resamplings`) in one question.

    The library asks for one direction after the other, although none waits for another's answer. Estimates are the
    same. Second-order steps still ask as the library does.
    """

    def _point_estimate(
        self, loss: Callable[[NDArray], NDArray], x: NDArray, eps: float, num_samples: int
    ) -> tuple[float, NDArray, NDArray]:
        """Mean energy, gradient, and no Hessian, from a pair of points on each of some random directions."""
        if self.second_order:
            return super()._point_estimate(loss, x, eps, num_samples)
        directions = np.array([bernoulli_perturbation(x.size, self.perturbation_dims) for _ in range(num_samples)])
        values = np.asarray(loss(np.concatenate([x + eps * directions, x - eps * directions])))
        self._nfev += len(values)
        high, low = values.reshape(2, num_samples)
        gradient = (high - low) / (2.0 * eps) @ directions / num_samples
        return float(values.mean()), gradient, np.zeros((x.size, x.size))
