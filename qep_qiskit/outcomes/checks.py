"""Check outcomes: right shape, real, finite, and probabilities, counts or bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import ResultError

_SUM_TOLERANCE = 1e-6
_NEGATIVE_TOLERANCE = 1e-9


def require_probabilities(weights: NDArray, name: str, *, total: int | None = None, first: int = 0) -> None:
    """Check rows of probabilities, or of counts.

    Args:
        weights: Shape (measured, outcomes).
        name: What they are of.
        total: Shots of every row, or None for probabilities.
        first: Place of the first row among all that are measured.

    Raises:
        ResultError: They are not real and finite, some are negative, or a row has another sum.
    """
    if not weights.size:
        return
    _require_real_type(weights, name)
    least, sums = float(weights.min()), weights.sum(axis=1)
    what, wanted = ("probabilities", 1.0) if total is None else ("counts", float(total))
    off = int(np.abs(sums - wanted).argmax())  # the first that is no number, if there is one
    lowest, tolerance = (-_NEGATIVE_TOLERANCE, _SUM_TOLERANCE) if total is None else (0.0, 0.0)
    if least >= lowest and abs(sums[off] - wanted) <= tolerance:
        return
    require_real(weights, name, first)
    if least < lowest:
        raise ResultError(f"{name}: expected {what} from 0 on, got {least:.3g}")
    raise ResultError(f"{name}: expected {what} that sum to {wanted:g}, got {sums[off]:.6g} in state {first + off}")


def require_real(values: NDArray, name: str, first: int = 0) -> None:
    """Check that numbers are real and finite.

    Args:
        values: Shape (measured, ...).
        name: What they are of.
        first: Place of the first row among all that are measured.

    Raises:
        ResultError: One is not.
    """
    _require_real_type(values, name)
    # The sum of all is finite only if each of them is: no array of truth values is made.
    if values.dtype.kind == "f" and not np.isfinite(values.sum()) and not np.isfinite(values).all():
        place = tuple(np.argwhere(~np.isfinite(values))[0])
        raise ResultError(f"{name}: expected finite numbers, got {values[place]} in state {first + place[0]}")


def _require_real_type(values: NDArray, name: str) -> None:
    if values.dtype.kind not in "iuf":
        raise ResultError(f"{name}: expected real numbers, got {values.dtype}")


def require_shape(values: NDArray, shape: tuple[int | None, ...], name: str) -> None:
    """Check the shape of outcomes.

    Args:
        values: The outcomes.
        shape: Wanted length of every axis, None where any will do.
        name: What they are of, for messages.

    Raises:
        ResultError: It is another.
    """
    if np.shape(values) != shape:
        raise ResultError(f"{name}: expected outcomes of shape {shape}, got {np.shape(values)}")


def num_bytes_of(num_bits: int) -> int:
    """Return the number of bytes that hold this many bits."""
    return -(-num_bits // 8)


def require_unused_bits(bits: NDArray[np.uint8], size: int, name: str) -> None:
    """Check that only the first bits of big-endian bytes are set.

    Args:
        bits: Shape (..., bytes).
        size: Bits in use.
        name: What they were read from.

    Raises:
        ResultError: Others are.
    """
    if size % 8 and bits.size and int(bits[..., 0].max()) >> size % 8:
        raise ResultError(f"{name}: expected {amount(size, 'bit')} a shot, got bits beyond them")
