"""An ansatz of the user's own: an OpenQASM 3 file whose input parameters are the free angles."""

from __future__ import annotations

import contextlib
import io
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from pathlib import Path

import openqasm3
import qiskit_qasm3_import
from openqasm3 import ast
from openqasm3.visitor import QASMVisitor
from qiskit import QuantumCircuit

from qep_qiskit.ansatz.checks import check_names
from qep_qiskit.ansatz.gates import Rotation, elementary_gates, refuse_controlled_rotations
from qep_qiskit.ansatz.layering import absorb_first_gates, layer_program, native_pairs
from qep_qiskit.errors import AnsatzError
from qep_qiskit.program import LayerProgram

__all__ = ["ansatz_text", "parse_ansatz", "read_ansatz"]

_MEASUREMENT = ("a measurement", "remove it: the network's groups are measured at the end of the circuit anyway")
_CONTROL_FLOW = ("control flow", "write the gates out one by one")
_CLASSICAL = ("a classical variable", "remove it: the only variables of an ansatz are its input angles")
_REFUSED: dict[type[ast.QASMNode], tuple[str, str]] = {
    ast.QuantumMeasurement: _MEASUREMENT,
    ast.QuantumReset: ("a reset", "remove it: all qubits start in |0>"),
    ast.BranchingStatement: _CONTROL_FLOW,
    ast.ForInLoop: _CONTROL_FLOW,
    ast.WhileLoop: _CONTROL_FLOW,
    ast.SwitchStatement: _CONTROL_FLOW,
    ast.ClassicalDeclaration: _CLASSICAL,
    ast.ClassicalAssignment: _CLASSICAL,
    ast.ConstantDeclaration: ("a named constant", "write its number where it is used"),
    ast.FunctionCall: (
        "a function",
        "write its number, or an angle that is affine in the parameters, as 2*a - b + pi/2",
    ),
    ast.DelayInstruction: ("a delay", "remove it: an ansatz has no timing"),
}


def read_ansatz(path: str | Path, num_qubits: int, reserved_names: Iterable[str]) -> LayerProgram:
    """Read an ansatz from an OpenQASM 3 file: `ansatz_text` and `parse_ansatz` in one.

    Args:
        path: The file.
        num_qubits: Number of qubits of the network.
        reserved_names: Names that no parameter may have, see `check_ansatz`.

    Raises:
        AnsatzError: The file cannot be read, or is no ansatz.
    """
    return parse_ansatz(ansatz_text(path), path, num_qubits, reserved_names)


def parse_ansatz(text: str, path: str | Path, num_qubits: int, reserved_names: Iterable[str]) -> LayerProgram:
    """Turn OpenQASM 3 into an ansatz.

    Angles may be affine in the ``input`` parameters; they are the program's parameters in the order of declaration.
    Gates are decomposed into rotations and CX gates and gathered in layers; the global phase is dropped. Qubits are
    numbered in the order of declaration.

    Args:
        text: The program.
        path: Of the file it came from, for messages.
        num_qubits: Number of qubits of the network.
        reserved_names: Names that no parameter may have, see `check_ansatz`.

    Raises:
        AnsatzError: The text does not parse.
        AnsatzError: It has another number of qubits, or holds more than gates: measurements, resets, control flow.
        AnsatzError: A controlled gate has a free angle, or an angle is not affine in the parameters.
        AnsatzError: There is no free parameter, one turns nothing, or one is named like a weight.
    """
    where = f"ansatz file {path}"
    tree = _parsed(text, where)
    _refuse_all_but_gates(tree, where)
    circuit = _converted(tree, where)
    if circuit.num_qubits != num_qubits:
        raise AnsatzError(
            f"{where}: expected the {num_qubits} qubits of the network, got {circuit.num_qubits}; declare "
            f"qubit[{num_qubits}]"
        )
    names = list(_input_names(tree))
    check_names(where, names, reserved_names)
    refuse_controlled_rotations(circuit, where)
    gates = native_pairs(elementary_gates(circuit, {name: i for i, name in enumerate(names)}, where))
    _refuse_idle(names, {gate.source for gate in gates if isinstance(gate, Rotation)}, where)
    initial, rest = absorb_first_gates(gates, num_qubits)
    return layer_program(rest, initial, names)


def ansatz_text(path: str | Path) -> str:
    """The text of an ansatz file.

    Raises:
        AnsatzError: It cannot be read.
    """
    where = f"ansatz file {path}"
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise AnsatzError(f"{where}: expected a file that can be read, got: {reason}; check its path") from error
    except UnicodeDecodeError as error:
        raise AnsatzError(f"{where}: expected OpenQASM 3 text, got bytes that are not UTF-8 text") from error


def _parsed(text: str, where: str) -> ast.Program:
    """The syntax tree; what the parser prints on the way is kept quiet."""
    if not text.strip():
        raise AnsatzError(f"{where}: expected an OpenQASM 3 circuit, got an empty file")
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            return openqasm3.parse(text)
    except Exception as error:  # the parser lets errors of many kinds through
        line, reason = _place_and_reason(error)
        raise AnsatzError(
            f"{where}{line}: expected OpenQASM 3, got text that does not parse{reason}; mend the syntax, there or just "
            "before"
        ) from error


def _place_and_reason(error: Exception) -> tuple[str, str]:
    """The line that a parser's error names, and what it says of the text, where it does."""
    lexer = re.match(r"L(\d+):C\d+: (.*)", str(error))
    if lexer is not None:
        return f", line {lexer[1]}", f" ({lexer[2]})"
    cause = error.__cause__
    inner = cause.args[0] if cause is not None and cause.args else cause
    token = getattr(inner, "offendingToken", None)
    return (f", line {token.line}" if token is not None else ""), ""


class _GatesOnly(QASMVisitor[None]):
    """Refuses statements that are no gates."""

    def __init__(self, where: str) -> None:
        self._where = where

    def visit(self, node: ast.QASMNode, context: None = None) -> None:
        """Refuse the node or go on to its children."""
        refused = _REFUSED.get(type(node))
        if refused is not None:
            what, advice = refused
            line = f", line {node.span.start_line}" if node.span is not None else ""
            raise AnsatzError(f"{self._where}{line}: expected only gates, got {what}; {advice}")
        super().visit(node, context)


def _refuse_all_but_gates(tree: ast.Program, where: str) -> None:
    _GatesOnly(where).visit(tree)


def _converted(tree: ast.Program, where: str) -> QuantumCircuit:
    try:
        return qiskit_qasm3_import.convert(tree)
    except Exception as error:  # the importer lets errors of many kinds through
        raise AnsatzError(
            f"{where}, line {_failing_line(tree)}: expected gates that Qiskit can import from OpenQASM 3, got: "
            f"{_import_reason(error)}; use float inputs, qubits, and gates of stdgates.inc or of your own"
        ) from error


def _failing_line(tree: ast.Program) -> int:
    """Line of the first statement with which the import fails; the importer names it for some errors only."""

    def fails(count: int) -> bool:
        try:
            qiskit_qasm3_import.convert(ast.Program(statements=tree.statements[:count], version=tree.version))
        except Exception:
            return True
        return False

    first = bisect_left(range(len(tree.statements)), True, key=lambda index: fails(index + 1))
    span = tree.statements[first].span
    assert span is not None
    return span.start_line


def _import_reason(error: Exception) -> str:
    """What the importer says, without the position in front."""
    if isinstance(error, TypeError):  # raised where a gate's class is called with other arguments than it has
        return "a gate with the wrong number of angles"
    return re.sub(r"^\d+,\d+: ", "", " ".join(str(error).split())).strip("'\"")


def _input_names(tree: ast.Program) -> Iterator[str]:
    """Names of the input parameters in the order of declaration."""
    for statement in tree.statements:
        if isinstance(statement, ast.IODeclaration):
            yield statement.identifier.name


def _refuse_idle(names: list[str], used: set[int], where: str) -> None:
    for index, name in enumerate(names):
        if index not in used:
            raise AnsatzError(
                f"{where}: expected every parameter to turn a gate, got '{name}', on which the state does not depend; "
                "use it or remove its declaration"
            )
