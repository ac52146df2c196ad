"""Covariances of means; exact means have none, and none is not stored.

A covariance over all pairs of thousands of terms would fill the memory with zeros. Where there is none it is one zero,
seen from everywhere (an array without strides); the functions here know it by that.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def no_covariance(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The covariance of exact means of a shape (..., terms): zeros of shape (..., terms, terms), read-only."""
    return np.broadcast_to(np.zeros(()), (*shape, shape[-1]))


def is_none(covariance: NDArray) -> bool:
    """Whether a covariance was made by `no_covariance`, or is a view of one."""
    return covariance.strides[-2:] == (0, 0)


def variance_of(coefficients: NDArray, covariance: NDArray) -> NDArray[np.float64]:
    """Variances of linear forms: c.Cov c, shape (...,), of coefficients (..., terms) and (..., terms, terms)."""
    if is_none(covariance):
        return np.zeros(coefficients.shape[:-1])
    return np.einsum("...t,...tu,...u->...", coefficients, covariance, coefficients)
