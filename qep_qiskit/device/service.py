"""What a device behind a service must be able to do, and the three ways in which it may not answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from qiskit.providers import BackendV2

from qep_qiskit.core.errors import DeviceError
from qep_qiskit.device.pubs import JobSpecification


class RefusedError(Exception):
    """The service answered that it does not do this; nothing was accepted.

    Args:
        message: What it said.
        login: Whether it did not know who asks; access tokens are renewed, so the next try may fare better.
    """

    def __init__(self, message: str, *, login: bool = False) -> None:
        super().__init__(message)
        self.login = login


class BusyError(Exception):
    """The service asks to come back later; nothing was accepted.

    Args:
        message: What it said.
        seconds: When to come back, if it said so.
    """

    def __init__(self, message: str, seconds: float | None = None) -> None:
        super().__init__(message)
        self.seconds = seconds


class MisfitError(DeviceError):
    """Circuits are not the device's own: it lacks a gate or a coupler that they use."""


class LostError(Exception):
    """No answer that can be read; whether the service did what was asked is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """What the service says of a job.

    Args:
        state: Whether it waits (or runs), is done, failed, or was cancelled.
        reason: Why it failed.
        retry: Whether the same job may well succeed if it is sent again.
        capped: Whether it was stopped because it ran for longer than it was allowed to.
    """

    state: Literal["waiting", "done", "failed", "cancelled"]
    reason: str = ""
    retry: bool = True
    capped: bool = False


class RemoteDevice(Protocol):
    """A device and its service. Every call may raise `RefusedError`, `BusyError` and `LostError`."""

    name: str
    instance: str
    backend: BackendV2
    lists_jobs: bool
    """Whether `find` finds all jobs that arrived; without that a job whose id was lost is not sent again."""

    @property
    def mode(self) -> str:
        """``"job"``, ``"batch"`` or ``"session"``."""
        ...

    def whole(self) -> BackendV2:
        """The device with all that it offers, whatever jobs use of it.

        Raises:
            DeviceError: It cannot be read.
        """
        ...

    def batch(self) -> str | None:
        """Id of the batch or session that jobs go into, opened where there is none; None in job mode."""
        ...

    def close(self) -> None:
        """Close the batch or session, if one is open; its jobs go on."""
        ...

    def why_closed(self) -> str | None:
        """What keeps the device from working now, or None."""
        ...

    def remaining_seconds(self) -> float | None:
        """QPU seconds that the account may still use, or None where there is no limit."""
        ...

    def estimated_seconds(self, specification: JobSpecification) -> float:
        """QPU seconds that a job will probably be charged."""
        ...

    def require_fit(self, specification: JobSpecification) -> None:
        """Check that the circuits are the device's own.

        Raises:
            DeviceError: They are not.
        """
        ...

    def send(self, specification: JobSpecification, tag: str, most_seconds: int) -> str:
        """Send a job once, and return its id."""
        ...

    def find(self, tag: str) -> list[str]:
        """Ids of all jobs with a tag, oldest first."""
        ...

    def job_view(self, job_id: str) -> JobView:
        """How far a job is."""
        ...

    def fetch(self, job_id: str, specification: JobSpecification) -> Sequence[Any]:
        """What a finished job read: for every PUB a BitArray, or bits of shape (..., shots, bytes).

        Raises:
            ResultError: The answer cannot be read, or it is of other registers.
        """
        ...

    def usage_seconds(self, job_id: str) -> float | None:
        """QPU seconds charged for a job, or None while the charge is not final."""
        ...

    def cancel(self, job_id: str) -> None:
        """Cancel a job."""
        ...
