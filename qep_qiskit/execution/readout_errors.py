"""Readout errors of qubits: each bit is flipped independently, with probabilities that depend on its value.

With e0 the probability of reading 1 where 0 is true, and e1 that of reading 0 where 1 is true, the sign z that is read
has the mean

    E[z | Z] = o + s Z ,     o = e1 - e0 ,     s = 1 - e0 - e1

so (z - o) / s is an unbiased estimate of Z, whatever the state. Twirled readout (TREX) is the case o = 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.transforms import apply_product, num_qubits_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReadoutErrors:
    """Flip probabilities of every qubit.

    Args:
        flip_probabilities: Shape (2, qubits): probability of reading 1 where 0 is true, and of reading 0 where 1 is
            true.

    Raises:
        ConfigError: Numbers are not probabilities, or a qubit's readout is independent of its state.
    """

    flip_probabilities: NDArray[np.float64]

    def __post_init__(self) -> None:
        if (
            self.flip_probabilities.ndim != 2
            or len(self.flip_probabilities) != 2
            or not ((self.flip_probabilities >= 0) & (self.flip_probabilities <= 1)).all()
        ):
            raise ConfigError(
                f"readout errors: expected probabilities of shape (2, qubits), got "
                f"{np.array2string(self.flip_probabilities)}"
            )
        blind = np.flatnonzero(self.slopes <= 0)
        if blind.size:
            raise ConfigError(
                f"readout errors: qubit {blind[0]} reads 1 no more often where 1 is true than where 0 is "
                f"(flips {self.flip_probabilities[0, blind[0]]:.3g} and "
                f"{self.flip_probabilities[1, blind[0]]:.3g}); use more "
                "execution.mitigation.calibration_shots or another device"
            )

    @classmethod
    def from_calibration(cls, frequencies: NDArray) -> ReadoutErrors:
        """Build from the frequencies of 1 of each qubit, shape (2, qubits): prepared in 0 (first row) and in 1."""
        return cls(flip_probabilities=np.stack([frequencies[0], 1.0 - frequencies[1]]).clip(0.0, 1.0))

    @property
    def num_qubits(self) -> int:
        """Number of qubits."""
        return self.flip_probabilities.shape[1]

    @property
    def offsets(self) -> NDArray[np.float64]:
        """Offset o = e1 - e0 of every qubit, shape (qubits,)."""
        return self.flip_probabilities[1] - self.flip_probabilities[0]

    @property
    def slopes(self) -> NDArray[np.float64]:
        """Slope s = 1 - e0 - e1 of every qubit, shape (qubits,)."""
        return 1.0 - self.flip_probabilities.sum(axis=0)

    @property
    def is_ideal(self) -> bool:
        """Whether all flip probabilities are zero."""
        return not self.flip_probabilities.any()

    def signs(self) -> NDArray[np.float64] | None:
        """Corrected sign (z - o) / s of the bits 0 and 1, shape (2, qubits); None where the readout is ideal."""
        return None if self.is_ideal else (np.array([[1.0], [-1.0]]) - self.offsets) / self.slopes

    def factors(self, masks: Sequence[int]) -> None:
        """None: products of the corrected signs need no further factor."""
        return

    def arrays(self) -> dict[str, NDArray]:
        """Arrays to store in a checkpoint."""
        return {"calibration": self.flip_probabilities}

    def blurred(self, probabilities: NDArray) -> NDArray[np.float64]:
        """Probabilities of the measured bits from the true ones; shape (..., 2^N)."""
        if self.is_ideal:
            return probabilities
        assert num_qubits_of(probabilities.shape[-1]) == self.num_qubits
        return apply_product(probabilities, [np.array([[1 - a, b], [a, 1 - b]]) for a, b in self.flip_probabilities.T])
