"""What is logged of a training: the numbers of its records, each at its epoch or step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from qep_qiskit.learning.callback import Callback

if TYPE_CHECKING:
    from qep_qiskit.learning.records import Record
    from qep_qiskit.learning.trainer import Trainer

_NO_NUMBERS = ("event", "step", "epoch")
_BY_EPOCH = ("epoch", "final")


def logged_values(record: Record) -> dict[str, float]:
    """Return the numbers of a record, standard errors and counters included, as ``event/name``."""
    numbers = {
        name: float(value)
        for name, value in record.items()
        if name not in _NO_NUMBERS and isinstance(value, int | float) and not isinstance(value, bool)
    }
    return {f"{record['event']}/{name}": value for name, value in numbers.items()}


def logged_at(record: Record) -> int:
    """Return the epoch of the record of an epoch or of the final weights, and the step of any other."""
    place = record["epoch" if record["event"] in _BY_EPOCH else "step"]
    assert isinstance(place, int)
    return place


class Tracked(Callback):
    """Base class of callbacks that log numbers.

    Args:
        steps: Whether every step is logged, besides every epoch.
    """

    def __init__(self, steps: bool) -> None:
        self._steps = steps

    def log(self, trainer: Trainer, values: Mapping[str, float], at: int) -> None:
        """Log numbers.

        Args:
            trainer: The trainer.
            values: Numbers by name.
            at: Their epoch or step.
        """
        raise NotImplementedError

    def _log(self, trainer: Trainer, record: Record) -> None:
        self.log(trainer, logged_values(record), logged_at(record))

    on_pilot = on_epoch = on_final = _log

    def on_step(self, trainer: Trainer, record: Record) -> None:
        """Log a step, unless only epochs are wanted."""
        if self._steps:
            self._log(trainer, record)
