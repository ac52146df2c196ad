"""Sampling of exact states, and of circuits on ideal simulators: one evolution serves every group."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import product
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.jobs import in_threads
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.core.transforms import num_qubits_of
from qep_qiskit.evolution import states_in_piece
from qep_qiskit.execution.interface import GroupMeasurement, JobHandle, Request, ShotData
from qep_qiskit.execution.outcome_check import with_calibration
from qep_qiskit.outcomes import Outcomes, unpacked
from qep_qiskit.outcomes.checks import require_shape
from qep_qiskit.outcomes.known_states import VectorStates
from qep_qiskit.outcomes.states import CircuitStates, PreparedStates, ProgramStates, on_qubits

Item = TypeVar("Item")

_WORTH_THREADS = 1 << 15


def sample_vectors(
    vectors: NDArray, measurements: tuple[GroupMeasurement, ...], seeds: Seeds, key: tuple[str | int, ...]
) -> ShotData:
    """Measure state vectors in the group of every measurement.

    Args:
        vectors: State vectors, shape (states, 2^N), qubit 0 the least significant bit.
        measurements: The measurements.
        seeds: Root of the random streams.
        key: Words of the request's key, which select its random numbers.
    """
    return joined(draw_pieces(vectors, measurements, seeds, key), measurements, num_qubits_of(vectors.shape[1]))


def states_of_vectors(vectors: NDArray) -> VectorStates:
    """Return vectors (states, 2^N) as states of unknown energies."""
    unknown = np.full(len(vectors), np.nan)
    return VectorStates(vectors=vectors, energies=unknown, gaps=unknown)


def draw_pieces(
    vectors: NDArray,
    measurements: tuple[GroupMeasurement, ...],
    seeds: Seeds,
    key: tuple[str | int, ...],
    start: int = 0,
) -> list[list[Outcomes]]:
    """Measure the pieces of a batch, or of a part of it: each piece has a random stream of its own for every group.

    Args:
        vectors: State vectors, shape (states, 2^N), qubit 0 the least significant bit.
        measurements: Measurements of the whole batch.
        seeds: Root of the random streams.
        key: Words of the request's key.
        start: Index of the first state in the batch, the first of a piece.

    Returns:
        For every piece the outcomes of every measurement, in as few bytes as hold them.
    """
    size = states_in_piece(num_qubits_of(vectors.shape[1]))
    prepared: PreparedStates = states_of_vectors(vectors)

    def drawn(pair: tuple[int, GroupMeasurement]) -> Outcomes:
        piece, own = pair
        rows = own.states[own.states // size == piece] - start
        words = ("piece", piece) if piece else ()
        return _measured(prepared, own, rows, seeds, (*key, *own.seed_words, *words)).compact()

    pieces = range(start // size, -(-(start + len(vectors)) // size))
    found = _side_by_side(drawn, list(product(pieces, measurements)), prepared, measurements)
    return [found[place : place + len(measurements)] for place in range(0, len(found), max(1, len(measurements)))]


def joined(pieces: list[list[Outcomes]], measurements: tuple[GroupMeasurement, ...], num_qubits: int) -> ShotData:
    """Return the outcomes of a batch from those of its pieces.

    Args:
        pieces: From `draw_pieces`.
        measurements: Measurements of the whole batch.
        num_qubits: Number of qubits.
    """
    size, outcomes = states_in_piece(num_qubits), []
    for own, parts in zip(measurements, zip(*pieces, strict=True), strict=True):
        places = np.argsort(np.argsort(own.states // size, kind="stable"))
        packed = [part.packed() for part in parts]
        outcomes.append(unpacked(packed[0][0], np.concatenate([array for _, array in packed])[places]))
    return ShotData(outcomes=tuple(outcomes))


def sample_known(request: Request, seeds: Seeds) -> ShotData:
    """Measure exact states in the group of every measurement; raises the errors of `PreparedStates.measured`."""
    return _sampled(request.prepared, request, seeds)


def _sampled(prepared: PreparedStates, request: Request, seeds: Seeds) -> ShotData:
    """Draw every measurement from a random stream of its own, so groups are independent."""

    def drawn(own: GroupMeasurement) -> Outcomes:
        return _measured(prepared, own, own.states, seeds, (*request.key.seed_words, *own.seed_words))

    found = _side_by_side(drawn, request.measurements, prepared, request.measurements)
    return ShotData(outcomes=tuple(found), discarded=prepared.discarded)


def _measured(
    prepared: PreparedStates, own: GroupMeasurement, rows: NDArray, seeds: Seeds, words: tuple[str | int, ...]
) -> Outcomes:
    """Measure some states with a random stream, which is not made where nothing is drawn from it."""
    draws = own.shots is not None or prepared.always_draws
    return prepared.measured(own.group, rows, own.shots, seeds.generator(*words) if draws else None)


def _side_by_side(
    work: Callable[[Item], Outcomes],
    items: Sequence[Item],
    prepared: PreparedStates,
    measurements: tuple[GroupMeasurement, ...],
) -> list[Outcomes]:
    """Return the outcomes of items; threads share them unless there is little: to wake one would take longer."""
    probabilities = sum(own.num_circuits for own in measurements) << (prepared.num_qubits or 0)
    return list((in_threads if probabilities >= _WORTH_THREADS else map)(work, items))


class LocalExecutor(ABC):
    """Base class of executors that answer when they are asked: known states are sampled, circuits are run.

    Args:
        seeds: Root of the random streams.
    """

    def __init__(self, seeds: Seeds) -> None:
        self._seeds = seeds

    def submit(self, request: Request) -> JobHandle:
        """Return a handle; the work is done in `collect`."""
        return JobHandle(key=request.key, request=request)

    def collect(self, job_handle: JobHandle) -> ShotData:
        """Sample every state in its groups, or return exact outcomes where the executor has them.

        Raises:
            ConfigError: The states are atoms in space.
            ResultError: Circuits cannot be run, or their results do not fit.
        """
        request = job_handle.request
        on_qubits(request.prepared)
        circuits = request.prepared.circuits
        if circuits is None:
            return sample_known(request, self._seeds)
        return with_calibration(self, request, self._run(request, circuits))

    @abstractmethod
    def _run(self, request: Request, circuits: ProgramStates) -> ShotData:
        """Return outcomes of the circuits of a request; the calibration may be left out."""


class VectorExecutor(LocalExecutor):
    """Measures exact states, such as state vectors, in all groups at once.

    The class itself accepts the states of exact solvers and runs no circuit. Ideal simulators derive from it and define
    `vectors`, which simulates circuits.

    Args:
        seeds: Root of the random streams.

    Example:
        >>> states = qep.VectorStates(vectors=np.array([[1.0, 0.0]]), energies=np.zeros(1), gaps=np.ones(1))
        >>> group = qep.CommutingGroup(name="Z", basis=qep.LocalBasis("Z"), masks=(1,))
        >>> measurement = qep.GroupMeasurement(group=group, states=np.array([0]), shots=100)
        >>> request = qep.Request(key=qep.RequestKey("demo", 0), prepared=states, measurements=(measurement,))
        >>> executor = qep.VectorExecutor(qep.Seeds(0))
        >>> executor.collect(executor.submit(request)).moments(0, group).means
        array([[1.]])
    """

    def vectors(self, prepared: CircuitStates) -> NDArray[np.complexfloating]:
        """Simulate state vectors of circuits, shape (states, 2^N), index bit k = qubit k.

        Raises:
            ConfigError: This executor runs no circuits.
        """
        raise ConfigError("this executor measures exact states and runs no circuits; use AerExecutor or another")

    def _run(self, request: Request, circuits: ProgramStates) -> ShotData:
        """Sample the states of the circuits. Readout twirls change nothing here."""
        known = self._known(request, circuits)
        if isinstance(known, VectorStates):
            return sample_vectors(known.vectors, request.measurements, self._seeds, request.key.seed_words)
        return _sampled(known, request, self._seeds)

    def _known(self, request: Request, circuits: ProgramStates) -> PreparedStates:
        """Return the states of the circuits of a request, known as vectors."""
        vectors, shape = circuits.vectors_by(self.vectors), (circuits.num_states, 1 << circuits.num_qubits)
        require_shape(vectors, shape, f"{type(self).__name__}: state vectors")
        return states_of_vectors(vectors)
