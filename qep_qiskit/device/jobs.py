"""Unfinished jobs of a ledger: their states at the service, their charges, and their cancellation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from qep_qiskit.core.errors import ConfigError, DeviceError, JobFailedError
from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.device.ledger_rows import JobEntry
from qep_qiskit.device.lost_jobs import LostJobs
from qep_qiskit.device.retries import RetryingDevice, RetryPolicy
from qep_qiskit.device.service import JobView, RemoteDevice


@dataclass(frozen=True, slots=True, kw_only=True)
class StateAtService:
    """What the service says of a job that is not collected yet.

    Args:
        state: State in words.
        view: State of a job whose id is known, with its place in the queue; None for others.
    """

    state: str
    view: JobView | None = None


def states_at_service(
    entries: Sequence[JobEntry], device: RemoteDevice, retries: RetryPolicy | None = None
) -> dict[int, StateAtService]:
    """States at the service of the jobs that are not collected yet, by the number of the row.

    Args:
        entries: Rows of a ledger.
        device: The device of the jobs.
        retries: Retry policy; None for the default.

    Raises:
        DeviceError: The service does not answer.
    """
    retrying = RetryingDevice(device, retries or RetryPolicy())
    found: dict[int, StateAtService] = {}
    for entry in entries:
        if entry.state == "submitted":
            assert entry.job_id is not None
            view = retrying.view(entry, entry.job_id)
            found[entry.number] = StateAtService(state="running" if view.running else view.state, view=view)
        elif entry.state == "intended":
            found[entry.number] = StateAtService(state=_listed(entry, device, retrying))
    return found


def _listed(entry: JobEntry, device: RemoteDevice, retrying: RetryingDevice) -> str:
    """Whether a job with an unknown id has arrived, in words."""
    if not device.lists_jobs:
        return "not known"
    jobs = retrying.listed(entry)
    return f"arrived as {', '.join(jobs)}" if jobs else "not listed"


def refresh_charges(ledger: JobLedger, retrying: RetryingDevice, most: int | None = None) -> int:
    """Query the service for the charges of ended jobs that are missing in the ledger.

    A pending charge is unknown, not zero: the estimate of the job counts until the charge is final.

    Args:
        ledger: Ledger of the run.
        retrying: The device of the jobs; each job is queried once.
        most: Largest number of jobs to query, the last ones; None for all.

    Returns:
        Number of charges that are still unknown.
    """
    left = 0
    unknown = ledger.uncharged()
    for entry in unknown[-most:] if most is not None else unknown:
        assert entry.job_id is not None
        seconds = retrying.usage(entry.job_id)
        if seconds is None:
            left += 1
        else:
            ledger.charged(entry, seconds)
    return left


def cancel_duplicates(ledger: JobLedger, retrying: RetryingDevice, entry: JobEntry) -> None:
    """Cancel further jobs under the tag of a job, and record how many of them remain."""
    duplicates = retrying.cancel_others(entry)
    if duplicates is not None and duplicates != entry.duplicates:
        ledger.duplicated(entry, duplicates)


def cancel_jobs(ledger: JobLedger, device: RemoteDevice, retries: RetryPolicy | None = None) -> Iterator[JobEntry]:
    """Cancel every unfinished job, also those that may not have reached the service.

    Args:
        ledger: Ledger of the run.
        device: The device of the jobs.
        retries: Retry policy, with the time that a job may be missing from the listing; None for the default.

    Yields:
        Every unfinished row after the call: ``cancelled``, or ``submitted`` where the job finished first.

    Raises:
        DeviceError: The service does not answer, or refuses.
    """
    retrying = RetryingDevice(device, retries or RetryPolicy())
    for entry in ledger.entries():
        if entry.state == "intended" and not device.lists_jobs:
            yield ledger.given_up(entry, "given up; whether it arrived is not known")
            continue
        if entry.state == "intended":
            jobs = retrying.settled(entry)
            if not jobs:
                yield ledger.ended(entry, "cancelled", "never arrived")
                continue
            entry = ledger.submitted(entry, jobs[0])
            cancel_duplicates(ledger, retrying, entry)
        if entry.state == "submitted":
            yield _cancelled(ledger, retrying, entry)


def cancel_lost_jobs(ledger: JobLedger, device: RemoteDevice, run: str | None) -> Iterator[tuple[str, str]]:
    """Cancel the waiting jobs of a run that its ledger does not know, because it was deleted or is an older copy.

    Args:
        ledger: Ledger of the run.
        device: The device of the jobs.
        run: Id of the run, or None without one: nothing is looked for.

    Returns:
        Id and state of every such job that was waiting: ``"cancelled"``, or ``"done"`` where it finished first.

    Raises:
        DeviceError: The service does not answer, or refuses.
    """
    retrying = RetryingDevice(device, RetryPolicy())
    return LostJobs(ledger, retrying, run if device.lists_jobs else None).cancelled()


def _cancelled(ledger: JobLedger, retrying: RetryingDevice, entry: JobEntry) -> JobEntry:
    assert entry.job_id is not None
    job_id, view = entry.job_id, retrying.view(entry, entry.job_id)
    if not view.carries(entry.description.tag):
        entry = traced(ledger, retrying, entry)
        job_id = entry.job_id or job_id
        view = retrying.view(entry, job_id)
    if view.state == "waiting":
        retrying.cancel(job_id, entry)
        view = retrying.view(entry, job_id)
    if view.state == "done":
        return entry
    reason = view.reason if view.state == "failed" else "cancelled by 'qep cancel'"
    return ledger.ended(entry, "failed" if view.state == "failed" else "cancelled", reason, retrying.usage(job_id))


def traced(ledger: JobLedger, retrying: RetryingDevice, entry: JobEntry) -> JobEntry:
    """Find a job by its tag where the service reported the id of another one, and record its own id.

    Args:
        ledger: Ledger of the run.
        retrying: The device of the jobs.
        entry: Row of the job, with the id of another job.

    Raises:
        DeviceError: No job with the tag is listed.
    """
    found = retrying.settled(entry)
    if not found:
        raise DeviceError(
            f"job {entry.job_id} is not the one that was sent, and the service lists none with its tag "
            f"{entry.description.tag}; 'qep cancel --forget {entry.job_id} {ledger.path.parent}' gives it up"
        )
    return ledger.renamed(entry, found[0])


def forget_job(ledger: JobLedger, device: RemoteDevice, job: str, retries: RetryPolicy | None = None) -> JobEntry:
    """Give up a job whose result cannot be had: it is sent anew, and what it was charged still counts.

    The service is asked to cancel it, and for its charge; without an answer it is given up all the same.

    Args:
        ledger: Ledger of the run.
        device: The device of the jobs.
        job: Id of the job, or number of its row.
        retries: Retry policy; None for the default.

    Raises:
        ConfigError: The ledger has no such unfinished job.
    """
    named = [entry for entry in ledger.entries() if job in (entry.job_id, str(entry.number))]
    if not named or named[-1].state not in ("intended", "submitted"):
        state = f"it is {named[-1].state}" if named else "the ledger has no such job or row"
        raise ConfigError(
            f"--forget: expected the id or the row of a job under way, got '{job}' ({state}); 'qep jobs' lists them"
        )
    entry, usage = named[-1], None
    if entry.job_id is not None:
        retrying = RetryingDevice(device, retries or RetryPolicy())
        retrying.cancel_once(entry)
        usage = retrying.usage(entry.job_id)
    return ledger.given_up(entry, "given up by 'qep cancel --forget'", usage)


def fail_job(
    device: RemoteDevice, retrying: RetryingDevice, ledger: JobLedger, entry: JobEntry, view: JobView
) -> NoReturn:
    """Record that a job ended without a result, and raise.

    Args:
        device: The device.
        retrying: The device, with retries.
        ledger: Ledger of the run.
        entry: Row of the job.
        view: State of the job, failed or cancelled.

    Raises:
        JobFailedError: Always; the message states the reason, the charge and the remedy.
    """
    assert entry.job_id is not None
    usage = retrying.usage(entry.job_id)
    ledger.ended(entry, "cancelled" if view.state == "cancelled" else "failed", view.reason, usage)
    charged = "what was charged is not known" if usage is None else f"{usage:.0f} s were charged"
    again = "the step is not applied"
    if view.state == "cancelled":
        raise JobFailedError(
            f"job {entry.job_id} on {device.name} was cancelled; {charged}, {again}; 'qep resume' submits it again"
        )
    if view.capped:
        cap = entry.description.options["max_execution_time"]
        estimate = f"an estimate of {entry.description.estimated_seconds:.1f}"
        raise JobFailedError(
            f"job {entry.job_id} on {device.name} ran into its cap of {cap} QPU seconds, against "
            f"{estimate}; {charged}, {again}; use fewer shots or samples in a new run, or 'qep resume' to submit "
            "it again"
        )
    advice = "'qep resume' submits it again" if view.retry else "the same job would fail again"
    raise JobFailedError(
        f"job {entry.job_id} on {device.name} failed: {view.reason}; {charged}, {again}; {advice}",
        retry=view.retry,
    )
