"""What looks on while a trainer works."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.learning.records import Record

if TYPE_CHECKING:
    from qep_qiskit.learning.trainer import Trainer

Outcome = Literal["finished", "stopped", "broken"]


class Callback:
    """Looks on while a trainer works; a callback of your own defines the methods that it needs, one or more.

    Records are plain mappings, ready to be written as JSON.

    Raises:
        ConfigError: A method ``on_...`` of a class that derives from this one has a name that is never called.

    Example:
        >>> class Losses(qep.Callback):
        ...     def on_epoch(self, trainer, record):
        ...         print(record["epoch"], record["train_loss"])
        ...
        >>> Losses().on_epoch(None, {"epoch": 1, "train_loss": 0.5})
        1 0.5
    """

    __slots__ = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        events = [name for name in vars(Callback) if name.startswith("on_")]
        for name in vars(cls):
            if name.startswith("on_") and name not in events:
                nearest = get_close_matches(name, events, n=1, cutoff=0.0)[0]
                raise ConfigError(f"{cls.__name__}.{name}: no trainer calls this; did you mean '{nearest}'?")

    def on_request(self, trainer: Trainer) -> None:
        """After every answer to a request, many times a step where the preparation measures."""

    def on_pilot(self, trainer: Trainer, record: Record) -> None:
        """After every pilot."""

    def on_step(self, trainer: Trainer, record: Record) -> None:
        """After every update of the weights."""

    def on_epoch(self, trainer: Trainer, record: Record) -> None:
        """After every epoch, and once before the first (epoch 0)."""

    def on_end(self, trainer: Trainer, outcome: Outcome) -> None:
        """When the run is finished or stopped."""
