"""Measured circuits of a program: one for each commuting group, transpiled once, that binds all states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.providers import BackendV2

from qep_qiskit.core.cache import Cache
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.program import LayerProgram, to_circuit_per_gate
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution.bound_circuits import takes_free_angles
from qep_qiskit.execution.folding import folded
from qep_qiskit.execution.fractional import Columns, Fit, FractionalProgram, bounds_rzz
from qep_qiskit.execution.transpilation import TranspiledProgram, place

Bound = tuple[NDArray[np.int64], QuantumCircuit, NDArray[np.float64]]
"""Indices of the bound rows, their circuit, and the values of its parameters, shape (rows, parameters)."""

_MOST_FITTED = 256

Transpile = Callable[[LayerProgram], TranspiledProgram]
Synthesis = Callable[[LayerProgram], QuantumCircuit]


def measured_circuit(program_circuit: QuantumCircuit, group: CommutingGroup) -> QuantumCircuit:
    """Append a group's change of basis and a measurement of all qubits to a program's circuit.

    Args:
        program_circuit: Circuit of the program.
        group: The group to measure.
    """
    circuit = program_circuit.copy(name=f"{group.name}_basis")
    group.basis.append_to(circuit)
    circuit.measure_all()
    return circuit


def gate_values(program: LayerProgram, parameters: NDArray) -> NDArray:
    """Rotation angles in radians to bind to `to_circuit_per_gate`, shape (states, rotations).

    Args:
        program: The program.
        parameters: Its parameters, shape (states, P).
    """
    return 2.0 * program.gate_angles(parameters)


class MeasuredCircuits:
    """Builds and caches the circuits of programs as a backend runs them.

    Args:
        place: Transpiles a program for the backend.
    """

    def __init__(self, place: Transpile) -> None:
        self._place = place
        self._transpiled: Cache[LayerProgram, TranspiledProgram] = Cache()
        self._measured: Cache[tuple[LayerProgram, CommutingGroup, int, bool], QuantumCircuit] = Cache()
        self._twirled_zeros: Cache[LayerProgram, QuantumCircuit] = Cache()
        self._calibrations: Cache[LayerProgram, tuple[QuantumCircuit, QuantumCircuit]] = Cache()
        self._fractional: Cache[tuple[LayerProgram, int], FractionalProgram] = Cache()
        self._fitted: Cache[tuple[LayerProgram, CommutingGroup, int, Fit, bool], QuantumCircuit] = Cache(_MOST_FITTED)

    def transpiled_program(self, program: LayerProgram) -> TranspiledProgram:
        """The program transpiled for the backend; cached."""
        return self._transpiled.of(program, lambda: self._place(program))

    def of_group(
        self, program: LayerProgram, group: CommutingGroup, folding: int = 1, *, twirled: bool = False
    ) -> QuantumCircuit:
        """Build the circuit that measures a program in a group; cached.

        Args:
            program: The program.
            group: The group to measure.
            folding: Number of executions of every two-qubit gate, odd.
            twirled: Whether a rotation by the parameter ``flip`` precedes the readout of every qubit.
        """
        return self._measured.of(
            (program, group, folding, twirled),
            lambda: _measured(folded(self.transpiled_program(program), folding), group, twirled),
        )

    def fractional(self, program: LayerProgram, folding: int = 1) -> FractionalProgram:
        """The program for a device that bounds the angle of rzz; cached."""
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
        """Bind a program measured in a group to all states; the circuit of a state depends on that state alone.

        Args:
            program: The program.
            group: The group to measure.
            parameters: Parameters of the program, shape (states, P).
            folding: Number of executions of every two-qubit gate, odd.
            twirls: Whether each qubit is flipped before the readout, shape (states, draws, N), or None without
                twirling.
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
        bound = []
        for fit, (rows, own) in found.items():
            circuit = self._fitted_to(program, group, folding, fit, twirls is not None)
            joined = {name: np.concatenate([columns[name] for columns in own]) for name in own[0]}
            bound.append(_bound(circuit, np.array(rows), joined, twirls))
        return bound

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
        """Bind the calibration circuits of all 0 and all 1, or with twirls those of all 0.

        Args:
            program: The program whose readout is calibrated.
            states: For every row, 0 or 1.
            twirls: Whether each qubit is flipped before the readout, shape (rows, draws, N), or None without twirling.
        """
        if twirls is not None:
            return [_bound(self.twirled_zeros(program), np.arange(len(states)), {}, twirls)]
        circuits = self.of_calibration(program)
        return [_bound(circuits[state], np.array([row]), {}, None) for row, state in enumerate(states)]

    def twirled_zeros(self, program: LayerProgram) -> QuantumCircuit:
        """Circuit of all qubits 0 with a rotation by ``flip`` before each readout."""
        found = self.transpiled_program(program)
        return self._twirled_zeros.of(program, lambda: found.only(_twirl_layer(len(found.outputs))))

    def of_calibration(self, program: LayerProgram) -> tuple[QuantumCircuit, QuantumCircuit]:
        """Circuits of all 0 and all 1 on the qubits that a program is measured on."""
        return self._calibrations.of(program, lambda: self.transpiled_program(program).calibration())


def filled(circuit: QuantumCircuit, columns: Columns, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Values of a circuit's parameters in their order, matched by name, shape (*shape, parameters).

    A transpiled circuit may order its parameters differently, and one rebuilt elsewhere has other parameter objects;
    only the names are the same.

    Args:
        circuit: The circuit.
        columns: Values by name, of any shape that broadcasts to `shape`.
        shape: Shape of the bindings.
    """
    found = [np.broadcast_to(columns[parameter.name], shape) for parameter in circuit.parameters]
    return np.stack(found, axis=-1) if found else np.zeros((*shape, 0))


def _bound(
    circuit: QuantumCircuit, rows: NDArray[np.int64], columns: Columns, twirls: NDArray[np.bool_] | None
) -> Bound:
    """Bind rows to their circuit; columns have shape (rows,), and twirls are those of all rows."""
    if twirls is None:
        return rows, circuit, filled(circuit, columns, (len(rows),))
    own = np.where(twirls[rows], np.pi, 0.0)
    columns = {name: column[:, None] for name, column in columns.items()}
    columns |= {f"flip[{qubit}]": own[..., qubit] for qubit in range(own.shape[-1])}
    return rows, circuit, filled(circuit, columns, own.shape[:2])


def _measured(transpiled_program: TranspiledProgram, group: CommutingGroup, twirled: bool) -> QuantumCircuit:
    if not twirled:
        return transpiled_program.measured(group)
    return transpiled_program.measured_after(_twirl_layer(len(transpiled_program.outputs), group))


def _twirl_layer(size: int, group: CommutingGroup | None = None) -> QuantumCircuit:
    """A group's change of basis and a rotation of every qubit about x, by pi to flip it."""
    circuit = QuantumCircuit(size, name="flips" if group is None else f"{group.name}_basis_flips")
    if group is not None:
        group.basis.append_to(circuit)
    for qubit, angle in enumerate(ParameterVector("flip", size)):
        circuit.rx(angle, qubit)
    return circuit


def transpile_on(
    backend: BackendV2 | None,
    seeds: Seeds,
    optimization_level: int,
    layout: Sequence[int] | None = None,
    *,
    synthesis: Synthesis = to_circuit_per_gate,
) -> Transpile:
    """Make a function that transpiles programs for a backend, with a transpiler seed from the run's seeds.

    Where the backend's transpiler accepts no free angles, programs are left untranspiled, and bound circuits are
    transpiled when they run.

    Args:
        backend: The backend, or None for untranspiled programs.
        seeds: Root of the random streams.
        optimization_level: Optimisation level of the transpiler, 0 to 3.
        layout: Initial qubits of the backend for the program's qubits; None for the transpiler's choice.
        synthesis: Makes the circuit of a program, by default with one parameter for every rotation.

    Raises:
        ConfigError: A layout is given for a backend whose transpiler accepts no free angles.

    Example:
        >>> from qiskit.providers.fake_provider import GenericBackendV2
        >>> line = GenericBackendV2(5, coupling_map=[[0, 1], [1, 2], [2, 3], [3, 4]], seed=1)
        >>> place = qep.transpile_on(line, qep.Seeds(0), 2, layout=[3, 1])
        >>> found = place(qep.hardware_efficient(2, depth=0))
        >>> found.outputs
        (3, 1)
        >>> executor = qep.SamplerExecutor(line, qep.Seeds(0), place=place)
    """
    seed = seeds.simulator_seed("transpiler") % 2**31
    if backend is not None and not takes_free_angles(backend, optimization_level):
        if layout is not None:
            raise ConfigError(
                f"network.graph: the transpiler of {backend.name} takes no free angles, so a program cannot be kept on "
                "qubits of its own; name a graph other than 'native'"
            )
        backend = None
    return partial(
        place, backend=backend, optimization_level=optimization_level, seed=seed, layout=layout, synthesis=synthesis
    )
