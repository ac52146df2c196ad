"""Give warnings of this package: one constant text for each kind and cause, at the caller's line, counted per run.

`warn` counts a warning in the log of the running block (`counting_warnings`) and passes it to Python's `warnings`, at
the user's line. A log shows each kind and cause once: Python's own filter forgets what it has shown whenever any
library changes the filters for a moment.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

from qep_qiskit.core import errors
from qep_qiskit.core.errors import QepWarning, Severity
from qep_qiskit.core.json_record import JsonRecord
from qep_qiskit.core.short_repr import short_repr

_PACKAGE = __name__.partition(".")[0]
_RANKS: tuple[Severity, ...] = ("serious", "warning", "note")

Key = tuple[str, str]


@short_repr
@dataclass(slots=True, kw_only=True)
class WarningCount(JsonRecord):
    """Count how often one warning was given, and where in a run.

    Args:
        kind: Name of its class.
        text: Its constant text.
        severity: The highest that it was given with.
        detail: The numbers of the first time.
        times: Number of times it was given.
        affected: Number of things (states, samples, steps) that it concerned, in all.
        of: Number of things that were checked, those without a finding included; 0 where they are not counted.
        first_step: The step that it was given in first, counted from 1 as in the metrics; 0 before the first step, and
            None outside of a run.
        last_step: The same of the last one.
        by_epoch: Things that it concerned, by epoch (from 0), epochs without any left out.
        once: Whether it is about the run as a whole: given again, it counts no further.
        quiet: Whether it was counted only.
    """

    kind: str
    text: str
    severity: Severity = "warning"
    detail: str = ""
    times: int = 0
    affected: int = 0
    of: int = 0
    first_step: int | None = None
    last_step: int | None = None
    by_epoch: dict[int, int] = field(default_factory=dict)
    once: bool = False
    quiet: bool = False

    def add(self, other: WarningCount) -> None:
        """Add a later count of the same warning."""
        if self.once and self.times:
            return
        if other.times and not self.times:
            self.detail, self.severity, self.first_step = other.detail, other.severity, other.first_step
        elif other.times:
            self.severity = min(self.severity, other.severity, key=_RANKS.index)
        if other.last_step is not None:
            self.last_step = other.last_step
        self.times += other.times
        self.affected += other.affected
        self.of += other.of
        self.once, self.quiet = other.once, other.quiet
        for epoch, affected in other.by_epoch.items():
            self.by_epoch[epoch] = self.by_epoch.get(epoch, 0) + affected

    def at(self, step: int, epoch: int) -> WarningCount:
        """Return the same count, found in a step of a run.

        Args:
            step: The step, counted from 1.
            epoch: The epoch, counted from 0.
        """
        if not self.times:
            return self
        return replace(self, first_step=step, last_step=step, by_epoch={epoch: self.affected})

    def give(self, where: str) -> None:
        """Give a warning of another process as if it came from here."""
        category = getattr(errors, self.kind, QepWarning)
        warn(category, self.text, detail="; ".join(filter(None, (self.detail, where))), severity=self.severity)

    def summary(self) -> dict[str, Any]:
        """Return the fields of a summary: numbers and texts that JSON can hold."""
        names = ("kind", "severity", "text", "times", "affected", "of", "first_step", "last_step", "detail")
        return {name: getattr(self, name) for name in names} | {"of": self.of or None}

    @classmethod
    def from_summary(cls, summary: Mapping[str, Any]) -> WarningCount:
        """Return the inverse of `summary`, without steps and epochs."""
        names = ("kind", "severity", "text", "detail", "times", "affected")
        return cls(**{name: summary[name] for name in names}, of=summary["of"] or 0)


@short_repr
@dataclass(slots=True)
class WarningLog:
    """Collect warnings by class and text, in the order of their first time."""

    counts: dict[Key, WarningCount] = field(default_factory=dict)

    def add(self, found: WarningCount) -> None:
        """Count one warning, or that nothing was found."""
        key = found.kind, found.text
        if key not in self.counts:
            self.counts[key] = WarningCount(kind=found.kind, text=found.text)
        self.counts[key].add(found)

    def merge(self, later: WarningLog, *, step: int | None = None, epoch: int = 0) -> None:
        """Count all warnings of a later log.

        Args:
            later: The other log.
            step: The step of the run that it is of, or None.
            epoch: The epoch of that step.
        """
        for found in later.counts.values():
            self.add(found if step is None else found.at(step, epoch))

    @property
    def given(self) -> list[WarningCount]:
        """Return the warnings that were given, the more severe first."""
        return sorted((count for count in self.counts.values() if count.times), key=lambda c: _RANKS.index(c.severity))

    def affected(self) -> dict[str, int]:
        """Return the number of things that warnings concerned, by kind."""
        found: dict[str, int] = {}
        for count in self.given:
            found[count.kind] = found.get(count.kind, 0) + count.affected
        return found

    def summary(self) -> list[dict[str, Any]]:
        """Return the given warnings for a summary, the more severe first, as JSON can hold them."""
        return [count.summary() for count in self.given]

    def record(self) -> list[dict[str, Any]]:
        """Return all counts for a checkpoint, as JSON can hold them."""
        return [count.record() for count in self.counts.values()]

    @classmethod
    def from_record(cls, record: Sequence[Mapping[str, Any]]) -> WarningLog:
        """Return the inverse of `record`."""
        counts = [WarningCount.from_record(item) for item in record]
        return cls({(count.kind, count.text): count for count in counts})


@dataclass(frozen=True, slots=True)
class _Counting:
    log: WarningLog
    shown: set[Key]


_counting: ContextVar[_Counting | None] = ContextVar("warning_log", default=None)


@contextmanager
def counting_warnings(log: WarningLog, shown: set[Key] | None = None) -> Iterator[WarningLog]:
    """Count every warning that is given inside the block in a log, and show each only once.

    Args:
        log: Where to count.
        shown: Kinds and texts that were shown before, shared by blocks that belong together; those that the log has by
            default.
    """
    known = {key for key, count in log.counts.items() if count.times} if shown is None else shown
    token = _counting.set(_Counting(log, known))
    try:
        yield log
    finally:
        _counting.reset(token)


def warn(
    category: type[QepWarning],
    text: str,
    *,
    detail: str = "",
    affected: int = 1,
    of: int = 0,
    severity: Severity | None = None,
    once: bool = False,
    quiet: bool = False,
) -> None:
    """Give a warning that points at the line outside of this package from which it came.

    Args:
        category: Class of the warning.
        text: Constant for its cause: what was found, and which key helps.
        detail: The numbers of this time.
        affected: Number of things (states, samples, steps) that it concerns. With 0 nothing was found and no warning is
            given; what was looked at is counted.
        of: Number of things that were looked at, where they are counted.
        severity: Another than that of the class.
        once: It is about a run as a whole, such as its device: the run counts it once, however often it is given.
        quiet: Only count it; the summary of the run reports it.
    """
    counting, kind = _counting.get(), category.__name__
    if not affected:
        if counting is not None:
            counting.log.add(WarningCount(kind=kind, text=text, of=of))
        return
    warning = category(text, detail, severity)
    if counting is not None:
        found = WarningCount(
            kind=kind,
            text=text,
            of=of,
            severity=warning.severity,
            detail=detail,
            times=1,
            affected=affected,
            once=once,
            quiet=quiet,
        )
        counting.log.add(found)
        if (kind, text) in counting.shown:
            return
    if quiet:
        return
    if counting is not None:
        counting.shown.add((kind, text))
    warnings.warn(warning, stacklevel=_frames_inside())


def _frames_inside() -> int:
    """Return the stack level, as `warn` counts it, of the first frame outside this package.

    Generated code counts as inside.
    """
    level, frame = 1, sys._getframe(1)
    while frame is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] == _PACKAGE:
        level, frame = level + 1, frame.f_back  # type: ignore[assignment]
    return level
