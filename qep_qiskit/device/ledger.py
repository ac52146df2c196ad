"""The ledger of a run's jobs: every submission is on disk before it is sent.

One row for every submission, in an SQLite file in the run folder. The state of a row changes in one direction:

    intended -> submitted -> collected -> applied        or ends as        refused, failed, cancelled

*Intended* means that a job with the row's tag may be at the service, *submitted* that its id is known, *collected*
that its bits are in the row. Every change is one transaction, written to disk before the call returns. A request with
an unfinished or finished row cannot be submitted again; after a failed row a new row counts the next submission.
Circuits are stored in the same file, so that a network stays on the same qubits of the device.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import LedgerBusyError, LedgerError
from qep_qiskit.core.files import Hold, hold, make_private_file
from qep_qiskit.device.ledger_rows import (
    COLUMNS,
    TABLES,
    WHERE_KEY,
    JobDescription,
    JobEntry,
    JobState,
    columns_of,
    entry_of,
    explained,
    key_values,
    named,
    packed,
    unpacked,
)
from qep_qiskit.execution.interface import RequestKey

_FORMAT = 2
_BEFORE: dict[JobState, tuple[JobState, ...]] = {
    "submitted": ("intended",),
    "collected": ("submitted",),
    "refused": ("intended",),
    "failed": ("submitted",),
    "cancelled": ("submitted", "intended"),
}


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

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def close(self) -> None:
        """Close the file and release the lock."""
        self._connection.close()
        self._lock.release()

    def _prepare(self) -> None:
        with self._transaction() as connection:
            (found,) = connection.execute("PRAGMA user_version").fetchone()
            if found == 0:
                for statement in TABLES.split(";"):
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
            raise LedgerError(
                f"{path}: there is no ledger here; if jobs were sent from this folder, 'qep collect' finds them at the "
                "service"
            )
        with explained(path):
            connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
            try:
                connection.row_factory = sqlite3.Row
                (found,) = connection.execute("PRAGMA user_version").fetchone()
                if found == 0:  # the disk was full, or the process killed, before the tables were made
                    return []
                _require_format(path, found)
                return [entry_of(row) for row in connection.execute(f"SELECT {COLUMNS} FROM jobs ORDER BY number")]
            finally:
                connection.close()

    def entries(self) -> list[JobEntry]:
        """All rows in the order of writing."""
        with explained(self._path):
            return [entry_of(row) for row in self._connection.execute(f"SELECT {COLUMNS} FROM jobs ORDER BY number")]

    def latest(self, key: RequestKey, part: int) -> JobEntry | None:
        """Return the last submission of a job, or None."""
        with explained(self._path):
            row = self._connection.execute(
                f"SELECT {COLUMNS} FROM jobs WHERE {WHERE_KEY} AND part = ? ORDER BY sending DESC LIMIT 1",
                (*key_values(key), part),
            ).fetchone()
        return None if row is None else entry_of(row)

    def bound(self, entry: JobEntry) -> NDArray[np.float64]:
        """Parameters of the program for every measured state, flat."""
        return self._arrays(entry, "bound")[0]

    def bits(self, entry: JobEntry) -> list[NDArray[np.uint8]]:
        """Bits of a collected job, one array for every measurement, and one for its calibration if it has one."""
        return self._arrays(entry, "bits")

    def intend(self, description: JobDescription, bound: NDArray[np.float64]) -> JobEntry:
        """Record that a job is about to be sent.

        Args:
            description: Description of the job.
            bound: Parameters of the program for every measured state, flat.

        Raises:
            LedgerError: An earlier submission of the job has not failed.
        """
        last = self.latest(description.key, description.part)
        if last is not None and last.state not in ("refused", "failed", "cancelled"):
            raise LedgerError(f"{self._path}: {named(last)} is {last.state} already and must not be sent twice")
        values = columns_of(description) | {
            "sending": 0 if last is None else last.sending + 1,
            "state": "intended",
            "posted": time.time(),
            "bound": packed([bound]),
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
        """Record the id of an intended job at the service."""
        return self._to(entry, "submitted", job_id=job_id)

    def renamed(self, entry: JobEntry, job_id: str) -> JobEntry:
        """Record another id of a submitted job: the service reported the id of another one."""
        return self._changed(entry, ("submitted",), job_id=job_id)

    def given_up(self, entry: JobEntry, reason: str, usage_seconds: float | None = None) -> JobEntry:
        """Record that the result of an unfinished job is not waited for any more; what it may cost still counts.

        Args:
            entry: Row of the job, intended or submitted.
            reason: Reason, one line.
            usage_seconds: Charge in QPU seconds, or None while it is not known.
        """
        if entry.job_id is None:  # it may have arrived
            self.duplicated(entry, entry.duplicates + 1)
        return self.ended(entry, "cancelled", reason, usage_seconds)

    def collected(self, entry: JobEntry, bits: Sequence[NDArray[np.uint8]], usage_seconds: float | None) -> JobEntry:
        """Store the bits of a submitted job.

        Args:
            entry: Row of the job.
            bits: Bits of every measurement, shape (measured, shots, bytes), and those of the calibration if there is
                one.
            usage_seconds: Charge in QPU seconds, or None while it is not final.
        """
        return self._to(entry, "collected", bits=packed(bits), usage_seconds=usage_seconds)

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
        """Record the final charge of an ended job."""
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
        """Record the number of jobs beside the one with the known id that may be charged, each its estimate.

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
        with explained(self._path):
            (found,) = self._connection.execute(
                "SELECT total(duplicates * estimated_seconds + coalesce(usage_seconds, estimated_seconds) "
                "* (job_id IS NOT NULL OR state NOT IN ('failed', 'cancelled'))) FROM jobs WHERE state != 'refused'"
            ).fetchone()
        return float(found)

    def circuit(self, name: str) -> bytes | None:
        """A stored circuit, or None."""
        with explained(self._path):
            row = self._connection.execute("SELECT content FROM circuits WHERE name = ?", (name,)).fetchone()
        return None if row is None else bytes(row["content"])

    def keep_circuit(self, name: str, content: bytes) -> None:
        """Store a circuit under a new name."""
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
                raise LedgerError(f"{self._path}: {named(entry)} is not {' or '.join(before)} any more")
        row = self._connection.execute(f"SELECT {COLUMNS} FROM jobs WHERE number = ?", (entry.number,)).fetchone()
        return entry_of(row)

    def _arrays(self, entry: JobEntry, column: Literal["bound", "bits"]) -> list[NDArray]:
        with explained(self._path):
            row = self._connection.execute(f"SELECT {column} FROM jobs WHERE number = ?", (entry.number,)).fetchone()
        if row is None or row[column] is None:
            raise LedgerError(f"{self._path}: {named(entry)} has no {column}; its state is {entry.state}")
        return unpacked(self._path, row[column])

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with explained(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk has rolled it back already
                    self._connection.execute("ROLLBACK")
                raise


def _locked(path: Path) -> Hold:
    """Lock a file next to the ledger: SQLite's own locks are lost when another handle of the ledger is closed."""
    with explained(path):
        try:
            return hold(path.with_name(f"{path.name}.lock"))
        except BlockingIOError as error:
            raise LedgerBusyError(f"{path}: another process is working with this ledger") from error


def _connected(path: Path) -> sqlite3.Connection:
    with explained(path):
        make_private_file(path)
        connection = sqlite3.connect(path, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = EXTRA")
        return connection


def _require_format(path: Path, found: int) -> None:
    if found != _FORMAT:
        raise LedgerError(f"{path}: expected a ledger of format {_FORMAT}, got {found}; use the version that wrote it")
