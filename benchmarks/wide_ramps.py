"""How well short ramps on a wide register give the gradient, by number of steps and distance from the output.

    python benchmarks/wide_ramps.py [configs/native_100.toml] [--sample 0] [--bond 64] [--reference-bond 24] [--json]

States are matrix products: of the ramps (exact means of the very circuits), and of ground states by DMRG (needs
physics-tenpy). Contrasts have the nudge of the configuration, so what is compared is the ramp alone.

    steps, order   Trotter steps, and order of the splitting
    layers         layers of two-qubit gates on a heavy-hexagonal lattice: of rzz / of cz
    cosine         between both gradients: of all weights, and of those whose nearest spin is so many couplings away
    error          |g - g_DMRG| / |g_DMRG| of all weights
    lost           largest weight that truncation discarded from a state of the ramp
"""

from __future__ import annotations

import resource
import time
from dataclasses import replace

import numpy as np
import rustworkx as rx
from shown import parser_of, show

import qep_qiskit as qep
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning.locality import locality
from qep_qiskit.measurement import run_measurements
from qep_qiskit.preparation import DmrgPreparation

SETTINGS = ((1, 2), (1, 4), (2, 4), (2, 8))
TIME_STEP = 0.6
FARTHEST = 4
COLOURS = 3
CZ_PER_RZZ = 2


def gradient_of(experiment, preparation, executor, weights, sample):
    """The contrast of exact means, and the seconds that it took."""
    estimator = replace(experiment.estimator, preparation=preparation, shots=None)
    start = time.perf_counter()
    work = estimator.estimate(weights, sample.inputs, sample.targets, RequestKey("gradient", 0))
    found = run_measurements(work, executor)[0]
    return found.gradient, found.diagnostics.discarded, time.perf_counter() - start


def distances(experiment):
    """Couplings between every weight and the output: from the nearest spin that the weight acts on."""
    network = experiment.network
    graph = rx.PyGraph()
    graph.add_nodes_from(range(network.num_qubits))
    graph.add_edges_from_no_data(list(network.graph.edges))
    away = rx.distance_matrix(graph)[network.outputs[0]]
    names = list(network.layout.names)
    found = np.zeros(len(names), dtype=int)
    for own in locality(experiment.estimator.hamiltonian):
        found[names.index(own.weight)] = min(away[qubit] for qubit in own.qubits)
    return found


def cosine(one, other):
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def main():
    parser = parser_of(__doc__)
    parser.add_argument("config", nargs="?", default="configs/native_100.toml")
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--bond", type=int, default=64)
    parser.add_argument("--reference-bond", type=int, default=24)
    options = parser.parse_args()
    experiment = qep.from_file(options.config)
    weights = experiment.network.layout.initial(experiment.seeds)
    sample = experiment.task.train.take(np.array([options.sample]))
    trains = experiment.network.layout.trainable()
    away = np.minimum(distances(experiment), FARTHEST)
    parts = [trains] + [trains & (away == distance) for distance in range(FARTHEST + 1)]
    dmrg = DmrgPreparation(seeds=experiment.seeds, max_bond_dimension=options.reference_bond)
    exact, _, seconds = gradient_of(experiment, dmrg, VectorExecutor(experiment.seeds), weights, sample)
    lengths = [float(np.linalg.norm(exact[part])) for part in parts]
    executor = qep.MatrixProductExecutor(experiment.seeds, qep.BondLimits(max_bond_dimension=options.bond))
    names = [*(str(distance) for distance in range(FARTHEST)), f"{FARTHEST} and more"]
    table = [["steps", "order", "rzz layers", "cz layers", "all", *names, "error"]]
    table.append(["length of the gradient", "", "", "", *(f"{length:.3g}" for length in lengths), ""])
    rows = []
    for order, steps in SETTINGS:
        ramp = qep.AdiabaticPreparation(total_time=TIME_STEP * steps, steps=steps, order=order)
        found, lost, own_seconds = gradient_of(experiment, ramp, executor, weights, sample)
        layers = COLOURS * (steps if order == 1 else steps + 1)
        cosines = [cosine(found[part], exact[part]) for part in parts]
        error = float(np.linalg.norm((found - exact)[trains]) / lengths[0])
        rows.append(
            {"steps": steps, "order": order, "cosine": cosines[0], "error": error, "lost": lost, "seconds": own_seconds}
        )
        cells = [steps, order, layers, CZ_PER_RZZ * layers, *(f"{value:.3f}" for value in cosines), f"{error:.2f}"]
        table.append([str(cell) for cell in cells])
    summary = {
        "spins": experiment.network.num_qubits,
        "couplings": len(experiment.network.graph.edges),
        "reference_seconds": round(seconds, 1),
        "rows": rows,
        "most_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }
    show(table, summary, title=f"{options.config}, sample {options.sample}", as_json=options.json)


if __name__ == "__main__":
    main()
