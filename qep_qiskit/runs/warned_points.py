"""Sentences on the points of a study that gave warnings, one for each kind of warning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from qep_qiskit.core.amounts import amount
from qep_qiskit.runs.folder import RunFolder
from qep_qiskit.runs.points import Point, Row

_PAGE = "docs/reference/warnings.md says what each means"


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
    watched = [row for row in rows if row.get("warned") is not None]
    kinds = dict.fromkeys((kind, severity) for row in watched for kind, severity, _ in row["warned"])
    for kind, severity in kinds:
        own = [row for row in watched if any(one[:2] == [kind, severity] for one in row["warned"])]
        where = "".join(_span(label, [row[key] for row in own if row.get(key)]) for label, key in _LABELS)
        yield f"{severity}: {kind} in {len(own)} of {amount(len(watched), 'point')} of the {name} study{where}"


_LABELS = (("|beta|", "beta"), ("shots", "shots"))


def _span(label: str, values: Sequence[float]) -> str:
    if not values:
        return ""
    sizes = [abs(value) for value in values]
    low, high = min(sizes), max(sizes)
    return f", {label} {low:g}" if low == high else f", {label} {low:g} to {high:g}"
