"""Progress of a study of many points: a bar on a terminal, otherwise occasional lines."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from qep_qiskit.core.warning_log import WarningCount
from qep_qiskit.runs import points

_SECONDS_BETWEEN_LINES = 10.0


class PointsView:
    """Progress display of a study, used in a ``with`` statement.

    Args:
        console: Console of the display.
        what: Name of the points, in the plural.
    """

    def __init__(self, console: Console, what: str = "points") -> None:
        self._console, self._what = console, what
        self._last_line = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> PointsView:
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.completed}/{task.total} " + self._what),
                BarColumn(bar_width=None),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(compact=True),
                TextColumn("{task.description}"),
                console=self._console,
                transient=True,
            )
            self._task = self._bar.add_task("", total=None)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, progress: points.Progress) -> None:
        """Update the display with a finished point; warnings of the worker are repeated here."""
        for row in progress.rows:
            for found in row.get("warnings") or ():
                WarningCount.from_summary(found).give(where=f"point {row['key']}")
        failed = f"{progress.failed} failed" if progress.failed else ""
        ended = progress.done + progress.failed
        if self._bar is not None:
            self._bar.update(self._task, completed=ended, total=progress.total, description=failed)
        elif time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            self._console.print(f"{ended}/{progress.total} {self._what}  {failed}".rstrip(), highlight=False)
