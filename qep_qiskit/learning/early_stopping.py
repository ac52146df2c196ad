"""A callback that ends a training when a measured number no longer improves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qep_qiskit.core.checks import whole_number
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.learning.trainer import Callback

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qep_qiskit.learning.records import Outcome, Record
    from qep_qiskit.learning.trainer import Trainer


class EarlyStopping(Callback):
    """Stop a training when a number has not decreased for some epochs, and keep the weights of its best epoch.

    Args:
        patience: Epochs without improvement before the stop.
        monitor: Name of the number in the record of an epoch, such as ``"test_loss"``.

    Raises:
        ConfigError: The patience is not a positive whole number.

    Example:
        >>> experiment = qep.from_file("configs/xor.toml", ["training.epochs=50"])
        >>> stopping = qep.EarlyStopping(patience=3, monitor="train_loss")
        >>> trainer = experiment.trainer(callbacks=[stopping])
        >>> trainer.run()
        'stopped'
    """

    def __init__(self, patience: int = 5, monitor: str = "test_loss") -> None:
        whole_number("patience", patience, 1)
        self._patience, self._monitor = patience, monitor
        self.best, self.best_epoch = math.inf, 0
        self._weights: NDArray | None = None

    def on_epoch(self, trainer: Trainer, record: Record) -> None:
        """Compare the number with the best so far.

        Args:
            trainer: The trainer.
            record: The record of the epoch.

        Raises:
            ConfigError: The record has no such number.
        """
        value, epoch = record.get(self._monitor), trainer.state.epoch
        if not isinstance(value, float | int):
            known = ", ".join(name for name, found in record.items() if isinstance(found, float))
            raise ConfigError(f"monitor: '{self._monitor}' is not measured in every epoch; measured are: {known}")
        if value < self.best:
            self.best, self.best_epoch, self._weights = float(value), epoch, trainer.weights.copy()
        elif epoch - self.best_epoch >= self._patience:
            trainer.request_stop()

    def on_end(self, trainer: Trainer, outcome: Outcome) -> None:
        """Set the weights of the best epoch.

        Args:
            trainer: The trainer.
            outcome: How the training ended; not used.
        """
        if self._weights is not None:
            trainer.state.weights = self._weights
