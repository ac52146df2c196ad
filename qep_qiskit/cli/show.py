"""``qep show``: what runs are and did."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from qep_qiskit.core.files import write_atomically
from qep_qiskit.report.fitted_table import FittedTable
from qep_qiskit.report.tables import training_summary
from qep_qiskit.runs.overview import RunOverview, comparison, diagnostic_rows, differing_keys, overview_of, shown
from qep_qiskit.runs.summary import number_rows, warning_rows


def run(options: argparse.Namespace) -> int:
    """Print one run, or a table of several; or write a page."""
    runs = [overview_of(path) for given in options.folders for path in _run_folders(Path(given))]
    if options.html is not None:
        _write_page(Path(options.html), runs)
    if options.json:
        print(json.dumps({"differing": differing_keys(runs), "runs": [one.record() for one in runs]}, indent=1))
    elif options.html is not None:
        print(f"wrote {options.html}")
    else:
        Console().print(_one(runs[0]) if len(runs) == 1 else _several(runs))
    return 0


def _run_folders(path: Path) -> Iterator[Path]:
    """Yield the folder of a run, or those of the points of a sweep."""
    if (path / "sweep.json").is_file():
        yield from sorted(found.parent for found in (path / "runs").glob("*/config.json"))
    else:
        yield path


def _one(run: RunOverview) -> FittedTable:
    rows = [("status", run.status)]
    rows += [(key, shown(value)) for key, value in run.settings.items()]
    rows += [*number_rows(run.summary), *warning_rows(run.summary)] if run.summary else []
    rows += [(f"last step: {name}", value) for name, value in diagnostic_rows(run)]
    return training_summary([*rows, *run.versions.items()], title=f"{run.name} ({run.folder.path})")


def _several(runs: list[RunOverview]) -> FittedTable:
    columns, rows = comparison(runs)
    table = FittedTable(optional=("final train loss", "train loss", "test loss"))
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _write_page(path: Path, runs: list[RunOverview]) -> None:
    """Write a page of all runs; figures are imported only here."""
    from qep_qiskit.report.run_page import run_page
    from qep_qiskit.runs.report import page_section

    columns, rows = comparison(runs) if len(runs) > 1 else ([], [])
    page = run_page([page_section(one) for one in runs], columns, rows)
    write_atomically(path, page.encode())
