"""Shots from state vectors: one evolution serves every commuting group."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.errors import ConfigError
from qep_qiskit.execution.interface import BitMemory, Distribution, Outcomes, Readout, Request, ShotData, Ticket
from qep_qiskit.prepared import CircuitStates, VectorStates
from qep_qiskit.seeds import Seeds
from qep_qiskit.transforms import num_qubits_of

__all__ = ["VectorExecutor", "sample_vectors"]

_COUNTS_UP_TO_QUBITS = 13


def sample_vectors(
    vectors: NDArray, readouts: tuple[Readout, ...], seeds: Seeds, key: tuple[str | int, ...]
) -> ShotData:
    """Measure state vectors in every readout's group.

    Every readout draws from a stream of its own, so groups are independent; the states of a readout are
    drawn one after the other from that stream, so they are too.

    Args:
        vectors: Shape (states, 2^N).
        readouts: What to measure.
        seeds: Root of the random streams.
        key: Key of this request.
    """
    outcomes = []
    for readout in readouts:
        rotated = readout.group.basis.rotate(vectors[readout.states])
        probabilities = (rotated * rotated.conj()).real
        generator = seeds.generator(*key, readout.group.name)
        outcomes.append(_sample(probabilities, readout.shots, generator))
    return ShotData(outcomes=tuple(outcomes))


def _sample(probabilities: NDArray, shots: int | None, generator: np.random.Generator) -> Outcomes:
    if shots is None:
        return Distribution(weights=probabilities, shots=None)
    probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
    num_qubits = num_qubits_of(probabilities.shape[1])
    if num_qubits <= _COUNTS_UP_TO_QUBITS:
        return Distribution(weights=generator.multinomial(shots, probabilities), shots=shots)
    drawn = np.stack([_search(row, shots, generator) for row in probabilities])
    return BitMemory(bits=_to_bytes(drawn, num_qubits), num_qubits=num_qubits)


def _search(probabilities: NDArray, shots: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Sorted search in the cumulative sum: linear in 2^N once, logarithmic for every shot."""
    cumulative = np.cumsum(probabilities)
    return np.searchsorted(cumulative, generator.random(shots) * cumulative[-1], side="right")


def _to_bytes(values: NDArray[np.int64], num_qubits: int) -> NDArray[np.uint8]:
    """Integers to big-endian bytes, shape (..., bytes)."""
    num_bytes = -(-num_qubits // 8)
    full = values.astype(">u8")[..., None].view(np.uint8)
    return np.ascontiguousarray(full[..., 8 - num_bytes :])


class VectorExecutor:
    """Measures states that are known as vectors, in all groups at once.

    As it stands it takes the states of exact solvers, and no circuit is run. Ideal simulators derive from it and say
    how circuits become vectors.

    Args:
        seeds: Root of the random streams.
    """

    def __init__(self, seeds: Seeds) -> None:
        self._seeds = seeds

    def vectors(self, prepared: CircuitStates) -> NDArray[np.complex128]:
        """State vectors of circuits, shape (states, 2^N).

        Raises:
            ConfigError: This executor runs no circuits.
        """
        raise ConfigError("this executor measures exact states and runs no circuits; use AerExecutor or another")

    def submit(self, request: Request) -> Ticket:
        """Nothing happens until `collect`."""
        return Ticket(key=request.key, request=request)

    def collect(self, ticket: Ticket) -> ShotData:
        """Sample every state in its groups, or take exact probabilities."""
        prepared = ticket.request.prepared
        vectors = prepared.vectors if isinstance(prepared, VectorStates) else self.vectors(prepared)
        return sample_vectors(vectors, ticket.request.readouts, self._seeds, ticket.key.words)
