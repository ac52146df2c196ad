"""Choice of columns of a table: by name, by number where there is no header, by range, or all."""

from __future__ import annotations

import re
from collections.abc import Sequence

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import ConfigError, DataError
from qep_qiskit.tasks.column_encoding import listing

ColumnNames = str | Sequence[str | int]
"""Columns of a table: a list of names, numbers and ranges, one range, or ``"*"``."""

_RANGE = re.compile(r"(-?\d*):(-?\d*)")


def chosen_columns(
    place: str, header: Sequence[str], inputs: ColumnNames, answers: Sequence[str], *, has_header: bool
) -> tuple[str, ...]:
    """Return the names of the input columns of a table.

    Args:
        place: str of the table, for errors.
        header: Names of all columns; their numbers from 0 where there is no header.
        inputs: Input columns. ``"*"`` are all without the answers. A range ``"a:c"`` includes its last name; one of
            numbers, ``"0:4"``, does not include its last number, as in Python. Negative numbers count from the end.
        answers: Columns of labels or target numbers.
        has_header: Whether the columns have names.

    Raises:
        ConfigError: A column is named twice, or numbers and names are mixed up.
        DataError: The table lacks a column.
    """
    parts = [inputs] if isinstance(inputs, str) else inputs
    names: list[str] = []
    for part in parts:
        if part == "*" and part not in header:
            names += [name for name in header if name not in answers]
        else:
            names += chosen_names(place, header, [part], has_header=has_header, key="inputs")
    for name in [*names, *answers]:
        if [*names, *answers].count(name) > 1:
            raise ConfigError(f"inputs, target, targets: the column {name!r} is asked for twice")
    return tuple(names)


def chosen_names(
    place: str, header: Sequence[str], columns: Sequence[str | int], *, has_header: bool, key: str
) -> tuple[str, ...]:
    """Return the names of columns that are given by name, number or range.

    Args:
        place: str of the table, for errors.
        header: Names of all columns.
        columns: Names, numbers and ranges.
        has_header: Whether the columns have names.
        key: Name of the key, for errors.

    Raises:
        ConfigError: Numbers and names are mixed up.
        DataError: The table lacks a column.
    """
    return tuple(name for column in columns for name in _matching(place, header, column, has_header, key))


def _matching(place: str, header: Sequence[str], column: str | int, has_header: bool, key: str) -> Sequence[str]:
    if isinstance(column, str) and column in header:
        return [column]
    if not has_header:
        return _by_number(place, header, column, key)
    if isinstance(column, int):
        raise ConfigError(
            f"{key}: expected names of columns, got the number {column}; numbers go with task.header = false"
        )
    first, colon, last = column.partition(":")
    if colon and {first, last} <= {"", *header}:
        begin = header.index(first) if first else 0
        end = header.index(last) if last else len(header) - 1
        if begin > end:
            raise ConfigError(f"{key}: expected a range from left to right, got {column!r}")
        return header[begin : end + 1]
    missing = next((name for name in (first, last) if name and name not in header), column) if colon else column
    raise DataError(f"{place}: no column {missing!r}; the file has {listing(header)}{no_header_hint(header)}")


def _by_number(place: str, header: Sequence[str], column: str | int, key: str) -> Sequence[str]:
    found = _RANGE.fullmatch(column) if isinstance(column, str) else None
    if found is not None:
        begin, end = (int(text) if text else None for text in found.groups())
        if not header[begin:end]:
            raise DataError(
                f"{place}: {key}: no column in the range {column!r}; the file has {amount(len(header), 'column')}"
            )
        return header[begin:end]
    if isinstance(column, str):
        raise ConfigError(
            f"{key}: expected numbers of columns from 0, or ranges such as '0:4', with task.header = false, got "
            f"{column!r}"
        )
    if not -len(header) <= column < len(header):
        raise DataError(f"{place}: no column {column}; the file has the columns 0 to {len(header) - 1}")
    return [header[column]]


def no_header_hint(header: Sequence[str]) -> str:
    """Return a hint for messages where the column names are numbers."""
    if not any(is_number(name) for name in header):
        return ""
    return (
        "; row 1 holds numbers, so the header seems to be missing: put the names of the columns there, or set "
        "task.header = false"
    )


def is_number(cell: str) -> bool:
    """Return whether Python reads a text as a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True
