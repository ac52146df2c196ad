"""Statistics of repeated gradient estimates against the truth, with intervals of confidence.

With g the truth and x_r the estimate of repeat r, both vectors over the weights:

    rmse    root of the mean of |x_r - g|^2
    bias    length of mean(x) - g, what the noise of the mean adds to it subtracted
    std     root of the summed variances of the repeats, so that rmse^2 = bias^2 + std^2 (R - 1)/R + the noise of bias
    cosine  mean over repeats of cos(x_r, g)
    chi2    sum_k (R - 1) s_k^2 / (claimed variance of weight k, mean over repeats)

Weights share shot batches, so their errors are correlated; sums over weights then scatter more than they would. All
intervals and p-values count this, by effective degrees of freedom (Satterthwaite 1946, Biometrics 2, 110). Intervals
of 68 % hold the truth in about that share of simulated studies from 20 repeats on (of the rmse 61 to 70 %); of five
repeats that of the rmse holds it in 53 to 66 %. That of a bias of zero holds it more often: no length is negative.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.short_repr import short_repr

_RECORDED = (
    *("rmse", "rmse_low", "rmse_high", "relative_rmse", "bias", "bias_low", "bias_high", "std"),
    *("cosine", "cosine_low", "cosine_high", "chi2_per_dof"),
)

Interval = tuple[float, float]

_NAN = float("nan")
_UNKNOWN = (_NAN, _NAN)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class PointStatistics:
    """Statistics of repeated estimates with one setting; NaN where they are undefined.

    Args:
        repeats: Number of repeats.
        rmse: Root mean squared error of the whole vector, with the ends of its interval.
        relative_rmse: The error relative to the length of the true gradient.
        bias: Length of the bias, with its own noise subtracted, and the ends of its interval.
        std: Root of the summed variances.
        cosine: Mean cosine to the true gradient, with the ends of its interval; an estimate of length zero counts as
            zero.
        chi2: Chi-square of the estimated error bars about the mean of the repeats; NaN if there are no error bars.
        degrees: Its degrees of freedom: weights times (repeats - 1).
        p_value: Two-sided p-value of chi2.

    Example:
        >>> found = qep.point_statistics(np.array([[1.1, 0.0], [0.9, 0.1], [1.0, -0.1]]), truth=np.array([1.0, 0.0]))
        >>> round(found.rmse, 4), round(found.std, 4)
        (0.1155, 0.1414)
    """

    repeats: int
    rmse: float
    rmse_low: float
    rmse_high: float
    relative_rmse: float
    bias: float
    bias_low: float
    bias_high: float
    std: float
    cosine: float
    cosine_low: float
    cosine_high: float
    chi2: float
    degrees: int
    p_value: float

    @property
    def chi2_per_dof(self) -> float:
        """Chi-square per degree of freedom: near 1 for correct error bars, above 1 where they are too small."""
        return self.chi2 / self.degrees if self.degrees else _NAN

    def record(self) -> dict[str, float | None]:
        """Return one row of a table; None where a number is unknown."""
        found = {name: float(getattr(self, name)) for name in _RECORDED}
        return {name: None if math.isnan(value) else value for name, value in found.items()}


def point_statistics(
    estimates: NDArray, truth: NDArray, variances: NDArray | None = None, *, level: float = 0.68
) -> PointStatistics:
    """Return statistics of the repeats of one point of a study.

    Args:
        estimates: Shape (repeats, weights), without frozen weights.
        truth: Shape (weights,), the true gradient.
        variances: Shape (repeats, weights), estimated variances, or None. NaN where a repeat has none.
        level: Confidence level of the intervals.

    Raises:
        ConfigError: The shapes do not match, there is no repeat, or the level is not between 0 and 1.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> estimates = rng.normal([1.0, 0.0], 0.1, (200, 2))
        >>> found = qep.point_statistics(estimates, truth=np.array([1.0, 0.0]), variances=np.full((200, 2), 0.01))
        >>> round(found.std, 3), round(found.chi2_per_dof, 2)
        (0.141, 0.99)
    """
    estimates, truth = np.asarray(estimates, dtype=float), np.asarray(truth, dtype=float)
    _check(estimates, truth, variances, level)
    squared = np.sum((estimates - truth) ** 2, axis=1)
    rmse, length = float(np.sqrt(squared.mean())), float(np.linalg.norm(truth))
    repeats = len(estimates)
    chi2, degrees, p_value = _chi_square(estimates, variances)
    return PointStatistics(
        repeats=repeats,
        **_with_ends("rmse", rmse, _rmse_interval(squared, level)),
        relative_rmse=rmse / length if length > 0.0 else _NAN,
        **_with_ends("bias", *_bias(estimates, truth, level)),
        std=float(np.sqrt(estimates.var(axis=0, ddof=1).sum())) if repeats > 1 else _NAN,
        **_with_ends("cosine", *_cosine(estimates, truth, level)),
        chi2=chi2,
        degrees=degrees,
        p_value=p_value,
    )


def _with_ends(name: str, value: float, interval: Interval) -> dict[str, Any]:
    """Return a number and the ends of its interval under their names in `PointStatistics`."""
    return {name: value, f"{name}_low": interval[0], f"{name}_high": interval[1]}


def mse_pull(estimates: NDArray, truth: NDArray, model: float) -> float:
    """Return by how many standard deviations the measured mean squared error exceeds that of a model.

    The pull is normally distributed if the model holds (cube-root transform of Wilson and Hilferty); the uncertainty of
    the model is not included.

    Args:
        estimates: Shape (repeats, weights).
        truth: Shape (weights,), the true gradient.
        model: Mean squared error of the model, summed over weights.

    Returns:
        The pull; NaN for a single repeat or without scatter.

    Raises:
        ConfigError: The error of the model is not positive.
    """
    if not model > 0:
        raise ConfigError(f"budget: expected a model's mean squared error above zero, got {model}")
    squared = np.sum((np.asarray(estimates) - truth) ** 2, axis=1)
    degrees = _degrees_of(squared)
    if not np.isfinite(degrees):
        return _NAN
    width = 2.0 / (9.0 * degrees)
    return float(((squared.mean() / model) ** (1.0 / 3.0) - (1.0 - width)) / np.sqrt(width))


def _check(estimates: NDArray, truth: NDArray, variances: NDArray | None, level: float) -> None:
    if estimates.ndim != 2 or len(estimates) == 0 or estimates.shape[1:] != truth.shape:
        raise ConfigError(
            f"budget: expected estimates of shape (repeats, {truth.size}) with at least one repeat, "
            f"got {estimates.shape}"
        )
    if variances is not None and np.shape(variances) != estimates.shape:
        raise ConfigError(f"budget: expected variances of shape {estimates.shape}, got {np.shape(variances)}")
    if not 0.0 < level < 1.0:
        raise ConfigError(f"budget: expected a confidence level between 0 and 1, got {level}")


def _degrees_of(squared: NDArray) -> float:
    """Return degrees of freedom of a sum of squared errors.

    They are those of the scaled chi-square with equal mean and variance.
    """
    if len(squared) < 2:
        return _NAN
    observed_variance = squared.var(ddof=1)
    return float(2.0 * len(squared) * squared.mean() ** 2 / observed_variance) if observed_variance > 0 else np.inf


def _rmse_interval(squared: NDArray, level: float) -> Interval:
    """Return the confidence interval of the RMSE from the scatter of the squared errors."""
    degrees, mean = _degrees_of(squared), float(squared.mean())
    if np.isnan(degrees):
        return _UNKNOWN
    if np.isinf(degrees):
        return float(np.sqrt(mean)), float(np.sqrt(mean))
    low, high = (degrees / stats.chi2.isf(tail, degrees) for tail in ((1 - level) / 2, (1 + level) / 2))
    return float(np.sqrt(mean * low)), float(np.sqrt(mean * high))


def _bias(estimates: NDArray, truth: NDArray, level: float) -> tuple[float, Interval]:
    """Return the length of the bias; its square has variance 4 b' S b + 2 tr S^2, S the covariance of the mean.

    The interval contains the lengths b for which the measured value lies within the quantiles.
    """
    repeats = len(estimates)
    if repeats < 2:
        return _NAN, _UNKNOWN
    deviation = estimates.mean(axis=0) - truth
    covariance = np.atleast_2d(np.cov(estimates, rowvar=False)) / repeats
    square = float(deviation @ deviation)
    found = square - float(np.trace(covariance))
    along = float(deviation @ covariance @ deviation) / square if square > 0 else 0.0
    quantile = float(stats.t.isf((1 - level) / 2, repeats - 1))
    middle = found + 2.0 * quantile**2 * along
    noise = 4.0 * along * (found + quantile**2 * along) + 2.0 * _trace_of_square(covariance, repeats - 1)
    half = quantile * np.sqrt(max(0.0, noise))
    low, high = (float(np.sqrt(max(0.0, end))) for end in (middle - half, middle + half))
    return float(np.sqrt(max(0.0, found))), (low, high)


def _trace_of_square(covariance: NDArray, degrees: int) -> float:
    """Return an unbiased estimate of the trace of the squared covariance from an estimated covariance."""
    own, trace = float(np.sum(covariance**2)), float(np.trace(covariance))
    if degrees < 2:
        return own
    return max(0.0, degrees**2 / ((degrees - 1) * (degrees + 2)) * (own - trace**2 / degrees))


def _cosine(estimates: NDArray, truth: NDArray, level: float) -> tuple[float, Interval]:
    lengths, length = np.linalg.norm(estimates, axis=1), np.linalg.norm(truth)
    if not length > 0.0:
        return _NAN, _UNKNOWN
    cosines = np.clip((estimates @ truth) / (np.where(lengths > 0, lengths, 1.0) * length), -1.0, 1.0)
    mean, repeats = float(cosines.mean()), len(cosines)
    if repeats < 2:
        return mean, _UNKNOWN
    half = float(stats.t.isf((1 - level) / 2, repeats - 1) * cosines.std(ddof=1) / np.sqrt(repeats))
    return mean, (max(-1.0, mean - half), min(1.0, mean + half))


def _chi_square(estimates: NDArray, variances: NDArray | None) -> tuple[float, int, float]:
    """Return chi-square of the estimated variances, its degrees of freedom and its p-value."""
    repeats = len(estimates)
    if variances is None or repeats < 2 or not np.isfinite(variances).all():
        return _NAN, 0, _NAN
    claimed, observed_variance = np.mean(variances, axis=0), estimates.var(axis=0, ddof=1)
    known = (claimed > 0) | (observed_variance > 0)
    count = int(known.sum())
    if count == 0:
        return _NAN, 0, _NAN
    with np.errstate(divide="ignore"):
        chi2 = float((repeats - 1) * np.sum(observed_variance[known] / claimed[known]))
    degrees = count * (repeats - 1)
    effective = degrees / _crowding(estimates[:, known])
    scaled = chi2 * effective / degrees
    p_value = 2.0 * min(stats.chi2.sf(scaled, effective), stats.chi2.cdf(scaled, effective))
    return chi2, degrees, float(min(1.0, p_value))


def _crowding(estimates: NDArray) -> float:
    """Return the mean over weights of sum_l rho_kl^2: 1 for independent weights, their number for identical ones.

    The noise of the estimated correlations in their squares is subtracted.
    """
    repeats, count = estimates.shape
    if count == 1 or repeats < 4:
        return 1.0
    centred = estimates - estimates.mean(axis=0)
    norms = np.linalg.norm(centred, axis=0)
    unit = centred / np.where(norms > 0, norms, 1.0)
    squares = (unit.T @ unit) ** 2
    off = squares[~np.eye(count, dtype=bool)]
    unbiased = (off - (1.0 - off) / (repeats - 2)).sum() / count
    return float(np.clip(1.0 + unbiased, 1.0, count))
