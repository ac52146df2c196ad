"""Handle covariances of means; exact means have none, and none is stored.

A covariance over all pairs of thousands of terms would fill the memory with zeros. Where there is none it is a single
zero in an array without strides, and the functions here recognise it by that.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ZERO = bytes(8)  # of a double; bytes make arrays read-only


def no_covariance(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the covariance of exact means of shape (..., terms): read-only zeros of shape (..., terms, terms)."""
    return np.ndarray((*shape, shape[-1]), buffer=_ZERO, strides=(0,) * (len(shape) + 1))


def is_none(covariance: NDArray) -> bool:
    """Return whether a covariance was made by `no_covariance`, or is a view of one."""
    return covariance.strides[-2:] == (0, 0)


def variance_of(coefficients: NDArray, covariance: NDArray) -> NDArray[np.float64]:
    """Return variances c.Cov c of linear combinations.

    Args:
        coefficients: Shape (..., terms).
        covariance: Shape (..., terms, terms).

    Returns:
        Shape (...,).
    """
    if is_none(covariance):
        return np.zeros(coefficients.shape[:-1])
    return np.einsum("...t,...tu,...u->...", coefficients, covariance, coefficients)
