"""Phases exp(-i sum_a theta_a D_a) of all layers of a group, for many layers and states at once."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.arithmetic import Arithmetic, cast_like, complex_like, library_of
from qep_qiskit.core.transforms import num_qubits_of, walsh_hadamard_of_columns

_TABLE_AMPLITUDES = 1 << 17
_SIGNS_UP_TO_QUBITS = 10
_SIGN_MULTIPLICATIONS = 1 << 18
_ANGLES_TOGETHER = 1 << 13


def phase_factors(angles: NDArray, out: NDArray | None = None, scale: float = 1.0) -> NDArray:
    """Compute exp(-i scale theta) by the tangent of half the angle.

    One function of the angle gives both parts, and numpy computes tangents ten times faster than sines. The result has
    modulus one to rounding for any size of the tangent.

    Args:
        angles: Angles theta in radians, any shape.
        out: Buffer for the result, of the same shape, or None.
        scale: Factor on the angles.
    """
    library = library_of(angles)
    phases = library.empty(angles.shape, dtype=complex_like(angles)) if out is None else out
    if library is not np or angles.size <= _ANGLES_TOGETHER or not (_is_flat(angles) and _is_flat(phases)):
        _write_phases(angles, phases, scale)
        return phases
    flat, target = angles.reshape(-1), phases.reshape(-1)
    for start in range(0, len(flat), _ANGLES_TOGETHER):
        piece = slice(start, start + _ANGLES_TOGETHER)
        _write_phases(flat[piece], target[piece], scale)
    return phases


def _is_flat(array: NDArray) -> bool:
    return bool(array.flags.c_contiguous)


def _write_phases(angles: NDArray, phases: NDArray, scale: float) -> None:
    """Write phases of few angles: their intermediate numbers stay in the cache, in memory that is not fresh."""
    library = library_of(angles)
    tangent = angles * (0.5 * scale)
    library.tan(tangent, out=tangent)
    square = tangent * tangent
    inverse = 1.0 + square
    library.divide(1.0, inverse, out=inverse)
    library.subtract(1.0, square, out=square)
    library.multiply(square, inverse, out=phases.real)
    tangent *= inverse
    library.multiply(tangent, -2.0, out=phases.imag)


@lru_cache(maxsize=64)
def _sign_table(masks: tuple[int, ...], num_qubits: int) -> NDArray[np.float64]:
    """Diagonals of products of Z for all masks, shape (2^N, masks)."""
    parity = np.bitwise_count(np.arange(1 << num_qubits)[:, None] & np.array(masks, dtype=np.int64)) & 1
    return 1.0 - 2.0 * parity


def _fits_sign_table(num_terms: int, columns: int, num_qubits: int) -> bool:
    return num_qubits <= _SIGNS_UP_TO_QUBITS and num_terms * columns << num_qubits <= _SIGN_MULTIPLICATIONS


def diagonals(masks: NDArray, angles: NDArray, num_qubits: int) -> NDArray:
    """Compute diagonals sum_a theta_a D_a, shape (..., 2^N, columns).

    Args:
        masks: Bit masks of the terms, bit k for qubit k, shape (terms,).
        angles: Angles theta_a in radians, shape (..., terms, columns).
        num_qubits: Number of qubits N.
    """
    library = library_of(angles)
    if _fits_sign_table(angles.shape[-2], angles.shape[-1], num_qubits):
        return library.matmul(cast_like(_sign_table(tuple(masks.tolist()), num_qubits), angles), angles)
    if angles.ndim > 2:
        return library.stack([diagonals(masks, layer, num_qubits) for layer in angles])
    by_mask = library.zeros((1 << num_qubits, angles.shape[1]), dtype=angles.dtype)
    by_mask[library.asarray(masks)] = angles
    return walsh_hadamard_of_columns(by_mask)


def projections(masks: NDArray, vectors: NDArray) -> NDArray[np.float64]:
    """Compute products of vectors with all D_a, shape (..., terms, columns).

    Args:
        masks: Bit masks of the terms, bit k for qubit k, shape (terms,).
        vectors: Shape (..., 2^N, columns).
    """
    num_qubits = num_qubits_of(vectors.shape[-2])
    if _fits_sign_table(len(masks), vectors.shape[-1], num_qubits):
        return np.matmul(_sign_table(tuple(masks.tolist()), num_qubits).T, vectors)
    if vectors.ndim > 2:
        return np.stack([projections(masks, layer) for layer in vectors])
    return walsh_hadamard_of_columns(vectors)[masks]


def _ratios(angles: NDArray) -> tuple[NDArray, NDArray] | None:
    """A row and factors whose products are all rows of angles (layers, terms), or None if there are none.

    Along a ramp all couplings grow together: their diagonal is the same up to a factor in every layer.
    """
    row = angles[np.abs(angles).sum(axis=1).argmax()]
    length = row @ row
    if length == 0.0:
        return None
    factors = angles @ row / length
    close = np.abs(angles - factors[:, None] * row).max() <= 4e-16 * np.abs(row).max()
    return (row, factors) if close else None


class PhaseFactors:
    """Phases of every layer as one factor of a batch.

    Args:
        masks: Bit masks of the terms, bit k for qubit k, shape (terms,).
        angles: Angles in radians, shape (layers, terms, columns); one column is shared by all states.
        num_qubits: Number of qubits N.
        arithmetic: Array library and precision of the states.
    """

    def __init__(self, masks: NDArray, angles: NDArray, num_qubits: int, arithmetic: Arithmetic) -> None:
        self._masks, self._angles, self._num_qubits = masks, arithmetic.array(angles), num_qubits
        self._common: tuple[NDArray, list[float]] | None = None
        self.table: NDArray | None = None
        layers, _, columns = angles.shape
        if layers * columns << num_qubits <= _TABLE_AMPLITUDES and num_qubits <= _SIGNS_UP_TO_QUBITS:
            self.table = phase_factors(diagonals(masks, self._angles, num_qubits))
        elif columns == 1 and layers > 1 and (found := _ratios(angles[:, :, 0])) is not None:
            self._common = diagonals(masks, arithmetic.array(found[0][:, None]), num_qubits), found[1].tolist()

    def of_layer(self, layer: int, out: NDArray | None = None) -> NDArray:
        """Phases of one layer, shape (2^N, columns).

        Args:
            layer: Index of the layer.
            out: Buffer that may receive the result, or None.
        """
        if self.table is not None:
            return self.table[layer]
        if self._common is not None:
            diagonal, scale = self._common[0], self._common[1][layer]
        else:
            diagonal, scale = diagonals(self._masks, self._angles[layer], self._num_qubits), 1.0
        return phase_factors(diagonal, out if out is not None and out.shape == diagonal.shape else None, scale)


class _ProductPhaseFactors:
    """Phases of terms on single qubits: outer products of the phases of the lower and the higher qubits."""

    def __init__(self, masks: NDArray, angles: NDArray, num_qubits: int, arithmetic: Arithmetic) -> None:
        layers, _, columns = angles.shape
        factors = arithmetic.library.ones((num_qubits, layers, 2, columns), dtype=arithmetic.complex)
        qubits = [num_qubits_of(mask) for mask in masks.tolist()]
        factors[qubits, :, 0] = arithmetic.array(phase_factors(angles)).swapaxes(0, 1)
        factors[qubits, :, 1] = factors[qubits, :, 0].conj()
        half = num_qubits // 2
        self._low, self._high = _outer(factors[:half], arithmetic), _outer(factors[half:], arithmetic)
        self.table: NDArray | None = None
        if layers * columns << num_qubits <= _TABLE_AMPLITUDES:
            full = self._high[:, :, None] * self._low[:, None]
            self.table = full.reshape(layers, 1 << num_qubits, columns)

    def of_layer(self, layer: int, out: NDArray | None = None) -> NDArray:
        if self.table is not None:
            return self.table[layer]
        high, low = self._high[layer], self._low[layer]
        shape = (len(high), len(low), low.shape[1])
        buffer = None if out is None else out.reshape(shape)
        product = library_of(low).multiply(high[:, None], low[None], out=buffer)
        return product.reshape(-1, shape[2])


def _outer(factors: NDArray, arithmetic: Arithmetic) -> NDArray:
    """Products over few qubits: (qubits, layers, 2, columns) to (layers, 2^qubits, columns)."""
    phases = arithmetic.library.ones((factors.shape[1], 1, factors.shape[3]), dtype=arithmetic.complex)
    for factor in factors:
        phases = (factor[:, :, None] * phases[:, None]).reshape(len(phases), -1, phases.shape[2])
    return phases


class _KnownPhaseFactors:
    """Phases of all layers from a table of shape (layers, 2^N, columns)."""

    def __init__(self, table: NDArray) -> None:
        self.table: NDArray | None = table

    def of_layer(self, layer: int, out: NDArray | None = None) -> NDArray:
        assert self.table is not None
        return self.table[layer]


Factor = PhaseFactors | _ProductPhaseFactors | _KnownPhaseFactors


def shared_phase_factors(
    masks: NDArray, angles: NDArray, shared: NDArray, num_qubits: int, arithmetic: Arithmetic
) -> list[Factor]:
    """Phase factors that all states share: a list of one factor, or an empty list.

    Args:
        masks: Bit masks of the terms, bit k for qubit k, shape (terms,).
        angles: Angles in radians, shape (layers, terms, states).
        shared: Whether all states share the angles of a term, shape (terms,).
        num_qubits: Number of qubits N.
        arithmetic: Array library and precision of the states.
    """
    if not (shared.any() and angles[:, shared, 0].any()):
        return []
    return [PhaseFactors(masks[shared], np.ascontiguousarray(angles[:, shared, :1]), num_qubits, arithmetic)]


def individual_phase_factors(
    masks: NDArray, angles: NDArray, shared: NDArray, num_qubits: int, arithmetic: Arithmetic
) -> list[Factor]:
    """Phase factors that differ from state to state: a list of one factor, or an empty list.

    Args:
        masks: Bit masks of the terms, bit k for qubit k, shape (terms,).
        angles: Angles in radians, shape (layers, terms, states).
        shared: Whether all states share the angles of a term, shape (terms,).
        num_qubits: Number of qubits N.
        arithmetic: Array library and precision of the states.
    """
    own = ~shared
    if not own.any():
        return []
    single = all(mask.bit_count() == 1 for mask in masks[own].tolist())
    return [(_ProductPhaseFactors if single else PhaseFactors)(masks[own], angles[:, own], num_qubits, arithmetic)]


def together(factors: list[Factor]) -> list[Factor]:
    """Merge factors with tables into one factor with the same product."""
    tables = [factor.table for factor in factors if factor.table is not None]
    if len(factors) < 2 or len(tables) < len(factors):
        return factors
    product = tables[0]
    for table in tables[1:]:
        product = product * table
    return [_KnownPhaseFactors(product)]
