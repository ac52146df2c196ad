"""Execution of requests on a device behind a service: each job runs once, and its result is never lost.

The service has no key that makes a repeated submission harmless, and its answer may be lost after a job was accepted.
So every submission has a tag of its own, which is on disk before the job is sent. Afterwards the service is queried for
the jobs of the tag, one job is used and others are cancelled. Where it is unknown whether a job was accepted, the
listing is polled for a settling time before the job is sent again. Polling is repeated, sending is not.
"""

from __future__ import annotations

import logging
import math
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import (
    DeviceError,
    LedgerError,
    PausedError,
    ResourceError,
    UnavailableError,
)
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.device.jobs import cancel_duplicates, fail_job, refresh_charges, traced
from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.device.ledger_rows import JobDescription, JobEntry
from qep_qiskit.device.lost_jobs import LostJob, LostJobs
from qep_qiskit.device.pubs import DeviceCircuits
from qep_qiskit.device.results import fetched_bits
from qep_qiskit.device.retries import RetryingDevice, RetryPolicy, Waiting
from qep_qiskit.device.service import MisfitError, RemoteDevice
from qep_qiskit.device.specification import JobSpecification, jobs_of
from qep_qiskit.device.submission import Submission
from qep_qiskit.execution.interface import Executor, GroupMeasurement, JobHandle, Request, RequestKey, ShotData
from qep_qiskit.execution.sampler_options import SamplerOptions
from qep_qiskit.execution.surviving_signal import surviving_signal, warn_of_lost_signal
from qep_qiskit.outcomes import BitMemory
from qep_qiskit.outcomes.states import on_qubits

_MOST_CHARGES_ASKED = 16  # before a job is sent
_LOG = logging.getLogger(__name__)
_PREFIX_ENDS = " "
_SAME_NUMBERS = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Limits on what a process sends and waits for.

    Args:
        requests: Largest number of requests to send; None for all.
        waits: Whether the process waits for the jobs that it sends.
    """

    requests: int | None = None
    waits: bool = True


def is_question(key: RequestKey) -> bool:
    """Whether a request was asked outside of training, by a `NamedExecutor`."""
    return _PREFIX_ENDS in key.purpose


@dataclass(frozen=True, slots=True)
class NamedExecutor:
    """An executor with a prefix for the purpose of its requests, so that requests of different studies are distinct.

    Args:
        executor: Runs the requests.
        name: Prefix of their purpose.
    """

    executor: Executor
    name: str

    def submit(self, request: Request) -> JobHandle:
        """Submit the request with the prefix."""
        key = replace(request.key, purpose=f"{self.name}{_PREFIX_ENDS}{request.key.purpose}")
        return self.executor.submit(replace(request, key=key))

    def collect(self, job_handle: JobHandle) -> ShotData:
        """Collect the outcomes of a submitted request."""
        return self.executor.collect(job_handle)


def _is_unsent(entry: JobEntry | None) -> bool:
    """Whether a job must be sent, for the first time or again."""
    return entry is None or entry.state in ("refused", "failed", "cancelled")


class RemoteExecutor:
    """Runs requests as jobs of a device.

    Args:
        device: The device.
        seeds: Root of the layout's seed; shots of a device have none.
        ledger: The ledger of the run.
        retries: Retry policy.
        pace: Limits on what this process sends and waits for.
        max_qpu_seconds: Largest number of QPU seconds of all jobs of the ledger; estimates count where a charge is
            unknown.
        layout: Initial qubits of the device for all programs; None for the transpiler's choice.
        options: Options of the sampler.
        run: Id of the run, a tag of its jobs; None without one.
        is_new: Whether the run has just started, so that no job of it can be missing in the ledger.
    """

    def __init__(
        self,
        device: RemoteDevice,
        seeds: Seeds,
        ledger: JobLedger,
        *,
        retries: RetryPolicy | None = None,
        pace: Pace | None = None,
        max_qpu_seconds: float = math.inf,
        layout: Sequence[int] | None = None,
        options: SamplerOptions | None = None,
        run: str | None = None,
        is_new: bool = False,
    ) -> None:
        self.backend_name = device.name
        self._device, self.ledger, self._retries = device, ledger, retries or RetryPolicy()
        self._pace, self._most_seconds = pace or Pace(), max_qpu_seconds
        self.stopping: Callable[[], bool] = lambda: False
        """Whether to stop waiting; called several times a second."""
        self.waiting: Waiting = lambda job_id, seconds, view: None
        """Called at every query with the id of the job, the seconds waited so far, and the state of the job."""
        self._retrying = RetryingDevice(
            device,
            self._retries,
            stopping=lambda: self.stopping(),
            waiting=lambda job_id, seconds, view: self.waiting(job_id, seconds, view),
        )
        self._seeds, self._layout = seeds, layout
        self._options = options or SamplerOptions()
        self._lost = LostJobs(ledger, self._retrying, None if is_new or not device.lists_jobs else run)
        self._started: set[RequestKey] = set()
        self._submission = Submission(device, self._retrying, self._retries, ledger, run)

    @property
    def sent(self) -> list[JobEntry]:
        """Jobs that this process has sent."""
        return self._submission.sent

    @cached_property
    def _circuits(self) -> DeviceCircuits:
        """Circuits on the device, which is read here first: results are collected without it."""
        return DeviceCircuits(
            self._device.backend, self._seeds, self.ledger, layout=self._layout, options=self._options
        )

    def _jobs(self, request: Request) -> tuple[JobSpecification, ...]:
        most = self._device.most_executions
        return jobs_of(request, self._options, lambda outline: self._circuits.pubs(outline), most)

    def unsent(self, request: Request) -> list[JobSpecification]:
        """Return the jobs of a request that would be sent; nothing is sent."""
        return [
            specification
            for part, specification in enumerate(self._jobs(request))
            if _is_unsent(self.ledger.latest(request.key, part))
        ]

    def remaining_seconds(self) -> float | None:
        """QPU seconds that remain to the account, or None without a limit."""
        return self._retrying.with_retries(self._device.remaining_seconds)

    def close(self) -> None:
        """Close the batch or session at the service, and the ledger; waiting jobs still run."""
        self._device.close()
        self.ledger.close()

    def submit(self, request: Request) -> JobHandle:
        """Send the jobs of a request that are not in the ledger.

        Raises:
            PausedError: The pace allows no further request, or a stop is requested.
            DeviceError: The device, the service or the account does not accept them, or it is unknown whether they were
                accepted.
            ResourceError: They would exceed `max_qpu_seconds`.
            LedgerError: The ledger has another request under this key.
        """
        on_qubits(request.prepared)
        for part, specification in enumerate(self._jobs(request)):
            try:
                self._sent(request, part, specification)
            except MisfitError as error:
                then, now = self._circuits.two_qubit_gates(request.prepared.as_circuits().program)
                raise DeviceError(
                    f"{error}; the circuits that the run has kept have {then} two-qubit gates, laid out on the device "
                    f"as it is today they have {now}: 'qep resume --replace-layout' goes on with these"
                ) from error
        return JobHandle(key=request.key, request=request)

    def collect(self, job_handle: JobHandle) -> ShotData:
        """Wait for the jobs of a request, and store their bits in the ledger.

        Raises:
            PausedError: This process has sent them and its pace is not to wait; or a stop is requested.
            JobFailedError: A job failed, was cancelled, or reached its time limit.
            StillQueuedError: A job is not finished in the time allowed.
            DeviceError: The service cannot be reached.
            ResultError: The result of a finished job does not match the request, at every attempt.
        """
        request = job_handle.request
        if job_handle.key in self._started and not self._pace.waits:
            raise PausedError
        found: dict[int, BitMemory] = {}
        calibration: BitMemory | None = None
        for part, specification in enumerate(self._jobs(request)):
            bits = self._bits(self._sent(request, part, specification), specification, request.measurements)
            num_qubits = on_qubits(request.prepared)
            memories = [BitMemory(bits=own, num_qubits=num_qubits) for own in bits]
            if specification.calibration is not None:
                calibration = memories.pop()
            found |= zip(specification.measurements, memories, strict=True)
        outcomes = tuple(found[place] for place in range(len(request.measurements)))
        return ShotData(outcomes=outcomes, calibration=calibration)

    def _sent(self, request: Request, part: int, specification: JobSpecification) -> JobEntry:
        """The job in the ledger, at least submitted; sent only where neither ledger nor service has it."""
        key = request.key
        entry = self.ledger.latest(key, part)
        if entry is None and (lost := self._lost.take(specification.fingerprint(key, part))) is not None:
            return self._taken(key, part, specification, lost)
        if entry is not None:
            self._require_same(entry, specification)
        if entry is None or _is_unsent(entry):
            self._begin(key)
            self._require_signal(request)
            self._require_ready(specification)
            return self._submission.send(
                self.ledger.intend(self._snapshot(key, part, specification), specification.bound), specification
            )
        if entry.state != "intended":
            return entry
        found = self._retrying.settled(entry)
        if found:
            return self._submission.adopted(entry, found)
        self._begin(key)
        self._device.require_fit(specification)
        return self._submission.send(self.ledger.posting(entry), specification)

    def _require_signal(self, request: Request) -> None:
        """Warn, before anything is sent, where hardly any signal would survive."""
        circuits = request.prepared.circuits
        if circuits is not None:
            warn_of_lost_signal(
                surviving_signal(self._circuits.transpiled_program(circuits.program)), self._device.name
            )

    def _taken(self, key: RequestKey, part: int, specification: JobSpecification, lost: LostJob) -> JobEntry:
        """Record a job of the run that the ledger did not know."""
        description = self._description(key, part, specification, lost.tag, lost.estimated_seconds)
        entry = self.ledger.submitted(self.ledger.intend(description, specification.bound), lost.job_id)
        cancel_duplicates(self.ledger, self._retrying, entry)
        return entry

    def _begin(self, key: RequestKey) -> None:
        if key not in self._started and len(self._started) == self._pace.requests:
            raise PausedError
        self._started.add(key)

    def _require_same(self, entry: JobEntry, specification: JobSpecification) -> None:
        described, key = entry.description, entry.description.key
        same_device = (described.backend, described.instance) == (self._device.name, self._device.instance)
        bound = self.ledger.bound(entry)
        same_numbers = bound.shape == specification.bound.shape and np.allclose(
            bound, specification.bound, rtol=0, atol=_SAME_NUMBERS
        )
        if not same_device:
            raise LedgerError(
                f"ledger: {key.purpose} {key.step} was sent to {described.backend} ({described.instance}), not to "
                f"{self._device.name} ({self._device.instance}); use the same backend and instance, or another folder"
            )
        if described.request_sha256 != specification.digest or not same_numbers:
            raise LedgerError(
                f"ledger: {key.purpose} {key.step} was sent with other circuits or values, or other options; use "
                "another folder"
            )

    def _require_ready(self, specification: JobSpecification) -> None:
        """Check the device and the allowance before sending: the service queues jobs in maintenance or beyond it."""
        self._device.require_fit(specification)
        self._retrying.require_open("go on later with 'qep resume'")
        left, wanted = self.remaining_seconds(), self._device.estimated_seconds(specification)
        if left is not None and left < wanted:
            raise UnavailableError(
                f"{self._device.name}: the account has {left:.0f} QPU seconds left and the job is estimated at "
                f"{wanted:.1f}; nothing was submitted, use fewer shots or samples in a new run, or go on in the next "
                "period with 'qep resume'"
            )
        refresh_charges(self.ledger, self._retrying, _MOST_CHARGES_ASKED)
        spent = self.ledger.seconds() + self._lost.seconds()
        if spent + wanted > self._most_seconds:
            raise ResourceError(
                f"execution.max_qpu_seconds: the run has taken {spent:.1f} QPU seconds, its next job is estimated at "
                f"{wanted:.1f}, and it may have {self._most_seconds:g}; nothing was submitted, 'qep resume "
                "--max-qpu-seconds S' goes on with a larger limit"
            )

    def _snapshot(self, key: RequestKey, part: int, specification: JobSpecification) -> JobDescription:
        seconds = self._device.estimated_seconds(specification)
        pubs = specification.pubs
        return replace(
            self._description(key, part, specification, f"qep-{uuid.uuid4().hex}", seconds),
            batch=self._retrying.with_retries(self._device.batch),
            circuit_sha256=specification.circuit_digest(),
            parameter_names=[[parameter.name for parameter in pub.circuit.parameters] for pub in pubs],
            axes=[*specification.axes, "parameters"],
            shapes=[list(pub.values.shape) for pub in pubs],
        )

    def _description(
        self, key: RequestKey, part: int, specification: JobSpecification, tag: str, seconds: float
    ) -> JobDescription:
        """What is known of a job without its circuits."""
        return JobDescription(
            key=key,
            part=part,
            tag=tag,
            backend=self._device.name,
            instance=self._device.instance,
            mode=self._device.mode,
            shots=specification.shots,
            options={"max_execution_time": math.ceil(3 * seconds + 30), **specification.options.record()},
            estimated_seconds=seconds,
            circuit_sha256="",
            request_sha256=specification.digest,
            parameter_names=[],
            axes=list(specification.axes),
            shapes=[[*shape, 0] for shape in specification.shapes],
        )

    def _bits(
        self, entry: JobEntry, specification: JobSpecification, measurements: Sequence[GroupMeasurement]
    ) -> list[NDArray[np.uint8]]:
        if entry.state in ("collected", "applied"):
            return self.ledger.bits(entry)
        assert entry.job_id is not None
        view = self._retrying.finished(entry)
        if not view.carries(entry.description.tag):
            entry = traced(self.ledger, self._retrying, entry)
            view = self._retrying.finished(entry)
        if view.state != "done":
            fail_job(self._device, self._retrying, self.ledger, entry, view)
        assert entry.job_id is not None
        folder = self.ledger.path.parent
        bits = fetched_bits(self._device, self._retrying, entry, specification, measurements, folder)
        entry = self.ledger.collected(entry, bits, self._retrying.usage(entry.job_id))
        cancel_duplicates(self.ledger, self._retrying, entry)
        _LOG.info("job %s is collected", entry.job_id)
        return bits
