"""Class names in a table, and checks for names that look like mistakes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import DataError
from qep_qiskit.tasks.column_encoding import is_missing


def found_classes(labels: Sequence[str], column: str | None) -> tuple[str, ...]:
    """Return the distinct labels of a table, sorted, by value if all are numbers.

    Args:
        labels: Class name of each row, at least one.
        column: Name of their column, for errors.

    Raises:
        DataError: There is only one class; a label marks a missing value; two labels are spellings of one class ('1'
            and '1.0', 'Yes' and 'yes', '<=50K' and '<=50K.'); or they are numbers that hardly repeat.
    """
    where = "labels" if column is None else f"labels in column {column!r}"
    names = sorted_names(set(labels))
    if len(names) < 2:
        raise DataError(f"labels: expected at least two classes, got only {names[0]!r}")
    counts = Counter(labels)
    for name in names:
        if is_missing(name):
            raise DataError(
                f"{where}: {name!r} in {amount(counts[name], 'row')} looks like a missing value; leave out these rows "
                "by task.missing = 'drop', or list it in task.classes"
            )
    refuse_two_spellings(counts, where, "class", ", or list both in task.classes")
    values = [_number(name) for name in names]
    hardly_repeat = len(names) > 2 and 2 * len(names) > len(labels)
    if hardly_repeat and None not in values and any(value != round(value) for value in values if value is not None):
        raise DataError(
            f"{where}: {len(names)} different numbers in {amount(len(labels), 'row')} are hardly classes; for a "
            "regression give the column in task.targets, or list the classes in task.classes"
        )
    return names


def refuse_two_spellings(counts: Mapping[str, int], where: str, what: str, otherwise: str = "") -> None:
    """Refuse names that look like one written in two ways.

    Args:
        counts: Number of rows of each name.
        where: Where they stand, for the error.
        what: What a name stands for.
        otherwise: What can be done instead of writing one of them.

    Raises:
        DataError: Two names are spellings of one: '1' and '1.0', 'Yes' and 'yes', '<=50K' and '<=50K.'.
    """
    seen: dict[object, str] = {}
    for name in sorted_names(set(counts)):
        other = seen.setdefault(_spelling(name), name)
        if other != name:
            both = f"{other!r} ({amount(counts[other], 'row')}) and {name!r} ({amount(counts[name], 'row')})"
            raise DataError(f"{where}: {both} look like one {what} written in two ways; write one of them{otherwise}")


def sorted_names(names: set[str]) -> tuple[str, ...]:
    """Return names sorted, by value if all are numbers."""
    try:
        return tuple(sorted(names, key=lambda name: (float(name), name)))
    except ValueError:
        return tuple(sorted(names))


def _spelling(name: str) -> object:
    """Key common to all spellings of a class: its number, or its letters without case, spaces and a final stop."""
    value = _number(name)
    return value if value is not None else "".join(name.casefold().split()).rstrip(".")


def _number(name: str) -> float | None:
    try:
        value = float(name)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in name else None
