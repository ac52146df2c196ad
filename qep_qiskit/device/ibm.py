"""Devices of IBM Quantum.

IBM's client is imported here, in `ibm_client` and in `ibm_modes`; simulations import only its device snapshots and its
local sampler. Errors of the client become one of three kinds, `RefusedError`, `BusyError` or `LostError`, by the HTTP
status at the end of the chain of exceptions. No message contains the token.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit.providers.exceptions import QiskitBackendNotFoundError
from qiskit_ibm_runtime import QiskitRuntimeService
from qiskit_ibm_runtime.accounts import AccountManager, AccountNotFoundError, InvalidAccountError
from qiskit_ibm_runtime.exceptions import IBMInputValueError
from qiskit_ibm_runtime.executor_sampler import Sampler
from qiskit_ibm_runtime.utils.utils import is_isa_circuit, is_valid_rzz_pub

from qep_qiskit.core.errors import DeviceError, QepError, ResourceError, ResultError
from qep_qiskit.device.account import require_sessions
from qep_qiskit.device.ibm_client import (
    answer_in,
    disable_retries,
    is_about_the_way,
    job_ids,
    retry_after,
    status_of,
)
from qep_qiskit.device.ibm_modes import Mode, Workload
from qep_qiskit.device.interruptible import answer_of
from qep_qiskit.device.pubs import JobSpecification, Pub
from qep_qiskit.device.service import BusyError, JobView, LostError, MisfitError, RefusedError
from qep_qiskit.device.usage import estimated_qpu_seconds
from qep_qiskit.execution.backend_runs import most_shots
from qep_qiskit.execution.on_device import checked_rep_delay
from qep_qiskit.execution.result_bits import registers_of

_LOG = logging.getLogger(__name__)
_SAVE_ACCOUNT = (
    "save one with QiskitRuntimeService.save_account(token=..., instance=...), or set QISKIT_IBM_TOKEN and "
    "QISKIT_IBM_INSTANCE"
)
# The client sets no time limit on its reads during login.
_LOGIN_SECONDS = 180.0
_BACKEND_TRIES = 2
_BAD_TOKEN = (400, 401, 403)
_NOT_ACCEPTED = frozenset(range(400, 500)) - {408, 429}
# Codes of failures caused by the job: circuits that do not fit, too long circuits, input that does not parse.
_HOPELESS = ("1517", "1519", "1520", "1603")
# The client replaces code 1305 by a sentence of its own.
_CAPPED = ("1305", "ran longer than maximum execution time")
_STATES: dict[str, Any] = {"DONE": "done", "ERROR": "failed", "CANCELLED": "cancelled"}


def ibm_device(
    name: str,
    num_qubits: int,
    instance: str | None = None,
    *,
    mode: Mode = "job",
    most_seconds: float | None = None,
    rep_delay: float | None = None,
    fractional_gates: bool = False,
) -> IbmDevice:
    """Log in to IBM Quantum and open a device.

    Args:
        name: Name of the device, such as ``"ibm_kingston"``.
        num_qubits: Smallest number of qubits.
        instance: Name or CRN of the instance that pays; None for the account's default.
        mode: Execution mode of the jobs: ``"job"``, ``"batch"`` or ``"session"``.
        most_seconds: Longest duration of a session in seconds; None for the limit of the service.
        rep_delay: Delay between executions in seconds; None for the default of the device.
        fractional_gates: Whether circuits may contain `rzz` of any angle.

    Raises:
        DeviceError: There is no account, no such instance or device, or no network; or the device has no fractional
            gates.
        ResourceError: The device has too few qubits.
        ConfigError: The device does not support the delay.
    """
    device = IbmDevice(
        open_service(instance),
        name,
        mode=mode,
        most_seconds=most_seconds,
        rep_delay=rep_delay,
        fractional_gates=fractional_gates,
    )
    if device.backend.num_qubits < num_qubits:
        raise ResourceError(
            f"execution.backend: {name} has {device.backend.num_qubits} qubits, the network needs {num_qubits}"
        )
    return device


def device_snapshot(name: str, instance: str | None = None) -> Any:
    """Log in to IBM Quantum and take a snapshot of a device, with its present calibration and all of its gates.

    Args:
        name: Name of the device.
        instance: Name or CRN of the instance; None for the account's default.

    Raises:
        DeviceError: There is no account, no such instance or device, or no network.
    """
    service = open_service(instance)
    disable_retries(service)
    found = _backend(service, name, fractional_gates=None)
    try:
        assert found.target.num_qubits
    except Exception as error:
        raise DeviceError(
            f"{name}: its calibration cannot be read ({type(error).__name__}); check the network or try later"
        ) from None
    return found


def open_service(instance: str | None = None) -> QiskitRuntimeService:
    """Log in to IBM Quantum with the saved account or that of the environment.

    Args:
        instance: Name or CRN of the instance; None for the account's default.

    Raises:
        DeviceError: The login fails; the message states the cause and the remedy.
    """
    try:
        return answer_of(lambda: QiskitRuntimeService(instance=instance), seconds=_LOGIN_SECONDS)
    except AccountNotFoundError as error:
        raise DeviceError(f"execution.backend: there is no IBM Quantum account on this machine; {_SAVE_ACCOUNT}") from (
            error
        )
    except InvalidAccountError as error:
        if status_of(error) in _BAD_TOKEN:
            raise DeviceError(
                f"execution.backend: IBM's login refuses the token; nothing was submitted, check it or {_SAVE_ACCOUNT}"
            ) from None
        raise DeviceError(
            "execution.backend: IBM's login service cannot be reached; nothing was submitted, check the network or try "
            "later"
        ) from None
    except IBMInputValueError as error:
        there = ", ".join(_instances()) or "none"
        wanted = (
            f"instance '{instance}'" if instance else "such instance as QISKIT_IBM_INSTANCE or the saved account says"
        )
        raise DeviceError(f"execution.instance: the account has no {wanted}; there are: {there}") from error
    except Exception as error:
        raise DeviceError(
            f"execution.backend: IBM's service cannot be used ({type(error).__name__}); nothing was submitted, check "
            "the network or try later"
        ) from None


def _instances() -> list[str]:
    """Names of the account's instances; empty if they cannot be read."""
    try:
        return [str(found["name"]) for found in AccountManager.get().list_instances()]
    except Exception:
        return []


class IbmDevice:
    """A device of IBM behind its service; see `RemoteDevice`.

    Args:
        service: The service, logged in.
        name: Name of the device.
        sampler: Makes samplers; None for that of IBM's client.
        mode: Execution mode of the jobs: ``"job"``, ``"batch"`` or ``"session"``.
        most_seconds: Longest duration of a session in seconds; None for the limit of the service.
        rep_delay: Delay between executions in seconds; None for the default of the device.
        fractional_gates: Whether circuits may contain `rzz` of any angle.

    Raises:
        DeviceError: There is no such device or no network, or the device has no fractional gates.
        ConfigError: The device does not support the delay, or the plan of the instance has no sessions.
    """

    lists_jobs = True

    def __init__(
        self,
        service: Any,
        name: str,
        *,
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
        self.backend = _backend(service, name, fractional_gates=fractional_gates)
        self.instance = str(service.active_instance())
        self._rep_delay = checked_rep_delay(self.backend, rep_delay)
        self._workload = Workload(mode, self.backend, None if most_seconds is None else math.ceil(most_seconds))

    def whole(self) -> Any:
        """Return the device with all of its gates, also those that jobs do not use.

        Raises:
            DeviceError: The device cannot be read.
        """
        return _backend(self._service, self.name, fractional_gates=None)

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

    def estimated_seconds(self, specification: JobSpecification) -> float:
        """Estimate the QPU seconds that a job is charged."""
        delay = self._rep_delay or float(getattr(self.backend, "default_rep_delay", None) or 250e-6)
        return estimated_qpu_seconds(0, 1) + sum(
            estimated_qpu_seconds(
                pub.num_circuits * specification.options.executions(specification.shots),
                0,
                rep_delay=delay,
                circuit_seconds=float(pub.circuit.estimate_duration(self.backend.target, unit="s")),
            )
            for pub in specification.pubs
        )

    def require_fit(self, specification: JobSpecification) -> None:
        """Check that circuits use only gates and couplers of the device.

        A job that does not fit would be queued, would fail, and would be charged.

        Raises:
            DeviceError: A circuit uses a gate or coupler that the device does not have.
        """
        most = most_shots(self.backend)
        if most is not None and specification.options.executions(specification.shots) > most:
            raise DeviceError(
                f"{self.name}: the device takes {most} shots of a circuit and a job has {specification.shots}; "
                "nothing was "
                "submitted, use fewer measurement.shots in a new run"
            )
        for pub in specification.pubs:
            why = is_isa_circuit(pub.circuit, self.backend.target) or is_valid_rzz_pub(_extremes(pub))
            if why:
                raise MisfitError(f"{self.name}: a circuit does not fit the device ({why}); nothing was submitted")

    def send(self, specification: JobSpecification, tag: str, most_seconds: int) -> str:
        """Send a job once, and return its id.

        Args:
            specification: Circuits, shots and options of the job.
            tag: Unique tag of this submission.
            most_seconds: Longest execution time of the job in seconds.
        """
        disable_retries(self._service)
        options: dict[str, Any] = {
            "max_execution_time": most_seconds,
            "environment": {"job_tags": ["qep", tag]},
            "simulator": {"angle_decimals": 15},
            **specification.options.for_ibm(specification.shots),
        }
        if self._rep_delay is not None:
            options["execution"] = {"rep_delay": self._rep_delay}
        with self._explained(_NOT_ACCEPTED), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sampler = self._sampler(mode=self._workload.mode, options=options)
            job = sampler.run([(pub.circuit, pub.values) for pub in specification.pubs], shots=specification.shots)
            return str(job.job_id())

    def find(self, tag: str) -> list[str]:
        """Ids of all jobs with a tag, oldest first."""
        with self._explained():
            return job_ids(self._service, tag)

    def job_view(self, job_id: str) -> JobView:
        """Return the state of a job."""
        with self._explained():
            job = self._service.job(job_id)
            said = str(job.status())
            state = _STATES.get(said, "waiting")
            reason = " ".join(str(job.error_message() or "").split()) if state == "failed" else ""
        if state == "waiting":
            return _waiting_view(job, running=said == "RUNNING")
        return JobView(
            state=state,
            reason=reason.removeprefix(f"Job {job_id} has failed: "),
            retry=not any(code in reason for code in _HOPELESS),
            capped=any(words in reason for words in _CAPPED),
        )

    def fetch(self, job_id: str, specification: JobSpecification) -> list[Any]:
        """Return the results of a finished job, one BitArray for every PUB.

        Args:
            job_id: Id of the job.
            specification: Circuits, shots and options of the job.

        Raises:
            ResultError: The result cannot be read, or has other registers.
        """
        with self._explained():
            job = self._service.job(job_id)
            try:
                results = job.result(timeout=60)
            except Exception as error:
                if is_about_the_way(error):
                    raise
                raise ResultError(f"{self.name}: the result cannot be read ({self._said(error)})") from None
            return registers_of(results, self.name)

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
            refusals: HTTP statuses that count as a refusal. For a query 404 is none: a new job may not be listed yet.
        """
        try:
            yield
        except QepError:
            raise
        except Exception as error:
            message, status = self._said(error), status_of(error)
            if status == 429:
                raise BusyError(message, retry_after(error)) from None
            if status in refusals:
                raise RefusedError(message, login=status == 401) from None
            raise LostError(message) from None

    def _said(self, error: Exception) -> str:
        """Text of an error in one short line without the token."""
        token = str((self._service.active_account() or {}).get("token") or "")
        text = answer_in(error) or f"{type(error).__name__}: {' '.join(str(error).split())}"
        return (text.replace(token, "<token>") if token else text)[:300]


def _backend(service: Any, name: str, *, fractional_gates: bool | None) -> Any:
    """Read a device; with fractional gates, without them, or (None) with all of its gates.

    The client reports a device that it cannot read temporarily as missing.
    """
    for _ in range(_BACKEND_TRIES):
        try:
            found = service.backend(name, use_fractional_gates=fractional_gates)
            target = found.target  # reads the calibration, which the client loads lazily
            if not fractional_gates or "rzz" in target.operation_names:
                return found
        except IBMInputValueError:
            pass
        except QiskitBackendNotFoundError:
            there = _names_of_backends(service)
            if there and name not in there:
                raise DeviceError(
                    f"execution.backend: the account has no device '{name}'; there are: {', '.join(there)}"
                ) from None
            continue
        except Exception as error:
            _LOG.info("%s could not be read (%s)", name, type(error).__name__)
            continue
        raise DeviceError(f"execution.fractional_gates: {name} offers no rzz of any angle; leave it out")
    raise DeviceError(
        f"execution.backend: '{name}' cannot be found or read; nothing was submitted, check the network, and the name"
    )


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


def _names_of_backends(service: Any) -> list[str]:
    try:
        return sorted(backend.name for backend in service.backends())
    except Exception:
        return []


def _extremes(pub: Pub) -> SamplerPub:
    """Bindings with the smallest and the largest value of every parameter, which bound the angles of all gates.

    The angle of a gate with a bounded angle is a multiple of one parameter.
    """
    if not pub.values.size:
        return SamplerPub.coerce((pub.circuit,))
    values = pub.values.reshape(-1, pub.values.shape[-1])
    rows = sorted({*values.argmin(axis=0).tolist(), *values.argmax(axis=0).tolist()})
    return SamplerPub.coerce((pub.circuit, values[rows]))
