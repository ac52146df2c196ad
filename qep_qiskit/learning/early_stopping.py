"""A callback that ends a training when a measured number no longer improves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from qep_qiskit.core.checks import whole_number
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.limits import Count
from qep_qiskit.learning.callback import Callback

if TYPE_CHECKING:
    from qep_qiskit.learning.records import Record
    from qep_qiskit.learning.trainer import Trainer

_NOTES = "early_stopping"


class EarlyStopping(Callback):
    """End a training when a number has not improved for some epochs, and keep the weights of its best epoch.

    All samples are then measured once more, with those weights and other shots: the number of the best epoch is the
    luckiest of many. A run that is stopped and resumed ends like one that is not; the best weights are in its
    checkpoint.

    Args:
        patience: Epochs without improvement before the end.
        monitor: Name of the number in the record of an epoch, such as ``"test_loss"``; larger is better where it ends
            in ``accuracy``, smaller elsewhere.

    Raises:
        ConfigError: The patience is not a positive whole number.

    Example:
        >>> experiment = qep.from_file("configs/xor.toml", ["training.epochs=50"])
        >>> stopping = qep.EarlyStopping(patience=3, monitor="train_loss")
        >>> trainer = experiment.trainer(callbacks=[stopping])
        >>> trainer.run(), trainer.state.epoch < 50
        ('finished', True)
    """

    def __init__(self, patience: Count = 5, monitor: str = "test_loss") -> None:
        whole_number("patience", patience, 1)
        self._patience, self._monitor = patience, monitor
        self._sign = -1.0 if monitor.endswith("accuracy") else 1.0
        self.best, self.best_epoch = self._sign * math.inf, 0

    def on_epoch(self, trainer: Trainer, record: Record) -> None:
        """Compare the number with the best so far, and end the run where it has not improved for long.

        Raises:
            ConfigError: The record has no such number.
        """
        value, state = record.get(self._monitor), trainer.state
        if not isinstance(value, float | int):
            known = ", ".join(name for name, found in record.items() if isinstance(found, float))
            raise ConfigError(f"monitor: '{self._monitor}' is not measured in every epoch; measured are: {known}")
        best = state.notes.get(_NOTES)
        if best is None or self._sign * value < self._sign * best["value"]:
            best = {"value": float(value), "epoch": state.epoch, "weights": state.weights.tolist()}
            state.notes[_NOTES] = best
        self.best, self.best_epoch = best["value"], best["epoch"]
        is_last = state.epoch >= trainer.settings.epochs
        if state.epoch > self.best_epoch and (is_last or state.epoch - self.best_epoch >= self._patience):
            state.weights = np.array(best["weights"])
            trainer.finish()
