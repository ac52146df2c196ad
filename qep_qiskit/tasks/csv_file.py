"""Reading of comma-separated files with a header; every error names the file, the row and the column."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qep_qiskit.core.errors import ConfigError, DataError
from qep_qiskit.tasks.table import RawTable

_MOST_NAMES_SHOWN = 20
_MOST_LETTERS_SHOWN = 40
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "'|'"}
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_MISSING = frozenset({"?", "-", "na", "n/a", "null", "none"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sheet:
    """The cells of a file, stripped; `lines` are the 1-based line numbers at which the rows begin."""

    path: Path
    header: list[str]
    lines: list[int]
    rows: list[list[str]]


def read_csv(
    path: str | Path,
    inputs: Sequence[str],
    target: str | None = None,
    targets: Sequence[str] = (),
    *,
    classes: Sequence[str] | None = None,
    answers_optional: bool = False,
) -> RawTable:
    """Read the inputs of a file together with its labels or target numbers.

    The file is UTF-8 with a header. Spaces around names and cells, a byte-order mark, any line ends and blank lines at
    the end are allowed. Other columns are ignored.

    Args:
        path: Path of the file.
        inputs: Names of the input columns, at least one.
        target: Name of the column of class names, for classification.
        targets: Names of the columns of target numbers, for regression.
        classes: Class names that are allowed; None allows all.
        answers_optional: Whether the file may lack the column of class names, or all columns of target numbers, as rows
            for predictions do.

    Returns:
        The table, with `labels` if `target` is given and `targets` if `targets` are; without those the file lacks.

    Raises:
        ConfigError: There is no input column, a column is named twice, or both `target` and `targets` are given.
        DataError: The file is missing, a folder, not readable, not UTF-8, empty or without data rows; the header names
            a column twice or lacks one; a row has too few or too many cells; a cell is empty, not a number, not finite,
            or not one of the classes.
    """
    _check_columns(inputs, target, targets)
    sheet = _read_sheet(Path(path))
    if answers_optional:
        target = target if target in sheet.header else None
        targets = targets if set(targets) & set(sheet.header) else ()
    return RawTable(
        inputs=_numbers(sheet, inputs),
        input_names=tuple(inputs),
        labels=None if target is None else _labels(sheet, target, classes),
        label_column=target,
        targets=_numbers(sheet, targets) if targets else None,
        target_columns=tuple(targets),
    )


def _check_columns(inputs: Sequence[str], target: str | None, targets: Sequence[str]) -> None:
    for key, names in (("inputs", inputs), ("targets", targets)):
        if isinstance(names, str):
            raise ConfigError(f"{key}: expected a list of column names, got the text {names!r}")
    if not inputs:
        raise ConfigError("inputs: expected at least one column name, got none")
    if target is not None and targets:
        raise ConfigError("target, targets: expected a class column or number columns, got both")
    names = [*inputs, *targets, *([] if target is None else [target])]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"inputs, target, targets: the column {name!r} is asked for twice")


def _read_sheet(path: Path) -> _Sheet:
    records = _records(path, _read_text(path))
    while records and len(records[-1][1]) <= 1 and not any(records[-1][1]):
        records.pop()
    if not records:
        raise DataError(f"{path}: the file is empty; expected a header and data rows")
    (_, header), data = records[0], records[1:]
    _check_separator(path, header, data)
    _check_header(path, header)
    if not data:
        raise DataError(f"{path}: expected data rows from row 2 on, got only the header in row 1")
    for line, cells in data:
        if len(cells) != len(header):
            _refuse_width(path, line, header, cells)
    return _Sheet(path=path, header=header, lines=[n for n, _ in data], rows=[cells for _, cells in data])


def _read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise DataError(f"{path}: expected a CSV file, got a folder") from None
    except OSError as error:
        raise DataError(f"{path}: the file cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        row = error.object[: error.start].count(b"\n") + 1
        raise DataError(f"{path}: row {row}: not UTF-8 text; save the file as UTF-8") from None


def _records(path: Path, text: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    records: list[tuple[int, list[str]]] = []
    line = 1
    try:
        for cells in reader:
            records.append((line, [cell.strip() for cell in cells]))
            line = reader.line_num + 1  # a quoted cell may span lines: messages name the first
    except csv.Error as error:
        raise DataError(f"{path}: row {line}: not a CSV row: {error}") from None
    return records


def _check_separator(path: Path, header: list[str], data: Sequence[tuple[int, list[str]]]) -> None:
    """Refuse a file of one column whose name contains another separator."""
    found = next((sign for sign in _SEPARATORS if sign in header[0]), None) if len(header) == 1 else None
    if found is None:
        return
    lines = [",".join(cells) for _, cells in data]
    commas = any(_DECIMAL_COMMA.search(cell) for line in lines for cell in line.split(found))
    numbers = ", and numbers are written with decimal commas" if commas else ""
    cure = " and decimal points" if commas else ""
    raise DataError(
        f"{path}: row 1: columns are separated by {_SEPARATORS[found]}{numbers}; write the file with commas between "
        f"columns{cure}"
    )


def _no_header(header: Sequence[str]) -> str:
    """A hint for messages where the column names are numbers."""
    if not any(_is_number(name) for name in header):
        return ""
    return "; row 1 holds numbers, so the header seems to be missing: put the names of the columns there"


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _check_header(path: Path, header: list[str]) -> None:
    if not any(header):
        raise DataError(f"{path}: row 1: expected the column names, got a blank row")
    for name in header:
        if header.count(name) > 1:
            cure = _no_header(header) or "; rename one of them"
            raise DataError(f"{path}: row 1: the column {name!r} is there twice{cure}")


def _refuse_width(path: Path, line: int, header: list[str], cells: list[str]) -> None:
    where = f"column {header[len(cells)]!r} is missing" if len(cells) < len(header) else "after the last column"
    extra = len(cells) - len(header)
    digits = sum(cell.isdigit() for cell in cells)
    hint = "; if numbers have decimal commas, write them with points" if 0 < extra <= digits else ""
    raise DataError(f"{path}: row {line}: expected {len(header)} cells, got {len(cells)} ({where}){hint}")


def _cells(sheet: _Sheet, name: str) -> list[str]:
    if name not in sheet.header:
        hint = _no_header(sheet.header)
        raise DataError(f"{sheet.path}: row 1: no column {name!r}; the file has {_listing(sheet.header)}{hint}")
    column = sheet.header.index(name)
    cells = [row[column] for row in sheet.rows]
    if "" in cells:
        raise DataError(f"{_location(sheet, cells.index(''), name)}: the cell is empty")
    return cells


def _numbers(sheet: _Sheet, names: Sequence[str]) -> np.ndarray:
    columns = [[_number(cell, sheet, index, name) for index, cell in enumerate(_cells(sheet, name))] for name in names]
    return np.array(columns, dtype=np.float64).T


def _number(cell: str, sheet: _Sheet, index: int, name: str) -> float:
    try:
        if "_" in cell:  # float() would read 1_0 as ten
            raise ValueError
        value = float(cell)
    except ValueError:
        hint = ""
        if _DECIMAL_COMMA.fullmatch(cell):
            hint = "; write it with a decimal point"
        elif cell.casefold() in _MISSING:
            hint = "; a missing value: fill it in, or remove the row"
        raise DataError(f"{_location(sheet, index, name)}: expected a number, got {_short(cell)}{hint}") from None
    if not math.isfinite(value):
        hint = "; a missing value: fill it in, or remove the row" if math.isnan(value) else ""
        raise DataError(f"{_location(sheet, index, name)}: expected a finite number, got {_short(cell)}{hint}")
    return value


def _labels(sheet: _Sheet, name: str, classes: Sequence[str] | None) -> tuple[str, ...]:
    labels = _cells(sheet, name)
    for index, label in enumerate(labels):
        if classes is not None and label not in classes:
            place = _location(sheet, index, name)
            raise DataError(f"{place}: expected one of the classes {_listing(classes)}, got {_short(label)}")
    return tuple(labels)


def _location(sheet: _Sheet, index: int, name: str) -> str:
    return f"{sheet.path}: row {sheet.lines[index]}, column {name!r}"


def _short(cell: str) -> str:
    return repr(cell if len(cell) <= _MOST_LETTERS_SHOWN else cell[:_MOST_LETTERS_SHOWN] + "...")


def _listing(names: Iterable[str]) -> str:
    shown = [_short(name) for name in names]
    num_hidden = len(shown) - _MOST_NAMES_SHOWN
    return ", ".join(shown[:_MOST_NAMES_SHOWN]) + (f" and {num_hidden} more" if num_hidden > 0 else "")
