"""SPSA with all evaluations of one iteration in one request, because on a device each request is a job."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from qiskit_algorithms.optimizers import SPSA
from qiskit_algorithms.optimizers.spsa import bernoulli_perturbation


class JointSPSA(SPSA):
    """SPSA of qiskit-algorithms, with all directions of one iteration (`resamplings`) in one evaluation.

    The library evaluates one direction after the other, although none depends on another. The estimates are the same.
    Second-order steps still evaluate as the library does.
    """

    def _point_estimate(
        self, loss: Callable[[NDArray], NDArray], x: NDArray, eps: float, num_samples: int
    ) -> tuple[float, NDArray, NDArray]:
        """Return mean energy, gradient, and no Hessian, from a pair of points along each random direction."""
        if self.second_order:
            return super()._point_estimate(loss, x, eps, num_samples)
        directions = np.array([bernoulli_perturbation(x.size, self.perturbation_dims) for _ in range(num_samples)])
        values = np.asarray(loss(np.concatenate([x + eps * directions, x - eps * directions])))
        self._nfev += len(values)
        high, low = values.reshape(2, num_samples)
        gradient = (high - low) / (2.0 * eps) @ directions / num_samples
        return float(values.mean()), gradient, np.zeros((x.size, x.size))
