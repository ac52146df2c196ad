"""Sentences on the points of a study that gave warnings, one for each kind of warning."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import QepWarning
from qep_qiskit.core.warning_log import WarningCount, WarningLog, counting_warnings
from qep_qiskit.runs.folder import RunFolder
from qep_qiskit.runs.points import Point, Row

Result = TypeVar("Result")

_PAGE = "docs/reference/warnings.md says what each means"


def quietly(work: Callable[[], Result]) -> Result:
    """Return the result of some work, with the warnings of this package not shown."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", QepWarning)
        return work()


def with_warnings(work: Callable[[], Row]) -> Row:
    """Return the row of a point with its warnings, which are named once at the end of the study."""
    with counting_warnings(WarningLog()) as log:
        row = quietly(work)
    return {**row, "warned": recorded(log.given)}


def recorded(given: Iterable[WarningCount]) -> list[list[Any]]:
    """Return kinds, severities and counts of warnings, as rows have them."""
    return [[count.kind, count.severity, count.times] for count in given]


def warned_runs(points: Sequence[Point]) -> list[Row]:
    """Return rows of the runs of a training study with the warnings of their summaries."""
    summaries = [RunFolder(Path(point["folder"])).summary() or {} for point in points]
    return [
        {"warned": [[one["kind"], one["severity"], one["times"]] for one in summary.get("warnings", ())]}
        for summary in summaries
    ]


def warned_sentences(tables: Mapping[str, Sequence[Row]]) -> list[str]:
    """Return a sentence for every kind of warning: number of points of a table, their nudges and shots.

    Args:
        tables: Rows by the name of their table; rows without `warned` are not counted.
    """
    found = [sentence for name, rows in tables.items() for sentence in _sentences(name, rows)]
    return [*found, _PAGE] if found else []


def _sentences(name: str, rows: Sequence[Row]) -> Iterable[str]:
    known = [row for row in rows if row.get("warned") is not None]
    kinds = dict.fromkeys((kind, severity) for row in known for kind, severity, _ in row["warned"])
    for kind, severity in kinds:
        own = [row for row in known if any(one[:2] == [kind, severity] for one in row["warned"])]
        where = "".join(_span(label, [row[key] for row in own if row.get(key)]) for label, key in _LABELS)
        yield f"{severity}: {kind} in {len(own)} of {amount(len(known), 'point')} of the {name} study{where}"


_LABELS = (("|beta|", "beta"), ("shots", "shots"))


def _span(label: str, values: Sequence[float]) -> str:
    if not values:
        return ""
    sizes = [abs(value) for value in values]
    low, high = min(sizes), max(sizes)
    return f", {label} {low:g}" if low == high else f", {label} {low:g} to {high:g}"
