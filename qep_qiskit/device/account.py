"""The account at IBM's service: its instances and plans. No message contains the token."""

from __future__ import annotations

from typing import Any

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.device.interruptible import answer_of

_ANSWER_SECONDS = 60.0
_WITHOUT_SESSIONS = ("open",)


def plan_of(service: Any) -> str | None:
    """Return the plan of the active instance in small letters, or None where the service does not say.

    Args:
        service: The service, logged in.
    """
    try:
        instances = answer_of(service.instances, seconds=_ANSWER_SECONDS)
        active = service.active_instance()
        return next((str(found["plan"]).lower() for found in instances if found["crn"] == active), None)
    except Exception:  # the client raises errors of many kinds; the plan is only a hint
        return None


def require_sessions(service: Any) -> None:
    """Check that the plan of the active instance has sessions, where the plan is known.

    Args:
        service: The service, logged in.

    Raises:
        ConfigError: It has none.
    """
    plan = plan_of(service)
    if plan in _WITHOUT_SESSIONS:
        raise ConfigError(
            f"execution.mode: the instance is on the {plan.title()} plan, which has no sessions; nothing was "
            "submitted, use mode = 'job' or 'batch'"
        )
