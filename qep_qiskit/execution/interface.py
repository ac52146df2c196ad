"""Where circuits run: the seam between the package and any simulator or device.

A `Request` names states and, for every commuting group, which of them to measure with how many shots. An
`Executor` takes it in two calls, ``submit`` and ``collect``, so that a run can stop between them and another
process can collect. What comes back is raw outcomes; means and covariances are the business of measurement.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.checks import check_shots
from qep_qiskit.core.groups import Group
from qep_qiskit.core.operators import CommutingGroup, paulis_of
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.outcomes import GroupMoments, Outcomes
from qep_qiskit.outcomes.states import PreparedStates


@short_repr
@dataclass(frozen=True, slots=True, order=True)
class RequestKey:
    """What a request is for; unique within a run, and the key of its random numbers.

    Args:
        purpose: ``"train"``, ``"test"``, ``"predict"``, ...
        step: Step of the training loop, or batch of an evaluation.
        stage: Stage within the step: 0 the free phase, 1 the nudged phases.
        attempt: Counts resubmissions of the same work.
        iteration: Counts the requests of an iterative preparation from 1; 0 where the states are read out.

    Example:
        >>> qep.RequestKey("train", step=3, stage=1).seed_words
        ('sampling', 'train', 3, 1, 0, 0)
    """

    purpose: str
    step: int
    stage: int = 0
    attempt: int = 0
    iteration: int = 0

    @property
    def seed_words(self) -> tuple[str | int, ...]:
        """The key as Pauli strings for `Seeds`."""
        return ("sampling", self.purpose, self.step, self.stage, self.attempt, self.iteration)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupMeasurement:
    """One group to measure.

    Args:
        group: The group: commuting Paulis, or functions of positions or momenta.
        states: Shape (measured,), indices of the states to measure in this group.
        shots: Shots of each, or None for exact probabilities.
        folding: How often every two-qubit gate runs, an odd number: the same states with so much more noise.

    Raises:
        ConfigError: The shots are no whole number of at least 1, and not None.

    Example:
        >>> group = qep.CommutingGroup(name="Z", basis=qep.LocalBasis("ZZ"), masks=(1, 2))
        >>> qep.GroupMeasurement(group=group, states=np.arange(3), shots=100).num_shots
        300
    """

    group: Group
    states: NDArray[np.int64]
    shots: int | None
    folding: int = 1

    def __post_init__(self) -> None:
        check_shots("shots", self.shots)

    @property
    def paulis(self) -> CommutingGroup:
        """The group, which is one of commuting Paulis wherever circuits are measured."""
        return paulis_of([self.group])[0]

    @property
    def seed_words(self) -> tuple[str | int, ...]:
        """What sets its random numbers apart from those of other measurements of the request."""
        return (self.group.name,) if self.folding == 1 else (self.group.name, "folded", self.folding)

    @property
    def num_circuits(self) -> int:
        """Bound circuits this stands for."""
        return len(self.states)

    @property
    def num_shots(self) -> int:
        """Shots this stands for; zero where exact."""
        return 0 if self.shots is None else self.shots * len(self.states)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Request:
    """States and the groups to measure them in.

    Args:
        key: Names the request.
        prepared: The states.
        measurements: What to measure.
        for_means: Whether means of terms are wanted. Readout mitigation leaves other requests alone.
        randomizations: Most random twirling flips before the reading, or None to read as it is; bits come flipped back.
        calibration: A request of one measurement that belongs to this one: on a device it goes into the same job.

    Example:
        >>> states = qep.CircuitStates(program=qep.hardware_efficient(2, depth=0), parameters=np.zeros((3, 4)))
        >>> group = qep.CommutingGroup(name="Z", basis=qep.LocalBasis("ZZ"), masks=(1, 2))
        >>> measurement = qep.GroupMeasurement(group=group, states=np.arange(3), shots=100)
        >>> qep.Request(key=qep.RequestKey("demo", 0), prepared=states, measurements=(measurement,)).num_shots
        300
    """

    key: RequestKey
    prepared: PreparedStates
    measurements: tuple[GroupMeasurement, ...]
    for_means: bool = True
    randomizations: int | None = None
    calibration: Request | None = None

    @property
    def has_noise_to_mitigate(self) -> bool:
        """Whether circuits are run for means, which errors of gates and readout enter."""
        return self.for_means and self.prepared.circuits is not None

    @property
    def num_circuits(self) -> int:
        """Bound circuits in all, with those of the calibration; of oscillators in space, batches of points.

        None of classical spins and atoms in equilibrium, whose outcomes are certain.
        """
        if self.prepared.is_certain:
            return 0
        calibration = 0 if self.calibration is None else self.calibration.num_circuits
        return sum(measurement.num_circuits for measurement in self.measurements) + calibration

    @property
    def num_shots(self) -> int:
        """Shots in all, those of the calibration among them; none of states whose outcomes are certain."""
        if self.prepared.is_certain:
            return 0
        calibration = 0 if self.calibration is None else self.calibration.num_shots
        return sum(measurement.num_shots for measurement in self.measurements) + calibration


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShotData:
    """Outcomes of a request, one entry per readout in its order, and those of its calibration.

    Args:
        outcomes: The outcomes.
        calibration: Those of the calibration that came with the request.
        discarded: The weight that truncation took from one of the states, where somebody looked; else NaN.

    Example:
        >>> outcomes = qep.Distribution(weights=np.array([[75, 25]]), shots=100)
        >>> group = qep.CommutingGroup(name="Z", basis=qep.LocalBasis("Z"), masks=(1,))
        >>> qep.ShotData(outcomes=(outcomes,)).moments(0, group).means
        array([[0.5]])
    """

    outcomes: tuple[Outcomes, ...]
    calibration: Outcomes | None = None
    discarded: float = float("nan")

    def moments(self, place: int, group: Any) -> GroupMoments:
        """Moments of one measurement.

        Args:
            place: Of the readout in the request.
            group: Its group.
        """
        return self.outcomes[place].moments(group)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JobHandle:
    """Receipt of a submission. Local executors work when asked to collect and carry the request along.

    Example:
        >>> states = qep.CircuitStates(program=qep.hardware_efficient(1, depth=0), parameters=np.zeros((1, 2)))
        >>> request = qep.Request(key=qep.RequestKey("demo", 0), prepared=states, measurements=())
        >>> qep.JobHandle(key=request.key, request=request).key.purpose
        'demo'
    """

    key: RequestKey
    request: Request


class Executor(Protocol):
    """Runs requests, with random twirling flips before the reading where they ask for them."""

    def submit(self, request: Request) -> JobHandle:
        """Take a request; returns at once where the work is done elsewhere."""
        ...

    def collect(self, job_handle: JobHandle) -> ShotData:
        """The outcomes of a submitted request and of its calibration; waits for them."""
        ...
