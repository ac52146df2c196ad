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


def draw(
    probabilities_of: Callable[[slice], NDArray],
    shape: tuple[int, int],
    shots: int | None,
    generator: np.random.Generator,
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
        generator: The stream of this group.
        name: Where the probabilities come from.

    Raises:
        ResultError: They are none.
    """
    measured, size = shape
    num_qubits, per_part = num_qubits_of(size), max(1, _AMPLITUDES_PER_PART // size)

    def checked(start: int) -> NDArray:
        probabilities = probabilities_of(slice(start, start + per_part))
        require_probabilities(probabilities, name, first=start)
        return np.maximum(probabilities, 0.0, out=probabilities)

    starts = range(0, measured, per_part)
    if shots is None:
        return Distribution(weights=_joined(in_threads(checked, starts), size), shots=None)
    if num_qubits <= _COUNTS_UP_TO_QUBITS:
        return Distribution(weights=_joined([_counts(checked(s), shots, generator) for s in starts], size), shots=shots)
    uniform = generator.random((measured, shots))
    parts = in_threads(
        lambda start: [_search(*pair) for pair in zip(checked(start), uniform[start:], strict=False)], starts
    )
    found = np.array([row for part in parts for row in part])
    return BitMemory(bits=_to_bytes(found, num_qubits), num_qubits=num_qubits)


def _joined(parts: list[NDArray], size: int) -> NDArray:
    return np.concatenate(parts) if parts else np.zeros((0, size))


def _counts(probabilities: NDArray, shots: int, generator: np.random.Generator) -> NDArray[np.int64]:
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return generator.multinomial(shots, probabilities)


def _search(probabilities: NDArray, uniform: NDArray) -> NDArray[np.int64]:
    """Search in the cumulative sum, which replaces the probabilities: linear in 2^N once, logarithmic a shot."""
    cumulative = np.cumsum(probabilities, out=probabilities)
    return np.searchsorted(cumulative, uniform * cumulative[-1], side="right")


def _to_bytes(values: NDArray[np.int64], num_qubits: int) -> NDArray[np.uint8]:
    """Convert integers to big-endian bytes, shape (..., bytes)."""
    full = values.astype(">u8")[..., None].view(np.uint8)
    return np.ascontiguousarray(full[..., 8 - num_bytes_of(num_qubits) :])
