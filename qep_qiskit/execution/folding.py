"""Gate folding: repeat the two-qubit gates of a circuit, so that it does the same with more noise.

A gate G becomes G (G^-1 G)^k: 2k + 1 times the gate and, on a device whose errors come with its two-qubit gates, about
2k + 1 times the noise. Barriers stop the transpiler from cancelling the pairs. Gates of single qubits are not repeated:
their errors are ten times smaller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qiskit import QuantumCircuit
from qiskit.circuit import Operation

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.execution.transpilation import TranspiledProgram


def folded(transpiled_program: TranspiledProgram, times: int) -> TranspiledProgram:
    """Run each two-qubit gate of a program `times` times, on the same qubits.

    Args:
        transpiled_program: The program on the qubits of its backend.
        times: Number of executions of every two-qubit gate, odd; 1 returns the program unchanged.

    Raises:
        ConfigError: A gate has no inverse that the backend can run.
    """
    if times == 1:
        return transpiled_program
    circuit = QuantumCircuit(*transpiled_program.circuit.qregs, global_phase=transpiled_program.circuit.global_phase)
    for instruction in transpiled_program.circuit.data:
        qubits = [transpiled_program.circuit.find_bit(qubit).index for qubit in instruction.qubits]
        circuit.append(instruction.operation, qubits)
        if len(qubits) > 1 and instruction.operation.name != "barrier":
            for _ in range(times // 2):
                _append_inverse(circuit, instruction.operation, qubits, transpiled_program)
                circuit.append(instruction.operation, qubits)
    return replace(transpiled_program, circuit=circuit)


def _append_inverse(
    circuit: QuantumCircuit, gate: Operation, qubits: Sequence[int], transpiled_program: TranspiledProgram
) -> None:
    """Append the inverse of a gate between barriers, in gates of the backend."""
    circuit.barrier(qubits)
    inverse = gate.inverse()
    runs_anything = transpiled_program.backend is None or transpiled_program.backend.coupling_map is None
    if runs_anything or (inverse.name == gate.name and not inverse.params):
        circuit.append(inverse, qubits)
    elif gate.name == "rzz":  # a device accepts one sign of the angle; X changes the sign of Z, and so of the angle
        circuit.x(qubits[0])
        circuit.append(gate, qubits)
        circuit.x(qubits[0])
    else:
        assert transpiled_program.backend is not None
        raise ConfigError(
            f"execution.mitigation.noise_factors: {transpiled_program.backend.name} runs no inverse of its gate "
            f"'{gate.name}'; leave noise_factors out, or use another device"
        )
    circuit.barrier(qubits)
