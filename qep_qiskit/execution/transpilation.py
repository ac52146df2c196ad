"""Transpilation of programs: laid out and routed once, then measured in every group on the same qubits.

Where the changes of basis act on single qubits, the routed circuit of the program serves all groups, and one
calibration of the readout is valid for all of them. A change of basis with two-qubit gates is routed on from the end of
the program, and may be measured on other qubits of the device.

A snapshot of a large device is simulated on the qubits that the transpiled circuit uses and no others: noise of idle
qubits does not affect them, and the noise model of a hundred qubits takes seconds to build.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.providers import BackendV2
from qiskit.transpiler import TranspilerError, generate_preset_pass_manager

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import DeviceError, QepError, ResourceError
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.program import LayerProgram, to_circuit_per_gate
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.execution.device_snapshot import DeviceSnapshot, cut_target
from qep_qiskit.execution.gate_order import in_few_layers


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TranspiledProgram:
    """A program's circuit on the qubits of a backend.

    Args:
        circuit: The circuit without measurements, with the parameter names of the synthesised circuit.
        outputs: For every qubit of the program, the circuit's qubit that holds it at the end.
        backend: The backend that the circuit is transpiled for, or None for an untranspiled circuit.
        device_qubits: Names of the circuit's qubits on the device.
    """

    circuit: QuantumCircuit
    outputs: tuple[int, ...]
    backend: BackendV2 | None
    device_qubits: tuple[int, ...]

    def measured(self, group: CommutingGroup) -> QuantumCircuit:
        """The circuit with the group's change of basis and a measurement of the program's qubits."""
        basis = QuantumCircuit(len(self.outputs), name=f"{group.name}_basis")
        group.basis.append_to(basis)
        return self.measured_after(basis)

    def measured_after(self, basis: QuantumCircuit) -> QuantumCircuit:
        """The circuit, another (parametrised) circuit on the program's qubits, and a measurement."""
        circuit = self.circuit.copy(name=basis.name)
        circuit.compose(basis, list(self.outputs), inplace=True)
        return self._finished(circuit)

    def calibration(self) -> tuple[QuantumCircuit, QuantumCircuit]:
        """Circuits with all qubits 0, and all qubits 1, measured like the program's."""
        zeros, ones = (QuantumCircuit(len(self.outputs), name=name) for name in ("zeros", "ones"))
        ones.x(range(len(self.outputs)))
        return self.only(zeros), self.only(ones)

    def only(self, layer: QuantumCircuit) -> QuantumCircuit:
        """A (parametrised) circuit and a measurement on the program's qubits, without the program."""
        circuit = QuantumCircuit(self.circuit.num_qubits, name=layer.name)
        circuit.compose(layer, list(self.outputs), inplace=True)
        return self._finished(circuit)

    def _finished(self, circuit: QuantumCircuit) -> QuantumCircuit:
        """Add the measurement; single-qubit gates become the backend's and merge with adjacent ones."""
        register = ClassicalRegister(len(self.outputs), "meas")
        circuit.add_register(register)
        circuit.barrier(*self.outputs)
        circuit.measure(list(self.outputs), register)
        if self.backend is None:
            return circuit
        on_a_device = self.backend.coupling_map is not None
        staying: dict[str, Any] = {"initial_layout": list(range(circuit.num_qubits))} if on_a_device else {}
        return generate_preset_pass_manager(
            optimization_level=1, backend=self.backend, seed_transpiler=0, **staying
        ).run(circuit)


def place(
    program: LayerProgram,
    backend: BackendV2 | None,
    *,
    optimization_level: int = 2,
    seed: int = 0,
    layout: Sequence[int] | None = None,
    synthesis: Callable[[LayerProgram], QuantumCircuit] = to_circuit_per_gate,
) -> TranspiledProgram:
    """Transpile a program for a backend; from level 2 on the layout depends on the errors of the device.

    Args:
        program: The program.
        backend: The backend, or None to leave the circuit untranspiled.
        optimization_level: Optimisation level of the transpiler, 0 to 3.
        seed: Seed of the transpiler.
        layout: Initial qubits of the backend for the program's qubits; None for those that the transpiler chooses.
        synthesis: Makes the circuit of the program.

    Raises:
        ResourceError: The backend has too few qubits, or too few that are connected.
        DeviceError: The backend does not accept the circuit.
    """
    circuit = synthesis(program)
    if backend is not None:
        _require_qubits(backend, circuit.num_qubits)
        if backend.coupling_map is not None:
            circuit = in_few_layers(circuit)
        circuit.measure_all()
        try:
            circuit = generate_preset_pass_manager(
                optimization_level=optimization_level,
                backend=backend,
                seed_transpiler=seed,
                initial_layout=None if layout is None else list(layout),
            ).run(circuit)
        except TranspilerError as error:
            raise _not_transpiled(backend, program.num_qubits, error) from error
    bare, outputs = without_measurement(circuit)
    qubits = tuple(range(bare.num_qubits))
    return TranspiledProgram(circuit=bare, outputs=outputs or qubits, backend=backend, device_qubits=qubits)


def _require_qubits(backend: BackendV2, wanted: int) -> None:
    size = backend.num_qubits
    if size is not None and wanted > size:
        raise ResourceError(
            f"execution.backend: {backend.name} has {amount(size, 'qubit')}, the network needs {wanted}"
        )


def _not_transpiled(backend: BackendV2, wanted: int, error: Exception) -> QepError:
    """The error for a program that cannot be transpiled for a backend."""
    pieces = [] if backend.coupling_map is None else backend.coupling_map.connected_components()
    largest = max((piece.size() for piece in pieces), default=wanted)
    if largest < wanted:
        return ResourceError(
            f"execution.backend: {backend.name} is not connected, its qubits are in pieces of at most {largest}, the "
            f"network needs {wanted} connected"
        )
    said = " ".join(str(error).split()).strip("'")
    return DeviceError(f"execution.backend: the circuit cannot be placed on {backend.name} ({said:.300})")


def without_measurement(circuit: QuantumCircuit) -> tuple[QuantumCircuit, tuple[int, ...]]:
    """Return a measured circuit without its measurements, and the qubit that each bit is measured from."""
    bare = QuantumCircuit(circuit.num_qubits, global_phase=circuit.global_phase)
    read: dict[int, int] = {}
    for instruction in circuit.data:
        qubits = [circuit.find_bit(qubit).index for qubit in instruction.qubits]
        if instruction.operation.name == "measure":
            read[circuit.find_bit(instruction.clbits[0]).index] = qubits[0]
        elif instruction.operation.name != "barrier":
            bare.append(instruction.operation, qubits)
    return bare, tuple(read[bit] for bit in sorted(read))


def cut_to_active_qubits(transpiled_program: TranspiledProgram) -> TranspiledProgram:
    """Restrict a transpiled program and its device to the qubits that the circuit uses."""
    assert transpiled_program.backend is not None
    circuit, device = transpiled_program.circuit, transpiled_program.backend
    used = {circuit.find_bit(qubit).index for instruction in circuit.data for qubit in instruction.qubits}
    active = sorted(used | set(transpiled_program.outputs))
    number = {qubit: place for place, qubit in enumerate(active)}
    small = QuantumCircuit(len(active), global_phase=circuit.global_phase)
    for instruction in circuit.data:
        small.append(instruction.operation, [number[circuit.find_bit(qubit).index] for qubit in instruction.qubits])
    return replace(
        transpiled_program,
        circuit=small,
        outputs=tuple(number[qubit] for qubit in transpiled_program.outputs),
        backend=DeviceSnapshot(f"{device.name}_cut", cut_target(device.target, active)),
        device_qubits=tuple(transpiled_program.device_qubits[qubit] for qubit in active),
    )
