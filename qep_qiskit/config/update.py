"""Keys of the update section: optimiser and learning rate, or springs of weights that move by themselves."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

from qep_qiskit.config.kinds import Known
from qep_qiskit.config.section import Section, same_as
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.registry import Registry
from qep_qiskit.learning import Adam, AgnosticUpdate, GradientDescent, Momentum, Optimizer, Schedule, Update
from qep_qiskit.learning.update import DecayShape, UpdateRule

OPTIMIZERS: Registry[Callable[[UpdateConfig], Optimizer]] = Registry(
    "qep_qiskit.optimizers", callable, "a function that makes an optimiser of the section"
)
"""Factories of optimisers by name; each is called with the section."""


_OWN = {"gradient_descent": GradientDescent, "momentum": Momentum, "adam": Adam}
for _name, _make in _OWN.items():
    OPTIMIZERS.add(_name, partial(Section.made, make=_make))


AGNOSTIC = "agnostic"
"""Kind of update without a gradient: weights on springs."""

_OF_GRADIENTS = ("learning_rate", "decay", "final_fraction", "momentum", "beta1", "beta2", "normalize", "weight_decay")
_OF_AGNOSTIC = ("tolerance", "max_iterations")
_KIND_OF = {"momentum": "momentum", "beta1": "adam", "beta2": "adam", "epsilon": "adam"}


class UpdateConfig(Section):
    """Optimiser of the weights, or springs of weights that move by themselves."""

    kind: Annotated[str, Known(OPTIMIZERS, more=(AGNOSTIC,))] = "adam"
    """Optimiser; or ``agnostic``: weights are coordinates on springs and move by themselves when the nudge comes, by
    about `epsilon` times the difference of the two nudges times the gradient, which is never computed. It goes with
    `contrast.kind` ``symmetric`` or ``one_sided``."""
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
    gradients are not trained; use a smaller value where the gradients are small numbers. For ``agnostic``, where it
    must be given: compliance of the springs, the inverse of their stiffness. Weights are stable where 2 `epsilon`
    sigma^2 is below the gap, with sigma the standard deviation of dH/dw."""
    normalize: bool = same_as(Update, "normalize")
    """Scale every gradient to length 1."""
    weight_decay: float = same_as(Update, "weight_decay")
    """Decay rate of trained weights: every step also subtracts `learning_rate` * `weight_decay` * weight, whatever the
    optimiser makes of the gradient (AdamW). It keeps weights small that only a few samples want large. Transverse
    fields decay too, down to their `minimum`; freeze them, or leave it at 0, where they are to stay."""
    tolerance: float = same_as(AgnosticUpdate, "tolerance")
    """For ``agnostic``: weights are at equilibrium where their last move is at most this fraction of the whole one, or
    is lost in shot noise."""
    max_iterations: int = same_as(AgnosticUpdate, "max_iterations")
    """For ``agnostic``: largest number of measurements at weights on their way to equilibrium."""

    @property
    def is_agnostic(self) -> bool:
        """Whether weights move by themselves."""
        return self.kind == AGNOSTIC

    @classmethod
    def idle_with(cls, key: str, value: str) -> tuple[str, ...]:
        """Return the keys that have no effect with a new kind; `epsilon` always is that of the old one."""
        if key != "kind":
            return ()
        of_others = [name for name, kind in _KIND_OF.items() if value in (*_OWN, AGNOSTIC) and kind != value]
        return ("epsilon", *of_others, *(_OF_GRADIENTS if value == AGNOSTIC else _OF_AGNOSTIC))

    def build(self) -> UpdateRule:
        """Return the optimiser with its schedule, or the springs.

        Raises:
            ConfigError: A key has no effect with this kind, or the compliance of the springs is missing.
        """
        if self.is_agnostic:
            self.refuse_given(_OF_GRADIENTS, "'agnostic' weights move by themselves, by epsilon and contrast.beta")
            if "epsilon" not in self.model_fields_set:
                raise ConfigError(
                    "epsilon: 'agnostic' needs the compliance of its springs, such as 0.05; give a number"
                )
            return self.made(AgnosticUpdate)
        self.refuse_given(_OF_AGNOSTIC, "goes with kind = 'agnostic'")
        # Optimisers of plug-ins may use any key.
        self.refuse_idle(
            {
                key: (kind == self.kind or self.kind not in _OWN, f"kind = '{kind}', not with '{self.kind}'")
                for key, kind in _KIND_OF.items()
            }
        )
        return self.made(Update, optimizer=OPTIMIZERS.find(self.kind)(self), schedule=self.made(Schedule))
