"""The text of a CSV file as rows of cells: encoding, comments, delimiter and decimal sign, set or recognised."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from qep_qiskit.core.errors import ConfigError, DataError

DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
_PERHAPS_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
_DELIMITERS = (";", "\t", "|", ",")
_LINES_LOOKED_AT = 50

NumberedRow = tuple[int, list[str]]
"""Number of the line at which a row begins, from 1, and its cells without spaces around them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvFormat:
    r"""How a CSV file is written; what is None is recognised in each file.

    Args:
        header: Whether the first row has the names of the columns; without, columns are numbers from 0.
        delimiter: The sign between columns; a space stands for any number of spaces. Recognised are commas, semicolons,
            tabs, ``|`` and spaces.
        decimal: The decimal sign. Recognised is a comma in files that have another delimiter and no decimal points.
        encoding: Name of the encoding, as Python knows it; by default UTF-8, or UTF-16 with a byte-order mark.
        comment: Lines that begin with it are ignored; by default lines with ``#`` above the table.

    Raises:
        ConfigError: A value cannot be used.

    Example:
        >>> import tempfile
        >>> path = f"{tempfile.mkdtemp()}/table.csv"
        >>> _ = open(path, "w").write("0,5;low\n1,5;low\n2,5;high\n3,5;high\n")
        >>> semicolons = qep.CsvFormat(header=False, delimiter=";", decimal=",")
        >>> task = qep.csv_task(path, inputs=[0], target=1, layout=semicolons, test_fraction=0.0, seeds=qep.Seeds(0))
        >>> task.train.num_samples, task.train.classes
        (4, ('high', 'low'))
    """

    header: bool = True
    delimiter: str | None = None
    decimal: Literal[".", ","] | None = None
    encoding: str | None = None
    comment: str | None = None

    def __post_init__(self) -> None:
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise ConfigError(f"delimiter: expected one sign, such as ';', got {self.delimiter!r}")
        if self.decimal not in (None, ".", ","):
            raise ConfigError(f"decimal: expected '.' or ',', got {self.decimal!r}")
        if self.decimal is not None and self.decimal == self.delimiter:
            raise ConfigError(f"decimal: expected another sign than delimiter, got {self.decimal!r} for both")
        if self.comment is not None and not self.comment.strip():
            raise ConfigError(f"comment: expected the sign that begins a comment, such as '#', got {self.comment!r}")
        if self.encoding is not None:
            try:
                codecs.lookup(self.encoding)
            except LookupError:
                raise ConfigError(
                    f"encoding: expected the name of an encoding, such as 'latin-1', got {self.encoding!r}"
                ) from None

    def read(self, path: Path) -> tuple[list[NumberedRow], CsvFormat]:
        """Return the rows of a file, and its format with everything recognised. Blank lines are left out.

        A blank line in the middle of a table of one column is an empty cell.

        Raises:
            DataError: The file is missing, a folder, not readable, in another encoding, or not a table; or its decimal
                sign can be read in two ways.
        """
        # the lines of the csv module: str.splitlines would split at other signs too
        lines = list(io.StringIO(_text(path, self.encoding), newline=""))
        comments = self._comments(lines)
        for index in comments:
            lines[index] = "\n"
        first = next((index for index, line in enumerate(lines) if line.strip()), None)
        if self.header and self.comment is None and first is not None:
            lines[first] = lines[first].removeprefix("# ")  # numpy.savetxt writes the names of columns so
        delimiter = self.delimiter or _delimiter(lines, self.decimal)
        records = _records(path, lines, delimiter)
        is_narrow = all(len(cells) <= 1 for _, cells in records)
        kept = [(line, cells) for line, cells in records if any(cells) or len(cells) > 1]
        if is_narrow and kept:
            within = range(kept[0][0], kept[-1][0])
            kept = [
                (line, cells or [""])
                for line, cells in records
                if any(cells) or (line in within and line - 1 not in comments)
            ]
        found = replace(self, delimiter=delimiter)
        return kept, found if self.decimal is not None else replace(found, decimal=_decimal(path, kept, delimiter))

    def _comments(self, lines: Sequence[str]) -> set[int]:
        """Return the indices of lines that are comments."""
        if self.comment is not None:
            return {index for index, line in enumerate(lines) if line.lstrip().startswith(self.comment)}
        table = next((index for index, line in enumerate(lines) if line.strip() and line[0] != "#"), len(lines))
        above = [index for index in range(table) if lines[index].strip()]
        if above and table < len(lines):  # the last of them may be the header: '#id,x,y'
            delimiter = self.delimiter or _delimiter(lines[table:], self.decimal)
            last, first = (_widths([lines[index]], delimiter) for index in (above[-1], table))
            if last == first != {1}:
                above.pop()
        return set(above)


RECOGNISED = CsvFormat()
"""A header, and everything else as each file has it."""


def _text(path: Path, encoding: str | None) -> str:
    try:
        content = path.read_bytes()
        if encoding is None:
            encoding = "utf-16" if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
        return content.decode(encoding)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise DataError(f"{path}: expected a CSV file, got a folder") from None
    except OSError as error:
        raise DataError(f"{path}: the file cannot be read: {error.strerror}") from None
    except UnicodeError as error:
        name = "UTF-8" if encoding == "utf-8-sig" else str(encoding)
        row = error.object[: error.start].count(b"\n") + 1 if isinstance(error, UnicodeDecodeError) else 1
        raise DataError(
            f"{path}: row {row}: not {name} text; save the file as UTF-8, or set task.encoding, such as 'latin-1'"
        ) from None


def _records(path: Path, lines: Sequence[str], delimiter: str) -> list[NumberedRow]:
    if delimiter == " ":
        lines = [line.strip(" ") for line in lines]
    reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)
    records: list[NumberedRow] = []
    line = 1
    try:
        for cells in reader:
            records.append((line, [cell.strip() for cell in cells]))
            line = reader.line_num + 1  # a quoted cell may span lines: messages name the first
    except csv.Error as error:
        raise DataError(f"{path}: row {line}: not a CSV row: {error}") from None
    return records


def _widths(lines: Sequence[str], delimiter: str) -> set[int]:
    """Return the numbers of cells that lines have with a delimiter."""
    if delimiter == " ":
        lines = [line.strip() for line in lines]
    return {len(cells) for cells in csv.reader(lines, delimiter=delimiter, skipinitialspace=True)}


def _delimiter(lines: Sequence[str], decimal: str | None) -> str:
    """Return the sign that splits all lines into equally many cells, else the most frequent one of the first line."""
    seen = [line for line in lines if line.strip()][:_LINES_LOOKED_AT]
    signs = [sign for sign in _DELIMITERS if sign != decimal]
    for sign in signs:
        widths = _widths(seen, sign)
        if len(widths) == 1 and widths != {1}:
            return sign
    if seen and not any(sign in line for line in seen for sign in signs):
        widths = _widths(seen, " ")
        return " " if len(widths) == 1 and widths != {1} else signs[-1]
    return max(reversed(signs), key=seen[0].count) if seen else signs[-1]


def _decimal(path: Path, records: Sequence[NumberedRow], delimiter: str) -> Literal[".", ","]:
    if delimiter == ",":
        return "."
    signed = [(line, cell) for line, row in records for cell in row if "," in cell or "." in cell]
    commas = [(line, cell) for line, cell in signed if DECIMAL_COMMA.fullmatch(cell)]
    if not commas or any(_DECIMAL_POINT.fullmatch(cell) for _, cell in signed):
        return "."
    if all(_PERHAPS_THOUSANDS.fullmatch(cell) for _, cell in commas):
        line, cell = commas[0]
        raise DataError(
            f"{path}: row {line}: {cell!r} may have a decimal comma or count thousands, and no other number tells; "
            "set task.decimal = ',', or write it without the comma"
        )
    return ","
