"""Execution modes of IBM's service: single jobs, a batch, or a session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from qiskit_ibm_runtime import Batch, Session

Mode = Literal["job", "batch", "session"]


class Workload:
    """The execution mode of jobs: the device itself, or a batch or session that is opened at the first job.

    Args:
        mode: ``"job"``, ``"batch"`` or ``"session"``.
        backend: Returns the device.
        most_seconds: Longest duration of a session in seconds, which is charged by the clock. A batch has the limit of
            the service.
    """

    def __init__(self, mode: Mode, backend: Callable[[], Any], most_seconds: int | None = None) -> None:
        self._mode, self._backend, self._most_seconds = mode, backend, most_seconds
        self._open: Any = None

    @property
    def mode(self) -> Any:
        """Value of a sampler's ``mode`` argument."""
        return self._backend() if self._open is None else self._open

    def current(self) -> str | None:
        """Id of the batch or session, a new one where none accepts jobs; None in job mode."""
        if self._mode == "job":
            return None
        if self._open is None or not self._takes_jobs():
            self._open = (
                Batch(backend=self._backend())
                if self._mode == "batch"
                else Session(backend=self._backend(), max_time=self._most_seconds)
            )
        return str(self._open.session_id)

    def _takes_jobs(self) -> bool:
        details = self._open.details()
        return bool(details and details.get("accepting_jobs"))

    def close(self) -> None:
        """Close the batch or session; its waiting jobs still run."""
        opened, self._open = self._open, None
        if opened is not None:
            opened.close()
