"""Energy and gradient of a variational circuit: the engine's adjoint against that of qiskit-algorithms.

    python benchmarks/adjoint.py [--spins 4] [--layers 3] [--graph chain] [--batch 1]

Both take the same program: layers of couplings and fields along Z and of fields along X, every rotation with an angle
of its own. Qiskit's reverse gradient evaluates the lowered circuit and leaves the energy out. Figures are milliseconds
per state: median, minimum, maximum over the rounds, and the ratio of medians. The engine is called twenty times in a
row, as an optimiser calls it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from qiskit.quantum_info import SparsePauliOp
from qiskit_algorithms.gradients import ReverseEstimatorGradient

import qep_qiskit as qep
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.pauli_strings import sparse_pauli_op
from qep_qiskit.core.program import Layer, LayerProgram, lower
from qep_qiskit.evolution import energy_and_gradient


def ansatz(groups: tuple[CommutingGroup, ...], depth: int) -> LayerProgram:
    """A free angle for every generator of every group, `depth` times."""
    layers: list[Layer] = []
    count = 0
    for index in list(range(len(groups))) * depth:
        size = groups[index].num_terms
        source = np.arange(count, count + size)
        layers.append(Layer(group=index, source=source, scale=np.ones(size), offset=np.zeros(size)))
        count += size
    plus = np.full((groups[0].num_qubits, 2), np.sqrt(0.5), dtype=complex)
    names = tuple(f"t{index}" for index in range(count))
    return LayerProgram(groups=groups, initial=plus, layers=tuple(layers), parameter_names=names)


def observables(groups: tuple[CommutingGroup, ...], coefficients: np.ndarray) -> list[SparsePauliOp]:
    strings = [string for group in groups for string in group.terms]
    return [sparse_pauli_op(zip(strings, row, strict=True), groups[0].num_qubits) for row in coefficients]


def timed(work: Callable[[], object], calls: int, states: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        work()
    return 1e3 * (time.perf_counter() - start) / (calls * states)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spins", type=int, default=4)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--graph", default="chain", choices=["chain", "complete"])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()

    network = qep.IsingNetwork(graph=getattr(qep, options.graph)(options.spins), outputs=(options.spins - 1,))
    program = ansatz(network.groups, options.layers)
    generator = np.random.default_rng(0)
    angles = generator.normal(size=(options.batch, program.num_parameters))
    coefficients = generator.normal(size=(options.batch, len(network.terms)))
    circuit, operators = lower(program), observables(network.groups, coefficients)
    reverse = ReverseEstimatorGradient()

    def by_engine() -> np.ndarray:
        return energy_and_gradient(program, angles, network.groups, coefficients)[1]

    def by_qiskit() -> np.ndarray:
        return np.array(reverse.run([circuit] * options.batch, operators, angles.tolist()).result().gradients)

    difference = np.abs(by_engine() - by_qiskit()).max()
    taken = [[timed(by_engine, 20, options.batch), timed(by_qiskit, 1, options.batch)] for _ in range(options.rounds)]
    print(f"{options.spins} spins, {options.graph}, {program.num_parameters} parameters, batch {options.batch}")
    middle = np.median(taken, axis=0)
    for name, values, median in zip(("engine", "qiskit-algorithms"), zip(*taken, strict=True), middle, strict=True):
        print(f"{name:18s} {median:9.3f} ms  [{min(values):.3f}, {max(values):.3f}]")
    print(f"ratio {middle[1] / middle[0]:.0f}; largest difference of the gradients {difference:.1e}")


if __name__ == "__main__":
    main()
