"""What a run would cost on a device: jobs, executions, QPU seconds, and how much of the signal would survive.

Counts are those of the very requests that the run makes (`record_run`), circuits are the run's own, placed as it would
place them. Nothing is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from qiskit.providers import BackendV2

from qep_qiskit.config import Experiment
from qep_qiskit.config.build_executor import build_retry_policy
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.device.retries import RetryingDevice
from qep_qiskit.device.service import RemoteDevice
from qep_qiskit.device.usage import estimated_qpu_seconds, require_qpu_seconds
from qep_qiskit.execution.on_device import checked_rep_delay
from qep_qiskit.plan.circuits import DeviceCircuits, ProgramOnDevice
from qep_qiskit.plan.requests import Batch, Job, RunRequests, record_run

_MOST_EXECUTIONS_PER_JOB = 10_000_000
_MOST_BYTES_PER_JOB = 50_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What some jobs take.

    Args:
        jobs: How many they are.
        circuits: Bound circuits.
        executions: Shots times circuits, as a device makes them.
        payload_bytes: What is sent, but for what says how circuits are twirled.
        qpu_seconds: What would be charged.
    """

    jobs: int
    circuits: int
    executions: int
    payload_bytes: int
    qpu_seconds: float

    def record(self) -> dict[str, Any]:
        """Plain data."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationShare:
    """The part of one group and phase.

    Args:
        group: Name of the group; None for what every job costs whatever is in it.
        phase: Name of the phase, or what the circuits are for.
        executions: In the whole run.
        qpu_seconds: In the whole run.
        step_seconds: In one step.
    """

    group: str | None
    phase: str
    executions: int
    qpu_seconds: float
    step_seconds: float

    def record(self) -> dict[str, Any]:
        """Plain data."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class RunEstimate:
    """What a run would cost on a device.

    Args:
        device: Its name.
        rep_delay: Seconds between executions.
        steps: Steps of the run.
        step: One step of a full batch.
        run: The whole run.
        shot_fractions: By groups and phases.
        programs: The templates.
        fixed: Whether the counts are certain; otherwise answers of the device decide some of them.
        largest_job: Most executions in one job.
        largest_payload: Most bytes in one job.
        max_qpu_seconds: Limit of the configuration.
        remaining_seconds: What the account has left, or None where it is not known.
        mode: How jobs are put together.
    """

    device: str
    rep_delay: float
    steps: int
    step: Cost
    run: Cost
    shot_fractions: tuple[AllocationShare, ...]
    programs: tuple[ProgramOnDevice, ...]
    fixed: bool
    largest_job: int
    largest_payload: int
    max_qpu_seconds: float
    remaining_seconds: float | None = None
    mode: str = "job"

    def require_start(self) -> None:
        """Check that the run may start.

        Raises:
            ResourceError: It is larger than the limit of the configuration, or than what the account has left.
        """
        require_qpu_seconds(self.run.qpu_seconds, self.max_qpu_seconds, self.remaining_seconds)

    @property
    def fits_into_jobs(self) -> bool:
        """Whether no job is larger than the service takes: 10^7 executions, 50 MB."""
        return self.largest_job <= _MOST_EXECUTIONS_PER_JOB and self.largest_payload <= _MOST_BYTES_PER_JOB

    @property
    def would_start(self) -> bool:
        """Whether the run is within the limit of the configuration and what the account has left."""
        remaining = float("inf") if self.remaining_seconds is None else self.remaining_seconds
        return self.run.qpu_seconds <= min(self.max_qpu_seconds, remaining)

    def record(self) -> dict[str, Any]:
        """Plain data."""
        plain = {
            name: getattr(self, name)
            for name in self.__dataclass_fields__
            if name not in ("step", "run", "shot_fractions", "programs")
        }
        return plain | {
            "would_start": self.would_start,
            "fits_into_jobs": self.fits_into_jobs,
            "step": self.step.record(),
            "run": self.run.record(),
            "shot_fractions": [share.record() for share in self.shot_fractions],
            "programs": [program.record() for program in self.programs],
        }


def estimate_run(experiment: Experiment, device: BackendV2, *, remaining_seconds: float | None = None) -> RunEstimate:
    """Find out what a run would cost.

    Args:
        experiment: The run.
        device: The device, or a snapshot of it.
        remaining_seconds: QPU seconds that the account has left, where it is known.

    Raises:
        ConfigError: The run asks a device for nothing.
        ResourceError: The device has too few qubits.
    """
    circuits = circuits_on(experiment, device)
    return estimate_requests(record_run(experiment), circuits, experiment, remaining_seconds=remaining_seconds)


def circuits_on(experiment: Experiment, device: BackendV2) -> DeviceCircuits:
    """The circuits of a run on a device, with the delay of its configuration."""
    delay = checked_rep_delay(device, experiment.config.execution.rep_delay)
    layout = experiment.config.network.device_qubits
    return DeviceCircuits(device=device, seeds=experiment.seeds, rep_delay=delay, layout=layout)


def estimate_on(experiment: Experiment, device: RemoteDevice) -> RunEstimate:
    """Find out what a run would cost on a device behind a service, which says what the account has left.

    Args:
        experiment: The run.
        device: The device.

    Raises:
        DeviceError: The service does not say what is left.
    """
    remaining = RetryingDevice(device, build_retry_policy(experiment.config)).with_retries(device.remaining_seconds)
    return estimate_run(experiment, device.backend, remaining_seconds=remaining)


def estimate_requests(
    requests: RunRequests, circuits: DeviceCircuits, experiment: Experiment, *, remaining_seconds: float | None = None
) -> RunEstimate:
    """The plan of a run whose requests are known; arguments as in `estimate_run`."""
    return RunEstimate(
        device=circuits.device.name,
        rep_delay=circuits.delay,
        steps=requests.steps,
        step=cost_of(requests.step, circuits),
        run=cost_of(requests.jobs, circuits),
        shot_fractions=_shot_fractions(requests, circuits),
        programs=circuits.programs(requests.jobs),
        fixed=requests.fixed,
        largest_job=max(job.sent for job in requests.jobs),
        largest_payload=max(circuits.payload_bytes(job) for job in requests.jobs),
        max_qpu_seconds=experiment.config.execution.max_qpu_seconds,
        remaining_seconds=remaining_seconds,
        mode=experiment.config.execution.mode,
    )


def cost_of(jobs: Iterable[Job], circuits: DeviceCircuits) -> Cost:
    """What some jobs take in all."""
    jobs = tuple(jobs)
    count = sum(job.times * job.jobs for job in jobs)
    seconds = sum(job.times * circuits.seconds(job, batch) for job in jobs for batch in job.batches)
    return Cost(
        jobs=count,
        circuits=sum(job.times * job.circuits for job in jobs),
        executions=sum(job.times * job.sent for job in jobs),
        payload_bytes=sum(job.times * circuits.payload_bytes(job) for job in jobs),
        qpu_seconds=estimated_qpu_seconds(0, count) + seconds,
    )


def _shot_fractions(requests: RunRequests, circuits: DeviceCircuits) -> tuple[AllocationShare, ...]:
    """By phases and groups in the order in which they come, and at last what every job costs."""
    keys = dict.fromkeys((batch.phase, batch.group.name) for job in requests.jobs for batch in job.batches)
    found = [
        AllocationShare(
            group=group,
            phase=phase,
            executions=_sum_of(requests.jobs, phase, group, lambda _, batch: batch.sent),
            qpu_seconds=_sum_of(requests.jobs, phase, group, circuits.seconds),
            step_seconds=_sum_of(requests.step, phase, group, circuits.seconds),
        )
        for phase, group in keys
    ]
    jobs, step = (sum(job.times * job.jobs for job in chosen) for chosen in (requests.jobs, requests.step))
    seconds = estimated_qpu_seconds(0, jobs)
    overhead = AllocationShare(
        group=None, phase="jobs", executions=0, qpu_seconds=seconds, step_seconds=estimated_qpu_seconds(0, step)
    )
    return (*found, overhead)


def _sum_of(jobs: Iterable[Job], phase: str, group: str, value: Callable[[Job, Batch], Any]) -> Any:
    return sum(
        job.times * value(job, batch)
        for job in jobs
        for batch in job.batches
        if (batch.phase, batch.group.name) == (phase, group)
    )
