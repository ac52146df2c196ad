"""Progress of a run: a bar on a terminal, otherwise a few lines."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column

from qep_qiskit.cli.device_view import place_in_queue
from qep_qiskit.device.service import JobView
from qep_qiskit.learning import Callback, Outcome, Record, Trainer

_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BETWEEN_LINES_OF_WAITING = 60.0
_WIDTH_OF_WORDS = 100
_WIDTH_BEFORE_FIGURES = 28  # percentage, remaining time, and the text epoch


def _number(record: Record, *names: str) -> float | None:
    for name in names:
        value = record.get(name)
        if isinstance(value, int | float):
            return float(value)
    return None


def _compact(count: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.1f}{letter}"
    return f"{count:.0f}"


class ProgressView(Callback):
    """Progress display of a run.

    Args:
        console: Console of the display: a bar on a terminal, otherwise occasional lines.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._last_line = time.monotonic()
        self._accuracy: float | None = None
        self._figures_width = 0

    def start(self, trainer: Trainer) -> None:
        """Show the bar; called before the run."""
        if not self._console.is_terminal:
            return
        bar_width = min(self._console.width - _WIDTH_OF_WORDS, 40)
        bar = [BarColumn(bar_width=bar_width)] if bar_width >= 8 else []
        self._figures_width = self._console.width - _WIDTH_BEFORE_FIGURES - 2 * len(f"/{trainer.settings.epochs}")
        self._figures_width -= bar_width + 1 if bar else 0
        self._bar = Progress(
            *bar,
            TextColumn("{task.percentage:3.0f}%", table_column=Column(no_wrap=True)),
            TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True, min_width=5)),
            TextColumn("left", table_column=Column(no_wrap=True)),
            TextColumn("epoch {task.fields[epoch]}", table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[figures]}", table_column=Column(no_wrap=True, overflow="ellipsis")),
            console=self._console,
            transient=True,
        )
        self._bar.start()
        self._task = self._bar.add_task(
            "train",
            total=trainer.total_steps,
            completed=trainer.state.step,
            epoch=f"{trainer.state.epoch + 1}/{trainer.settings.epochs}",
            figures="",
        )

    def on_request(self, trainer: Trainer) -> None:
        """Update the number of shots within a long step; without a terminal, print a line if the last one is old."""
        if self._bar is not None:
            self._bar.update(self._task, figures=self._figures(trainer, {}))
        elif time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            text = f"step {trainer.state.step + 1}/{trainer.total_steps}, request {len(trainer.state.request_log)}"
            self._console.print(f"{text}  {_compact(trainer.state.shots)} shots", highlight=False)

    def waiting(self, job_id: str, seconds: float, view: JobView) -> None:
        """Show on the bar that a job is queued or running; without a terminal, print an occasional line."""
        parts = [f"{'running' if view.running else 'queued'} {seconds:.0f} s"]
        parts += place_in_queue(view.position, view.starts)
        if self._bar is not None:
            self._bar.update(self._task, figures=self._fitting([*parts, f"job {job_id}"]))
        elif time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES_OF_WAITING:
            self._last_line = time.monotonic()
            self._console.print(f"job {job_id}: {', '.join(parts)}", highlight=False)

    def on_step(self, trainer: Trainer, record: Record) -> None:
        """Advance the bar."""
        if self._bar is None:
            return
        epoch = min(trainer.state.epoch + 1, trainer.settings.epochs)
        self._bar.update(
            self._task,
            completed=trainer.state.step,
            epoch=f"{epoch}/{trainer.settings.epochs}",
            figures=self._figures(trainer, record),
        )

    def _figures(self, trainer: Trainer, record: Record) -> str:
        loss = trainer.state.tally.mean_cost if trainer.state.tally.samples else _number(record, "loss")
        parts = ["" if loss is None else f"loss {loss:.4f}"]
        if self._accuracy is not None:
            parts.append(f"accuracy {self._accuracy:.3f}")
        parts.append(f"{_compact(trainer.state.shots)} shots")
        parts.append(f"{_compact(trainer.state.circuits)} circuits")
        return self._fitting([part for part in parts if part])

    def _fitting(self, parts: list[str]) -> str:
        """Return as many of the figures as fit into the line, none of them cut."""
        while parts and len("  ".join(parts)) > self._figures_width:
            parts.pop()
        return "  ".join(parts)

    def on_epoch(self, trainer: Trainer, record: Record) -> None:
        """Store the accuracy for the bar; without a terminal, print a line if the last one is old."""
        accuracy = _number(record, "test_accuracy", "train_accuracy")
        self._accuracy = self._accuracy if accuracy is None else accuracy
        if self._bar is not None or time.monotonic() - self._last_line < _SECONDS_BETWEEN_LINES:
            return
        self._last_line = time.monotonic()
        loss = _number(record, "train_loss")
        text = f"epoch {trainer.state.epoch}/{trainer.settings.epochs}"
        text += "" if loss is None else f"  loss {loss:.4f}"
        text += "" if self._accuracy is None else f"  accuracy {self._accuracy:.3f}"
        self._console.print(f"{text}  {_compact(trainer.state.shots)} shots", highlight=False)

    def on_end(self, trainer: Trainer, outcome: Outcome) -> None:
        """Remove the bar."""
        self.close()

    def close(self) -> None:
        """Remove the bar, also after an error."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
