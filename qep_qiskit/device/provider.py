"""A backend of any Qiskit provider as a device behind a service: jobs are sent once and retrieved by id.

Qiskit's `BackendV2` and `JobV1` define how to run circuits and to read results, not how to retrieve a job later;
providers have methods of several names for that. They have no listing by tag. So where the id of a job is lost, nothing
shows whether the job arrived, and it is not sent again before the user has checked.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.providers import BackendV2

from qep_qiskit.core.errors import DeviceError, QepError
from qep_qiskit.device.service import JobView, LostError, RefusedError, RemoteDevice
from qep_qiskit.device.specification import JobSpecification
from qep_qiskit.device.usage import Price, price_of
from qep_qiskit.execution.backend_runs import bits_of_result, bound_rows, runs_of
from qep_qiskit.execution.result_bits import REGISTER

_RETRIEVALS = ("retrieve_job", "job", "retrieve_task", "get_job")
_STATES: dict[str, Any] = {"DONE": "done", "ERROR": "failed", "CANCELLED": "cancelled"}
_NOT_KNOWN = "its provider does not say"


def retrieval_of(backend: BackendV2) -> Callable[[str], Any] | None:
    """Find the method that retrieves jobs by id: of the backend, its provider or its service.

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


class ProviderDevice(RemoteDevice):
    """A backend whose jobs can be retrieved by id; see `RemoteDevice`.

    Args:
        backend: The backend.
        instance: Name of the backend in the configuration.

    Raises:
        DeviceError: The provider has no method that retrieves jobs.
    """

    def __init__(self, backend: BackendV2, instance: str) -> None:
        retrieval = retrieval_of(backend)
        if retrieval is None:
            raise DeviceError(
                f"execution.backend: '{instance}' has no method that retrieves a job by id ({', '.join(_RETRIEVALS)})"
            )
        self._backend, self._instance, self._job, self._runs = backend, instance, retrieval, runs_of(backend)
        self.name = str(backend.name or instance)

    @property
    def backend(self) -> BackendV2:
        """The backend."""
        return self._backend

    @property
    def instance(self) -> str:
        """Name of the backend in the configuration."""
        return self._instance

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

    @property
    def most_circuits(self) -> int | None:
        """Largest number of bound circuits in a job, or None without a limit."""
        return self.backend.max_circuits

    @property
    def price(self) -> Price:
        """Price that the backend states as its attribute ``price``; unknown without one."""
        return price_of(self.backend)

    def send(self, specification: JobSpecification, tags: Sequence[str], most_seconds: int) -> str:
        """Send a job once, and return its id; providers have no tags and no limit of the time."""
        with self._explained():
            rows = bound_rows([(pub.circuit, pub.values) for pub in specification.pubs])
            return str(self._runs.start(rows, specification.shots).job_id())

    def job_view(self, job_id: str) -> JobView:
        """Return the state of a job."""
        with self._explained():
            status = self._job(job_id).status()
        said = str(getattr(status, "name", status)).upper()
        state = _STATES.get(said, "waiting")
        return JobView(state=state, reason=_NOT_KNOWN if state == "failed" else "", running=said == "RUNNING")

    def fetch(self, job_id: str, specification: JobSpecification) -> list[NDArray[np.uint8]]:
        """Return the bits of a finished job, for every PUB an array of shape (..., shots, bytes)."""
        with self._explained():
            result = self._job(job_id).result()
        name = f"{self.name}: job {job_id}"
        generator = np.random.default_rng(zlib.crc32(job_id.encode()))
        measured = QuantumCircuit(ClassicalRegister(specification.num_qubits, REGISTER), name="measured")
        circuits = [measured] * specification.num_circuits
        rows = np.array(bits_of_result(result, circuits, specification.shots, name, generator))
        parts = np.split(rows, np.cumsum([prod(shape) for shape in specification.shapes])[:-1])
        return [part.reshape(*shape, *part.shape[1:]) for part, shape in zip(parts, specification.shapes, strict=True)]

    def raw_result(self, job_id: str) -> str:
        """Return the result of a finished job as JSON where it has a dictionary, else its description."""
        with self._explained():
            result = self._job(job_id).result()
            return json.dumps(result.to_dict(), default=str) if hasattr(result, "to_dict") else repr(result)

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
