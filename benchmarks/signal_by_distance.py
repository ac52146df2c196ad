"""Signal-to-noise of the gradient of a wide network by distance from its output (extra ``tensor``).

    python benchmarks/signal_by_distance.py [--config configs/dmrg_57.toml] [--sample 1]

At the initial weights: the contrast of matrix product states of twice the bond dimension, without shot noise, over the
standard error of the contrast with the shots of the configuration. Distances count couplings, those of a coupling from
the nearer of its spins; a row has root mean squares over the couplings, fields and biases at one distance.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import rustworkx as rx
from shown import parser_of, show

import qep_qiskit as qep
from qep_qiskit.execution import RequestKey


def distances_of(network: qep.IsingNetwork) -> np.ndarray:
    """Number of couplings from the output to every weight, shape (weights,)."""
    graph = rx.PyGraph()
    graph.add_nodes_from(range(network.num_qubits))
    graph.add_edges_from_no_data(list(network.graph.edges))
    from_output = rx.distance_matrix(graph)[network.outputs[0]]
    spins = [[int(spin) for spin in re.findall(r"\d+", name)] for name in network.layout.names]
    return np.array([min(from_output[spin] for spin in named) for named in spins])


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--config", default="configs/dmrg_57.toml")
    parser.add_argument("--sample", type=int, default=1)
    options = parser.parse_args()
    experiment = qep.from_file(options.config)
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
