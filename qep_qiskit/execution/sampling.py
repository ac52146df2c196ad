"""Shots from states that are known: vectors, where one evolution serves every commuting group, mixtures, and spins."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.errors import ConfigError
from qep_qiskit.execution.gate import require_probabilities, require_shape, with_calibration
from qep_qiskit.execution.interface import (
    BitMemory,
    Distribution,
    Outcomes,
    Readout,
    Request,
    ShotData,
    Ticket,
)
from qep_qiskit.prepared import (
    CalibrationStates,
    CircuitStates,
    KnownStates,
    MixedStates,
    SpinEnsembles,
    SpinStates,
    VectorStates,
    on_qubits,
    outcome_probabilities,
    require_classical,
)
from qep_qiskit.seeds import Seeds
from qep_qiskit.transforms import num_qubits_of

__all__ = ["VectorExecutor", "draw", "sample_known", "sample_vectors"]

_COUNTS_UP_TO_QUBITS = 13
_AMPLITUDES_PER_PART = 1 << 16


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
    size = vectors.shape[1]
    return ShotData(
        outcomes=tuple(
            draw(partial(_probabilities, vectors, readout), size, readout, seeds.generator(*key, *readout.words))
            for readout in readouts
        )
    )


def draw(
    probabilities_of: Callable[[slice], NDArray],
    size: int,
    readout: Readout,
    generator: np.random.Generator,
    where: str = "simulation",
) -> Outcomes:
    """Outcomes of one readout, drawn from few states at a time: no copy of a large batch is made.

    Args:
        probabilities_of: Probabilities of all outcomes for some of the measured states, shape (some, size); a fresh
            array, which is worked in.
        size: Number of outcomes, 2^N.
        readout: What to measure.
        generator: The stream of this readout.
        where: Where the probabilities come from.

    Raises:
        ResultError: They are none.
    """
    num_qubits, shots, per_part = num_qubits_of(size), readout.shots, max(1, _AMPLITUDES_PER_PART // size)
    drawn: list[NDArray] = []
    for start in range(0, len(readout.states), per_part):
        probabilities = probabilities_of(slice(start, start + per_part))
        require_probabilities(probabilities, f"{where}: circuit '{readout.group.name}'", first=start)
        np.maximum(probabilities, 0.0, out=probabilities)
        if shots is None:
            drawn.append(probabilities)
        elif num_qubits <= _COUNTS_UP_TO_QUBITS:
            probabilities /= probabilities.sum(axis=1, keepdims=True)
            drawn.append(generator.multinomial(shots, probabilities))
        else:
            drawn += [_search(row, shots, generator)[None] for row in probabilities]
    if shots is None or num_qubits <= _COUNTS_UP_TO_QUBITS:
        weights = np.concatenate(drawn) if drawn else np.zeros((0, size))
        return Distribution(weights=weights, shots=shots)
    return BitMemory(bits=_to_bytes(np.concatenate(drawn), num_qubits), num_qubits=num_qubits)


def _probabilities(vectors: NDArray, readout: Readout, part: slice) -> NDArray[np.float64]:
    """Probabilities of the outcomes of some of the measured states, shape (states, 2^N)."""
    chosen = readout.states[part]
    return outcome_probabilities(vectors[chosen[0]][None] if len(chosen) == 1 else vectors[chosen], readout.group)


def sample_known(
    states: KnownStates, readouts: tuple[Readout, ...], seeds: Seeds, key: tuple[str | int, ...]
) -> ShotData:
    """Measure states that are known in every readout's group, from streams as `sample_vectors` has them.

    Raises:
        ConfigError: Classical spins are to be measured in another basis than their own.
    """
    if isinstance(states, VectorStates):
        return sample_vectors(states.vectors, readouts, seeds, key)
    if isinstance(states, SpinStates):
        return ShotData(outcomes=tuple(_certain(states, readout) for readout in readouts))
    size = 1 << states.num_qubits
    outcomes = []
    for readout in readouts:
        generator = seeds.generator(*key, *readout.words)
        outcomes.append(draw(partial(_of_mixture, states, readout), size, readout, generator))
    return ShotData(outcomes=tuple(outcomes))


def _of_mixture(states: MixedStates | SpinEnsembles, readout: Readout, part: slice) -> NDArray[np.float64]:
    return states.probabilities(readout.group, readout.states[part])


def _certain(states: SpinStates, readout: Readout) -> BitMemory:
    """Spin k is bit k, and bytes are big-endian."""
    require_classical(readout.group)
    down = states.spins[readout.states] < 0
    bits = np.packbits(down, axis=1, bitorder="little")[:, ::-1]
    return BitMemory(bits=np.ascontiguousarray(bits)[:, None], num_qubits=states.num_qubits, certain=True)


def _search(probabilities: NDArray, shots: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Sorted search in the cumulative sum, which replaces them: linear in 2^N once, logarithmic for every shot."""
    cumulative = np.cumsum(probabilities, out=probabilities)
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
        """Sample every state in its groups, or take exact probabilities. An ideal reading is the same under flips."""
        prepared = on_qubits(ticket.request.prepared)
        if not isinstance(prepared, CircuitStates | CalibrationStates):
            return sample_known(prepared, ticket.request.readouts, self._seeds, ticket.key.words)
        vectors = self.vectors(prepared) if isinstance(prepared, CircuitStates) else prepared.vectors
        require_shape(vectors, (prepared.num_states, 1 << prepared.num_qubits), f"{type(self).__name__}: state vectors")
        data = sample_vectors(vectors, ticket.request.readouts, self._seeds, ticket.key.words)
        return with_calibration(self, ticket.request, data)
