"""Results of comparisons as CSV files that say in their first lines when, where and by what command they were made."""

from __future__ import annotations

import csv
import datetime
import io
import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qep_qiskit.core.errors import DataError
from qep_qiskit.runs.versions import installed_version, versions

__all__ = ["FOLDER", "StoredResults", "machine", "read_results", "write_results"]

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "results" / "peers"
"""Where results that the docs show are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResults:
    """A stored table.

    Args:
        made: What the first lines say, by name: ``date``, ``command``, ``machine``, ``versions`` and further notes.
        rows: The rows by column, as text.
    """

    made: Mapping[str, str]
    rows: Sequence[Mapping[str, str]]

    @property
    def table(self) -> list[list[str]]:
        """Rows of cells, the first of them the columns."""
        return [list(self.rows[0]), *(list(row.values()) for row in self.rows)] if self.rows else []

    def by_first_column(self) -> dict[str, dict[str, Any]]:
        """Rows by the words of their first cell, joined by underscores; cells are numbers where they look like them."""
        found = {
            _word(next(iter(row.values()))): {name: _number(cell) for name, cell in row.items()} for row in self.rows
        }
        return found if len(found) == len(self.rows) else {}


def write_results(
    path: str | Path,
    rows: Iterable[Mapping[str, Any]],
    command: str,
    *,
    packages: Sequence[str] = (),
    notes: Mapping[str, str] | None = None,
) -> None:
    """Write a table with what it was made by; the file is replaced as a whole.

    Args:
        path: The file; its folder is made.
        rows: Rows by column, all with the columns of the first.
        command: The command that makes it again.
        packages: Further distributions whose versions count, beside this package, Qiskit, Aer, NumPy and SciPy.
        notes: Further lines by name, such as the part of a table that was run, or where published figures are from.
    """
    rows = list(rows)
    found = versions() | {name: installed_version(name) or "missing" for name in packages}
    made = {
        "date": datetime.date.today().isoformat(),
        "command": command,
        "machine": machine(),
        "versions": ", ".join(f"{name} {version}" for name, version in found.items()),
        **(notes or {}),
    }
    text = io.StringIO()
    for name, value in made.items():
        text.write(f"# {name}: {' '.join(value.split())}\n")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.write_text(text.getvalue(), encoding="utf-8")
    os.replace(new, path)


def read_results(path: str | Path) -> StoredResults:
    """Read a table that `write_results` has written.

    Args:
        path: The file.

    Raises:
        DataError: There is no such file, or it does not say how it was made.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); expected stored results as CSV") from None
    head = [line for line in lines if line.startswith("# ")]
    made = dict(line.removeprefix("# ").split(": ", 1) for line in head if ": " in line)
    if not {"date", "command", "machine", "versions"} <= made.keys():
        raise DataError(f"{path}: expected lines '# date: ...' and so on before the columns, got {sorted(made)}")
    return StoredResults(made=made, rows=list(csv.DictReader(lines[len(head) :])))


def machine() -> str:
    """Name and number of the processors."""
    name = platform.processor() or platform.machine()
    try:
        info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        info = ""
    model = re.search(r"^model name\s*:\s*(.+)$", info, flags=re.MULTILINE)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model[1] if model else name}, {cores} cores, {platform.system()}, Python {platform.python_version()}"


def _word(cell: str) -> str:
    return re.sub(r"\W+", "_", cell.strip().lower()).strip("_")


def _number(cell: str) -> Any:
    try:
        return float(cell)
    except ValueError:
        return cell
