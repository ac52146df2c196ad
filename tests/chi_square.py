"""p-values for shot noise; a test asserts that they lie above LIMIT at its fixed seed."""

import numpy as np
from scipy.stats import chi2, f, norm

LIMIT = 1e-4
_FEWEST_EXPECTED = 8.0


def counts_p_value(counts, probabilities):
    """Whether counts come from probabilities; rare outcomes share one bin."""
    counts, expected = np.asarray(counts, dtype=float), np.asarray(probabilities) * np.sum(counts)
    common = expected >= _FEWEST_EXPECTED
    found, wanted = counts[common], expected[common]
    if not common.all() and expected[~common].sum() > 0.5:
        found, wanted = np.append(found, counts[~common].sum()), np.append(wanted, expected[~common].sum())
    elif counts[~common].sum() > 12:
        return 0.0
    return chi2.sf(np.sum((found - wanted) ** 2 / wanted), len(found) - 1)


def mean_p_value(samples, expected, variance=None):
    """Whether samples (repeats, quantities) have the expected means; the worst quantity, Bonferroni-corrected."""
    samples = np.asarray(samples, dtype=float).reshape(len(samples), -1)
    spread = samples.var(axis=0, ddof=1) if variance is None else np.ravel(variance)
    z = (samples.mean(axis=0) - np.ravel(expected)) / np.sqrt(spread / len(samples))
    return min(1.0, samples.shape[1] * 2 * norm.sf(np.abs(z).max()))


def variance_p_value(samples, variance):
    """Whether samples (repeats, quantities) have the given variances; the worst quantity, Bonferroni-corrected."""
    samples = np.asarray(samples, dtype=float).reshape(len(samples), -1)
    degrees = len(samples) - 1
    ratio = degrees * samples.var(axis=0, ddof=1) / np.ravel(variance)
    worst = np.minimum(chi2.sf(ratio, degrees), chi2.cdf(ratio, degrees)).min()
    return min(1.0, samples.shape[1] * 2 * worst)


def vector_p_value(found, expected, covariance, shots):
    """Whether means found with their covariance, both from the same shots, are the expected ones (Hotelling)."""
    deviation = np.asarray(found) - expected
    size = len(deviation)
    squared = deviation @ np.linalg.solve(covariance, deviation)
    return f.sf(squared * (shots - size) / (size * (shots - 1)), size, shots - size)
