"""Polling of a service: queries change nothing, so they are repeated until there is an answer."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from qep_qiskit.core.errors import DeviceError, PausedError, ResultError, StillQueuedError, UnavailableError
from qep_qiskit.device.interruptible import AbandonedError, answer_of
from qep_qiskit.device.ledger_rows import JobEntry
from qep_qiskit.device.service import BusyError, JobView, LostError, MissingError, RefusedError, RemoteDevice

_LOG = logging.getLogger(__name__)
MOST_REFUSALS = 3
"""Number of refusals after which a call fails; fewer are repeated, since a login may have expired."""
MOST_UNFIT_RESULTS = 4
"""Number of times that a result is fetched if it does not match, or a job is asked for if it is not there.

An answer may be truncated, and a new job may appear late."""
_LONGEST_SLEEP = 0.2
_SECONDS_BETWEEN_LINES = 30.0

Answer = TypeVar("Answer")
Waiting = Callable[[str, float, JobView], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Time limits and pauses of polling, in seconds.

    Args:
        settling: Longest time that an accepted job may be missing from the listing.
        first_pause: First pause between two queries.
        longest_pause: Longest pause between two queries.
        without_answer: Longest time without an answer of the service.
        wait: Longest time until a job is finished, or None without a limit.
    """

    settling: float = 30.0
    first_pause: float = 1.0
    longest_pause: float = 60.0
    without_answer: float = 1800.0
    wait: float | None = None

    def pauses(self) -> Callable[[], float]:
        """Pauses of one wait in seconds, each 1.5 times the one before up to the longest."""
        pause = self.first_pause / 1.5

        def following() -> float:
            nonlocal pause
            pause = min(1.5 * pause, self.longest_pause)
            return pause

        return following


class RetryingDevice:
    """Queries to a device about jobs of the ledger, repeated by a retry policy.

    Args:
        device: The device.
        retries: The retry policy.
        stopping: Whether to stop waiting; called several times a second.
        waiting: Called at every query with the id of the job, the seconds waited so far, and the state of the job.
    """

    def __init__(
        self,
        device: RemoteDevice,
        retries: RetryPolicy,
        *,
        stopping: Callable[[], bool] = lambda: False,
        waiting: Waiting = lambda job_id, seconds, view: None,
    ) -> None:
        self._device, self._retries, self._stopping, self._waiting = device, retries, stopping, waiting

    def settled(self, entry: JobEntry) -> list[str]:
        """Ids of the jobs under a tag; empty only if the listing is empty for the settling time.

        Raises:
            DeviceError: The provider lists no jobs, so it is unknown whether this one arrived.
        """
        if not self._device.lists_jobs:
            raise DeviceError(
                f"{self._device.name}: whether the last job arrived is not known, and its provider lists no jobs by "
                "tag; search for it there, and abandon it with 'qep cancel' before it is sent again"
            )
        pauses = self._retries.pauses()
        # A row posted "in the future" was written under another clock: its settling time begins now.
        posted, began = min(entry.posted, time.time()), time.monotonic()
        passed = time.time() - posted
        while True:
            late = passed + time.monotonic() - began >= self._retries.settling
            found = self.listed(entry)
            if found or late:
                return found
            self.sleep(min(pauses(), self._retries.settling), entry)

    def require_open(self, advice: str) -> None:
        """Check that the device runs jobs: in maintenance they would only be queued.

        Args:
            advice: Text to append to the message.

        Raises:
            DeviceError: The device is closed, or the service does not answer.
        """
        closed = self.with_retries(self._device.why_closed)
        if closed is not None:
            raise UnavailableError(f"{self._device.name}: {closed}; nothing was submitted, {advice}")

    def listed(self, entry: JobEntry) -> list[str]:
        """Ids of the jobs under a tag in the present listing."""
        return list(self.with_retries(lambda: self._device.find(entry.description.tag), about=entry))

    def tagged(self, tag: str, *, needed: bool) -> dict[str, tuple[str, ...]]:
        """Return all jobs with a tag, oldest first: their ids, with all tags of each.

        Args:
            tag: The tag.
            needed: Whether the answer is waited for; otherwise there are none if the service does not answer now.

        Raises:
            DeviceError: The answer is needed, and the service gives none for too long.
        """
        if needed:
            return self.with_retries(lambda: self._device.find(tag))
        try:
            return self._device.find(tag)
        except (RefusedError, BusyError, LostError) as error:
            _LOG.warning("%s: jobs that the ledger does not know could not be looked for: %s", self._device.name, error)
            return {}

    def state(self, job_id: str) -> str:
        """State of a job that the ledger does not know; ``"not known"`` where the service does not say it now."""
        try:
            return self._device.job_view(job_id).state
        except (RefusedError, BusyError, LostError):
            return "not known"

    def cancel(self, job_id: str, about: JobEntry | None = None) -> None:
        """Cancel a job; a finished job is unchanged.

        Args:
            job_id: Id of the job at the service.
            about: Row of the job in the ledger, if it has one.
        """

        def cancelled() -> None:
            try:
                self._device.cancel(job_id)
            except (LostError, RefusedError):
                if self._device.job_view(job_id).state == "waiting":
                    raise

        self.with_retries(cancelled, about=about)

    def cancel_once(self, entry: JobEntry) -> None:
        """Try once to cancel a job, if it is the one that was sent and waits."""
        assert entry.job_id is not None
        try:
            view = self._device.job_view(entry.job_id)
            if view.state == "waiting" and view.carries(entry.description.tag):
                self._device.cancel(entry.job_id)
        except (RefusedError, BusyError, LostError) as error:
            _LOG.warning("job %s could not be cancelled: %s", entry.job_id, error)

    def cancel_others(self, entry: JobEntry) -> int | None:
        """Cancel further jobs under the entry's tag.

        Returns:
            The number of jobs that could not be cancelled, or None where the listing could not be read. The ledger
            charges their estimates.
        """
        if not self._device.lists_jobs:
            return 0
        left = 0
        try:
            found = list(self._device.find(entry.description.tag))
        except (RefusedError, BusyError, LostError) as error:
            _LOG.warning("duplicates of job %s could not be searched for: %s", entry.job_id, error)
            return None
        if entry.job_id not in found:  # it is not listed yet, or the service reported the id of another job
            return None
        for job_id in found:
            if job_id == entry.job_id:
                continue
            _LOG.warning("job %s was accepted a second time as %s, which is cancelled", entry.job_id, job_id)
            try:
                self._device.cancel(job_id)
            except (RefusedError, BusyError, LostError) as error:
                left += self.state(job_id) != "cancelled"
                _LOG.warning("job %s, a duplicate of %s, could not be cancelled: %s", job_id, entry.job_id, error)
        return left

    def finished(self, entry: JobEntry) -> JobView:
        """Wait until a job is finished, successful or not.

        Raises:
            StillQueuedError: The job is not finished in the time allowed.
            PausedError: A stop is requested.
        """
        assert entry.job_id is not None
        pauses, started, wait = self._retries.pauses(), time.monotonic(), self._retries.wait
        while True:
            view = self.view(entry, entry.job_id)
            if view.state != "waiting":
                return view
            self._waiting(entry.job_id, time.monotonic() - started, view)
            pause = pauses()
            if wait is not None and time.monotonic() + pause > started + wait:
                waited = f" after {wait:.0f} s" if wait else ""
                raise StillQueuedError(
                    f"job {entry.job_id} on {self._device.name} is still queued{waited}; its id is saved, collect it "
                    "later with 'qep collect' or 'qep resume'"
                )
            self.sleep(pause, entry)

    def view(self, entry: JobEntry, job_id: str) -> JobView:
        """Query the state of a job."""
        return self.with_retries(lambda: self._device.job_view(job_id), about=entry)

    def usage(self, job_id: str) -> float | None:
        """QPU seconds charged for a job, or None if the charge is not final or not available now."""
        try:
            return self._device.usage_seconds(job_id)
        except (RefusedError, BusyError, LostError):
            return None

    def with_retries(self, call: Callable[[], Answer], *, about: JobEntry | None = None) -> Answer:
        """Repeat a call until it returns, and return its result.

        Args:
            call: A query; it may be called many times.
            about: The job that it concerns, or None.

        Raises:
            DeviceError: The service refuses to answer, or gives no answer for too long.
            ResultError: The service does not know the job, though it was accepted longer ago than the settling time.
            PausedError: A stop is requested.
        """
        pauses, refusals, missing, began = self._retries.pauses(), 0, 0, time.monotonic()
        deadline, said = began + self._retries.without_answer, began
        while True:
            try:
                return answer_of(call, stopping=self._stopping)
            except AbandonedError:
                raise PausedError(self._job_note(about)) from None
            except BusyError as error:
                pause, reason = error.seconds or pauses(), str(error)
            except RefusedError as error:
                refusals += 1
                pause, reason = pauses() if refusals < MOST_REFUSALS else math.inf, str(error)
            except LostError as error:
                pause, reason = pauses(), str(error)
                missing += isinstance(error, MissingError)
                if about is not None and missing >= MOST_UNFIT_RESULTS and self._has_settled(about, began):
                    raise ResultError(
                        f"job {about.job_id} on {self._device.name}: the service does not know it any more ({reason}); "
                        f"nothing is sent again before 'qep cancel --forget {about.job_id} DIR' gives it up"
                    ) from None
            if time.monotonic() + pause > deadline:
                what = "refuses to answer" if pause == math.inf else "does not answer"
                kept = "nothing was submitted" if about is None else "the job is in the ledger, go on with 'qep resume'"
                kind = DeviceError if pause == math.inf else UnavailableError
                raise kind(f"{self._device.name}: the service {what} ({reason}); {kept}")
            if time.monotonic() > said + _SECONDS_BETWEEN_LINES:
                said = time.monotonic()
                _LOG.warning("%s: no answer for %.0f s (%s); still polling", self._device.name, said - began, reason)
            self.sleep(pause, about)

    def _has_settled(self, entry: JobEntry, began: float) -> bool:
        """Whether a job whose id is known must be known to the service by now."""
        passed = max(0.0, time.time() - entry.posted) + time.monotonic() - began
        return entry.job_id is not None and passed >= self._retries.settling

    def sleep(self, seconds: float, about: JobEntry | None) -> None:
        """Sleep in short pieces, so that a requested stop takes effect soon.

        Args:
            seconds: Duration in seconds.
            about: The job that is waited for, or None.

        Raises:
            PausedError: A stop is requested.
        """
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self._stopping():
                raise PausedError(self._job_note(about))
            time.sleep(min(left, _LONGEST_SLEEP))

    def _job_note(self, entry: JobEntry | None) -> str:
        if entry is None:
            return f"no job was under way on {self._device.name}"
        if entry.job_id is None:
            return f"a job may have reached {self._device.name}, it is in the ledger"
        return f"job {entry.job_id} on {self._device.name} goes on, its id is saved"
