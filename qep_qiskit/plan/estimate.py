"""Cost estimate of a run on a device: jobs, executions, QPU seconds, and the fraction of the signal that survives.

The counts are those of the requests that the run makes (`record_run`); the circuits are transpiled as the run
transpiles them. Nothing is sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from qiskit.providers import BackendV2

from qep_qiskit.config import Experiment
from qep_qiskit.config.executor import build_retry_policy
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.device.retries import RetryingDevice
from qep_qiskit.device.service import RemoteDevice
from qep_qiskit.device.usage import QPU_SECONDS, Price, require_qpu_seconds
from qep_qiskit.execution.on_device import checked_rep_delay
from qep_qiskit.plan.circuits import DeviceCircuits, ProgramOnDevice
from qep_qiskit.plan.jobs import Job, RunRequests
from qep_qiskit.plan.requests import record_run

_MOST_EXECUTIONS_PER_JOB = 10_000_000
_MOST_BYTES_PER_JOB = 50_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Cost of a set of jobs.

    Args:
        jobs: Number of jobs.
        circuits: Number of bound circuits.
        executions: Number of circuit executions, the sum of shots over the circuits.
        payload_bytes: Size of what is sent in bytes.
        qpu_seconds: QPU seconds charged; 0 where the price has another unit or is unknown.
        price: Price in the unit of the device.
    """

    jobs: int
    circuits: int
    executions: int
    payload_bytes: int
    qpu_seconds: float
    price: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationShare:
    """Share of one group and one phase in the cost of a run.

    Args:
        group: Name of the group; None for the overhead of each job.
        phase: Name of the phase, or the purpose of the circuits.
        executions: Executions in the whole run.
        qpu_seconds: QPU seconds in the whole run.
        step_seconds: QPU seconds in one step.
    """

    group: str | None
    phase: str
    executions: int
    qpu_seconds: float
    step_seconds: float


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class RunEstimate:
    """Cost estimate of a run on a device.

    Args:
        device: Name of the device.
        rep_delay: Delay between executions in seconds.
        steps: Number of steps of the run.
        step: Cost of one step with a full batch.
        run: Cost of the whole run.
        shot_fractions: Cost by phase and group.
        programs: The transpiled programs.
        fixed: Whether the counts are exact; otherwise they depend on results of the device.
        largest_job: Largest number of executions in one job.
        largest_payload: Largest size of one job in bytes.
        max_qpu_seconds: Limit in the configuration.
        remaining_seconds: QPU seconds that the account has left, or None if unknown.
        mode: Execution mode of the jobs: job, batch or session.
        unit: Unit of the price: ``"QPU seconds"``, another one, or nothing where the price is unknown.
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
    unit: str = QPU_SECONDS

    def require_start(self) -> None:
        """Check that the run may start.

        Raises:
            ResourceError: The estimate exceeds the limit of the configuration, or what the account has left.
        """
        require_qpu_seconds(self.run.qpu_seconds, self.max_qpu_seconds, self.remaining_seconds)

    @property
    def fits_into_jobs(self) -> bool:
        """Whether no job exceeds the limits of the service: 10^7 executions, 50 MB."""
        return self.largest_job <= _MOST_EXECUTIONS_PER_JOB and self.largest_payload <= _MOST_BYTES_PER_JOB

    @property
    def would_start(self) -> bool:
        """Whether the estimate is within the limit of the configuration and within what the account has left."""
        remaining = float("inf") if self.remaining_seconds is None else self.remaining_seconds
        return self.run.qpu_seconds <= min(self.max_qpu_seconds, remaining)

    def record(self) -> dict[str, Any]:
        """Return the estimate as JSON values."""
        return asdict(self) | {
            "would_start": self.would_start,
            "fits_into_jobs": self.fits_into_jobs,
            "programs": [program.record() for program in self.programs],
        }


def estimate_run(
    experiment: Experiment, device: BackendV2, *, remaining_seconds: float | None = None, price: Price | None = None
) -> RunEstimate:
    """Return the cost estimate of a run.

    Args:
        experiment: The run.
        device: The device, or a snapshot of it.
        remaining_seconds: QPU seconds that the account has left, if known.
        price: Price of jobs; by default that of IBM's service.

    Raises:
        ConfigError: The run makes no request to a device.
        ResourceError: The device has too few qubits.
    """
    circuits = circuits_on(experiment, device, price)
    return estimate_requests(record_run(experiment), circuits, experiment, remaining_seconds=remaining_seconds)


def circuits_on(experiment: Experiment, device: BackendV2, price: Price | None = None) -> DeviceCircuits:
    """Return the circuits of a run on a device, with the delay and the layout of its configuration.

    Args:
        experiment: The run.
        device: The device, or a snapshot of it.
        price: Price of jobs; by default that of IBM's service.
    """
    delay = checked_rep_delay(device, experiment.config.execution.rep_delay)
    return DeviceCircuits(
        device=device,
        seeds=experiment.seeds,
        rep_delay=delay,
        price=price,
        layout=experiment.config.network.device_qubits,
        options=experiment.config.execution.sampler_options(),
    )


def remaining_seconds(experiment: Experiment, device: RemoteDevice) -> float | None:
    """Return the QPU seconds that the account has left, or None if the service does not count them.

    Raises:
        DeviceError: The service does not report them.
    """
    return RetryingDevice(device, build_retry_policy(experiment.config)).with_retries(device.remaining_seconds)


def estimate_on(experiment: Experiment, device: RemoteDevice) -> RunEstimate:
    """Return the cost estimate of a run on a device of a service, including the QPU seconds that the account has left.

    Raises:
        DeviceError: The service does not report the remaining seconds.
    """
    remaining = remaining_seconds(experiment, device)
    return estimate_run(experiment, device.backend, remaining_seconds=remaining, price=device.price)


def estimate_requests(
    requests: RunRequests, circuits: DeviceCircuits, experiment: Experiment, *, remaining_seconds: float | None = None
) -> RunEstimate:
    """Return the cost estimate of a run from its recorded requests.

    Args:
        requests: The requests of the run.
        circuits: Its circuits on the device.
        experiment: The run.
        remaining_seconds: QPU seconds that the account has left, or None if unknown.
    """
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
        unit=circuits.jobs_price.unit,
    )


def cost_of(jobs: Iterable[Job], circuits: DeviceCircuits) -> Cost:
    """Return the total cost of some jobs."""
    jobs = tuple(jobs)
    price = _price_of(jobs, circuits)
    return Cost(
        jobs=device_jobs_of(jobs),
        circuits=sum(job.times * job.circuits for job in jobs),
        executions=sum(job.times * job.sent for job in jobs),
        payload_bytes=sum(job.times * circuits.payload_bytes(job) for job in jobs),
        qpu_seconds=price if circuits.jobs_price.in_seconds else 0.0,
        price=price,
    )


def device_jobs_of(jobs: Iterable[Job]) -> int:
    """Return the number of jobs on the device."""
    return sum(job.times * job.jobs for job in jobs)


def qpu_seconds_of(jobs: Iterable[Job], circuits: DeviceCircuits) -> float:
    """Return the QPU seconds of some jobs, as in `cost_of`, without the size of what is sent, which takes its time."""
    return _price_of(tuple(jobs), circuits) if circuits.jobs_price.in_seconds else 0.0


def _price_of(jobs: tuple[Job, ...], circuits: DeviceCircuits) -> float:
    executions = sum(job.times * circuits.price_of(job, batch) for job in jobs for batch in job.batches)
    bound = sum(job.times * job.circuits for job in jobs)
    return circuits.jobs_price.of(jobs=device_jobs_of(jobs), circuits=bound) + executions


def _shot_fractions(requests: RunRequests, circuits: DeviceCircuits) -> tuple[AllocationShare, ...]:
    """Return the cost by phase and group, in the order of the requests, and finally the overhead of the jobs."""
    keys = dict.fromkeys((batch.phase, batch.group.name) for job in requests.jobs for batch in job.batches)

    def share(phase: str, group: str) -> AllocationShare:
        run, step = (
            [(job, batch) for job in jobs for batch in job.batches if (batch.phase, batch.group.name) == (phase, group)]
            for jobs in (requests.jobs, requests.step)
        )
        return AllocationShare(
            group=group,
            phase=phase,
            executions=sum(job.times * batch.sent for job, batch in run),
            qpu_seconds=sum(job.times * circuits.seconds(job, batch) for job, batch in run),
            step_seconds=sum(job.times * circuits.seconds(job, batch) for job, batch in step),
        )

    price = circuits.jobs_price
    seconds, of_step = (
        price.of(jobs=sum(job.times * job.jobs for job in jobs)) if price.in_seconds else 0.0
        for jobs in (requests.jobs, requests.step)
    )
    overhead = AllocationShare(group=None, phase="jobs", executions=0, qpu_seconds=seconds, step_seconds=of_step)
    return (*(share(*key) for key in keys), overhead)
