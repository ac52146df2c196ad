"""Readout errors under random readout twirls: every product of Z has an attenuation factor of its own.

Qubits are flipped at random before the readout, and the flips are undone in the bits. Averaged over the flips, the
measured product of Z over a set S has the mean lambda_S <Z_S>, whatever the correlations of the errors: an additive
error changes sign with the flips. Where all qubits are 0 the product is 1, so lambda_S is its measured mean there.

Some shots share their flips: m shots in r randomizations (`in_randomizations`). After r draws the flips are not fully
averaged: for one qubit whose errors differ by o between 0 and 1 an error of o / sqrt(r) remains.
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
    """Calibration of a twirled readout: the distribution of outcomes where all qubits are 0.

    Args:
        strings: Distinct bit strings, shape (distinct, bytes) of uint8, big-endian.
        frequencies: Frequency of each, shape (distinct,); they sum to one.

    Raises:
        ConfigError: The frequencies do not sum to one.
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
        """Attenuation factors lambda of products of Z.

        Args:
            masks: Qubits of each product, bit k for qubit k.

        Raises:
            ConfigError: The readout of a product is independent of the state.
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
        """Arrays to store in a checkpoint."""
        return {"twirled_strings": self.strings, "twirled_frequencies": self.frequencies}


def in_randomizations(shots: int, randomizations: int) -> tuple[int, int]:
    """Return the number of randomizations and the shots of each, for at least the shots wanted.

    Args:
        shots: Smallest number of shots in all.
        randomizations: Largest number of randomizations.
    """
    each = -(-shots // min(randomizations, shots))
    return -(-shots // each), each


def executions_of(shots: int, randomizations: int | None) -> int:
    """Number of executions of a circuit for so many shots; slightly larger where randomizations do not divide them.

    Args:
        shots: Smallest number of shots.
        randomizations: Largest number of randomizations, or None without twirling.
    """
    return shots if randomizations is None or not shots else int(np.prod(in_randomizations(shots, randomizations)))


def probabilities_under_twirling(
    probabilities: NDArray, offsets: NDArray[np.float64], twirls: NDArray[np.bool_] | None
) -> NDArray[np.float64]:
    """Probabilities of the measured bits under readout twirls, for independent errors of qubits.

    A flip of a qubit before the readout and of its bit after it reduces the measured sign by 2 o, with o the qubit's
    offset. In a product of signs the reduction is 2 o times the product of the others.

    Args:
        probabilities: Probabilities without twirls, shape (states, 2^N).
        offsets: Shape (N,), probability of reading 0 where 1 is true, less that of reading 1 where 0 is true.
        twirls: Whether each qubit is flipped, shape (states, randomizations, N), or None for the mean over all flips.
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
    """Undo the flips before the readout in measured bits.

    Args:
        bits: Shape (..., shots, bytes), big-endian.
        twirls: Whether each qubit was flipped, shape (..., N).
    """
    packed = np.packbits(twirls, axis=-1, bitorder="little")[..., ::-1]
    return bits ^ packed[..., None, :]
