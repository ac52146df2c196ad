"""Check numbers that come from Python: finite, whole where they count something, of the expected shape.

Nothing is rounded, broadcast, truncated or replaced by zero: a value that does not fit raises an error of one line that
names it. The schema checks configurations; the objects they build check their numbers here again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError, NetworkError, QepError

MOST_SHOTS = 10**15
"""Shots of a batch: sums over many batches stay whole numbers of 64 bits."""


def whole_number(name: str, value: Any, least: int | None = None, *, error: type[QepError] = ConfigError) -> int:
    """Return a number that counts something as an int.

    Args:
        name: Config key or argument, for the message.
        value: An int, or an integer of numpy's. True, 2.0 and 2.5 are none.
        least: Smallest value that makes sense, or None for any.
        error: Class of the error.

    Raises:
        QepError: It is no whole number, or below the least.
    """
    wanted = "a whole number" if least is None else f"a whole number of at least {least}"
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise error(f"{name}: expected {wanted}, got {value!r}")
    if least is not None and value < least:
        raise error(f"{name}: expected at least {least}, got {value}")
    return int(value)


def check_shots(name: str, shots: Any) -> None:
    """Check shots per batch: a whole number from 1 to `MOST_SHOTS`, or None for exact expectations.

    Args:
        name: Config key or argument, for the message.
        shots: The value.

    Raises:
        ConfigError: They are neither.
    """
    if shots is not None and whole_number(name, shots, 1) > MOST_SHOTS:
        raise ConfigError(f"{name}: expected at most {MOST_SHOTS:g}, got {shots}")


def finite_number(name: str, value: Any, *, error: type[QepError] = NetworkError) -> float:
    """Return a real, finite number as a float.

    Args:
        name: Config key or argument, for the message.
        value: The value.
        error: Class of the error.

    Raises:
        QepError: It is not.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number):
        raise error(f"{name}: expected a finite number, got {value!r}")
    return number


def real_array(
    name: str, value: Any, shape: Sequence[int | None], axes: str, *, error: type[QepError] = NetworkError
) -> NDArray[np.float64]:
    """Return an array of real numbers of a given shape; an array of floats is not copied.

    Args:
        name: What the array is, for the message.
        value: The array.
        shape: Length of every axis, or None where any will do.
        axes: The same in words, such as ``"(samples, 2 inputs)"``.
        error: Class of the error.

    Raises:
        QepError: It holds no real numbers, or has another shape.
    """
    try:
        array = np.asarray(value)
    except ValueError:
        raise error(f"{name}: expected an array of shape {axes}, got rows of different lengths") from None
    if array.dtype.kind not in "fiub":
        raise error(f"{name}: expected real numbers, got an array of type {array.dtype}")
    fits = zip(array.shape, shape, strict=False)
    if array.ndim != len(shape) or any(wanted not in (None, length) for length, wanted in fits):
        raise error(f"{name}: expected shape {axes}, got {array.shape}")
    return array.astype(np.float64, copy=False)


def check_finite(values: NDArray, where: Callable[..., str], *, error: type[QepError] = NetworkError) -> None:
    """Check that no number is NaN or infinite.

    Args:
        values: Any shape.
        where: From the index of a number to what it is, such as ``"weight J[0,1]"``.
        error: Class of the error.

    Raises:
        QepError: One is not; the message names the first.
    """
    if not np.isfinite(values).all():
        index = tuple(np.argwhere(~np.isfinite(values))[0].tolist())
        raise error(f"{where(*index)} is {values[index]}; expected a finite number")
