"""A backend of any Qiskit provider as a device behind a service: jobs are sent once and retrieved by id.

Qiskit's `BackendV2` and `JobV1` say how to run circuits and to ask for results, not how to find a job again; providers
have methods of several names for that. Listings by tag they do not have, so of a job whose id was lost it cannot be
found out whether it arrived; it is then not sent again before the user has looked.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit.providers import BackendV2

from qep_qiskit.core.errors import DeviceError, QepError
from qep_qiskit.device.pubs import JobSpecification
from qep_qiskit.device.service import JobView, LostError, RefusedError
from qep_qiskit.execution.backend_runs import (
    BackendRuns,
    BoundCircuits,
    bits_in_shape,
    bits_of_result,
    bound_rows,
    most_shots,
)
from qep_qiskit.execution.bound_circuits import takes_free_angles

_RETRIEVALS = ("retrieve_job", "job", "retrieve_task", "get_job")
_STATES: dict[str, Any] = {"DONE": "done", "ERROR": "failed", "CANCELLED": "cancelled"}
_NOT_KNOWN = "its provider does not say"


def retrieval_of(backend: BackendV2) -> Callable[[str], Any] | None:
    """How jobs of a backend are retrieved by id: a method of the backend, its provider or its service.

    Args:
        backend: The backend.

    Returns:
        Takes the id of a job and returns it; None where the provider has no such method.
    """
    for name in ("", "provider", "service"):
        owner = getattr(backend, name, None) if name else backend
        if name and callable(owner):
            owner = owner()
        for method in _RETRIEVALS:
            found = getattr(owner, method, None)
            if callable(found):
                return found
    return None


class ProviderDevice:
    """A backend whose jobs can be retrieved by id; see `RemoteDevice`.

    Args:
        backend: The backend.
        instance: The name that it has in the configuration.

    Raises:
        DeviceError: Its jobs cannot be retrieved.
    """

    mode = "job"
    lists_jobs = False

    def __init__(self, backend: BackendV2, instance: str) -> None:
        retrieval = retrieval_of(backend)
        if retrieval is None:
            raise DeviceError(
                f"execution.backend: '{instance}' has no method that retrieves a job by id ({', '.join(_RETRIEVALS)})"
            )
        if not takes_free_angles(backend, 3):
            raise DeviceError(
                f"execution.backend: the transpiler of '{instance}' takes no free angles, which jobs in a ledger need; "
                "name a backend whose jobs are not retrieved"
            )
        self.backend, self.instance, self._job, self._runs = backend, instance, retrieval, BackendRuns(backend)
        self.name = str(backend.name or instance)

    def whole(self) -> BackendV2:
        """The backend."""
        return self.backend

    def batch(self) -> None:
        """Jobs are on their own."""
        return

    def close(self) -> None:
        """Nothing is open."""

    def why_closed(self) -> str | None:
        """What keeps the device from working now, where it says so."""
        with_retries = getattr(self.backend, "status", None)
        if not callable(with_retries):
            return None
        with self._explained():
            status = with_retries()
        if getattr(status, "operational", True):
            return None
        return f"the device is not taking jobs ({getattr(status, 'status_msg', '') or 'not operational'})"

    def remaining_seconds(self) -> float | None:
        """Not known."""
        return None

    def estimated_seconds(self, specification: JobSpecification) -> float:
        """Prices of other providers are not known: nothing counts against `execution.max_qpu_seconds`."""
        return 0.0

    def require_fit(self, specification: JobSpecification) -> None:
        """Check that the device takes so many circuits and shots in a job.

        Raises:
            DeviceError: It does not.
        """
        limit = most_shots(self.backend)
        if limit is not None and specification.shots > limit:
            raise DeviceError(
                f"{self.name}: the device takes {limit} shots of a circuit and a job has {specification.shots}; "
                "nothing was "
                "submitted, use fewer measurement.shots in a new run"
            )
        most = self.backend.max_circuits
        if most is not None and specification.num_circuits > most:
            raise DeviceError(
                f"{self.name}: a job would have {specification.num_circuits} circuits and the device takes {most}; "
                "nothing was "
                "submitted, use a smaller training.batch_size"
            )

    def send(self, specification: JobSpecification, tag: str, most_seconds: int) -> str:
        """Send a job once, and return its id."""
        with self._explained():
            return str(self._runs.start(bound_rows(_bound(specification)), specification.shots).job_id())

    def find(self, tag: str) -> list[str]:
        """None: providers do not list jobs by tag."""
        return []

    def job_view(self, job_id: str) -> JobView:
        """How far a job is."""
        with self._explained():
            status = self._job(job_id).status()
        state = _STATES.get(str(getattr(status, "name", status)).upper(), "waiting")
        return JobView(state=state, reason=_NOT_KNOWN if state == "failed" else "")

    def fetch(self, job_id: str, specification: JobSpecification) -> list[NDArray[np.uint8]]:
        """Bits of a finished job, for every PUB an array of shape (..., shots, bytes)."""
        with self._explained():
            result = self._job(job_id).result()
        bound = _bound(specification)
        name = f"{self.name}: job {job_id}"
        generator = np.random.default_rng(zlib.crc32(job_id.encode()))
        rows = bits_of_result(result, bound_rows(bound), specification.shots, name, generator)
        return bits_in_shape(rows, bound, specification.shots)

    def usage_seconds(self, job_id: str) -> float | None:
        """Not known."""
        return None

    def cancel(self, job_id: str) -> None:
        """Cancel a job.

        Raises:
            RefusedError: The provider does not.
        """
        with self._explained():
            job = self._job(job_id)
            if job.cancel() is False:
                raise RefusedError(f"job {job_id} cannot be cancelled")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """A provider may raise anything, and whether it did what was asked is then not known."""
        try:
            yield
        except (QepError, RefusedError):
            raise
        except Exception as error:
            raise LostError(f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]) from None


def _bound(specification: JobSpecification) -> BoundCircuits:
    return [(pub.circuit, pub.values) for pub in specification.pubs]
