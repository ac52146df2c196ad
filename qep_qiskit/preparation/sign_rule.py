"""Signs of the amplitudes of a ground state: when all of them are positive after flips of the axes of some spins.

Where no off-diagonal element of H in the Z basis is positive, the ground state has no negative amplitude (Perron and
Frobenius); such an H is called stoquastic. A rotation of a spin by pi about Z turns its X and Y into -X and -Y, so
fields along X may have either sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.pauli_strings import PauliString

_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class RealStrings:
    """Real Pauli strings as flips and signs: <s|P|s'> = factor prod_{k in signs} s_k, s' = s with some spins flipped.

    Args:
        signs: Shape (terms, N), whether the letter is Z or Y.
        flips: Shape (flips, N), different sets of flipped spins.
        flip: Shape (terms,), index of the flipped spins of every term.
        factors: Shape (terms,), +1 or -1.
    """

    signs: NDArray[np.bool_]
    flips: NDArray[np.bool_]
    flip: NDArray[np.int64]
    factors: NDArray[np.float64]

    @classmethod
    def of(cls, groups: Sequence[CommutingGroup]) -> RealStrings:
        """Return the strings of all terms.

        Raises:
            ConfigError: A term is no Pauli string, or has an odd number of Y, so that it is imaginary.
        """
        terms = [term for group in groups for term in group.terms]
        for term in terms:
            if not isinstance(term, PauliString) or any(letter == "P" for _, letter in term.factors):
                raise ConfigError(f"kind: 'neural' states are those of spins, and '{term}' is no Pauli string")
            if sum(letter == "Y" for _, letter in term.factors) % 2:
                raise ConfigError(
                    f"kind: 'neural' wave functions are real, and '{term}' has an odd number of Y; use "
                    "preparation.kind = 'exact'"
                )
        shape = len(terms), groups[0].num_qubits
        flips, signs, turns = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool), np.zeros(len(terms))
        for row, term in enumerate(terms):
            for qubit, letter in term.factors:
                flips[row, qubit], signs[row, qubit] = letter != "Z", letter != "X"
                turns[row] += letter == "Y"
        different, flip = np.unique(flips, axis=0, return_inverse=True)
        return cls(signs, different, flip.ravel(), np.where(turns % 4 == 2, -1.0, 1.0))

    def turned(self, rotation: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the signs of the terms after a rotation of some spins by pi about Z, shape (terms,).

        Args:
            rotation: Shape (N,), the spins.
        """
        odd = (self.flips[self.flip] & rotation).sum(axis=1) % 2
        return 1.0 - 2.0 * odd

    def rotation(self, coefficients: NDArray, where: str) -> NDArray[np.bool_]:
        """Return the spins to rotate by pi about Z so that no off-diagonal element is positive, shape (N,).

        Args:
            coefficients: Shape (terms,).
            where: What they belong to, for the message.

        Raises:
            ConfigError: There are none, or an element takes both signs.
        """
        largest, equations = np.abs(coefficients).max(initial=0.0), []
        for index in np.flatnonzero(self.flips.any(axis=1)):
            own = self.flip == index
            plain = own & ~self.signs.any(axis=1)
            element, varying = coefficients[plain].sum(), np.abs(coefficients[own & ~plain]).sum()
            if varying > abs(element) + _ROUNDING * largest:
                spins = " ".join(f"X{spin}" for spin in np.flatnonzero(self.flips[index]))
                raise ConfigError(
                    f"kind: 'neural' wave functions are positive, and the element of H {where} that flips {spins} "
                    "takes both signs; use terms of Z alone or of X alone, or preparation.kind = 'exact'"
                )
            if element != 0.0:
                equations.append((_mask(self.flips[index]), int(element > 0.0)))
        solution = _with_parities(equations)
        if solution is None:
            raise ConfigError(
                f"kind: 'neural' wave functions are positive, and no signs of X make all off-diagonal elements of H "
                f"{where} negative; use other signs of products of X, or preparation.kind = 'exact'"
            )
        return np.array([solution >> spin & 1 for spin in range(self.flips.shape[1])], dtype=bool)


def _mask(spins: NDArray[np.bool_]) -> int:
    return sum(1 << int(spin) for spin in np.flatnonzero(spins))


def _with_parities(equations: Sequence[tuple[int, int]]) -> int | None:
    """Return a bit mask that overlaps every mask with its parity, or None where there is none."""
    rows: dict[int, tuple[int, int]] = {}
    for mask, parity in equations:
        while mask and mask.bit_length() in rows:
            other, own = rows[mask.bit_length()]
            mask, parity = mask ^ other, parity ^ own
        if mask:
            rows[mask.bit_length()] = mask, parity
        elif parity:
            return None
    solution = 0
    for highest in sorted(rows):
        mask, parity = rows[highest]
        if (mask & solution).bit_count() % 2 != parity:
            solution |= 1 << (highest - 1)
    return solution
