"""Open Ising chains as free fermions: an exact reference at a hundred spins and more.

    H = - sum_j J_j Z_j Z_(j+1) - sum_j h_j X_j - b_left Z_0 - b_right Z_(N-1)

An ancilla spin without a field at each end turns the end fields into couplings K = (b_left, J..., b_right)
between N + 2 spins. With the Majorana operators a_j = (prod_(i<j) X_i) Z_j and b_j = -i a_j X_j of Jordan and
Wigner, Z_j Z_(j+1) = i b_j a_(j+1) and X_j = -i b_j a_j, so that

    H = - sum_ij M_ij (i b_i a_j),      M_jj+1 = K_j,  M_jj = -h_j ,

is quadratic (Lieb, Schultz and Mattis, Ann. Phys. 16, 407 (1961); Pfeuty, Ann. Phys. 57, 79 (1970)). The operators
that M couples number N + 1 of each kind, and the product of all i b_j a_(j+1) is Z_left Z_right of the two ancillas:
the sector in which they agree is the chain with the fields as given, and each of its levels belongs to the chain.
A state is fixed by G_ij = <i b_i a_j>, an orthogonal matrix. Its determinant is <Z_left Z_right> and its energy
is - tr(G^T M): the ground state is the rotation nearest to M, found from M = U S V^T as U V^T, where the
direction of the smallest singular value is reversed if that has determinant -1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import DegenerateGroundStateWarning, NetworkError
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.core.warning_log import warn


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChainGroundState:
    """Ground state of an open chain; one matrix gives every mean of a product of Z's or of X's.

    Args:
        contractions: Shape (N+1, N+1). Entry (i, j) is <i b_i a_(j+1)>, sites counted from the left ancilla: Z_j
            Z_(j+1) on the diagonal, -X_j right below it.
        energy: Lowest energy.
        gap: Distance to the nearest other level of the chain; zero where the ground state is degenerate, and its means
            are then arbitrary.

    Example:
        >>> chain = qep.solve_chain(couplings=np.ones(2), fields=np.full(3, 0.5), left=0.5)
        >>> chain.zz.round(3), round(chain.z_product([0, 2]), 3)
        (array([0.894, 0.845]), 0.812)
    """

    contractions: NDArray[np.float64]
    energy: float
    gap: float

    @property
    def num_spins(self) -> int:
        """Number of spins N."""
        return len(self.contractions) - 1

    @property
    def zz(self) -> NDArray[np.float64]:
        """Means <Z_j Z_(j+1)>, shape (N-1,)."""
        return np.diagonal(self.contractions)[1:-1].copy()

    @property
    def x(self) -> NDArray[np.float64]:
        """Means <X_j>, shape (N,)."""
        return -np.diagonal(self.contractions, offset=-1)

    @property
    def z_left(self) -> float:
        """Mean <Z_0>."""
        return float(self.contractions[0, 0])

    @property
    def z_right(self) -> float:
        """Mean <Z_(N-1)>."""
        return float(self.contractions[-1, -1])

    def z_product(self, spins: Sequence[int]) -> float:
        """Return <prod_k Z_k> of distinct spins, by Wick's theorem.

        A pair of spins is the product of all bonds between them; a single remaining spin pairs with the left ancilla.
        """
        sites = sorted(spin + 1 for spin in spins)
        sites = [0, *sites] if len(sites) % 2 else sites
        bonds = [bond for left, right in zip(sites[::2], sites[1::2], strict=True) for bond in range(left, right)]
        return float(np.linalg.det(self.contractions[np.ix_(bonds, bonds)]))

    def x_product(self, spins: Sequence[int]) -> float:
        """Return <prod_k X_k> of distinct spins, by Wick's theorem."""
        columns = np.asarray(spins, dtype=int)
        return float(np.linalg.det(-self.contractions[np.ix_(columns + 1, columns)]))


def solve_chain(couplings: NDArray, fields: NDArray, left: float = 0.0, right: float = 0.0) -> ChainGroundState:
    """Return the exact ground state of an open chain with Z fields on its two ends.

    Args:
        couplings: Shape (N-1,), couplings J of adjacent spins, of any sign, in energy.
        fields: Shape (N,), transverse fields h, of any sign, in energy.
        left: Z field on the first spin, in energy.
        right: Z field on the last spin, in energy. A single spin has the sum of both.

    Raises:
        NetworkError: There is no spin, or not one coupling fewer than spins.

    Example:
        >>> round(qep.solve_chain(couplings=np.ones(99), fields=np.full(100, 0.5)).energy, 3)
        -105.484
    """
    couplings, fields = np.asarray(couplings, dtype=float), np.asarray(fields, dtype=float)
    if fields.ndim != 1 or len(fields) == 0 or couplings.shape != (len(fields) - 1,):
        raise NetworkError(
            "free fermions: expected N fields and N - 1 couplings with N at least 1, "
            f"got shapes {fields.shape} and {couplings.shape}"
        )
    matrix = np.diag(np.concatenate([[left], couplings, [right]])) - np.diag(fields, k=-1)
    rows, sizes, columns = np.linalg.svd(matrix)
    smallest, second = float(sizes[-1]), float(sizes[-2])
    contractions = rows @ columns
    energy, gap = -float(sizes.sum()), 2.0 * (second + smallest)
    if np.linalg.slogdet(contractions)[0] < 0:
        contractions = contractions - 2.0 * np.outer(rows[:, -1], columns[-1])
        energy, gap = energy + 2.0 * smallest, 2.0 * (second - smallest)
    return ChainGroundState(contractions=contractions, energy=energy, gap=gap)


def chain_term_means(groups: Sequence[CommutingGroup], coefficients: NDArray) -> NDArray[np.float64]:
    """Return exact ground-state means of all terms of a Hamiltonian that is such a chain, shape (terms,).

    Args:
        groups: The commuting groups.
        coefficients: Shape (terms,), in energy.

    Returns:
        Shape (terms,).

    Raises:
        NetworkError: A coefficient that is not zero belongs to a term that does not fit, or a term is neither a
            product of Z's nor one of X's.

    Example:
        >>> groups = qep.IsingNetwork(graph=qep.chain(2), outputs=(1,)).groups  # Z0 Z1, Z0, Z1, X0, X1
        >>> qep.chain_term_means(groups, np.array([-1.0, -0.5, 0.0, -0.5, -0.5])).round(3)
        array([0.816, 0.882, 0.816, 0.408, 0.527])
    """
    terms = [string for group in groups for string in group.terms]
    state = solve_chain(*_as_chain(terms, coefficients, groups[0].num_qubits))
    if state.gap < 1e-9 * max(float(np.abs(coefficients).sum()), 1e-300):
        warn(
            DegenerateGroundStateWarning,
            "the ground state is degenerate: its expectations are arbitrary. Break the symmetry: give a Z field on an "
            "end, or transverse fields above zero",
            detail=f"gap {state.gap:.1e}",
        )
    return np.array([_mean(state, string) for string in terms])


def _as_chain(
    terms: Sequence[PauliString], coefficients: NDArray, num_spins: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], float, float]:
    """Return couplings, fields, left and right field of a sum of Pauli strings."""
    indices = {PauliString.of("Z", j, k): j for j, k in pairwise(range(num_spins))}
    indices |= {PauliString.of("X", k): num_spins - 1 + k for k in range(num_spins)}
    indices |= {PauliString.of("Z", num_spins - 1): 2 * num_spins, PauliString.of("Z", 0): 2 * num_spins - 1}
    values = np.zeros(2 * num_spins + 1)
    for string, coefficient in zip(terms, np.asarray(coefficients).tolist(), strict=True):
        if coefficient == 0.0:
            continue
        if string not in indices:
            raise NetworkError(
                f"free fermions: the term {coefficient:.3g} * '{string}' does not fit; only couplings Z Z between "
                f"neighbours, fields X, and Z on the end spins 0 and {num_spins - 1} do"
            )
        values[indices[string]] -= coefficient
    couplings, fields, ends = np.split(values, [num_spins - 1, 2 * num_spins - 1])
    return couplings, fields, float(ends[0]), float(ends[1])


def _mean(state: ChainGroundState, string: PauliString) -> float:
    spins = [spin for spin, _ in string.factors]
    letters = {letter for _, letter in string.factors}
    if letters == {"Z"}:
        return state.z_product(spins)
    if letters == {"X"}:
        return state.x_product(spins)
    raise NetworkError(f"free fermions: no mean of '{string}'; only products of Z's and products of X's have one here")
