"""Keys of the update section: optimiser and learning rate."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal

from pydantic import Field

from qep_qiskit.config.kinds import Known
from qep_qiskit.config.section import Section
from qep_qiskit.core.registry import Registry
from qep_qiskit.learning import Adam, GradientDescent, Momentum, Optimizer, Schedule, Update

OPTIMIZERS: Registry[Callable[[UpdateConfig], Optimizer]] = Registry(
    "qep_qiskit.optimizers", callable, "a function that makes an optimiser of the section"
)
"""Factories of optimisers by name; each is called with the section."""


@partial(OPTIMIZERS.add, "gradient_descent")
def _gradient_descent(section: UpdateConfig) -> Optimizer:
    return GradientDescent()


@partial(OPTIMIZERS.add, "momentum")
def _momentum(section: UpdateConfig) -> Optimizer:
    return Momentum(momentum=section.momentum)


@partial(OPTIMIZERS.add, "adam")
def _adam(section: UpdateConfig) -> Optimizer:
    return Adam(beta1=section.beta1, beta2=section.beta2, epsilon=section.epsilon)


class UpdateConfig(Section):
    """Optimiser of the weights."""

    kind: Annotated[str, Known(OPTIMIZERS)] = "adam"
    """Optimiser."""
    learning_rate: float = Field(default=0.05, gt=0)
    """Initial learning rate."""
    decay: Literal["constant", "linear", "cosine", "exponential"] = "constant"
    """Schedule of the learning rate."""
    final_fraction: float = Field(default=0.05, gt=0, le=1)
    """Final learning rate as a fraction of the initial one."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Coefficient of the optimiser ``momentum``."""
    beta1: float = Field(default=0.9, ge=0, lt=1)
    """Decay rate of the first moment, for ``adam``."""
    beta2: float = Field(default=0.999, ge=0, lt=1)
    """Decay rate of the second moment, for ``adam``."""
    epsilon: float = Field(default=1e-8, gt=0)
    """For ``adam``: added to the root of the mean square of a gradient, in its unit. Weights with much smaller
    gradients are not trained; use a smaller value where the gradients are small numbers."""
    normalize: bool = False
    """Scale every gradient to length 1."""

    def build(self) -> Update:
        """Return the optimiser with its schedule."""
        schedule = Schedule(learning_rate=self.learning_rate, decay=self.decay, final_fraction=self.final_fraction)
        return Update(optimizer=OPTIMIZERS.find(self.kind)(self), schedule=schedule, normalize=self.normalize)
