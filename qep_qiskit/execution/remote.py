"""Requests on a device behind a service: each is sent once, whatever happens, and its answer is never lost.

The service has no key that would make sending a job twice harmless, and an answer may be lost after the job was
accepted. So every sending has a tag of its own, which is on disk before the job leaves; after it the listing of the
service is asked for the tag, one job is adopted and others under the tag are cancelled. Where it is not known whether
a job was accepted, the listing is watched for a settling time before it is sent again. Waiting is repeated, sending is
not.
"""

from __future__ import annotations

import logging
import math
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.errors import DeviceError, JobFailedError, LedgerError, StillQueuedError, WaitStoppedError
from qep_qiskit.execution.interface import BitMemory, Request, RequestKey, ShotData, Ticket
from qep_qiskit.execution.ledger import JobDescription, JobEntry, JobLedger
from qep_qiskit.execution.pubs import DeviceCircuits, JobPlan
from qep_qiskit.execution.service import BusyError, JobView, LostError, RefusedError, RemoteDevice
from qep_qiskit.execution.waiting import AbandonedError, answer_of
from qep_qiskit.seeds import Seeds

__all__ = ["Patience", "RemoteExecutor"]

_LOG = logging.getLogger(__name__)
_SAME_NUMBERS = 1e-6
_REFUSALS = 3
_LONGEST_SLEEP = 0.2

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for what, in seconds.

    Args:
        settling: How long a job that was accepted may be missing from the listing.
        first_pause: Between two questions, at first.
        longest_pause: Between two questions, in the end.
        without_answer: How long the service may be silent.
        wait: How long a job may take to be finished, or None for as long as it takes.
        sendings: How often a job is sent if it proves not to have arrived.
    """

    settling: float = 30.0
    first_pause: float = 1.0
    longest_pause: float = 60.0
    without_answer: float = 1800.0
    wait: float | None = None
    sendings: int = 3

    def pauses(self) -> Callable[[], float]:
        """The pauses of one wait, each half as long again as the one before."""
        pause = self.first_pause / 1.5

        def following() -> float:
            nonlocal pause
            pause = min(1.5 * pause, self.longest_pause)
            return pause

        return following


class RemoteExecutor:
    """Runs requests as jobs of a device.

    Args:
        device: The device.
        seeds: Root of the layout's seed; a device's shots have none.
        ledger: The ledger of the run.
        patience: How long to wait for what.
        stopping: Whether to stop waiting; asked several times a second.
    """

    def __init__(
        self,
        device: RemoteDevice,
        seeds: Seeds,
        ledger: JobLedger,
        *,
        patience: Patience | None = None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._device, self._ledger, self._patience = device, ledger, patience or Patience()
        self._stopping = stopping
        self._circuits = DeviceCircuits(device.backend, seeds, ledger)

    def submit(self, request: Request) -> Ticket:
        """Send the jobs of a request, unless the ledger has them.

        Raises:
            DeviceError: The device, the service or the account does not take them; or whether they were taken cannot
                be found out.
            WaitStoppedError: A stop was asked for.
            LedgerError: The ledger has another request under this key.
        """
        for part, plan in enumerate(self._circuits.jobs(request)):
            self._sent(request.key, part, plan)
        return Ticket(key=request.key, request=request)

    def collect(self, ticket: Ticket) -> ShotData:
        """Wait for the jobs of a request, and keep their bits.

        Raises:
            JobFailedError: A job failed, was cancelled, or ran into its cap.
            StillQueuedError: A job is not finished in the time that was given.
            DeviceError: The service cannot be reached.
            WaitStoppedError: A stop was asked for.
        """
        request = ticket.request
        found: dict[int, BitMemory] = {}
        for part, plan in enumerate(self._circuits.jobs(request)):
            bits = self._bits(self._sent(ticket.key, part, plan), plan)
            for place, own in zip(plan.readouts, bits, strict=True):
                found[place] = BitMemory(bits=own, num_qubits=request.prepared.num_qubits)
        return ShotData(outcomes=tuple(found[place] for place in range(len(request.readouts))))

    def _sent(self, key: RequestKey, part: int, plan: JobPlan) -> JobEntry:
        """The job in the ledger, at least submitted; sent only where the ledger says that it must be."""
        entry = self._ledger.latest(key, part)
        if entry is not None:
            self._require_same(entry, plan)
        if entry is None or entry.state in ("refused", "failed", "cancelled"):
            self._require_ready(plan)
            return self._send(self._ledger.intend(self._described(key, part, plan), plan.values), plan)
        if entry.state != "intended":
            return entry
        found = self._settled(entry)
        return self._adopted(entry, found) if found else self._send(self._ledger.posting(entry), plan)

    def _require_same(self, entry: JobEntry, plan: JobPlan) -> None:
        described, key = entry.description, entry.description.key
        same_device = (described.backend, described.instance) == (self._device.name, self._device.instance)
        bound = self._ledger.bound(entry)
        same_numbers = bound.shape == plan.values.shape and np.allclose(bound, plan.values, rtol=0, atol=_SAME_NUMBERS)
        if not same_device:
            raise LedgerError(
                f"ledger: {key.purpose} {key.step} was sent to {described.backend} ({described.instance}), not to "
                f"{self._device.name} ({self._device.instance}); use the same backend and instance, or another folder"
            )
        if described.request_sha256 != plan.digest or not same_numbers:
            raise LedgerError(
                f"ledger: {key.purpose} {key.step} was sent with other circuits or values; use another folder"
            )

    def _require_ready(self, plan: JobPlan) -> None:
        """Look before sending: the service takes jobs during maintenance and beyond the allowance."""
        self._device.require_fit(plan)
        closed = self._asked(self._device.why_closed)
        if closed is not None:
            raise DeviceError(f"{self._device.name}: {closed}; nothing was submitted, go on later with 'qep resume'")
        left, wanted = self._asked(self._device.seconds_left), self._device.estimated_seconds(plan)
        if left is not None and left < wanted:
            raise DeviceError(
                f"{self._device.name}: the account has {left:.0f} QPU seconds left and the job is estimated at "
                f"{wanted:.1f}; nothing was submitted, use fewer shots or samples in a new run, or go on in the next "
                "period with 'qep resume'"
            )

    def _described(self, key: RequestKey, part: int, plan: JobPlan) -> JobDescription:
        seconds = self._device.estimated_seconds(plan)
        return JobDescription(
            key=key,
            part=part,
            tag=f"qep-{uuid.uuid4().hex}",
            backend=self._device.name,
            instance=self._device.instance,
            shots=plan.shots,
            options={"max_execution_time": math.ceil(3 * seconds + 30)},
            estimated_seconds=seconds,
            circuit_sha256=plan.circuit_digest(),
            request_sha256=plan.digest,
            parameter_names=[[parameter.name for parameter in pub.circuit.parameters] for pub in plan.pubs],
            axes=[*plan.axes, "parameters"],
            shapes=[list(pub.values.shape) for pub in plan.pubs],
        )

    def _send(self, entry: JobEntry, plan: JobPlan) -> JobEntry:
        """Send an intended job until it is known to have arrived."""
        most_seconds, message = entry.description.options["max_execution_time"], ""
        for sending in range(self._patience.sendings):
            entry = self._ledger.posting(entry) if sending else entry
            try:
                job_id = self._post(entry, plan, most_seconds)
            except LostError as error:
                message = str(error)
                _LOG.warning("no answer to a submission (%s); looking for the job", message)
                found = self._settled(entry)
                if found:
                    return self._adopted(entry, found)
                continue
            entry = self._ledger.submitted(entry, job_id)
            self._cancel_others(entry)
            return entry
        raise DeviceError(
            f"{self._device.name}: the job did not arrive in {self._patience.sendings} attempts ({message}); the "
            "ledger knows it, go on later with 'qep resume'"
        )

    def _post(self, entry: JobEntry, plan: JobPlan, most_seconds: int) -> str:
        """One sending that is answered, or lost; where the service is busy it has taken nothing, so that is waited."""
        pauses, deadline, refusals = self._patience.pauses(), time.monotonic() + self._patience.without_answer, 0
        while True:
            try:
                return self._device.send(plan, entry.description.tag, most_seconds)
            except BusyError as busy:
                pause = busy.seconds or pauses()
                reason = str(busy)
            except RefusedError as error:
                refusals += 1
                pause, reason = pauses() if error.login and refusals < _REFUSALS else math.inf, str(error)
            if time.monotonic() + pause > deadline:
                self._ledger.ended(entry, "refused", reason)
                raise DeviceError(
                    f"{self._device.name}: the job was not accepted ({reason}); nothing was submitted, try again with "
                    "'qep resume'"
                )
            self._sleep(pause, entry)
            entry = self._ledger.posting(entry)

    def _settled(self, entry: JobEntry) -> list[str]:
        """Ids of the jobs under a tag, none only if the listing stays empty for the settling time."""
        pauses = self._patience.pauses()
        while True:
            late = time.time() >= entry.posted + self._patience.settling
            found = self._asked(lambda: self._device.find(entry.description.tag), about=entry)
            if found or late:
                return found
            self._sleep(min(pauses(), self._patience.settling), entry)

    def _adopted(self, entry: JobEntry, found: Sequence[str]) -> JobEntry:
        """Take one of the jobs found for the entry's, the oldest that lives, and cancel the others."""
        living = [job_id for job_id in found if len(found) == 1 or self._view(entry, job_id).state != "cancelled"]
        entry = self._ledger.submitted(entry, (living or list(found))[0])
        self._cancel_others(entry)
        return entry

    def _cancel_others(self, entry: JobEntry) -> None:
        """Cancel further jobs under the entry's tag; what cannot be cancelled is only a matter of cost."""
        try:
            for job_id in self._device.find(entry.description.tag):
                if job_id != entry.job_id:
                    _LOG.warning("job %s is there a second time as %s, which is cancelled", entry.job_id, job_id)
                    self._device.cancel(job_id)
        except (RefusedError, BusyError, LostError) as error:
            _LOG.warning("duplicates of job %s could not be looked for or cancelled: %s", entry.job_id, error)

    def _bits(self, entry: JobEntry, plan: JobPlan) -> list[NDArray[np.uint8]]:
        if entry.state in ("collected", "applied"):
            return self._ledger.bits(entry)
        assert entry.job_id is not None
        job_id, view = entry.job_id, self._finished(entry)
        if view.state != "done":
            self._fail(entry, view)

        def fetched() -> list[NDArray[np.uint8]]:
            try:
                return plan.bits_of_readouts(self._device.fetch(job_id))
            except ValueError as error:
                raise LostError(str(error)) from error

        bits = self._asked(fetched, about=entry)
        self._ledger.collected(entry, bits, self._usage(job_id))
        self._cancel_others(entry)
        return bits

    def _finished(self, entry: JobEntry) -> JobView:
        assert entry.job_id is not None
        pauses, started, wait = self._patience.pauses(), time.monotonic(), self._patience.wait
        while True:
            view = self._view(entry, entry.job_id)
            if view.state != "waiting":
                return view
            pause = pauses()
            if wait is not None and time.monotonic() + pause > started + wait:
                raise StillQueuedError(
                    f"job {entry.job_id} on {self._device.name} is still queued after {wait:.0f} s; its id is saved, "
                    "collect it later with 'qep resume'"
                )
            self._sleep(pause, entry)

    def _fail(self, entry: JobEntry, view: JobView) -> None:
        assert entry.job_id is not None
        usage = self._usage(entry.job_id)
        self._ledger.ended(entry, "cancelled" if view.state == "cancelled" else "failed", view.reason, usage)
        charged = "what was charged is not known" if usage is None else f"{usage:.0f} s were charged"
        again = "the step is not applied"
        if view.state == "cancelled":
            raise JobFailedError(
                f"job {entry.job_id} on {self._device.name} was cancelled; {charged}, {again}; 'qep resume' submits it "
                "again"
            )
        if view.capped:
            cap = entry.description.options["max_execution_time"]
            estimate = f"an estimate of {entry.description.estimated_seconds:.1f}"
            raise JobFailedError(
                f"job {entry.job_id} on {self._device.name} ran into its cap of {cap} QPU seconds, against "
                f"{estimate}; {charged}, {again}; use fewer shots or samples in a new run, or 'qep resume' to submit "
                "it again"
            )
        advice = "'qep resume' submits it again" if view.retry else "the same job would fail again"
        raise JobFailedError(
            f"job {entry.job_id} on {self._device.name} failed: {view.reason}; {charged}, {again}; {advice}"
        )

    def _view(self, entry: JobEntry, job_id: str) -> JobView:
        return self._asked(lambda: self._device.look(job_id), about=entry)

    def _usage(self, job_id: str) -> float | None:
        try:
            return self._device.usage_seconds(job_id)
        except (RefusedError, BusyError, LostError):
            return None

    def _asked(self, question: Callable[[], Answer], *, about: JobEntry | None = None) -> Answer:
        """Ask until there is an answer; asking changes nothing at the service."""
        pauses, deadline, refusals = self._patience.pauses(), time.monotonic() + self._patience.without_answer, 0
        while True:
            try:
                return answer_of(question, stopping=self._stopping)
            except AbandonedError:
                raise WaitStoppedError(self._left_behind(about)) from None
            except BusyError as error:
                pause, reason = error.seconds or pauses(), str(error)
            except RefusedError as error:
                refusals += 1
                pause, reason = pauses() if refusals < _REFUSALS else math.inf, str(error)
            except LostError as error:
                pause, reason = pauses(), str(error)
            if time.monotonic() + pause > deadline:
                what = "refuses to answer" if pause == math.inf else "does not answer"
                kept = "nothing was submitted" if about is None else "the ledger knows the job, go on with 'qep resume'"
                raise DeviceError(f"{self._device.name}: the service {what} ({reason}); {kept}")
            self._sleep(pause, about)

    def _sleep(self, seconds: float, about: JobEntry | None) -> None:
        """Sleep in short pieces: a stop is not kept waiting, and at every pause the ledger holds all that is known."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self._stopping():
                raise WaitStoppedError(self._left_behind(about))
            time.sleep(min(left, _LONGEST_SLEEP))

    def _left_behind(self, entry: JobEntry | None) -> str:
        if entry is None:
            return f"no job was under way on {self._device.name}"
        if entry.job_id is None:
            return f"a job may have reached {self._device.name}, the ledger knows it"
        return f"job {entry.job_id} on {self._device.name} goes on, its id is saved"
