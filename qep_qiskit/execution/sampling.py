"""Sampling of exact states, and of circuits on ideal simulators: one evolution serves every group."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.jobs import in_threads
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution.interface import GroupMeasurement, JobHandle, Request, ShotData
from qep_qiskit.execution.outcome_check import with_calibration
from qep_qiskit.outcomes import Outcomes
from qep_qiskit.outcomes.checks import require_shape
from qep_qiskit.outcomes.known_states import VectorStates
from qep_qiskit.outcomes.states import CircuitStates, PreparedStates, ProgramStates, on_qubits

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
    return _sampled(states_of_vectors(vectors), measurements, seeds, key)


def states_of_vectors(vectors: NDArray) -> VectorStates:
    """Return vectors (states, 2^N) as states of unknown energies."""
    unknown = np.full(len(vectors), np.nan)
    return VectorStates(vectors=vectors, energies=unknown, gaps=unknown)


def sample_known(request: Request, seeds: Seeds) -> ShotData:
    """Measure exact states in the group of every measurement; raises the errors of `PreparedStates.measured`.

    Args:
        request: States and groups to measure.
        seeds: Root of the random streams.
    """
    return _sampled(request.prepared, request.measurements, seeds, request.key.seed_words)


def _sampled(
    prepared: PreparedStates, measurements: tuple[GroupMeasurement, ...], seeds: Seeds, key: tuple[str | int, ...]
) -> ShotData:
    """Draw every measurement from a random stream of its own, so groups are independent.

    Small ones are drawn here: to wake a thread would take longer.
    """

    def drawn(own: GroupMeasurement) -> Outcomes:
        return prepared.measured(own.group, own.states, own.shots, seeds.generator(*key, *own.seed_words))

    probabilities = sum(own.num_circuits for own in measurements) << (prepared.num_qubits or 0)
    outcomes = (in_threads if probabilities >= _WORTH_THREADS else map)(drawn, measurements)
    return ShotData(outcomes=tuple(outcomes), discarded=prepared.discarded)


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
        """Return outcomes of the circuits of a request; the calibration may be left out.

        Args:
            request: Groups to measure.
            circuits: States to measure.
        """


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
        return _sampled(self._known(request, circuits), request.measurements, self._seeds, request.key.seed_words)

    def _known(self, request: Request, circuits: ProgramStates) -> PreparedStates:
        """Return the states of the circuits of a request, known as vectors."""
        vectors, shape = circuits.vectors_by(self.vectors), (circuits.num_states, 1 << circuits.num_qubits)
        require_shape(vectors, shape, f"{type(self).__name__}: state vectors")
        return states_of_vectors(vectors)
