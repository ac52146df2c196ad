"""An ansatz from a Qiskit circuit: its parameters are the free angles, its final measurements are ignored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from qiskit import QuantumCircuit

from qep_qiskit.ansatz.checks import check_names
from qep_qiskit.ansatz.gates import Rotation, elementary_gates
from qep_qiskit.ansatz.layering import absorb_first_gates, layer_program, native_pairs
from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import AnsatzError, IgnoredMeasurementWarning
from qep_qiskit.core.program import LayerProgram
from qep_qiskit.core.warning_log import warn


def circuit_ansatz(
    circuit: QuantumCircuit,
    num_qubits: int,
    reserved_names: Iterable[str],
    *,
    where: str = "ansatz circuit",
    names: Sequence[str] | None = None,
    measurement: str = "measure",
    how: tuple[str, str] = ("make the circuit of {} qubits", "give gates a Parameter('a') for an angle"),
) -> LayerProgram:
    """Turn a Qiskit circuit into an ansatz.

    Angles may be affine in the parameters. Gates are decomposed into rotations and CX gates and collected in layers;
    the global phase is dropped.

    Args:
        circuit: Gates, and final measurements of qubits, which are ignored with a warning.
        num_qubits: Number of qubits of the network.
        reserved_names: Names that no parameter may have, see `check_ansatz`.
        where: Beginning of error messages.
        names: Parameters in the order of the program's; None for Qiskit's order.
        measurement: Name of the operation that represents a measurement.
        how: Advice in messages about a wrong number of qubits, and about a missing free angle.

    Raises:
        AnsatzError: The number of qubits differs, or there is more than gates: resets, control flow, measurements
            before gates.
        AnsatzError: An angle is not affine in the parameters.
        AnsatzError: There is no free parameter, a parameter is in no gate, or one has the name of a weight.
    """
    if circuit.num_qubits != num_qubits:
        raise AnsatzError(
            f"{where}: expected the {amount(num_qubits, 'qubit')} of the network, got {circuit.num_qubits}; "
            f"{how[0].format(num_qubits)}"
        )
    names = [parameter.name for parameter in circuit.parameters] if names is None else list(names)
    if not names:
        raise AnsatzError(f"{where}: expected at least one free angle, got none; {how[1]}")
    check_names(where, names, reserved_names)
    plain = _without_final_measurements(circuit, where, measurement)
    gates = native_pairs(elementary_gates(plain, {name: i for i, name in enumerate(names)}, where))
    _refuse_idle(names, {gate.source for gate in gates if isinstance(gate, Rotation)}, where)
    initial, remaining = absorb_first_gates(gates, num_qubits)
    return layer_program(remaining, initial, names)


def _without_final_measurements(circuit: QuantumCircuit, where: str, measurement: str) -> QuantumCircuit:
    plain, measured = circuit.copy_empty_like(), set()
    for step in circuit.data:
        if step.name == measurement:
            measured.update(step.qubits)
            continue
        if step.name != "barrier" and not measured.isdisjoint(step.qubits):
            qubit = min(circuit.find_bit(qubit).index for qubit in measured.intersection(step.qubits))
            raise AnsatzError(
                f"{where}: expected only gates, got a measurement of qubit {qubit} before its gate '{step.name}'; "
                "remove it: the network's groups are measured at the end of the circuit anyway"
            )
        plain.append(step.operation, step.qubits, step.clbits)
    if measured:
        warn(
            IgnoredMeasurementWarning,
            "final measurements of the ansatz are ignored; the network's groups are measured in their place",
            detail=where,
            affected=len(measured),
        )
    return plain


def _refuse_idle(names: Sequence[str], used: set[int], where: str) -> None:
    for index, name in enumerate(names):
        if index not in used:
            raise AnsatzError(
                f"{where}: expected every parameter to turn a gate, got '{name}', on which the state does not depend; "
                "use it or remove its declaration"
            )
