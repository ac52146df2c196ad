"""The noise that error signals bring into a gradient.

Error signals are read from a finite shot batch. Their noise enters the nudge, and through the response of the
network the nudged means: to first order in it,

    d = R eps ,      delta d = R delta eps ,      delta eps = K delta P_free ,

with d the derivatives of all terms by beta and K the slope of the signals in the free means. The response R
(terms x outputs) is not measured on its own. It is regressed on the batch, d_s against eps_s, and shrunk by
the part of it that is shot noise. Directions in which the batch's signals do not stand out of their own noise
show no response; there the mean squared response of the other directions stands in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.measurement import is_none

__all__ = ["with_signal_noise"]


def with_signal_noise(
    covariance: NDArray,
    derivative: NDArray,
    signals: NDArray,
    slope: NDArray,
    free_covariance: NDArray,
    *,
    free_weight: float,
) -> NDArray:
    """Covariance of the derivatives with the error signals' noise in it.

    Args:
        covariance: Shape (samples, columns, columns), of the derivatives at fixed error signals.
        derivative: Shape (samples, columns).
        signals: Shape (samples, outputs).
        slope: Shape (samples, outputs, means), d(signals)/d(free means).
        free_covariance: Shape (samples, means, means), of the free means the signals were read from; these are the
            same columns where `free_weight` is not zero.
        free_weight: Stencil weight of the free phase. Where the contrast uses the same free batch, its
            noise and that of the signals are correlated.
    """
    if is_none(free_covariance) or not np.isfinite(free_covariance).all() or not free_covariance.any():
        return covariance
    signal_covariance = slope @ free_covariance @ slope.transpose(0, 2, 1)
    inverse, seen = _inverse_above_noise(signals.T @ signals, signal_covariance.sum(axis=0))
    response = derivative.T @ signals @ inverse
    response = response * np.sqrt(_share_of_signal(response, covariance, signals @ inverse, signal_covariance))
    spread = response @ slope
    total = covariance + spread @ free_covariance @ spread.transpose(0, 2, 1)
    if free_weight != 0.0:
        cross = free_weight * (spread @ free_covariance)
        total = total + cross + cross.transpose(0, 2, 1)
    unseen = np.eye(len(seen)) - seen
    if np.trace(seen) < 0.5 or np.trace(unseen) < 0.5:
        return total
    typical = (response**2).sum(axis=1) / np.trace(seen)
    noise = np.einsum("sop,po->s", signal_covariance, unseen)
    return total + noise[:, None, None] * np.diag(typical)


def _inverse_above_noise(gram: NDArray, noise: NDArray) -> tuple[NDArray, NDArray]:
    """Pseudo-inverse on the directions where the signals exceed their noise, and the projector on these."""
    sizes, directions = np.linalg.eigh(gram)
    noise_sizes = np.einsum("od,op,pd->d", directions, noise, directions)
    kept = directions[:, sizes > np.maximum(noise_sizes, 1e-12 * max(sizes[-1], 1e-300))]
    inverse = np.linalg.inv(kept.T @ gram @ kept) if kept.shape[1] else np.zeros((0, 0))
    return kept @ inverse @ kept.T, kept @ kept.T


def _share_of_signal(response: NDArray, covariance: NDArray, leverage: NDArray, signal_covariance: NDArray) -> float:
    """How much of the squared response is real; the rest is the noise of the regression itself."""
    raw = np.einsum("to,sop,tp->", response, signal_covariance, response)
    total = signal_covariance.sum(axis=0)
    noise = np.einsum("stt,so,op,sp->", covariance, leverage, total, leverage)
    return float(max(0.0, 1.0 - noise / raw)) if raw > 0 else 0.0
