"""Response of equilibria to a small nudge: exact derivatives at beta = 0 by one linear solve per state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, minres

from qep_qiskit.core.components import Component
from qep_qiskit.core.errors import QepError
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.preparation.components import by_parts
from qep_qiskit.preparation.exact import ExactPreparation
from qep_qiskit.preparation.matrix_free import MatrixFree
from qep_qiskit.preparation.spectra import is_real, term_expectations


@runtime_checkable
class Responding(Protocol):
    """Interface of preparations with exact term means, and their exact derivatives with respect to the nudge."""

    def term_means(self, groups: Sequence[Any], coefficients: NDArray) -> NDArray[np.float64]:
        """Return means of all terms, shape (states, terms).

        Args:
            groups: The groups of the Hamiltonians.
            coefficients: Shape (states, terms).
        """

    def response(self, groups: Sequence[Any], free: NDArray, nudge: NDArray) -> NDArray[np.float64]:
        """Return d(means)/d(beta) at beta = 0, shape (states, terms).

        Args:
            groups: The groups of the Hamiltonians.
            free: Shape (states, terms), coefficients of H.
            nudge: Shape (states, terms), coefficients of C.
        """


def linear_response(
    groups: Sequence[CommutingGroup],
    coefficients: NDArray,
    nudges: NDArray,
    *,
    level: int = 0,
    tolerance: float = 1e-12,
) -> NDArray:
    """Return exact d<P_t>/dbeta at beta = 0 of every term, by one linear solve per state.

    With (H - E) phi = -(C - <C>) psi and phi orthogonal to psi, d<P>/dbeta = 2 Re <phi|P|psi>. By reciprocity these are
    also the derivatives of <C> with respect to the coefficient of P.

    Args:
        groups: The commuting groups.
        coefficients: Shape (states, terms), of H.
        nudges: Shape (states, terms), of C.
        level: Index of the eigenstate, 0 for the ground state.
        tolerance: Relative residual of the solve.

    Returns:
        Shape (states, terms).
    """
    solver = ExactPreparation(level=level)
    if solver.splits(groups):

        def of_part(part: Component) -> NDArray:
            own = coefficients[:, part.terms], nudges[:, part.terms]
            return linear_response(part.groups, *own, tolerance=tolerance)

        return by_parts(groups, (len(coefficients),), of_part)
    states = solver.solve(groups, coefficients)
    rows = zip(coefficients, nudges, states.vectors, states.energies, strict=True)
    return np.array([_response(groups, c, nudge, psi, energy, tolerance) for c, nudge, psi, energy in rows])


def _solve_symmetric(apply: Callable[[NDArray], NDArray], right: NDArray, tolerance: float) -> NDArray:
    """Solve a Hermitian system by MINRES, which supports real symmetric ones only: complex vectors are doubled."""
    size = right.size
    if not np.iscomplexobj(right):
        matvec, target = apply, right
    else:

        def matvec(pair: NDArray) -> NDArray:
            image = apply(pair[:size] + 1j * pair[size:])
            return np.concatenate([image.real, image.imag])

        target = np.concatenate([right.real, right.imag])
    operator = LinearOperator((target.size, target.size), matvec=matvec, dtype=float)
    solution, failed = minres(operator, target, rtol=tolerance, maxiter=20 * target.size)
    if failed:
        raise QepError("linear response: the solver did not converge; the state is nearly degenerate")
    return solution if target is right else solution[:size] + 1j * solution[size:]


def _response(
    groups: Sequence[CommutingGroup],
    coefficients: NDArray,
    nudge: NDArray,
    psi: NDArray,
    energy: float,
    tolerance: float,
) -> NDArray:
    hamiltonian = MatrixFree.of(groups, coefficients[None])
    psi = psi if is_real(groups) else psi.astype(complex)
    pushed = MatrixFree.of(groups, nudge[None]).apply(psi[None])[0]
    right = -(pushed - np.vdot(psi, pushed) * psi)

    def shifted(vector: NDArray) -> NDArray:
        inside = vector - np.vdot(psi, vector) * psi
        image = hamiltonian.apply(inside[None])[0] - energy * inside
        return image - np.vdot(psi, image) * psi

    phi = _solve_symmetric(shifted, right, tolerance)
    phi = phi - np.vdot(psi, phi) * psi
    # <P> of psi + phi minus that of psi - phi is 4 Re <phi|P|psi>.
    both = term_expectations(groups, np.stack([psi + phi, psi - phi]))
    return (both[0] - both[1]) / 2.0
