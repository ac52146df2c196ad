"""The interface of a device behind a service, and its three kinds of errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from qiskit.providers import BackendV2

from qep_qiskit.core.errors import DeviceError
from qep_qiskit.device.pubs import JobSpecification


class RefusedError(Exception):
    """The service refuses a call; nothing was accepted.

    Args:
        message: Message of the service.
        login: Whether the service does not recognise the user; access tokens are renewed, so a repetition may succeed.
    """

    def __init__(self, message: str, *, login: bool = False) -> None:
        super().__init__(message)
        self.login = login


class BusyError(Exception):
    """The service is busy; nothing was accepted.

    Args:
        message: Message of the service.
        seconds: Delay before the next call in seconds, if the service states one.
    """

    def __init__(self, message: str, seconds: float | None = None) -> None:
        super().__init__(message)
        self.seconds = seconds


class MisfitError(DeviceError):
    """A circuit uses a gate or a coupler that the device does not have."""


class LostError(Exception):
    """There is no readable answer; it is unknown whether the service carried out the call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """State of a job at the service.

    Args:
        state: ``"waiting"`` (or running), ``"done"``, ``"failed"`` or ``"cancelled"``.
        reason: Reason of a failure.
        retry: Whether the same job may succeed if it is sent again.
        capped: Whether the job was stopped at its longest execution time.
        running: Whether a waiting job runs already; otherwise it is queued, or the service does not say.
        position: Position in the queue, or None where the service does not say.
        starts: Estimated start in seconds since the epoch, or None where the service does not say.
    """

    state: Literal["waiting", "done", "failed", "cancelled"]
    reason: str = ""
    retry: bool = True
    capped: bool = False
    running: bool = False
    position: int | None = None
    starts: float | None = None


class RemoteDevice(Protocol):
    """Protocol of a device and its service. Every call may raise `RefusedError`, `BusyError` and `LostError`."""

    name: str
    instance: str
    backend: BackendV2
    lists_jobs: bool
    """Whether `find` finds all jobs that arrived; if not, a job with a lost id is not sent again."""

    @property
    def mode(self) -> str:
        """Execution mode: ``"job"``, ``"batch"`` or ``"session"``."""
        ...

    def whole(self) -> BackendV2:
        """Return the device with all of its gates, also those that jobs do not use.

        Raises:
            DeviceError: The device cannot be read.
        """
        ...

    def batch(self) -> str | None:
        """Return the id of the batch or session of the jobs, opened where there is none; None in job mode."""
        ...

    def close(self) -> None:
        """Close the batch or session, if one is open; its jobs still run."""
        ...

    def why_closed(self) -> str | None:
        """Reason why the device does not run jobs now, or None."""
        ...

    def remaining_seconds(self) -> float | None:
        """QPU seconds that remain to the account, or None without a limit."""
        ...

    def estimated_seconds(self, specification: JobSpecification) -> float:
        """Estimate the QPU seconds that a job is charged."""
        ...

    def require_fit(self, specification: JobSpecification) -> None:
        """Check that circuits use only gates and couplers of the device.

        Raises:
            DeviceError: A circuit uses a gate or coupler that the device does not have.
        """
        ...

    def send(self, specification: JobSpecification, tag: str, most_seconds: int) -> str:
        """Send a job once, and return its id.

        Args:
            specification: Circuits, shots and options of the job.
            tag: Unique tag of this submission.
            most_seconds: Longest execution time of the job in seconds.
        """
        ...

    def find(self, tag: str) -> list[str]:
        """Ids of all jobs with a tag, oldest first."""
        ...

    def job_view(self, job_id: str) -> JobView:
        """Return the state of a job."""
        ...

    def fetch(self, job_id: str, specification: JobSpecification) -> Sequence[Any]:
        """Return the results of a finished job: for every PUB a BitArray, or bits of shape (..., shots, bytes).

        Args:
            job_id: Id of the job.
            specification: Circuits, shots and options of the job.

        Raises:
            ResultError: The result cannot be read, or has other registers.
        """
        ...

    def usage_seconds(self, job_id: str) -> float | None:
        """QPU seconds charged for a job, or None while the charge is not final."""
        ...

    def cancel(self, job_id: str) -> None:
        """Cancel a job."""
        ...
