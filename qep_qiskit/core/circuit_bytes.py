"""Circuits as bytes in Qiskit's format QPY; what cannot be read says which versions wrote and read it."""

from __future__ import annotations

import io

import qiskit
from qiskit import QuantumCircuit, qpy
from qiskit.qpy.common import QPY_VERSION

_MARK = b"QISKIT"
_HEADER = len(_MARK) + 4  # the mark, the version of the format, and three numbers of the version of Qiskit


def bytes_of(*circuits: QuantumCircuit) -> bytes:
    """Return circuits as one QPY file."""
    buffer = io.BytesIO()
    qpy.dump(list(circuits), buffer)
    return buffer.getvalue()


def circuits_of(content: bytes) -> list[QuantumCircuit]:
    """Return the circuits of a QPY file.

    Raises:
        ValueError: It cannot be read, because it is damaged or of another version.
    """
    try:
        return list(qpy.load(io.BytesIO(content)))
    except Exception as error:  # damaged bytes raise errors of many kinds
        raise ValueError(_reason(content, error)) from None


def _reason(content: bytes, error: Exception) -> str:
    if content.startswith(_MARK) and len(content) >= _HEADER:
        version, *numbers = content[len(_MARK) : _HEADER]
        if version > QPY_VERSION:
            wrote = ".".join(map(str, numbers))
            return (
                f"QPY {version}, written by Qiskit {wrote}, where Qiskit {qiskit.__version__} reads up to QPY "
                f"{QPY_VERSION}; use Qiskit {wrote}"
            )
    return " ".join(str(error).split())[:200] or type(error).__name__
