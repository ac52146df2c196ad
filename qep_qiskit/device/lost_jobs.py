"""Jobs of a run at the service that its ledger does not know: the ledger was deleted, or is an older copy.

Every job of a run carries four tags: one of its submission, one of the run, one of what it measures and one of its
estimated charge. So before a job is sent, the service is asked whether one that measures the same is there already.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass

from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.device.retries import RetryingDevice

_LOG = logging.getLogger(__name__)
_RUN, _MEASURES, _SECONDS = "qep-run-", "qep-job-", "qep-seconds-"
_SUBMISSION = re.compile(r"qep-[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class LostJob:
    """A job of the run that the ledger does not know.

    Args:
        job_id: Id at the service.
        tag: Tag of its submission.
        estimated_seconds: Estimated charge in QPU seconds.
    """

    job_id: str
    tag: str
    estimated_seconds: float


def tags_of(tag: str, run: str | None, fingerprint: str, estimated_seconds: float) -> tuple[str, ...]:
    """Return the tags of a submission, its own first.

    Args:
        tag: Unique tag of the submission.
        run: Id of the run, or None without one.
        fingerprint: Hash of what the job measures.
        estimated_seconds: Estimated charge in QPU seconds.
    """
    more = () if run is None else (_RUN + run, _MEASURES + fingerprint, f"{_SECONDS}{estimated_seconds:.3f}")
    return (tag, *more)


class LostJobs:
    """The jobs of a run that are at the service and not in its ledger; looked for once, at the first need.

    Args:
        ledger: Ledger of the run.
        retrying: The device.
        run: Id of the run; None for a run that has just started, or whose service has no tags: nothing is looked for.
    """

    def __init__(self, ledger: JobLedger, retrying: RetryingDevice, run: str | None) -> None:
        self._ledger, self._retrying, self._run = ledger, retrying, run
        self._found: dict[str, tuple[str, ...]] | None = None
        self._charges: dict[str, float | None] = {}

    def take(self, fingerprint: str) -> LostJob | None:
        """Return a job that measures the same, done or under way, and regard it as known from now on.

        Raises:
            DeviceError: The ledger is empty, and the service does not answer.
        """
        jobs = self._jobs()
        same = [name for name, tags in jobs.items() if _MEASURES + fingerprint in tags]
        for job_id in sorted(same, key=lambda name: self._retrying.state(name) == "done", reverse=True):
            if self._retrying.state(job_id) not in ("done", "waiting"):
                continue
            tags = jobs.pop(job_id)
            tag = next((tag for tag in tags if _SUBMISSION.fullmatch(tag)), None)
            if tag is not None:
                _LOG.warning("the ledger did not know job %s of this run, which measures the same; it is used", job_id)
                return LostJob(job_id, tag, _estimate(tags))
        return None

    def seconds(self) -> float:
        """QPU seconds of the jobs that nothing has asked for: charges, and estimates where a charge is unknown."""
        jobs = self._found or {}
        for job_id in jobs:
            if self._charges.get(job_id) is None:
                self._charges[job_id] = self._retrying.usage(job_id)
        charges = {job_id: self._charges[job_id] for job_id in jobs}
        return sum(_estimate(jobs[name]) if charge is None else charge for name, charge in charges.items())

    def cancelled(self) -> Iterator[tuple[str, str]]:
        """Cancel the jobs that are queued or run.

        Yields:
            Id and state of each afterwards: ``"cancelled"``, or ``"done"`` where it finished first.

        Raises:
            DeviceError: The ledger is empty, and the service does not answer; or it refuses to cancel.
        """
        for job_id in self._jobs():
            if self._retrying.state(job_id) == "waiting":
                self._retrying.cancel(job_id)
                yield job_id, self._retrying.state(job_id)

    def _jobs(self) -> dict[str, tuple[str, ...]]:
        if self._found is None:
            entries = self._ledger.entries()
            known = {entry.job_id for entry in entries} | {entry.description.tag for entry in entries}
            listed = {} if self._run is None else self._retrying.tagged(_RUN + self._run, needed=not entries)
            self._found = {name: tags for name, tags in listed.items() if known.isdisjoint((name, *tags))}
        return self._found


def _estimate(tags: tuple[str, ...]) -> float:
    try:
        return next(float(tag.removeprefix(_SECONDS)) for tag in tags if tag.startswith(_SECONDS))
    except (StopIteration, ValueError):
        return 0.0
