"""From which bond dimension on matrix product states of a ramp are right, and Aer's beside them.

    python benchmarks/bond_dimensions.py [--spins 57] [--steps 4] [--bonds 8 16 32 64] [--aer 16 32] [--json]

A ramp of second order on a heavy-hexagonal patch (couplings 0.3 N(0, 1), fields 1, steps of 0.6). Errors are against
the same states with twice the largest bond dimension. Aer gets the qubits in the same order, and its state is read out
as it is (`save_matrix_product_state`).

    seconds   CPU seconds of the evolution of one state
    lost      weight that truncation discarded, by its own account; unknown of Aer
    error     largest error of a mean, of all couplings, fields and biases
"""

from __future__ import annotations

import resource
import time

import numpy as np
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator
from shown import parser_of, show

import qep_qiskit as qep
from qep_qiskit.core.program import to_circuit_per_gate
from qep_qiskit.evolution.matrix_products import evolve_as_matrix_products, site_order
from qep_qiskit.execution.circuits import gate_values
from qep_qiskit.network import heavy_hex_patch

TIME_STEP = 0.6
TRUNCATION = 1e-10


def problem(spins, steps):
    network = qep.IsingNetwork(graph=heavy_hex_patch(spins), outputs=(spins - 1,))
    rows = network.coefficients(network.layout.initial(qep.Seeds(1)), np.zeros((1, 0)))
    ramp = qep.AdiabaticPreparation(total_time=TIME_STEP * steps, steps=steps)
    return network, ramp.program(network.groups), rows


def by_this_package(program, rows, bond):
    limits = qep.BondLimits(max_bond_dimension=bond, truncation=TRUNCATION)
    return evolve_as_matrix_products(program, rows, limits)[0]


def by_aer(program, rows, bond):
    order = site_order(program)
    circuit = QuantumCircuit(program.num_qubits)
    bound = to_circuit_per_gate(program).assign_parameters(gate_values(program, rows)[0])
    circuit.compose(bound, np.argsort(order).tolist(), inplace=True)
    circuit.save_matrix_product_state()
    simulator = AerSimulator(
        method="matrix_product_state",
        n_qubits=1024,
        matrix_product_state_max_bond_dimension=bond,
        matrix_product_state_truncation_threshold=TRUNCATION,
        max_parallel_threads=1,
    )
    pairs, coefficients = simulator.run(circuit, shots=1).result().data(0)["matrix_product_state"]
    tensors = [np.stack([np.asarray(zero), np.asarray(one)], axis=1) for zero, one in pairs]
    scales = [np.asarray(own) for own in coefficients] + [np.ones(1)]
    return qep.MatrixProductState.of([tensor * own for tensor, own in zip(tensors, scales, strict=True)], order)


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--spins", type=int, default=57)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--bonds", type=int, nargs="+", default=[8, 16, 32, 64])
    parser.add_argument("--aer", type=int, nargs="*", default=[16, 32])
    options = parser.parse_args()
    network, program, rows = problem(options.spins, options.steps)

    def means(state):
        return np.concatenate([state.means(group) for group in network.groups])

    exact = means(by_this_package(program, rows, 2 * max(options.bonds)))
    table = [["states of", "bond dimension", "seconds", "lost", "error"]]
    for name, evolved, bonds in (("mps", by_this_package, options.bonds), ("Aer", by_aer, options.aer)):
        for bond in bonds:
            start = time.process_time()
            state = evolved(program, rows, bond)
            seconds = time.process_time() - start
            lost = f"{state.discarded:.1e}" if name == "mps" else ""
            table.append([name, str(bond), f"{seconds:.1f}", lost, f"{np.abs(means(state) - exact).max():.1e}"])
    figures = {
        "spins": options.spins,
        "steps": options.steps,
        "most_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }
    show(table, figures, title=f"{options.spins} spins, {options.steps} steps", as_json=options.json)


if __name__ == "__main__":
    main()
