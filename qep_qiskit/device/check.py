"""One result of looking over what a run on a device needs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What was found, and what to do where it does not do.

    Args:
        name: What was looked at.
        found: What was found.
        advice: What to do; empty where all is well.
    """

    name: str
    found: str
    advice: str = ""

    @property
    def is_fine(self) -> bool:
        """Whether nothing needs to be done."""
        return not self.advice

    def record(self) -> dict[str, Any]:
        """Return the check as JSON values."""
        return {"ok": self.is_fine, **asdict(self)}
