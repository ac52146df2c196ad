"""Posterior of the bias of a contrast as a function of its nudge, from contrasts measured at several nudges.

The mean a(beta) = <dH/dw>_beta of every weight is modelled as a Gaussian process with the covariance

    A^2 / (1 + (beta - beta')^2 / l^2),

whose paths are analytic in the strip |Im beta| < l. Eigenstates of H + beta C are analytic as well, up to the nearest
branch point, where two levels meet; its distance l from the real axis is the same for all weights. A contrast D(beta)
and the derivative g = a'(0) are linear in a, so that the bias D(beta) - g has a mean and a variance at any nudge (the
usual regression formulas). Strips of several widths around a prior width are weighted by their evidence. The amplitudes
A differ between weights; their distribution is found from all weights (empirical Bayes).

The squared length of the bias is described by quantiles, because with few shots it is uncertain by orders of magnitude.
The quantiles are widened beyond what the contrasts give: weights may share branch points or have several, which the
model leaves out, and a nudge is often chosen where its bias seems small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from qep_qiskit.core.json_record import JsonRecord
from qep_qiskit.learning.contrast import Contrast

NODES = (np.arange(10) + 0.5) / 10
"""Levels of the quantiles. All are equally likely, so that means over them are expectations."""

THREE = np.array([-1.0, 0.0, 1.0]) * np.sqrt(1.5)
"""Equally likely values of mean zero and variance one."""

_STRIPS = np.geomspace(0.2, 12.0, 14)
# Log-normal prior of the width, in units of max|coefficient| / range(C); from networks that no test or figure uses.
_STRIP_MEDIAN, _STRIP_DEVIATION = 1.5, 0.8
# Factor by which log-quantiles are widened about the median; from exact curves of networks that no test or figure uses.
_WIDER = 1.2
_AMPLITUDES = 2.0 ** np.arange(-6, 5)
_EM_STEPS = 4
_DRIFT = 1.0
_JITTER = 1e-11
_GRID_PER_LEVEL = 3
_REACH, _MOST_BEYOND = 2.0, 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BiasCurve(JsonRecord):
    """Quantiles of the squared bias as a function of the nudge.

    Args:
        betas: Magnitudes of the nudges, ascending.
        squares: For every level of `NODES`, the quantile of |bias|^2 at every nudge.
    """

    betas: tuple[float, ...]
    squares: tuple[tuple[float, ...], ...]

    def at(self, beta: NDArray | float, order: int) -> NDArray[np.float64]:
        """Return the quantiles of |bias|^2 at given nudges.

        Below the grid of nudges they fall with beta^(2 order), and above it they rise with the same power.

        Args:
            beta: Nudges of any shape; signs are ignored.
            order: Leading power of beta in the bias.

        Returns:
            Shape (nodes, *shape of beta).
        """
        x, known = np.log(np.abs(np.asarray(beta, dtype=float))), np.log(self.betas)
        outside = np.minimum(x - known[0], 0.0) + np.maximum(x - known[-1], 0.0)
        inside = np.array([np.interp(x, known, np.log(row)) for row in self.squares])
        return np.exp(inside + 2.0 * order * outside)

    def after(self, before: BiasCurve, order: int) -> BiasCurve:
        """Return the mean of this curve and an earlier one, in logarithms, weighted by their inverse variances.

        The earlier curve belongs to other weights, so the variance of its logarithms is increased by `_DRIFT` squared.

        Args:
            before: Earlier curve.
            order: Leading power of beta in the bias.
        """
        new, old = np.log(self.squares), np.log(before.at(np.array(self.betas), order))
        doubts = new.var(axis=0), old.var(axis=0) + _DRIFT**2
        share = doubts[1] / (doubts[0] + doubts[1])
        squares = np.exp(share * new + (1.0 - share) * old)
        return BiasCurve(betas=self.betas, squares=tuple(tuple(row) for row in squares.tolist()))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeasuredContrasts(JsonRecord):
    """Contrasts of one kind at several nudges, with their shot noise.

    Args:
        name: Name of the contrast.
        betas: Signed nudges in any order, shape (levels,); a nudge may occur more than once.
        values: Contrasts of the trainable weights, shape (levels, weights).
        covariance: Covariance between the levels, shape (weights, levels, levels).
        independence: Effective fraction of the weights with independent noise, at most 1.
    """

    name: str
    betas: NDArray[np.float64]
    values: NDArray[np.float64]
    covariance: NDArray[np.float64]
    independence: float = 1.0

    def joined(self, other: MeasuredContrasts) -> MeasuredContrasts:
        """Return these contrasts together with others of the same kind and independent shots."""
        levels = len(self.betas)
        covariance = np.zeros((self.values.shape[1], levels + len(other.betas), levels + len(other.betas)))
        covariance[:, :levels, :levels], covariance[:, levels:, levels:] = self.covariance, other.covariance
        return MeasuredContrasts(
            name=self.name,
            betas=np.concatenate([self.betas, other.betas]),
            values=np.concatenate([self.values, other.values]),
            covariance=covariance,
            independence=min(self.independence, other.independence),
        )


def fitted_curve(contrasts: MeasuredContrasts, scale: float) -> tuple[BiasCurve, float]:
    """Return the posterior of the squared bias, and the expected squared length of the gradient.

    Args:
        contrasts: Measured contrasts.
        scale: max|coefficient| / range(C), the nudge at which H and beta C are of about equal size.
    """
    sizes = np.abs(contrasts.betas)
    # Contrasts at huge nudges vanish, whatever the gradient: the curve extends beyond the data only to the scale.
    reach = np.clip(_REACH * scale, sizes.max(), _MOST_BEYOND * sizes.max())
    first, last = np.log2(sizes.min()), np.log2(reach)
    count = 2 + round(_GRID_PER_LEVEL * (last - first))
    grid = np.sign(contrasts.betas[0]) * 2.0 ** np.linspace(first, last, count)
    strips = [_fitted_strip(contrasts, ratio * scale, grid) for ratio in _STRIPS]
    evidence, squared, variance, gradient_squared = map(np.array, zip(*strips, strict=True))
    logs = evidence * contrasts.independence - 0.5 * (np.log(_STRIPS / _STRIP_MEDIAN) / _STRIP_DEVIATION) ** 2
    probabilities = np.exp(logs - logs.max())
    probabilities /= probabilities.sum()
    squares = _quantiles(probabilities, squared, variance / contrasts.independence)
    curve = BiasCurve(betas=tuple(np.abs(grid).tolist()), squares=tuple(tuple(row) for row in squares.tolist()))
    return curve, float(probabilities @ gradient_squared)


def _fitted_strip(
    contrasts: MeasuredContrasts, width: float, grid: NDArray
) -> tuple[float, NDArray[np.float64], NDArray[np.float64], float]:
    """Posterior for one width of the strip: log-evidence; mean and variance of |bias|^2 on the grid; mean of |g|^2."""
    kernel = _Kernel(contrasts.name, width)
    inner, to_gradient = kernel.contrasts(contrasts.betas, contrasts.betas), kernel.gradient(contrasts.betas)
    inner = inner + _JITTER * np.diag(np.diag(inner))
    # The last row is the gradient itself, the others are the bias on the grid.
    across = np.vstack([kernel.contrasts(grid, contrasts.betas) - to_gradient, to_gradient])
    own = np.array([kernel.contrasts(grid[i : i + 1], grid[i : i + 1])[0, 0] for i in range(len(grid))])
    prior = np.append(own - 2.0 * kernel.gradient(grid) + kernel.slope, kernel.slope)
    powers = (_AMPLITUDES * _typical_amplitude(contrasts, width)) ** 2
    total = powers[:, None, None, None] * inner + contrasts.covariance
    inverse = np.linalg.inv(total)
    solved = np.einsum("awij,jw->awi", inverse, contrasts.values)
    fit = np.einsum("awi,iw->aw", solved, contrasts.values)
    evidence = -0.5 * (fit + np.linalg.slogdet(total)[1])
    probabilities, log_evidence = _amplitude_fractions(evidence)
    mean = powers[:, None, None] * (solved @ across.T)
    explained = ((across @ inverse) * across).sum(axis=-1)
    variance = np.maximum(powers[:, None, None] * (prior - powers[:, None, None] * explained), 0.0)
    squared, fourth = mean**2 + variance, 2.0 * variance**2 + 4.0 * mean**2 * variance
    each = np.einsum("aw,awg->wg", probabilities, squared)
    scatter = np.einsum("aw,awg->wg", probabilities, fourth + squared**2) - each**2
    squares, noise = each[:, :-1].sum(axis=0), np.maximum(scatter[:, :-1], 0.0).sum(axis=0)
    return log_evidence, squares, noise, float(each[:, -1].sum())


def _typical_amplitude(contrasts: MeasuredContrasts, width: float) -> float:
    """Root mean square over weights of how far the least noisy nudge moves a mean, over one strip width at least."""
    quietest = int(np.argmin(np.einsum("wjj->j", contrasts.covariance)))
    moved = max(float(np.abs(contrasts.betas[quietest])), width) * contrasts.values[quietest]
    return max(float(np.sqrt((moved**2).mean())), 1e-150)


def _amplitude_fractions(evidence: NDArray) -> tuple[NDArray, float]:
    """Probability of every amplitude for every weight, shape (amplitudes, weights), and the summed log-evidence."""
    count, weights = evidence.shape
    top = evidence.max(axis=0)
    likely = np.exp(evidence - top)
    probabilities = np.full(count, 1.0 / count)
    for _ in range(_EM_STEPS):
        joint = probabilities[:, None] * likely
        probabilities = ((joint / joint.sum(axis=0)).sum(axis=1) + 1.0) / (weights + count)
    joint = probabilities[:, None] * likely
    total = joint.sum(axis=0)
    return joint / total, float((np.log(total) + top).sum())


class _Kernel:
    """Covariances of contrasts and of the derivative at zero, for unit amplitude.

    Args:
        name: Name of the contrast.
        width: Width l of the strip, in units of beta.
    """

    def __init__(self, name: str, width: float) -> None:
        unit = Contrast.named(name).phases
        self._multiples = np.array([multiple for multiple, _ in unit])
        self._stencil = np.array([weight for _, weight in unit])
        self._width = width
        self.slope = 2.0 / width**2
        """Variance of a'(0)."""

    def contrasts(self, one: NDArray, other: NDArray) -> NDArray[np.float64]:
        """Covariances of contrasts, shape (nudges of one, nudges of the other)."""
        ends = np.multiply.outer(one, self._multiples), np.multiply.outer(other, self._multiples)
        apart = (ends[0][:, None, :, None] - ends[1][None, :, None, :]) / self._width
        pairs = np.einsum("p,q,ijpq->ij", self._stencil, self._stencil, 1.0 / (1.0 + apart**2))
        return pairs / np.multiply.outer(one, other)

    def gradient(self, betas: NDArray) -> NDArray[np.float64]:
        """Covariances of contrasts with the derivative at zero, shape (nudges,)."""
        ends = np.multiply.outer(betas, self._multiples) / self._width
        return (2.0 * ends / (1.0 + ends**2) ** 2) @ self._stencil / (betas * self._width)


def _quantiles(probabilities: NDArray, means: NDArray, variances: NDArray) -> NDArray[np.float64]:
    """Quantiles of a mixture of gamma distributions, shape (nodes, grid); means have shape (components, grid)."""
    means = np.maximum(means, 1e-300)
    shapes = np.clip(means**2 / np.maximum(variances, 1e-300), 1e-2, 1e8)
    atoms = gammaincinv(shapes[:, None], NODES[None, :, None]) * (means / shapes)[:, None]
    heights = np.broadcast_to(probabilities[:, None] / len(NODES), atoms.shape[:2]).ravel()
    atoms = np.maximum(atoms.reshape(-1, atoms.shape[2]), 1e-300)
    found = np.empty((len(NODES), atoms.shape[1]))
    for column in range(atoms.shape[1]):
        order = np.argsort(atoms[:, column])
        levels = np.cumsum(heights[order]) - 0.5 * heights[order]
        logs = np.interp(NODES, levels, np.log(atoms[order, column]))
        middle = np.median(logs)
        found[:, column] = np.exp(middle + _WIDER * (logs - middle))
    return found
