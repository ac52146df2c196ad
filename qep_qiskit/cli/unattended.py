"""Unattended runs on a device: outages and maintenance are waited for, and what happens is kept in a log."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from qep_qiskit.cli.streams import tell
from qep_qiskit.core.errors import (
    FolderBusyError,
    JobFailedError,
    LedgerBusyError,
    LedgerError,
    QepError,
    StillQueuedError,
    UnavailableError,
)
from qep_qiskit.core.files import LineFile, hold
from qep_qiskit.core.printable import printable
from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.runs.folder import RunFolder
from qep_qiskit.runs.stop_signals import on_stop_signals
from qep_qiskit.runs.training import ledger_path

_FIRST_PAUSE, _LONGEST_PAUSE = 60.0, 3600.0  # seconds
_MOST_FAILURES = 3  # of jobs without progress between them: each may be charged
_LOG = logging.getLogger(__name__)
_KEPT = (__name__, "qep_qiskit.device.remote", "qep_qiskit.device.submission")  # whose news are kept
_WORKED_ON_ALREADY = 3

Result = TypeVar("Result")


def run_unattended(folder: RunFolder, attempt: Callable[[], int]) -> int:
    """Repeat an attempt to finish a run until it is done, with a log in the folder.

    Args:
        folder: Folder of the run.
        attempt: Goes on with the run, and returns the exit code.

    Returns:
        The exit code; 3 where another unattended process works on the run already.

    Raises:
        QepError: Waiting does not help, or jobs failed again and again.
    """
    try:
        lock = hold(folder.path / "unattended.lock")
    except BlockingIOError:
        tell(f"{folder.path}: an unattended process works on this run already")
        return _WORKED_ON_ALREADY
    with lock, _logging_to(folder.path / "unattended.log"):
        _LOG.info("begins on %s", folder.path)
        try:
            code = patiently(attempt, progress=lambda: _progress(folder))
        except (QepError, KeyboardInterrupt) as error:
            _LOG.info("ends: %s", str(error) or "interrupted")
            raise
        _LOG.info("ends: %s", "the run is finished" if code == 0 else f"exit code {code}")
        return code


def patiently(attempt: Callable[[], Result], *, progress: Callable[[], object] = lambda: None) -> Result:
    """Repeat an attempt, with growing pauses, while the reason why it fails may pass.

    Args:
        attempt: The attempt.
        progress: Returns something that changes when the run gets on; the pauses are short again then.

    Raises:
        QepError: Waiting does not help.
    """
    pause, failures, before = _FIRST_PAUSE, 0, progress()
    while True:
        try:
            return attempt()
        except (UnavailableError, StillQueuedError, FolderBusyError, LedgerBusyError) as error:
            reason: QepError = error
        except JobFailedError as error:
            reason, failures = error, failures + 1
        now = progress()
        if now != before:
            pause, before = _FIRST_PAUSE, now
            failures = min(failures, 1)
        if isinstance(reason, JobFailedError) and (not reason.retry or failures >= _MOST_FAILURES):
            raise reason
        _LOG.warning("%s; going on in %.0f s", reason, pause)
        with on_stop_signals(_interrupt):
            _sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _sleep(seconds: float) -> None:
    time.sleep(seconds)


def _interrupt() -> None:
    raise KeyboardInterrupt("stopped while waiting; go on with 'qep resume --unattended'")


def _progress(folder: RunFolder) -> object:
    """Jobs that have brought results, and the step of the run that is on disk."""
    try:
        entries = JobLedger.read(ledger_path(folder))
    except LedgerError:
        return None
    return [entry.number for entry in entries if entry.state in ("collected", "applied")]


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """Keep the log of this package in a file; without a terminal, also all that goes to standard error."""
    package, terminal = logging.getLogger("qep_qiskit"), sys.stderr.isatty()
    with contextlib.closing(_Stamped(path)) as file, contextlib.ExitStack() as stack:
        handler = logging.StreamHandler(file)
        handler.addFilter(
            lambda record: record.name in _KEPT if record.levelno < logging.WARNING else terminal
        )  # without a terminal, warnings come by standard error
        level = package.level
        package.setLevel(logging.INFO)
        package.addHandler(handler)
        stack.callback(package.setLevel, level)
        stack.callback(package.removeHandler, handler)
        if not terminal:
            stack.enter_context(contextlib.redirect_stderr(file))
        yield


class _Stamped(io.TextIOBase):
    """A text stream that appends whole lines to a file, each after its time; a full disk ends nothing.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._file, self._rest = LineFile(path), ""

    def write(self, text: str) -> int:
        """Append the lines that are complete."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in filter(str.strip, lines):
            with contextlib.suppress(OSError):
                stamp = time.strftime("%Y-%m-%d %H:%M:%S%z")
                self._file.append(f"{stamp} {printable(line.removeprefix('qep: '))}\n".encode())
        return len(text)

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            self.write("\n")
            self._file.close()
        super().close()
