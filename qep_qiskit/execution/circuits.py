"""Measured circuits of a program, and bits from any Qiskit sampler.

This is the path of devices, of large noisy simulations, and of anything a user hands over: a `BackendV2` or a
`SamplerV2`. Every commuting group becomes one circuit, transpiled once, and one PUB that binds all states.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.primitives import BackendSamplerV2, BaseSamplerV2
from qiskit.providers import BackendV2

from qep_qiskit.errors import ConfigError
from qep_qiskit.execution.folding import folded
from qep_qiskit.execution.fractional import Columns, Fit, FractionalProgram, bounds_rzz
from qep_qiskit.execution.interface import BitMemory, Readout, Request, ShotData, Ticket, with_calibration
from qep_qiskit.execution.placement import PlacedProgram, place
from qep_qiskit.execution.sampling import sample_known
from qep_qiskit.execution.twirled_readout import flipped_back, in_randomizations
from qep_qiskit.operators import CommutingGroup
from qep_qiskit.prepared import CalibrationStates, CircuitStates, KnownStates, Prepared, on_qubits
from qep_qiskit.program import LayerProgram
from qep_qiskit.seeds import Seeds

__all__ = [
    "MeasuredCircuits",
    "Placing",
    "SamplerExecutor",
    "filled",
    "gate_values",
    "measured_circuit",
    "placing_on",
]

Bound = tuple[NDArray[np.int64], QuantumCircuit, NDArray[np.float64]]
"""Some rows of what is to be bound, their circuit, and the values of its parameters, shape (rows, parameters)."""

_MOST_FITTED = 256

SamplerFactory = Callable[[int], BaseSamplerV2]
Placing = Callable[[LayerProgram], PlacedProgram]


def measured_circuit(program_circuit: QuantumCircuit, group: CommutingGroup) -> QuantumCircuit:
    """A program's circuit followed by the group's change of basis and a measurement of all qubits."""
    circuit = program_circuit.copy(name=f"{group.name}_basis")
    group.basis.append_to(circuit)
    circuit.measure_all()
    return circuit


def gate_values(program: LayerProgram, parameters: NDArray) -> NDArray:
    """Rotation angles to bind to `lower_per_gate`: shape (states, rotations)."""
    return 2.0 * program.gate_angles(parameters)


class SamplerExecutor:
    """Runs measured circuits on a `BackendV2` or through a `SamplerV2`.

    Args:
        target: A backend or a sampler. A sampler draws its own random numbers, so a run on one is not repeatable
            from the root seed.
        seeds: Root of the random streams; every sampling call on a backend gets a seed of its own.
        optimization_level: Of the transpiler, for backends.
        sampler_factory: Makes a sampler from a seed, for simulators that know how; overrides `target`'s own.
        place: Places programs in another way than on `target`, such as on part of a device that `target` simulates.

    Raises:
        ConfigError: The sampler has an integer seed and would repeat the same random numbers in every call.
    """

    def __init__(
        self,
        target: BackendV2 | BaseSamplerV2,
        seeds: Seeds,
        *,
        optimization_level: int = 2,
        sampler_factory: SamplerFactory | None = None,
        place: Placing | None = None,
    ) -> None:
        self._seeds = seeds
        self._make_sampler = sampler_factory or _factory(target)
        backend = target if isinstance(target, BackendV2) else None
        self._circuits = MeasuredCircuits(place or placing_on(backend, seeds, optimization_level))

    def circuit(self, program: LayerProgram, group: CommutingGroup, folding: int = 1) -> QuantumCircuit:
        """The measured circuit of a group, transpiled for the backend; made once and kept."""
        return self._circuits.of_group(program, group, folding)

    def submit(self, request: Request) -> Ticket:
        """Local samplers run when asked to collect."""
        return Ticket(key=request.key, request=request)

    def collect(self, ticket: Ticket) -> ShotData:
        """Run one PUB per readout and return the bits of every shot."""
        request = ticket.request
        if isinstance(request.prepared, KnownStates):
            return sample_known(request.prepared, request.readouts, self._seeds, ticket.key.words)
        data = ShotData(outcomes=tuple(self._run(request, readout) for readout in request.readouts))
        return with_calibration(self, request, data)

    def _run(self, request: Request, readout: Readout) -> BitMemory:
        if readout.shots is None:
            raise ConfigError(
                "measurement.shots: 'exact' needs an ideal simulator or the density matrix of few qubits; "
                "give a number of shots for this backend"
            )
        num_qubits = on_qubits(request.prepared).num_qubits
        return BitMemory(bits=self._bits(request, readout, readout.shots), num_qubits=num_qubits)

    def _bits(self, request: Request, readout: Readout, shots: int) -> NDArray[np.uint8]:
        """Bits of one readout, shape (measured, shots, bytes)."""
        seed = self._seeds.simulator_seed(*request.key.words, *readout.words)
        if request.randomizations is not None:
            return self._sampled_under_flips(request, readout, shots, seed)
        return self._sampled(self._pubs(request.prepared, readout), seed, shots)

    def _sampled(self, pubs: list[Bound], seed: int, shots: int) -> NDArray[np.uint8]:
        """Bits of all rows in their order, shape (rows, ..., shots, bytes)."""
        bound = [(circuit, values) for _, circuit, values in pubs]
        results = self._make_sampler(seed).run(bound, shots=shots).result()
        rows = np.concatenate([rows for rows, *_ in pubs])
        return np.concatenate([np.asarray(result.data.meas.array) for result in results])[np.argsort(rows)]

    def _sampled_under_flips(self, request: Request, readout: Readout, shots: int, seed: int) -> NDArray[np.uint8]:
        """Bits under random flips before the reading, flipped back."""
        prepared = on_qubits(request.prepared)
        draws, each = in_randomizations(shots, request.randomizations or 1)
        generator = self._seeds.generator(*request.key.words, *readout.words, "flips")
        flips = generator.integers(0, 2, (len(readout.states), draws, prepared.num_qubits), dtype=bool)
        bits = self._sampled(self._pubs(prepared, readout, flips), seed, each)
        read = flipped_back(bits, flips)
        return read.reshape(len(flips), -1, bits.shape[-1])[:, :shots]

    def _pubs(self, prepared: Prepared, readout: Readout, flips: NDArray[np.bool_] | None = None) -> list[Bound]:
        if isinstance(prepared, CalibrationStates):
            return self._circuits.bound_calibration(prepared.program, readout.states, flips)
        assert isinstance(prepared, CircuitStates)
        parameters = prepared.parameters[readout.states]
        return self._circuits.bound(prepared.program, readout.group, parameters, readout.folding, flips)


class MeasuredCircuits:
    """Circuits of programs as a backend runs them, each made once and kept.

    Args:
        place: Places a program.
    """

    def __init__(self, place: Placing) -> None:
        self._place = place
        self._placed: dict[LayerProgram, PlacedProgram] = {}
        self._measured: dict[tuple[LayerProgram, CommutingGroup, int, bool], QuantumCircuit] = {}
        self._flipped_zeros: dict[LayerProgram, QuantumCircuit] = {}
        self._calibrations: dict[LayerProgram, tuple[QuantumCircuit, QuantumCircuit]] = {}
        self._fractional: dict[tuple[LayerProgram, int], FractionalProgram] = {}
        self._fitted: dict[tuple[LayerProgram, CommutingGroup, int, Fit, bool], QuantumCircuit] = {}

    def placed(self, program: LayerProgram) -> PlacedProgram:
        """Where a program sits."""
        if program not in self._placed:
            self._placed[program] = self._place(program)
        return self._placed[program]

    def of_group(
        self, program: LayerProgram, group: CommutingGroup, folding: int = 1, *, flipped: bool = False
    ) -> QuantumCircuit:
        """A program measured in a group, its two-qubit gates repeated so often.

        Args:
            program: The program.
            group: The group.
            folding: How often every two-qubit gate runs.
            flipped: Whether every qubit is rotated by ``flip`` before the reading.
        """
        key = program, group, folding, flipped
        if key not in self._measured:
            self._measured[key] = _measured(folded(self.placed(program), folding), group, flipped)
        return self._measured[key]

    def bound(
        self,
        program: LayerProgram,
        group: CommutingGroup,
        parameters: NDArray,
        folding: int = 1,
        flips: NDArray[np.bool_] | None = None,
    ) -> list[Bound]:
        """A program measured in a group: every state in a circuit that it fits, which depends on the state alone.

        Args:
            program: The program.
            group: The group.
            parameters: Shape (states, P).
            folding: How often every two-qubit gate runs.
            flips: Shape (states, draws, N): flips before the reading, so many draws of every state; or None.
        """
        values = gate_values(program, parameters)
        names = [f"g[{index}]" for index in range(values.shape[1])]
        if not bounds_rzz(self.placed(program)):
            circuit = self.of_group(program, group, folding, flipped=flips is not None)
            return [_bound(circuit, np.arange(len(values)), dict(zip(names, values.T, strict=True)), flips)]
        found: dict[Fit, tuple[list[int], list[Columns]]] = {}
        if (program, folding) not in self._fractional:
            self._fractional[program, folding] = FractionalProgram(folded(self.placed(program), folding))
        fractional = self._fractional[program, folding]
        for row in range(len(values)):
            fit, columns = fractional.fit(names, values[[row]])
            rows, own = found.setdefault(fit, ([], []))
            rows.append(row)
            own.append(columns)
        return [
            _bound(
                self._fitted_to(program, group, folding, fit, flips is not None), np.array(rows), _joined(own), flips
            )
            for fit, (rows, own) in found.items()
        ]

    def _fitted_to(
        self, program: LayerProgram, group: CommutingGroup, folding: int, fit: Fit, flipped: bool
    ) -> QuantumCircuit:
        key = (program, group, folding, fit, flipped)
        if key not in self._fitted:
            if len(self._fitted) >= _MOST_FITTED:
                self._fitted.clear()
            self._fitted[key] = _measured(self._fractional[program, folding].fitted(fit), group, flipped)
        return self._fitted[key]

    def bound_calibration(
        self, program: LayerProgram, states: NDArray[np.int64], flips: NDArray[np.bool_] | None = None
    ) -> list[Bound]:
        """All 0 and all 1, or under flips all 0 so often.

        Args:
            program: What is calibrated for.
            states: For every row, 0 or 1.
            flips: Shape (rows, draws, N), or None.
        """
        if flips is not None:
            return [_bound(self.flipped_zeros(program), np.arange(len(states)), {}, flips)]
        circuits = self.of_calibration(program)
        return [_bound(circuits[state], np.array([row]), {}, None) for row, state in enumerate(states)]

    def flipped_zeros(self, program: LayerProgram) -> QuantumCircuit:
        """All qubits 0 with rotations by ``flip`` before the reading."""
        if program not in self._flipped_zeros:
            placed = self.placed(program)
            self._flipped_zeros[program] = placed.only(_flips(len(placed.outputs)))
        return self._flipped_zeros[program]

    def of_calibration(self, program: LayerProgram) -> tuple[QuantumCircuit, QuantumCircuit]:
        """All 0 and all 1 on the qubits that a program is read from."""
        if program not in self._calibrations:
            self._calibrations[program] = self.placed(program).calibration()
        return self._calibrations[program]


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
    circuit: QuantumCircuit, rows: NDArray[np.int64], columns: Columns, flips: NDArray[np.bool_] | None
) -> Bound:
    """Rows in their circuit; columns are of shape (rows,), flips of all rows there are."""
    if flips is None:
        return rows, circuit, filled(circuit, columns, (len(rows),))
    own = np.where(flips[rows], np.pi, 0.0)
    columns = {name: column[:, None] for name, column in columns.items()}
    columns |= {f"flip[{qubit}]": own[..., qubit] for qubit in range(own.shape[-1])}
    return rows, circuit, filled(circuit, columns, own.shape[:2])


def _joined(columns: Sequence[Columns]) -> Columns:
    return {name: np.concatenate([own[name] for own in columns]) for name in columns[0]}


def _measured(placed: PlacedProgram, group: CommutingGroup, flipped: bool) -> QuantumCircuit:
    return placed.measured_after(_flips(len(placed.outputs), group)) if flipped else placed.measured(group)


def _flips(size: int, group: CommutingGroup | None = None) -> QuantumCircuit:
    """A group's change of basis and a rotation of every qubit about x, by pi to flip it."""
    circuit = QuantumCircuit(size, name="flips" if group is None else f"{group.name}_basis_flips")
    if group is not None:
        group.basis.append_to(circuit)
    for qubit, angle in enumerate(ParameterVector("flip", size)):
        circuit.rx(angle, qubit)
    return circuit


def placing_on(
    backend: BackendV2 | None, seeds: Seeds, optimization_level: int, layout: Sequence[int] | None = None
) -> Placing:
    """The usual way to place programs, on given qubits or on free ones; the seed of the transpiler is the run's."""
    seed = seeds.simulator_seed("transpiler") % 2**31
    return partial(place, backend=backend, optimization_level=optimization_level, seed=seed, layout=layout)


def _factory(target: BackendV2 | BaseSamplerV2) -> SamplerFactory:
    if isinstance(target, BackendV2):
        return lambda seed: BackendSamplerV2(backend=target, options={"seed_simulator": seed})
    if isinstance(getattr(target, "seed", None), int):
        raise ConfigError(
            "sampler: an integer seed makes every call repeat the same random numbers, so that free and nudged "
            "phases share their shot noise; give the sampler no seed, or a numpy Generator"
        )
    return lambda _: target
