"""Shot-noise variances of reported losses.

The reported loss is L(o) - tr(L'' Cov)/2 of the measured outputs o. With s the slope of the loss at the true outputs
and S = L'' Cov, its variance is s.Cov s + tr(S^2)/2 to second order. For a quadratic loss on outputs a + c P of single
Pauli strings, measured by the same m shots, this is exact, because a Pauli string squares to one:

    sum_op s_o s_p C_op / m + L''_oo L''_pp C_op^2 / (2 m (m - 1)) ,   C_op = c_o c_p (<P_o P_p> - <P_o><P_p>) .

This is a polynomial of fourth degree in means of shots. Means over products of different shots estimate it without
bias. Other losses are treated as quadratic about the measured outputs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.outcomes import is_none

_STEP = 1e-4
_ROUNDING = 1e-12
_FEWEST_SHOTS = 4.0  # number of different shots in a product of four
_FEWEST_ON_ONE_SIDE = 15.0
_FIRST, _SECOND, _BOTH = 1, 2, 3  # Pauli strings P and Q, and PQ, as bits


def variances_of_loss(
    hamiltonian: NudgedHamiltonian, outputs: NDArray, covariance: NDArray, targets: NDArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the shot-noise variances of the reported losses, and the part of them that is only approximate.

    Args:
        hamiltonian: Network and cost, with a loss on expectations.
        outputs: Measured expectations, shape (samples, outputs).
        covariance: Covariance of the outputs, shape (samples, outputs, outputs).
        targets: Shape (samples, targets).

    Returns:
        Two arrays of shape (samples,).
    """
    if is_none(covariance):
        return np.zeros(len(outputs)), np.zeros(len(outputs))
    cost = hamiltonian.cost
    if cost.couples_samples:
        return variances_of_batch_loss(hamiltonian, outputs, covariance, targets)
    curvature = cost.curvature(outputs, targets)
    skew, rate = skewness(hamiltonian, outputs, covariance)
    slope = cost.signals(outputs, targets) - _slope_of_curvature(hamiltonian, outputs, covariance, targets)
    first, second = _directions(slope, curvature, covariance)
    exact = _by_different_shots(hamiltonian, outputs, covariance, slope, curvature, rate)
    expanded = _expanded(covariance, slope, curvature, skew, rate) - second.sum(axis=1) / 2.0
    unbiased = np.where(np.isfinite(exact), exact, expanded)
    # The remainder that belongs to no single direction is divided in proportion to their noise.
    own = first - second / 2.0
    whole = second.sum(axis=1, keepdims=True)
    shares = np.divide(second, whole, out=np.full_like(second, 1.0 / max(1, second.shape[1])), where=whole > 0.0)
    found = _positive(own + shares * (unbiased - own.sum(axis=1))[:, None], second).sum(axis=1)
    rough = _few_on_one_side(hamiltonian, outputs, rate) & (second.sum(axis=1) > found / 4.0)
    return found, np.where(rough, found, 0.0)


def variances_of_batch_loss(
    hamiltonian: NudgedHamiltonian, outputs: NDArray, covariance: NDArray, targets: NDArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what `variances_of_loss` returns for a loss of a batch: samples times the variance of its value for each.

    Shots of different samples are independent, so that S = L'' Cov takes the curvature between all samples, and all
    else that of each sample alone. Third derivatives of the loss are left out.

    Args:
        hamiltonian: Network and cost, with a loss of a batch.
        outputs: Measured expectations, shape (samples, outputs).
        covariance: Covariance of the outputs, shape (samples, outputs, outputs).
        targets: Shape (samples, targets).
    """
    cost, coupling = hamiltonian.cost, hamiltonian.cost.coupling(outputs, targets)
    size = coupling.shape[2]
    slope, curvature = cost.signals(outputs, targets) / size, cost.curvature(outputs, targets) / size
    batches = (len(outputs) // size, size)
    moved = np.einsum(
        "bsorp,brpq->bsorq",
        coupling.reshape(*batches, *coupling.shape[1:]) / size,
        covariance.reshape(*batches, *covariance.shape[1:]),
    )
    second = np.einsum("bsorq,brqso->b", moved, moved)
    skew, rate = skewness(hamiltonian, outputs, covariance)
    expanded = _expanded(covariance, slope, curvature, skew, rate).reshape(batches).sum(axis=1)
    found = _positive(expanded - second / 2.0, second)
    rough = _few_on_one_side(hamiltonian, outputs, rate).reshape(batches).any(axis=1) & (second > found / 4.0)
    found = np.repeat(found, size) * size
    return found, np.where(np.repeat(rough, size), found, 0.0)


def _directions(slope: NDArray, curvature: NDArray, covariance: NDArray) -> tuple[NDArray, NDArray]:
    """s.Cov s and tr(S^2) by directions of independent noise that L'' does not couple, shape (samples, directions)."""
    if not np.isfinite(covariance).all():
        return np.full(slope.shape, np.nan), np.full(slope.shape, np.nan)
    sizes, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(sizes, 0.0))[:, None, :]
    curvatures, turned = np.linalg.eigh(root.transpose(0, 2, 1) @ curvature @ root)
    along = np.einsum("so,sod,sde->se", slope, root, turned)
    return along**2, curvatures**2


def _by_different_shots(
    hamiltonian: NudgedHamiltonian,
    outputs: NDArray,
    covariance: NDArray,
    slope: NDArray,
    curvature: NDArray,
    rate: NDArray,
) -> NDArray[np.float64]:
    """Unbiased variances, shape (samples,), NaN where there are none.

    Outputs must be single Pauli strings with equal shots, at least four, and the curvature must not couple them.
    """
    means, sizes = hamiltonian.means_of_single_terms(outputs)
    shots = _shots(rate)
    own = np.einsum("soo->so", curvature)
    diagonal = (np.abs(curvature).sum(axis=(1, 2)) <= (1.0 + _ROUNDING) * np.abs(own).sum(axis=1)) & np.all(sizes)
    curvatures_of_mean = own * sizes**2
    offsets = curvatures_of_mean * means - sizes * slope  # the slope at a true mean <P> is curvature <P> - offset
    one, other = np.tril_indices(outputs.shape[1])
    together = covariance[:, one, other].any(axis=0)  # others are Pauli strings of different batches
    one, other = one[together], other[together]
    both = covariance[:, one, other] * (shots[:, None] - 1.0) / (sizes[one] * sizes[other])
    parts = _pair(
        (means[:, one], means[:, other], both + means[:, one] * means[:, other]),
        (curvatures_of_mean[:, one], curvatures_of_mean[:, other]),
        (offsets[:, one], offsets[:, other]),
        shots[:, None],
    )
    found = np.where(one == other, parts, 2.0 * parts)
    return np.where(diagonal, np.ascontiguousarray(found.T).sum(axis=0), np.nan)


def _shots(rate: NDArray) -> NDArray[np.float64]:
    """Number of shots that explains the variances, shape (samples,); NaN where outputs differ in it, or below four."""
    least = np.where(rate > 0.0, rate, np.inf).min(axis=1)
    same = np.isfinite(least) & (rate.max(axis=1) <= (1.0 + 1e-6) * least)
    shots = 1.0 + np.divide(1.0, least, out=np.full_like(least, np.nan), where=same)
    return np.where(shots >= _FEWEST_SHOTS - 1e-6, shots, np.nan)


def _pair(
    means: Sequence[NDArray], curvatures: Sequence[NDArray], offsets: Sequence[NDArray], shots: NDArray
) -> NDArray[np.float64]:
    """Unbiased contributions of pairs of Pauli strings P, Q to the variance, shape (samples, pairs).

    Args:
        means: Means of P, Q and PQ.
        curvatures: Curvature of the loss by <P>, and by <Q>.
        offsets: The slope of the loss by <P> is curvature <P> - offset; the same for <Q>.
        shots: Number of shots, shape (samples, 1).
    """
    sums = (shots, *(shots * mean for mean in means))
    known: dict[tuple[int, ...], NDArray] = {(): np.ones_like(shots)}

    def mean(*terms: int) -> NDArray:
        return _different(terms, sums, known) / np.prod([shots - k for k in range(len(terms))], axis=0)

    p, q, pq = _FIRST, _SECOND, _BOTH
    four = mean(p, p, q, q)
    slopes = curvatures[0] * curvatures[1] * (mean(p, q, pq) - four)
    slopes -= curvatures[0] * offsets[1] * (mean(p, pq) - mean(p, p, q)) + curvatures[1] * offsets[0] * (
        mean(q, pq) - mean(p, q, q)
    )
    slopes += offsets[0] * offsets[1] * (mean(pq) - mean(p, q))
    square = mean(pq, pq) - 2.0 * mean(p, q, pq) + four
    return slopes / shots + curvatures[0] * curvatures[1] * square / (2.0 * shots * (shots - 1.0))


def _different(
    terms: tuple[int, ...], sums: Sequence[NDArray], known: dict[tuple[int, ...], NDArray]
) -> NDArray[np.float64]:
    """Sum over tuples of different shots of the product of one Pauli string of each.

    Args:
        terms: Strings as bits: 1 for P, 2 for Q, 3 for PQ.
        sums: Sums of 1, P, Q and PQ over all shots.
        known: Results by their terms, which grow; without terms it is 1.
    """
    if terms not in known:
        *offsets, last = terms
        found = sums[last] * _different(tuple(offsets), sums, known)
        for place, string in enumerate(offsets):
            found = found - _different((*offsets[:place], string ^ last, *offsets[place + 1 :]), sums, known)
        known[terms] = found
    return known[terms]


def _expanded(
    covariance: NDArray, slope: NDArray, curvature: NDArray, skew: NDArray, rate: NDArray
) -> NDArray[np.float64]:
    """s.Cov s with measured slopes, whose own noise adds tr(S^2) to its mean.

    The reported loss has tr(S)/2 subtracted, which depends on the outputs: through L'', and through the variance of an
    output c P + a of one Pauli string, c^2 (1 - <P>^2) / (shots - 1). This also correlates slope and variance. The
    third cumulants of other outputs are taken as zero, as for normal noise.
    """
    own = np.einsum("soo->so", curvature)
    # Contributions of the changing variances to the slope, and to its derivative.
    pull, curvatures_of_mean = own * skew, own * rate
    slope = slope + pull
    plugged_in = np.einsum("so,sop,sp->s", slope, covariance, slope + 4.0 * pull)
    whole = curvature + curvatures_of_mean[:, :, None] * np.eye(curvature.shape[1])
    plugged_in -= 4.0 * np.einsum("sop,spq,sqo,so->s", covariance, whole, covariance, curvatures_of_mean)
    return np.asarray(plugged_in)


def _few_on_one_side(hamiltonian: NudgedHamiltonian, outputs: NDArray, rate: NDArray) -> NDArray[np.bool_]:
    """Mask of the samples in which an output of one Pauli string was +1, or -1, in few shots, shape (samples,)."""
    means, _ = hamiltonian.means_of_single_terms(outputs)
    return ((1.0 - np.abs(means)) / 2.0 < _FEWEST_ON_ONE_SIDE * rate).any(axis=1)


def _positive(unbiased: NDArray, second: NDArray) -> NDArray[np.float64]:
    """Unbiased variances where they are large, and positive values of the same mean where they are not.

    Near a minimum of the loss the slope does not exceed its noise, and unbiased variances are negative as often as not.
    If all were raised to the known part tr(S^2)/2, their mean would be twice too large. Below a threshold they are
    replaced by tr(S^2)/16. The threshold keeps the mean right to 5 % for normal noise and any slope.

    Args:
        unbiased: Estimated variances.
        second: tr(S^2), twice the variance where the slope is zero.
    """
    least = second / 16.0
    return np.maximum(least, np.minimum(unbiased, least + 4.0 * (unbiased - 1.425 * second)))


def _slope_of_curvature(
    hamiltonian: NudgedHamiltonian, outputs: NDArray, covariance: NDArray, targets: NDArray
) -> NDArray[np.float64]:
    """Derivatives of tr(L'' Cov) / 2 by the outputs at fixed covariance, shape (samples, outputs)."""
    found, shifts = np.zeros_like(outputs), _STEP * np.eye(outputs.shape[1])
    near = outputs + np.stack([shifts, -shifts], axis=1)[:, :, None]  # shape (outputs, sides, samples, outputs)
    every = np.tile(targets, (2 * len(shifts), 1))
    curvatures = hamiltonian.cost.curvature_near(near.reshape(-1, outputs.shape[1]), every)
    for output, pair in enumerate(curvatures.reshape(len(shifts), 2, *covariance.shape)):
        found[:, output] = ((pair[0] - pair[1]) * covariance).sum(axis=(1, 2)) / (4.0 * _STEP)
    return np.nan_to_num(found)  # a loss may be undefined beyond the range of the outputs


def skewness(hamiltonian: NudgedHamiltonian, outputs: NDArray, covariance: NDArray) -> tuple[NDArray, NDArray]:
    """Return minus half the first and second derivative of an output's variance by the output.

    Args:
        hamiltonian: Network and cost.
        outputs: Measured expectations, shape (samples, outputs).
        covariance: Covariance of the outputs, shape (samples, outputs, outputs).

    Returns:
        Two arrays of shape (samples, outputs), zero for outputs of several Pauli strings.
    """
    means, sizes = hamiltonian.means_of_single_terms(outputs)
    largest_variance = sizes**2 * (1.0 - np.clip(means, -1.0, 1.0) ** 2)
    variance = np.einsum("soo->so", covariance)
    rate = np.divide(
        variance, largest_variance, out=np.zeros_like(largest_variance), where=largest_variance > _ROUNDING * sizes**2
    )
    return sizes * means * rate, rate
