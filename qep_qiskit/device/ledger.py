"""The ledger of a run's jobs: every submission is on disk before it is sent.

One row for every submission, in an SQLite file in the run folder. The state of a row changes in one direction:

    intended -> submitted -> collected -> applied        or ends as        refused, failed, cancelled

*Intended* means that a job with the row's tag may be at the service, *submitted* that its id is known, *collected*
that its bits are in the row. Every change is one transaction, written to disk before the call returns. A request with
an unfinished or finished row cannot be submitted again; after a failed row a new row counts the next submission.
Circuits are stored in the same file, so that a network stays on the same qubits of the device.
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
from qep_qiskit.core.files import Hold, hold, make_private_file
from qep_qiskit.core.npz import arrays_of
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
    """The part of a row that is written before a job is sent.

    Args:
        key: Key of the request.
        part: Index of the job among those of the request.
        tag: Unique tag of the submission, by which the service finds the job.
        backend: Name of the device.
        instance: Name of the instance that pays. Never a token.
        mode: ``"job"``, ``"batch"`` or ``"session"``.
        batch: Id of the batch or session, or None.
        shots: Shots of every circuit.
        options: Options of the sampler.
        estimated_seconds: Estimated charge in QPU seconds.
        circuit_sha256: Hash of the circuits as sent.
        request_sha256: Hash of the request without its parameter values.
        parameter_names: Names of the parameters of every PUB, in the order of their values.
        axes: Names of the axes of the PUBs.
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
        number: Number of the row.
        sending: Counts submissions of the same job from 0.
        state: State of the job.
        posted: Time of the last submission, in seconds since the epoch.
        job_id: Id of the job at the service, once known.
        usage_seconds: Charge in QPU seconds, once final.
        duplicates: Number of further jobs under the tag that could not be cancelled.
        reason: Reason of a failure.
        description: The part that is written before the submission.
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
    """The ledger of a run, locked by one process at a time; the lock ends with the process.

    Args:
        path: The SQLite file; made where it is missing.

    Raises:
        LedgerError: Another process has locked the file, or it is damaged or of another format.
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
        """Close the file and release the lock."""
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
        """Read all rows in the order of writing, also while another process has the lock.

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
        """Return the last submission of a job, or None.

        Args:
            key: Key of the request.
            part: Index of the job among those of the request.
        """
        with _explained(self._path):
            row = self._connection.execute(
                f"SELECT {_COLUMNS} FROM jobs WHERE {_WHERE_KEY} AND part = ? ORDER BY sending DESC LIMIT 1",
                (*_key_values(key), part),
            ).fetchone()
        return None if row is None else _entry(row)

    def bound(self, entry: JobEntry) -> NDArray[np.float64]:
        """Parameter values bound to the circuits, flat."""
        return self._arrays(entry, "bound")[0]

    def bits(self, entry: JobEntry) -> list[NDArray[np.uint8]]:
        """Bits of a collected job, one array for every measurement, and one for its calibration if it has one."""
        return self._arrays(entry, "bits")

    def intend(self, description: JobDescription, bound: NDArray[np.float64]) -> JobEntry:
        """Record that a job is about to be sent.

        Args:
            description: Description of the job.
            bound: Parameter values bound to the circuits, flat.

        Raises:
            LedgerError: An earlier submission of the job has not failed.
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
        """Record that an intended job is sent once more, under the same tag."""
        return self._changed(entry, ("intended",), posted=time.time())

    def submitted(self, entry: JobEntry, job_id: str) -> JobEntry:
        """Record the id of an intended job at the service.

        Args:
            entry: Row of the job.
            job_id: Id at the service.
        """
        return self._to(entry, "submitted", job_id=job_id)

    def collected(self, entry: JobEntry, bits: Sequence[NDArray[np.uint8]], usage_seconds: float | None) -> JobEntry:
        """Store the bits of a submitted job.

        Args:
            entry: Row of the job.
            bits: Bits of every measurement, shape (measured, shots, bytes), and those of the calibration if there is
                one.
            usage_seconds: Charge in QPU seconds, or None while it is not final.
        """
        return self._to(entry, "collected", bits=_packed(bits), usage_seconds=usage_seconds)

    def ended(
        self,
        entry: JobEntry,
        state: Literal["refused", "failed", "cancelled"],
        reason: str,
        usage_seconds: float | None = None,
    ) -> JobEntry:
        """Record that a job ended without a result.

        Args:
            entry: Row of the job.
            state: Final state.
            reason: Reason, one line.
            usage_seconds: Charge in QPU seconds, or None while it is not final.
        """
        return self._to(entry, state, reason=reason, usage_seconds=usage_seconds)

    def charged(self, entry: JobEntry, usage_seconds: float) -> None:
        """Record the final charge of an ended job.

        Args:
            entry: Row of the job.
            usage_seconds: Charge in QPU seconds.
        """
        with self._transaction() as connection:
            connection.execute("UPDATE jobs SET usage_seconds = ? WHERE number = ?", (usage_seconds, entry.number))

    def uncharged(self) -> list[JobEntry]:
        """Ended jobs with an unknown charge."""
        ended = ("collected", "applied", "failed", "cancelled")
        return [
            entry
            for entry in self.entries()
            if entry.state in ended and entry.job_id is not None and entry.usage_seconds is None
        ]

    def duplicated(self, entry: JobEntry, duplicates: int) -> None:
        """Record the number of duplicates of a job that could not be cancelled; each is charged its estimate.

        Args:
            entry: Row of the job.
            duplicates: Number of further jobs under the tag of the job.
        """
        with self._transaction() as connection:
            connection.execute("UPDATE jobs SET duplicates = ? WHERE number = ?", (duplicates, entry.number))

    def applied(self) -> None:
        """Record that a checkpoint on disk includes all outcomes collected so far."""
        with self._transaction() as connection:
            connection.execute("UPDATE jobs SET state = 'applied' WHERE state = 'collected'")

    def seconds(self) -> float:
        """QPU seconds of all jobs: charges, and estimates where a charge is unknown.

        A job that failed or was cancelled before its id was known counts as zero: it never arrived.
        """
        with _explained(self._path):
            (found,) = self._connection.execute(
                "SELECT total(coalesce(usage_seconds, estimated_seconds) + duplicates * estimated_seconds) FROM jobs "
                "WHERE state != 'refused' AND (job_id IS NOT NULL OR state NOT IN ('failed', 'cancelled'))"
            ).fetchone()
        return float(found)

    def circuit(self, name: str) -> bytes | None:
        """A stored circuit, or None."""
        with _explained(self._path):
            row = self._connection.execute("SELECT content FROM circuits WHERE name = ?", (name,)).fetchone()
        return None if row is None else bytes(row["content"])

    def keep_circuit(self, name: str, content: bytes) -> None:
        """Store a circuit under a new name.

        Args:
            name: Name of the circuit.
            content: The circuit as bytes.
        """
        with self._transaction() as connection:
            connection.execute("INSERT INTO circuits (name, content) VALUES (?, ?)", (name, content))

    def forget_circuits(self) -> None:
        """Delete the stored circuits: programs are laid out anew at their next submission."""
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
        found = arrays_of(content)
        return [found[f"arr_{index}"] for index in range(len(found))]
    except Exception as error:  # zip and numpy raise more than a dozen kinds over damaged bytes
        raise LedgerError(f"{path}: the ledger is damaged ({error})") from error


def _locked(path: Path) -> Hold:
    """Lock a file next to the ledger: SQLite's own locks are lost when another handle of the ledger is closed."""
    with _explained(path):
        try:
            return hold(path.with_name(f"{path.name}.lock"))
        except BlockingIOError as error:
            raise LedgerError(f"{path}: another process is working with this ledger") from error


def _connected(path: Path) -> sqlite3.Connection:
    with _explained(path):
        make_private_file(path)
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
    """Turn errors of the system into one line about the file."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise LedgerError(f"{path}: the ledger cannot be used ({error})") from error
