"""Arrays of an npz file, read without pickles and only where the file can hold what it states."""

from __future__ import annotations

import math
import zipfile
from io import BytesIO
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from qep_qiskit.core.memory import require_bytes

_LARGEST_DEFLATION = 1032  # of the format: bytes that one compressed byte can stand for
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def arrays_of(content: bytes) -> dict[str, NDArray]:
    """Return the arrays of an npz file.

    The sizes in the directory of the file, in the header of every array and of what is there are compared before
    anything is unpacked, so that a small file cannot fill the memory.

    Raises:
        ValueError: The file is damaged, holds pickled objects, or states more than it holds.
        zipfile.BadZipFile: It is not an npz file.
        ResourceError: The arrays do not fit in memory.
    """
    with zipfile.ZipFile(BytesIO(content)) as archive:
        members = archive.infolist()
        if sum(member.compress_size for member in members) > len(content):
            raise ValueError("its parts are longer than the file")
        for member in members:
            _require_honest(archive, member)
        require_bytes(sum(member.file_size for member in members), "the arrays of a file")
        found: dict[str, NDArray] = {}
        for member in members:
            with archive.open(member) as file:
                found[member.filename.removesuffix(".npy")] = npy.read_array(file, allow_pickle=False)
    if len(found) != len(members):
        raise ValueError("two of its arrays have the same name")
    return found


def _require_honest(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Check that an array is as long as directory and header state, and that its bytes can be so many."""
    stored = member.compress_type == zipfile.ZIP_STORED
    most = member.compress_size * (1 if stored else _LARGEST_DEFLATION)
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or member.file_size > most:
        raise ValueError(f"{member.filename} states {member.file_size} bytes in {member.compress_size}")
    with archive.open(member) as file:
        wanted = _stated_bytes(file)
    if wanted != member.file_size:
        raise ValueError(f"{member.filename} has {member.file_size} bytes and its header states {wanted}")


def _stated_bytes(file: IO[bytes]) -> int:
    """Length in bytes of an array with its header, by the header."""
    version = npy.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"an array has the format {version}")
    shape, _, dtype = _HEADERS[version](file)
    if np.dtype(dtype).hasobject:
        raise ValueError("an array holds pickled objects")
    return file.tell() + math.prod(shape) * np.dtype(dtype).itemsize
