"""The unfinished jobs of a ledger: what the service says of them, and an end to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from qep_qiskit.device.ledger import JobEntry, JobLedger
from qep_qiskit.device.retries import RetryingDevice, RetryPolicy
from qep_qiskit.device.service import RemoteDevice


def states_at_service(
    entries: Sequence[JobEntry], device: RemoteDevice, retries: RetryPolicy | None = None
) -> dict[int, str]:
    """What the service says of the jobs that are not collected yet, by the number of the row.

    Args:
        entries: Rows of a ledger.
        device: Where they were sent.
        retries: How long the service may be silent.

    Raises:
        DeviceError: It does not answer.
    """
    retrying = RetryingDevice(device, retries or RetryPolicy())
    found: dict[int, str] = {}
    for entry in entries:
        if entry.state == "submitted":
            assert entry.job_id is not None
            found[entry.number] = retrying.view(entry, entry.job_id).state
        elif entry.state == "intended" and not device.lists_jobs:
            found[entry.number] = "not known"
        elif entry.state == "intended":
            jobs = retrying.listed(entry)
            found[entry.number] = f"arrived as {', '.join(jobs)}" if jobs else "not listed"
    return found


def refresh_charges(ledger: JobLedger, retrying: RetryingDevice, most: int | None = None) -> int:
    """Ask the service for the charges of ended jobs that the ledger does not know.

    A charge that is still pending is unknown, not zero: until it is final the estimate of the job counts.

    Args:
        ledger: Of the run.
        retrying: Where its jobs were sent; each job is asked for once.
        most: How many jobs to ask for at most, the last ones; all by default.

    Returns:
        How many charges are still unknown.
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


def cancel_jobs(ledger: JobLedger, device: RemoteDevice, retries: RetryPolicy | None = None) -> Iterator[JobEntry]:
    """Cancel every job that is not finished, also those of which only the intention is known.

    Args:
        ledger: Of the run.
        device: Where they were sent.
        retries: How long the service may be silent, and how long a job may be missing from its listing.

    Yields:
        Every unfinished row as it is afterwards: ``cancelled``, or ``submitted`` where the job was done first.

    Raises:
        DeviceError: The service does not answer, or refuses.
    """
    retrying = RetryingDevice(device, retries or RetryPolicy())
    for entry in ledger.entries():
        if entry.state == "intended" and not device.lists_jobs:
            yield ledger.ended(entry, "cancelled", "given up; whether it arrived is not known")
            continue
        if entry.state == "intended":
            jobs = retrying.settled(entry)
            if not jobs:
                yield ledger.ended(entry, "cancelled", "never arrived")
                continue
            entry = ledger.submitted(entry, jobs[0])
            duplicates = retrying.cancel_others(entry)
            if duplicates:
                ledger.duplicated(entry, duplicates)
        if entry.state == "submitted":
            yield _cancelled(ledger, retrying, entry)


def _cancelled(ledger: JobLedger, retrying: RetryingDevice, entry: JobEntry) -> JobEntry:
    assert entry.job_id is not None
    view = retrying.view(entry, entry.job_id)
    if view.state == "waiting":
        retrying.cancel(entry)
        view = retrying.view(entry, entry.job_id)
    if view.state == "done":
        return entry
    reason = view.reason if view.state == "failed" else "cancelled by 'qep cancel'"
    return ledger.ended(
        entry, "failed" if view.state == "failed" else "cancelled", reason, retrying.usage(entry.job_id)
    )
