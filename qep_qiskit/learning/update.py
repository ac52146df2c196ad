"""Updates of the weights: gradient descent, momentum, Adam, and schedules of the learning rate.

A trainer asks an update rule what to measure in a step, and where the weights are after it. An optimiser is immutable.
Its state between steps is a dictionary of arrays that the trainer keeps and saves in checkpoints. An update subtracts
the gradient, leaves frozen weights unchanged and clips weights to their bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, Protocol

import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.limits import NotNegative, Positive, check_limits
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.learning.gradient import GradientEstimator
from qep_qiskit.learning.gradient_batch import GradientBatch
from qep_qiskit.learning.gradient_estimate import GradientEstimate
from qep_qiskit.measurement import MeasurementCoroutine
from qep_qiskit.network import WeightLayout

_Decay = Annotated[float, Ge(0), Lt(1)]
DecayShape = Literal["constant", "linear", "cosine", "exponential"]

OptimizerState = dict[str, NDArray[np.float64]]


class Optimizer(Protocol):
    """Interface of optimisers: turns gradients into directions, which `Update` multiplies by the learning rate.

    Example:
        >>> class Signs:  # the direction is the sign of the gradient
        ...     def start(self, num_weights):
        ...         return {}
        ...
        ...     def direction(self, gradient, optimizer_state, step):
        ...         return np.sign(gradient), optimizer_state
        ...
        >>> qep.Update(optimizer=Signs()).optimizer.direction(np.array([0.5, -2.0]), {}, step=0)[0]
        array([ 1., -1.])
    """

    def start(self, num_weights: int) -> OptimizerState:
        """Return the optimiser state before the first step, by name, each array of shape (weights,)."""

    def direction(
        self, gradient: NDArray, optimizer_state: OptimizerState, step: int
    ) -> tuple[NDArray, OptimizerState]:
        """Return the direction to subtract and the new optimiser state.

        Args:
            gradient: d(cost)/d(weight), shape (weights,).
            optimizer_state: State after the step before; it is not changed.
            step: Number of the step, from zero.

        Returns:
            Direction of shape (weights,), and the new state.
        """


@dataclass(frozen=True, slots=True)
class GradientDescent:
    """Gradient descent: w <- w - learning_rate * g.

    Example:
        >>> qep.GradientDescent().direction(np.array([0.5, -1.0]), {}, step=0)
        (array([ 0.5, -1. ]), {})
    """

    def start(self, num_weights: int) -> OptimizerState:
        """Return an empty optimiser state."""
        return {}

    def direction(
        self, gradient: NDArray, optimizer_state: OptimizerState, step: int
    ) -> tuple[NDArray, OptimizerState]:
        """Return the gradient itself and the unchanged optimiser state."""
        return gradient, optimizer_state


@dataclass(frozen=True, slots=True, kw_only=True)
class Momentum:
    """Heavy-ball momentum: v <- momentum * v + g, w <- w - learning_rate * v.

    Args:
        momentum: Decay of the velocity in a step, in [0, 1).

    Raises:
        ConfigError: The momentum is outside [0, 1).

    Example:
        >>> momentum = qep.Momentum(momentum=0.5)
        >>> momentum.direction(np.array([1.0]), {"velocity": np.array([2.0])}, step=1)[0]
        array([2.])
    """

    momentum: _Decay = 0.9

    def __post_init__(self) -> None:
        check_limits(self)

    def start(self, num_weights: int) -> OptimizerState:
        """Return a velocity of zero, shape (weights,)."""
        return {"velocity": np.zeros(num_weights)}

    def direction(
        self, gradient: NDArray, optimizer_state: OptimizerState, step: int
    ) -> tuple[NDArray, OptimizerState]:
        """Return the new velocity as the direction, and the new optimiser state."""
        velocity = self.momentum * optimizer_state["velocity"] + gradient
        return velocity, {"velocity": velocity}


@dataclass(frozen=True, slots=True, kw_only=True)
class Adam:
    """Adam (Kingma & Ba 2015, arXiv:1412.6980, algorithm 1).

    Args:
        beta1: Decay of the mean of gradients, in [0, 1).
        beta2: Decay of the mean of squared gradients, in [0, 1).
        epsilon: Added to the root of the mean square, in units of the gradient.

    Raises:
        ConfigError: A decay is outside [0, 1).

    Example:
        >>> adam = qep.Adam()
        >>> adam.direction(np.array([0.5, -1.0]), adam.start(2), step=0)[0].round(6)
        array([ 1., -1.])
    """

    beta1: _Decay = 0.9
    beta2: _Decay = 0.999
    epsilon: Positive = 1e-8

    def __post_init__(self) -> None:
        check_limits(self)

    def start(self, num_weights: int) -> OptimizerState:
        """Return means of zero, each of shape (weights,)."""
        return {"mean": np.zeros(num_weights), "square": np.zeros(num_weights)}

    def direction(
        self, gradient: NDArray, optimizer_state: OptimizerState, step: int
    ) -> tuple[NDArray, OptimizerState]:
        """Return the bias-corrected mean over the root of the bias-corrected mean square, and the new state."""
        mean = self.beta1 * optimizer_state["mean"] + (1 - self.beta1) * gradient
        square = self.beta2 * optimizer_state["square"] + (1 - self.beta2) * gradient**2
        corrected = mean / (1 - self.beta1 ** (step + 1))
        scale = np.sqrt(square / (1 - self.beta2 ** (step + 1))) + self.epsilon
        return corrected / scale, {"mean": mean, "square": square}


_DECAYS: dict[str, Callable[[float, float], float]] = {
    "constant": lambda progress, final: 1.0,
    "linear": lambda progress, final: 1.0 + (final - 1.0) * progress,
    "cosine": lambda progress, final: final + (1.0 - final) * (1.0 + np.cos(np.pi * progress)) / 2.0,
    "exponential": lambda progress, final: final**progress,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Learning rate as a function of the step.

    Args:
        learning_rate: Rate of the first step.
        decay: ``"constant"``, ``"linear"``, ``"cosine"`` or ``"exponential"``.
        final_fraction: Rate of the last step over that of the first; not used by ``"constant"``.

    Raises:
        ConfigError: The rate is not positive, the fraction is outside (0, 1], or the decay is unknown.

    Example:
        >>> schedule = qep.Schedule(learning_rate=0.1, decay="linear", final_fraction=0.5)
        >>> [round(schedule.at(step, total_steps=3), 3) for step in range(3)]
        [0.1, 0.075, 0.05]
    """

    learning_rate: Positive = 0.05
    decay: DecayShape = "constant"
    final_fraction: Annotated[float, Gt(0), Le(1)] = 0.05

    def __post_init__(self) -> None:
        check_limits(self)

    def at(self, step: int, total_steps: int) -> float:
        """Return the learning rate of a step.

        Args:
            step: Number of the step, from zero.
            total_steps: Number of steps of the decay; the rate of the last one stays.
        """
        progress = min(1.0, step / max(1, total_steps - 1))
        return self.learning_rate * float(_DECAYS[self.decay](progress, self.final_fraction))


class UpdateRule(Protocol):
    """Interface between a trainer and a rule that changes the weights: `Update` or `AgnosticUpdate`."""

    def check(self, estimator: GradientEstimator) -> None:
        """Check that the rule goes with an estimator.

        Raises:
            ConfigError: It does not; the message begins with an argument of the rule, or with ``kind``.
        """

    def start(self, num_weights: int) -> OptimizerState:
        """Return the state before the first step, by name, each array of shape (weights,)."""

    def estimate(self, estimator: GradientEstimator, batch: GradientBatch) -> MeasurementCoroutine[GradientEstimate]:
        """Measure what the step needs."""

    def moved(
        self,
        weights: NDArray,
        estimate: GradientEstimate,
        optimizer_state: Mapping[str, NDArray],
        *,
        step: int,
        total_steps: int,
        layout: WeightLayout,
    ) -> tuple[NDArray, OptimizerState]:
        """Return the new weights and the new state.

        Args:
            weights: Shape (weights,).
            estimate: What `estimate` has found at these weights.
            optimizer_state: State after the step before.
            step: Number of the step, from zero.
            total_steps: Number of steps of the schedule.
            layout: Bounds of the weights, and which are trained.
        """


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One update of the weights by a gradient: optimiser, learning rate and bounds.

    Args:
        optimizer: Turns the gradient into a direction.
        schedule: Learning rate that multiplies the direction.
        normalize: Whether every gradient is first scaled to length one.
        weight_decay: Decay rate of trained weights: each step also subtracts learning rate times this times the weight
            itself, whatever the optimiser makes of the gradient (Loshchilov & Hutter 2019, arXiv:1711.05101). Bounds
            come after it. At most one over the learning rate, so that no weight changes its sign.

    Raises:
        ConfigError: The decay rate is negative, or so large that it overshoots zero.

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
    weight_decay: NotNegative = 0.0

    def __post_init__(self) -> None:
        check_limits(self)
        rate = self.schedule.learning_rate
        if rate * self.weight_decay > 1.0:
            raise ConfigError(
                f"weight_decay: a step multiplies every weight by 1 - {rate:g} * {self.weight_decay:g}, which is below "
                f"zero; expected at most 1 / learning_rate = {1.0 / rate:g}"
            )

    def check(self, estimator: GradientEstimator) -> None:
        """Accept every estimator."""

    def start(self, num_weights: int) -> OptimizerState:
        """Return the optimiser state before the first step, by name, each array of shape (weights,)."""
        return self.optimizer.start(num_weights)

    def estimate(self, estimator: GradientEstimator, batch: GradientBatch) -> MeasurementCoroutine[GradientEstimate]:
        """Measure the gradient."""
        return estimator.estimate_batch(batch)

    def moved(
        self,
        weights: NDArray,
        estimate: GradientEstimate,
        optimizer_state: Mapping[str, NDArray],
        *,
        step: int,
        total_steps: int,
        layout: WeightLayout,
    ) -> tuple[NDArray, OptimizerState]:
        """Return the new weights and the new optimiser state; see `UpdateRule`."""
        return self.apply(
            weights,
            estimate.gradient,
            optimizer_state,
            step=step,
            total_steps=total_steps,
            trainable=layout.trainable(),
            bounds=layout.bounds(),
        )

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
        """Return the new weights and the new optimiser state.

        Args:
            weights: Shape (weights,).
            gradient: d(cost)/d(weight), shape (weights,).
            optimizer_state: State of the optimiser after the step before.
            step: Number of the step, from zero.
            total_steps: Number of steps of the schedule.
            trainable: Mask of shape (weights,); other weights stay unchanged.
            bounds: Lower and upper bounds, each of shape (weights,).
        """
        slope = np.where(trainable, gradient, 0.0)
        length = float(np.linalg.norm(slope))
        if self.normalize and length > 0:
            slope = slope / length
        direction, optimizer_state_ = self.optimizer.direction(slope, dict(optimizer_state), step)
        rate = self.schedule.at(step, total_steps)
        if self.weight_decay:
            direction = direction + self.weight_decay * weights
        moved = np.clip(weights - rate * direction, *bounds)
        return np.where(trainable, moved, weights), optimizer_state_
