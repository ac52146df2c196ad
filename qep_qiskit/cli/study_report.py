"""Where a study of ``qep budget`` is kept, how its points are computed, and how it is shown at its end."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType

from qep_qiskit.budget.folder import BudgetFolder
from qep_qiskit.budget.setup import BudgetSetup
from qep_qiskit.cli.points_view import PointsView
from qep_qiskit.config import Experiment
from qep_qiskit.runs.points import Point, Row, run_points
from qep_qiskit.runs.processes import open_pool


def folder_of(options: argparse.Namespace) -> BudgetFolder:
    """Return the folder of a study, named after its configuration unless ``--out`` gives one."""
    return BudgetFolder(Path(options.out or Path("budgets") / Path(options.config).stem).absolute())


def computed_rows(
    options: argparse.Namespace,
    setup: BudgetSetup,
    experiment: Experiment,
    points: Sequence[Point],
    work: Callable[[Point], Mapping[str, Any]],
    what: str,
) -> tuple[Path, list[Row]]:
    """Compute the points of a study that goes alone, and return its folder and the rows.

    Args:
        options: Options of the command.
        setup: The study that the folder belongs to.
        experiment: The run whose gradient is studied.
        points: The points.
        work: Computes the row of a point, in a worker.
        what: What the points are, for the progress.

    Raises:
        RunFolderError: The folder holds something else.
    """
    folder = folder_of(options)
    folder.check(setup)
    with (
        open_pool(options.jobs, options.scheduler) as pool,
        folder.at_work(setup, experiment) as store,
        PointsView(Console(stderr=True), what=what) as view,
    ):
        return folder.path, run_points(points, work, store, pool, view.show)


def show_study(path: Path, facts: Mapping[str, Any], tables: Sequence[RenderableType], as_json: bool) -> int:
    """Print what a study has found, and return the exit code.

    Args:
        path: Folder of the study.
        facts: What JSON has; its ``sentences`` and ``warnings`` are printed for people too.
        tables: Tables for people.
        as_json: Whether to print JSON.
    """
    if as_json:
        print(json.dumps({**facts, "folder": str(path)}, indent=1))
        return 0
    console = Console()
    for table in tables:
        console.print(table)
    for sentence in [*facts["sentences"], *facts["warnings"]]:
        console.print(f"* {sentence}", highlight=False)
    print(f"wrote {path / 'index.html'}")
    return 0
