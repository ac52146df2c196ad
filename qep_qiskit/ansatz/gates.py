"""Decomposition of a Qiskit circuit into Pauli rotations with affine angles and CX gates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Instruction, ParameterExpression

from qep_qiskit.core.errors import AnsatzError
from qep_qiskit.core.pauli_strings import PauliString

_LETTERS = {"rx": "X", "ry": "Y", "rz": "Z", "rxx": "XX", "ryy": "YY", "rzz": "ZZ", "rzx": "ZX"}
_IDENTITIES = frozenset({"barrier", "id"})


@dataclass(frozen=True, slots=True)
class Rotation:
    """The rotation exp(-i theta P) of a Pauli string P, with theta = scale p[source] + offset in radians.

    Args:
        string: The Pauli string P.
        source: Index of the parameter; -1 for a fixed angle.
        scale: Factor on the parameter.
        offset: Constant part of theta in radians.
    """

    string: PauliString
    source: int
    scale: float
    offset: float

    @property
    def qubits(self) -> frozenset[int]:
        """Qubits that the rotation acts on."""
        return frozenset(qubit for qubit, _ in self.string.factors)

    @property
    def is_identity(self) -> bool:
        """Whether the rotation is the identity up to a phase, whatever the parameters."""
        return self.source < 0 and abs(np.sin(self.offset)) < 1e-14


@dataclass(frozen=True, slots=True)
class Cx:
    """A CX gate.

    Args:
        control: Control qubit.
        target: Target qubit.
    """

    control: int
    target: int

    @property
    def qubits(self) -> frozenset[int]:
        """Qubits that the gate acts on."""
        return frozenset((self.control, self.target))


Gate: TypeAlias = Rotation | Cx


def elementary_gates(circuit: QuantumCircuit, columns: Mapping[str, int], where: str) -> list[Gate]:
    """Decompose a circuit into rotations and CX gates, up to a global phase.

    Args:
        circuit: Gates only: no measurements, resets or control flow.
        columns: Index of every parameter, by name.
        where: Beginning of error messages.

    Raises:
        AnsatzError: A gate cannot be decomposed, or an angle is not affine in the parameters.
    """
    basis = [*_LETTERS, "cx"]
    try:
        plain = transpile(circuit, basis_gates=basis, optimization_level=0)
    except Exception as error:  # whatever the transpiler raises, the user's circuit is the cause
        raise AnsatzError(f"{where}: expected gates that decompose into rotations and cx, got: {error}") from error
    gates: list[Gate] = []
    for instruction in plain.data:
        operation = instruction.operation
        qubits = [plain.find_bit(qubit).index for qubit in instruction.qubits]
        if operation.name == "cx":
            gates.append(Cx(*qubits))
        elif operation.name in _LETTERS:
            string = PauliString(tuple(sorted(zip(qubits, _LETTERS[operation.name], strict=True))))
            gates += _rotations(string, operation, columns, where)
        elif operation.name not in _IDENTITIES:
            raise AnsatzError(f"{where}: expected gates that are rotations or fixed, got '{operation.name}'; remove it")
    return gates


def _rotations(
    string: PauliString, operation: Instruction, columns: Mapping[str, int], where: str
) -> Iterator[Rotation]:
    """One rotation for every parameter in a gate's angle, the first with its constant part."""
    angle = operation.params[0]
    slopes, constant = _affine(angle, operation.name, where)
    sources = [columns[name] for name in slopes] or [-1]
    scales = list(slopes.values()) or [0.0]
    for source, scale in zip(sources, scales, strict=True):
        rotation = Rotation(string, source, scale / 2.0, constant / 2.0)
        constant = 0.0
        if not rotation.is_identity:
            yield rotation


def _affine(angle: float | ParameterExpression, gate: str, where: str) -> tuple[dict[str, float], float]:
    """Slopes by parameter name and the constant part of an angle in radians."""
    if not isinstance(angle, ParameterExpression):
        return {}, float(angle)
    parameters = sorted(angle.parameters, key=lambda parameter: parameter.name)
    slopes = {parameter.name: _constant(angle.gradient(parameter)) for parameter in parameters}
    if any(slope is None for slope in slopes.values()):
        raise AnsatzError(
            f"{where}: expected angles that are affine in the parameters, such as 2*a - b + pi/2, got {gate}({angle}); "
            "use a free parameter of its own for this angle"
        )
    return {name: slope for name, slope in slopes.items() if slope}, float(angle.bind(dict.fromkeys(parameters, 0.0)))


def _constant(value: float | ParameterExpression) -> float | None:
    """The value of an expression without parameters, or None if it has parameters."""
    if isinstance(value, ParameterExpression) and value.parameters:
        return None
    return float(value)
