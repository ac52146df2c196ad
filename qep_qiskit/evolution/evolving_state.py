"""Hold a state that evolves as a matrix product, and apply gates to it.

All tensors but one, the centre, are isometries towards it. Schmidt coefficients of a bond are then singular values of
the centre, so the cut of a bond is the best one and what it discards is known. A diagonal gate on distant sites is a
matrix product operator of bond dimension two: one bit runs along the sites. It doubles the bonds on its way, which are
cut again behind it. No sites are swapped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from annotated_types import Ge, Lt
from numpy.typing import NDArray
from scipy.linalg import svd

from qep_qiskit.core.limits import Count, check_limits
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.outcomes.matrix_product import MatrixProductState

_ROUNDING = 1e-30


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class BondLimits:
    """Limits of the bonds of matrix product states.

    Args:
        max_bond_dimension: Largest number of Schmidt coefficients of a bond.
        truncation: Largest weight that one cut of a bond discards, unless the bond dimension demands more.

    Raises:
        ConfigError: A number is out of range.

    Example:
        >>> qep.BondLimits(max_bond_dimension=16)
        BondLimits(max_bond_dimension=16, truncation=1e-10)
    """

    max_bond_dimension: Count = 64
    truncation: Annotated[float, Ge(0), Lt(1)] = 1e-10

    def __post_init__(self) -> None:
        check_limits(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DiagonalGate:
    """A product of diagonal gates, written as a bit that starts at one site and runs to a later one.

    Args:
        first: The site whose bit runs.
        last: The last site.
        phases: By sites behind the first, shape (2, 2): factors for the running bit (row) and the bit of the site.
        adds: Sites behind the first whose bit is added to the running bit, modulo two, after the phases.
    """

    first: int
    last: int
    phases: Mapping[int, NDArray[np.complex128]]
    adds: frozenset[int] = frozenset()


@dataclass(slots=True, kw_only=True, eq=False)
class EvolvingState:
    """A normalised matrix product state in mixed canonical form.

    Args:
        tensors: One for each site, shape (left bond, 2, right bond).
        limits: Limits of the bonds.
        centre: The site whose tensor is no isometry.
        kept: Product of the weights that cuts have kept, to good accuracy the fidelity.
    """

    tensors: list[NDArray[np.complex128]]
    limits: BondLimits
    centre: int = 0
    kept: float = field(default=1.0)

    @classmethod
    def product(cls, amplitudes: NDArray, limits: BondLimits) -> EvolvingState:
        """Return a product state.

        Args:
            amplitudes: Shape (sites, 2), normalised.
            limits: Limits of the bonds.
        """
        tensors = [np.asarray(row, dtype=complex).reshape(1, 2, 1) for row in amplitudes]
        return cls(tensors=tensors, limits=limits)

    def finished(self, order: Sequence[int]) -> MatrixProductState:
        """Return the state, right-canonical.

        Args:
            order: The qubit of every site.
        """
        self._move_centre(0)
        return MatrixProductState(tensors=tuple(self.tensors), order=tuple(order), discarded=max(0.0, 1.0 - self.kept))

    def rotate(self, site: int, matrix: NDArray) -> None:
        """Apply a unitary of shape (2, 2) to a site; diagonal ones may be given by their diagonal, shape (2,)."""
        tensor = self.tensors[site]
        self.tensors[site] = np.matmul(matrix, tensor) if matrix.ndim == 2 else tensor * matrix[:, None]

    def apply(self, gate: DiagonalGate) -> None:
        """Apply a diagonal gate and cut the bonds that it doubles."""
        self._move_centre(gate.first)
        tensor = self.tensors[gate.first]
        doubled = np.zeros((*tensor.shape[:2], 2, tensor.shape[2]), dtype=complex)  # left, site, bit, right
        doubled[:, 0, 0], doubled[:, 1, 1] = tensor[:, 0], tensor[:, 1]
        for site in range(gate.first + 1, gate.last + 1):
            rest = self._make_isometry(doubled.reshape(*doubled.shape[:2], -1))
            doubled = self._with_bit(gate, site, rest)
        self.tensors[gate.last] = doubled.sum(axis=2)
        while self.centre > gate.first:
            self._cut_left()

    def _with_bit(self, gate: DiagonalGate, site: int, rest: NDArray) -> NDArray[np.complex128]:
        """Return the tensor of a site that the bit runs through, shape (left, 2, bit, right).

        Args:
            gate: The gate.
            site: The site.
            rest: Shape (left, bit * bond), what the sites before hand on.
        """
        tensor = self.tensors[site]
        left, bond, right = len(rest), tensor.shape[0], tensor.shape[2]
        found = rest.reshape(2 * left, bond) @ tensor.reshape(bond, 2 * right)
        found = found.reshape(left, 2, 2, right).swapaxes(1, 2)
        if site in gate.phases:
            found = found * gate.phases[site].T[:, :, None]
        if site in gate.adds:
            found = np.stack([found[:, 0], found[:, 1, ::-1]], axis=1)
        return found

    def _move_centre(self, site: int) -> None:
        """Make a site the centre; the state stays the same."""
        while self.centre < site:
            rest = self._make_isometry(self.tensors[self.centre])
            self.tensors[self.centre] = np.tensordot(rest, self.tensors[self.centre], axes=1)
        while self.centre > site:
            left, _, right = self.tensors[self.centre].shape
            isometry, rest = np.linalg.qr(self.tensors[self.centre].reshape(left, 2 * right).conj().T)
            self._hand_left(isometry.conj().T, rest.conj().T)

    def _make_isometry(self, tensor: NDArray) -> NDArray[np.complex128]:
        """Put the isometry of a tensor in place of the centre, which moves on, and return what is left of it."""
        left, _, right = tensor.shape
        isometry, rest = np.linalg.qr(tensor.reshape(2 * left, right))
        self.tensors[self.centre] = isometry.reshape(left, 2, -1)
        self.centre += 1
        return rest

    def _hand_left(self, isometry: NDArray, rest: NDArray) -> None:
        """Put an isometry (bond, 2 * right) in place of the centre, and move the centre to the left with the rest."""
        self.tensors[self.centre] = isometry.reshape(len(isometry), 2, -1)
        self.centre -= 1
        self.tensors[self.centre] = self.tensors[self.centre] @ rest

    def _cut_left(self) -> None:
        """Cut the bond on the left of the centre, and move the centre there."""
        left, _, right = self.tensors[self.centre].shape
        u, s, v = _singular_values(self.tensors[self.centre].reshape(left, 2 * right))
        weights = s**2
        beyond = np.cumsum(weights[::-1])[::-1]  # the weight from each coefficient on
        count = int((beyond > max(self.limits.truncation, _ROUNDING) * beyond[0]).sum())
        count = max(1, min(count, self.limits.max_bond_dimension))
        kept = weights[:count].sum()
        self.kept *= float(kept / beyond[0])
        self._hand_left(v[:count], u[:, :count] * (s[:count] / np.sqrt(kept)))


def _singular_values(matrix: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Return the singular value decomposition; the fast algorithm of LAPACK fails for a few matrices."""
    try:
        return np.linalg.svd(matrix, full_matrices=False)
    except np.linalg.LinAlgError:
        return svd(matrix, full_matrices=False, lapack_driver="gesvd")
