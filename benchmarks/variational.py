"""Variational preparation against qiskit-algorithms' VQE, cold against warm starts, measured in one run.

    python benchmarks/variational.py [--spins 4] [--graph chain] [--depth 3] [--accuracy 1e-4] [--rounds 5]

The same Hamiltonian and the same Hamiltonian-variational ansatz for both, until the energy is within the accuracy of
the exact one (relative), from the same angles. qiskit-algorithms: `VQE` with `L_BFGS_B`, `StatevectorEstimator` and the
reverse gradient, stopped by its callback at the accuracy. Figures are medians over the rounds (each another network).
The warm start prepares the same network after a step of the weights of length 0.02.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
from qiskit.circuit import QuantumCircuit
from qiskit.primitives import StatevectorEstimator
from qiskit.quantum_info import SparsePauliOp
from qiskit_algorithms import VQE
from qiskit_algorithms.gradients import ReverseEstimatorGradient
from qiskit_algorithms.optimizers import L_BFGS_B

import qep_qiskit as qep
from qep_qiskit.preparation import HamiltonianFamily, WarmStart
from qep_qiskit.preparation.descent import descend
from qep_qiskit.preparation.energies import Problem, simulated_energies


class ReachedError(Exception):
    """The wanted accuracy is there."""


def network(spins: int, graph: str, seed: int) -> tuple[qep.IsingNetwork, np.ndarray]:
    made = qep.IsingNetwork(graph=getattr(qep, graph)(spins), outputs=(spins - 1,))
    rng = np.random.default_rng(seed)
    weights = np.concatenate(
        [rng.uniform(-1.5, 1.5, len(made.graph.edges)), rng.uniform(0.5, 1.5, spins), rng.normal(0.0, 0.3, spins)]
    )
    return made, weights


def library_seconds(operator: SparsePauliOp, circuit: QuantumCircuit, start: np.ndarray, target: float) -> float:
    def watch(_: int, __: np.ndarray, value: float, ___: dict) -> None:
        if value < target:
            raise ReachedError

    vqe = VQE(
        StatevectorEstimator(),
        circuit,
        L_BFGS_B(maxiter=2000, maxfun=5000, ftol=0),
        gradient=ReverseEstimatorGradient(),
        initial_point=start,
        callback=watch,
    )
    begin = time.perf_counter()
    try:
        vqe.compute_minimum_eigenvalue(operator)
    except ReachedError:
        return time.perf_counter() - begin
    return float("nan")


def own_seconds(program, problem: Problem, start: np.ndarray, target: float) -> tuple[float, int]:
    """Seconds and evaluations until the first energy below the target."""
    evaluations = 0

    def energies(rows: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        nonlocal evaluations
        evaluations += 1
        values, gradients = simulated_energies(program, problem, rows, points)
        if values[0] < target:
            raise ReachedError
        return values, gradients

    begin = time.perf_counter()
    try:
        descend(energies, start[None], tolerance=1e-12, max_evaluations=5000)
    except ReachedError:
        return time.perf_counter() - begin, evaluations
    return float("nan"), evaluations


def warm_and_cold(made: qep.IsingNetwork, weights: np.ndarray, depth: int, seed: int) -> tuple[int, int]:
    """Evaluations to a residual of 1e-3, from nothing and from the last weights' angles."""
    preparation = qep.VariationalPreparation(
        ansatz=qep.HamiltonianVariational(depth), seeds=qep.Seeds(seed), tolerance=1e-3, on_unconverged="go_on"
    )
    step = np.random.default_rng(seed + 1000).normal(size=len(weights))
    nearby = weights + 0.02 * step / np.linalg.norm(step)

    def prepared(values: np.ndarray, start: WarmStart):
        family = HamiltonianFamily.of_free(
            made.groups, made.coefficients(values, np.zeros((1, 0))), qep.RequestKey("bench", 0)
        )
        return qep.run_measurements(preparation.prepare(family, start), qep.StatevectorExecutor(qep.Seeds(0)))[0]

    before = prepared(weights, WarmStart())
    cold = prepared(nearby, WarmStart()).report.evaluations
    warm = prepared(nearby, WarmStart(arrays=before.warm_start)).report.evaluations
    return cold, warm


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spins", type=int, default=4)
    parser.add_argument("--graph", default="chain", choices=["chain", "complete"])
    parser.add_argument("--depth", type=int, default=3)
    parser.add_argument("--accuracy", type=float, default=1e-4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--skip-library", action="store_true", help="without VQE of qiskit-algorithms (slow)")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    ansatz = qep.HamiltonianVariational(options.depth)
    rows = []
    for seed in range(options.rounds):
        made, weights = network(options.spins, options.graph, seed)
        coefficients = made.coefficients(weights, np.zeros((1, 0)))
        exact = float(qep.ExactPreparation().solve(made.groups, coefficients).energies[0])
        target = exact + options.accuracy * abs(exact)
        program = ansatz.program(made.groups)
        start = ansatz.cold_start(made.groups, coefficients, 0, np.random.default_rng(seed))[0]
        problem = Problem(groups=made.groups, coefficients=coefficients, lower=np.zeros((1, 0, program.num_parameters)))
        own, evaluations = own_seconds(program, problem, start, target)
        library = np.nan
        if not options.skip_library:
            operator = made.hamiltonian(weights, np.zeros(0))
            library = library_seconds(operator, qep.lower(program), start, target)
        rows.append((own, library, evaluations, *warm_and_cold(made, weights, options.depth, seed)))
    table = np.array(rows, dtype=float)
    own, library, evaluations, cold, warm = np.nanmedian(table, axis=0)
    print(f"{options.graph} of {options.spins}, depth {options.depth}, to {options.accuracy:g} of the exact energy")
    missed = np.isnan(table[:, :2]).sum(axis=0)
    print(f"  descent:             {1e3 * own:9.1f} ms, {evaluations:.0f} evaluations ({missed[0]} missed)")
    if not options.skip_library:
        print(f"  qiskit-algorithms:   {1e3 * library:9.1f} ms ({missed[1]} missed)")
        print(f"  ratio of medians:    {library / own:9.0f}")
    ratios = ", ".join(f"{ratio:.0f}" for ratio in table[:, 3] / table[:, 4])
    print(f"  to residual 1e-3: cold {cold:.0f} evaluations, warm {warm:.0f}; ratios {ratios}")


if __name__ == "__main__":
    main()
