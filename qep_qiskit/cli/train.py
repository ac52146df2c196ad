"""``qep train``: a new run."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from qep_qiskit.cli.progress import ProgressView
from qep_qiskit.config import Experiment, from_file
from qep_qiskit.execution.service import RemoteDevice
from qep_qiskit.learning import RunFolder, Trainer, TrainingState
from qep_qiskit.studies.training import device_of, is_finished, load_matching_state, start_run, trainer_in

__all__ = ["report_of", "run", "train_in"]

_INTERRUPTED = 130


def run(options: argparse.Namespace) -> int:
    """Build everything first, so that nothing is written where something is wrong; then train."""
    experiment = from_file(options.config, options.overrides)
    path = Path(options.out) if options.out else _free_folder(Path("runs") / Path(options.config).stem)
    device = device_of(experiment)
    return train_in(start_run(path, experiment), experiment, device)


def _free_folder(path: Path) -> Path:
    """The path, or the first of path-2, path-3, ... that is not there."""
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}-{number}")
    return candidate


def train_in(folder: RunFolder, experiment: Experiment, device: RemoteDevice | None = None) -> int:
    """Train in a run folder, from its last checkpoint or from the start, and report at the end.

    Args:
        folder: The folder of the run.
        experiment: What it trains.
        device: The device that it asks for, if it was found already.
    """
    progress = ProgressView(Console(stderr=True))
    with folder.locked():
        state = load_matching_state(folder, experiment)
        if state is not None and is_finished(state, experiment):
            Console().print(report_of(folder, experiment, state))
            print(f"{folder.path}: this run is finished; nothing to resume")
            return 0
        device = device_of(experiment) if device is None else device
        trainer = trainer_in(folder, experiment, state, watchers=(progress,), device=device)
        with _stopping_on_signals(trainer):
            progress.start(trainer)
            try:
                outcome = trainer.run()
            finally:
                progress.close()
        if outcome == "stopped":
            left = f"; {trainer.left_behind}" if trainer.left_behind else ""
            print(f"qep: stopped {_place(trainer)}{left}; go on with 'qep resume {folder.path}'", file=sys.stderr)
            return _INTERRUPTED
        Console().print(report_of(folder, experiment, trainer.state))
    print(f"wrote {folder.path}")
    return 0


def _place(trainer: Trainer) -> str:
    """Where a run stopped: between two steps, or with so many answers of the work under way."""
    answers = len(trainer.state.journal)
    if not answers:
        return f"after step {trainer.state.step} of {trainer.total_steps}"
    return f"in step {trainer.state.step + 1} of {trainer.total_steps}, with {answers} answers kept"


def report_of(folder: RunFolder, experiment: Experiment, state: TrainingState) -> Table:
    """Write the report of a run; figures are imported only now."""
    from qep_qiskit.report.run import write_report

    return write_report(folder, experiment.config.name, experiment.network, experiment.task, state)


@contextmanager
def _stopping_on_signals(trainer: Trainer) -> Iterator[None]:
    """The first Ctrl-C (or termination) stops after the current request, or leaves a job waiting; a second at once."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(number: int, _: object) -> None:
        if trainer.stop_requested:
            raise KeyboardInterrupt
        trainer.request_stop()

    try:
        for number in before:
            signal.signal(number, stop)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
