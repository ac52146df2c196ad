"""Rows of a run's ledger: what is known of each submission, as objects and as columns of a table."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import LedgerError
from qep_qiskit.core.npz import arrays_of
from qep_qiskit.execution.interface import RequestKey

JobState = Literal["intended", "submitted", "collected", "applied", "refused", "failed", "cancelled"]

_KEY = ("purpose", "step", "stage", "attempt", "iteration")
TABLES = """
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

    @property
    def seconds(self) -> float:
        """QPU seconds of a job that arrived: its charge, or its estimate where unknown, and those of its duplicates."""
        estimated = self.description.estimated_seconds
        return (estimated if self.usage_seconds is None else self.usage_seconds) + self.duplicates * estimated


_JSON = ("options", "parameter_names", "axes", "shapes")
_SNAPSHOT = tuple(field.name for field in fields(JobDescription) if field.name != "key")
_KNOWN = tuple(field.name for field in fields(JobEntry) if field.name != "description")
COLUMNS = ", ".join((*_KNOWN, *_KEY, *_SNAPSHOT))
WHERE_KEY = " AND ".join(f"{name} = ?" for name in _KEY)


def key_values(key: RequestKey) -> tuple[str | int, ...]:
    """Return the columns of a key."""
    return tuple(getattr(key, name) for name in _KEY)


def columns_of(description: JobDescription) -> dict[str, Any]:
    """Return the columns that are written before a job is sent."""
    values: dict[str, Any] = dict(zip(_KEY, key_values(description.key), strict=True))
    for name in _SNAPSHOT:
        value = getattr(description, name)
        values[name] = json.dumps(value) if name in _JSON else value
    return values


def named(entry: JobEntry) -> str:
    """Return the name of a job in messages."""
    key = entry.description.key
    return f"the job of {key.purpose} {key.step} (stage {key.stage}, part {entry.description.part})"


def entry_of(row: sqlite3.Row) -> JobEntry:
    """Return a row of the table as an object.

    Args:
        row: The row, with all of `COLUMNS`.
    """
    described = {name: json.loads(row[name]) if name in _JSON else row[name] for name in _SNAPSHOT}
    key = RequestKey(*(row[name] for name in _KEY))
    return JobEntry(**{name: row[name] for name in _KNOWN}, description=JobDescription(key=key, **described))


def packed(arrays: Sequence[NDArray]) -> bytes:
    """Return arrays as bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, *arrays)
    return buffer.getvalue()


def unpacked(path: Path, content: bytes) -> list[NDArray]:
    """Return the arrays of `packed`.

    Args:
        path: The ledger, for messages.
        content: The bytes.

    Raises:
        LedgerError: The bytes are damaged.
    """
    try:
        found = arrays_of(content)
        return [found[f"arr_{index}"] for index in range(len(found))]
    except Exception as error:  # zip and numpy raise more than a dozen kinds over damaged bytes
        raise LedgerError(f"{path}: the ledger is damaged ({error})") from error


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn errors of the system into one line about the file.

    Raises:
        LedgerError: The system raised an error.
    """
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise LedgerError(f"{path}: the ledger cannot be used ({error})") from error
