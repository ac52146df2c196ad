"""Requests as jobs: what a job measures and how its outcomes are read, by the request alone.

The circuits of a job depend on the device, and are made only where the job is sent. Its shapes do not, so a result is
read without the device, which may be hidden or gone by then. Groups differ by rotations of single qubits, so a request
is one PUB of shape (states, groups), or a list of the measured (state, group) pairs where groups measure different
states. Folded circuits are another PUB of the same job. PUBs of one job share their number of shots; groups with other
shots form a job of their own. The calibration of a request is in its first job, repeated until it has its number of
shots.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from qep_qiskit.core.errors import ConfigError, ResourceError, ResultError
from qep_qiskit.core.operators import Basis
from qep_qiskit.execution.interface import GroupMeasurement, Request, RequestKey
from qep_qiskit.execution.result_bits import require_bits
from qep_qiskit.execution.sampler_options import SamplerOptions
from qep_qiskit.outcomes.checks import num_bytes_of

MOST_EXECUTIONS = 10_000_000
# Parameters of one request in two processes differ by rounding. No number of few digits is at the edge of a cell.
_CELL, _EDGE = 1e-6, 0.3183


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
class PubOutline:
    """One PUB of a request: measurements with the same folding whose bases differ by angles only.

    Args:
        places: Indices, in the request, of its measurements.
        folding: Number of executions of every two-qubit gate, odd.
        is_common: Whether all of them measure the same states, so that its axes are states and groups.
        shape: Shape of its bindings.
    """

    places: tuple[int, ...]
    folding: int
    is_common: bool
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JobOutline:
    """The PUBs of a job before its circuits are made.

    Args:
        request: The request.
        pubs: PUBs of its measurements.
        calibration_states: States of the calibration, 0 or 1, each a PUB of shape (repeats,); empty without one.
        repeats: Number of times that each calibration circuit is bound.
    """

    request: Request
    pubs: tuple[PubOutline, ...]
    calibration_states: tuple[int, ...]
    repeats: int


MakePubs = Callable[[JobOutline], "tuple[Pub, ...]"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JobSpecification:
    """One job: its shots and shapes, its PUBs, and the assignment of its outcomes to measurements.

    Args:
        make_pubs: Makes the PUBs; called where the job is sent.
        shapes: Shape of the bindings of every PUB.
        num_qubits: Number of measured qubits.
        shots: Shots of every bound circuit.
        axes: Names of the axes of the PUBs, ``("states", "groups")`` or ``("pairs",)``.
        measurements: Indices, in the request, of the measurements of the job.
        rows: For each of them, its rows among the bound circuits of all PUBs, flat.
        digest: Hash of the program, the groups, the states, the shots and the options, without parameter values.
        bound: Parameters of the program for every measured state, flat.
        calibration: For each calibration state, the rows with its shots; None without a calibration.
        options: Options of the sampler.
    """

    make_pubs: Callable[[], tuple[Pub, ...]]
    shapes: tuple[tuple[int, ...], ...]
    num_qubits: int
    shots: int
    axes: tuple[str, ...]
    measurements: tuple[int, ...]
    rows: tuple[NDArray[np.int64], ...]
    digest: str
    bound: NDArray[np.float64]
    calibration: tuple[NDArray[np.int64], ...] | None = None
    options: SamplerOptions = field(default_factory=SamplerOptions)

    @property
    def pubs(self) -> tuple[Pub, ...]:
        """The PUBs."""
        return self.make_pubs()

    @property
    def num_circuits(self) -> int:
        """Number of bound circuits."""
        return sum(map(_size, self.shapes))

    @property
    def executions(self) -> int:
        """Number of shots of all circuits; slightly more where randomizations do not divide them."""
        return self.options.executions(self.shots) * self.num_circuits

    def circuit_digest(self) -> str:
        """Hash of gates, qubits and angles as sent; the same in every process."""
        lines = [
            f"{step.operation.name} {[pub.circuit.find_bit(qubit).index for qubit in step.qubits]} "
            f"{[str(angle) for angle in step.operation.params]}"
            for pub in self.pubs
            for step in pub.circuit.data
        ]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def fingerprint(self, key: RequestKey, part: int) -> str:
        """Hash of everything that the job measures, parameter values included; the same in every process."""
        cells = np.floor(self.bound / _CELL + _EDGE).astype("<i8")
        words = f"{key} {part} {self.digest}".encode()
        return hashlib.sha256(words + cells.tobytes()).hexdigest()[:32]

    def bits_of_measurements(self, results: Sequence[Any], where: str = "the device") -> list[NDArray[np.uint8]]:
        """Bits of every measurement, each of shape (measured, shots, bytes), followed by those of the calibration.

        Args:
            results: Register content of every PUB, bits of shape (..., shots, bytes).
            where: Name of the device, for messages.

        Raises:
            ResultError: The results do not match the circuits or shots of the job.
        """
        made = self.options.executions(self.shots)
        expected = [(*shape, made, num_bytes_of(self.num_qubits)) for shape in self.shapes]
        found = [np.shape(getattr(result, "array", result)) for result in results]
        if found != expected:
            raise ResultError(f"{where}: expected outcomes of shapes {expected}, got {found}")
        bits = [
            require_bits(result, self.num_qubits, shape, made, f"{where}: result {place}")
            for place, (result, shape) in enumerate(zip(results, self.shapes, strict=True))
        ]
        flat = np.concatenate([own.reshape(-1, *own.shape[-2:]) for own in bits])[:, : self.shots]
        calibration = (
            [] if self.calibration is None else [np.stack([np.concatenate(flat[r]) for r in self.calibration])]
        )
        return [flat[rows] for rows in self.rows] + calibration


def jobs_of(
    request: Request, options: SamplerOptions, make_pubs: MakePubs, most_executions: int | None = MOST_EXECUTIONS
) -> tuple[JobSpecification, ...]:
    """Return the jobs of a request, one for each number of shots.

    Args:
        request: The request.
        options: Options of the sampler.
        make_pubs: Makes the circuits of a job and binds them; called where the job is sent.
        most_executions: Largest number of executions of a job, or None without a limit; by default that of IBM.

    Raises:
        ConfigError: The states are not circuits, or exact probabilities are requested.
        ResourceError: A job is longer than the service accepts.
    """
    specifications = jobs_of_any_size(request, options, make_pubs)
    for specification in specifications:
        if most_executions is not None and specification.executions > most_executions:
            raise ResourceError(
                f"measurement.shots: a job would have {specification.executions} executions, the service takes "
                f"{most_executions}; use fewer shots or training.batch_size"
            )
    return specifications


def jobs_of_any_size(request: Request, options: SamplerOptions, make_pubs: MakePubs) -> tuple[JobSpecification, ...]:
    """Return the jobs of a request, also where they are longer than the service accepts.

    Args:
        request: The request.
        options: Options of the sampler.
        make_pubs: Makes the circuits of a job and binds them; called where the job is sent.

    Raises:
        ConfigError: The states are not circuits, or exact probabilities are requested.
    """
    shots = [_shots_of(measurement) for measurement in request.measurements]
    return tuple(
        _job(request, tuple(i for i, own in enumerate(shots) if own == each), each, options, make_pubs)
        for each in dict.fromkeys(shots)
    )


def _job(
    request: Request, indices: tuple[int, ...], shots: int, options: SamplerOptions, make_pubs: MakePubs
) -> JobSpecification:
    prepared, measurements = request.prepared.as_circuits(), [request.measurements[place] for place in indices]
    pubs, rows = _pubs_and_rows(request, indices)
    calibration = request.calibration if 0 in indices else None
    states, repeats = _calibration(calibration, shots)
    options = options.of_request(request.randomizations)
    shapes = (*(pub.shape for pub in pubs), *((repeats,) for _ in states))
    starts = sum(_size(pub.shape) for pub in pubs) + np.cumsum([0, *(repeats for _ in states)])
    outline = JobOutline(request=request, pubs=pubs, calibration_states=states, repeats=repeats)
    measured = np.unique(np.concatenate([measurement.states for measurement in measurements]))
    return JobSpecification(
        make_pubs=functools.cache(lambda: make_pubs(outline)),
        shapes=shapes,
        num_qubits=prepared.program.num_qubits,
        shots=shots,
        axes=("states", "groups") if all(pub.is_common for pub in pubs) else ("pairs",),
        measurements=indices,
        rows=rows,
        digest=_digest(request, measurements, calibration, options),
        bound=np.asarray(prepared.parameters[measured], dtype=float).ravel(),
        calibration=tuple(np.arange(start, end) for start, end in pairwise(starts)) if states else None,
        options=options,
    )


def _pubs_and_rows(
    request: Request, indices: tuple[int, ...]
) -> tuple[tuple[PubOutline, ...], tuple[NDArray[np.int64], ...]]:
    """PUBs, one for every folding and for every basis that acts on several qubits, and the rows of measurements."""
    pubs: list[PubOutline] = []
    found: dict[int, NDArray[np.int64]] = {}
    kinds = {place: _kind(request.measurements[place]) for place in indices}
    for kind in dict.fromkeys(kinds.values()):
        places = tuple(place for place, own_kind in kinds.items() if own_kind == kind)
        own = [request.measurements[place] for place in places]
        common = all(np.array_equal(measurement.states, own[0].states) for measurement in own)
        shape = (len(own[0].states), len(own)) if common else (sum(len(measurement.states) for measurement in own),)
        before = sum(_size(pub.shape) for pub in pubs)
        found |= {place: before + rows for place, rows in zip(places, _rows(own, common), strict=True)}
        pubs.append(PubOutline(places=places, folding=kind[0], is_common=common, shape=shape))
    return tuple(pubs), tuple(found[place] for place in indices)


def _kind(measurement: GroupMeasurement) -> tuple[int, Basis | None]:
    """What measurements of one PUB share: the folding, and a basis that differs from others by more than angles."""
    basis = measurement.paulis.basis
    return measurement.folding, None if basis.is_local else basis


def _calibration(calibration: Request | None, shots: int) -> tuple[tuple[int, ...], int]:
    """States of a calibration, and how often each is bound to have its shots."""
    if calibration is None:
        return (), 0
    (measurement,) = calibration.measurements
    return tuple(int(state) for state in measurement.states), -(-_shots_of(measurement) // shots)


def _size(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=int))


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
