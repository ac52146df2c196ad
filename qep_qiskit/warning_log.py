"""Give warnings of this package: one constant text a kind and cause, at the caller's line, counted per run."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from qep_qiskit.errors import QepWarning

__all__ = ["WarningCount", "WarningLog", "counting_warnings", "warn"]

_PACKAGE = str(Path(__file__).parent)


@dataclass(slots=True, kw_only=True)
class WarningCount:
    """How often one warning was given.

    Args:
        category: Class of the warning.
        text: Its constant text.
        detail: The numbers of the first time.
        times: Number of times it was given.
        affected: Number of things (states, samples, steps) that it concerned, in all.
    """

    category: type[QepWarning]
    text: str
    detail: str
    times: int = 0
    affected: int = 0


@dataclass(slots=True)
class WarningLog:
    """Warnings given so far, by class and text, in the order of their first time."""

    counts: dict[tuple[str, str], WarningCount] = field(default_factory=dict)

    def add(self, warning: QepWarning, affected: int) -> None:
        """Count one warning."""
        category, text = type(warning), str(warning)
        count = self.counts.setdefault(
            (category.__name__, text), WarningCount(category=category, text=text, detail=warning.detail)
        )
        count.times += 1
        count.affected += affected


_log: ContextVar[WarningLog | None] = ContextVar("warning_log", default=None)


@contextmanager
def counting_warnings(log: WarningLog) -> Iterator[WarningLog]:
    """Count every warning that is given inside of the block in a log."""
    token = _log.set(log)
    try:
        yield log
    finally:
        _log.reset(token)


def warn(category: type[QepWarning], text: str, *, detail: str = "", affected: int = 1) -> None:
    """Give a warning that points at the line outside of this package from which it came.

    Args:
        category: Class of the warning.
        text: Constant for its cause: what was found, and which key helps.
        detail: The numbers of this time.
        affected: Number of things (states, samples, steps) that it concerns.
    """
    warning = category(text, detail)
    log = _log.get()
    if log is not None:
        log.add(warning, affected)
    warnings.warn(warning, stacklevel=_frames_inside())


def _frames_inside() -> int:
    """Stack level, as `warn` counts it, of the first frame whose file is not in this package."""
    level, frame = 1, sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back  # type: ignore[assignment]
    return level
