"""Write files that survive a full disk, a crash and another process: whole contents, whole lines, and locks.

Every failure of the system is an `OSError` that names the file, so that the command line can print it as one line.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

from filelock import BaseFileLock, FileLock, Timeout

_PREFIX = ".qep-"  # of what is not finished

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

    Raises:
        OSError: It cannot be written; the old content is there, and nothing else is left.
    """
    temporary = path.with_name(f"{_PREFIX}{secrets.token_hex(8)}.tmp")
    try:
        with naming(path):
            descriptor = _opened(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            try:
                _write_all(descriptor, content)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _opened(path: Path, flags: int) -> int:
    """Open a file, never through a link. A new file is open only to those who may use its folder."""
    extra = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return os.open(path, flags | extra, os.stat(path.parent).st_mode & 0o666)


def make_folder(path: Path, *, private: bool) -> None:
    """Make a folder with those above it; one that is there already stays.

    Args:
        path: The folder.
        private: Whether only its owner may use it and, as files follow their folder, what is written into it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700 if private else 0o777, exist_ok=True)
    if private:
        path.chmod(0o700)


def make_private_file(path: Path) -> None:
    """Make an empty file that only its owner may read; one that is there already stays."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def finished_in(folder: Path) -> list[str]:
    """Return the names in a folder, in order, without those of unfinished files."""
    return sorted(item.name for item in folder.iterdir() if not item.name.startswith(_PREFIX))


def remove_leftovers(folder: Path) -> None:
    """Remove the unfinished files and folders of a process that was killed; its lock must be held by this one."""
    for item in folder.glob(f"{_PREFIX}*"):
        if item.is_dir() and not item.is_symlink():
            shutil.rmtree(item, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                item.unlink()


def _write_all(descriptor: int, content: bytes) -> None:
    """Write all bytes: a system may take fewer than it is given, and reports the cause only when it takes none."""
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A new folder, filled under another name; it appears at its own, whole, when the block ends without an error."""
    fresh = path.with_name(f"{_PREFIX}{secrets.token_hex(8)}.new")
    try:
        yield fresh
        os.replace(fresh, path)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


class LineFile:
    """Append whole lines to a file: a line that does not fit on the disk leaves nothing behind.

    Args:
        path: The file; made where it is missing.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        descriptor = _opened(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._file = os.fdopen(descriptor, "ab", buffering=0)

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


class _Held(FileLock):
    """A lock that is held once: a block that it is used in does not take it again, and lets go of it at its end."""

    def __enter__(self) -> _Held:
        return self


def hold(path: Path) -> Hold:
    """Lock a file for this process at once, or raise; the file is created where it is missing, and stays.

    Raises:
        BlockingIOError: Another process, or another part of this one, holds it.
        OSError: It cannot be locked.
    """
    lock = _Held(path, thread_local=False)
    try:
        with naming(path):
            lock.acquire(blocking=False)
    except Timeout:
        raise BlockingIOError(errno.EWOULDBLOCK, "is held by another process", str(path)) from None
    except NotImplementedError as error:  # raised for file systems without locks
        raise OSError(errno.ENOLCK, str(error), str(path)) from error
    return lock
