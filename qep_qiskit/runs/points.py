"""The points of a study: computed in any order, stored as they finish, and returned in the order of the study."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import QepError, RunFolderError, WorkerLostError
from qep_qiskit.core.files import Hold, LineFile, hold
from qep_qiskit.runs.pool import Pool, StudyStopped

Point = Mapping[str, Any]
"""JSON values with a unique text under ``key``; the result depends on nothing else."""
Row = dict[str, Any]
Work = Callable[[Point], "Mapping[str, Any] | list[Mapping[str, Any]]"]

_SECONDS_BETWEEN_SYNCS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Progress of a study.

    Args:
        done: Number of points with a result.
        total: Number of all points.
        failed: Number of points that raised an error.
        point: The point that finished last; None at the start.
        rows: Rows of that point.
    """

    done: int
    total: int
    failed: int = 0
    point: Point | None = None
    rows: list[Row] = field(default_factory=list)


class Store(Protocol):
    """Storage for the rows of finished points across calls of a study."""

    def rows_of(self, point: Point) -> list[Row] | None:
        """Return the stored rows of a point, or None."""
        ...

    def keep(self, point: Point, rows: list[Row]) -> None:
        """Store the rows of a point."""
        ...


class PointStore:
    """File of JSON lines, one for each finished point, to which lines are only appended.

    An incomplete last line, left by a crash, is removed when the file is opened. A stored point is used only if all its
    settings are equal, not only its key; a study with changed settings is computed again.

    Args:
        path: The file; it is locked for this process until `close`.

    Raises:
        RunFolderError: The file cannot be written, is damaged, or is locked by another process.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[tuple[str, str], list[Row]] = {}
        self._lock, self._file = self._locked()
        try:
            self._read()
        except BaseException:
            self._file.close()
            self._lock.release()
            raise
        self._synced_at = time.monotonic()

    def _locked(self) -> tuple[Hold, LineFile]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lock = hold(self._path.with_suffix(".lock"))
            return lock, LineFile(self._path)
        except BlockingIOError:
            raise RunFolderError(f"{self._path}: another process is working on this study") from None
        except OSError as error:
            raise RunFolderError(f"{self._path}: cannot be written ({error.strerror})") from error

    def _read(self) -> None:
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                entry = json.loads(line)
                self._rows[entry["key"], entry["point"]] = entry["rows"]
            except (ValueError, KeyError, TypeError) as error:
                raise RunFolderError(f"{self._path}: line {number} is damaged; remove the line, or the file") from error
        os.truncate(self._path, len(whole))

    def rows_of(self, point: Point) -> list[Row] | None:
        """Return the stored rows of a point, or None."""
        return self._rows.get((point["key"], _digest(point)))

    def keep(self, point: Point, rows: list[Row]) -> None:
        """Append a point. The operating system holds the data when this returns; it reaches the disk shortly after."""
        entry = {"key": point["key"], "point": _digest(point), "rows": rows}
        self._file.append((_json(entry) + "\n").encode())
        if time.monotonic() - self._synced_at >= _SECONDS_BETWEEN_SYNCS:
            self._file.sync()
            self._synced_at = time.monotonic()
        self._rows[entry["key"], entry["point"]] = rows

    def close(self) -> None:
        """Write all data to disk and release the lock."""
        if self._lock.is_locked:
            self._file.sync()
            self._file.close()
            self._lock.release()

    def __enter__(self) -> PointStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def run_points(
    points: Sequence[Point],
    work: Work,
    store: Store | None,
    pool: Pool,
    progress: Callable[[Progress], None] | None = None,
    *,
    keep_going: bool = False,
) -> list[Row]:
    """Compute every point that is not in the store.

    Rows are converted to JSON and back, so that rows from a worker equal those from the store.

    Args:
        points: JSON values, each with a unique ``key``.
        work: An importable function (or a `functools.partial` of one) that maps a point to one row or several. Its
            random numbers must follow from the point alone.
        store: Holds finished points; None computes all points.
        pool: Workers that process the points.
        progress: Called at the start and after every point.
        keep_going: If True, a point that raises a `QepError` becomes a row ``{"key": ..., "failed": line}``, which is
            not stored, and the other points continue. If False, the error is raised after the running points have
            ended.

    Returns:
        All rows, in the order of the points.

    Raises:
        StudyStopped: The study was stopped by Ctrl-C; all finished points are stored.
        WorkerLostError: A worker died; all finished points are stored.
    """
    _check_keys(points)
    found = {point["key"]: rows for point in points if store is not None and (rows := store.rows_of(point)) is not None}
    failed: set[str] = set()

    def tell(point: Point | None = None) -> None:
        if progress is not None:
            rows = [] if point is None else found[point["key"]]
            done = len(found) - len(failed)
            progress(Progress(done=done, total=len(points), failed=len(failed), point=point, rows=rows))

    def receive(point: Point, result: tuple[bool, list[Row]]) -> None:
        succeeded, rows = result
        found[point["key"]] = json.loads(_json(rows))
        if not succeeded:
            failed.add(point["key"])
        elif store is not None:
            store.keep(point, found[point["key"]])
        tell(point)

    tell()
    try:
        pool.run(partial(_attempt, work, keep_going), [point for point in points if point["key"] not in found], receive)
    except StudyStopped:
        raise StudyStopped(f"stopped with {_share(found, points)} done; {_later(store)}") from None
    except WorkerLostError as error:
        raise WorkerLostError(f"{error}; {_share(found, points)} are done, and {_later(store)}") from None
    return [row for point in points for row in found[point["key"]]]


def _later(store: Store | None) -> str:
    return "nothing is kept" if store is None else "the same command goes on"


def _share(found: Mapping[str, object], points: Sequence[Point]) -> str:
    return f"{len(found)} of {amount(len(points), 'point')}"


def _check_keys(points: Sequence[Point]) -> None:
    keys = [point["key"] for point in points]
    if len(set(keys)) < len(keys):
        raise ValueError(f"expected a unique key for each point, got {keys}")


def _attempt(work: Work, keep_going: bool, point: Point) -> tuple[bool, list[Row]]:
    """Return whether the point succeeded, and its rows."""
    try:
        rows = work(point)
    except QepError as error:
        if not keep_going:
            raise
        return False, [{"key": point["key"], "failed": " ".join(str(error).split())}]
    return True, [dict(row) for row in ([rows] if isinstance(rows, Mapping) else rows)]


def _digest(point: Point) -> str:
    return hashlib.sha256(_json(point, sort_keys=True).encode()).hexdigest()[:16]


def _json(content: object, *, sort_keys: bool = False) -> str:
    return json.dumps(content, default=_plain, sort_keys=sort_keys)


def _plain(value: Any) -> object:
    """Convert numpy numbers and arrays to JSON values."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"expected plain data in points and rows, got {type(value).__name__}")
