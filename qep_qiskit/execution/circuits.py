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
from qiskit.primitives import BackendSamplerV2, BaseSamplerV2
from qiskit.providers import BackendV2

from qep_qiskit.errors import ConfigError
from qep_qiskit.execution.folding import folded
from qep_qiskit.execution.fractional import Columns, Fit, FractionalProgram, bounds_rzz
from qep_qiskit.execution.interface import BitMemory, Readout, Request, ShotData, Ticket
from qep_qiskit.execution.placement import PlacedProgram, place
from qep_qiskit.execution.sampling import sample_vectors
from qep_qiskit.operators import CommutingGroup
from qep_qiskit.prepared import CalibrationStates, CircuitStates, Prepared, VectorStates, on_qubits
from qep_qiskit.program import LayerProgram
from qep_qiskit.seeds import Seeds

__all__ = [
    "MeasuredCircuits",
    "Placing",
    "SamplerExecutor",
    "bind_by_name",
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


def bind_by_name(circuit: QuantumCircuit, values: NDArray) -> NDArray:
    """Columns of `values` in the order of ``circuit.parameters``, matched by the index in their names.

    A transpiled circuit may order its parameters anew, and one rebuilt elsewhere has parameters of another
    identity; names stay.
    """
    columns = [int(parameter.name.rsplit("[", 1)[1][:-1]) for parameter in circuit.parameters]
    return values[:, columns]


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
        if isinstance(request.prepared, VectorStates):
            return sample_vectors(request.prepared.vectors, request.readouts, self._seeds, ticket.key.words)
        return ShotData(outcomes=tuple(self._run(request, readout) for readout in request.readouts))

    def _run(self, request: Request, readout: Readout) -> BitMemory:
        if readout.shots is None:
            raise ConfigError(
                "measurement.shots: 'exact' needs an ideal simulator or the density matrix of few qubits; "
                "give a number of shots for this backend"
            )
        seed = self._seeds.simulator_seed(*request.key.words, *readout.words)
        pubs = self._pubs(request.prepared, readout)
        bound = [(circuit, values) for _, circuit, values in pubs]
        results = self._make_sampler(seed).run(bound, shots=readout.shots).result()
        rows = np.concatenate([rows for rows, *_ in pubs])
        bits = np.concatenate([np.asarray(result.data.meas.array) for result in results])[np.argsort(rows)]
        return BitMemory(bits=bits, num_qubits=on_qubits(request.prepared).num_qubits)

    def _pubs(self, prepared: Prepared, readout: Readout) -> list[Bound]:
        if isinstance(prepared, CalibrationStates):
            circuits = self._circuits.of_calibration(prepared.program)
            return [(np.array([row]), circuits[state], np.zeros((1, 0))) for row, state in enumerate(readout.states)]
        assert isinstance(prepared, CircuitStates)
        parameters = prepared.parameters[readout.states]
        return self._circuits.bound(prepared.program, readout.group, parameters, readout.folding)


class MeasuredCircuits:
    """Circuits of programs as a backend runs them, each made once and kept.

    Args:
        place: Places a program.
    """

    def __init__(self, place: Placing) -> None:
        self._place = place
        self._placed: dict[LayerProgram, PlacedProgram] = {}
        self._measured: dict[tuple[LayerProgram, CommutingGroup, int], QuantumCircuit] = {}
        self._calibrations: dict[LayerProgram, tuple[QuantumCircuit, QuantumCircuit]] = {}
        self._fractional: dict[tuple[LayerProgram, int], FractionalProgram] = {}
        self._fitted: dict[tuple[LayerProgram, CommutingGroup, int, Fit], QuantumCircuit] = {}

    def placed(self, program: LayerProgram) -> PlacedProgram:
        """Where a program sits."""
        if program not in self._placed:
            self._placed[program] = self._place(program)
        return self._placed[program]

    def of_group(self, program: LayerProgram, group: CommutingGroup, folding: int = 1) -> QuantumCircuit:
        """A program measured in a group, its two-qubit gates repeated so often."""
        key = program, group, folding
        if key not in self._measured:
            self._measured[key] = folded(self.placed(program), folding).measured(group)
        return self._measured[key]

    def bound(self, program: LayerProgram, group: CommutingGroup, parameters: NDArray, folding: int = 1) -> list[Bound]:
        """A program measured in a group at parameters of shape (states, P): every state in a circuit that it fits.

        What a state runs as depends on nothing but the state.
        """
        values = gate_values(program, parameters)
        if not bounds_rzz(self.placed(program)):
            circuit = self.of_group(program, group, folding)
            return [(np.arange(len(values)), circuit, bind_by_name(circuit, values))]
        found: dict[Fit, tuple[list[int], list[Columns]]] = {}
        if (program, folding) not in self._fractional:
            self._fractional[program, folding] = FractionalProgram(folded(self.placed(program), folding))
        fractional = self._fractional[program, folding]
        for row in range(len(values)):
            fit, columns = fractional.fit([f"g[{index}]" for index in range(values.shape[1])], values[[row]])
            rows, own = found.setdefault(fit, ([], []))
            rows.append(row)
            own.append(columns)
        return [self._fitted_to(program, group, folding, fit, *known) for fit, known in found.items()]

    def _fitted_to(
        self,
        program: LayerProgram,
        group: CommutingGroup,
        folding: int,
        fit: Fit,
        rows: list[int],
        columns: list[Columns],
    ) -> Bound:
        key = (program, group, folding, fit)
        if key not in self._fitted:
            if len(self._fitted) >= _MOST_FITTED:
                self._fitted.clear()
            self._fitted[key] = self._fractional[program, folding].fitted(fit).measured(group)
        circuit = self._fitted[key]
        values = [[own[parameter.name][0] for parameter in circuit.parameters] for own in columns]
        return np.array(rows), circuit, np.array(values, dtype=float).reshape(len(rows), -1)

    def of_calibration(self, program: LayerProgram) -> tuple[QuantumCircuit, QuantumCircuit]:
        """All 0 and all 1 on the qubits that a program is read from."""
        if program not in self._calibrations:
            self._calibrations[program] = self.placed(program).calibration()
        return self._calibrations[program]


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
