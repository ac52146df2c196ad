"""Eigenstates at complex nudges, on the branch of the free state.

H + beta C with complex beta is not Hermitian: an eigenvalue has a right vector r and a left vector l, and

    A(beta) = <l|A|r> / <l|r>

is the holomorphic continuation of a mean, unlike <r|A|r>. For real symmetric H and C the matrix is symmetric, so l is r
without conjugation. The branch is followed outward from beta = 0, each nudge along its own ray.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigs

from qep_qiskit.core.errors import NudgeError, QepError
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.transforms import walsh_hadamard
from qep_qiskit.preparation.interface import HamiltonianFamily, PreparationResult
from qep_qiskit.preparation.spectra import as_operator, dense_hamiltonians, is_real

_SURE = 0.2  # largest distance to 1 of the overlap that identifies a branch
_SMALLEST_STEP = 2.0**-8
_FEWEST_VECTORS = 24


@runtime_checkable
class ComplexNudging(Protocol):
    """Interface of preparations with means at complex nudges, holomorphic about beta = 0.

    Args:
        singularity_exponent: s, where coefficients of the power series in beta fall as k^-s rho^-k: 1/2 where two
            levels meet, 0 at a pole.
    """

    singularity_exponent: ClassVar[float]

    def complex_means(self, family: HamiltonianFamily, free: PreparationResult, betas: NDArray) -> NDArray:
        """Return means of all terms at complex nudges, shape (samples, nudges, terms).

        Args:
            family: H and C; its nudges are not used.
            free: The free states.
            betas: Shape (nudges,), complex.
        """

    def analytic_radius(self, family: HamiltonianFamily, free: PreparationResult) -> NDArray[np.float64]:
        """Return a radius within which means are holomorphic, shape (samples,); infinite where nothing limits it.

        Args:
            family: H and C; its nudges are not used.
            free: The free states.
        """


def transition_means(groups: Sequence[CommutingGroup], left: NDArray, right: NDArray) -> NDArray:
    """Return <l|P|r> / <l|r> of all terms, shape (terms,).

    Args:
        groups: The commuting groups.
        left: Shape (2^N,), the row vector <l|.
        right: Shape (2^N,), the column vector |r>.
    """
    found = []
    for group in groups:
        products = group.basis.rotate(left.conj()).conj() * group.basis.rotate(right)
        found.append(group.in_frame(walsh_hadamard(products)[..., list(group.masks)]))
    return np.concatenate(found) / (left @ right)


class FollowedBranch:
    """An eigenstate of H + beta C that is followed from beta = 0.

    Args:
        groups: The commuting groups.
        free: Shape (terms,), coefficients of H.
        nudge: Shape (terms,), coefficients of C.
        state: Shape (2^N,), the free state.
        levels: Number of levels among which the branch is identified, or None for all (dense).
        tolerance: Relative tolerance of Arnoldi; zero is machine precision.
    """

    def __init__(
        self,
        groups: Sequence[CommutingGroup],
        free: NDArray,
        nudge: NDArray,
        state: NDArray,
        *,
        levels: int | None,
        tolerance: float = 0.0,
    ) -> None:
        self._groups, self._levels, self._tolerance = groups, levels, tolerance
        self._state, self._is_real = state, is_real(groups)
        if levels is None:
            self._matrices = dense_hamiltonians(groups, np.stack([free, nudge]))
        else:
            self._operators = as_operator(groups, free, complex), as_operator(groups, nudge, complex)

    def means(self, beta: complex) -> NDArray:
        """Return the means of all terms at a nudge, shape (terms,).

        Raises:
            NudgeError: The branch cannot be followed, because an exceptional point lies near.
        """
        left, right = self._state.conj(), self._state.astype(complex)
        reached, step = 0.0, 1.0
        while reached < 1.0:
            target = min(1.0, reached + step)
            lefts, rights = self._vectors(target * beta, right)
            overlaps = (rights.T @ left) * (lefts @ right) / ((left @ right) * np.einsum("kx,xk->k", lefts, rights))
            best = int(np.abs(overlaps - 1.0).argmin())
            if abs(overlaps[best] - 1.0) > _SURE:
                step /= 2.0
                if step < _SMALLEST_STEP:
                    raise NudgeError(
                        f"contrast.radius: the state cannot be followed to the nudge {beta:.3g}, because "
                        f"another level meets it near {abs(target * beta):.3g}; use contrast.radius = "
                        f"{abs(target * beta) / 2.0:.2g}"
                    )
                continue
            left, right, reached = lefts[best], rights[:, best], target
        return transition_means(self._groups, left, right)

    def _vectors(self, beta: complex, near: NDArray) -> tuple[NDArray, NDArray]:
        """Return left vectors in rows and right vectors in columns."""
        if self._levels is None:
            _, rights = np.linalg.eig(self._matrices[0] + beta * self._matrices[1])
            return np.linalg.inv(rights), rights
        levels, rights = self._arnoldi(beta, near)
        if self._is_real:
            return rights.T, rights
        # The adjoint of H + beta C is H + conj(beta) C.
        others, lefts = self._arnoldi(np.conj(beta), near)
        partner = np.abs(levels[:, None] - others.conj()[None, :]).argmin(axis=1)
        return lefts[:, partner].conj().T, rights

    def _arnoldi(self, beta: complex, near: NDArray) -> tuple[NDArray, NDArray]:
        free, nudge = self._operators
        operator = LinearOperator(
            free.shape, matvec=lambda vector: free @ vector + beta * (nudge @ vector), dtype=complex
        )
        assert self._levels is not None
        kept = min(free.shape[0], max(_FEWEST_VECTORS, 3 * self._levels))
        mixture = np.random.default_rng(0).normal(size=len(near)) / np.sqrt(len(near))
        try:
            return eigs(operator, k=self._levels, which="SR", v0=near + 0.1 * mixture, tol=self._tolerance, ncv=kept)
        except RuntimeError as error:
            raise QepError(f"Arnoldi did not converge ({error}); use preparation.solver = 'dense'") from error
