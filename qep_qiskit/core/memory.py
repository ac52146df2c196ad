"""Refuse work that does not fit in memory before it starts."""

from __future__ import annotations

import ctypes
import os
import sys

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import ResourceError

_ALWAYS_FITS = 1 << 28


def available_bytes() -> int:
    """Return the memory that a new job may use: what the system reports as available, or half of all memory."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            table = dict(line.split(":", 1) for line in lines)
        return int(table["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return _physical_bytes() // 2


def _physical_bytes() -> int:
    """Return all memory of a machine that is not Linux."""
    if sys.platform != "win32":
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    kilobytes = ctypes.c_ulonglong()
    ctypes.windll.kernel32.GetPhysicallyInstalledSystemMemory(ctypes.byref(kilobytes))
    return 1024 * kilobytes.value


def require_memory(
    num_qubits: int, bytes_per_amplitude: int, what: str, *, bits_per_qubit: int = 1, instead: str = ""
) -> None:
    """Check that arrays over 2^N amplitudes fit.

    Args:
        num_qubits: N.
        bytes_per_amplitude: All arrays that live at once, in bytes per amplitude.
        what: The job, for the message.
        bits_per_qubit: Index bits per qubit: 1 for vectors, 2 for matrices.
        instead: What has no such limit, for the message.

    Raises:
        ResourceError: They do not fit; the message says how many qubits would.
    """
    wanted = bytes_per_amplitude << (bits_per_qubit * num_qubits)
    if wanted <= _ALWAYS_FITS:
        return
    available = available_bytes()
    if wanted <= available:
        return
    fitting = max(0, (available // bytes_per_amplitude).bit_length() - 1) // bits_per_qubit
    raise ResourceError(
        f"{what} of {amount(num_qubits, 'qubit')} does not fit in memory ({available / 2**30:.1f} GiB free); "
        f"at most {fitting} qubits would" + (f"; use fewer, or {instead}" if instead else "")
    )


def require_bytes(wanted: int, what: str) -> None:
    """Check that arrays of a known size fit.

    Args:
        wanted: All arrays that live at once, in bytes.
        what: The job, for the message.

    Raises:
        ResourceError: They do not fit.
    """
    if wanted > _ALWAYS_FITS and wanted > available_bytes():
        raise ResourceError(
            f"{what} need {wanted / 2**30:.1f} GiB, and {available_bytes() / 2**30:.1f} GiB of memory are free; give "
            "fewer of them"
        )
