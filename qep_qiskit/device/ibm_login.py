"""Login to IBM Quantum, and the reading of its devices. No message contains the token."""

from __future__ import annotations

import logging
from typing import Any

from qiskit.providers.exceptions import QiskitBackendNotFoundError
from qiskit_ibm_runtime import QiskitRuntimeService
from qiskit_ibm_runtime.accounts import AccountManager, AccountNotFoundError, InvalidAccountError
from qiskit_ibm_runtime.exceptions import IBMInputValueError

from qep_qiskit.core.errors import DeviceError, UnavailableError
from qep_qiskit.device.ibm_client import disable_retries, status_of
from qep_qiskit.device.interruptible import answer_of

_LOG = logging.getLogger(__name__)
SAVE_ACCOUNT = (
    "save one with QiskitRuntimeService.save_account(token=..., instance=...), or set QISKIT_IBM_TOKEN and "
    "QISKIT_IBM_INSTANCE"
)
# The client sets no time limit on its reads during login.
_LOGIN_SECONDS = 180.0
_BACKEND_TRIES = 2
_BAD_TOKEN = (400, 401, 403)


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
    found = read_backend(service, name, fractional_gates=None)
    try:
        assert found.target.num_qubits
    except Exception as error:
        raise UnavailableError(
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
        raise DeviceError(f"execution.backend: there is no IBM Quantum account on this machine; {SAVE_ACCOUNT}") from (
            error
        )
    except InvalidAccountError as error:
        if status_of(error) in _BAD_TOKEN:
            raise DeviceError(
                f"execution.backend: IBM's login refuses the token; nothing was submitted, check it or {SAVE_ACCOUNT}"
            ) from None
        raise UnavailableError(
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
        raise UnavailableError(
            f"execution.backend: IBM's service cannot be used ({type(error).__name__}); nothing was submitted, check "
            "the network or try later"
        ) from None


def stored_account() -> Any:
    """Return the account that a login would use, saved or of the environment; nothing is asked of the service.

    Raises:
        DeviceError: There is none, or it cannot be read.
    """
    try:
        found = AccountManager.get()
    except AccountNotFoundError:
        found = None
    except Exception as error:
        raise DeviceError(f"it cannot be read ({type(error).__name__})") from None
    if found is None:
        raise DeviceError("there is none")
    return found


def _instances() -> list[str]:
    """Names of the account's instances; empty if they cannot be read."""
    try:
        return [str(found["name"]) for found in AccountManager.get().list_instances()]
    except Exception:
        return []


def read_backend(service: Any, name: str, *, fractional_gates: bool | None) -> Any:
    """Read a device.

    The client reports a device that it cannot read temporarily as missing.

    Args:
        service: The service, logged in.
        name: Name of the device.
        fractional_gates: Whether it has `rzz` of any angle; None for all of its gates.

    Raises:
        DeviceError: There is no such device or no network, or the device has no fractional gates.
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
    raise UnavailableError(
        f"execution.backend: '{name}' cannot be found or read; nothing was submitted, check the network, and the name"
    )


def _names_of_backends(service: Any) -> list[str]:
    try:
        return sorted(backend.name for backend in service.backends())
    except Exception:
        return []
