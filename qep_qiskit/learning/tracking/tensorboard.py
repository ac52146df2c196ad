"""Logging to TensorBoard."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.learning.tracking.tracked import Tracked

if TYPE_CHECKING:
    from qep_qiskit.learning.records import Outcome
    from qep_qiskit.learning.trainer import Trainer

_METRICS = ("epoch/train_loss", "epoch/test_loss", "epoch/train_accuracy", "epoch/test_accuracy")


class TensorBoard(Tracked):
    """Log a training to TensorBoard (extra ``tensorboard``).

    Numbers of epochs are ``epoch/...`` at the epoch, those of steps ``step/...`` at the step; standard errors end in
    ``_se``. A resumed training goes on in the same folder, and what its earlier process logged after the checkpoint is
    removed from the curves.

    Args:
        folder: Folder of the event files; one for each run.
        steps: Whether every step is logged, besides every epoch.
        config: Keys of the run, shown as text, such as ``experiment.config.resolved()``.
        hyperparameters: Those that the table of hyperparameters compares, by name.

    Raises:
        ConfigError: tensorboardX is missing.

    Example:
        >>> import tempfile
        >>> from importlib.util import find_spec
        >>> logging = [qep.TensorBoard(tempfile.mkdtemp())] if find_spec("tensorboardX") else []
        >>> trained = qep.train(qep.from_file("configs/xor.toml", ["training.epochs=1"]), callbacks=logging)
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        steps: bool = True,
        config: Mapping[str, Any] | None = None,
        hyperparameters: Mapping[str, str | int | float | bool] | None = None,
    ) -> None:
        super().__init__(steps)
        try:
            import tensorboardX
        except ImportError:
            raise ConfigError(
                "TensorBoard needs tensorboardX; install it with pip install 'qep_qiskit[tensorboard]'"
            ) from None
        self._library, self._folder = tensorboardX, Path(folder)
        self._config, self._hyperparameters = config, hyperparameters
        self._writer: Any = None

    def log(self, trainer: Trainer, values: Mapping[str, float], at: int) -> None:
        """Write numbers."""
        if self._writer is None:
            self._open(trainer, values, at)
        for name, value in values.items():
            self._writer.add_scalar(name, value, at)
        if not all(name.startswith("step/") for name in values):
            self._writer.flush()

    def on_end(self, trainer: Trainer, outcome: Outcome) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _open(self, trainer: Trainer, values: Mapping[str, float], at: int) -> None:
        """Open a new event file in the folder; what is logged again is taken from it alone."""
        state = trainer.state
        begins = state.step == 0 and state.epoch == 0
        is_step = any(name.startswith("step/") for name in values)
        again = at if begins or is_step or not self._steps else state.step + 1
        suffix = f".step{state.step}"  # names of files differ by the second only
        self._writer = self._library.SummaryWriter(str(self._folder), purge_step=again, filename_suffix=suffix)
        if not begins:
            return
        if self._config is not None:
            text = json.dumps(self._config, indent=1).replace("\n", "\n    ")
            self._writer.add_text("config", f"    {text}", 0)
        if self._hyperparameters:
            from tensorboardX.summary import hparams

            for summary in hparams(dict(self._hyperparameters), dict.fromkeys(_METRICS, 0.0)):
                self._writer.file_writer.add_summary(summary)
