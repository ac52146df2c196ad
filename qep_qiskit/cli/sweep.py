"""``qep sweep``: a run for every point of a grid, and one table of all runs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from qep_qiskit.cli.points_view import PointsView
from qep_qiskit.cli.streams import tell
from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.files import write_atomically
from qep_qiskit.report.tables import grid_table
from qep_qiskit.runs.averages import averaged
from qep_qiskit.runs.grid import GridPoint, check_points, grid, parse_axis
from qep_qiskit.runs.pool import Pool
from qep_qiskit.runs.processes import open_pool
from qep_qiskit.runs.sweep import SweepResult, run_sweep
from qep_qiskit.runs.sweep_folder import SweepFolder
from qep_qiskit.runs.table import TableFormat, require_table_format

_SOME_FAILED = 1
_FOLD = "task.fold"
_REPETITIONS = ("seed", _FOLD)
_AVERAGED = ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "shots", "circuits", "seconds")
_SHOWN = ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "shots", "seconds")


def run(options: argparse.Namespace) -> int:
    """Check all points before anything is written, then train them."""
    if not options.over:
        raise ConfigError("--over: expected at least one key.path=value,value,..., such as --over seed=0:10")
    require_table_format(options.format)
    points = grid(options.config, options.overrides, [parse_axis(text) for text in options.over])
    path = Path(options.out or Path("sweeps") / Path(options.config).stem)
    with open_pool(options.jobs, options.scheduler) as pool:
        return _trained(points, path, pool, table_format=options.format, as_json=options.json)


def train_folds(
    config: str, overrides: Sequence[str], out: str | None, count: int, scheduler: str | None = None
) -> int:
    """Train every fold of a cross-validation, on all cores, as a sweep over them.

    Args:
        config: The configuration file.
        overrides: ``key.path=value`` texts.
        out: Folder of the runs; runs/<name of the file> by default.
        count: Number of folds.
        scheduler: Address of a running Dask scheduler; None for this machine.
    """
    points = grid(config, overrides, [parse_axis(f"{_FOLD}=0:{count}")])
    if points[0].config.execution.is_remote:
        raise ConfigError("task.folds: on a device every fold is a run that is started alone; choose one by task.fold")
    with open_pool(None, scheduler) as pool:
        return _trained(points, Path(out or Path("runs") / Path(config).stem), pool)


def _trained(
    points: Sequence[GridPoint], path: Path, pool: Pool, *, table_format: TableFormat = "csv", as_json: bool = False
) -> int:
    check_points(points)
    folder = SweepFolder(path.absolute())
    folder.check(points)
    with folder.at_work(points), PointsView(Console(stderr=True), what="runs") as view:
        result = run_sweep(folder, points, pool, table_format, progress=view.show)
        finished = [row for row in result.rows if row["status"] == "finished"]
        by = [key for key in points[0].swept if key not in _REPETITIONS]
        means = averaged(_with_values(finished, by), by, [*_AVERAGED, *_target_errors(finished)])
        write_atomically(folder.path / "summary.json", (json.dumps({"means": means}, indent=1) + "\n").encode())
    _print(result, means, by, name=points[0].config.name, as_json=as_json)
    return _SOME_FAILED if result.failed else 0


def _target_errors(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the columns of root mean square errors of targets."""
    return [name for name in (rows[0] if rows else ()) if name.startswith("test_rmse_") and not name.endswith("_se")]


def _print(
    result: SweepResult, means: Sequence[dict[str, Any]], by: Sequence[str], *, name: str, as_json: bool
) -> None:
    failed = [f"{row['point']}: {row['error']}" for row in result.failed]
    if as_json:
        paths = {"results": str(result.results), "epochs": str(result.epochs)}
        print(json.dumps({**paths, "points": len(result.rows), "failed": failed, "means": means}))
        return
    columns = [*_SHOWN[:-2], *_target_errors(means), *_SHOWN[-2:]]
    shown = [column for column in columns if any(row[column] is not None for row in means)]
    Console().print(grid_table(means, by, shown, title=name))
    for line in failed:
        tell(f"failed: {line}")
    if failed:
        share = f"{len(failed)} of {amount(len(result.rows), 'point')}"
        tell(f"{share} failed; the same command tries them again")
    print(f"wrote {_near(result.results)} and {_near(result.epochs)}")


def _with_values(rows: Sequence[dict[str, Any]], keys: Sequence[str]) -> list[dict[str, Any]]:
    """Return rows in which the values of swept sections are collected from the columns of their keys."""
    return [{**row, **{key: row[key] if key in row else _section(row, key) for key in keys}} for row in rows]


def _section(row: dict[str, Any], key: str) -> dict[str, Any]:
    return {name.removeprefix(f"{key}."): value for name, value in row.items() if name.startswith(f"{key}.")}


def _near(path: Path) -> str:
    """Return a path relative to the working directory, if it is inside."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
