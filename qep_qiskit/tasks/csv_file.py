"""Reading of CSV files into raw tables; every error names the file, the row and the column."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import ConfigError, DataError, MissingValuesWarning, TextInputsWarning
from qep_qiskit.core.warning_log import warn
from qep_qiskit.tasks.column_encoding import ColumnEncoding, Missing, is_missing, listing, shortened
from qep_qiskit.tasks.csv_columns import (
    ColumnNames,
    chosen_columns,
    chosen_names,
    is_number,
    no_header_hint,
)
from qep_qiskit.tasks.csv_format import DECIMAL_COMMA, RECOGNISED, CsvFormat
from qep_qiskit.tasks.label_check import refuse_two_spellings, sorted_names
from qep_qiskit.tasks.table import RawTable

_LIKE_A_NUMBER = re.compile(r"\W*\d")
_MISSING_NUMBERS = frozenset({"-", "none"})
_FEW_CATEGORIES = 10
_FILL_IN = "; a missing value: fill it in, or see task.missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sheet:
    """The cells of a file, stripped.

    `top` is where the header stands, `format` has everything that was recognised, and `lines` are the line numbers at
    which the rows begin, from 1.
    """

    path: Path
    top: str
    format: CsvFormat
    header: list[str]
    lines: list[int]
    rows: list[list[str]]
    missing: Missing = "error"


def read_csv(
    path: str | Path,
    inputs: ColumnNames,
    target: str | int | None = None,
    targets: Sequence[str | int] = (),
    *,
    classes: Sequence[str] | None = None,
    answers_optional: bool = False,
    layout: CsvFormat = RECOGNISED,
    categorical: Sequence[str | int] | None = None,
    missing: Missing = "error",
    like: ColumnEncoding | None = None,
) -> RawTable:
    """Read the inputs of a file together with its labels or target numbers.

    Spaces around names and cells, a byte-order mark, any line ends and blank lines are allowed. Other columns are
    ignored.

    Args:
        path: Path of the file.
        inputs: Input columns, see `chosen_columns`, at least one.
        target: Column of class names, for classification.
        targets: Columns of target numbers, for regression.
        classes: Class names that are allowed; None allows all.
        answers_optional: Whether the file may lack the column of class names, or all columns of target numbers, as rows
            for predictions do.
        layout: How the file is written.
        categorical: Input columns of categories, one-hot encoded; None for those that hold texts only, with a note.
        missing: What is done with missing values (empty cells, ``?``, ``NA``, ``nan``, ``null``): "error" refuses them,
            "drop" leaves out rows that lack an input or an answer, "mean" keeps rows that lack inputs, see
            `RawTable.missing`.
        like: Encoding of the columns of another file, which takes the place of the last three arguments; `inputs` are
            its columns.

    Returns:
        The table, with `labels` if `target` is given and `targets` if `targets` are; without those the file lacks.

    Raises:
        ConfigError: There is no input column, a column is named twice, or both `target` and `targets` are given.
        DataError: The file is missing, a folder, not readable, in another encoding, empty or without data rows; the
            header names a column twice or lacks one; a row has too few or too many cells; a cell is empty, not a
            number, not finite, or not one of the classes or categories.
    """
    _check_columns(inputs, target, targets)
    if like is not None:
        layout, missing = like.format, like.missing
    sheet = replace(_read_sheet(Path(path), layout), missing=missing)
    if like is not None and not layout.header:
        sheet = _numbered_like(sheet, like, [str(name) for name in targets if target is None] or [str(target)])
    target, targets = _answers(sheet, target, targets, optional=answers_optional)
    answers = [*targets, *([] if target is None else [target])]
    names = chosen_columns(sheet.top, sheet.header, inputs, answers, has_header=layout.header)
    columns = like or _encoding_of(sheet, names, categorical, layout)
    cells = [_column(sheet, name, bool(found)) for name, found in zip(names, columns.categories, strict=True)]
    numbers = columns.encode(cells, lambda index, name: _location(sheet, index, name))
    labels = None if target is None else _labels(sheet, target, classes)
    found = [_numbers(sheet, name, may_miss=missing == "drop") for name in targets]
    kept = _kept_rows(sheet, numbers, [*found, *([] if labels is None else [labels])], predicts=answers_optional)
    gaps = np.isnan(numbers[kept])
    return RawTable(
        inputs=np.where(gaps, 0.0, numbers[kept]),
        input_names=columns.input_names,
        labels=None if labels is None else tuple(str(labels[index]) for index in kept),
        label_column=target,
        targets=np.array(found, dtype=np.float64).T[kept] if found else None,
        target_columns=tuple(targets),
        missing=gaps if missing == "mean" else None,
        columns=columns,
    )


def _kept_rows(
    sheet: _Sheet, numbers: np.ndarray, answers: Sequence[Sequence[str | float | None]], *, predicts: bool
) -> np.ndarray:
    """Return the indices of the rows that are kept, and note missing values that were asked to be left out or filled.

    Args:
        sheet: The cells.
        numbers: Inputs, shape (rows, inputs), nan where one is missing.
        answers: Columns of answers, None where one is missing.
        predicts: Whether there is a prediction for every row, so that none may be left out.
    """
    lacking = np.array([cells is None for column in answers for cells in column], dtype=bool)
    incomplete = np.isnan(numbers).any(axis=1) | lacking.reshape(-1, len(numbers)).any(axis=0)
    rows = np.arange(len(numbers))
    if not incomplete.any():
        return rows
    count = int(incomplete.sum())
    detail = f"{count} of {amount(len(rows), 'row')} of {sheet.path.name}"
    if sheet.missing == "mean":
        warn(
            MissingValuesWarning,
            "missing inputs are replaced by their means over the training rows, as task.missing = 'mean' says",
            detail=detail,
            affected=count,
            of=len(rows),
        )
        return rows
    if predicts:
        line = sheet.lines[int(np.argmax(incomplete))]
        raise DataError(
            f"{sheet.path}: row {line}: a value is missing, and rows to predict are not left out; fill it in"
        )
    if incomplete.all():
        raise DataError(f"{sheet.path}: every row lacks a value of a column that is used; leave that column out")
    warn(
        MissingValuesWarning,
        "rows with missing values are left out, as task.missing = 'drop' says",
        detail=detail,
        affected=count,
        of=len(rows),
    )
    return rows[~incomplete]


def _check_columns(inputs: ColumnNames, target: str | int | None, targets: Sequence[str | int]) -> None:
    if isinstance(targets, str):
        raise ConfigError(f"targets: expected a list of column names, got the text {targets!r}")
    if isinstance(inputs, str) and inputs != "*" and ":" not in inputs:
        raise ConfigError(f"inputs: expected a list of column names, a range 'a:c' or '*', got the text {inputs!r}")
    if not inputs:
        raise ConfigError("inputs: expected at least one column name, got none")
    if target is not None and targets:
        raise ConfigError("target, targets: expected a class column or number columns, got both")


def _answers(
    sheet: _Sheet, target: str | int | None, targets: Sequence[str | int], *, optional: bool
) -> tuple[str | None, tuple[str, ...]]:
    """Return the names of the columns of answers; with `optional`, those that the file has if it has any."""
    wanted = [*targets, *([] if target is None else [target])]
    if optional and not any(str(name) in sheet.header for name in wanted):
        return None, ()
    key = "targets" if target is None else "target"
    names = chosen_names(sheet.top, sheet.header, wanted, has_header=sheet.format.header, key=key)
    return (None, names) if target is None else (names[0], ())


def _numbered_like(sheet: _Sheet, like: ColumnEncoding, answers: Sequence[str]) -> _Sheet:
    """Number the columns of a file without a header like those of another; the answers may be left out."""
    width, asked = len(sheet.header), [str(index) for index in range(like.width)]
    if width == like.width:
        return sheet
    without = [name for name in asked if name not in answers]
    if width == len(without):
        return replace(sheet, header=without)
    raise DataError(
        f"{sheet.path}: row {sheet.lines[0]}: expected {amount(like.width, 'cell')}, or {len(without)} without the "
        f"answers, got {width}"
    )


def _encoding_of(
    sheet: _Sheet, names: Sequence[str], categorical: Sequence[str | int] | None, given: CsvFormat
) -> ColumnEncoding:
    if categorical is None:
        texts = [name for name in names if _holds_categories(sheet, name)]
    else:
        texts = list(
            chosen_names(sheet.top, sheet.header, categorical, has_header=sheet.format.header, key="categorical")
        )
        if other := next((name for name in texts if name not in names), None):
            raise ConfigError(f"categorical: expected some of the inputs, got {other!r}")
    categories = {name: _categories(sheet, name) for name in texts}
    if categorical is None and texts:
        warn(
            TextInputsWarning,
            "columns of texts are one-hot inputs, one for each category; name them in task.categorical if so meant",
            detail="; ".join(f"{name}: {listing(found)}" for name, found in categories.items()),
            affected=len(texts),
        )
    return ColumnEncoding(
        names=tuple(names),
        categories=tuple(categories.get(name, ()) for name in names),
        missing=sheet.missing,
        format=given if sheet.format.decimal == "." else replace(given, decimal=","),
        width=len(sheet.header),
    )


def _categories(sheet: _Sheet, name: str) -> tuple[str, ...]:
    counts = Counter(cell for cell in _texts(sheet, name) if cell is not None)
    refuse_two_spellings(counts, f"{sheet.path}: column {name!r}", "category")
    return sorted_names(set(counts))


def _holds_categories(sheet: _Sheet, name: str) -> bool:
    """Return whether a column has texts only, at least two different ones."""
    cells = _cells(sheet, name)
    if any(_LIKE_A_NUMBER.match(cell) for cell in cells):
        return False
    known = [cell for cell in cells if not is_missing(cell)]
    kinds = set(known)
    if len(kinds) < 2 or any(map(is_number, kinds)):
        return False
    if len(kinds) > _FEW_CATEGORIES and 2 * len(kinds) > len(known):
        raise DataError(
            f"{sheet.path}: column {name!r}: {len(kinds)} different texts in {amount(len(known), 'row')} are hardly "
            "categories; leave the column out of task.inputs, or name it in task.categorical"
        )
    return True


def _read_sheet(path: Path, layout: CsvFormat) -> _Sheet:
    records, found = layout.read(path)
    if not records:
        what = "a header and data rows" if layout.header else "data rows"
        raise DataError(f"{path}: the file is empty; expected {what}")
    if layout.header:
        (line, header), data = records[0], records[1:]
        top = f"{path}: row {line}"
        _check_header(path, line, header)
        if not data:
            raise DataError(f"{path}: expected data rows from row {line + 1} on, got only the header in row {line}")
    else:
        top, header, data = str(path), [str(index) for index in range(len(records[0][1]))], records
    for line, cells in data:
        if len(cells) != len(header):
            _refuse_width(path, line, header, cells)
    lines, rows = [line for line, _ in data], [cells for _, cells in data]
    return _Sheet(path=path, top=top, format=found, header=header, lines=lines, rows=rows)


def _check_header(path: Path, line: int, header: list[str]) -> None:
    for name in header:
        if header.count(name) > 1:
            cure = no_header_hint(header) or "; rename one of them"
            raise DataError(f"{path}: row {line}: the column {name!r} is there twice{cure}")


def _refuse_width(path: Path, line: int, header: list[str], cells: list[str]) -> None:
    where = f"column {header[len(cells)]!r} is missing" if len(cells) < len(header) else "after the last column"
    extra = len(cells) - len(header)
    digits = sum(cell.isdigit() for cell in cells)
    hint = "; if numbers have decimal commas, write them with points" if 0 < extra <= digits else ""
    if cells[0].startswith(("#", "%")):
        hint = f"; if this line is a comment, set task.comment = {cells[0][0]!r}"
    raise DataError(f"{path}: row {line}: expected {amount(len(header), 'cell')}, got {len(cells)} ({where}){hint}")


def _cells(sheet: _Sheet, name: str) -> list[str]:
    column = sheet.header.index(name)
    return [row[column] for row in sheet.rows]


def _column(sheet: _Sheet, name: str, is_text: bool) -> Sequence[str | float | None]:
    return _texts(sheet, name) if is_text else _numbers(sheet, name, may_miss=sheet.missing != "error")


def _numbers(sheet: _Sheet, name: str, *, may_miss: bool) -> list[float | None]:
    return [
        None if may_miss and _is_missing_number(cell) else _number(cell, sheet, index, name)
        for index, cell in enumerate(_cells(sheet, name))
    ]


def _is_missing_number(cell: str) -> bool:
    return is_missing(cell) or cell.casefold() in _MISSING_NUMBERS


def _number(cell: str, sheet: _Sheet, index: int, name: str) -> float:
    decimal = sheet.format.decimal
    try:
        if "_" in cell or (decimal == "," and "." in cell):  # float() would read 1_0 as ten
            raise ValueError
        value = float(cell.replace(",", ".") if decimal == "," else cell)
    except ValueError:
        place = _location(sheet, index, name)
        if not cell:
            raise DataError(f"{place}: the cell is empty{_FILL_IN}") from None
        hint = ""
        if decimal != "," and DECIMAL_COMMA.fullmatch(cell):
            hint = "; write it with a decimal point, or set task.decimal = ','"
        elif decimal == "," and "." in cell:
            hint = "; numbers of this file have decimal commas: write it with one, or set task.decimal"
        elif _is_missing_number(cell):
            hint = _FILL_IN
        elif not _LIKE_A_NUMBER.match(cell):
            hint = "; if the column holds categories, name it in task.categorical"
        raise DataError(f"{place}: expected a number, got {shortened(cell)}{hint}") from None
    if not math.isfinite(value):
        hint = _FILL_IN if math.isnan(value) else ""
        raise DataError(f"{_location(sheet, index, name)}: expected a finite number, got {shortened(cell)}{hint}")
    return value


def _texts(sheet: _Sheet, name: str) -> list[str | None]:
    """Return the categories of a column, None where one is missing."""
    texts: list[str | None] = []
    for index, cell in enumerate(_cells(sheet, name)):
        if is_missing(cell) and sheet.missing == "error":
            got = f"expected a category, got {shortened(cell)}" if cell else "the cell is empty"
            raise DataError(f"{_location(sheet, index, name)}: {got}{_FILL_IN}")
        texts.append(None if is_missing(cell) else cell)
    return texts


def _labels(sheet: _Sheet, name: str, classes: Sequence[str] | None) -> list[str | None]:
    labels: list[str | None] = []
    for index, label in enumerate(_cells(sheet, name)):
        is_class = classes is not None and label in classes
        if sheet.missing == "drop" and is_missing(label) and not is_class:
            labels.append(None)
            continue
        if not label:
            place = _location(sheet, index, name)
            raise DataError(f"{place}: the cell is empty; fill it in, or leave out the row by task.missing = 'drop'")
        if classes is not None and not is_class:
            place = _location(sheet, index, name)
            raise DataError(f"{place}: expected one of the classes {listing(classes)}, got {shortened(label)}")
        labels.append(label)
    return labels


def _location(sheet: _Sheet, index: int, name: str) -> str:
    return f"{sheet.path}: row {sheet.lines[index]}, column {name!r}"
