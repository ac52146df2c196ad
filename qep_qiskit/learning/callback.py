"""The methods that a trainer calls during a run."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.learning.records import Outcome, Record


class Callback:
    """Base class of objects that a trainer calls during a run; a subclass defines one or more of the methods.

    Records are plain mappings that can be written as JSON.

    Raises:
        ConfigError: A subclass defines a method ``on_...`` that no trainer calls.

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

    def on_request(self, trainer: Any) -> None:
        """Run after every answer to a request; there are many in a step if the preparation itself measures."""

    def on_pilot(self, trainer: Any, record: Record) -> None:
        """Run after every pilot measurement.

        Args:
            trainer: The `Trainer`.
            record: Nudge, shots and expected error that the pilot gave, with the counters of the run.
        """

    def on_step(self, trainer: Any, record: Record) -> None:
        """Run after every update of the weights.

        Args:
            trainer: The `Trainer`.
            record: Loss, gradient norm, noise and diagnostics of the step, with the counters of the run.
        """

    def on_epoch(self, trainer: Any, record: Record) -> None:
        """Run after every epoch, and once before the first (epoch 0).

        Args:
            trainer: The `Trainer`.
            record: Losses and accuracies of the epoch, with the counters of the run.
        """

    def on_final(self, trainer: Any, record: Record) -> None:
        """Run after the last evaluation of a run that a callback has ended by `Trainer.finish`.

        Args:
            trainer: The `Trainer`.
            record: Losses and accuracies with the final weights, with the counters of the run.
        """

    def on_end(self, trainer: Any, outcome: Outcome) -> None:
        """Run when the run has ended.

        Args:
            trainer: The `Trainer`.
            outcome: ``"finished"``, ``"stopped"``, or ``"broken"`` where a file could not be written.
        """
