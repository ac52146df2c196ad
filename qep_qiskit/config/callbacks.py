"""Keys of the callbacks of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from traceback import extract_tb
from typing import Any, Literal, Self

from pydantic import Field

from qep_qiskit.config.named import called
from qep_qiskit.config.own_code import OwnCode
from qep_qiskit.config.section import Section, flat, same_as
from qep_qiskit.core.errors import ConfigError, QepError
from qep_qiskit.learning import Callback, EarlyStopping, Outcome, Record, Trainer
from qep_qiskit.learning.tracking import MLflow, TensorBoard
from qep_qiskit.tasks import Task

_NO_HYPERPARAMETERS = ("sources", "sources_folder", "text", "snapshot", "start_weights")
_LONGEST_VALUE = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackScene:
    """What callbacks are made for.

    Args:
        config: All keys of the run.
        task: Its samples.
        evaluate_every: Epochs between evaluations of the test samples.
        folder: Folder of the run; None in memory.
    """

    config: Mapping[str, Any]
    task: Task
    evaluate_every: int
    folder: Path | None

    @property
    def hyperparameters(self) -> dict[str, str | int | float | bool]:
        """Keys with a value, dotted, without the texts of files."""
        found = flat({name: value for name, value in self.config.items() if name not in ("budget", "callbacks")})
        given = {key: value for key, value in found.items() if value not in (None, [], {})}
        short = {key: one if isinstance(one, str | int | float) else json.dumps(one) for key, one in given.items()}
        return {
            key: value
            for key, value in short.items()
            if not {*key.split(".")} & {*_NO_HYPERPARAMETERS} and len(str(value)) <= _LONGEST_VALUE
        }


class EarlyStoppingConfig(Section):
    """End the run when a number has not improved for some epochs, with the weights of its best epoch."""

    patience: int = same_as(EarlyStopping.__init__, "patience")
    """Epochs without improvement before the end."""
    monitor: Literal["test_loss", "train_loss", "test_accuracy", "train_accuracy"] = "test_loss"
    """The number; those of the training samples are means over an epoch."""

    def build(self, scene: CallbackScene) -> EarlyStopping:
        """Return the callback.

        Raises:
            ConfigError: The number is not measured in every epoch.
        """
        if self.monitor.startswith("test"):
            if scene.task.test is None:
                raise ConfigError(
                    f"monitor: '{self.monitor}' needs test samples, and the task has none; set some aside, or monitor "
                    "'train_loss'"
                )
            if scene.evaluate_every != 1:
                when = f"every {scene.evaluate_every} epochs" if scene.evaluate_every else "after the last epoch"
                raise ConfigError(
                    f"monitor: '{self.monitor}' is measured {when}; set training.evaluate_every = 1, or monitor "
                    "'train_loss'"
                )
        if self.monitor.endswith("accuracy") and scene.task.train.labels is None:
            raise ConfigError(f"monitor: '{self.monitor}' needs classes, and the task has none; monitor a loss")
        return self.made(EarlyStopping)


class TensorBoardConfig(Section):
    """Log to TensorBoard (extra ``tensorboard``)."""

    folder: str | None = None
    """Folder of all runs; each run has a folder of its own there, with the name of its run folder. A relative path
    starts at the working directory. None: the folder ``tensorboard`` in the run folder."""
    steps: bool = same_as(TensorBoard.__init__, "steps")
    """Whether every step is logged, besides every epoch."""

    def build(self, scene: CallbackScene) -> TensorBoard:
        """Return the callback.

        Raises:
            ConfigError: tensorboardX is missing, or the folder cannot be made.
        """
        name = str(scene.config["name"]) if scene.folder is None else scene.folder.name
        inside = Path("tensorboard") / name if scene.folder is None else scene.folder / "tensorboard"
        folder = inside if self.folder is None else Path(self.folder) / name
        try:
            (folder.parent if self.folder is not None else Path()).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"folder: '{self.folder}' cannot be made ({error.strerror})") from error
        return TensorBoard(folder, steps=self.steps, config=scene.config, hyperparameters=scene.hyperparameters)


class MLflowConfig(Section):
    """Log to MLflow (extra ``mlflow``)."""

    tracking_uri: str | None = None
    """Where runs are kept: the address of a server, or a local store; None for that of the environment
    (``MLFLOW_TRACKING_URI``), or MLflow's default."""
    experiment: str = same_as(MLflow.__init__, "experiment")
    """Experiment to which the run belongs; made where it does not exist."""
    run_name: str | None = None
    """Name of the run; that of the configuration by default."""
    steps: bool = same_as(MLflow.__init__, "steps")
    """Whether every step is logged, besides every epoch."""

    def build(self, scene: CallbackScene) -> MLflow:
        """Return the callback.

        Raises:
            ConfigError: mlflow is missing, or its store cannot be reached.
        """
        made = MLflow(
            tracking_uri=self.tracking_uri,
            experiment=self.experiment,
            run_name=self.run_name or str(scene.config["name"]),
            steps=self.steps,
            config=scene.config,
            hyperparameters=scene.hyperparameters,
        )
        made.connect()
        return made


class OwnCallbackConfig(OwnCode):
    """A callback of your own."""

    make: str
    """``module:name`` of a class that derives from `Callback`, or of a function that makes such an object. The module
    is searched in the folder of the configuration, in the working directory, and among installed packages."""
    options: dict[str, Any] = Field(default={})
    """Its keyword arguments."""

    def build(self, key: str) -> Callback:
        """Return the callback.

        Raises:
            ConfigError: It cannot be imported, is no callback, or raises an exception.
        """
        found = self.own_object(f"{key}.make", self.make)
        if isinstance(found, Callback):
            return _OwnCallback(found, key, self.make)
        if not callable(found):
            raise ConfigError(
                f"{key}.make: expected '{self.make}' to be a class that derives from Callback, or a function that "
                f"makes one, got {type(found).__name__}"
            )
        if isinstance(found, type) and not issubclass(found, Callback):
            raise ConfigError(f"{key}.make: expected '{self.make}' to derive from qep_qiskit.Callback; it does not")
        made = called(found, self.make, "callback", key=f"{key}.make", options_key=f"{key}.options", **self.options)
        if not isinstance(made, Callback):
            raise ConfigError(f"{key}.make: expected '{self.make}' to return a Callback, got {type(made).__name__}")
        return _OwnCallback(made, key, self.make)


class _OwnCallback(Callback):
    """Calls a callback of the user; what goes wrong there is one line that names it."""

    def __init__(self, inner: Callback, key: str, text: str) -> None:
        self._inner, self._key, self._text = inner, key, text

    def _call(self, event: str, *arguments: Any) -> None:
        try:
            getattr(self._inner, event)(*arguments)
        except QepError:
            raise
        except Exception as error:  # a user's code may raise anything
            place = extract_tb(error.__traceback__)[-1]
            words = " ".join(f"{type(error).__name__}: {error}".split())
            raise ConfigError(
                f"{self._key}: {event} of '{self._text}' failed ({words}; {Path(place.filename).name}, line "
                f"{place.lineno})"
            ) from error

    def on_request(self, trainer: Trainer) -> None:
        self._call("on_request", trainer)

    def on_pilot(self, trainer: Trainer, record: Record) -> None:
        self._call("on_pilot", trainer, record)

    def on_step(self, trainer: Trainer, record: Record) -> None:
        self._call("on_step", trainer, record)

    def on_epoch(self, trainer: Trainer, record: Record) -> None:
        self._call("on_epoch", trainer, record)

    def on_final(self, trainer: Trainer, record: Record) -> None:
        self._call("on_final", trainer, record)

    def on_end(self, trainer: Trainer, outcome: Outcome) -> None:
        self._call("on_end", trainer, outcome)


class CallbacksConfig(Section):
    """What is called during the training."""

    early_stopping: EarlyStoppingConfig | None = None
    """End the run early; none without this section."""
    tensorboard: TensorBoardConfig | None = None
    """Log to TensorBoard; not without this section."""
    mlflow: MLflowConfig | None = None
    """Log to MLflow; not without this section."""
    own: list[OwnCallbackConfig] = Field(default=[])
    """Callbacks of your own, called in this order."""

    def beside(self, folder: Path) -> Self:
        """Return the section with the sources of callbacks of one's own.

        Raises:
            ConfigError: A file cannot be read.
        """
        own = [one.keeping(f"callbacks.own.{place}.make", one.make, folder) for place, one in enumerate(self.own)]
        return self.model_copy(update={"own": own})

    def build(self, scene: CallbackScene) -> tuple[Callback, ...]:
        """Return the callbacks, new ones for every training: first those of one's own, last what may end the run.

        Raises:
            ConfigError: One cannot be made.
        """
        made: list[Callback] = [one.build(f"callbacks.own.{place}") for place, one in enumerate(self.own)]
        for name in ("tensorboard", "mlflow", "early_stopping"):
            section = getattr(self, name)
            if section is not None:
                made.append(_made(name, section, scene))
        return tuple(made)


def _made(name: str, section: Any, scene: CallbackScene) -> Callback:
    """Return a callback of the package; an error names its section."""
    try:
        return section.build(scene)
    except ConfigError as error:
        joint = "." if str(error).partition(":")[0] in type(section).model_fields else ": "
        raise ConfigError(f"callbacks.{name}{joint}{error}") from error
