"""Readout errors of qubits under random twirling flips: every product of Z's is read with a factor of its own.

Qubits are flipped at random before they are read, and the bits are flipped back. Averaged over the flips, reading the
product of Z over a set S gives lambda_S <Z_S>, whatever errors of different qubits have to do with each other: what
would add to it changes sign with the flips. Where all qubits are 0 the product is 1, so lambda_S is what is read there.

Flips are shared by some shots: m shots in r randomizations (`in_randomizations`). What the flips have not averaged
out after r draws is left: for one qubit whose errors differ by o between 0 and 1 it is o / sqrt(r).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.transforms import num_qubits_of, walsh_hadamard

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TwirledErrors:
    """What is read under random twirling flips where all qubits are 0.

    Args:
        strings: Shape (distinct, bytes) of uint8, big-endian: the bit strings that came.
        frequencies: Shape (distinct,), how often each came; they sum to one.

    Raises:
        ConfigError: They do not.
    """

    strings: NDArray[np.uint8]
    frequencies: NDArray[np.float64]

    def __post_init__(self) -> None:
        if not (np.all(self.frequencies >= 0.0) and abs(self.frequencies.sum() - 1.0) <= _ROUNDING):
            raise ConfigError(
                f"readout errors: expected frequencies that sum to 1, got {np.array2string(self.frequencies)}"
            )

    def signs(self) -> None:
        """None: bits count +1 and -1."""
        return

    def factors(self, masks: Sequence[int]) -> NDArray[np.float64]:
        """The lambda of every product of Z's.

        Args:
            masks: The qubits of each product.

        Raises:
            ConfigError: A product's reading says nothing of the product.
        """
        size = self.strings.shape[1]
        wanted = np.array([list(mask.to_bytes(size, "big")) for mask in masks], dtype=np.uint8)
        ones = np.bitwise_count(self.strings[:, None] & wanted).sum(axis=2)
        factors = self.frequencies @ np.where(ones & 1, -1.0, 1.0)
        blind = np.flatnonzero(factors <= 0)
        if blind.size:
            qubits = [qubit for qubit in range(8 * size) if masks[blind[0]] >> qubit & 1]
            raise ConfigError(
                f"readout errors: the product of Z on qubits {qubits} reads {factors[blind[0]]:.3g} where it is 1; use "
                "more execution.mitigation.calibration_shots or another device"
            )
        return factors

    def arrays(self) -> dict[str, NDArray]:
        """What a checkpoint keeps."""
        return {"twirled_strings": self.strings, "twirled_frequencies": self.frequencies}


def in_randomizations(shots: int, randomizations: int) -> tuple[int, int]:
    """Randomizations and shots of each, at most so many randomizations and no fewer shots in all than are wanted.

    Args:
        shots: Shots wanted.
        randomizations: Most randomizations.
    """
    each = -(-shots // min(randomizations, shots))
    return -(-shots // each), each


def executions_of(shots: int, randomizations: int | None) -> int:
    """Executions of a circuit that bring so many shots; a few more under flips, where shots do not divide."""
    return shots if randomizations is None or not shots else int(np.prod(in_randomizations(shots, randomizations)))


def probabilities_under_twirling(
    probabilities: NDArray, offsets: NDArray[np.float64], twirls: NDArray[np.bool_] | None
) -> NDArray[np.float64]:
    """Probabilities of what is read under flips, from those without; errors of different qubits are independent.

    A flip of a qubit before the reading and of the bit after it takes 2 o from the sign that is read, o the qubit's
    offset: in products of signs it takes 2 o times the product of the others.

    Args:
        probabilities: Shape (states, 2^N).
        offsets: Shape (N,), probability of reading 0 where 1 is true, less that of reading 1 where 0 is true.
        twirls: Shape (states, randomizations, N), or None for the mean over all flips that there are.
    """
    size = probabilities.shape[1]
    drawn = np.full((1, 1, len(offsets)), 0.5) if twirls is None else twirls
    means = walsh_hadamard(probabilities)
    found = np.empty_like(means)
    for state, row in enumerate(means):
        shares = drawn[state % len(drawn)]
        products = np.repeat(row[None], len(shares), axis=0)
        for qubit, offset in enumerate(offsets):
            pairs = products.reshape(len(shares), -1, 2, 1 << qubit)
            pairs[:, :, 1] -= 2 * offset * shares[:, qubit, None, None] * pairs[:, :, 0]
        found[state] = products.mean(axis=0)
    assert num_qubits_of(size) == len(offsets)
    return np.maximum(walsh_hadamard(found) / size, 0.0)


def untwirled(bits: NDArray[np.uint8], twirls: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Bits with the flips before the reading undone.

    Args:
        bits: Shape (..., shots, bytes), big-endian.
        twirls: Shape (..., N).
    """
    packed = np.packbits(twirls, axis=-1, bitorder="little")[..., ::-1]
    return bits ^ packed[..., None, :]
