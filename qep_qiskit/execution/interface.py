"""The interface between the package and any simulator or device.

A `Request` names states and, for every commuting group, which of them to measure with how many shots. An `Executor`
takes it in two calls, ``submit`` and ``collect``, so that a run can stop between them and another process can collect.
An executor returns raw outcomes; `qep_qiskit.measurement` estimates means and covariances.
"""

from __future__ import annotations

from collections.abc import Callable
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
    """Identifies a request within a run, and selects its random numbers.

    Args:
        purpose: ``"train"``, ``"test"``, ``"predict"``, ...
        step: Step of the training loop, or batch of an evaluation.
        stage: Stage within the step: 0 the free phase, 1 the nudged phases.
        attempt: Counts resubmissions of the same work.
        iteration: Counts the requests of an iterative preparation from 1; 0 where the states are measured at the end.

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
        """The key as words for `Seeds.generator`."""
        return ("sampling", self.purpose, self.step, self.stage, self.attempt, self.iteration)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupMeasurement:
    """The measurement of some states in one commuting group.

    Args:
        group: The group: commuting Paulis, or functions of positions or momenta.
        states: Shape (measured,), indices of the states to measure in this group.
        shots: Shots of each state, or None for exact probabilities.
        folding: Number of executions of every two-qubit gate, odd; more than 1 amplifies the noise (gate folding).
        part: Number of this measurement among those of the request with this group and folding, where states differ in
            their shots.

    Raises:
        ConfigError: `shots` is neither None nor a whole number of at least 1.

    Example:
        >>> group = qep.CommutingGroup(name="Z", basis=qep.LocalBasis("ZZ"), masks=(1, 2))
        >>> qep.GroupMeasurement(group=group, states=np.arange(3), shots=100).num_shots
        300
    """

    group: Group
    states: NDArray[np.int64]
    shots: int | None
    folding: int = 1
    part: int = 0

    def __post_init__(self) -> None:
        check_shots("shots", self.shots)

    @property
    def paulis(self) -> CommutingGroup:
        """The group as commuting Paulis, which it is wherever circuits are measured."""
        return paulis_of([self.group])[0]

    @property
    def seed_words(self) -> tuple[str | int, ...]:
        """Words that select the random numbers of this measurement among those of the request."""
        folded = () if self.folding == 1 else ("folded", self.folding)
        return (self.group.name, *folded, *(("part", self.part) if self.part else ()))

    @property
    def num_circuits(self) -> int:
        """Number of bound circuits."""
        return len(self.states)

    @property
    def num_shots(self) -> int:
        """Shots of all states together; 0 for exact probabilities."""
        return 0 if self.shots is None else self.shots * len(self.states)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Request:
    """States and the commuting groups to measure them in.

    Args:
        key: Identifies the request.
        prepared: The states.
        measurements: The measurements, one for each group.
        for_means: Whether means of terms are estimated from the outcomes. Readout mitigation ignores other requests.
        randomizations: Largest number of random readout twirls, or None for no twirling. The flips are undone in the
            bits.
        calibration: A request of one measurement that calibrates this one; on a device both go into the same job.
        while_waiting: Other work, which an executor may call while it waits for the outcomes. It returns the request
            that follows, if that is known without them. A second call changes nothing.

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
    while_waiting: Callable[[], object] | None = None

    @property
    def has_noise_to_mitigate(self) -> bool:
        """Whether circuits run for means of terms, which errors of gates and readout bias."""
        return self.for_means and self.prepared.circuits is not None

    @property
    def num_circuits(self) -> int:
        """Number of bound circuits, calibration included; for sampled continuous variables, the number of batches.

        Zero for states with certain outcomes, such as classical configurations.
        """
        if self.prepared.is_certain:
            return 0
        calibration = 0 if self.calibration is None else self.calibration.num_circuits
        return sum(measurement.num_circuits for measurement in self.measurements) + calibration

    @property
    def num_shots(self) -> int:
        """Number of shots, calibration included; zero for states with certain outcomes."""
        if self.prepared.is_certain:
            return 0
        calibration = 0 if self.calibration is None else self.calibration.num_shots
        return sum(measurement.num_shots for measurement in self.measurements) + calibration


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShotData:
    """Outcomes of a request, one entry for each measurement in its order, and those of its calibration.

    Args:
        outcomes: Outcomes of each measurement.
        calibration: Outcomes of the calibration of the request, or None.
        discarded: The weight that bond truncation discarded from one of the states; NaN where it was not measured.

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
        """Estimate the means and covariances of a group's terms from one measurement.

        Args:
            place: Index of the measurement in the request.
            group: Group of the measurement.
        """
        return self.outcomes[place].moments(group)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JobHandle:
    """Handle of a submitted request, with which its outcomes are collected.

    Local executors do no work before `Executor.collect` and need the request then.

    Args:
        key: Identifies the request.
        request: The request.

    Example:
        >>> states = qep.CircuitStates(program=qep.hardware_efficient(1, depth=0), parameters=np.zeros((1, 2)))
        >>> request = qep.Request(key=qep.RequestKey("demo", 0), prepared=states, measurements=())
        >>> qep.JobHandle(key=request.key, request=request).key.purpose
        'demo'
    """

    key: RequestKey
    request: Request


class Executor(Protocol):
    """Protocol of objects that run requests, with random readout twirls where a request wants them.

    Example:
        >>> class Counting:  # passes requests on
        ...     def __init__(self, inner):
        ...         self.inner, self.shots = inner, 0
        ...
        ...     def submit(self, request):
        ...         self.shots += request.num_shots
        ...         return self.inner.submit(request)
        ...
        ...     def collect(self, job_handle):
        ...         return self.inner.collect(job_handle)
        ...
        >>> experiment = qep.from_file("configs/xor.toml")
        >>> executor, data = Counting(experiment.executor), experiment.task.train
        >>> weights = experiment.network.layout.initial(qep.Seeds(1))
        >>> found = qep.evaluate(experiment.estimator, executor, weights, data, purpose="demo", index=0)
        >>> executor.shots
        400
    """

    def submit(self, request: Request) -> JobHandle:
        """Submit a request; returns at once where a remote device does the work."""

    def collect(self, job_handle: JobHandle) -> ShotData:
        """Wait for the outcomes of a submitted request and of its calibration, and return them."""
