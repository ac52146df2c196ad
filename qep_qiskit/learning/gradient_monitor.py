"""Warnings of gradients that are hidden by their shot noise over many steps, or are exactly zero.

A single gradient below its noise says little: a run with one shot a step learns from the sum of many. So gradients are
summed over the steps, where a true gradient grows as their number and noise as its root. A run is *lost in noise* when
the squared length of that sum, |G|^2, and the sum of the squared lengths of all gradients do not exceed twice what
noise gives, V, and the loss has not changed. Learning may begin late, so this is only counted in the first few hundred
steps. The same within a window after the loss has changed means that the gradient is so small that more shots are
needed, as near every minimum. Noise alone has |G|^2 / V of mean one and a standard deviation of at most 1.4. Every
window is as long as all before it together, so that slow learning is detected, and the last one ends with the run.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import DeadGradientWarning, NoisyGradientWarning
from qep_qiskit.core.json_record import JsonRecord
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.core.warning_log import warn
from qep_qiskit.learning.gradient_estimate import GradientEstimate

_SHORTEST_WINDOW = 20
_MOST_ZEROS = 10
_RETRIES = 320  # steps
_LOST = 2.0
_FOUND = 4.0
_MOVED = 3.0  # standard errors
_MANY_ERRORS = 2.0
_AT_ZERO = 1e-9

_LOST_TEXT = (
    "gradients have not added up to more than their own shot noise, and the loss has not moved. Raise "
    "measurement.shots or contrast.beta (qep budget finds both), or let measurement.adaptive raise the shots; at few "
    "shots it may take many steps until learning begins"
)
_SUNK_TEXT = (
    "the loss has fallen and gradients no longer exceed their shot noise, as near every minimum; more "
    "measurement.shots or measurement.adaptive would continue the descent"
)
_ONE_TEXT = (
    "the gradient cannot be distinguished from its own shot noise. Raise measurement.shots or contrast.beta (qep "
    "budget finds both)"
)
_SYMMETRIC_TEXT = (
    "the gradient is exactly zero, because a symmetry keeps the outputs at zero: break it with network.biases, or with "
    "inputs other than zero"
)
_STILL_TEXT = (
    "the gradient is exactly zero although the cost is not: the nudge moves no state, or no spin or product of spins "
    "that a trainable weight multiplies. Raise contrast.beta (classical spins respond above a threshold only), keep "
    "network.fields.minimum above zero, or connect outputs and inputs"
)
_ONE_STATE_TEXT = (
    "the gradient is exactly zero: the outputs are the same for all samples, as of one state, and the nudge is below "
    "the gap to the next state. Raise contrast.beta, start from smaller weights or larger inputs so that samples "
    "differ, or connect outputs and inputs"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LossWindow(JsonRecord):
    """Sums of the losses of the steps in a window.

    Args:
        steps: Number of steps.
        total: Sum of losses.
        square: Sum of squared losses.
    """

    steps: int = 0
    total: float = 0.0
    square: float = 0.0

    def after(self, loss: float) -> LossWindow:
        """Return the window with one more loss."""
        return LossWindow(steps=self.steps + 1, total=self.total + loss, square=self.square + loss**2)

    @property
    def mean(self) -> float:
        """Mean loss."""
        return self.total / self.steps

    @property
    def variance(self) -> float:
        """Variance of the mean loss, by the scatter of the steps."""
        return max(self.square / self.steps - self.mean**2, 0.0) / self.steps

    @property
    def least(self) -> float:
        """Lower bound of the mean loss, by three standard errors."""
        return self.mean - float(_MOVED * np.sqrt(self.variance))

    def is_above(self, other: LossWindow) -> bool:
        """Return whether the mean loss exceeds that of another window by more than three standard errors."""
        return self.mean - other.mean > _MOVED * np.sqrt(self.variance + other.variance)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GradientMonitor(JsonRecord):
    """Sums over the gradients of a run, for the trainable weights.

    Args:
        zeros: Number of steps whose gradient was exactly zero although the cost was not, since the last gradient that
            was not zero.
        common: Outputs that all samples of these steps share, shape (outputs,); empty where samples differ, or where
            outputs are not known.
        total: Sum of the gradients of complete windows, shape (weights,); empty before the first step.
        total_noise: Expected squared length of `total` by noise alone.
        window: Sum of the gradients of the current window, shape (weights,).
        window_noise: Expected squared length of `window` by noise alone.
        squares: Sum of the squared lengths of all gradients.
        highest: Losses of the complete window with the highest lower bound of the mean.
        losses: Losses of the current window.
        steps: Number of steps in complete windows.
        found: Whether summed gradients have exceeded noise by far at the end of any window.
    """

    zeros: int = 0
    common: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    total: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    total_noise: float = 0.0
    window: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    window_noise: float = 0.0
    squares: float = 0.0
    highest: LossWindow = field(default_factory=LossWindow)
    losses: LossWindow = field(default_factory=LossWindow)
    steps: int = 0
    found: bool = False

    def after(
        self, estimate: GradientEstimate, trainable: NDArray[np.bool_], *, per_epoch: int, steps: int
    ) -> GradientMonitor:
        """Return the monitor after one more step, and warn where gradients are hidden by noise or zero.

        Args:
            estimate: Gradient of the step.
            trainable: Mask of the trainable weights, shape (weights,).
            per_epoch: Number of steps in an epoch.
            steps: Number of steps in the run.
        """
        dead, still = _is_dead(estimate, trainable), _is_zero(estimate, trainable)
        zeros = self.zeros + dead if still else 0  # a batch that is right ends no series: others may still be wrong
        common = _common_outputs(estimate, self.common if self.zeros else None) if zeros else np.zeros(0)
        enough = min(max(_MOST_ZEROS, per_epoch), max(2, steps))
        warn_of_zeros = dead * (zeros if zeros == enough else int(zeros > enough))
        if warn_of_zeros:
            detail = f"for {amount(zeros, 'step')}{_threshold(estimate)}"
            warn(DeadGradientWarning, _why_dead(estimate, common, steps=zeros), detail=detail, affected=warn_of_zeros)
        gradient = np.where(trainable, estimate.gradient, 0.0)
        known = (
            self if self.window.size else replace(self, window=np.zeros_like(gradient), total=np.zeros_like(gradient))
        )
        longer = replace(
            known,
            zeros=zeros,
            common=common,
            window=known.window + gradient,
            window_noise=known.window_noise + _noise_of(estimate, trainable),
            squares=known.squares + float(gradient @ gradient),
            losses=known.losses.after(estimate.cost.mean),
        )
        is_last = longer.steps + longer.losses.steps == steps
        full = longer.losses.steps == max(_SHORTEST_WINDOW, per_epoch, longer.steps)
        return longer._judged(is_last=is_last) if full or is_last else longer

    def _judged(self, *, is_last: bool) -> GradientMonitor:
        """Evaluate a window at its end, warn, and start a new one.

        Only the end of a run shows for certain that nothing was learned; before it the severity is lower.
        """
        total, noise, steps = self.total + self.window, self.total_noise + self.window_noise, self.losses.steps
        found = self.found or (noise > 0.0 and not _is_lost(total, _FOUND / _LOST * noise))
        highest = self.highest
        if self.steps and noise > 0.0:
            moved = highest.is_above(self.losses)
            below = self.squares < _LOST * noise  # each alone, and their sum
            if not moved and not found and below and _is_lost(total, noise):
                detail = f"length {np.linalg.norm(total):.3g} of their sum, {np.sqrt(noise):.3g} by noise alone"
                warn(
                    NoisyGradientWarning,
                    _LOST_TEXT,
                    detail=f"{self.steps + steps} steps: {detail}",
                    affected=steps,
                    severity="warning" if is_last else "note",
                    quiet=not is_last and self.steps + steps < _RETRIES,
                )
            elif moved and _is_lost(self.window, self.window_noise):
                warn(NoisyGradientWarning, _SUNK_TEXT, affected=steps, severity="note", quiet=True)
        if not self.steps or self.losses.least > highest.least:
            highest = self.losses
        return GradientMonitor(
            zeros=self.zeros,
            common=self.common,
            total=total,
            total_noise=noise,
            squares=self.squares,
            window=np.zeros_like(total),
            highest=highest,
            steps=self.steps + steps,
            found=found,
        )


def check_estimate(estimate: GradientEstimate, trainable: NDArray[np.bool_]) -> None:
    """Warn where a single gradient is exactly zero, or within two standard deviations of what noise alone gives.

    Under noise alone |g|^2 has the mean of the summed variances and, for independent weights, the variance of twice the
    sum of their squares.

    Args:
        estimate: The gradient.
        trainable: Mask of the trainable weights, shape (weights,).
    """
    if _is_dead(estimate, trainable):
        text = _why_dead(estimate, _common_outputs(estimate, None), steps=1)
        warn(DeadGradientWarning, text, detail=_threshold(estimate).removeprefix("; "), severity="warning")
        return
    gradient, noise = np.where(trainable, estimate.gradient, 0.0), _noise_of(estimate, trainable)
    square_error = np.sqrt(2.0 * np.square(np.nan_to_num(estimate.variance[trainable])).sum())
    if noise > 0.0 and gradient @ gradient < noise + _MANY_ERRORS * square_error:
        detail = f"length {np.linalg.norm(gradient):.3g}, {np.sqrt(noise):.3g} by noise alone"
        warn(NoisyGradientWarning, _ONE_TEXT, detail=detail)


def _is_dead(estimate: GradientEstimate, trainable: NDArray) -> bool:
    """Whether the gradient is exactly zero although weights are trainable and the cost is not zero."""
    return _is_zero(estimate, trainable) and bool((estimate.cost.values != 0.0).any())


def _is_zero(estimate: GradientEstimate, trainable: NDArray) -> bool:
    return bool(trainable.any()) and not estimate.gradient[trainable].any()


def _why_dead(estimate: GradientEstimate, common: NDArray, *, steps: int) -> str:
    """Return the cause; `common` are the outputs that all samples of the steps share."""
    outputs = estimate.outputs
    if outputs is not None and np.abs(outputs).max(initial=0.0) < _AT_ZERO:
        return _SYMMETRIC_TEXT
    several = outputs is not None and steps * len(outputs) > 1
    return _ONE_STATE_TEXT if several and common.size else _STILL_TEXT


def _common_outputs(estimate: GradientEstimate, before: NDArray | None) -> NDArray[np.float64]:
    """Return the outputs that all samples share, with those of the steps before if given; empty where they differ."""
    outputs = estimate.outputs
    if outputs is None or not outputs.size:
        return np.zeros(0)
    shared = np.asarray(outputs[0], dtype=float)
    same = np.array_equal(outputs, np.broadcast_to(shared, outputs.shape))
    return shared if same and (before is None or np.array_equal(before, shared)) else np.zeros(0)


def _threshold(estimate: GradientEstimate) -> str:
    """Return up to which nudge no state can move, where gaps are known."""
    gap, limit = estimate.diagnostics.gap, estimate.diagnostics.weyl_beta
    known = np.isfinite(gap) and np.isfinite(limit)
    return f"; gap {gap:.3g}, no state moves at |beta| below {limit:.3g}" if known else ""


def _noise_of(estimate: GradientEstimate, trainable: NDArray) -> float:
    """Expected squared length by noise alone; unknown variances count as zero."""
    variance = estimate.variance[trainable]
    return float(np.where(variance > 0.0, variance, 0.0).sum())


def _is_lost(gradient: NDArray, noise: float) -> bool:
    return float(gradient @ gradient) < _LOST * noise
