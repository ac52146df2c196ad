"""A sweep: the points of a grid, each trained in a run folder of its own, and one table of all.

The folder of a sweep:

sweep.json        the grid and a fingerprint of every point's configuration
runs/<point>/     the run of a point, like any other
results.csv       a row for each point: every configuration value beside every result (or .parquet)
epochs.csv        a row for each point and epoch

Finished points are found in the run folders themselves; the sweep stores no second record that could differ from them.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qep_qiskit.config import build, check_config
from qep_qiskit.core.errors import FolderBusyError, QepError, RunFolderError
from qep_qiskit.core.files import whole_folder
from qep_qiskit.core.worker_processes import WorkStopped
from qep_qiskit.learning import Callback
from qep_qiskit.runs.folder import RunFolder
from qep_qiskit.runs.grid import GridPoint
from qep_qiskit.runs.points import Point, Progress, Row, run_points
from qep_qiskit.runs.pool import Pool
from qep_qiskit.runs.summary import write_numbers
from qep_qiskit.runs.sweep_folder import SweepFolder
from qep_qiskit.runs.table import TableFormat, write_table
from qep_qiskit.runs.training import (
    StopWhereWanted,
    is_finished,
    kept_config,
    load_matching_state,
    start_run,
    trainer_in,
)

_SECONDS_FOR_A_LOCK = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResult:
    """Result of a sweep.

    Args:
        rows: One row for each point: its name, every configuration value, its final status and its results.
        results: Path of the table of these rows.
        epochs: Path of the table of all epochs.
    """

    rows: list[Row]
    results: Path
    epochs: Path

    @property
    def failed(self) -> list[Row]:
        """Rows of points that raised an error."""
        return [row for row in self.rows if row["status"] == "failed"]


def run_sweep(
    folder: SweepFolder,
    points: Sequence[GridPoint],
    pool: Pool,
    table_format: TableFormat = "csv",
    progress: Callable[[Progress], None] | None = None,
) -> SweepResult:
    """Train every point that is not finished, and write the tables.

    If the sweep is stopped, the tables are written with the points that are finished by then.

    Args:
        folder: Folder of the sweep, which holds the grid and is locked.
        points: Points of the grid.
        pool: Workers that train the runs.
        table_format: File format of the tables.
        progress: Called after every point.

    Raises:
        StudyStopped: The sweep was stopped by Ctrl-C; every run can be resumed.
        WorkerLostError: A worker died; every run can be resumed.
    """
    tasks = [_task(folder, point) for point in points]
    store = FinishedRuns()
    try:
        found = run_points(tasks, trained_run, store, pool, progress, keep_going=True)
    except BaseException:
        known = [rows[0] for task in tasks if (rows := store.rows_of(task)) is not None]
        _write_tables(folder, points, known, table_format)
        raise
    return _write_tables(folder, points, found, table_format)


def _task(folder: SweepFolder, point: GridPoint) -> Point:
    return {"key": point.name, "folder": str(folder.run_path(point.name)), "config": point.config.resolved()}


def trained_run(point: Point, watching: Callable[[RunFolder], Sequence[Callback]] = lambda _: ()) -> Row:
    """Train the run of a point, from the start or from its last checkpoint. Called in a worker.

    Args:
        point: ``key``, ``folder`` (absolute path) and ``config`` (resolved).
        watching: Returns the additional callbacks for a run folder.

    Returns:
        The summary of the run.

    Raises:
        QepError: The run fails.
        WorkStopped: A stop was requested.
    """
    with warnings.catch_warnings():  # counted in the summary; not visible in a worker
        warnings.simplefilter("ignore")
        return {"key": point["key"], **_trained(point, watching)}


def _trained(point: Point, watching: Callable[[RunFolder], Sequence[Callback]]) -> dict[str, Any]:
    path = Path(point["folder"])
    is_new = not path.exists()
    folder = _opened(path, point)
    config = check_config(kept_config(folder), f"{path}/config.json")
    with folder.removed_if_refused(config.execution) if is_new else nullcontext(), ExitStack() as stack:
        _lock_with_retries(folder, stack)
        experiment = build(config, folder.task())
        state = load_matching_state(folder, experiment)
        if state is None or not is_finished(state, experiment):
            trainer = trainer_in(folder, experiment, state, watchers=(*watching(folder), StopWhereWanted()))
            if trainer.run() == "stopped":
                raise WorkStopped
            state = trainer.state
        return write_numbers(folder, experiment.network.layout.names, state)


def _opened(path: Path, point: Point) -> RunFolder:
    """Open the run folder of a point; a new folder is created completely or not at all."""
    if not path.exists():
        with whole_folder(path) as fresh:
            start_run(fresh, build(check_config(point["config"], point["key"])))
    folder = RunFolder.open(path)
    if kept_config(folder) != point["config"]:
        raise RunFolderError(
            f"{path}/config.json: holds another configuration than the sweep; remove the folder, or give another --out"
        )
    return folder


def _lock_with_retries(folder: RunFolder, stack: ExitStack) -> None:
    """Lock a run folder, with retries: a cluster worker that lost its sweep releases its lock only after some time."""
    give_up_at = time.monotonic() + _SECONDS_FOR_A_LOCK
    while True:
        try:
            return stack.enter_context(folder.locked())
        except FolderBusyError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.5)


class FinishedRuns:
    """Store of points in their run folders: a point is finished if its folder holds its configuration and a summary."""

    def rows_of(self, point: Point) -> list[Row] | None:
        """Return the summary in the run folder of a point, or None."""
        folder = RunFolder(Path(point["folder"]))
        summary = folder.summary()
        if summary is None:
            return None
        try:
            matches = kept_config(folder) == point["config"]
        except QepError:
            return None
        return [{"key": point["key"], **summary}] if matches else None

    def keep(self, point: Point, rows: list[Row]) -> None:
        """Do nothing: the run itself has written its summary."""


def _write_tables(
    folder: SweepFolder, points: Sequence[GridPoint], found: Sequence[Row], table_format: TableFormat
) -> SweepResult:
    by_name = {row["key"]: row for row in found}
    ended = [point for point in points if point.name in by_name]
    rows = [_result_row(point, by_name[point.name]) for point in ended]
    epochs = [row for point in ended for row in _epoch_rows(point, RunFolder(folder.run_path(point.name)))]
    result = SweepResult(
        rows=rows,
        results=folder.path / f"results.{table_format}",
        epochs=folder.path / f"epochs.{table_format}",
    )
    write_table(result.results, _with_all_estimates(rows))
    write_table(result.epochs, epochs)
    return result


def _result_row(point: GridPoint, found: Row) -> Row:
    """Return every configuration value, then the final status, then every result."""
    results = {name: value for name, value in found.items() if name not in ("key", "failed", "warnings")}
    if found.get("warnings"):
        results["warnings"] = "; ".join(f"{one['kind']}: {one['diagnosis']}" for one in found["warnings"])
    ending = {"status": "failed" if "failed" in found else "finished", "error": found.get("failed")}
    return {"point": point.name, **point.config.flat(), **ending, **results}


def _with_all_estimates(rows: Sequence[Row]) -> list[Row]:
    """Return rows with the same columns: the configuration columns of all rows come before the columns of results."""
    first = [name for row in rows for name in list(row)[: list(row).index("status")]]
    return [dict.fromkeys(dict.fromkeys(first)) | row for row in rows]


def _epoch_rows(point: GridPoint, run: RunFolder) -> list[Row]:
    epochs = [record for record in run.records() if record.pop("event") == "epoch"]
    return [{"point": point.name, **point.swept, **record} for record in epochs]
