"""Keys of the update section: optimiser and learning rate."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

from qep_qiskit.config.kinds import Known
from qep_qiskit.config.section import Section, same_as
from qep_qiskit.core.registry import Registry
from qep_qiskit.learning import Adam, GradientDescent, Momentum, Optimizer, Schedule, Update
from qep_qiskit.learning.update import DecayShape

OPTIMIZERS: Registry[Callable[[UpdateConfig], Optimizer]] = Registry(
    "qep_qiskit.optimizers", callable, "a function that makes an optimiser of the section"
)
"""Factories of optimisers by name; each is called with the section."""


for _name, _make in {"gradient_descent": GradientDescent, "momentum": Momentum, "adam": Adam}.items():
    OPTIMIZERS.add(_name, partial(Section.made, make=_make))


class UpdateConfig(Section):
    """Optimiser of the weights."""

    kind: Annotated[str, Known(OPTIMIZERS)] = "adam"
    """Optimiser."""
    learning_rate: float = same_as(Schedule, "learning_rate")
    """Initial learning rate."""
    decay: DecayShape = same_as(Schedule, "decay")
    """Schedule of the learning rate."""
    final_fraction: float = same_as(Schedule, "final_fraction")
    """Final learning rate as a fraction of the initial one."""
    momentum: float = same_as(Momentum, "momentum")
    """Coefficient of the optimiser ``momentum``."""
    beta1: float = same_as(Adam, "beta1")
    """Decay rate of the first moment, for ``adam``."""
    beta2: float = same_as(Adam, "beta2")
    """Decay rate of the second moment, for ``adam``."""
    epsilon: float = same_as(Adam, "epsilon")
    """For ``adam``: added to the root of the mean square of a gradient, in its unit. Weights with much smaller
    gradients are not trained; use a smaller value where the gradients are small numbers."""
    normalize: bool = same_as(Update, "normalize")
    """Scale every gradient to length 1."""

    def build(self) -> Update:
        """Return the optimiser with its schedule."""
        return self.made(Update, optimizer=OPTIMIZERS.find(self.kind)(self), schedule=self.made(Schedule))
