"""Reading of a user's ansatz: a file in OpenQASM 3 or QPY, or a Qiskit circuit."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from pathlib import Path

from qiskit import QuantumCircuit, qasm2

from qep_qiskit.ansatz.circuit_ansatz import circuit_ansatz
from qep_qiskit.ansatz.qasm_file import MEASUREMENT, circuit_of_text
from qep_qiskit.core.circuit_bytes import circuits_of
from qep_qiskit.core.errors import AnsatzError
from qep_qiskit.core.program import LayerProgram

_QPY_BYTES, _QPY_TEXT = b"QISKIT", "QPY "
_VERSION_2 = re.compile(r"(\s|//[^\n]*\n|/\*.*?\*/)*OPENQASM\s+2\b", re.DOTALL)
_IN_TEXT = ("declare qubit[{}]", "declare one, such as 'input angle a;', and use it, as in 'ry(a) q[0];'")


def read_ansatz(source: str | Path | QuantumCircuit, num_qubits: int, reserved_names: Iterable[str]) -> LayerProgram:
    """Read an ansatz from a file (OpenQASM 3 or QPY) or a circuit; its parameters are the free angles.

    Args:
        source: Path of a file, or a circuit.
        num_qubits: Number of qubits of the network.
        reserved_names: Names that no parameter may have, see `check_ansatz`.

    Raises:
        AnsatzError: The file cannot be read, or is not an ansatz.

    Example:
        >>> qep.read_ansatz("circuits/ansaetze/brick_wall.qasm", num_qubits=4, reserved_names=()).num_parameters
        20
    """
    if isinstance(source, QuantumCircuit):
        return circuit_ansatz(source, num_qubits, reserved_names)
    return parse_ansatz(ansatz_text(source), source, num_qubits, reserved_names)


def parse_ansatz(text: str, path: str | Path, num_qubits: int, reserved_names: Iterable[str]) -> LayerProgram:
    """Turn the text of an ansatz file into an ansatz.

    In OpenQASM 3, angles may be affine in the ``input`` parameters; they are the program's parameters in the order of
    declaration. Qubits are numbered in the order of declaration.

    Args:
        text: Text of the file, from `ansatz_text`.
        path: Path of the file, for messages.
        num_qubits: Number of qubits of the network.
        reserved_names: Names that no parameter may have, see `check_ansatz`.

    Raises:
        AnsatzError: The text does not parse, or has no free angles, as in OpenQASM 2.
        AnsatzError: The circuit is not an ansatz; see `circuit_ansatz`.
    """
    where = f"ansatz file {path}"
    if text.startswith(_QPY_TEXT):
        return circuit_ansatz(_from_qpy(text, where), num_qubits, reserved_names, where=where)
    if _VERSION_2.match(text):
        _refuse_version_2(text, where)
    circuit, names = circuit_of_text(text, where)
    return circuit_ansatz(
        circuit, num_qubits, reserved_names, where=where, names=names, measurement=MEASUREMENT, how=_IN_TEXT
    )


def ansatz_text(path: str | Path) -> str:
    """Read an ansatz file as text; the bytes of QPY become base 64.

    Raises:
        AnsatzError: The file cannot be read.
    """
    where = f"ansatz file {path}"
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise AnsatzError(f"{where}: expected a file that can be read, got: {reason}; check its path") from error
    if content.startswith(_QPY_BYTES):
        return _QPY_TEXT + base64.b64encode(content).decode()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AnsatzError(f"{where}: expected OpenQASM 3 text, got bytes that are not UTF-8 text") from error


def _from_qpy(text: str, where: str) -> QuantumCircuit:
    try:
        circuits = circuits_of(base64.b64decode(text.removeprefix(_QPY_TEXT)))
    except ValueError as error:
        wanted = "expected QPY that this version of Qiskit reads"
        raise AnsatzError(f"{where}: {wanted}, got: {error}; or save it anew") from None
    if len(circuits) != 1 or not isinstance(circuits[0], QuantumCircuit):
        raise AnsatzError(f"{where}: expected one circuit, got {len(circuits)}; save the ansatz alone")
    return circuits[0]


def _refuse_version_2(text: str, where: str) -> None:
    """Refuse OpenQASM 2, whose angles are numbers and cannot be trained; its syntax errors come first."""
    try:
        circuit = qasm2.loads(text, custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS)
    except qasm2.QASM2ParseError as error:
        raise AnsatzError(f"{where}: expected OpenQASM, got: {' '.join(error.message.split())}; mend it") from None
    example = f'OPENQASM 3.0; include "stdgates.inc"; input angle a; qubit[{circuit.num_qubits}] q; ry(a) q[0];'
    raise AnsatzError(
        f"{where}: expected at least one free angle, got OpenQASM 2, where all angles are numbers; write it in "
        f"OpenQASM 3 and declare the angles that train, as in '{example}'"
    )
