"""Gradients that are not there: below their own shot noise since the run began, or exactly zero.

One gradient below its noise says little: a run on one shot a step learns from the sum of many. So gradients are summed
over the steps, where a true one grows like their number and noise like its root. A run is *lost in noise* when the
squared length of that sum, |G|^2, and that of each do not exceed twice what noise gives, V, and the loss has not moved.
Learning may begin late, so for the first few hundred steps this is only counted. The same within a window after the
loss has moved means that the gradient has sunk to where more shots are needed, as it does near every minimum. Noise
alone has |G|^2 / V of mean one and a standard deviation of at most 1.4. Every window is as long as all before it, so
that a slow learner is seen at last, and the last one ends with the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import DeadGradientWarning, NoisyGradientWarning
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
    "the loss has fallen and gradients have sunk into their shot noise, as near every minimum; more measurement.shots "
    "or measurement.adaptive would go on from there"
)
_ONE_TEXT = (
    "the gradient cannot be told from its own shot noise. Raise measurement.shots or contrast.beta (qep budget finds "
    "both)"
)
_SYMMETRIC_TEXT = (
    "the gradient is exactly zero, because a symmetry keeps the outputs at zero: break it with network.biases, or with "
    "inputs other than zero"
)
_STILL_TEXT = (
    "the gradient is exactly zero although the cost is not: the nudge moves no state. Raise contrast.beta (classical "
    "spins answer beyond a threshold only), keep network.fields.minimum above zero, or join the outputs to the inputs"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LossWindow:
    """Losses of the steps of a window.

    Args:
        steps: How many.
        total: Their sum.
        square: The sum of their squares.
    """

    steps: int = 0
    total: float = 0.0
    square: float = 0.0

    def after(self, loss: float) -> LossWindow:
        """With one more."""
        return LossWindow(steps=self.steps + 1, total=self.total + loss, square=self.square + loss**2)

    @property
    def mean(self) -> float:
        """Mean loss."""
        return self.total / self.steps

    @property
    def variance(self) -> float:
        """Of the mean, by the scatter of the steps."""
        return max(self.square / self.steps - self.mean**2, 0.0) / self.steps

    @property
    def least(self) -> float:
        """What the mean loss is for sure."""
        return self.mean - float(_MOVED * np.sqrt(self.variance))

    def is_above(self, other: LossWindow) -> bool:
        """Whether the loss has fallen from here to there for sure."""
        return self.mean - other.mean > _MOVED * np.sqrt(self.variance + other.variance)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GradientMonitor:
    """What is remembered of the gradients of a run, over the weights that train.

    Args:
        zeros: Steps, up to now, whose gradient was exactly zero although the cost was not.
        total: Sum of the gradients of whole windows, shape (weights,); empty before the first step.
        total_noise: What noise alone gives its squared length.
        window: Sum over the present window.
        window_noise: What noise alone gives its squared length.
        squares: Sum of the squared lengths of all gradients.
        highest: Losses of the whole window that had the highest for sure.
        losses: Losses of the present window.
        steps: Steps in whole windows.
        found: Whether gradients have ever added up to far more than noise.
    """

    zeros: int = 0
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
        """With the gradient of one more step; warns where gradients are not there.

        Args:
            estimate: The gradient.
            trainable: Shape (weights,).
            per_epoch: Steps of an epoch.
            steps: Steps of the run.
        """
        zeros = self.zeros + 1 if _is_dead(estimate, trainable) else 0
        enough = min(max(_MOST_ZEROS, per_epoch), max(2, steps))
        warn_of_zeros = zeros if zeros == enough else int(zeros > enough)
        if warn_of_zeros:
            warn(DeadGradientWarning, _why_dead(estimate), detail=f"for {zeros} steps", affected=warn_of_zeros)
        gradient = np.where(trainable, estimate.gradient, 0.0)
        known = (
            self if self.window.size else replace(self, window=np.zeros_like(gradient), total=np.zeros_like(gradient))
        )
        longer = replace(
            known,
            zeros=zeros,
            window=known.window + gradient,
            window_noise=known.window_noise + _noise_of(estimate, trainable),
            squares=known.squares + float(gradient @ gradient),
            losses=known.losses.after(estimate.cost.mean),
        )
        is_last = longer.steps + longer.losses.steps == steps
        full = longer.losses.steps == max(_SHORTEST_WINDOW, per_epoch, longer.steps)
        return longer._judged(is_last=is_last) if full or is_last else longer

    def _judged(self, *, is_last: bool) -> GradientMonitor:
        """At the end of a window: judge it, and begin a new one. That nothing was learned is sure at the end only."""
        total, noise, steps = self.total + self.window, self.total_noise + self.window_noise, self.losses.steps
        found = self.found or (noise > 0.0 and not _is_lost(total, _FOUND / _LOST * noise))
        highest = self.highest
        if self.steps and noise > 0.0:
            moved = highest.is_above(self.losses)
            below = self.squares < _LOST * noise  # each alone, and their sum
            if not moved and not found and below and _is_lost(total, noise):
                detail = f"length {_length(total):.3g} of their sum, {np.sqrt(noise):.3g} by noise alone"
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
            total=total,
            total_noise=noise,
            squares=self.squares,
            window=np.zeros_like(total),
            highest=highest,
            steps=self.steps + steps,
            found=found,
        )

    def record(self) -> dict[str, Any]:
        """The plain numbers, for a checkpoint; `arrays` are kept beside them."""
        losses = {"highest": self.highest, "losses": self.losses}
        names = ("zeros", "total_noise", "window_noise", "squares", "steps", "found")
        plain = {name: getattr(self, name) for name in names}
        return plain | {name: [own.steps, own.total, own.square] for name, own in losses.items()}

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """The sums of gradients, for a checkpoint."""
        return {"total": self.total, "window": self.window}

    @classmethod
    def from_record(cls, record: Mapping[str, Any], arrays: Mapping[str, NDArray[np.float64]]) -> GradientMonitor:
        """The inverse of `record` and `arrays`."""
        windows = {
            name: LossWindow(steps=int(record[name][0]), total=float(record[name][1]), square=float(record[name][2]))
            for name in ("highest", "losses")
        }
        return cls(
            zeros=int(record["zeros"]),
            steps=int(record["steps"]),
            found=bool(record["found"]),
            total_noise=float(record["total_noise"]),
            window_noise=float(record["window_noise"]),
            squares=float(record["squares"]),
            total=arrays["total"],
            window=arrays["window"],
            **windows,
        )


def check_estimate(estimate: GradientEstimate, trainable: NDArray[np.bool_]) -> None:
    """Warn where a single gradient is exactly zero, or within two standard deviations of what noise alone gives.

    Under noise alone |g|^2 has the mean of the summed variances and, for independent weights, the variance of twice the
    sum of their squares.

    Args:
        estimate: The gradient.
        trainable: Shape (weights,).
    """
    if _is_dead(estimate, trainable):
        warn(DeadGradientWarning, _why_dead(estimate), severity="warning")
        return
    gradient, noise = np.where(trainable, estimate.gradient, 0.0), _noise_of(estimate, trainable)
    square_error = np.sqrt(2.0 * np.square(np.nan_to_num(estimate.variance[trainable])).sum())
    if noise > 0.0 and gradient @ gradient < noise + _MANY_ERRORS * square_error:
        detail = f"length {_length(gradient):.3g}, {np.sqrt(noise):.3g} by noise alone"
        warn(NoisyGradientWarning, _ONE_TEXT, detail=detail)


def _is_dead(estimate: GradientEstimate, trainable: NDArray) -> bool:
    """Whether the gradient is exactly zero and something is left to learn."""
    dead = trainable.any() and not estimate.gradient[trainable].any()
    return bool(dead and (estimate.cost.values != 0.0).any())


def _why_dead(estimate: GradientEstimate) -> str:
    outputs = estimate.outputs
    symmetric = outputs is not None and np.abs(outputs).max(initial=0.0) < _AT_ZERO
    return _SYMMETRIC_TEXT if symmetric else _STILL_TEXT


def _noise_of(estimate: GradientEstimate, trainable: NDArray) -> float:
    """Squared length that noise alone gives; steps that cannot tell count as none."""
    return float(np.nan_to_num(np.maximum(estimate.variance[trainable], 0.0)).sum())


def _is_lost(gradient: NDArray, noise: float) -> bool:
    return float(gradient @ gradient) < _LOST * noise


def _length(gradient: NDArray) -> float:
    return float(np.linalg.norm(gradient))
