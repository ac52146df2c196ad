"""Signal-to-noise of the gradient of a wide network by distance from its output (extra ``tensor``).

    python benchmarks/signal_by_distance.py [--config configs/dmrg_57.toml] [--sample 1]
    python benchmarks/signal_by_distance.py --draw docs/signal_by_distance.png    the figure, from the stored result

At the initial weights: the contrast of matrix product states of twice the bond dimension, without shot noise, over the
standard error of the contrast with the shots of the configuration. Distances count couplings, those of a coupling from
the nearer of its spins; a row has root mean squares over the couplings, fields and biases at one distance. Inputs are
strong fields four couplings from the output, and there are biases: with the weights of inputs near zero, where
``dmrg_57.toml`` starts, the symmetry of all spins leaves no gradient of anything else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import rustworkx as rx
from matplotlib.figure import Figure
from shown import parser_of, show

import qep_qiskit as qep
from qep_qiskit.execution import RequestKey
from qep_qiskit.report.log_axis import log_axis
from qep_qiskit.report.style import LINE_STYLES, figure_style, new_figure, save_figure

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results.json"
FIELDS = (
    'network.inputs={mode = "fields", spins = [44, 50, 52], strength = 2.0}',
    "network.biases.enabled=true",
    "preparation.max_bond_dimension=24",
    "preparation.tolerance=1e-5",
)


def distances_of(network: qep.IsingNetwork) -> np.ndarray:
    """Number of couplings from the output to every weight, shape (weights,)."""
    graph = rx.PyGraph()
    graph.add_nodes_from(range(network.num_qubits))
    graph.add_edges_from_no_data(list(network.graph.edges))
    from_output = rx.distance_matrix(graph)[network.outputs[0]]
    spins = [[int(spin) for spin in re.findall(r"\d+", name)] for name in network.layout.names]
    return np.array([min(from_output[spin] for spin in named) for named in spins])


def drawn(table: Sequence[Sequence[str]]) -> Figure:
    """The gradient beside its standard error, and their ratio, against the distance.

    Args:
        table: The table that `main` shows, the headers first.
    """
    _, *rows = table
    distance, _, gradient, error, ratio = np.array(rows, dtype=float).T
    with figure_style():
        figure = new_figure(8.4, 3.0)
        left, right = figure.subplots(1, 2)
        left.plot(distance, gradient, **LINE_STYLES["symmetric"].drawn(), label="gradient of a weight")
        left.plot(distance, error, **LINE_STYLES["one-sided +"].drawn(), label="its standard error")
        log_axis(left, "y", [*gradient, *error])
        left.set_ylabel("root mean square")
        left.legend(loc="lower left")
        right.plot(distance, ratio, **LINE_STYLES["ideal"].drawn())
        right.axhline(1.0, color=LINE_STYLES["guide"].color, linestyle=LINE_STYLES["guide"].linestyle, zorder=1.0)
        log_axis(right, "y", ratio)
        right.set_ylabel("signal-to-noise of a weight")
        for axis in (left, right):
            axis.grid(True)
            axis.set_xlabel("couplings between weight and output")
    return figure


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--config", default="configs/dmrg_57.toml")
    parser.add_argument("--sample", type=int, default=1)
    parser.add_argument("--draw", metavar="FILE", help="draw the stored result and compute nothing")
    options = parser.parse_args()
    if options.draw:
        stored = json.loads(RESULTS.read_text(encoding="utf-8"))["signal_by_distance"]["table"]
        print(f"wrote {save_figure(drawn(stored), options.draw)}")
        return
    experiment = qep.from_file(options.config, FIELDS)
    network, estimator = experiment.network, experiment.estimator
    weights, sample = network.layout.initial(experiment.seeds), experiment.task.train.take(np.array([options.sample]))

    def estimate(estimator):
        work = estimator.estimate(weights, sample.inputs, sample.targets, RequestKey("gradient", options.sample))
        return qep.run_measurements(work, experiment.executor)[0]

    exact = estimate(replace(estimator, preparation=estimator.preparation.finer, shots=None)).gradient
    cut = estimate(replace(estimator, shots=None)).gradient
    noise = estimate(estimator).standard_error
    distances, counts = distances_of(network), network.layout.trainable()
    table = [["couplings from the output", "weights", "gradient", "standard error", "signal-to-noise"]]
    for distance in np.unique(distances[counts]):
        here = counts & (distances == distance)
        signal, error = (float(np.sqrt(np.square(values[here]).mean())) for values in (exact, noise))
        table.append([f"{distance:.0f}", str(here.sum()), f"{signal:.4f}", f"{error:.4f}", f"{signal / error:.2g}"])
    lost = float(np.linalg.norm(cut - exact) / np.linalg.norm(exact))
    show(table, {"change_by_doubled_bonds": lost}, as_json=options.json)


if __name__ == "__main__":
    main()
