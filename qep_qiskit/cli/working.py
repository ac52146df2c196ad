"""Training in a run folder for the commands: progress bar, signals, and the report at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, RenderableType

from qep_qiskit.cli.device_view import show_spent
from qep_qiskit.cli.progress import ProgressView
from qep_qiskit.cli.streams import tell
from qep_qiskit.config import Experiment
from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.device.remote import Pace, RemoteExecutor
from qep_qiskit.device.service import RemoteDevice
from qep_qiskit.learning import Callback, Outcome, Trainer, TrainingState
from qep_qiskit.runs.folder import RunFolder
from qep_qiskit.runs.stop_signals import on_stop_signals
from qep_qiskit.runs.training import device_of, is_finished, load_matching_state, on_device, trainer_in

INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Result of a command in a run folder.

    Args:
        trainer: Trainer with the current state of the run.
        outcome: How the training ended.
        executor: Executor of the device, or None on this machine.
    """

    trainer: Trainer
    outcome: Outcome
    executor: RemoteExecutor | None = None


@contextmanager
def working_in(
    folder: RunFolder,
    experiment: Experiment,
    device: RemoteDevice | None = None,
    pace: Pace | None = None,
    callbacks: Sequence[Callback] | None = None,
) -> Iterator[Work]:
    """Continue a run as far as possible; for a finished run the report is written while the folder is locked.

    Args:
        folder: Folder of the run.
        experiment: Objects of the run.
        device: The device of a run that has just started; by default that of an earlier run.
        pace: How far this process submits and waits on a device; to the end of the run by default.
        callbacks: The callbacks of its configuration, if they are already made.
    """
    with folder.locked():
        state = load_matching_state(folder, experiment)
        if state is not None and is_finished(state, experiment):
            Console().print(report_of(folder, experiment, state))
            print(f"{folder.path}: this run is finished; nothing to resume")
            yield Work(trainer=experiment.trainer(callbacks=(), state=state), outcome="finished")
            return
        is_new = device is not None
        device = device_of(experiment, folder) if device is None else device
        with on_device(folder, experiment, device, pace, is_new=is_new) as executor:
            if executor is not None and not is_new and pace is None:
                show_spent(executor, experiment.config.execution.max_qpu_seconds)
            trainer, outcome = _worked(folder, experiment, state, executor, callbacks)
            yield Work(trainer=trainer, outcome=outcome, executor=executor)
        if outcome == "finished":
            Console().print(report_of(folder, experiment, trainer.state))
            print(f"wrote {folder.path}")


def _worked(
    folder: RunFolder,
    experiment: Experiment,
    state: TrainingState | None,
    executor: RemoteExecutor | None,
    callbacks: Sequence[Callback] | None,
) -> tuple[Trainer, Outcome]:
    progress = ProgressView(Console(stderr=True))
    trainer = trainer_in(folder, experiment, state, watchers=(progress,), executor=executor, callbacks=callbacks)
    if executor is not None:
        executor.waiting = progress.waiting
    with _stopping_on_signals(trainer):
        progress.start(trainer)
        try:
            return trainer, trainer.run()
        finally:
            progress.close()


def say_stopped(work: Work, folder: RunFolder) -> int:
    """Print where a run was stopped by the user, and return the exit code."""
    note = f"; {work.trainer.job_note}" if work.trainer.job_note else ""
    tell(f"stopped {progress_of(work.trainer)}{note}; go on with 'qep resume {folder.path}'")
    return INTERRUPTED


def progress_of(trainer: Trainer) -> str:
    """Return where a run stopped: between two steps, or after some results of the current step."""
    answers = len(trainer.state.request_log)
    if not answers:
        return f"after step {trainer.state.step} of {trainer.total_steps}"
    return f"in step {trainer.state.step + 1} of {trainer.total_steps}, with {amount(answers, 'answer')} kept"


def report_of(folder: RunFolder, experiment: Experiment, state: TrainingState) -> RenderableType:
    """Write the report of a run and return it for the terminal. Figures are imported only here."""
    from qep_qiskit.runs.report import write_report

    return write_report(folder, experiment, state)


@contextmanager
def _stopping_on_signals(trainer: Trainer) -> Iterator[None]:
    """Stop after the current request or while waiting at the first signal that asks for it, at once at a second."""

    def stop() -> None:
        if trainer.stop_requested:
            raise KeyboardInterrupt
        trainer.request_stop()

    with on_stop_signals(stop):
        yield


def require_device(experiment: Experiment, command: str) -> None:
    """Check that a run uses a device behind a service.

    Args:
        experiment: Objects of the run.
        command: Name of the command, for the message.

    Raises:
        ConfigError: It does not.
    """
    if not experiment.config.execution.is_remote:
        raise ConfigError(
            f"execution.backend: 'qep {command}' is for jobs that can be retrieved by id, on 'ibm_...' or a provider's "
            f"device, and this run works on '{experiment.config.execution.backend}' at once; use 'qep train' or 'qep "
            "resume'"
        )


def free_folder(path: Path) -> Path:
    """Return the path, or the first of path-2, path-3, ... that does not exist."""
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}-{number}")
    return candidate
