"""Devices of IBM Quantum.

IBM's client is imported here, in `ibm_client`, `ibm_login` and `ibm_modes`; simulations import only its snapshots of
devices and its local sampler. Errors of the client become one of three kinds, `RefusedError`, `BusyError` or
`LostError`, by the HTTP status at the end of the chain of exceptions. No message contains the token.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit_ibm_runtime.executor_sampler import Sampler
from qiskit_ibm_runtime.utils.utils import is_isa_circuit, is_valid_rzz_pub

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import DeviceError, QepError, ResourceError, ResultError
from qep_qiskit.device.account import require_sessions
from qep_qiskit.device.ibm_client import (
    answer_in,
    disable_retries,
    is_about_the_way,
    jobs_tagged,
    raw_result_of,
    retry_after,
    status_of,
    use_instance,
)
from qep_qiskit.device.ibm_login import read_backend
from qep_qiskit.device.ibm_modes import Mode, Workload
from qep_qiskit.device.named_bits import named_bits, with_named_bits
from qep_qiskit.device.service import (
    BusyError,
    JobView,
    LostError,
    MisfitError,
    MissingError,
    RefusedError,
    RemoteDevice,
)
from qep_qiskit.device.specification import MOST_EXECUTIONS, JobSpecification, Pub
from qep_qiskit.device.usage import Price, qpu_seconds_price
from qep_qiskit.execution.on_device import checked_rep_delay

_LOG = logging.getLogger(__name__)
_NOT_ACCEPTED = frozenset(range(400, 500)) - {408, 429}
# Codes of failures caused by the job: circuits that do not fit, too long circuits, input that does not parse.
_HOPELESS = ("1517", "1519", "1520", "1603")
# The client replaces code 1305 by a sentence of its own.
_CAPPED = ("1305", "ran longer than maximum execution time")
_STATES: dict[str, Any] = {"DONE": "done", "ERROR": "failed", "CANCELLED": "cancelled"}


class IbmDevice(RemoteDevice):
    """A device of IBM behind its service; see `RemoteDevice`.

    Args:
        service: The service, logged in.
        name: Name of the device.
        num_qubits: Smallest number of qubits.
        sampler: Makes samplers; None for that of IBM's client.
        mode: Execution mode of the jobs: ``"job"``, ``"batch"`` or ``"session"``.
        most_seconds: Longest duration of a session in seconds; None for the limit of the service.
        rep_delay: Delay between executions in seconds; None for the default of the device.
        fractional_gates: Whether circuits may contain `rzz` of any angle.

    Raises:
        ConfigError: The plan of the instance has no sessions.
    """

    lists_jobs, most_executions = True, MOST_EXECUTIONS

    def __init__(
        self,
        service: Any,
        name: str,
        *,
        num_qubits: int = 0,
        sampler: Callable[..., Any] = Sampler,
        mode: Mode = "job",
        most_seconds: float | None = None,
        rep_delay: float | None = None,
        fractional_gates: bool = False,
    ) -> None:
        self._service, self._sampler = service, sampler
        self.name, self.mode = name, mode
        disable_retries(service)
        if mode == "session":
            require_sessions(service)
        self._num_qubits, self._rep_delay, self._fractional = num_qubits, rep_delay, fractional_gates
        longest = None if most_seconds is None else math.ceil(most_seconds)
        self._workload = Workload(mode, lambda: self.backend, longest)

    @cached_property
    def backend(self) -> Any:
        """The device, read at the first use.

        Raises:
            DeviceError: There is no such device or no network, or the device has no fractional gates.
            ResourceError: The device has too few qubits.
            ConfigError: The device does not support the delay.
        """
        found = read_backend(self._service, self.name, fractional_gates=self._fractional)
        if found.num_qubits < self._num_qubits:
            raise ResourceError(
                f"execution.backend: {self.name} has {amount(found.num_qubits, 'qubit')}, the network needs "
                f"{self._num_qubits}"
            )
        checked_rep_delay(found, self._rep_delay)
        return found

    @cached_property
    def instance(self) -> str:
        """CRN of the instance that pays: that of the account, or the first one that has the device."""
        if not (self._service.active_account() or {}).get("instance"):
            assert self.backend is not None  # the client finds the instance while it reads the device
        return str(self._service.active_instance())

    def whole(self) -> Any:
        """Return the device with all of its gates, also those that jobs do not use."""
        return read_backend(self._service, self.name, fractional_gates=None)

    def batch(self) -> str | None:
        """Return the id of the batch or session of the jobs, opened where there is none; None in job mode.

        Raises:
            DeviceError: The plan of the instance does not include batches or sessions.
        """
        try:
            with self._explained(_NOT_ACCEPTED):
                return self._workload.current()
        except RefusedError as error:
            raise DeviceError(
                f"execution.mode: {self.name} opens no {self.mode} for this instance ({error}); nothing was submitted, "
                "use mode = 'job'" + (" or 'batch'" if self.mode == "session" else "")
            ) from None

    def close(self) -> None:
        """Close the batch or session, if one is open. Its jobs still run, and it times out if closing fails."""
        try:
            with self._explained():
                self._workload.close()
        except (RefusedError, BusyError, LostError) as error:
            _LOG.warning("%s: the %s could not be closed (%s)", self.name, self.mode, error)

    def why_closed(self) -> str | None:
        """Reason why the device does not run jobs now, or None."""
        with self._explained():
            status = self.backend.status()
        if status.operational and status.status_msg == "active":
            return None
        return f"the device is not taking jobs ({status.status_msg or 'not operational'})"

    def remaining_seconds(self) -> float | None:
        """QPU seconds that remain to the account, or None without a limit."""
        with self._explained():
            left = self._service.usage().get("usage_remaining_seconds")
        return None if left is None else float(left)

    @property
    def price(self) -> Price:
        """Price of jobs in QPU seconds."""
        delay = self._rep_delay or float(getattr(self.backend, "default_rep_delay", None) or 250e-6)
        return qpu_seconds_price(delay)

    def require_fit(self, specification: JobSpecification) -> None:
        """Check that circuits use only gates and couplers of the device.

        A job that does not fit would be queued, would fail, and would be charged.

        Raises:
            MisfitError: A circuit uses a gate or coupler that the device does not have.
            DeviceError: A circuit has more shots than the device takes.
        """
        super().require_fit(specification)
        for pub in specification.pubs:
            why = is_isa_circuit(pub.circuit, self.backend.target) or is_valid_rzz_pub(_extremes(pub))
            if why:
                raise MisfitError(f"{self.name}: a circuit does not fit the device ({why}); nothing was submitted")

    def send(self, specification: JobSpecification, tags: Sequence[str], most_seconds: int) -> str:
        """Send a job once, and return its id."""
        disable_retries(self._service)
        options: dict[str, Any] = {
            "max_execution_time": most_seconds,
            "environment": {"job_tags": ["qep", *tags]},
            "simulator": {"angle_decimals": 15},
            **specification.options.for_ibm(specification.shots),
        }
        if self._rep_delay is not None:
            options["execution"] = {"rep_delay": self._rep_delay}
        with self._explained(_NOT_ACCEPTED), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sampler = self._sampler(mode=self._workload.mode, options=options)
            pubs = [(with_named_bits(pub.circuit), pub.values) for pub in specification.pubs]
            job = sampler.run(pubs, shots=specification.shots)
            return str(job.job_id())

    def find(self, tag: str) -> dict[str, tuple[str, ...]]:
        """Return all jobs with a tag, oldest first: their ids, with all tags of each."""
        with self._explained():
            return jobs_tagged(self._service, tag)

    def job_view(self, job_id: str) -> JobView:
        """Return the state of a job."""
        with self._explained():
            job = self._service.job(job_id)
            said = str(job.status())
            state = _STATES.get(said, "waiting")
            reason = " ".join(str(job.error_message() or "").split()) if state == "failed" else ""
            tags = tuple(job.tags or ())
        if state == "waiting":
            return replace(_waiting_view(job, running=said == "RUNNING"), tags=tags)
        return JobView(
            state=state,
            reason=reason.removeprefix(f"Job {job_id} has failed: "),
            retry=not any(code in reason for code in _HOPELESS),
            capped=any(words in reason for words in _CAPPED),
            tags=tags,
        )

    def fetch(self, job_id: str, specification: JobSpecification) -> list[NDArray[np.uint8]]:
        """Return the bits of a finished job, for every PUB an array of shape (..., shots, bytes)."""
        with self._explained():
            job = self._service.job(job_id)
            try:
                results = job.result(timeout=60)
            except Exception as error:
                if is_about_the_way(error):
                    raise
                raise ResultError(f"{self.name}: the result cannot be read ({self._said(error)})") from None
            return named_bits(results, specification, self.name)

    def raw_result(self, job_id: str) -> str:
        """Return the result of a finished job as the service gives it, as text."""
        with self._explained():
            return raw_result_of(self._service, job_id)

    def usage_seconds(self, job_id: str) -> float | None:
        """QPU seconds charged for a job, or None while the charge is not final."""
        with self._explained():
            usage = self._service.job(job_id).metrics().get("usage") or {}
        found = usage.get("qpu_charge_time_seconds")
        # A pending charge is 0 or a partial sum: both are less than the final one.
        return None if found is None or usage.get("status", "pending") == "pending" else float(found)

    def cancel(self, job_id: str) -> None:
        """Cancel a job."""
        with self._explained():
            self._service.job(job_id).cancel()

    @contextmanager
    def _explained(self, refusals: Container[int] = (401, 403)) -> Iterator[None]:
        """Turn errors of the client into `RefusedError`, `BusyError` or `LostError`.

        Args:
            refusals: HTTP statuses that count as a refusal. For a query 404 is none: a new job may not be known yet.
        """
        try:
            use_instance(self._service, self.instance)
            yield
        except QepError:
            raise
        except Exception as error:
            message, status = self._said(error), status_of(error)
            if status == 429:
                raise BusyError(message, retry_after(error)) from None
            if status in refusals:
                raise RefusedError(message, login=status == 401) from None
            raise (MissingError if status == 404 else LostError)(message) from None

    def _said(self, error: Exception) -> str:
        """Text of an error in one short line without the token."""
        token = str((self._service.active_account() or {}).get("token") or "")
        text = answer_in(error) or f"{type(error).__name__}: {' '.join(str(error).split())}"
        return (text.replace(token, "<token>") if token else text)[:300]


def _waiting_view(job: Any, *, running: bool) -> JobView:
    """State of a job that is not finished, with its place in the queue where the service says it."""
    try:
        reported = {} if running else dict(job.metrics() or {})
    except Exception as error:  # only for display
        _LOG.info("the queue is not known (%s)", type(error).__name__)
        reported = {}
    position, starts = reported.get("position_in_queue"), reported.get("estimated_start_time")
    return JobView(
        state="waiting",
        running=running,
        position=position if isinstance(position, int) else None,
        starts=_seconds_since_epoch(starts),
    )


def _seconds_since_epoch(when: object) -> float | None:
    """Time of the service as seconds since the epoch, or None where it cannot be read."""
    try:
        found = when if isinstance(when, datetime) else datetime.fromisoformat(str(when))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _extremes(pub: Pub) -> SamplerPub:
    """Bindings with the smallest and the largest value of every parameter, which bound the angles of all gates.

    The angle of a gate with a bounded angle is a multiple of one parameter.
    """
    if not pub.values.size:
        return SamplerPub.coerce((pub.circuit,))
    values = pub.values.reshape(-1, pub.values.shape[-1])
    rows = sorted({*values.argmin(axis=0).tolist(), *values.argmax(axis=0).tolist()})
    return SamplerPub.coerce((pub.circuit, values[rows]))
