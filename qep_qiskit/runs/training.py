"""Training in a run folder: start, open and resume. All commands that train use this module."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from qep_qiskit.config import Config, Experiment, build, check_config
from qep_qiskit.config.executor import build_device, build_remote_executor
from qep_qiskit.core.errors import ConfigError, RunFolderError
from qep_qiskit.core.worker_processes import stop_wanted
from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.device.remote import Pace, RemoteExecutor
from qep_qiskit.device.service import RemoteDevice
from qep_qiskit.learning import Callback, Record, Trainer, TrainingState
from qep_qiskit.runs.callbacks import AppliedJobs, Checkpoints, LastOutputs, MetricsFile
from qep_qiskit.runs.folder import RunFolder
from qep_qiskit.runs.versions import naming_versions, versions


def stamped_config(config: Config) -> dict[str, Any]:
    """Return the resolved configuration with the versions of the packages that were used."""
    return versions() | {"config": config.resolved()}


def start_run(path: Path, experiment: Experiment) -> RunFolder:
    """Create the folder of a new run.

    Raises:
        RunFolderError: The folder exists already, or cannot be written.
    """
    config = experiment.config
    # Jobs of a device carry the id as a tag, so that they are found where the ledger is lost.
    run = {"run": uuid.uuid4().hex} if config.execution.is_remote else {}
    content = stamped_config(config) | run
    return RunFolder.create(path, content, experiment.task, private=config.execution.names_account)


def kept_config(folder: RunFolder) -> Mapping[str, Any]:
    """Return the resolved configuration that is stored in the folder of a run.

    Raises:
        RunFolderError: It is damaged.
    """
    content = folder.config().get("config")
    if not isinstance(content, dict):
        raise RunFolderError(f"{folder.path}/config.json: expected a configuration under 'config'; the file is damaged")
    return content


def open_run(path: str | Path) -> tuple[RunFolder, Experiment]:
    """Return the folder of a run and its objects.

    Raises:
        RunFolderError: The folder is not a run folder, or is damaged.
    """
    folder = RunFolder.open(Path(path))
    config = kept_config(folder)
    with naming_versions(folder.config()):
        return folder, build(check_config(config, f"{path}/config.json"), folder.task())


def load_matching_state(folder: RunFolder, experiment: Experiment) -> TrainingState | None:
    """Return the last checkpoint of a run, checked against its objects; None if it was stopped before the first.

    Raises:
        RunFolderError: The checkpoint is damaged or belongs to another run.
    """
    with naming_versions(folder.config()):
        state = folder.load_state()
    if state is None:
        return None
    expected = experiment.trainer(callbacks=()).state
    same_optimizer_state = {name: len(array) for name, array in state.optimizer_state.items()} == {
        name: len(array) for name, array in expected.optimizer_state.items()
    }
    if len(state.weights) != len(expected.weights) or not same_optimizer_state:
        raise RunFolderError(
            f"{folder.path}: the checkpoint does not fit the network and the optimiser of config.json; the parts of "
            "this folder do not belong together"
        )
    return state


def with_epochs(folder: RunFolder, experiment: Experiment, epochs: int) -> Experiment:
    """Change how many epochs a run has in all, in its folder, and return its objects.

    A learning rate that decays does so as planned; its final value then stays. The summary of an earlier end is
    removed.

    Raises:
        ConfigError: The number is out of range, or so many epochs are done already.
        FolderBusyError: Another process works in the folder.
    """
    training = experiment.config.training
    with folder.locked():
        state = load_matching_state(folder, experiment)
        done = 0 if state is None else state.epoch
        if state is not None and state.ending != "no" and epochs != training.epochs:
            raise ConfigError(
                f"--epochs: a callback has ended this run after epoch {done}; begin another from its weights, with "
                "network.weights_from"
            )
        if epochs <= done and epochs != training.epochs:
            raise ConfigError(f"--epochs: expected more epochs in all than are done ({done}), got {epochs}")
        if epochs == training.epochs:
            return experiment
        content = folder.config()
        decays = experiment.config.update.decay != "constant"
        planned = training.decay_epochs or (training.epochs if decays else None)
        changed = kept_config(folder)["training"] | {"epochs": epochs, "decay_epochs": planned}
        config = check_config({**kept_config(folder), "training": changed}, "--epochs")
        folder.write_json("config.json", content | {"config": config.resolved()})
        (folder.path / "summary.json").unlink(missing_ok=True)
    return replace(experiment, config=config)


def is_finished(state: TrainingState | None, experiment: Experiment) -> bool:
    """Return whether all epochs of a run are done, or a callback has ended it.

    Args:
        state: The last checkpoint, or None.
        experiment: Objects of the run.
    """
    if state is None or state.ending == "due":
        return False
    return state.ending == "done" or state.epoch >= experiment.config.training.epochs


def device_of(experiment: Experiment, folder: RunFolder | None = None) -> RemoteDevice | None:
    """Log in and return the device that a run uses; None if it runs on this machine.

    Args:
        experiment: Objects of the run.
        folder: Folder of the run, whose jobs state the instance that pays; None for a new run.

    Raises:
        QepError: The device is not available.
    """
    config = experiment.config
    if not config.execution.is_remote:
        return None
    if folder is not None and config.execution.where.is_ibm and config.execution.instance is None:
        path = ledger_path(folder, config.execution.backend)
        entries = JobLedger.read(path) if path.exists() else []
        instance = entries[-1].description.instance if entries else None
        config = config.model_copy(update={"execution": config.execution.model_copy(update={"instance": instance})})
    return build_device(config, experiment.network.num_qubits)


@contextmanager
def on_device(
    folder: RunFolder,
    experiment: Experiment,
    device: RemoteDevice | None,
    pace: Pace | None = None,
    *,
    counts_anew: bool = False,
    is_new: bool = False,
) -> Iterator[RemoteExecutor | None]:
    """Return the executor of a run on a device, with the ledger in its folder; None without a device.

    Args:
        folder: Folder of the run; it must be locked.
        experiment: Objects of the run.
        device: The device.
        pace: How far this process submits and waits; to the end of the run by default.
        counts_anew: If True, the limit of QPU seconds applies to this process alone, without earlier jobs of the run.
        is_new: Whether the run has just started, so that no job of it can be missing in the ledger.
    """
    if device is None:
        yield None
        return
    ledger = JobLedger(ledger_path(folder, experiment.config.execution.backend))
    limit = experiment.config.execution.max_qpu_seconds + (ledger.seconds() if counts_anew else 0.0)
    run = folder.config().get("run")
    with closing(
        build_remote_executor(experiment.config, experiment.seeds, device, ledger, pace, limit, run=run, is_new=is_new)
    ) as executor:
        yield executor


def ledger_path(folder: RunFolder, backend: str | None = None) -> Path:
    """Return the path of the ledger of device jobs of a run.

    Args:
        folder: Folder of the run.
        backend: Another backend than that of the run, on which its network is measured; it has a ledger of its own.
    """
    if backend is None or backend == kept_config(folder).get("execution", {}).get("backend"):
        return folder.path / "jobs.sqlite"
    return folder.path / f"jobs_{re.sub(r'[^A-Za-z0-9_-]', '_', backend)}.sqlite"


def other_ledger_paths(folder: RunFolder) -> list[Path]:
    """Return the paths of the ledgers of devices other than that of the run, on which its network was measured."""
    return sorted(folder.path.glob("jobs_*.sqlite"))


def trainer_in(
    folder: RunFolder,
    experiment: Experiment,
    state: TrainingState | None,
    watchers: Sequence[Callback] = (),
    executor: RemoteExecutor | None = None,
    callbacks: Sequence[Callback] | None = None,
) -> Trainer:
    """Return a trainer that continues from a state and writes metrics and checkpoints.

    The folder must be locked; metrics lines that come after the state are removed from it. On a device every record is
    followed by a checkpoint.

    Args:
        folder: Folder of the run.
        experiment: Objects of the run.
        state: State to continue from; None for a new training.
        watchers: Additional callbacks.
        executor: Executor of the device; None on this machine.
        callbacks: Those of the configuration, if they are already made. They are called before a checkpoint is written,
            which then has what they keep in the state.
    """
    own = experiment.callbacks(folder.path) if callbacks is None else callbacks
    folder.cut_metrics(state)
    if executor is not None:
        saving = Checkpoints(folder, every_seconds=0.0, at_most_every=0.0)
        kept = (MetricsFile(folder), *own, LastOutputs(folder), saving, AppliedJobs(executor.ledger))
        trainer = replace(experiment, executor=executor).trainer(callbacks=(*kept, *watchers), state=state)
        executor.stopping = lambda: trainer.stop_requested
        return trainer
    kept = (MetricsFile(folder), *own, LastOutputs(folder), Checkpoints(folder))
    return experiment.trainer(callbacks=(*kept, *watchers), state=state)


class StopWhereWanted(Callback):
    """Stop a run in a worker on request of the parent process; finished steps are in the checkpoint."""

    def on_request(self, trainer: Trainer, record: Record | None = None) -> None:
        """Check the stop flag, also after a step, an epoch or a pilot."""
        if stop_wanted():
            trainer.request_stop()

    on_pilot = on_step = on_epoch = on_request
