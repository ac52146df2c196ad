"""Write files that survive a full disk, a crash and another process: whole contents, whole lines, and locks.

Every failure of the system is an `OSError` that names the file, so that the command line can print it as one line.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

from filelock import BaseFileLock, FileLock, Timeout

Hold: TypeAlias = BaseFileLock
"""A lock that is held; `release` lets go of it, and so does the end of the process, however it comes."""


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Add the name of a file to every `OSError` that names none."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that at every moment it holds either the whole old or the whole new content.

    Args:
        path: The file.
        content: All of its new bytes.

    Raises:
        OSError: It cannot be written; the old content is there, and nothing else is left.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with naming(path), temporary.open("wb", buffering=0) as file:
            _write_all(file.fileno(), content)
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _write_all(descriptor: int, content: bytes) -> None:
    """Write all bytes: a system may take fewer than it is given, and reports the cause only when it takes none."""
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A new folder, filled under another name; it appears at its own, whole, when the block ends without an error."""
    fresh = path.with_name(f".{path.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    yield fresh
    os.replace(fresh, path)


class LineFile:
    """Append whole lines to a file: a line that does not fit on the disk leaves nothing behind.

    Args:
        path: The file; made where it is missing.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("ab", buffering=0)

    def append(self, line: bytes) -> int:
        """Write a line, its end included, and return the length of the file.

        Raises:
            OSError: It cannot be written; the file is as before.
        """
        before = os.fstat(self._file.fileno()).st_size
        try:
            with naming(self._path):
                _write_all(self._file.fileno(), line)
        except BaseException:
            with contextlib.suppress(OSError):
                self._file.truncate(before)
            raise
        return before + len(line)

    def sync(self) -> None:
        """Flush everything to disk."""
        with naming(self._path):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> LineFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def hold(path: Path) -> Hold:
    """Lock a file for this process at once, or raise; the file is created where it is missing, and stays.

    Raises:
        BlockingIOError: Another process, or another part of this one, holds it.
        OSError: It cannot be locked.
    """
    lock = FileLock(path, thread_local=False)
    try:
        with naming(path):
            lock.acquire(blocking=False)
    except Timeout:
        raise BlockingIOError(errno.EWOULDBLOCK, "is held by another process", str(path)) from None
    except NotImplementedError as error:  # raised for file systems without locks
        raise OSError(errno.ENOLCK, str(error), str(path)) from error
    return lock
