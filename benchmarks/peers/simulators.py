"""Simulators of state vectors by others, each used as its documentation recommends, behind one function.

Every simulator gets the same rotations in the same order and returns state vectors; shots and expectation values are
then taken from them by the same code (`PeerExecutor`), so that a whole gradient of this package runs on each of them.
What can be made once is made once: circuits are transpiled, compiled or parametrised before states are asked for.

* Qiskit Aer: one circuit, all bindings in one call; states in parallel up to 14 qubits, the threads of a state above;
  without transpilation, because its gates are those of the simulator, which fuses them itself.
* PennyLane: `lightning.qubit` with `qml.state`, without differentiation; `complex64` in single precision.
* qulacs: up to 12 qubits one `ParametricQuantumCircuit` whose parameters are set for every state. Its circuit optimizer
  works on bound circuits: it takes longer than it saves up to there, and pays above (blocks of two qubits were best).
* TensorCircuit-NG: JAX, `jit` and `vmap`, with `scan` over the Trotter steps so that compilation takes seconds.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

import qep_qiskit as qep
from qep_qiskit.core.program import Layer, LayerProgram, to_circuit_per_gate

Vectors = Callable[[NDArray], NDArray]
"""State vectors (states, 2^N), bit k = qubit k, of the parameters of a program, shape (states, P)."""

_STATES_IN_PARALLEL, _UNOPTIMISED = 14, 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulator:
    """A simulator of somebody else.

    Args:
        make: Returns the function that simulates a program on a number of cores.
        packages: Distributions that it needs.
        precision: ``"double"`` or ``"single"``.
    """

    make: Callable[[LayerProgram, int], Vectors]
    packages: tuple[str, ...]
    precision: str = "double"


class PeerExecutor(qep.VectorExecutor):
    """Measures the state vectors of another simulator.

    Args:
        seeds: Root of the random streams.
        simulator: The simulator.
        cores: Number of cores that it may use.
    """

    def __init__(self, seeds: qep.Seeds, simulator: Simulator, cores: int) -> None:
        super().__init__(seeds)
        self._simulator, self._cores = simulator, cores
        self._made: dict[LayerProgram, Vectors] = {}

    def vectors(self, prepared: qep.CircuitStates) -> NDArray[np.complexfloating]:
        if prepared.program not in self._made:
            self._made[prepared.program] = self._simulator.make(prepared.program, self._cores)
        return self._made[prepared.program](prepared.parameters)


@dataclass(frozen=True, slots=True)
class _Gates:
    """Rotations exp(-i angle P / 2) of one or two qubits.

    Args:
        program: What they are the gates of; it starts from |+> on every qubit.
    """

    program: LayerProgram
    kinds: tuple[tuple[str, tuple[int, ...]], ...] = field(init=False)

    def __post_init__(self) -> None:
        _require_plus(self.program)
        kinds = tuple(_kind(string) for _, string, *_ in self.program.rotations())
        object.__setattr__(self, "kinds", kinds)

    def angles(self, parameters: NDArray) -> list[list[float]]:
        return (2.0 * self.program.gate_angles(parameters)).tolist()


def _require_plus(program: LayerProgram) -> None:
    if not np.allclose(program.initial, np.sqrt(0.5)):
        raise ValueError("peers simulate ramps from |+> on every qubit")


def _kind(string: qep.PauliString) -> tuple[str, tuple[int, ...]]:
    return "".join(letter for _, letter in string.factors), tuple(qubit for qubit, _ in string.factors)


def aer(program: LayerProgram, cores: int) -> Vectors:
    from qiskit_aer import AerSimulator

    together = program.num_qubits <= _STATES_IN_PARALLEL
    simulator = AerSimulator(
        method="statevector",
        max_parallel_experiments=cores if together else 1,
        max_parallel_threads=cores,
    )
    circuit = to_circuit_per_gate(program)
    circuit.save_statevector()

    def vectors(parameters: NDArray) -> NDArray:
        values = 2.0 * program.gate_angles(parameters)
        binds = {parameter: values[:, parameter.index].tolist() for parameter in circuit.parameters}
        result = simulator.run(circuit, parameter_binds=[binds], shots=1).result()
        return np.stack([result.data(number)["statevector"].data for number in range(len(values))])

    return vectors


def lightning(precision: str) -> Callable[[LayerProgram, int], Vectors]:
    def make(program: LayerProgram, cores: int) -> Vectors:
        import pennylane as qml

        size, gates = program.num_qubits, _Gates(program)
        wires = [tuple(size - 1 - qubit for qubit in qubits) for _, qubits in gates.kinds]
        rotations = {"ZZ": qml.IsingZZ, "X": qml.RX, "Z": qml.RZ}
        operations = [(rotations[kind], on) for (kind, _), on in zip(gates.kinds, wires, strict=True)]
        device = qml.device("lightning.qubit", wires=size, c_dtype=_TYPES[precision])

        @qml.qnode(device, diff_method=None)
        def state(angles):
            for wire in range(size):
                qml.Hadamard(wire)
            for (rotation, on), angle in zip(operations, angles, strict=True):
                rotation(angle, wires=on)
            return qml.state()

        return lambda parameters: np.stack([state(row) for row in gates.angles(parameters)])

    return make


_TYPES = {"double": np.complex128, "single": np.complex64}


def qulacs(program: LayerProgram, cores: int) -> Vectors:
    return (_qulacs_parametric if program.num_qubits <= _UNOPTIMISED else _qulacs_optimised)(program)


def _qulacs_parametric(program: LayerProgram) -> Vectors:
    from qulacs import ParametricQuantumCircuit, QuantumState

    size, gates = program.num_qubits, _Gates(program)
    circuit, state = ParametricQuantumCircuit(size), QuantumState(size)
    add = {"X": circuit.add_parametric_RX_gate, "Z": circuit.add_parametric_RZ_gate}
    for qubit in range(size):
        circuit.add_H_gate(qubit)
    for kind, qubits in gates.kinds:
        if len(qubits) == 1:
            add[kind](*qubits, 0.0)
        else:
            circuit.add_parametric_multi_Pauli_rotation_gate(list(qubits), [3] * len(qubits), 0.0)

    def vectors(parameters: NDArray) -> NDArray:
        found = np.empty((len(parameters), 1 << size), dtype=complex)
        for row, angles in zip(found, gates.angles(parameters), strict=True):
            for number, angle in enumerate(angles):
                circuit.set_parameter(number, -angle)  # its rotations are exp(+i angle P / 2)
            state.set_zero_state()
            circuit.update_quantum_state(state)
            row[:] = state.get_vector()
        return found

    return vectors


def _qulacs_optimised(program: LayerProgram) -> Vectors:
    from qulacs import QuantumCircuit, QuantumState
    from qulacs.circuit import QuantumCircuitOptimizer

    size, gates, optimizer = program.num_qubits, _Gates(program), QuantumCircuitOptimizer()
    state = QuantumState(size)

    def simulated(angles: list[float]) -> NDArray:
        circuit = QuantumCircuit(size)
        add = {"X": circuit.add_RX_gate, "Z": circuit.add_RZ_gate}
        for qubit in range(size):
            circuit.add_H_gate(qubit)
        for (kind, qubits), angle in zip(gates.kinds, angles, strict=True):
            if len(qubits) == 1:
                add[kind](*qubits, -angle)
            else:
                circuit.add_multi_Pauli_rotation_gate(list(qubits), [3] * len(qubits), -angle)
        optimizer.optimize(circuit, 2)
        state.set_zero_state()
        circuit.update_quantum_state(state)
        return state.get_vector()

    return lambda parameters: np.stack([simulated(row) for row in gates.angles(parameters)])


def tensorcircuit(precision: str) -> Callable[[LayerProgram, int], Vectors]:
    def make(program: LayerProgram, cores: int) -> Vectors:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import jax
            import tensorcircuit as tc

        backend = tc.set_backend("jax")
        tc.set_dtype(np.dtype(_TYPES[precision]).name)
        real = np.zeros(0, dtype=_TYPES[precision]).real.dtype
        outer, inner = _alternating(program)
        size, batch = program.num_qubits, 0

        def apply(layer: Layer, angles, state):
            circuit = tc.Circuit(size, inputs=state)
            for number, string in enumerate(program.groups[layer.group].terms):
                kind, qubits = _kind(string)
                getattr(circuit, "r" + kind.lower())(*(size - 1 - k for k in qubits), theta=2.0 * angles[number])
            return circuit.state()

        def state(of_outer, of_inner):
            circuit = tc.Circuit(size)
            for qubit in range(size):
                circuit.h(qubit)

            def step(state, angles):
                return apply(inner[0], angles[1], apply(outer[0], angles[0], state)), None

            last, _ = jax.lax.scan(step, circuit.state(), (of_outer[:-1], of_inner))
            return apply(outer[-1], of_outer[-1], last)

        compiled = backend.jit(backend.vmap(state, vectorized_argnums=(0, 1)))

        def vectors(parameters: NDArray) -> NDArray:
            nonlocal batch
            batch = batch or len(parameters)  # nudged states come in parts of the size of the free ones: compiled once
            parts = range(0, len(parameters), batch)
            return np.concatenate([simulated(parameters[first : first + batch]) for first in parts])

        def simulated(parameters: NDArray) -> NDArray:
            angles = (np.stack([one.angles(parameters) for one in some], axis=1) for some in (outer, inner))
            return np.asarray(compiled(*(some.astype(real) for some in angles)))

        return vectors

    return make


def _alternating(program: LayerProgram) -> tuple[list[Layer], list[Layer]]:
    """The layers of a second-order ramp of two groups: one more of the outer group than of the inner one."""
    _require_plus(program)
    outer, inner = list(program.layers[::2]), list(program.layers[1::2])
    for layers in (outer, inner):
        if len({layer.group for layer in layers}) != 1:
            raise ValueError("peers simulate ramps of two groups that alternate")
    return outer, inner


SIMULATORS = {
    "Qiskit Aer": Simulator(make=aer, packages=("qiskit-aer",)),
    "PennyLane lightning": Simulator(make=lightning("double"), packages=("pennylane", "pennylane-lightning")),
    "PennyLane lightning, single": Simulator(
        make=lightning("single"), packages=("pennylane", "pennylane-lightning"), precision="single"
    ),
    "qulacs": Simulator(make=qulacs, packages=("qulacs",)),
    "TensorCircuit-NG (JAX)": Simulator(make=tensorcircuit("double"), packages=("tensorcircuit-ng", "jax")),
    "TensorCircuit-NG (JAX), single": Simulator(
        make=tensorcircuit("single"), packages=("tensorcircuit-ng", "jax"), precision="single"
    ),
}
"""Simulators by the names that tables show."""
