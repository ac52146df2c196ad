"""Measured circuits of a program. Every commuting group becomes one circuit, transpiled once, that binds all states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.providers import BackendV2

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.kept import Kept
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.program import LayerProgram
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution.bound_circuits import takes_free_angles
from qep_qiskit.execution.folding import folded
from qep_qiskit.execution.fractional import Columns, Fit, FractionalProgram, bounds_rzz
from qep_qiskit.execution.transpilation import TranspiledProgram, place

Bound = tuple[NDArray[np.int64], QuantumCircuit, NDArray[np.float64]]
"""Some rows of what is to be bound, their circuit, and the values of its parameters, shape (rows, parameters)."""

_MOST_FITTED = 256

Transpile = Callable[[LayerProgram], TranspiledProgram]


def measured_circuit(program_circuit: QuantumCircuit, group: CommutingGroup) -> QuantumCircuit:
    """A program's circuit followed by the group's change of basis and a measurement of all qubits."""
    circuit = program_circuit.copy(name=f"{group.name}_basis")
    group.basis.append_to(circuit)
    circuit.measure_all()
    return circuit


def gate_values(program: LayerProgram, parameters: NDArray) -> NDArray:
    """Rotation angles to bind to `to_circuit_per_gate`: shape (states, rotations)."""
    return 2.0 * program.gate_angles(parameters)


class MeasuredCircuits:
    """Circuits of programs as a backend runs them, each made once and kept.

    Args:
        place: Places a program.
    """

    def __init__(self, place: Transpile) -> None:
        self._place = place
        self._transpiled: Kept[LayerProgram, TranspiledProgram] = Kept()
        self._measured: Kept[tuple[LayerProgram, CommutingGroup, int, bool], QuantumCircuit] = Kept()
        self._twirled_zeros: Kept[LayerProgram, QuantumCircuit] = Kept()
        self._calibrations: Kept[LayerProgram, tuple[QuantumCircuit, QuantumCircuit]] = Kept()
        self._fractional: Kept[tuple[LayerProgram, int], FractionalProgram] = Kept()
        self._fitted: Kept[tuple[LayerProgram, CommutingGroup, int, Fit, bool], QuantumCircuit] = Kept(_MOST_FITTED)

    def transpiled_program(self, program: LayerProgram) -> TranspiledProgram:
        """Where a program sits."""
        return self._transpiled.of(program, lambda: self._place(program))

    def of_group(
        self, program: LayerProgram, group: CommutingGroup, folding: int = 1, *, twirled: bool = False
    ) -> QuantumCircuit:
        """A program measured in a group, its two-qubit gates repeated so often.

        Args:
            program: The program.
            group: The group.
            folding: How often every two-qubit gate runs.
            twirled: Whether every qubit is rotated by ``flip`` before the reading.
        """
        return self._measured.of(
            (program, group, folding, twirled),
            lambda: _measured(folded(self.transpiled_program(program), folding), group, twirled),
        )

    def fractional(self, program: LayerProgram, folding: int = 1) -> FractionalProgram:
        """A program whose rotations take bounded angles only, its two-qubit gates repeated so often."""
        return self._fractional.of(
            (program, folding), lambda: FractionalProgram(folded(self.transpiled_program(program), folding))
        )

    def bound(
        self,
        program: LayerProgram,
        group: CommutingGroup,
        parameters: NDArray,
        folding: int = 1,
        twirls: NDArray[np.bool_] | None = None,
    ) -> list[Bound]:
        """A program measured in a group: every state in a circuit that it fits, which depends on the state alone.

        Args:
            program: The program.
            group: The group.
            parameters: Shape (states, P).
            folding: How often every two-qubit gate runs.
            twirls: Shape (states, draws, N): flips before the reading, so many draws of every state; or None.
        """
        values = gate_values(program, parameters)
        names = [f"g[{index}]" for index in range(values.shape[1])]
        if not bounds_rzz(self.transpiled_program(program)):
            circuit = self.of_group(program, group, folding, twirled=twirls is not None)
            return [_bound(circuit, np.arange(len(values)), dict(zip(names, values.T, strict=True)), twirls)]
        found: dict[Fit, tuple[list[int], list[Columns]]] = {}
        fractional = self.fractional(program, folding)
        for row in range(len(values)):
            fit, columns = fractional.fit(names, values[[row]])
            rows, own = found.setdefault(fit, ([], []))
            rows.append(row)
            own.append(columns)
        return [
            _bound(
                self._fitted_to(program, group, folding, fit, twirls is not None), np.array(rows), _joined(own), twirls
            )
            for fit, (rows, own) in found.items()
        ]

    def _fitted_to(
        self, program: LayerProgram, group: CommutingGroup, folding: int, fit: Fit, twirled: bool
    ) -> QuantumCircuit:
        return self._fitted.of(
            (program, group, folding, fit, twirled),
            lambda: _measured(self.fractional(program, folding).fitted(fit), group, twirled),
        )

    def bound_calibration(
        self, program: LayerProgram, states: NDArray[np.int64], twirls: NDArray[np.bool_] | None = None
    ) -> list[Bound]:
        """All 0 and all 1, or under flips all 0 so often.

        Args:
            program: What is calibrated for.
            states: For every row, 0 or 1.
            twirls: Shape (rows, draws, N), or None.
        """
        if twirls is not None:
            return [_bound(self.twirled_zeros(program), np.arange(len(states)), {}, twirls)]
        circuits = self.of_calibration(program)
        return [_bound(circuits[state], np.array([row]), {}, None) for row, state in enumerate(states)]

    def twirled_zeros(self, program: LayerProgram) -> QuantumCircuit:
        """All qubits 0 with rotations by ``flip`` before the reading."""
        found = self.transpiled_program(program)
        return self._twirled_zeros.of(program, lambda: found.only(_twirl_layer(len(found.outputs))))

    def of_calibration(self, program: LayerProgram) -> tuple[QuantumCircuit, QuantumCircuit]:
        """All 0 and all 1 on the qubits that a program is read from."""
        return self._calibrations.of(program, lambda: self.transpiled_program(program).calibration())


def filled(circuit: QuantumCircuit, columns: Columns, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Values of a circuit's parameters in their order, matched by name, shape (*shape, parameters).

    A transpiled circuit may order its parameters anew, and one rebuilt elsewhere has parameters of another identity;
    names stay.

    Args:
        circuit: The circuit.
        columns: Values by name, of any shape that broadcasts.
        shape: Of the bindings.
    """
    found = [np.broadcast_to(columns[parameter.name], shape) for parameter in circuit.parameters]
    return np.stack(found, axis=-1) if found else np.zeros((*shape, 0))


def _bound(
    circuit: QuantumCircuit, rows: NDArray[np.int64], columns: Columns, twirls: NDArray[np.bool_] | None
) -> Bound:
    """Rows in their circuit; columns are of shape (rows,), flips of all rows there are."""
    if twirls is None:
        return rows, circuit, filled(circuit, columns, (len(rows),))
    own = np.where(twirls[rows], np.pi, 0.0)
    columns = {name: column[:, None] for name, column in columns.items()}
    columns |= {f"flip[{qubit}]": own[..., qubit] for qubit in range(own.shape[-1])}
    return rows, circuit, filled(circuit, columns, own.shape[:2])


def _joined(columns: Sequence[Columns]) -> Columns:
    return {name: np.concatenate([own[name] for own in columns]) for name in columns[0]}


def _measured(transpiled_program: TranspiledProgram, group: CommutingGroup, twirled: bool) -> QuantumCircuit:
    return (
        transpiled_program.measured_after(_twirl_layer(len(transpiled_program.outputs), group))
        if twirled
        else transpiled_program.measured(group)
    )


def _twirl_layer(size: int, group: CommutingGroup | None = None) -> QuantumCircuit:
    """A group's change of basis and a rotation of every qubit about x, by pi to flip it."""
    circuit = QuantumCircuit(size, name="flips" if group is None else f"{group.name}_basis_flips")
    if group is not None:
        group.basis.append_to(circuit)
    for qubit, angle in enumerate(ParameterVector("flip", size)):
        circuit.rx(angle, qubit)
    return circuit


def transpile_on(
    backend: BackendV2 | None, seeds: Seeds, optimization_level: int, layout: Sequence[int] | None = None
) -> Transpile:
    """The usual way to place programs, on given qubits or on free ones; the seed of the transpiler is the run's.

    Where the backend's transpiler takes no free angles, programs stay as they are, and bound circuits are transpiled
    when they run.

    Raises:
        ConfigError: They are to stay on given qubits of such a backend.
    """
    seed = seeds.simulator_seed("transpiler") % 2**31
    if backend is not None and not takes_free_angles(backend, optimization_level):
        if layout is not None:
            raise ConfigError(
                f"network.graph: the transpiler of {backend.name} takes no free angles, so a program cannot be kept on "
                "qubits of its own; name a graph other than 'native'"
            )
        backend = None
    return partial(place, backend=backend, optimization_level=optimization_level, seed=seed, layout=layout)
