"""Draw shots from probabilities."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.jobs import in_threads
from qep_qiskit.core.transforms import num_qubits_of
from qep_qiskit.outcomes.bits import BitMemory, BitOutcomes, Distribution
from qep_qiskit.outcomes.checks import num_bytes_of, require_probabilities

_COUNTS_UP_TO_QUBITS = 13
_AMPLITUDES_PER_PART = 1 << 16
_SEARCHED_AT_ONCE = 1 << 13


def draw(
    probabilities_of: Callable[[slice], NDArray],
    shape: tuple[int, int],
    shots: int | None,
    generator: np.random.Generator | None,
    name: str,
) -> BitOutcomes:
    """Draw outcomes of one group, for few states at a time: a large batch is never copied.

    The states are drawn one after the other from one stream, so they are independent. Wide registers take all their
    random numbers first, and share the search among the jobs.

    Args:
        probabilities_of: Probabilities of all outcomes for some of the measured states, shape (some, 2^N); a fresh
            array, which is worked in.
        shape: (measured, 2^N).
        shots: Shots of each state, or None for the probabilities.
        generator: The stream of this group; not needed without shots.
        name: Where the probabilities come from.

    Raises:
        ResultError: They are none.
    """
    starts, size = _starts(shape), shape[1]
    if shots is None:
        parts = in_threads(lambda start: _checked(probabilities_of, size, start, name), starts)
        return Distribution(weights=_joined(parts, size), shots=None)
    assert generator is not None
    if num_qubits_of(size) <= _COUNTS_UP_TO_QUBITS:
        counts = [_counts(_checked(probabilities_of, size, start, name), shots, generator) for start in starts]
        return Distribution(weights=_joined(counts, size), shots=shots)
    found = draw_indices(probabilities_of, shape, shots, generator, name)
    return BitMemory(bits=_to_bytes(found, num_qubits_of(size)), num_qubits=num_qubits_of(size))


def draw_indices(
    probabilities_of: Callable[[slice], NDArray],
    shape: tuple[int, int],
    shots: int,
    generator: np.random.Generator,
    name: str,
) -> NDArray[np.int64]:
    """Draw shot by shot, and return the index of every outcome, shape (measured, shots).

    Args:
        probabilities_of: As of `draw`.
        shape: (measured, 2^N).
        shots: Shots of each state.
        generator: The stream of this group.
        name: Where the probabilities come from.

    Raises:
        ResultError: They are none.
    """
    measured, size = shape
    uniform = generator.random((measured, shots))

    def searched(start: int) -> NDArray[np.int64]:
        probabilities = _checked(probabilities_of, size, start, name)
        return _search(probabilities, uniform[start : start + len(probabilities)])

    side_by_side = in_threads if size > 1 << _COUNTS_UP_TO_QUBITS else map  # narrow ones take less than a thread does
    parts = list(side_by_side(searched, _starts(shape)))
    return np.concatenate(parts) if parts else np.zeros((0, shots), dtype=np.int64)


def _starts(shape: tuple[int, int]) -> range:
    """Return the first states of the parts of a batch that are worked on at once."""
    return range(0, shape[0], _per_part(shape[1]))


def _per_part(size: int) -> int:
    return max(1, _AMPLITUDES_PER_PART // size)


def _checked(probabilities_of: Callable[[slice], NDArray], size: int, start: int, name: str) -> NDArray:
    """Return the probabilities of one part of a batch, without the negative ones that rounding leaves."""
    probabilities = probabilities_of(slice(start, start + _per_part(size)))
    require_probabilities(probabilities, name, first=start)
    return np.maximum(probabilities, 0.0, out=probabilities)


def _joined(parts: list[NDArray], size: int) -> NDArray:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.zeros((0, size))


def _counts(probabilities: NDArray, shots: int, generator: np.random.Generator) -> NDArray[np.int64]:
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return generator.multinomial(shots, probabilities)


def _search(probabilities: NDArray, uniform: NDArray) -> NDArray[np.int64]:
    """Search in the cumulative sums, which replace the probabilities: linear in 2^N once, logarithmic a shot.

    All rows are searched at once by halving, a few shots at a time, which stay in the cache.
    """
    rows, size = probabilities.shape
    cumulative = np.cumsum(probabilities, axis=1, out=probabilities)
    before, flat = np.arange(rows)[:, None] * size - 1, cumulative.reshape(-1)
    found = np.zeros(uniform.shape, dtype=np.int64)
    few = max(1, _SEARCHED_AT_ONCE // rows)
    for start in range(0, uniform.shape[1], few):
        part = found[:, start : start + few]
        sought = uniform[:, start : start + few] * cumulative[:, -1:]
        for half in (size >> level for level in range(1, size.bit_length())):
            part += half * (flat.take(before + (part + half)) <= sought)
    return found


def _to_bytes(values: NDArray[np.int64], num_qubits: int) -> NDArray[np.uint8]:
    """Convert integers to big-endian bytes, shape (..., bytes)."""
    full = values.astype(">u8")[..., None].view(np.uint8)
    return np.ascontiguousarray(full[..., 8 - num_bytes_of(num_qubits) :])
