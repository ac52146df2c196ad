"""Cost of one sample's gradient along four paths, measured in turn in one run.

    python benchmarks/gradient_paths.py [--spins 8] [--graph chain] [--steps 20] [--shots 4096] [--batch 32]

* naive: for every sample, phase and basis build the bound circuit, transpile it, run it on Aer, read counts;
* measured circuits: one transpiled template per basis, all bindings of the batch in one call;
* one evolution: every state evolved once by Aer, both bases read from it;
* statevector engine: the same by the package's own engine, without gates.

A gradient is two nudged phases in two bases. Figures are milliseconds per sample: median, minimum, maximum over
the rounds, and ratios of medians.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from qiskit import QuantumCircuit, transpile
from qiskit_aer import AerSimulator

import qep_qiskit as qep
from qep_qiskit.execution.aer import aer_sampler_executor
from qep_qiskit.execution.circuits import measured_circuit


def problem(spins: int, graph: str) -> qep.NudgedHamiltonian:
    network = qep.IsingNetwork(
        graph=getattr(qep, graph)(spins), outputs=(spins - 1,), inputs=qep.ClampedInputs.all_to(1, range(spins))
    )
    terms = [qep.CostTerm(string=qep.PauliString.of("Z", spins - 1), coefficient=0.5)]
    return qep.NudgedHamiltonian(network, qep.OperatorCost.from_terms(terms, spins))


def plain_circuit(program: qep.LayerProgram, coefficients: np.ndarray) -> QuantumCircuit:
    """The ramp written gate by gate with numbers for angles."""
    circuit = QuantumCircuit(program.num_qubits)
    circuit.h(range(program.num_qubits))
    for layer in program.layers:
        group = program.groups[layer.group]
        for string, angle in zip(group.terms, 2.0 * layer.angles(coefficients), strict=True):
            letters = "".join(letter for _, letter in string.factors).lower()
            getattr(circuit, f"r{letters}")(angle, *(qubit for qubit, _ in string.factors))
    return circuit


def naive_round(hamiltonian, preparation, weights, inputs, shots: int, beta: float) -> None:
    """What a first script does."""
    simulator = AerSimulator(method="statevector")
    program = preparation.program(hamiltonian.groups)
    free = hamiltonian.free_coefficients(weights, inputs)
    nudge, _ = hamiltonian.operator_nudge(np.zeros((len(inputs), 0)))
    for c, extra in zip(free, nudge, strict=True):
        for sign in (-1, 1):
            for group in hamiltonian.groups:
                bound = plain_circuit(program, c + sign * beta * extra)
                circuit = transpile(measured_circuit(bound, group), simulator)
                counts = simulator.run(circuit, shots=shots).result().get_counts()
                for mask in group.masks:
                    sum((-1) ** (int(bits, 2) & mask).bit_count() * n for bits, n in counts.items())


def timed(work: Callable[[], object], samples: int) -> float:
    start = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - start) / samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spins", type=int, default=8)
    parser.add_argument("--graph", default="chain", choices=["chain", "complete"])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--shots", type=int, default=4096)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--naive-samples", type=int, default=4)
    options = parser.parse_args()

    hamiltonian = problem(options.spins, options.graph)
    preparation = qep.AdiabaticPreparation(steps=options.steps)
    seeds = qep.Seeds(0)
    weights = hamiltonian.network.layout.initial(seeds)
    inputs = seeds.generator("inputs").normal(size=(options.batch, 1))
    targets = np.zeros((options.batch, 0))
    estimator = qep.GradientEstimator(
        hamiltonian=hamiltonian, preparation=preparation, contrast=qep.Contrast(beta=0.2), shots=options.shots
    )
    executors = {"measured circuits": aer_sampler_executor(seeds), "one evolution": qep.AerExecutor(seeds)}
    executors["statevector engine"] = qep.StatevectorExecutor(seeds)
    taken: dict[str, list[float]] = {"naive": [], **{name: [] for name in executors}}
    for round_number in range(options.rounds + 1):
        few = inputs[: options.naive_samples]
        first_script = partial(naive_round, hamiltonian, preparation, weights, few, options.shots, 0.2)
        times = {"naive": timed(first_script, len(few))}
        for name, executor in executors.items():
            key = qep.RequestKey("benchmark", round_number)
            work = partial(qep.run_measurements, estimator.estimate(weights, inputs, targets, key), executor)
            times[name] = timed(work, options.batch)
        if round_number > 0:  # the first round warms up: templates are built and transpiled there
            for name, value in times.items():
                taken[name].append(value)
    print(
        f"{options.spins} spins, {options.graph}, {options.steps} steps, {options.shots} shots, batch {options.batch}"
    )
    naive = float(np.median(taken["naive"]))
    for name, values in taken.items():
        middle = float(np.median(values))
        print(f"{name:18s} {middle:9.3f} ms  [{min(values):.3f}, {max(values):.3f}]  1/{naive / middle:.1f} of naive")


if __name__ == "__main__":
    main()
