"""Result tables as files: CSV, or Parquet for large tables."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any, Literal

from qep_qiskit.core.errors import ConfigError, ResourceError, RunFolderError
from qep_qiskit.core.files import write_atomically

_COMPUTED = ("=", "+", "-", "@", "\t", "\r")
TableFormat = Literal["csv", "parquet"]


def require_table_format(name: str) -> None:
    """Check that tables of a format can be written, before any result exists.

    Raises:
        ConfigError: The format is unknown.
        ResourceError: The package that writes the format is missing.
    """
    if name not in ("csv", "parquet"):
        raise ConfigError(f"expected a table in csv or parquet, got '{name}'")
    if name == "parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError:
            raise ResourceError(
                "a table in Parquet needs the package pyarrow; install it with pip install 'qep_qiskit[parquet]', or "
                "write csv"
            ) from None


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows atomically; the suffix of the file name selects the format.

    Columns are in the order in which rows first name them. None, and a column that a row lacks, are empty; floats keep
    all digits; lists and tables are JSON texts. A Parquet column with values of several types is text. A text that
    begins with = + - or @ gets an apostrophe in CSV, because spreadsheets would compute it.

    Args:
        path: Ends in ``.csv`` or ``.parquet``.
        rows: JSON values by column.

    Raises:
        ConfigError: The suffix is another one.
        ResourceError: The package that writes the format is missing.
        RunFolderError: The file cannot be written.
    """
    kind = path.suffix.removeprefix(".")
    require_table_format(kind)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    content = (_csv if kind == "csv" else _parquet)(
        columns, [[_plain(row.get(name)) for name in columns] for row in rows]
    )
    try:
        write_atomically(path, content)
    except OSError as error:
        raise RunFolderError(f"{path}: cannot be written ({error.strerror})") from error


def _plain(value: Any) -> bool | int | float | str | None:
    if hasattr(value, "tolist"):
        value = value.tolist()
    return json.dumps(value) if isinstance(value, list | tuple | dict) else value


def _csv(columns: Sequence[str], cells: Sequence[Sequence[Any]]) -> bytes:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_harmless(name) for name in columns])
    writer.writerows([[_harmless(cell) for cell in row] for row in cells])
    return text.getvalue().encode()


def _harmless(cell: Any) -> str:
    """Return a cell as text. A text that a spreadsheet would compute begins with an apostrophe; numbers do not."""
    text = _as_text(cell)
    return f"'{text}" if isinstance(cell, str) and text.startswith(_COMPUTED) else text


def _as_text(cell: Any) -> str:
    if cell is None:
        return ""
    return str(cell).lower() if isinstance(cell, bool) else str(cell)


def _parquet(columns: Sequence[str], cells: Sequence[Sequence[Any]]) -> bytes:
    import pyarrow
    import pyarrow.parquet

    arrays = [pyarrow.array(_of_one_kind([row[place] for row in cells])) for place in range(len(columns))]
    buffer = BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(arrays, names=list(columns)), buffer)
    return buffer.getvalue()


def _of_one_kind(cells: Sequence[Any]) -> list[Any]:
    """Convert a column to one type: integers among floats become floats; any other mixture becomes text."""
    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds == {int, float}:
        return [None if cell is None else float(cell) for cell in cells]
    return list(cells) if len(kinds) < 2 else [None if cell is None else _as_text(cell) for cell in cells]
