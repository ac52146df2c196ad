"""A classical register for every measured bit, so that the result of a job names each of its bits.

Bits in another order are those of another state, and no check of an outcome can tell the two apart. So a job does not
rely on the order of bits within a register: each bit has a register of its own, with its index in the name.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import ClassicalRegister, QuantumCircuit

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import ResultError
from qep_qiskit.device.specification import JobSpecification
from qep_qiskit.execution.result_bits import REGISTER, registers_of, require_bits
from qep_qiskit.outcomes.checks import num_bytes_of


def with_named_bits(circuit: QuantumCircuit) -> QuantumCircuit:
    """Return a measured circuit with every bit in a register of its own.

    Args:
        circuit: The circuit; its parameters and their order stay.
    """
    registers = [ClassicalRegister(1, _name(bit)) for bit in range(circuit.num_clbits)]
    named = QuantumCircuit(*circuit.qregs, *registers, name=circuit.name)
    return named.compose(circuit, clbits=[register[0] for register in registers])


def named_bits(results: Any, specification: JobSpecification, where: str) -> list[NDArray[np.uint8]]:
    """Return the bits of every PUB, shape (..., shots, bytes), from registers of one bit.

    Args:
        results: The results, one for each PUB.
        specification: Circuits, shots and options of the job.
        where: Name of the device, for messages.

    Raises:
        ResultError: A result or a register is missing, or does not match the job.
    """
    size, shapes = specification.num_qubits, specification.shapes
    columns = [registers_of(results, where, _name(bit)) for bit in range(size)]
    found = len(columns[0])
    if found != len(shapes):
        raise ResultError(f"{where}: expected {amount(len(shapes), 'result')}, one for every circuit, got {found}")
    made = specification.options.executions(specification.shots)
    bits = []
    for place, shape in enumerate(shapes):
        own = np.zeros((*shape, made, num_bytes_of(size)), dtype=np.uint8)
        for bit, column in enumerate(columns):
            name = f"{where}: result {place}, register '{_name(bit)}'"
            own[..., -1 - bit // 8] |= require_bits(column[place], 1, shape, made, name)[..., 0] << (bit % 8)
        bits.append(own)
    return bits


def _name(bit: int) -> str:
    return f"{REGISTER}{bit}"
