"""The account at IBM's service: what it is, and what it allows. No text contains the token."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import ConfigError, DeviceError
from qep_qiskit.device.check import Check
from qep_qiskit.device.ibm_client import chain, disable_retries
from qep_qiskit.device.ibm_login import SAVE_ACCOUNT, open_service, stored_account
from qep_qiskit.device.interruptible import answer_of

_ANSWER_SECONDS = 60.0
_WITHOUT_SESSIONS = ("open",)
_CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
_WITH_LOGIN = ("instance", "plan", "devices", "QPU seconds left")
_BAD_CERTIFICATE = "set REQUESTS_CA_BUNDLE to a file with the certificates of your network"

Answer = TypeVar("Answer")


def plan_of(service: Any) -> str | None:
    """Return the plan of the active instance in small letters, or None where the service does not say."""
    own = _active(service, _instances(service))
    return str(own["plan"]).lower() if own is not None and own.get("plan") else None


def require_sessions(service: Any) -> None:
    """Check that the plan of the active instance has sessions, where the plan is known.

    Raises:
        ConfigError: It has none.
    """
    plan = plan_of(service)
    if plan in _WITHOUT_SESSIONS:
        raise ConfigError(
            f"execution.mode: the instance is on the {plan.title()} plan, which has no sessions; nothing was "
            "submitted, use mode = 'job' or 'batch'"
        )


def account_checks() -> Iterator[Check]:
    """Look over the account and what it allows, and yield what was found; nothing is submitted."""
    try:
        account = stored_account()
    except DeviceError as error:
        yield Check(name="account", found=str(error), advice=SAVE_ACCOUNT)
        yield _network(None)
        yield from _not_known("channel", "login", *_WITH_LOGIN)
        return
    where = "QISKIT_IBM_TOKEN" if os.environ.get("QISKIT_IBM_TOKEN") else "saved on this machine"
    yield Check(name="account", found=where)
    yield Check(name="channel", found=str(account.channel))
    yield _network(account)
    try:
        service = open_service()
        disable_retries(service)
    except DeviceError as error:
        yield _failed_login(error)
        yield from _not_known(*_WITH_LOGIN)
        return
    yield Check(name="login", found="accepted")
    yield from _allowed(service)


def _not_known(*names: str) -> Iterator[Check]:
    for name in names:
        yield Check(name=name, found="not known", advice="log in first")


def _network(account: Any) -> Check:
    """Certificates and proxy that the client uses."""
    files = {name: os.environ[name] for name in _CERTIFICATES if os.environ.get(name)}
    missing = [f"{name} names {path}" for name, path in files.items() if not Path(path).exists()]
    if missing:
        return Check(name="network", found=missing[0], advice="there is no such file: name another, or none")
    if not getattr(account, "verify", True):
        return Check(name="network", found="certificates are not checked", advice="save the account with verify=True")
    own = next(iter((getattr(getattr(account, "proxies", None), "urls", None) or {}).values()), None)
    proxy = own or next((os.environ[name] for name in _PROXIES if os.environ.get(name)), None)
    certificates = f"certificates in {next(iter(files.values()))}" if files else "usual certificates"
    return Check(name="network", found=f"{certificates}, {f'proxy {_host(proxy)}' if proxy else 'no proxy'}")


def _host(url: str) -> str:
    """Host and port of a proxy, without the password."""
    found = urlsplit(url if "//" in url else f"//{url}")
    return f"{found.hostname}:{found.port}" if found.port else str(found.hostname)


def _failed_login(error: DeviceError) -> Check:
    kinds = {type(found).__name__ for found in chain(error)}
    said, _, advice = str(error).removeprefix("execution.backend: ").partition("; ")
    advice = advice.removeprefix("nothing was submitted, ")
    if any("SSL" in kind for kind in kinds):
        said, advice = "the certificate of the service is not accepted", _BAD_CERTIFICATE
    elif any("Proxy" in kind for kind in kinds):
        said, advice = "the proxy cannot be used", "check HTTPS_PROXY"
    return Check(name="login", found=said, advice=advice or "try later")


def _allowed(service: Any) -> Iterator[Check]:
    """Instance, plan, devices and time of an account that is logged in."""
    instances = _instances(service)
    own = _active(service, instances)
    names = ", ".join(str(found.get("name")) for found in instances)
    if own is not None:
        yield Check(name="instance", found=str(own.get("name") or own["crn"]))
    elif names:
        yield Check(name="instance", found=f"the first of {names} that has the device")
    else:
        yield Check(name="instance", found="none", advice="make one at quantum.cloud.ibm.com, or check the token")
    plans = [str(found.get("plan") or "unknown") for found in ([own] if own is not None else instances)]
    without = all(plan.lower() in _WITHOUT_SESSIONS for plan in plans)
    yield Check(name="plan", found=", ".join(dict.fromkeys(plans)) + (", no sessions" if plans and without else ""))
    yield _devices(service)
    yield _time_left(service)


def _devices(service: Any) -> Check:
    backends = _asked(service.backends)
    if not backends:
        return Check(name="devices", found="none", advice="check the instance and its region, or try later")
    states = {str(backend.name): _state(backend) for backend in sorted(backends, key=lambda own: str(own.name))}
    found = "; ".join(f"{name} ({said})" for name, (_, said) in states.items())
    is_open = any(takes for takes, _ in states.values())
    return Check(name="devices", found=found, advice="" if is_open else "all are closed: try later")


def _state(backend: Any) -> tuple[bool, str]:
    """Whether a device takes jobs, and its qubits and queue in words."""
    qubits = amount(backend.num_qubits, "qubit")
    status = _asked(backend.status)
    if status is None:
        return False, f"{qubits}, state not known"
    if not status.operational or status.status_msg != "active":
        return False, f"{qubits}, {status.status_msg or 'closed'}"
    waiting = getattr(status, "pending_jobs", None)
    return True, qubits if waiting is None else f"{qubits}, {waiting} in the queue"


def _time_left(service: Any) -> Check:
    usage, name = _asked(service.usage), "QPU seconds left"
    if usage is None:
        return Check(name=name, found="not known", advice="name the instance in the account, or try later")
    left, limit = usage.get("usage_remaining_seconds"), usage.get("usage_limit_seconds")
    if left is None:
        return Check(name=name, found="no limit")
    found = f"{left:,.0f}" + (f" of {limit:,.0f}" if limit else "")
    return Check(name=name, found=found, advice="" if left > 0 else "wait for the next period, or use another plan")


def _instances(service: Any) -> list[dict[str, Any]]:
    return list(_asked(service.instances) or [])


def _active(service: Any, instances: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The instance that pays, or None where it depends on the device."""
    crn = _asked(service.active_instance)
    return next((found for found in instances if found.get("crn") == crn), None)


def _asked(call: Callable[[], Answer]) -> Answer | None:
    """Result of a question to the service, or None: the client raises errors of many kinds, with the token in some."""
    try:
        return answer_of(call, seconds=_ANSWER_SECONDS)
    except Exception:
        return None
