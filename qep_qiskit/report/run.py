"""The report of a run: weights by name, a summary, and the figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qep_qiskit.learning.run_folder import RunFolder
from qep_qiskit.learning.state import TrainingState
from qep_qiskit.learning.summary import write_numbers
from qep_qiskit.network import Network
from qep_qiskit.report.fitted_table import FittedTable
from qep_qiskit.report.learning_curve import learning_curve
from qep_qiskit.report.network_picture import network_picture
from qep_qiskit.report.network_view import network_view
from qep_qiskit.report.style import save_figure
from qep_qiskit.report.tables import training_summary, value_with_error
from qep_qiskit.tasks import Task

__all__ = ["write_report"]

_SEVERITIES = {"note": "note", "warning": "warning", "serious": "serious warning"}


def write_report(
    folder: RunFolder,
    name: str,
    network: Network,
    task: Task,
    state: TrainingState,
) -> FittedTable:
    """Write weights, summary and figures into the folder of a run.

    Args:
        folder: The run.
        name: Title of the figures.
        network: What was trained.
        task: For the names of the inputs.
        state: At the end of the run.

    Returns:
        The summary as a table for the terminal.
    """
    records = folder.records()
    summary = write_numbers(folder, network.layout.names, state)
    save_figure(learning_curve(records, name), folder.path / "learning_curve.png")
    view = network_view(network, state, task.train.input_names)
    rows = _rows(summary)
    if view is None:
        rows.append(("network.png", "left out: not only ZZ, X and Z"))
    else:
        save_figure(network_picture(view, name), folder.path / "network.png")
    return training_summary(rows, title=name)


def _rows(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    warnings = summary["warnings"]
    rows = [("epochs", str(summary["epochs"])), ("steps", str(summary["steps"]))]
    for part in ("train", "test"):
        for what in ("loss", "accuracy"):
            value = summary[f"{part}_{what}"]
            if value is not None:
                label = f"{part} {what}" + (" (mean over the last epoch)" if part == "train" else "")
                rows.append((label, value_with_error(value, summary[f"{part}_{what}_se"])))
    rows += [("shots", f"{summary['shots']:,}"), ("circuits", f"{summary['circuits']:,}")]
    rows.append(("seconds", f"{summary['seconds']:.1f}"))
    return rows + [(_SEVERITIES[found["severity"]], f"{found['kind']}: {found['diagnosis']}") for found in warnings]
