"""Submission of jobs: each is sent once, until its arrival is known, and duplicates are cancelled."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence

from qep_qiskit.core.errors import DeviceError, UnavailableError
from qep_qiskit.device.jobs import cancel_duplicates
from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.device.ledger_rows import JobEntry
from qep_qiskit.device.lost_jobs import tags_of
from qep_qiskit.device.retries import MOST_REFUSALS, RetryingDevice, RetryPolicy
from qep_qiskit.device.service import BusyError, LostError, RefusedError, RemoteDevice
from qep_qiskit.device.specification import JobSpecification

_LOG = logging.getLogger(__name__)
_SENDINGS = 3  # of a job that has not arrived


class Submission:
    """Sends jobs that the ledger intends.

    Args:
        device: The device.
        retrying: The device, with retries.
        retries: Retry policy.
        ledger: Ledger of the run.
        run: Id of the run, a tag of its jobs; None without one.
    """

    def __init__(
        self, device: RemoteDevice, retrying: RetryingDevice, retries: RetryPolicy, ledger: JobLedger, run: str | None
    ) -> None:
        self._device, self._retrying, self._retries, self._ledger, self._run = device, retrying, retries, ledger, run
        self.sent: list[JobEntry] = []
        """Jobs that this process has sent."""

    def send(self, entry: JobEntry, specification: JobSpecification) -> JobEntry:
        """Send an intended job until its arrival is known.

        Raises:
            DeviceError: The service refuses the job.
            UnavailableError: It is busy, or the job does not arrive.
        """
        most_seconds, message = entry.description.options["max_execution_time"], ""
        for sending in range(_SENDINGS):
            entry = self._ledger.posting(entry) if sending else entry
            try:
                job_id = self._post(entry, specification, most_seconds)
            except LostError as error:
                message = str(error)
                _LOG.warning("no answer to a submission (%s); looking for the job", message)
                found = self._retrying.settled(entry)
                if found:
                    return self.adopted(entry, found)
                continue
            return self.adopted(entry, [job_id])
        raise UnavailableError(
            f"{self._device.name}: the job did not arrive in {_SENDINGS} attempts ({message}); it is in "
            "the ledger, go on later with 'qep resume'"
        )

    def _post(self, entry: JobEntry, specification: JobSpecification, most_seconds: int) -> str:
        """Send once, with an answer or without; a busy service has accepted nothing, so the call waits and repeats."""
        pauses, deadline, refusals = self._retries.pauses(), time.monotonic() + self._retries.without_answer, 0
        described = entry.description
        fingerprint = specification.fingerprint(described.key, described.part)
        tags = tags_of(described.tag, self._run, fingerprint, described.estimated_seconds)
        while True:
            try:
                return self._device.send(specification, tags, most_seconds)
            except BusyError as busy:
                pause = busy.seconds or pauses()
                reason = str(busy)
            except RefusedError as error:
                refusals += 1
                pause, reason = pauses() if error.login and refusals < MOST_REFUSALS else math.inf, str(error)
            if time.monotonic() + pause > deadline:
                self._ledger.ended(entry, "refused", reason)
                kind = DeviceError if pause == math.inf else UnavailableError
                raise kind(
                    f"{self._device.name}: the job was not accepted ({reason}); nothing was submitted, try again with "
                    "'qep resume'"
                )
            self._retrying.sleep(pause, entry)
            entry = self._ledger.posting(entry)

    def adopted(self, entry: JobEntry, found: Sequence[str]) -> JobEntry:
        """Use one of the jobs found for the entry, the oldest that has not failed, and cancel the others.

        Args:
            entry: Row of the job.
            found: Ids of the jobs under its tag, oldest first.
        """
        several = len(found) > 1
        living = [name for name in found if not several or self._retrying.view(entry, name).state != "cancelled"]
        entry = self._ledger.submitted(entry, (living or list(found))[0])
        cancel_duplicates(self._ledger, self._retrying, entry)
        key, seconds = entry.description.key, entry.description.estimated_seconds
        _LOG.info("job %s of %s %d is submitted, about %.1f s", entry.job_id, key.purpose, key.step, seconds)
        self.sent.append(entry)
        return entry
