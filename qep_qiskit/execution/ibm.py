"""IBM's quantum platform: the only module that imports its client, but for the snapshots of devices.

The client is kept from sending a submission twice by itself, and from waiting for an answer for ever. What it raises
becomes one of three things, `RefusedError`, `BusyError` or `LostError`, by the HTTP status that lies at the bottom of
the chain of exceptions. No message holds the token.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit.providers.exceptions import QiskitBackendNotFoundError
from qiskit_ibm_runtime import QiskitRuntimeService
from qiskit_ibm_runtime.accounts import AccountManager, AccountNotFoundError, InvalidAccountError
from qiskit_ibm_runtime.exceptions import IBMInputValueError, IBMNotAuthorizedError
from qiskit_ibm_runtime.executor_sampler import Sampler
from qiskit_ibm_runtime.utils.utils import is_isa_circuit
from requests.adapters import HTTPAdapter
from urllib3.exceptions import MaxRetryError
from urllib3.util import Retry

from qep_qiskit.errors import DeviceError, ResourceError
from qep_qiskit.execution.pubs import JobPlan
from qep_qiskit.execution.service import BusyError, JobView, LostError, RefusedError
from qep_qiskit.execution.usage import estimated_qpu_seconds
from qep_qiskit.execution.waiting import answer_of

__all__ = ["IbmDevice", "ibm_device", "open_service"]

_LOG = logging.getLogger(__name__)
_CONNECT_AND_READ_SECONDS = (10.0, 60.0)
_SAVE_ACCOUNT = (
    "save one with QiskitRuntimeService.save_account(token=..., instance=...), or set QISKIT_IBM_TOKEN and "
    "QISKIT_IBM_INSTANCE"
)
# The client reads without a time limit while it logs in.
_LOGIN_SECONDS = 180.0
_BACKEND_TRIES = 2
_BAD_TOKEN = (400, 401, 403)
_NOT_ACCEPTED = frozenset(range(400, 500)) - {408, 429}
_RETRY_STATUS = (413, 429, 500, 502, 503, 504)
# Codes of failures that lie in the job itself: circuits that do not fit, circuits too long, input that does not parse.
_HOPELESS = ("1517", "1519", "1520", "1603")
# The client puts a sentence of its own in place of code 1305.
_CAPPED = ("1305", "ran longer than maximum execution time")
_STATES: dict[str, Any] = {"DONE": "done", "ERROR": "failed", "CANCELLED": "cancelled"}


def ibm_device(name: str, num_qubits: int, instance: str | None = None) -> IbmDevice:
    """Log in and find a device.

    Args:
        name: Name of the device, such as ``"ibm_kingston"``.
        num_qubits: Qubits that are needed.
        instance: Name or CRN of the instance that pays; the account's own by default.

    Raises:
        DeviceError: There is no account, no such instance or device, or no network.
        ResourceError: The device is too small.
    """
    device = IbmDevice(open_service(instance), name)
    if device.backend.num_qubits < num_qubits:
        raise ResourceError(
            f"execution.backend: {name} has {device.backend.num_qubits} qubits, the network needs {num_qubits}"
        )
    return device


def open_service(instance: str | None = None) -> QiskitRuntimeService:
    """Log in with the saved account or that of the environment.

    Args:
        instance: Name or CRN of the instance; the account's own by default.

    Raises:
        DeviceError: It does not work; the message says why and what to do.
    """
    try:
        return answer_of(lambda: QiskitRuntimeService(instance=instance), seconds=_LOGIN_SECONDS)
    except AccountNotFoundError as error:
        raise DeviceError(f"execution.backend: there is no IBM Quantum account on this machine; {_SAVE_ACCOUNT}") from (
            error
        )
    except InvalidAccountError as error:
        if _status_of(error) in _BAD_TOKEN:
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
    """Names of the account's instances, none if they cannot be had."""
    try:
        return [str(found["name"]) for found in AccountManager.get().list_instances()]
    except Exception:
        return []


class IbmDevice:
    """A device of IBM's behind its service; see `RemoteDevice`.

    Args:
        service: The service, logged in.
        name: Name of the device.
        sampler: Makes samplers; the client's own by default.

    Raises:
        DeviceError: There is no such device, or no network.
    """

    def __init__(self, service: Any, name: str, *, sampler: Callable[..., Any] = Sampler) -> None:
        self._service, self._sampler = service, sampler
        self.name = name
        _tame(service)
        self.backend = _backend(service, name)
        self.instance = str(service.active_instance())

    def why_closed(self) -> str | None:
        """What keeps the device from working now, or None."""
        with self._explained():
            status = self.backend.status()
        if status.operational and status.status_msg == "active":
            return None
        return f"the device is not taking jobs ({status.status_msg or 'not operational'})"

    def seconds_left(self) -> float | None:
        """QPU seconds that the account may still use, or None where there is no limit."""
        with self._explained():
            left = self._service.usage().get("usage_remaining_seconds")
        return None if left is None else float(left)

    def estimated_seconds(self, plan: JobPlan) -> float:
        """QPU seconds that a job will probably be charged."""
        delay = float(getattr(self.backend, "default_rep_delay", None) or 250e-6)
        return estimated_qpu_seconds(0, 1) + sum(
            estimated_qpu_seconds(
                pub.num_circuits * plan.shots,
                0,
                rep_delay=delay,
                circuit_seconds=float(pub.circuit.estimate_duration(self.backend.target, unit="s")),
            )
            for pub in plan.pubs
        )

    def require_fit(self, plan: JobPlan) -> None:
        """Check that the circuits are the device's own: a job that does not fit is queued, fails and is charged.

        Raises:
            DeviceError: They are not.
        """
        for pub in plan.pubs:
            why = is_isa_circuit(pub.circuit, self.backend.target)
            if why:
                raise DeviceError(f"{self.name}: a circuit does not fit the device ({why}); nothing was submitted")

    def send(self, plan: JobPlan, tag: str, most_seconds: int) -> str:
        """Send a job once, and return its id."""
        _tame(self._service)
        options = {
            "max_execution_time": most_seconds,
            "environment": {"job_tags": ["qep", tag]},
            "simulator": {"angle_decimals": 15},
        }
        with self._explained(_NOT_ACCEPTED), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sampler = self._sampler(mode=self.backend, options=options)
            job = sampler.run([(pub.circuit, pub.values) for pub in plan.pubs], shots=plan.shots)
            return str(job.job_id())

    def find(self, tag: str) -> list[str]:
        """Ids of all jobs with a tag, oldest first."""
        with self._explained():
            return [str(job.job_id()) for job in self._service.jobs(job_tags=[tag], limit=None, descending=False)]

    def look(self, job_id: str) -> JobView:
        """How far a job is."""
        with self._explained():
            job = self._service.job(job_id)
            state = _STATES.get(str(job.status()), "waiting")
            reason = " ".join(str(job.error_message() or "").split()) if state == "failed" else ""
        return JobView(
            state=state,
            reason=reason.removeprefix(f"Job {job_id} has failed: "),
            retry=not any(code in reason for code in _HOPELESS),
            capped=any(words in reason for words in _CAPPED),
        )

    def fetch(self, job_id: str) -> list[NDArray[np.uint8]]:
        """Bits of a finished job, for every PUB an array of shape (..., shots, bytes)."""
        with self._explained():
            return [np.asarray(result.data.meas.array) for result in self._service.job(job_id).result(timeout=60)]

    def usage_seconds(self, job_id: str) -> float | None:
        """QPU seconds charged for a job, or None if that is not known yet."""
        with self._explained():
            found = self._service.job(job_id).usage(partial=True)
        return None if found is None else float(found)

    def cancel(self, job_id: str) -> None:
        """Cancel a job."""
        with self._explained():
            self._service.job(job_id).cancel()

    @contextmanager
    def _explained(self, refusals: Container[int] = (401, 403)) -> Iterator[None]:
        """Turn whatever the client raises into what it means.

        Args:
            refusals: Statuses that are an answer. A 404 to a question is none: the job may not be listed yet.
        """
        try:
            yield
        except Exception as error:
            message, status = self._said(error), _status_of(error)
            if status == 429:
                raise BusyError(message, _retry_after(error)) from None
            if status in refusals:
                raise RefusedError(message, login=status == 401) from None
            raise LostError(message) from None

    def _said(self, error: Exception) -> str:
        """What an error says, in one short line without the token."""
        token = str((self._service.active_account() or {}).get("token") or "")
        text = _answer_in(error) or f"{type(error).__name__}: {' '.join(str(error).split())}"
        return (text.replace(token, "<token>") if token else text)[:300]


def _backend(service: Any, name: str) -> Any:
    """A device by its name. The client says of one that it could not read for a moment that there is none."""
    for _ in range(_BACKEND_TRIES):
        try:
            found = service.backend(name)
            _ = found.target  # its calibration, which the client reads as late as it can
            return found
        except QiskitBackendNotFoundError:
            there = _names_of_backends(service)
            if there and name not in there:
                raise DeviceError(
                    f"execution.backend: the account has no device '{name}'; there are: {', '.join(there)}"
                ) from None
        except Exception as error:
            _LOG.info("%s could not be read (%s)", name, type(error).__name__)
    raise DeviceError(
        f"execution.backend: '{name}' cannot be found or read; nothing was submitted, check the network, and the name"
    )


def _names_of_backends(service: Any) -> list[str]:
    try:
        return sorted(backend.name for backend in service.backends())
    except Exception:
        return []


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what led to it, also where the client hides it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or error.__context__  # type: ignore[assignment]


def _status_of(error: BaseException) -> int | None:
    """HTTP status at the bottom of an error, or None."""
    for found in _chain(error):
        if isinstance(found, IBMNotAuthorizedError):
            return 401
        for status in (
            getattr(found, "status_code", None),
            getattr(getattr(found, "response", None), "status_code", 0),
        ):
            if isinstance(status, int) and status > 0:
                return status
    return None


def _answer_in(error: BaseException) -> str:
    """What the service itself says in an error, or nothing."""
    for found in _chain(error):
        try:
            said = found.response.json()["errors"][0]  # type: ignore[attr-defined]
            return " ".join(f"code {said['code']}: {said['message']} {said.get('solution') or ''}".split())
        except Exception:
            continue
    return ""


def _retry_after(error: BaseException) -> float | None:
    for found in _chain(error):
        headers = getattr(getattr(found, "response", None), "headers", None) or {}
        try:
            return float(headers["Retry-After"])
        except (KeyError, ValueError):
            continue
    return None


class _NeverPost(Retry):
    """Retries what can be repeated without harm. A POST may have been accepted, and is never sent again from here."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: Any = None,
        error: Exception | None = None,
        _pool: Any = None,
        _stacktrace: Any = None,
    ) -> _NeverPost:
        if method is not None and method.upper() == "POST":
            if error is not None:
                raise error
            raise MaxRetryError(_pool, url or "", None)
        return super().increment(method, url, response, error, _pool, _stacktrace)


def _tame(service: Any) -> None:
    """No second POST and no endless read on the client's connections; these are private, so it may fail softly."""
    try:
        for client in service._api_clients.values():
            session = client._session
            if getattr(session, "_qep_tamed", False):
                continue
            retry = _NeverPost(total=3, connect=3, backoff_factor=0.5, status_forcelist=_RETRY_STATUS)
            for scheme in ("https://", "http://"):
                session.mount(scheme, HTTPAdapter(max_retries=retry))
            session.request = partial(session.request, timeout=_CONNECT_AND_READ_SECONDS)
            session._qep_tamed = True
    except AttributeError as error:
        _LOG.warning("this qiskit-ibm-runtime is another than expected (%s); its own retries stay on", error)
