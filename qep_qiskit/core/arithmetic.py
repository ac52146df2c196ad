"""The array library and the precision of the statevector engine: the one place its kernels take them from.

Kernels make arrays by an `Arithmetic`, and otherwise ask the arrays that they are given. The library is numpy, or one
with the same functions whose arrays are changed in place, such as CuPy.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

Precision = Literal["double", "single"]
"""Precision of state vectors; probabilities and their sums are double in both."""


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Array library and precision of state vectors.

    Args:
        precision: ``"double"``, or ``"single"`` for half the memory.
        library: The module, such as numpy.
    """

    precision: Precision = "double"
    library: Any = np

    @property
    def real(self) -> DTypeLike:
        """Type of real numbers."""
        return np.float64 if self.precision == "double" else np.float32

    @property
    def complex(self) -> DTypeLike:
        """Type of complex numbers."""
        return np.complex128 if self.precision == "double" else np.complex64

    @property
    def on_device(self) -> bool:
        """Whether arrays live in the memory of a device, not in that of numpy."""
        return self.library is not np

    @property
    def bytes_per_amplitude(self) -> int:
        """Size of a complex number."""
        return 16 if self.precision == "double" else 8

    def array(self, numbers: NDArray) -> NDArray:
        """Return an array of numpy in this library and precision; real numbers stay real."""
        return self.library.asarray(numbers, dtype=self.complex if numbers.dtype.kind == "c" else self.real)

    def empty(self, shape: tuple[int, ...]) -> NDArray:
        """Return a complex array that is not initialised."""
        return self.library.empty(shape, dtype=self.complex)


DOUBLE = Arithmetic()
"""Double precision in numpy."""


def library_of(array: NDArray) -> Any:
    """Return the module that an array belongs to; numpy for classes that derive from its arrays elsewhere."""
    if type(array) is np.ndarray:
        return np
    found = sys.modules[type(array).__module__.partition(".")[0]]
    return found if hasattr(found, "matmul") else np


def complex_like(array: NDArray) -> np.dtype:
    """Return the complex type of the precision of an array."""
    return np.result_type(array.dtype, np.complex64)


def cast_like(matrix: NDArray, array: NDArray) -> NDArray:
    """Return a matrix in the library and the precision of an array; real numbers stay real."""
    dtype = complex_like(array) if matrix.dtype.kind == "c" else array.real.dtype
    is_like = matrix.dtype == dtype and type(matrix) is type(array)
    return matrix if is_like else library_of(array).asarray(matrix, dtype=dtype)


def take_rows(array: NDArray, sources: NDArray, out: NDArray) -> None:
    """Write rows of an array, in another order, to a buffer."""
    if library_of(array) is np:
        np.take(array, sources, axis=0, out=out, mode="clip")  # the other modes make a copy
    else:
        out[...] = array[library_of(array).asarray(sources)]
