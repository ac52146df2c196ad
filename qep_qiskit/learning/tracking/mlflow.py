"""Logging to MLflow."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from qep_qiskit.core.errors import ConfigError, NotLoggedWarning
from qep_qiskit.core.warning_log import warn
from qep_qiskit.learning.tracking.tracked import Tracked

if TYPE_CHECKING:
    from qep_qiskit.learning.records import Outcome
    from qep_qiskit.learning.trainer import Trainer

_NOTES = "mlflow"
_RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
_MOST_PARAMETERS = 100  # of one request
_ENDS = {"finished": "FINISHED", "stopped": "KILLED", "broken": "FAILED"}


class MLflow(Tracked):
    """Log a training to MLflow (extra ``mlflow``): numbers, hyperparameters, and the configuration as ``config.json``.

    Numbers of epochs are ``epoch/...`` at the epoch, those of steps ``step/...`` at the step; standard errors end in
    ``_se``. The id of MLflow's run is in the checkpoint, so that a resumed training goes on in the same run; what it
    repeats after the checkpoint has the same values. Where the server fails during the training, a warning says so and
    the training goes on.

    Args:
        tracking_uri: Address of a server, or a local store; None for that of the environment, or MLflow's default.
        experiment: Experiment to which the run belongs; made where it does not exist.
        run_name: Name of the run.
        steps: Whether every step is logged, besides every epoch; each is one request to the server.
        config: Keys of the run, kept as ``config.json``, such as ``experiment.config.resolved()``.
        hyperparameters: Parameters of the run by name.

    Raises:
        ConfigError: mlflow is missing.

    Example:
        >>> import tempfile
        >>> from importlib.util import find_spec
        >>> from pathlib import Path
        >>> store = Path(tempfile.mkdtemp()).as_uri()
        >>> logging = [qep.MLflow(tracking_uri=store)] if find_spec("mlflow") else []
        >>> trained = qep.train(qep.from_file("configs/xor.toml", ["training.epochs=1"]), callbacks=logging)
    """

    def __init__(
        self,
        *,
        tracking_uri: str | None = None,
        experiment: str = "qep_qiskit",
        run_name: str | None = None,
        steps: bool = False,
        config: Mapping[str, Any] | None = None,
        hyperparameters: Mapping[str, str | int | float | bool] | None = None,
    ) -> None:
        super().__init__(steps)
        try:
            import mlflow
        except ImportError:
            raise ConfigError("MLflow needs mlflow; install it with pip install 'qep_qiskit[mlflow]'") from None
        self._library, self._uri, self._experiment = mlflow, tracking_uri, experiment
        self._run_name, self._config, self._hyperparameters = run_name, config, hyperparameters
        self._client: Any = None

    def connect(self) -> None:
        """Find the experiment, so that a store that cannot be reached is known before the training.

        Raises:
            ConfigError: The store cannot be reached.
        """
        with self._explained():
            self._library.MlflowClient(self._uri).get_experiment_by_name(self._experiment)

    def log(self, trainer: Trainer, values: Mapping[str, float], at: int) -> None:
        """Log numbers in one request.

        Raises:
            ConfigError: The run cannot be started, or is no longer there.
        """
        if self._client is None:
            self._open(trainer)
        now, metric = int(1000 * time.time()), self._library.entities.Metric
        metrics = [metric(name, value, now, at) for name, value in values.items()]
        self._send(self._client.log_batch, trainer.state.notes[_NOTES], metrics=metrics)

    def on_end(self, trainer: Trainer, outcome: Outcome) -> None:
        """Say how the training ended."""
        if self._client is not None:
            self._send(self._client.set_terminated, trainer.state.notes[_NOTES], _ENDS[outcome])
            self._client = None

    def _send(self, call: Any, *arguments: Any, **options: Any) -> None:
        try:
            with _few_retries():
                call(*arguments, **options)
        except Exception as error:  # numbers of a log are not worth a run
            warn(
                NotLoggedWarning,
                "MLflow has not taken what was to be logged; the training goes on, and metrics.jsonl has all of it",
                detail=_words(error),
            )

    def _open(self, trainer: Trainer) -> None:
        """Begin a run, or find the one that is in the state."""
        notes = trainer.state.notes
        with self._explained():
            client = self._library.MlflowClient(self._uri)
            if _NOTES in notes:
                client.update_run(notes[_NOTES], status="RUNNING")
            else:
                notes[_NOTES] = self._new_run(client)
        self._client = client

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            with _few_retries():
                yield
        except Exception as error:  # a store or a network may raise anything
            where = self._uri or "MLflow's default store"
            raise ConfigError(f"MLflow cannot log to {where} ({_words(error)}); set another tracking_uri") from error

    def _new_run(self, client: Any) -> str:
        found = client.get_experiment_by_name(self._experiment)
        experiment = client.create_experiment(self._experiment) if found is None else found.experiment_id
        run = client.create_run(experiment, run_name=self._run_name).info.run_id
        parameters = [
            self._library.entities.Param(name, str(value)) for name, value in (self._hyperparameters or {}).items()
        ]
        for start in range(0, len(parameters), _MOST_PARAMETERS):
            client.log_batch(run, params=parameters[start : start + _MOST_PARAMETERS])
        if self._config is not None:
            client.log_dict(run, dict(self._config), "config.json")
        return run


@contextmanager
def _few_retries() -> Iterator[None]:
    """Give a server that does not answer up after seconds, where MLflow would try for minutes; a user may say else."""
    if _RETRIES in os.environ:
        yield
        return
    os.environ[_RETRIES] = "2"
    try:
        yield
    finally:
        del os.environ[_RETRIES]


def _words(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
