"""Two lowerings of the same ramp on Aer: one small parameter vector against one parameter a rotation.

    python benchmarks/binding.py [--spins 8] [--steps 20] [--states 96]

Milliseconds a binding for evolving a batch of states: median, minimum and maximum over the rounds, measured in turn.
"""

from __future__ import annotations

import time

import numpy as np
from shown import parser_of, show

import qep_qiskit as qep
from qep_qiskit.core.program import to_circuit_per_gate
from qep_qiskit.execution.circuits import gate_values


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--spins", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--states", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    network = qep.IsingNetwork(graph=qep.chain(options.spins), outputs=(0,))
    program = qep.AdiabaticPreparation(steps=options.steps).program(network.groups)
    parameters = np.random.default_rng(0).normal(size=(options.states, program.num_parameters))
    executor = qep.AerExecutor(qep.Seeds(0))
    forms = {"small vector p": qep.lower(program), "one parameter a rotation": to_circuit_per_gate(program)}
    for circuit in forms.values():
        circuit.save_statevector()
    taken: dict[str, list[float]] = {name: [] for name in forms}
    for round_number in range(options.rounds + 1):
        for name, circuit in forms.items():
            start = time.perf_counter()
            values = parameters if name == "small vector p" else gate_values(program, parameters)
            executor._evolve(circuit, values)
            if round_number:
                taken[name].append(1e3 * (time.perf_counter() - start) / options.states)
    table = [["lowering", "ms a binding", "least", "most"]]
    table += [[name, *(f"{value:.3f}" for value in (np.median(t), min(t), max(t)))] for name, t in taken.items()]
    small, per_gate = (float(np.median(times)) for times in taken.values())
    show(table, {"ratio": small / per_gate}, as_json=options.json)


if __name__ == "__main__":
    main()
