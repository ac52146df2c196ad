"""Gradients of neural states by linear response, beside those of Lanczos.

Sixteen spins with random couplings and fields of both signs, on a square (standard deviation 1) and on a complete graph
(1/4); a loss on two outputs, one sample. The state is optimised once for each network; then every estimate takes fresh
samples.

    python benchmarks/neural_response.py [--networks 3] [--samples 2048 8192]
"""

from __future__ import annotations

import time

import numpy as np
from shown import parser_of, show

from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning import Contrast
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.learning.linear_response import LinearResponseEstimator
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import IsingNetwork, complete, lattice
from qep_qiskit.network.cost import LossOnExpectations
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import NeuralPreparation

_GRAPHS = {"4x4 square": (lattice(4, 4), 1.0), "complete": (complete(16), 0.25)}
_REPEATS = 2
_OUTPUTS, _INPUTS, _TARGETS = (5, 10), np.zeros((1, 0)), np.array([[0.5, -0.5]])


def _problem(name: str, seed: int) -> tuple[NudgedHamiltonian, np.ndarray]:
    graph, spread = _GRAPHS[name]
    network, rng = IsingNetwork(graph=graph, outputs=_OUTPUTS), np.random.default_rng(seed)
    weights = []
    for weight in network.layout.names:
        field = rng.uniform(0.5, 1.5) * rng.choice([-1, 1])
        weights.append({"J": spread * rng.normal(), "h": field, "b": 0.3 * rng.normal()}[weight[0]])
    return NudgedHamiltonian(network, LossOnExpectations.on_spins(_OUTPUTS, 16)), np.array(weights)


def _estimates(name: str, seed: int, samples: list[int]) -> np.ndarray:
    """Return error, cosine, error over its claimed standard error and CPU seconds, shape (samples, 4)."""
    hamiltonian, weights = _problem(name, seed)
    exact, warm_start, found = exact_gradient(hamiltonian, weights, _INPUTS, _TARGETS).gradient, None, []
    # The first estimate of a number of samples compiles, and the very first one optimises the state.
    for number, count in enumerate([count for count in samples for _ in range(1 + _REPEATS)]):
        estimator = LinearResponseEstimator(
            hamiltonian=hamiltonian,
            preparation=NeuralPreparation(seeds=Seeds(seed), samples=count, on_unconverged="go_on"),
            contrast=Contrast(kind="linear_response"),
            shots=None,
        )
        start = time.process_time()
        work = estimator.estimate(weights, _INPUTS, _TARGETS, RequestKey("demo", number), warm_start)
        estimate = run_measurements(work, VectorExecutor(Seeds(seed)))[0]
        seconds, warm_start = time.process_time() - start, estimate.warm_start
        deviation, length = np.linalg.norm(estimate.gradient - exact), np.linalg.norm(exact)
        cosine = estimate.gradient @ exact / (estimate.norm * length)
        found.append([deviation / length, cosine, deviation / estimate.noise, seconds])
    return np.array(found).reshape(len(samples), -1, 4)[:, 1:].mean(axis=1)


def main() -> None:
    """Print one line for each graph and number of samples, means over networks."""
    parser = parser_of(__doc__)
    parser.add_argument("--networks", type=int, default=2, help="random networks to average over")
    parser.add_argument("--samples", nargs="+", type=int, default=[8192, 2048], help="samples of a response")
    options = parser.parse_args()
    table = [["graph", "samples", "error", "cosine", "error / claimed", "CPU s"]]
    for name in _GRAPHS:
        rows = np.mean([_estimates(name, seed, options.samples) for seed in range(options.networks)], axis=0)
        for samples, (error, cosine, pull, seconds) in zip(options.samples, rows.tolist(), strict=True):
            table.append([name, f"{samples:,}", f"{error:.3f}", f"{cosine:.4f}", f"{pull:.2f}", f"{seconds:.1f}"])
    show(table, as_json=options.json)


if __name__ == "__main__":
    main()
