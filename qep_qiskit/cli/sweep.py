"""``qep sweep``: a run for every point of a grid, and one table of all runs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from qep_qiskit.cli.points_view import PointsView
from qep_qiskit.cli.streams import tell
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.report.tables import grid_table
from qep_qiskit.runs.averages import averaged
from qep_qiskit.runs.grid import check_points, grid, parse_axis
from qep_qiskit.runs.processes import open_pool
from qep_qiskit.runs.sweep import SweepResult, run_sweep
from qep_qiskit.runs.sweep_folder import SweepFolder
from qep_qiskit.runs.table import require_table_format

_SOME_FAILED = 1
_AVERAGED = ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "shots", "circuits", "seconds")
_SHOWN = ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "shots", "seconds")


def run(options: argparse.Namespace) -> int:
    """Check all points before anything is written, then train them."""
    if not options.over:
        raise ConfigError("--over: expected at least one key.path=value,value,..., such as --over seed=0:10")
    require_table_format(options.format)
    points = grid(options.config, options.overrides, [parse_axis(text) for text in options.over])
    check_points(points)
    folder = SweepFolder(Path(options.out or Path("sweeps") / Path(options.config).stem).absolute())
    folder.check(points)
    with (
        open_pool(options.jobs, options.scheduler) as pool,
        folder.at_work(points),
        PointsView(Console(stderr=True), what="runs") as view,
    ):
        result = run_sweep(folder, points, pool, options.format, progress=view.show)
    _print(result, list(points[0].swept), name=points[0].config.name, as_json=options.json)
    return _SOME_FAILED if result.failed else 0


def _print(result: SweepResult, keys: Sequence[str], *, name: str, as_json: bool) -> None:
    finished = [row for row in result.rows if row["status"] == "finished"]
    by = [key for key in keys if key != "seed"]
    means = averaged(_with_values(finished, by), by, _AVERAGED)
    failed = [f"{row['point']}: {row['error']}" for row in result.failed]
    if as_json:
        paths = {"results": str(result.results), "epochs": str(result.epochs)}
        print(json.dumps({**paths, "points": len(result.rows), "failed": failed, "means": means}))
        return
    shown = [column for column in _SHOWN if any(row[column] is not None for row in means)]
    Console().print(grid_table(means, by, shown, title=name))
    for line in failed:
        tell(f"failed: {line}")
    if failed:
        share = f"{len(failed)} of {len(result.rows)} points"
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
