"""Moving the weights: gradient descent, momentum, Adam, and schedules of the learning rate.

An optimiser is immutable; what it remembers between steps is a dictionary of arrays that the trainer keeps
and checkpoints. The update subtracts the gradient, leaves frozen weights alone and projects on the bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.short_repr import short_repr

OptimizerState = dict[str, NDArray[np.float64]]


class Optimizer(Protocol):
    """Turns a gradient into a direction; the learning rate is applied outside."""

    def start(self, num_weights: int) -> OptimizerState:
        """Arrays to remember before the first step."""
        ...

    def direction(
        self, gradient: NDArray, optimizer_state: OptimizerState, step: int
    ) -> tuple[NDArray, OptimizerState]:
        """Direction to subtract, and the new memory; `step` counts from zero."""
        ...


@dataclass(frozen=True, slots=True)
class GradientDescent:
    """w <- w - lr * g.

    Example:
        >>> qep.GradientDescent().direction(np.array([0.5, -1.0]), {}, step=0)
        (array([ 0.5, -1. ]), {})
    """

    def start(self, num_weights: int) -> OptimizerState:
        """Nothing to remember."""
        return {}

    def direction(
        self, gradient: NDArray, optimizer_state: OptimizerState, step: int
    ) -> tuple[NDArray, OptimizerState]:
        """The gradient itself."""
        return gradient, optimizer_state


@dataclass(frozen=True, slots=True, kw_only=True)
class Momentum:
    """Heavy ball: v <- momentum * v + g, w <- w - lr * v.

    Args:
        momentum: In [0, 1).

    Example:
        >>> momentum = qep.Momentum(momentum=0.5)
        >>> momentum.direction(np.array([1.0]), {"velocity": np.array([2.0])}, step=1)[0]
        array([2.])
    """

    momentum: float = 0.9

    def __post_init__(self) -> None:
        _check_decay("momentum", self.momentum)

    def start(self, num_weights: int) -> OptimizerState:
        """A velocity of zero."""
        return {"velocity": np.zeros(num_weights)}

    def direction(
        self, gradient: NDArray, optimizer_state: OptimizerState, step: int
    ) -> tuple[NDArray, OptimizerState]:
        """The velocity."""
        velocity = self.momentum * optimizer_state["velocity"] + gradient
        return velocity, {"velocity": velocity}


@dataclass(frozen=True, slots=True, kw_only=True)
class Adam:
    """Adam (Kingma & Ba 2015, arXiv:1412.6980, algorithm 1).

    Args:
        beta1: Decay of the mean, in [0, 1).
        beta2: Decay of the squared mean, in [0, 1).
        epsilon: Added to the root of the squared mean, in units of the gradient.

    Example:
        >>> adam = qep.Adam()
        >>> adam.direction(np.array([0.5, -1.0]), adam.start(2), step=0)[0].round(6)
        array([ 1., -1.])
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        _check_decay("beta1", self.beta1)
        _check_decay("beta2", self.beta2)

    def start(self, num_weights: int) -> OptimizerState:
        """Both means at zero."""
        return {"mean": np.zeros(num_weights), "square": np.zeros(num_weights)}

    def direction(
        self, gradient: NDArray, optimizer_state: OptimizerState, step: int
    ) -> tuple[NDArray, OptimizerState]:
        """Bias-corrected mean over the root of the bias-corrected squared mean."""
        mean = self.beta1 * optimizer_state["mean"] + (1 - self.beta1) * gradient
        square = self.beta2 * optimizer_state["square"] + (1 - self.beta2) * gradient**2
        corrected = mean / (1 - self.beta1 ** (step + 1))
        scale = np.sqrt(square / (1 - self.beta2 ** (step + 1))) + self.epsilon
        return corrected / scale, {"mean": mean, "square": square}


def _check_decay(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ConfigError(f"{name}: expected a number in [0, 1), got {value}")


_DECAYS: dict[str, Callable[[float, float], float]] = {
    "constant": lambda progress, final: 1.0,
    "linear": lambda progress, final: 1.0 + (final - 1.0) * progress,
    "cosine": lambda progress, final: final + (1.0 - final) * (1.0 + np.cos(np.pi * progress)) / 2.0,
    "exponential": lambda progress, final: final**progress,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Learning rate over the run.

    Args:
        learning_rate: At the start.
        decay: ``"constant"``, ``"linear"``, ``"cosine"`` or ``"exponential"``.
        final_fraction: Share of the starting rate that is left at the end of the run.

    Raises:
        ConfigError: The rate is not positive or the fraction is outside (0, 1].

    Example:
        >>> schedule = qep.Schedule(learning_rate=0.1, decay="linear", final_fraction=0.5)
        >>> [round(schedule.at(step, total_steps=3), 3) for step in range(3)]
        [0.1, 0.075, 0.05]
    """

    learning_rate: float = 0.05
    decay: Literal["constant", "linear", "cosine", "exponential"] = "constant"
    final_fraction: float = 0.05

    def __post_init__(self) -> None:
        if not (self.learning_rate > 0 and np.isfinite(self.learning_rate)):
            raise ConfigError(f"learning_rate: expected a positive number, got {self.learning_rate}")
        if not 0 < self.final_fraction <= 1:
            raise ConfigError(f"final_fraction: expected a number in (0, 1], got {self.final_fraction}")
        if self.decay not in _DECAYS:
            raise ConfigError(f"decay: expected one of {', '.join(_DECAYS)}, got '{self.decay}'")

    def at(self, step: int, total_steps: int) -> float:
        """Rate of a step, counted from zero."""
        progress = min(1.0, step / max(1, total_steps - 1))
        return self.learning_rate * float(_DECAYS[self.decay](progress, self.final_fraction))


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One step of the weights.

    Args:
        optimizer: Direction of the step.
        schedule: Length of the step.
        normalize: Scale every gradient to length one first.

    Example:
        >>> update = qep.Update(optimizer=qep.GradientDescent(), schedule=qep.Schedule(learning_rate=0.1))
        >>> trainable, bounds = np.array([True, False]), (np.full(2, -1.0), np.full(2, 1.0))
        >>> step = {"step": 0, "total_steps": 1, "trainable": trainable, "bounds": bounds}
        >>> update.apply(np.zeros(2), np.array([1.0, 1.0]), {}, **step)[0]
        array([-0.1,  0. ])
    """

    optimizer: Optimizer = field(default_factory=Adam)
    schedule: Schedule = field(default_factory=Schedule)
    normalize: bool = False

    def apply(
        self,
        weights: NDArray,
        gradient: NDArray,
        optimizer_state: Mapping[str, NDArray],
        *,
        step: int,
        total_steps: int,
        trainable: NDArray[np.bool_],
        bounds: tuple[NDArray, NDArray],
    ) -> tuple[NDArray, OptimizerState]:
        """New weights and new memory.

        Args:
            weights: Shape (weights,).
            gradient: Shape (weights,), d(cost)/d(weight).
            optimizer_state: What the optimiser remembers.
            step: Counted from zero.
            total_steps: Length of the run, for the schedule.
            trainable: Shape (weights,); the others stay as they are.
            bounds: Lower and upper, each of shape (weights,).
        """
        slope = np.where(trainable, gradient, 0.0)
        length = float(np.linalg.norm(slope))
        if self.normalize and length > 0:
            slope = slope / length
        direction, optimizer_state_ = self.optimizer.direction(slope, dict(optimizer_state), step)
        moved = np.clip(weights - self.schedule.at(step, total_steps) * direction, *bounds)
        return np.where(trainable, moved, weights), optimizer_state_
