"""A backend of any Qiskit provider as a device behind a service: jobs are sent once and retrieved by id.

Qiskit's `BackendV2` and `JobV1` define how to run circuits and to read results, not how to retrieve a job later;
providers have methods of several names for that. They have no listing by tag. So where the id of a job is lost, nothing
shows whether the job arrived, and it is not sent again before the user has checked.
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
    """Find the method that retrieves jobs by id: of the backend, its provider or its service.

    Args:
        backend: The backend.

    Returns:
        A callable from the id of a job to the job; None where the provider has no such method.
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
        instance: Name of the backend in the configuration.

    Raises:
        DeviceError: The provider has no method that retrieves jobs.
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
        """Return the backend."""
        return self.backend

    def batch(self) -> None:
        """Return None: jobs are not grouped."""
        return

    def close(self) -> None:
        """Do nothing: there is no batch or session."""

    def why_closed(self) -> str | None:
        """Reason why the device does not run jobs now, where it states one, or None."""
        with_retries = getattr(self.backend, "status", None)
        if not callable(with_retries):
            return None
        with self._explained():
            status = with_retries()
        if getattr(status, "operational", True):
            return None
        return f"the device is not taking jobs ({getattr(status, 'status_msg', '') or 'not operational'})"

    def remaining_seconds(self) -> float | None:
        """Return None: the allowance is unknown."""
        return None

    def estimated_seconds(self, specification: JobSpecification) -> float:
        """Return zero: prices are unknown, and nothing counts against `execution.max_qpu_seconds`."""
        return 0.0

    def require_fit(self, specification: JobSpecification) -> None:
        """Check that the device accepts so many circuits and shots in a job.

        Raises:
            DeviceError: The job exceeds a limit of the device.
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
        """Send a job once, and return its id.

        Args:
            specification: Circuits and shots of the job.
            tag: Ignored, since providers have no tags.
            most_seconds: Ignored, since providers have no such limit.
        """
        with self._explained():
            return str(self._runs.start(bound_rows(_bound(specification)), specification.shots).job_id())

    def find(self, tag: str) -> list[str]:
        """Return an empty list: providers do not list jobs by tag."""
        return []

    def job_view(self, job_id: str) -> JobView:
        """Return the state of a job."""
        with self._explained():
            status = self._job(job_id).status()
        said = str(getattr(status, "name", status)).upper()
        state = _STATES.get(said, "waiting")
        return JobView(state=state, reason=_NOT_KNOWN if state == "failed" else "", running=said == "RUNNING")

    def fetch(self, job_id: str, specification: JobSpecification) -> list[NDArray[np.uint8]]:
        """Return the bits of a finished job, for every PUB an array of shape (..., shots, bytes).

        Args:
            job_id: Id of the job.
            specification: Circuits and shots of the job.
        """
        with self._explained():
            result = self._job(job_id).result()
        bound = _bound(specification)
        name = f"{self.name}: job {job_id}"
        generator = np.random.default_rng(zlib.crc32(job_id.encode()))
        rows = bits_of_result(result, bound_rows(bound), specification.shots, name, generator)
        return bits_in_shape(rows, bound, specification.shots)

    def usage_seconds(self, job_id: str) -> float | None:
        """Return None: charges are unknown."""
        return None

    def cancel(self, job_id: str) -> None:
        """Cancel a job.

        Raises:
            RefusedError: The provider does not cancel it.
        """
        with self._explained():
            job = self._job(job_id)
            if job.cancel() is False:
                raise RefusedError(f"job {job_id} cannot be cancelled")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn any error of a provider into `LostError`, because it is unknown whether the call succeeded."""
        try:
            yield
        except (QepError, RefusedError):
            raise
        except Exception as error:
            raise LostError(f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]) from None


def _bound(specification: JobSpecification) -> BoundCircuits:
    return [(pub.circuit, pub.values) for pub in specification.pubs]
