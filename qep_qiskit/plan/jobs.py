"""The jobs of a run on a device: what is measured in which phase, by how many circuits, and how often.

A recorder stands in the place of the device and passes every request on to an ideal executor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.program import LayerProgram
from qep_qiskit.execution import Executor, GroupMeasurement, JobHandle, Request, RequestKey, ShotData
from qep_qiskit.execution.sampler_options import SamplerOptions


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Circuits of a job that are measured in one group and belong to one phase.

    Args:
        group: The group.
        phase: ``"free"``, ``"+beta"`` and so on in a step; otherwise the purpose of the job.
        circuits: Number of bound circuits.
        executions: Sum of shots over the circuits.
        sent: Executions on a device, where all circuits of a job have the same number of shots and calibration circuits
            are repeated to reach theirs.
        folding: Odd number of times that each two-qubit gate is executed.
        calibrates: Whether the circuits belong to a readout calibration.
    """

    group: CommutingGroup
    phase: str
    circuits: int
    executions: int
    sent: int
    folding: int = 1
    calibrates: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """One request: one job on a device, or one job for each number of shots.

    Args:
        request: The request.
        batches: The measured circuits.
        times: How often the run makes this request.
    """

    request: Request
    batches: tuple[Batch, ...]
    times: int = 1

    @property
    def key(self) -> RequestKey:
        """Purpose of the request, such as ``"train"`` or ``"pilot"``, with its place in the run."""
        return self.request.key

    @property
    def program(self) -> LayerProgram:
        """Program that prepares the states."""
        return self.request.prepared.as_circuits().program

    @property
    def circuits(self) -> int:
        """Number of bound circuits of one request."""
        return sum(batch.circuits for batch in self.batches)

    @property
    def executions(self) -> int:
        """Sum of shots over the circuits of one request."""
        return sum(batch.executions for batch in self.batches)

    @property
    def jobs(self) -> int:
        """Number of device jobs of one request: circuits of one job have the same number of shots."""
        return len({batch.executions // batch.circuits for batch in self.without_calibration.batches})

    @property
    def sent(self) -> int:
        """Number of executions on a device of one request."""
        return sum(batch.sent for batch in self.batches)

    @property
    def without_calibration(self) -> Job:
        """The job without its calibration circuits, as sent when the calibration is known."""
        if self.request.calibration is None:
            return self
        request = replace(self.request, calibration=None)
        return replace(self, request=request, batches=tuple(batch for batch in self.batches if not batch.calibrates))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunRequests:
    """All jobs of a run.

    Args:
        jobs: The distinct jobs, each with its number of repetitions.
        step: Jobs of one step with a full batch, without the calibrations, which some epochs make once.
        steps: Number of steps of the run.
        fixed: Whether the requests follow from the configuration alone; otherwise they depend on results and are an
            estimate.
    """

    jobs: tuple[Job, ...]
    step: tuple[Job, ...]
    steps: int
    fixed: bool


@dataclass(slots=True)
class Recorder:
    """Record requests and pass them on to an ideal executor.

    Args:
        inner: The ideal executor.
        options: Sampler options that apply to the circuits on a device.
        phases_of: Names of the phases of the states of a step, in the order of the states of a sample.
        jobs: The requests so far.
    """

    inner: Executor
    options: SamplerOptions
    phases_of: Callable[[Request], list[str]] = lambda _: []
    jobs: list[Job] = field(default_factory=list)

    def submit(self, request: Request) -> JobHandle:
        """Record a request and submit it."""
        names, options = self.phases_of(request), self.options.of_request(request.randomizations)
        batches = [batch for measurement in request.measurements for batch in _batches(measurement, names, options)]
        if request.calibration is not None:
            batches.append(_calibration(request.calibration, request.measurements[0], options))
        self.jobs.append(Job(request=request, batches=tuple(batches)))
        return self.inner.submit(request)

    def collect(self, job_handle: JobHandle) -> ShotData:
        """Return the result of a request."""
        return self.inner.collect(job_handle)


def _calibration(calibration: Request, measurement: GroupMeasurement, options: SamplerOptions) -> Batch:
    """Return the calibration circuits of a request, with their repetitions."""
    (own,) = calibration.measurements
    assert own.shots is not None
    assert measurement.shots is not None
    return Batch(
        group=own.paulis,
        phase="calibration",
        circuits=own.num_circuits,
        executions=own.num_shots,
        sent=own.num_circuits * -(-own.shots // measurement.shots) * options.executions(measurement.shots),
        calibrates=True,
    )


def _batches(measurement: GroupMeasurement, names: list[str], options: SamplerOptions) -> Iterator[Batch]:
    """Return the measured circuits of a request by phase; states are in the order of samples, then of phases."""
    phases, circuits = np.unique(measurement.states % len(names), return_counts=True)
    for phase, count in zip(phases.tolist(), circuits.tolist(), strict=True):
        shots = measurement.shots or 0
        yield Batch(
            group=measurement.paulis,
            phase=names[phase],
            circuits=count,
            executions=shots * count,
            sent=options.executions(shots) * count,
            folding=measurement.folding,
        )
