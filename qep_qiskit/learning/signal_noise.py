"""Noise of the error signals in a gradient.

Error signals follow from a finite shot batch. Their noise enters the nudge and, through the response of the network,
the nudged means. To first order,

    d = R eps ,      delta d = R delta eps ,      delta eps = K delta P_free ,

with d the derivatives of all terms by beta, eps the signals and K the slope of the signals by the free means. The
response R (estimates x outputs) is not measured separately, and one nudge does not determine the response to each of
several outputs. But the free shots show how terms and outputs fluctuate together, and where one excitation dominates,
the response is minus a gain times these covariances (in a Gibbs state of classical spins this is exact). The gain is
one number for all estimates and outputs. It is estimated from d and eps of the batch and from a prior. Deviations from
this response, and the response of estimates that the free shots do not measure, are regressed on the batch, separately
for every estimate, with a prior of mean zero whose width follows from the Cauchy-Schwarz inequality. The variance that
remains is added to the covariance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.learning.error_signals import SignalBatch

_GAIN_WIDTH = 0.4  # relative width of the prior of the gain
# Widths of the prior of deviations, as fractions of V_t V_o.
_SEEN_WIDTH = 0.05  # estimates that the free shots measure
_MOVED_WIDTH = 0.5  # other terms that anticommute with the output, or may do so
_OTHER_WIDTH = 0.1  # all other terms

# Squared signals over their noise, above which they determine a gain without a prior.
_STANDING_OUT = 2.0
_ROUNDING = 1e-9
_STEP = 1e-3
_LEAST_SECANT = 0.1
UNSEEN_SHARE = 2.0 * _GAIN_WIDTH
"""Relative uncertainty of a variance, from that of a response that is not in the data."""
_LEAST_SIGNAL = 0.1  # of the largest direction, from which on one is in the data


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UsedPhases:
    """Phases of a contrast.

    Args:
        betas: Nudges, shape (phases,).
        stencil: Weight of every phase, shape (phases,).
        mean_noise: Variances of the estimates in a phase with the mean shots, shape (samples, estimates).
        free_weight: Stencil weight of the free phase where it is measured by the same shots as the signals and shares
            their noise; otherwise 0.
        sizes: What the nudge of every sample was divided by, and its contrast multiplied by, shape (samples,); zero
            for one without error.
    """

    betas: NDArray[np.float64]
    stencil: NDArray[np.float64]
    mean_noise: NDArray[np.float64]
    free_weight: float
    sizes: NDArray[np.float64]


def with_signal_noise(
    covariance: NDArray, derivative: NDArray, batch: SignalBatch, used: UsedPhases
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the covariance of derivatives with the noise of the error signals added.

    Args:
        covariance: Covariance of the derivatives at fixed error signals, shape (samples, estimates, estimates).
        derivative: Derivatives of the estimates by beta, shape (samples, estimates).
        batch: Error signals with shot noise.
        used: Phases of the contrast.
    """
    found = expected_response(covariance, derivative, batch, used)
    noise, shared, bend = batch.noise, batch.fluctuations, found.bend
    through_signals = bend[:, None, None] * found.response @ batch.slope
    total = covariance + through_signals @ batch.covariance @ through_signals.transpose(0, 2, 1)
    if used.free_weight:
        cross = used.free_weight * used.sizes[:, None, None] * (through_signals @ batch.covariance)
        total = total + cross + cross.transpose(0, 2, 1)
    uncertain = np.einsum("top,sop->st", found.residual_variance, noise)
    uncertain += found.gain_variance * np.einsum("sto,sop,stp->st", shared, noise, shared)
    uncertain *= bend[:, None] ** 2
    diagonal = np.arange(total.shape[1])
    total[:, diagonal, diagonal] += uncertain
    unseen = bend[:, None, None] * found.response @ unseen_directions(batch.signals) @ batch.slope
    uncertain += UNSEEN_SHARE * np.einsum("stu,suv,stv->st", unseen, batch.covariance, unseen)
    return total, uncertain


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExpectedResponse:
    """Response of the derivatives to the error signals, as a batch and a prior give it.

    Args:
        response: Shape (samples, estimates, outputs).
        residual_variance: Covariance of its deviations, equal for all samples, shape (estimates, outputs, outputs).
        gain_variance: Variance of the gain, equal for all samples, estimates and outputs.
        bend: Slope of the response at a strong nudge over its secant, shape (samples,).
    """

    response: NDArray[np.float64]
    residual_variance: NDArray[np.float64]
    gain_variance: float
    bend: NDArray[np.float64]


def expected_response(
    covariance: NDArray, derivative: NDArray, batch: SignalBatch, used: UsedPhases
) -> ExpectedResponse:
    """Return the response of the derivatives to error signals; the arguments are those of `with_signal_noise`.

    Args:
        covariance: Covariance of the derivatives at fixed error signals, shape (samples, estimates, estimates).
        derivative: Derivatives of the estimates by beta, shape (samples, estimates).
        batch: Error signals with shot noise.
        used: Phases of the contrast.
    """
    signals, shared = batch.signals, batch.fluctuations
    fixed = np.einsum("stt->st", covariance)
    # Noise that the free phase and the signals share adds this to sum_s eps d; it is no response.
    free = used.free_weight
    common = free * np.einsum("s,sou,sut->sot", used.sizes, batch.slope, batch.covariance) if free else 0.0
    secant, bend = _bending(batch, used)
    gain, gain_variance = _gain(covariance, derivative, batch, common, secant)
    widths = np.where(batch.moved, _MOVED_WIDTH, _OTHER_WIDTH)
    widths[shared.any(axis=(0, 2))] = _SEEN_WIDTH
    rest, residual_variance = _deviations(
        signals,
        derivative + gain * np.einsum("sto,so->st", shared, signals),
        fixed,
        common,
        prior=(gain**2 + gain_variance)
        * widths
        * (used.mean_noise.T @ np.einsum("soo->so", batch.output_covariance))
        / len(signals),
    )
    return ExpectedResponse(
        response=rest - gain * shared, residual_variance=residual_variance, gain_variance=gain_variance, bend=bend
    )


def unseen_directions(signals: NDArray) -> NDArray[np.float64]:
    """Projector on the combinations of outputs that no sample's signals point to, shape (outputs, outputs).

    The response to these is not in the data: it comes from the fluctuations and one gain for all outputs alone.
    """
    _, sizes, directions = np.linalg.svd(signals, full_matrices=True)
    seen = directions[: len(sizes)][sizes > _LEAST_SIGNAL * sizes.max(initial=0.0)]
    return np.eye(signals.shape[1]) - seen.T @ seen


def _bending(batch: SignalBatch, used: UsedPhases) -> tuple[float, NDArray[np.float64]]:
    """Saturation of the response at strong nudges: secant over slope at zero, and slope over secant, shape (samples,).

    With one excitation of energy D, a change S of the mean of the nudging operator N by this excitation, and a variance
    W^2 of N, the state at beta has the energy (D + beta S)/2 - (((D + beta S)/2)^2 + (beta W)^2)^(1/2). The mean of N
    is its derivative by beta, which saturates: a contrast changes less with the signals than the ratio of contrast and
    signals. Where nudges are divided by the size of the signals, it changes by this ratio.
    """
    betas, stencil, sizes = used.betas, used.stencil, used.sizes
    ones = np.ones(len(batch.signals))
    if batch.excitation is None or batch.excitation.shift is None or abs(float(stencil @ betas) - 1.0) > _ROUNDING:
        return 1.0, ones  # no expected excitation, or the stencil is no derivative
    shots, shift = batch.excitation.shots, batch.excitation.shift[:, None]
    energy = 2.0 * shots / batch.excitation.gain
    square = shots * np.einsum("so,sop,sp->s", batch.signals, batch.output_covariance, batch.signals)[:, None]

    def contrast(scale: float) -> NDArray:
        nudge = scale * betas / np.where(sizes > 0.0, sizes, 1.0)[:, None]
        half = (energy + nudge * shift) / 2.0
        root = np.maximum(np.sqrt(half**2 + nudge**2 * square), _ROUNDING * energy)
        return np.asarray((shift / 2.0 - (half * shift / 2.0 + nudge * square) / root) @ stencil) * sizes

    linear, whole = -2.0 * square[:, 0] / energy, contrast(1.0)
    slope = (contrast(1.0 + _STEP) - contrast(1.0 - _STEP)) / (2.0 * _STEP)
    seen = (whole < _LEAST_SECANT * linear) & (whole > linear / _LEAST_SECANT)  # values beyond are rounding errors
    if not seen.any():
        return 1.0, ones
    bend = np.clip(np.divide(slope, whole, out=ones.copy(), where=seen), 0.0, 2.0)
    return float(whole[seen].sum() / linear[seen].sum()), bend if batch.size_slope is None else ones


def _gain(
    covariance: NDArray, derivative: NDArray, batch: SignalBatch, common: NDArray | float, secant: float
) -> tuple[float, float]:
    """Mean and variance of the gain, from its prior and from the derivatives that it explains.

    Without a prior expectation the prior has mean zero, and its variance is the squared gain of the data minus its
    noise. Where the signals also hardly exceed their own noise, as on a target, the gain is set to zero, because a
    quotient of two noises has no mean.
    """
    explained = -np.einsum("sto,so->st", batch.fluctuations, batch.signals)
    size = float((explained**2).sum())
    noise = float(np.einsum("st,stu,su->", explained, covariance, explained))
    product = float((explained * derivative).sum() + (batch.fluctuations.transpose(0, 2, 1) * common).sum())
    precision = size**2 / noise if noise > 0.0 else 0.0
    if batch.excitation is not None:
        expected = secant * batch.excitation.gain
        width = (_GAIN_WIDTH * expected) ** 2
        if width == 0.0:  # the gap is so large that no state responds
            return 0.0, 0.0
        own = 1.0 / width
        found = product / size if size > 0.0 else 0.0
        return (own * expected + precision * found) / (own + precision), 1.0 / (own + precision)
    stands_out = float((batch.signals**2).sum()) > _STANDING_OUT * float(np.einsum("soo->", batch.noise))
    if precision == 0.0 or not stands_out:
        return 0.0, 0.0
    found = product / size
    share = max(0.0, 1.0 - 1.0 / (precision * found**2)) if found else 0.0
    return found * share, share / precision


def _deviations(
    signals: NDArray, derivative: NDArray, noise: NDArray, common: NDArray | float, prior: NDArray
) -> tuple[NDArray, NDArray]:
    """Posterior of responses with a prior of mean zero: shape (estimates, outputs), and covariances of each estimate.

    Args:
        signals: Shape (samples, outputs).
        derivative: Shape (samples, estimates).
        noise: Variances of the derivatives, shape (samples, estimates).
        common: Expected product of the noise of signals and derivatives, shape (samples, outputs, estimates), or 0.
        prior: Prior variances, shape (estimates, outputs).
    """
    seen = noise > _ROUNDING * noise.max(initial=0.0)
    precision = np.divide(1.0, noise, out=np.zeros_like(noise), where=seen)
    gram = np.einsum("so,sp,st->top", signals, signals, precision)
    products = np.einsum("sot,st->to", signals[:, :, None] * derivative[:, None, :] - common, precision)
    # (1/prior + gram)^-1 without the inverse of a prior that may be zero.
    root = np.sqrt(np.maximum(prior, 0.0))
    inner = np.eye(prior.shape[1]) + root[:, :, None] * gram * root[:, None, :]
    covariance = root[:, :, None] * np.linalg.inv(inner) * root[:, None, :]
    return np.einsum("top,tp->to", covariance, products), covariance
