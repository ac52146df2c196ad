"""Requests as jobs of a device, with few circuits and a small payload.

The groups of a request differ by rotations of single qubits, so one circuit serves them all: its last layer changes the
basis, by angles that are parameters. A request is one PUB of shape (states, groups), or a list of the measured (state,
group) pairs where groups measure different states. Folded circuits are another PUB of the same job. PUBs of one job
share their number of shots; groups with other shots form a job of their own. The calibration of a request is in its
first job, repeated until it has its number of shots. Parameters are matched by name, since a circuit loaded from a file
has other parameter objects.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit, qpy
from qiskit.circuit import ParameterVector
from qiskit.providers import BackendV2

from qep_qiskit.core.errors import ConfigError, ResourceError, ResultError
from qep_qiskit.core.kept import Kept
from qep_qiskit.core.operators import Basis
from qep_qiskit.core.program import LayerProgram, lower
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.device.basis_layers import basis_layer
from qep_qiskit.execution.circuits import MeasuredCircuits, Transpile, filled
from qep_qiskit.execution.folding import folded
from qep_qiskit.execution.fractional import Columns, Fit, bounds_rzz
from qep_qiskit.execution.interface import GroupMeasurement, Request
from qep_qiskit.execution.result_bits import require_bits
from qep_qiskit.execution.sampler_options import SamplerOptions
from qep_qiskit.execution.transpilation import TranspiledProgram, place
from qep_qiskit.outcomes.checks import num_bytes_of
from qep_qiskit.outcomes.states import CircuitStates

MOST_EXECUTIONS = 10_000_000
_FRACTIONAL = frozenset({"rx", "rzz"})

_TemplateKey = tuple[LayerProgram, tuple[Basis, ...], int, Fit | None]


class CircuitStore(Protocol):
    """Protocol of stores that keep circuits by name on disk."""

    def circuit(self, name: str) -> bytes | None:
        """Return the circuit of a name as bytes, or None."""
        ...

    def keep_circuit(self, name: str, content: bytes) -> None:
        """Store a circuit under a new name.

        Args:
            name: Name of the circuit.
            content: The circuit as bytes.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pub:
    """One circuit and its bindings.

    Args:
        circuit: The transpiled circuit, measured into the register ``meas``.
        values: Shape (..., parameters), in the order of the circuit's parameters.
    """

    circuit: QuantumCircuit
    values: NDArray[np.float64]

    @property
    def num_circuits(self) -> int:
        """Number of bound circuits."""
        return int(np.prod(self.values.shape[:-1], dtype=int))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JobSpecification:
    """One job: its PUBs and shots, and the assignment of its outcomes to measurements.

    Args:
        pubs: The PUBs.
        shots: Shots of every bound circuit.
        axes: Names of the axes of the PUBs, ``("states", "groups")`` or ``("pairs",)``.
        measurements: Indices, in the request, of the measurements of the job.
        rows: For each of them, its rows among the bound circuits of all PUBs, flat.
        digest: Hash of the program, the groups, the states, the shots and the options, without parameter values.
        calibration: For each calibration state, the rows with its shots; None without a calibration.
        options: Options of the sampler.
    """

    pubs: tuple[Pub, ...]
    shots: int
    axes: tuple[str, ...]
    measurements: tuple[int, ...]
    rows: tuple[NDArray[np.int64], ...]
    digest: str
    calibration: tuple[NDArray[np.int64], ...] | None = None
    options: SamplerOptions = field(default_factory=SamplerOptions)

    @property
    def num_circuits(self) -> int:
        """Number of bound circuits."""
        return sum(pub.num_circuits for pub in self.pubs)

    @property
    def executions(self) -> int:
        """Number of shots of all circuits; slightly more where randomizations do not divide them."""
        return self.options.executions(self.shots) * self.num_circuits

    @property
    def values(self) -> NDArray[np.float64]:
        """All bound parameter values, flat."""
        return np.concatenate([pub.values.ravel() for pub in self.pubs])

    def circuit_digest(self) -> str:
        """Hash of gates, qubits and angles as sent; the same in every process."""
        lines = [
            f"{step.operation.name} {[pub.circuit.find_bit(qubit).index for qubit in step.qubits]} "
            f"{[str(angle) for angle in step.operation.params]}"
            for pub in self.pubs
            for step in pub.circuit.data
        ]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def bits_of_measurements(self, results: Sequence[Any], where: str = "the device") -> list[NDArray[np.uint8]]:
        """Bits of every measurement, each of shape (measured, shots, bytes), followed by those of the calibration.

        Args:
            results: Register content of every PUB, bits of shape (..., shots, bytes).
            where: Name of the device, for messages.

        Raises:
            ResultError: The results do not match the circuits or shots of the job.
        """
        made = self.options.executions(self.shots)
        expected = [(*pub.values.shape[:-1], made, num_bytes_of(pub.circuit.num_clbits)) for pub in self.pubs]
        found = [np.shape(getattr(result, "array", result)) for result in results]
        if found != expected:
            raise ResultError(f"{where}: expected outcomes of shapes {expected}, got {found}")
        bits = [
            require_bits(result, pub.circuit, pub.values.shape[:-1], made, where)
            for result, pub in zip(results, self.pubs, strict=True)
        ]
        flat = np.concatenate([own.reshape(-1, *own.shape[-2:]) for own in bits])[:, : self.shots]
        calibration = (
            [] if self.calibration is None else [np.stack([np.concatenate(flat[r]) for r in self.calibration])]
        )
        return [flat[rows] for rows in self.rows] + calibration


class DeviceCircuits:
    """Builds the circuits of programs on a device. Each is made once for a store, and does not change.

    So an earlier submission can be collected, and repeated, after a new calibration of the device.

    Args:
        device: The device.
        seeds: Root of the transpiler's seed.
        store: Stores transpiled circuits.
        layout: Initial qubits of the device for all programs; None for the transpiler's choice.
        options: Options of the sampler.
    """

    def __init__(
        self,
        device: BackendV2,
        seeds: Seeds,
        store: CircuitStore,
        *,
        layout: Sequence[int] | None = None,
        options: SamplerOptions | None = None,
    ) -> None:
        self._device, self._store, self._options = device, store, options or SamplerOptions()
        self._transpile = template_transpile(device, seeds, layout)
        self._circuits = MeasuredCircuits(self._stored)
        self._calibrations: Kept[tuple[LayerProgram, int], QuantumCircuit] = Kept()
        self._templates: Kept[_TemplateKey, tuple[QuantumCircuit, NDArray[np.float64]]] = Kept()

    def transpiled_program(self, program: LayerProgram) -> TranspiledProgram:
        """The program transpiled for the device, from the store."""
        return self._circuits.transpiled_program(program)

    def _stored(self, program: LayerProgram) -> TranspiledProgram:
        name = f"{self._device.name}/{program.fingerprint}"
        kept = self._store.circuit(name)
        if kept is None:
            kept = _packed(self._transpile(program))
            self._store.keep_circuit(name, kept)
        return _unpacked(kept, self._device)

    def jobs(self, request: Request) -> tuple[JobSpecification, ...]:
        """Build the jobs of a request, one for each number of shots.

        Raises:
            ConfigError: The states are not circuits, or exact probabilities are requested.
            ResourceError: A job is longer than the service accepts.
        """
        specifications = self.jobs_of_any_size(request)
        for specification in specifications:
            if specification.executions > MOST_EXECUTIONS:
                raise ResourceError(
                    f"measurement.shots: a job would have {specification.executions} executions, the service takes "
                    f"{MOST_EXECUTIONS}; use fewer shots or training.batch_size"
                )
        return specifications

    def jobs_of_any_size(self, request: Request) -> tuple[JobSpecification, ...]:
        """Build the jobs of a request, also where they are longer than the service accepts.

        Raises:
            ConfigError: The states are not circuits, or exact probabilities are requested.
        """
        shots = [_shots_of(measurement) for measurement in request.measurements]
        return tuple(
            self._job(request, tuple(i for i, own in enumerate(shots) if own == each), each)
            for each in dict.fromkeys(shots)
        )

    def _job(self, request: Request, indices: tuple[int, ...], shots: int) -> JobSpecification:
        prepared, measurements = request.prepared.as_circuits(), [request.measurements[place] for place in indices]
        pubs, common, rows = self._folded_pubs(prepared, measurements)
        self._require_twirling(pubs)
        calibration = request.calibration if 0 in indices else None
        more = () if calibration is None else self._calibration(prepared.program, calibration, shots)
        options = self._options.of_request(request.randomizations)
        starts = sum(pub.num_circuits for pub in pubs) + np.cumsum([0, *(own.num_circuits for own in more)])
        return JobSpecification(
            pubs=(*pubs, *more),
            shots=shots,
            axes=("states", "groups") if common else ("pairs",),
            measurements=indices,
            rows=tuple(rows),
            digest=_digest(request, measurements, calibration, options),
            calibration=tuple(np.arange(start, end) for start, end in pairwise(starts)) if more else None,
            options=options,
        )

    def _folded_pubs(
        self, prepared: CircuitStates, measurements: Sequence[GroupMeasurement]
    ) -> tuple[tuple[Pub, ...], bool, list[NDArray[np.int64]]]:
        """PUBs, whether their axes are states and groups, and the rows of every measurement.

        There is one PUB for every folding, and one for every basis that acts on several qubits.
        """
        pubs: list[Pub] = []
        found: dict[int, NDArray[np.int64]] = {}
        before, all_common = 0, True
        kinds = [(measurement.folding, _own_circuit(measurement.paulis.basis)) for measurement in measurements]
        for kind in dict.fromkeys(kinds):
            indices = [place for place, own_kind in enumerate(kinds) if own_kind == kind]
            own = [measurements[place] for place in indices]
            pub, common = self._broadcast(prepared, own, kind[0])
            found |= {place: before + rows for place, rows in zip(indices, _rows(own, common), strict=True)}
            before, all_common = before + pub.num_circuits, all_common and common
            pubs.append(pub)
        return tuple(pubs), all_common, [found[place] for place in range(len(measurements))]

    def _require_twirling(self, pubs: Sequence[Pub]) -> None:
        if self._options.gate_twirling and any(not _FRACTIONAL.isdisjoint(pub.circuit.count_ops()) for pub in pubs):
            raise ConfigError(
                "execution.mitigation.gate_twirling: does not go with fractional gates; switch one of them off"
            )

    def _calibration(self, program: LayerProgram, calibration: Request, shots: int) -> tuple[Pub, ...]:
        """A PUB for each calibration state; it has a parameter because PUBs repeat along parameters only."""
        (measurement,) = calibration.measurements
        repeats = -(-_shots_of(measurement) // shots)
        return tuple(
            Pub(circuit=self._calibration_circuit(program, int(state)), values=np.zeros((repeats, 1)))
            for state in measurement.states
        )

    def _calibration_circuit(self, program: LayerProgram, state: int) -> QuantumCircuit:
        layer = QuantumCircuit(program.num_qubits, name="ones" if state else "zeros")
        layer.rz(ParameterVector("repeat", 1)[0], 0)
        if state:
            layer.x(range(program.num_qubits))

        def calibration() -> QuantumCircuit:
            return self._kept(program, layer.name, lambda: self.transpiled_program(program).only(layer))

        return self._calibrations.of((program, state), calibration)

    def _kept(self, program: LayerProgram, what: str, make: Callable[[], QuantumCircuit]) -> QuantumCircuit:
        """A measured circuit of a program from the store, made where it is missing."""
        name = f"{self._device.name}/{program.fingerprint}/{hashlib.sha256(what.encode()).hexdigest()}"
        kept = self._store.circuit(name)
        if kept is None:
            kept = _to_qpy(make())
            self._store.keep_circuit(name, kept)
        (found,) = qpy.load(io.BytesIO(kept))
        return found

    def two_qubit_gates(self, program: LayerProgram) -> tuple[int, int]:
        """Numbers of two-qubit gates of a program as stored, and as it would be transpiled now."""
        kept, anew = (
            sum(len(gate.qubits) == 2 for gate in own.circuit.data)
            for own in (self.transpiled_program(program), self._transpile(program))
        )
        return kept, anew

    def _broadcast(
        self, prepared: CircuitStates, measurements: Sequence[GroupMeasurement], folding: int
    ) -> tuple[Pub, bool]:
        """The PUB, and whether its axes are states and groups."""
        common = all(np.array_equal(measurement.states, measurements[0].states) for measurement in measurements)
        states = (
            measurements[0].states if common else np.concatenate([measurement.states for measurement in measurements])
        )
        bases = tuple(measurement.paulis.basis for measurement in measurements)
        circuit, angles, columns = self._template(prepared.program, bases, prepared.parameters[states], folding)
        if common:
            columns = {name: column[:, None] for name, column in columns.items()}
            turned = angles[None]
        else:
            turned = np.repeat(angles, [len(measurement.states) for measurement in measurements], axis=0)
        shape = (len(states), len(measurements)) if common else (len(states),)
        columns |= {f"basis[{index}]": turned[..., index] for index in range(turned.shape[-1])}
        return Pub(circuit=circuit, values=filled(circuit, columns, shape)), common

    def _template(
        self, program: LayerProgram, bases: tuple[Basis, ...], parameters: NDArray, folding: int
    ) -> tuple[QuantumCircuit, NDArray[np.float64], Columns]:
        """The measured circuit, its basis angles, and the program's parameters by name, each of shape (states,)."""
        names = [f"p[{index}]" for index in range(program.num_parameters)]
        bounded = bounds_rzz(self.transpiled_program(program))
        fit, columns = None, dict(zip(names, parameters.T, strict=True))
        if bounded:
            fit, columns = self._circuits.fractional(program, folding).fit(names, parameters)

        def template() -> tuple[QuantumCircuit, NDArray[np.float64]]:
            layer, angles = basis_layer(bases)

            def measured() -> QuantumCircuit:
                if fit is None:
                    return folded(self.transpiled_program(program), folding).measured_after(layer)
                return self._circuits.fractional(program, folding).fitted(fit).measured_after(layer)

            what = f"{[basis.name for basis in bases]} {folding} {fit}"
            return self._kept(program, what, measured), angles

        return *self._templates.of((program, bases, folding, fit), template), columns


def template_transpile(device: BackendV2, seeds: Seeds, layout: Sequence[int] | None = None) -> Transpile:
    """Make a function that transpiles programs for a device, with the program's parameters as circuit parameters.

    Args:
        device: The device.
        seeds: Root of the transpiler's seed.
        layout: Initial qubits of the device for all programs; None for the transpiler's choice.
    """
    seed = seeds.simulator_seed("transpiler") % 2**31
    return partial(place, backend=device, optimization_level=3, seed=seed, layout=layout, synthesis=lower)


def _own_circuit(basis: Basis) -> Basis | None:
    """The basis where it needs a circuit of its own, or None where bases differ by angles only."""
    return None if basis.is_local else basis


def _rows(measurements: Sequence[GroupMeasurement], common: bool) -> list[NDArray[np.int64]]:
    """Rows of every measurement among the bound circuits of a PUB of states and groups, or of pairs, flat."""
    states = [len(measurement.states) for measurement in measurements]
    order = np.arange(sum(states))
    if common:
        return [order[place :: len(measurements)] for place in range(len(measurements))]
    return np.split(order, np.cumsum(states)[:-1])


def _folding(measurement: GroupMeasurement) -> list[str]:
    return [] if measurement.folding == 1 else [f"folded {measurement.folding}"]


def _shots_of(measurement: GroupMeasurement) -> int:
    if measurement.shots is None:
        raise ConfigError("measurement.shots: 'exact' needs a simulator; give a number of shots for a device")
    return measurement.shots


def _digest(
    request: Request, measurements: Sequence[GroupMeasurement], calibration: Request | None, options: SamplerOptions
) -> str:
    prepared = request.prepared.as_circuits()
    calibrated = [] if calibration is None else calibration.measurements
    parts = [type(prepared).__name__, prepared.program.fingerprint] + [
        " ".join(
            [
                f"{measurement.paulis.basis.name} {measurement.states.tolist()} {measurement.shots}",
                *_folding(measurement),
            ]
        )
        for measurement in (*measurements, *calibrated)
    ]
    parts.append(json.dumps(options.record()))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _to_qpy(circuit: QuantumCircuit) -> bytes:
    buffer = io.BytesIO()
    qpy.dump(circuit, buffer)
    return buffer.getvalue()


def _packed(transpiled_program: TranspiledProgram) -> bytes:
    return json.dumps(transpiled_program.outputs).encode() + b"\n" + _to_qpy(transpiled_program.circuit)


def _unpacked(content: bytes, device: BackendV2) -> TranspiledProgram:
    outputs, circuit = content.split(b"\n", 1)
    (found,) = qpy.load(io.BytesIO(circuit))
    return TranspiledProgram(
        circuit=found,
        outputs=tuple(json.loads(outputs)),
        backend=device,
        device_qubits=tuple(range(found.num_qubits)),
    )
