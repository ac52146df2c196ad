"""How jobs are put together at IBM's service: each on its own, in a batch, or in a session."""

from __future__ import annotations

from typing import Any, Literal

from qiskit_ibm_runtime import Batch, Session

Mode = Literal["job", "batch", "session"]


class Workload:
    """Where jobs go: to the device itself, or into a batch or session that is opened when it is first needed.

    Args:
        mode: Which.
        backend: The device.
        most_seconds: How long a session may be open; it is charged by the clock. A batch has the service's own limit.
    """

    def __init__(self, mode: Mode, backend: Any, most_seconds: int | None = None) -> None:
        self._mode, self._backend, self._most_seconds = mode, backend, most_seconds
        self._open: Any = None

    @property
    def mode(self) -> Any:
        """What a sampler is given as its mode."""
        return self._backend if self._open is None else self._open

    def current(self) -> str | None:
        """Id of the batch or session, a new one where there is none that still takes jobs; None in job mode."""
        if self._mode == "job":
            return None
        if self._open is None or not self._takes_jobs():
            self._open = (
                Batch(backend=self._backend)
                if self._mode == "batch"
                else Session(backend=self._backend, max_time=self._most_seconds)
            )
        return str(self._open.session_id)

    def _takes_jobs(self) -> bool:
        details = self._open.details()
        return bool(details and details.get("accepting_jobs"))

    def close(self) -> None:
        """Close what is open; jobs that wait in it go on."""
        opened, self._open = self._open, None
        if opened is not None:
            opened.close()
