"""Fractional gates: circuits with `rzz` on devices that accept only angles in [0, pi/2].

Up to a phase, rzz(a + pi) is rzz(a) and Z on both qubits, and rzz(-a) is rzz(a) between two X on one of them. Which of
these an angle needs depends on its value, so a transpiled circuit is fitted to the bound parameters. Angles that are
multiples of one parameter share these corrections: a ramp remains a function of its few parameters, whatever the number
of its layers. Where bindings need different corrections, the correction is a rotation by 0 or pi, and becomes a
parameter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter, ParameterExpression, Qubit
from qiskit.circuit.library import RXGate, RZGate, RZZGate, XGate

from qep_qiskit.core.cache import Cache
from qep_qiskit.execution.transpilation import TranspiledProgram

_HALF = np.pi / 2
_ROUNDING = 1e-11
_MOST_KEPT = 64

Columns = dict[str, NDArray[np.float64]]
Choice = int | None
"""0 or 1, or None where bindings differ."""


def in_range(angles: NDArray) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Write every rzz(angle) as X^sign rzz(size) X^sign (ZZ)^turn, up to a phase; X acts on one of the qubits.

    Returns:
        The sizes in [0, pi/2], the signs and the turns, 0 or 1, all of the shape of the angles.
    """
    turns = np.maximum(np.ceil(np.abs(angles) / np.pi - 0.5 - _ROUNDING), 0.0)
    rest = np.sign(angles) * (np.abs(angles) - turns * np.pi)
    sizes, signs = _size_and_sign(rest)
    return np.minimum(sizes, _HALF), signs, (turns % 2).astype(np.int64)


def _size_and_sign(values: NDArray) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Split values into size and sign; negative values within rounding count as zero, so signs are reproducible."""
    negative = values < -_ROUNDING
    return np.where(negative, -values, np.maximum(values, 0.0)), negative.astype(np.int64)


def bounds_rzz(transpiled_program: TranspiledProgram) -> bool:
    """Whether the backend of a program bounds the angle of rzz."""
    return transpiled_program.backend is not None and transpiled_program.backend.target.gate_has_angle_bounds("rzz")


@dataclass(frozen=True, slots=True)
class _Unit:
    """Gates that share a size, a sign and a turn.

    Args:
        gates: Position in the circuit and factor on the size, of either sign, of every gate.
        sign: Whether X surrounds the gates with a positive factor; for a negative factor the sign is inverted.
        turn: Whether Z acts on both qubits.
    """

    gates: tuple[tuple[int, float], ...]
    sign: Choice
    turn: Choice

    def parameter(self, name: str) -> Parameter:
        return Parameter(f"{name}[{self.gates[0][0]}]")


Fit = tuple[_Unit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gate:
    """One rzz gate: its position in the circuit, and its angle, affine in the parameters."""

    place: int
    slopes: tuple[tuple[str, float], ...]
    offset: float

    @property
    def multiple_of(self) -> str | None:
        """The one parameter that the angle is proportional to."""
        return self.slopes[0][0] if len(self.slopes) == 1 and self.offset == 0.0 else None

    def angles(self, columns: Columns, bindings: int) -> NDArray[np.float64]:
        parts = [slope * columns[name] for name, slope in self.slopes]
        return np.sum([np.full(bindings, self.offset), *parts], axis=0)


def _gates_of(circuit: QuantumCircuit) -> Iterator[_Gate]:
    for place, step in enumerate(circuit.data):
        if step.operation.name == "rzz":
            angle = step.operation.params[0]
            if not isinstance(angle, ParameterExpression):
                yield _Gate(place=place, slopes=(), offset=float(angle))
                continue
            slopes = sorted((found.name, float(angle.gradient(found))) for found in angle.parameters)
            offset = float(angle.bind(dict.fromkeys(angle.parameters, 0.0)))
            yield _Gate(place=place, slopes=tuple(slopes), offset=offset)


class FractionalProgram:
    """A transpiled program whose rzz gates are fitted to the parameters that are bound.

    Args:
        transpiled_program: The program on a device that bounds the angle of rzz.
    """

    def __init__(self, transpiled_program: TranspiledProgram) -> None:
        self._transpiled_program = transpiled_program
        self._families: dict[str, list[_Gate]] = {}
        for gate in _gates_of(transpiled_program.circuit):
            self._families.setdefault(gate.multiple_of or f"gate {gate.place}", []).append(gate)
        self._made: Cache[Fit, TranspiledProgram] = Cache(_MOST_KEPT)

    def fit(self, names: Sequence[str], values: NDArray) -> tuple[Fit, Columns]:
        """Find the circuit corrections that some bindings need.

        Args:
            names: Names of the program's parameters.
            values: Values of the parameters in radians, shape (bindings, parameters).

        Returns:
            The fit, and the values of the fitted circuit's parameters by name, each of shape (bindings,).
        """
        columns = {name: np.asarray(values[:, column], dtype=float) for column, name in enumerate(names)}
        units: list[_Unit] = []
        for gates in self._families.values():
            units += self._shared(gates, columns) or [_alone(gate, columns, len(values)) for gate in gates]
        return tuple(units), columns

    @staticmethod
    def _shared(gates: Sequence[_Gate], columns: Columns) -> list[_Unit]:
        """One unit for gates whose angles are multiples of a parameter and lie in [-pi/2, pi/2]; else None."""
        name = gates[0].multiple_of
        if name is None:
            return []
        factors = _factors(gates)
        steepest = max(abs(factor) for _, factor in factors)
        if steepest * np.abs(columns[name]).max(initial=0.0) > _HALF:
            return []
        return [_unit(factors, *_size_and_sign(columns[name]), np.zeros(len(columns[name])), columns)]

    def for_any_signs(self) -> TranspiledProgram:
        """The program fitted to bindings with short angles of any sign."""
        gates = [gates for gates in self._families.values() if gates[0].multiple_of is not None]
        alone = [gate for gates in self._families.values() if gates[0].multiple_of is None for gate in gates]
        shared = [_Unit(_factors(own), None, 0) for own in gates]
        return self.fitted((*shared, *(_Unit(((gate.place, 1.0),), None, 0) for gate in alone)))

    def fitted(self, fit: Fit) -> TranspiledProgram:
        """The program with every rzz in range for all bindings of a fit."""
        program = self._transpiled_program
        return self._made.of(fit, lambda: replace(program, circuit=_fitted(program.circuit, fit)))


def _factors(gates: Sequence[_Gate]) -> tuple[tuple[int, float], ...]:
    return tuple((gate.place, gate.slopes[0][1]) for gate in gates)


def _unit(
    factors: tuple[tuple[int, float], ...], sizes: NDArray, signs: NDArray, turns: NDArray, columns: Columns
) -> _Unit:
    """Build a unit of gates and the values of its parameters."""
    unit = _Unit(factors, _common(signs), _common(turns))
    for name, own in (("size", sizes), ("sign", np.pi * signs), ("turn", np.pi * turns)):
        columns[unit.parameter(name).name] = own
    return unit


def _alone(gate: _Gate, columns: Columns, bindings: int) -> _Unit:
    """Build a unit of one gate of any angle."""
    return _unit(((gate.place, 1.0),), *in_range(gate.angles(columns, bindings)), columns)


def _common(choices: NDArray) -> Choice:
    return int(choices[0]) if np.all(choices == choices[0]) else None


def _fitted(circuit: QuantumCircuit, fit: Fit) -> QuantumCircuit:
    gates = {place: steps for unit in fit for place, steps in _steps(circuit, unit)}
    found = QuantumCircuit(circuit.num_qubits, global_phase=circuit.global_phase)
    for place, step in enumerate(circuit.data):
        for operation, qubits in gates.get(place, [(step.operation, step.qubits)]):
            found.append(operation, [circuit.find_bit(qubit).index for qubit in qubits])
    return found


def _steps(circuit: QuantumCircuit, unit: _Unit) -> Iterator[tuple[int, list[tuple[Gate, Sequence[Qubit]]]]]:
    """The gates of a unit, each with the operations that replace it."""
    size, sign, turn = (unit.parameter(name) for name in ("size", "sign", "turn"))
    for place, factor in unit.gates:
        first, second = circuit.data[place].qubits
        sign_gates = _chosen(unit.sign, RXGate(sign), XGate())
        if factor < 0:
            sign_gates = _chosen(None if unit.sign is None else 1 - unit.sign, RXGate(np.pi - sign), XGate())
        turns = _chosen(unit.turn, RZGate(turn), RZGate(np.pi))
        yield (
            place,
            [
                *((gate, [first]) for gate in sign_gates),
                (RZZGate(size * abs(factor)), [first, second]),
                *((gate, [first]) for gate in sign_gates),
                *((gate, [qubit]) for qubit in (first, second) for gate in turns),
            ],
        )


def _chosen(choice: Choice, either: Gate, always: Gate) -> list[Gate]:
    return [either] if choice is None else [always] * choice
