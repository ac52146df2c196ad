"""Checked, read-only arrays, as the data classes of tasks store them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import DataError


def float_array(name: str, value: Any, ndim: int) -> np.ndarray:
    """Copy a value into a read-only float64 array.

    Args:
        name: Name of the array in error messages.
        value: Array of real numbers with ``ndim`` axes.
        ndim: Expected number of axes.

    Returns:
        float64 array of the same shape, not writeable.

    Raises:
        DataError: The value is not an array of real numbers, has another number of axes, or has a value that is not
            finite.
    """
    array = _array(name, value, kinds="fiub", words="real numbers", ndim=ndim)
    array = array.astype(np.float64)
    if not np.all(np.isfinite(array)):
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise DataError(f"{name}: expected finite numbers, got {array[where]} at index {where}")
    array.setflags(write=False)
    return array


def index_array(name: str, value: Any) -> np.ndarray:
    """Copy a value into a read-only int64 vector.

    Args:
        name: Name of the array in error messages.
        value: Vector of integers, shape (length,).

    Returns:
        int64 array of shape (length,), not writeable.

    Raises:
        DataError: The value is not a vector of integers.
    """
    array = _array(name, value, kinds="iu", words="integers", ndim=1).astype(np.int64)
    array.setflags(write=False)
    return array


def check_rows(num_samples: int, **parts: Sequence[Any] | np.ndarray | None) -> None:
    """Check that every part of a table has a row for each sample.

    Args:
        num_samples: Number of rows of the inputs.
        **parts: The other parts by name; None for those that are not there.

    Raises:
        DataError: A part has another number of rows.
    """
    for name, part in parts.items():
        if part is not None and len(part) != num_samples:
            raise DataError(f"{name}: expected {amount(num_samples, 'row')} like the inputs, got {len(part)}")


def check_indices(name: str, indices: np.ndarray, count: int, what: str) -> None:
    """Check that integers are indices below a number.

    Args:
        name: Name of the array in error messages.
        indices: Integers of any number.
        count: Number of things that they index.
        what: What is expected, for the message.

    Raises:
        DataError: An index is out of range.
    """
    if np.any((indices < 0) | (indices >= count)):
        raise DataError(f"{name}: expected {what}, got values from {indices.min()} to {indices.max()}")


def _array(name: str, value: Any, *, kinds: str, words: str, ndim: int) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError:
        raise DataError(f"{name}: expected an array, got rows of different lengths") from None
    if array.size == 0 and array.dtype.kind == "f":  # an empty list becomes a float array
        kinds += "f"
    if array.dtype.kind not in kinds:
        raise DataError(f"{name}: expected {words}, got an array of type {array.dtype}")
    if array.ndim != ndim:
        raise DataError(f"{name}: expected {ndim} axes, got an array of shape {array.shape}")
    return array
