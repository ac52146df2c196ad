"""The ledger of a run's jobs: what was meant to be sent is on disk before it is sent.

One row for every sending, in an SQLite file beside the run. A row goes one way:

    intended -> submitted -> collected -> applied        or ends as        refused, failed, cancelled

*Intended* means that a job with the row's tag may be at the service, *submitted* that its id is known, *collected*
that its bits are in the row. Every change is one transaction, forced to disk before the call returns. An unfinished or
finished row of a request stands in the way of sending the request again; after one that ended badly a new row counts
the next sending. Circuits are kept in the same file, so that a network stays on the qubits it was once given.
"""

from __future__ import annotations

import io
import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import LedgerError
from qep_qiskit.core.files import Hold, hold
from qep_qiskit.execution.interface import RequestKey

JobState = Literal["intended", "submitted", "collected", "applied", "refused", "failed", "cancelled"]

_FORMAT = 2
_KEY = ("purpose", "step", "stage", "attempt", "iteration")
_BEFORE: dict[JobState, tuple[JobState, ...]] = {
    "submitted": ("intended",),
    "collected": ("submitted",),
    "refused": ("intended",),
    "failed": ("submitted",),
    "cancelled": ("submitted", "intended"),
}
_TABLES = """
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY,
    purpose TEXT NOT NULL, step INTEGER NOT NULL, stage INTEGER NOT NULL, attempt INTEGER NOT NULL,
    iteration INTEGER NOT NULL, part INTEGER NOT NULL, sending INTEGER NOT NULL,
    state TEXT NOT NULL, tag TEXT NOT NULL UNIQUE,
    backend TEXT NOT NULL, instance TEXT NOT NULL, mode TEXT NOT NULL, batch TEXT,
    shots INTEGER NOT NULL, options TEXT NOT NULL, estimated_seconds REAL NOT NULL,
    circuit_sha256 TEXT NOT NULL, request_sha256 TEXT NOT NULL,
    parameter_names TEXT NOT NULL, axes TEXT NOT NULL, shapes TEXT NOT NULL,
    posted REAL NOT NULL, job_id TEXT, usage_seconds REAL, duplicates INTEGER NOT NULL DEFAULT 0, reason TEXT,
    bound BLOB NOT NULL, bits BLOB,
    UNIQUE (purpose, step, stage, attempt, iteration, part, sending)
);
CREATE TABLE circuits (name TEXT PRIMARY KEY, content BLOB NOT NULL);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDescription:
    """What is written before a job is sent.

    Args:
        key: The request.
        part: Which of its jobs.
        tag: Unique name of the sending; the service finds the job by it.
        backend: Name of the device.
        instance: Name of the instance that pays. Never a token.
        mode: ``"job"``, ``"batch"`` or ``"session"``.
        batch: Id of the batch or session, or None.
        shots: Shots of every circuit.
        options: Options of the sampler.
        estimated_seconds: What the device will probably charge.
        circuit_sha256: Hash of the circuits as sent.
        request_sha256: Hash of what is asked, apart from numbers.
        parameter_names: Names of the parameters of every PUB, in the order of their values.
        axes: What the axes of the PUBs are.
        shapes: Shape of every PUB.
    """

    key: RequestKey
    part: int
    tag: str
    backend: str
    instance: str
    mode: str = "job"
    batch: str | None = None
    shots: int
    options: dict[str, Any]
    estimated_seconds: float
    circuit_sha256: str
    request_sha256: str
    parameter_names: list[list[str]]
    axes: list[str]
    shapes: list[list[int]]

    @property
    def executions(self) -> int:
        """Shots times bound circuits."""
        return self.shots * sum(prod(shape[:-1]) for shape in self.shapes)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEntry:
    """A row of the ledger.

    Args:
        number: Of the row.
        sending: Counts sendings of the same job from 0.
        state: How far it is.
        posted: When it was last sent, in seconds of the epoch.
        job_id: The service's name for it, once known.
        usage_seconds: What was charged, once that is final.
        duplicates: Further jobs under the tag that could not be cancelled.
        reason: Why it ended badly.
        description: What was written before.
    """

    number: int
    sending: int
    state: JobState
    posted: float
    job_id: str | None
    usage_seconds: float | None
    duplicates: int
    reason: str | None
    description: JobDescription


class JobLedger:
    """The ledger of a run, held by one process at a time; the hold goes with the process, however it ends.

    Args:
        path: The SQLite file; made where it is missing.

    Raises:
        LedgerError: Another process holds it, or it is damaged or of another format.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = _locked(path)
        try:
            self._connection = _connected(path)
            self._prepare()
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> JobLedger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()
        self._lock.release()

    def _prepare(self) -> None:
        with self._transaction() as connection:
            (found,) = connection.execute("PRAGMA user_version").fetchone()
            if found == 0:
                for statement in _TABLES.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {_FORMAT}")
            else:
                _require_format(self._path, found)

    @staticmethod
    def read(path: Path) -> list[JobEntry]:
        """All rows in the order of writing, also while another process works with them.

        Raises:
            LedgerError: There is no ledger, or it is damaged.
        """
        if not path.is_file():
            raise LedgerError(f"{path}: there is no ledger here; nothing was sent to a device from this folder")
        with _explained(path):
            connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
            try:
                connection.row_factory = sqlite3.Row
                _require_format(path, connection.execute("PRAGMA user_version").fetchone()[0])
                return [_entry(row) for row in connection.execute(f"SELECT {_COLUMNS} FROM jobs ORDER BY number")]
            finally:
                connection.close()

    def entries(self) -> list[JobEntry]:
        """All rows in the order of writing."""
        with _explained(self._path):
            return [_entry(row) for row in self._connection.execute(f"SELECT {_COLUMNS} FROM jobs ORDER BY number")]

    def latest(self, key: RequestKey, part: int) -> JobEntry | None:
        """The last sending of a job."""
        with _explained(self._path):
            row = self._connection.execute(
                f"SELECT {_COLUMNS} FROM jobs WHERE {_WHERE_KEY} AND part = ? ORDER BY sending DESC LIMIT 1",
                (*_key_values(key), part),
            ).fetchone()
        return None if row is None else _entry(row)

    def bound(self, entry: JobEntry) -> NDArray[np.float64]:
        """The numbers bound to the circuits, flat."""
        return self._arrays(entry, "bound")[0]

    def bits(self, entry: JobEntry) -> list[NDArray[np.uint8]]:
        """The bits of a collected job, one array for every measurement, and one for its calibration if it has one."""
        return self._arrays(entry, "bits")

    def intend(self, description: JobDescription, bound: NDArray[np.float64]) -> JobEntry:
        """Write that a job is about to be sent.

        Raises:
            LedgerError: The job was sent before and has not ended badly.
        """
        last = self.latest(description.key, description.part)
        if last is not None and last.state not in ("refused", "failed", "cancelled"):
            raise LedgerError(f"{self._path}: {_named(last)} is {last.state} already and must not be sent twice")
        values: dict[str, Any] = dict(zip(_KEY, _key_values(description.key), strict=True))
        for field in fields(JobDescription):
            if field.name != "key":
                value = getattr(description, field.name)
                values[field.name] = json.dumps(value) if field.name in _JSON else value
        values |= {
            "sending": 0 if last is None else last.sending + 1,
            "state": "intended",
            "posted": time.time(),
            "bound": _packed([bound]),
        }
        marks = ", ".join("?" * len(values))
        with self._transaction() as connection:
            connection.execute(f"INSERT INTO jobs ({', '.join(values)}) VALUES ({marks})", tuple(values.values()))
        found = self.latest(description.key, description.part)
        assert found is not None
        return found

    def posting(self, entry: JobEntry) -> JobEntry:
        """Write that an intended job is sent once more, under the same tag."""
        return self._changed(entry, ("intended",), posted=time.time())

    def submitted(self, entry: JobEntry, job_id: str) -> JobEntry:
        """Write the id under which the service knows an intended job."""
        return self._to(entry, "submitted", job_id=job_id)

    def collected(self, entry: JobEntry, bits: Sequence[NDArray[np.uint8]], usage_seconds: float | None) -> JobEntry:
        """Keep the bits of a submitted job, an array for every measurement.

        And one for its calibration if it has one.
        """
        return self._to(entry, "collected", bits=_packed(bits), usage_seconds=usage_seconds)

    def ended(
        self,
        entry: JobEntry,
        state: Literal["refused", "failed", "cancelled"],
        reason: str,
        usage_seconds: float | None = None,
    ) -> JobEntry:
        """Write that a job ended badly."""
        return self._to(entry, state, reason=reason, usage_seconds=usage_seconds)

    def charged(self, entry: JobEntry, usage_seconds: float) -> None:
        """Write what was charged for a job whose bill was not known when it ended."""
        with self._transaction() as connection:
            connection.execute("UPDATE jobs SET usage_seconds = ? WHERE number = ?", (usage_seconds, entry.number))

    def uncharged(self) -> list[JobEntry]:
        """Jobs that have ended and whose charge is not known."""
        ended = ("collected", "applied", "failed", "cancelled")
        return [
            entry
            for entry in self.entries()
            if entry.state in ended and entry.job_id is not None and entry.usage_seconds is None
        ]

    def duplicated(self, entry: JobEntry, duplicates: int) -> None:
        """Write how many further jobs under the tag of a job could not be cancelled; each counts as its estimate."""
        with self._transaction() as connection:
            connection.execute("UPDATE jobs SET duplicates = ? WHERE number = ?", (duplicates, entry.number))

    def applied(self) -> None:
        """Write that all outcomes collected so far have become part of a state of the run that is on disk."""
        with self._transaction() as connection:
            connection.execute("UPDATE jobs SET state = 'applied' WHERE state = 'collected'")

    def seconds(self) -> float:
        """QPU seconds of all jobs: what was charged, and the estimate where that is not known.

        A job that was given up before its id was known counts as nothing: it never arrived.
        """
        with _explained(self._path):
            (found,) = self._connection.execute(
                "SELECT total(coalesce(usage_seconds, estimated_seconds) + duplicates * estimated_seconds) FROM jobs "
                "WHERE state != 'refused' AND (job_id IS NOT NULL OR state NOT IN ('failed', 'cancelled'))"
            ).fetchone()
        return float(found)

    def circuit(self, name: str) -> bytes | None:
        """A circuit that is kept, or None."""
        with _explained(self._path):
            row = self._connection.execute("SELECT content FROM circuits WHERE name = ?", (name,)).fetchone()
        return None if row is None else bytes(row["content"])

    def keep_circuit(self, name: str, content: bytes) -> None:
        """Keep a circuit under a new name."""
        with self._transaction() as connection:
            connection.execute("INSERT INTO circuits (name, content) VALUES (?, ?)", (name, content))

    def forget_circuits(self) -> None:
        """Drop the circuits that are kept: programs are laid out anew when they are next sent."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM circuits")

    def _to(self, entry: JobEntry, state: JobState, **values: Any) -> JobEntry:
        return self._changed(entry, _BEFORE[state], state=state, **values)

    def _changed(self, entry: JobEntry, before: tuple[JobState, ...], **values: Any) -> JobEntry:
        assignments = ", ".join(f"{name} = ?" for name in values)
        marks = ", ".join("?" * len(before))
        with self._transaction() as connection:
            done = connection.execute(
                f"UPDATE jobs SET {assignments} WHERE number = ? AND state IN ({marks})",
                (*values.values(), entry.number, *before),
            )
            if done.rowcount != 1:
                raise LedgerError(f"{self._path}: {_named(entry)} is not {' or '.join(before)} any more")
        row = self._connection.execute(f"SELECT {_COLUMNS} FROM jobs WHERE number = ?", (entry.number,)).fetchone()
        return _entry(row)

    def _arrays(self, entry: JobEntry, column: Literal["bound", "bits"]) -> list[NDArray]:
        with _explained(self._path):
            row = self._connection.execute(f"SELECT {column} FROM jobs WHERE number = ?", (entry.number,)).fetchone()
        if row is None or row[column] is None:
            raise LedgerError(f"{self._path}: {_named(entry)} has no {column}; its state is {entry.state}")
        return _unpacked(self._path, row[column])

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with _explained(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk has rolled it back already
                    self._connection.execute("ROLLBACK")
                raise


_JSON = ("options", "parameter_names", "axes", "shapes")
_SNAPSHOT = tuple(field.name for field in fields(JobDescription) if field.name != "key")
_KNOWN = tuple(field.name for field in fields(JobEntry) if field.name != "description")
_COLUMNS = ", ".join((*_KNOWN, *_KEY, *_SNAPSHOT))
_WHERE_KEY = " AND ".join(f"{name} = ?" for name in _KEY)


def _key_values(key: RequestKey) -> tuple[str | int, ...]:
    return tuple(getattr(key, name) for name in _KEY)


def _named(entry: JobEntry) -> str:
    key = entry.description.key
    return f"the job of {key.purpose} {key.step} (stage {key.stage}, part {entry.description.part})"


def _entry(row: sqlite3.Row) -> JobEntry:
    described = {name: json.loads(row[name]) if name in _JSON else row[name] for name in _SNAPSHOT}
    key = RequestKey(*(row[name] for name in _KEY))
    return JobEntry(**{name: row[name] for name in _KNOWN}, description=JobDescription(key=key, **described))


def _packed(arrays: Sequence[NDArray]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, *arrays)
    return buffer.getvalue()


def _unpacked(path: Path, content: bytes) -> list[NDArray]:
    try:
        with np.load(io.BytesIO(content)) as found:
            return [found[f"arr_{index}"] for index in range(len(found.files))]
    except Exception as error:  # zip and numpy raise more than a dozen kinds over damaged bytes
        raise LedgerError(f"{path}: the ledger is damaged ({error})") from error


def _locked(path: Path) -> Hold:
    """Hold a file beside the ledger: SQLite's own locks would go as soon as another handle of the ledger closes."""
    with _explained(path):
        try:
            return hold(path.with_name(f"{path.name}.lock"))
        except BlockingIOError as error:
            raise LedgerError(f"{path}: another process is working with this ledger") from error


def _connected(path: Path) -> sqlite3.Connection:
    with _explained(path):
        connection = sqlite3.connect(path, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = EXTRA")
        return connection


def _require_format(path: Path, found: int) -> None:
    if found != _FORMAT:
        raise LedgerError(f"{path}: expected a ledger of format {_FORMAT}, got {found}; use the version that wrote it")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what the system says into one line about the file."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise LedgerError(f"{path}: the ledger cannot be used ({error})") from error
