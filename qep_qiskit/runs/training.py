"""Training in a run folder: begun, opened again, and gone on with. Every command that trains does it here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.config import Config, Experiment, build, check_config
from qep_qiskit.config.build_executor import build_device, build_remote_executor
from qep_qiskit.core.errors import RunFolderError
from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.device.remote import NamedExecutor, Pace, RemoteExecutor
from qep_qiskit.device.service import RemoteDevice
from qep_qiskit.learning import Callback, Record, Trainer, TrainingState
from qep_qiskit.runs.callbacks import AppliedJobs, Checkpoints, MetricsFile
from qep_qiskit.runs.folder import RunFolder
from qep_qiskit.runs.workers import stop_wanted

_STAMPED = ("qep_qiskit", "qiskit", "qiskit-aer", "numpy", "scipy")


def stamped_config(config: Config) -> dict[str, Any]:
    """The resolved configuration with the versions it ran under."""
    return versions() | {"config": config.resolved()}


def versions() -> dict[str, str]:
    """Of this package and of those that its numbers come from."""
    return {name: metadata.version(name) for name in _STAMPED}


def start_run(path: Path, experiment: Experiment) -> RunFolder:
    """Make the folder of a new run.

    Raises:
        RunFolderError: The folder is there already, or cannot be written.
    """
    return RunFolder.create(path, stamped_config(experiment.config), experiment.task)


def kept_config(folder: RunFolder) -> Mapping[str, Any]:
    """The resolved configuration in the folder of a run.

    Raises:
        RunFolderError: It is damaged.
    """
    content = folder.config().get("config")
    if not isinstance(content, dict):
        raise RunFolderError(f"{folder.path}/config.json: expected a configuration under 'config'; the file is damaged")
    return content


def open_run(path: str | Path) -> tuple[RunFolder, Experiment]:
    """A run's folder and its objects.

    Raises:
        RunFolderError: The folder is not one of a run, or is damaged.
    """
    folder = RunFolder.open(Path(path))
    return folder, build(check_config(kept_config(folder), f"{path}/config.json"), folder.task())


def load_matching_state(folder: RunFolder, experiment: Experiment) -> TrainingState | None:
    """A run's last checkpoint (None if it was stopped before the first), checked against its objects.

    Raises:
        RunFolderError: The checkpoint is damaged or belongs to another run.
    """
    state = folder.load_state()
    if state is None:
        return None
    expected = experiment.trainer().state
    same_optimizer_state = {name: len(array) for name, array in state.optimizer_state.items()} == {
        name: len(array) for name, array in expected.optimizer_state.items()
    }
    if len(state.weights) != len(expected.weights) or not same_optimizer_state:
        raise RunFolderError(
            f"{folder.path}: the checkpoint does not fit the network and the optimiser of config.json; the parts of "
            "this folder do not belong together"
        )
    return state


def is_finished(state: TrainingState | None, experiment: Experiment) -> bool:
    """Whether nothing is left to train."""
    return state is not None and state.epoch >= experiment.config.training.epochs


def device_of(experiment: Experiment) -> RemoteDevice | None:
    """Log in and find the device that a run asks for; None where it runs on this machine.

    Raises:
        QepError: The device cannot be had.
    """
    config = experiment.config
    return build_device(config, experiment.network.num_qubits) if config.execution.is_remote else None


@contextmanager
def on_device(
    folder: RunFolder,
    experiment: Experiment,
    device: RemoteDevice | None,
    pace: Pace | None = None,
    *,
    counts_anew: bool = False,
) -> Iterator[RemoteExecutor | None]:
    """Where a run's requests go while it works on a device, with the ledger in its folder; None without a device.

    Args:
        folder: Of the run; it must be locked.
        experiment: The run.
        device: The device.
        pace: How far this process goes; to the end by default.
        counts_anew: Whether the limit of QPU seconds is for this process, whatever the run has taken before.
    """
    if device is None:
        yield None
        return
    ledger = JobLedger(ledger_path(folder))
    limit = experiment.config.execution.max_qpu_seconds + (ledger.seconds() if counts_anew else 0.0)
    with closing(build_remote_executor(experiment.config, experiment.seeds, device, ledger, pace, limit)) as executor:
        yield executor


@contextmanager
def asking(folder: RunFolder, experiment: Experiment, *question: NDArray) -> Iterator[Experiment]:
    """A run's objects to measure something besides its training; on a device the jobs are in the ledger of the folder.

    The same question is sent once: asked again, it is answered from the ledger.

    Args:
        folder: Of the run.
        experiment: The run.
        question: All numbers that say what is asked.

    Raises:
        FolderBusyError: On a device, another process is at work in the folder.
    """
    device = device_of(experiment)
    if device is None:
        yield experiment
        return
    parts = [*question, np.array([experiment.estimator.contrast.beta]), np.array([str(experiment.estimator.shots)])]
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()
    with folder.locked(), on_device(folder, experiment, device, counts_anew=True) as executor:
        assert executor is not None
        yield replace(experiment, executor=NamedExecutor(executor, digest[:8]))
        executor.ledger.applied()


def ledger_path(folder: RunFolder) -> Path:
    """Where the ledger of a run's jobs lies."""
    return folder.path / "jobs.sqlite"


def trainer_in(
    folder: RunFolder,
    experiment: Experiment,
    state: TrainingState | None,
    watchers: Sequence[Callback] = (),
    executor: RemoteExecutor | None = None,
) -> Trainer:
    """A trainer that goes on from a state (None: from the start) and keeps metrics and checkpoints.

    The folder must be locked; metrics lines that the state does not count are dropped from it. With the executor of a
    device every record has its checkpoint.
    """
    folder.cut_metrics(state)
    if executor is not None:
        saving = Checkpoints(folder, every_seconds=0.0, at_most_every=0.0)
        callbacks: tuple[Callback, ...] = (MetricsFile(folder), saving, AppliedJobs(executor.ledger), *watchers)
        trainer = replace(experiment, executor=executor).trainer(callbacks=callbacks, state=state)
        executor.stopping = lambda: trainer.stop_requested
        return trainer
    return experiment.trainer(callbacks=(MetricsFile(folder), Checkpoints(folder), *watchers), state=state)


class StopWhereWanted(Callback):
    """Stops a run in a worker where the parent asks for it; what was done is in the checkpoint."""

    def on_request(self, trainer: Trainer) -> None:
        """Look."""
        if stop_wanted():
            trainer.request_stop()

    def on_pilot(self, trainer: Trainer, record: Record) -> None:
        """Look."""
        self.on_request(trainer)

    def on_step(self, trainer: Trainer, record: Record) -> None:
        """Look."""
        self.on_request(trainer)

    def on_epoch(self, trainer: Trainer, record: Record) -> None:
        """Look."""
        self.on_request(trainer)
