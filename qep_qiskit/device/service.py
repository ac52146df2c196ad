"""A device behind a service, and the kinds of errors of its calls."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from qiskit.providers import BackendV2

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import DeviceError
from qep_qiskit.device.specification import JobSpecification
from qep_qiskit.device.usage import Price
from qep_qiskit.execution.backend_runs import most_shots
from qep_qiskit.execution.on_device import circuit_seconds


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


class MissingError(LostError):
    """The service does not know a job: it is so new that it is not shown yet, or it was deleted."""


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
        tags: Tags of the job, or None where the service does not say.

    Example:
        >>> view = qep.JobView(state="waiting", position=3, tags=("qep", "mine"))
        >>> view.carries("mine"), view.carries("other")
        (True, False)
    """

    state: Literal["waiting", "done", "failed", "cancelled"]
    reason: str = ""
    retry: bool = True
    capped: bool = False
    running: bool = False
    position: int | None = None
    starts: float | None = None
    tags: tuple[str, ...] | None = None

    def carries(self, tag: str) -> bool:
        """Whether the job has a tag, as far as the service says."""
        return self.tags is None or tag in self.tags


class RemoteDevice(ABC):
    """A device behind a service: jobs are sent once, and retrieved by their id.

    A vendor whose jobs need more than `ProviderDevice` does derives a class from this one, and names a function that
    makes it in ``execution.backend``. Every call may raise `RefusedError`, `BusyError` and `LostError`. Results,
    states and charges are asked for by the id of a job, and must not need the device itself: it may be gone by then.

    Example:
        >>> class Machine(qep.RemoteDevice):
        ...     name, instance, price = "machine", "me", qep.Price(unit="EUR", per_job=2.0)
        ...     backend = None  # a BackendV2
        ...     def send(self, specification, tags, most_seconds):
        ...         circuits = [(pub.circuit, pub.values) for pub in specification.pubs]  # run them, return the id
        ...     def job_view(self, job_id):
        ...         return qep.JobView(state="done")
        ...     def fetch(self, job_id, specification):
        ...         return []  # for every PUB bits of shape (..., shots, bytes)
        ...     def raw_result(self, job_id):
        ...         return "{}"
        ...     def cancel(self, job_id):
        ...         raise NotImplementedError
        >>> Machine().price.of(jobs=3), Machine().lists_jobs, Machine().remaining_seconds()
        (6.0, False, None)
    """

    name: str
    lists_jobs = False
    """Whether `find` finds all jobs that arrived; if not, a job with a lost id is not sent again."""
    mode = "job"
    """Execution mode of the jobs."""
    most_executions: int | None = None
    """Largest number of executions of a job, or None without a limit."""

    @property
    @abstractmethod
    def instance(self) -> str:
        """Name of who pays for the jobs."""

    @property
    @abstractmethod
    def backend(self) -> BackendV2:
        """The device with the gates that jobs use; asked for only where circuits are made or sent.

        Raises:
            DeviceError: The device cannot be read.
        """

    @abstractmethod
    def send(self, specification: JobSpecification, tags: Sequence[str], most_seconds: int) -> str:
        """Send a job once, and return its id.

        Args:
            specification: Circuits, shots and options of the job.
            tags: Tags of this submission, the first of which is unique; only for services with tags.
            most_seconds: Longest execution time of the job in seconds; only for services with such a limit.
        """

    @abstractmethod
    def job_view(self, job_id: str) -> JobView:
        """Return the state of a job.

        Raises:
            MissingError: The service does not know the job.
        """

    @abstractmethod
    def fetch(self, job_id: str, specification: JobSpecification) -> Sequence[Any]:
        """Return the results of a finished job: for every PUB a BitArray, or bits of shape (..., shots, bytes).

        Args:
            job_id: Id of the job.
            specification: Circuits, shots and options of the job.

        Raises:
            ResultError: The result cannot be read, or has other registers.
            MissingError: The service does not know the job.
        """

    @abstractmethod
    def raw_result(self, job_id: str) -> str:
        """Return the result of a finished job as the service gives it, as text.

        Raises:
            MissingError: The service does not know the job.
        """

    @abstractmethod
    def cancel(self, job_id: str) -> None:
        """Cancel a job."""

    @property
    def price(self) -> Price:
        """Price of jobs, in QPU seconds or another unit; that of an unknown price has no unit."""
        return Price(unit="")

    def whole(self) -> BackendV2:
        """Return the device with all of its gates, also those that jobs do not use.

        Raises:
            DeviceError: The device cannot be read.
        """
        return self.backend

    def batch(self) -> str | None:
        """Return the id of the batch or session of the jobs, opened where there is none; None in job mode."""
        return None

    def close(self) -> None:
        """Close the batch or session, if one is open; its jobs still run."""
        return

    def why_closed(self) -> str | None:
        """Reason why the device does not run jobs now, or None."""
        return None

    def remaining_seconds(self) -> float | None:
        """QPU seconds that remain to the account, or None without a limit."""
        return None

    def usage_seconds(self, job_id: str) -> float | None:
        """QPU seconds charged for a job, or None while the charge is not final.

        Args:
            job_id: Id of the job.
        """
        return None

    def find(self, tag: str) -> dict[str, tuple[str, ...]]:
        """Return all jobs with a tag, oldest first: their ids, with all tags of each.

        Args:
            tag: One of the tags of the jobs.
        """
        return {}

    def estimated_seconds(self, specification: JobSpecification) -> float:
        """Estimate the QPU seconds that a job is charged; 0 where the price is unknown or in another unit.

        Args:
            specification: Circuits, shots and options of the job.
        """
        if not self.price.in_seconds:
            return 0.0
        return self.estimated_price(specification) or 0.0

    def estimated_price(self, specification: JobSpecification) -> float | None:
        """Estimate the price of a job in the unit of the device; None where it is unknown.

        Args:
            specification: Circuits, shots and options of the job.
        """
        price = self.price
        if not price.unit:
            return None
        made = specification.options.executions(specification.shots)
        return price.of(jobs=1) + sum(
            price.of(
                circuits=pub.num_circuits,
                executions=pub.num_circuits * made,
                circuit_seconds=circuit_seconds(pub.circuit, self.backend.target),
            )
            for pub in specification.pubs
        )

    def require_fit(self, specification: JobSpecification) -> None:
        """Check that the device accepts a job: its shots, and the number of its circuits.

        Args:
            specification: Circuits, shots and options of the job.

        Raises:
            MisfitError: A circuit uses a gate or coupler that the device does not have.
            DeviceError: The job exceeds a limit of the device.
        """
        most, made = most_shots(self.backend), specification.options.executions(specification.shots)
        if most is not None and made > most:
            raise DeviceError(
                f"{self.name}: the device takes {most} shots of a circuit and a job has {specification.shots}; "
                "nothing was submitted, use fewer measurement.shots in a new run"
            )
        limit = self.most_circuits
        if limit is not None and specification.num_circuits > limit:
            raise DeviceError(
                f"{self.name}: a job would have {amount(specification.num_circuits, 'circuit')} and the device takes "
                f"{limit}; nothing was submitted, use a smaller training.batch_size"
            )

    @property
    def most_circuits(self) -> int | None:
        """Largest number of bound circuits in a job, or None without a limit."""
        return None
