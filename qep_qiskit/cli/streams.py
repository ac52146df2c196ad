"""Standard output and error for all characters, and handling of output that cannot be written."""

from __future__ import annotations

import codecs
import io
import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from qep_qiskit.core.printable import printable

_HANDLER = "qep_qiskit.plain"
_PLAIN = {"±": "+-", "−": "-", "…": "...", "·": ".", "×": "x", "≤": "<=", "≥": ">=", "→": "->", "█": "#", "■": "#"}
_PLAIN |= {"β": "beta", "η": "eta", "ħ": "hbar", "σ": "sigma", "θ": "theta", "µ": "u", "μ": "u", "π": "pi", "░": ":"}
_LEVEL, _UPRIGHT = "─━═╌┄╴╶╸╺", "│┃║╎┆"


def accept_all_characters() -> None:
    """Replace characters that the encoding of a stream lacks by plain ones, instead of raising an error."""
    codecs.register_error(_HANDLER, _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


class _Dropping(io.FileIO):
    """File that discards what the operating system refuses to write."""

    def write(self, data: Any) -> int:
        """Write as much as possible."""
        with suppress(OSError):
            super().write(data)
        return memoryview(data).nbytes


@contextmanager
def streams_that_end_nothing() -> Iterator[None]:
    """Discard warnings and progress that standard error cannot take, so that they do not end a run.

    This covers a full disk, a reader that has exited, and a stream that was closed from the start. Lost results always
    give an error, unless standard output was closed from the start.
    """
    before = sys.stdout, sys.stderr
    try:
        sys.stdout, sys.stderr = io.StringIO() if sys.stdout is None else sys.stdout, _lossy(sys.stderr)
        yield
    finally:
        sys.stdout, sys.stderr = before


def _lossy(stream: Any) -> Any:
    if stream is None:
        return io.StringIO()
    try:
        number = stream.fileno()
    except (AttributeError, OSError, ValueError):
        return stream  # replaced by the calling program
    raw = io.BufferedWriter(_Dropping(number, "wb", closefd=False))
    return io.TextIOWrapper(raw, encoding=stream.encoding, errors=stream.errors, line_buffering=True)


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_in_ascii, error.object[error.start : error.end])), error.end


def _in_ascii(character: str) -> str:
    if character in _PLAIN:
        return _PLAIN[character]
    if "\u2500" <= character <= "\u257f":  # lines of tables and of drawings
        return "-" if character in _LEVEL else "|" if character in _UPRIGHT else "+"
    return unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode() or "?"


def tell(text: str) -> None:
    """Print a line of this program on standard error."""
    print(f"qep: {printable(text)}", file=sys.stderr)


def give_up_output() -> None:
    """Discard pending output, so that the process does not write it again when it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def system_line(error: OSError) -> str:
    """Return an error of the operating system in one line that begins with the file."""
    if error.errno is None:  # raised by the client of a service
        return " ".join(f"{type(error).__name__}: {error}; what was written before is kept".split())
    name = "output" if error.filename is None else error.filename
    return f"{name}: {error.strerror}; what was written before is kept"
