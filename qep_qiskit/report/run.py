"""The report of a run: weights by name, a summary, and the figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from qep_qiskit.learning.run_folder import RunFolder
from qep_qiskit.learning.state import TrainingState
from qep_qiskit.learning.summary import write_numbers
from qep_qiskit.network.ising import IsingNetwork
from qep_qiskit.report.learning_curve import learning_curve
from qep_qiskit.report.network_picture import NetworkView, network_picture
from qep_qiskit.report.style import save_figure
from qep_qiskit.report.tables import training_summary, value_with_error
from qep_qiskit.tasks import Task

__all__ = ["network_view", "write_report"]


def write_report(folder: RunFolder, name: str, network: IsingNetwork, task: Task, state: TrainingState) -> Table:
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
    save_figure(network_picture(view, name), folder.path / "network.png")
    return training_summary(_rows(summary), title=name)


def _rows(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [("epochs", str(summary["epochs"])), ("steps", str(summary["steps"]))]
    for part in ("train", "test"):
        for what in ("loss", "accuracy"):
            value = summary[f"{part}_{what}"]
            if value is not None:
                label = f"{part} {what}" + (" (mean over the last epoch)" if part == "train" else "")
                rows.append((label, value_with_error(value, summary[f"{part}_{what}_se"])))
    rows += [("shots", f"{summary['shots']:,}"), ("circuits", f"{summary['circuits']:,}")]
    return [*rows, ("seconds", f"{summary['seconds']:.1f}")]


def network_view(network: IsingNetwork, state: TrainingState, input_names: tuple[str, ...]) -> NetworkView:
    """Couplings, fields and biases before and after, ready to be drawn."""
    layout = network.layout
    spins = network.num_qubits

    def block(weights: NDArray[np.float64], symbol: str, size: int) -> NDArray[np.float64]:
        found = weights[layout.slice_of(symbol)]
        return found if len(found) == size else np.zeros(size)

    def inputs(weights: NDArray[np.float64]) -> NDArray[np.float64] | None:
        if network.inputs is None:
            return None
        table = np.zeros((network.num_inputs, spins))
        for (a, k), value in zip(network.inputs.links, weights[layout.slice_of("W")], strict=True):
            table[a, k] = value
        return table

    before, after = state.initial_weights, state.weights
    return NetworkView(
        positions=network.graph.positions,
        edges=network.graph.edges,
        roles=_roles(network),
        couplings_before=before[layout.slice_of("J")],
        couplings_after=after[layout.slice_of("J")],
        fields_before=block(before, "h", spins),
        fields_after=block(after, "h", spins),
        biases_before=block(before, "b", spins),
        biases_after=block(after, "b", spins),
        input_weights_before=inputs(before),
        input_weights_after=inputs(after),
        input_names=input_names,
    )


def _roles(network: IsingNetwork) -> tuple[str, ...]:
    """Output spins; input spins where inputs act on some spins only; the rest is hidden."""
    driven = {k for _, k in network.inputs.links} if network.inputs is not None else set()
    special = driven if len(driven) < network.num_qubits else set()
    return tuple(
        "output" if spin in network.outputs else "input" if spin in special else "hidden"
        for spin in range(network.num_qubits)
    )
