"""Conversion of OpenQASM 3 to a circuit of gates; every error is one line."""

from __future__ import annotations

import contextlib
import io
import operator
import re
from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import NoReturn

import openqasm3
import qiskit_qasm3_import
from openqasm3 import ast, dumps
from openqasm3.visitor import QASMVisitor
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qep_qiskit.core.errors import AnsatzError

MEASUREMENT = "reset"
"""Name of the operation that represents a measurement in a circuit from a text, in which resets are refused."""

_ON_ONE_QUBIT = {"p", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "rx", "ry", "rz", "u1", "u2", "u3", "id"}
_ON_MORE = {"cx", "cy", "cz", "cp", "ch", "cu", "crx", "cry", "crz", "swap", "ccx", "cswap", "CX", "phase", "cphase"}
_CONTROL_FLOW = ("control flow", "write the gates out one by one")
_CLASSICAL = ("a classical variable", "remove it: the only variables of an ansatz are its input angles")
_REFUSED: dict[type[ast.QASMNode], tuple[str, str]] = {
    ast.QuantumReset: ("a reset", "remove it: all qubits start in |0>"),
    ast.BranchingStatement: _CONTROL_FLOW,
    ast.ForInLoop: _CONTROL_FLOW,
    ast.WhileLoop: _CONTROL_FLOW,
    ast.SwitchStatement: _CONTROL_FLOW,
    ast.ClassicalAssignment: _CLASSICAL,
    ast.ConstantDeclaration: ("a named constant", "write its number where it is used"),
    ast.FunctionCall: (
        "a function",
        "write its number, or an angle that is affine in the parameters, as 2*a - b + pi/2",
    ),
    ast.DelayInstruction: ("a delay", "remove it: an ansatz has no timing"),
}


def circuit_of_text(text: str, where: str) -> tuple[QuantumCircuit, list[str]]:
    """Convert an OpenQASM 3 text to a circuit and its ``input`` parameters in the order of declaration.

    Measurements become operations with the name `MEASUREMENT`, without bits; declarations of bits are removed.

    Args:
        text: The program.
        where: Beginning of error messages.

    Raises:
        AnsatzError: The text does not parse, or Qiskit cannot import it.
        AnsatzError: It has more than gates and measurements: resets, control flow, variables.
        AnsatzError: An angle divides whole numbers and loses the remainder.
    """
    tree = _parsed(text, where)
    _GatesOnly(where).visit(tree)
    names = [node.identifier.name for node in tree.statements if isinstance(node, ast.IODeclaration)]
    own_gates = {node.name.name for node in tree.statements if isinstance(node, ast.QuantumGateDefinition)}
    renamed = {name: f"input_{name}" for name in names if name in _ON_ONE_QUBIT | _ON_MORE | own_gates}
    _Renaming(renamed).visit(tree)
    tree.statements = [kept for node in tree.statements if (kept := _without_bits(node)) is not None]
    circuit = _converted(tree, where)
    back = {new: Parameter(name) for name, new in renamed.items() if circuit.has_parameter(new)}
    return circuit.assign_parameters(back), names


def _without_bits(node: ast.Statement | ast.Pragma) -> ast.Statement | ast.Pragma | None:
    """Replace measurements by resets, which need no bits, and remove declarations of bits."""
    measured = None
    if isinstance(node, ast.QuantumMeasurementStatement):
        measured = node.measure.qubit
    elif isinstance(node, ast.ClassicalDeclaration):
        if not isinstance(node.init_expression, ast.QuantumMeasurement):
            return None
        measured = node.init_expression.qubit
    if measured is None:
        return node
    reset = ast.QuantumReset(qubits=measured)
    reset.span = node.span
    return reset


class _Renaming(QASMVisitor[None]):
    """Renames inputs in their uses and declarations; gates of the same names keep theirs."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def visit(self, node: ast.QASMNode, context: None = None) -> None:
        """Rename the node, or visit its children that contain angles."""
        if isinstance(node, ast.QuantumGateDefinition):
            return  # its parameters are its own
        if isinstance(node, ast.IODeclaration):
            self.visit(node.identifier)
        elif isinstance(node, ast.QuantumGate):
            for part in (*node.arguments, *node.modifiers):
                self.visit(part)
        elif isinstance(node, ast.Identifier):
            node.name = self._names.get(node.name, node.name)
        else:
            super().visit(node, context)


def _parsed(text: str, where: str) -> ast.Program:
    """The syntax tree; output of the parser is suppressed."""
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
    """The line that a parser's error names, and its description of the text, if any."""
    lexer = re.match(r"L(\d+):C\d+: (.*)", str(error))
    if lexer is not None:
        return f", line {lexer[1]}", f" ({lexer[2]})"
    cause = error.__cause__
    inner = cause.args[0] if cause is not None and cause.args else cause
    token = getattr(inner, "offendingToken", None)
    return (f", line {token.line}" if token is not None else ""), ""


class _GatesOnly(QASMVisitor[None]):
    """Refuses statements that are not gates, and angles whose whole-number division loses a remainder."""

    def __init__(self, where: str) -> None:
        self._where = where

    def visit(self, node: ast.QASMNode, context: None = None) -> None:
        """Refuse the node or visit its children."""
        refused = _REFUSED.get(type(node))
        if refused is not None:
            self._refuse(node, "only gates", *refused)
        if isinstance(node, ast.ClassicalDeclaration) and not _is_of_bits(node):
            self._refuse(node, "only gates", *_CLASSICAL)
        if isinstance(node, ast.BinaryExpression) and _loses_the_rest(node):
            self._refuse(
                node,
                "angles of real numbers",
                f"the division of whole numbers {dumps(node)}, which is {_whole(node)} in OpenQASM 3",
                f"write {dumps(node.lhs)}.0 for the first number",
            )
        super().visit(node, context)

    def _refuse(self, node: ast.QASMNode, wanted: str, what: str, advice: str) -> NoReturn:
        line = f", line {node.span.start_line}" if node.span is not None else ""
        raise AnsatzError(f"{self._where}{line}: expected {wanted}, got {what}; {advice}")


def _is_of_bits(node: ast.ClassicalDeclaration) -> bool:
    """Whether a statement declares bits, without a value or with a measurement result."""
    measured = node.init_expression is None or isinstance(node.init_expression, ast.QuantumMeasurement)
    return isinstance(node.type, ast.BitType) and measured


def _loses_the_rest(node: ast.BinaryExpression) -> bool:
    first, second = _whole(node.lhs), _whole(node.rhs)
    return node.op.name == "/" and first is not None and second is not None and second != 0 and first % second != 0


def _whole(node: ast.Expression) -> int | None:
    """The value of an expression of whole numbers by the rules of OpenQASM 3; None for others."""
    if isinstance(node, ast.IntegerLiteral):
        return node.value
    if isinstance(node, ast.UnaryExpression) and node.op.name == "-":
        inner = _whole(node.expression)
        return None if inner is None else -inner
    if not isinstance(node, ast.BinaryExpression) or node.op.name not in _ON_WHOLE_NUMBERS:
        return None
    first, second = _whole(node.lhs), _whole(node.rhs)
    if first is None or second is None or (node.op.name == "/" and second == 0):
        return None
    return _ON_WHOLE_NUMBERS[node.op.name](first, second)


_ON_WHOLE_NUMBERS: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda first, second: int(first / second),  # towards zero
}


def _converted(tree: ast.Program, where: str) -> QuantumCircuit:
    try:
        return qiskit_qasm3_import.convert(tree)
    except Exception as error:  # the importer lets errors of many kinds through
        raise AnsatzError(
            f"{where}, line {_failing_line(tree)}: expected gates that Qiskit can import from OpenQASM 3, got: "
            f"{_import_reason(error)}; use float inputs, qubits, and gates of stdgates.inc or of your own"
        ) from error


def _failing_line(tree: ast.Program) -> int:
    """Line of the first statement that fails at import; the importer names it for some errors only."""

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
    """The importer's message, without the position at its beginning."""
    if isinstance(error, TypeError):  # raised where a gate's class is called with other arguments than it has
        return "a gate with the wrong number of angles"
    return re.sub(r"^\d+,\d+: ", "", " ".join(str(error).split())).strip("'\"")
