"""Exact eigenstates: dense for small systems, matrix-free Lanczos beyond.

The Hamiltonian is never written as a sparse matrix: a commuting group is a diagonal in its own basis, so
H |psi> is rotate, multiply, rotate back, for every group.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh, minres

from qep_qiskit.errors import ConfigError, DegenerateGroundStateWarning, QepError
from qep_qiskit.measurement import Measuring
from qep_qiskit.memory import require_memory
from qep_qiskit.operators import CommutingGroup
from qep_qiskit.prepared import VectorStates

__all__ = ["ExactPreparation", "apply_hamiltonian", "dense_hamiltonians", "linear_response", "term_expectations"]

_DENSE_UP_TO_QUBITS = 7
_DENSE_AMPLITUDES_PER_CALL = 1 << 22
_TOO_SMALL_FOR_LANCZOS = 2
_LANCZOS_VECTORS = 24
_MIXED_IN = 0.1


def split_terms(groups: Sequence[CommutingGroup], per_term: NDArray) -> list[NDArray]:
    """Cut an array with terms on its last axis into one array per group."""
    ends = np.cumsum([group.num_generators for group in groups])
    return np.split(per_term, ends[:-1], axis=-1)


def _is_real(groups: Sequence[CommutingGroup]) -> bool:
    return all(group.basis.is_real for group in groups)


def dense_hamiltonians(groups: Sequence[CommutingGroup], coefficients: NDArray) -> NDArray:
    """Matrices of H, shape (states, 2^N, 2^N), real where no group contains Y."""
    size = 1 << groups[0].num_qubits
    identity = np.eye(size, dtype=float if _is_real(groups) else complex)
    total = np.zeros((len(coefficients), size, size), dtype=identity.dtype)
    for group, block in zip(groups, split_terms(groups, coefficients), strict=True):
        columns = group.basis.rotate(identity).T
        total += np.matmul(columns.conj().T, group.diagonal(block)[:, :, None] * columns)
    return total


def _diagonals(groups: Sequence[CommutingGroup], coefficients: NDArray) -> list[NDArray]:
    blocks = split_terms(groups, coefficients)
    return [group.diagonal(block) for group, block in zip(groups, blocks, strict=True)]


def _apply(groups: Sequence[CommutingGroup], diagonals: Sequence[NDArray], vector: NDArray) -> NDArray:
    image = np.zeros_like(vector)
    for group, diagonal in zip(groups, diagonals, strict=True):
        image = image + group.basis.rotate_back(diagonal * group.basis.rotate(vector))
    return image


def apply_hamiltonian(groups: Sequence[CommutingGroup], coefficients: NDArray, vector: NDArray) -> NDArray:
    """H |psi> without a matrix: coefficients (terms,), vector (2^N,)."""
    return _apply(groups, _diagonals(groups, coefficients), vector)


def term_expectations(groups: Sequence[CommutingGroup], vectors: NDArray) -> NDArray:
    """Exact means of all terms, shape (states, terms)."""
    return np.concatenate([group.expectations(vectors) for group in groups], axis=-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactPreparation:
    """Eigenstates by diagonalisation.

    Args:
        solver: ``"dense"``, ``"lanczos"`` (from 3 qubits on), or ``"auto"``: dense up to 7 qubits.
        tolerance: Relative tolerance of Lanczos; zero is machine precision.

    Raises:
        ConfigError: The tolerance is negative.
    """

    solver: Literal["auto", "dense", "lanczos"] = "auto"
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        if self.tolerance < 0:
            raise ConfigError(f"preparation.tolerance: expected zero or more, got {self.tolerance}")

    def prepare(self, groups: Sequence[CommutingGroup], coefficients: NDArray) -> Measuring[VectorStates]:
        """Ground states of all rows; asks for no measurements."""
        yield from ()
        return self.solve(groups, coefficients)

    def solve(self, groups: Sequence[CommutingGroup], coefficients: NDArray) -> VectorStates:
        """Ground states, energies and gaps.

        Args:
            groups: The commuting groups.
            coefficients: Shape (states, terms).

        Raises:
            ResourceError: The states do not fit in memory.
            QepError: Lanczos does not converge.
        """
        num_qubits = groups[0].num_qubits
        dense_up_to = {"dense": num_qubits, "auto": _DENSE_UP_TO_QUBITS, "lanczos": _TOO_SMALL_FOR_LANCZOS}
        dense = num_qubits <= dense_up_to[self.solver]
        states = _solve_dense(groups, coefficients) if dense else _solve_lanczos(groups, coefficients, self.tolerance)
        _warn_if_degenerate(states, coefficients)
        return states


def _solve_dense(groups: Sequence[CommutingGroup], coefficients: NDArray) -> VectorStates:
    num_qubits = groups[0].num_qubits
    require_memory(num_qubits, 4 * 16, "dense diagonalisation", bits_per_qubit=2)
    per_call = max(1, _DENSE_AMPLITUDES_PER_CALL >> (2 * num_qubits))
    parts = []
    for start in range(0, len(coefficients), per_call):
        levels, vectors = np.linalg.eigh(dense_hamiltonians(groups, coefficients[start : start + per_call]))
        parts.append((vectors[:, :, 0], levels[:, 0], levels[:, 1] - levels[:, 0]))
    vectors, energies, gaps = (np.concatenate(column) for column in zip(*parts, strict=True))
    return VectorStates(vectors=vectors, energies=energies, gaps=gaps)


def _solve_lanczos(groups: Sequence[CommutingGroup], coefficients: NDArray, tolerance: float) -> VectorStates:
    require_memory(groups[0].num_qubits, 16 * (_LANCZOS_VECTORS + len(coefficients)), "Lanczos")
    solved = list(_lanczos_rows(groups, coefficients, tolerance))
    vectors, energies, gaps = (np.array(column) for column in zip(*solved, strict=True))
    return VectorStates(vectors=vectors, energies=energies, gaps=gaps)


def _lanczos_rows(
    groups: Sequence[CommutingGroup], coefficients: NDArray, tolerance: float
) -> Iterator[tuple[NDArray, float, float]]:
    """Row after row; each starts from the last one's state, which is a neighbour of it.

    Something of every symmetry sector is mixed into the start: Lanczos never leaves the sector it starts in, and
    the lowest excited state may lie in another one.
    """
    size = 1 << groups[0].num_qubits
    dtype = float if _is_real(groups) else complex
    mixture = np.random.default_rng(0).normal(size=size) / np.sqrt(size)
    start = (mixture + 1.0 / np.sqrt(size)).astype(dtype)
    for row in coefficients:
        diagonals = _diagonals(groups, row)
        operator = LinearOperator(
            (size, size),
            matvec=lambda v, d=diagonals: _apply(groups, d, v.reshape(-1)),
            dtype=dtype,
        )
        try:
            levels, vectors = eigsh(operator, k=2, which="SA", v0=start, tol=tolerance, ncv=min(size, _LANCZOS_VECTORS))
        except RuntimeError as error:
            raise QepError(f"Lanczos did not converge ({error}); use preparation.solver = 'dense'") from error
        order = np.argsort(levels)
        ground = vectors[:, order[0]]
        start = ground + _MIXED_IN * mixture
        yield ground, float(levels[order[0]]), float(levels[order[1]] - levels[order[0]])


def _warn_if_degenerate(states: VectorStates, coefficients: NDArray) -> None:
    scale = np.maximum(np.abs(coefficients).sum(axis=1), 1e-300)
    if np.any(states.gaps < 1e-9 * scale):
        worst = float(states.gaps.min())
        warnings.warn(
            f"the ground state is degenerate (gap {worst:.1e}); its expectations are arbitrary. "
            "Break the symmetry: give biases, inputs, or transverse fields above zero",
            DegenerateGroundStateWarning,
            stacklevel=2,
        )


def linear_response(
    groups: Sequence[CommutingGroup], coefficients: NDArray, nudges: NDArray, *, tolerance: float = 1e-12
) -> NDArray:
    """Exact d<P_t>/dbeta at beta = 0 of every term, by one linear solve per state.

    With (H - E) phi = -(C - <C>) psi and phi orthogonal to psi, d<P>/dbeta = 2 Re <phi|P|psi>. By reciprocity
    the same numbers are the derivatives of <C> by the coefficient of P.

    Args:
        groups: The commuting groups.
        coefficients: Shape (states, terms), of H.
        nudges: Shape (states, terms), of C.
        tolerance: Relative residual of the solve.

    Returns:
        Shape (states, terms).
    """
    states = ExactPreparation().solve(groups, coefficients)
    rows = zip(coefficients, nudges, states.vectors, states.energies, strict=True)
    return np.array([_response(groups, c, nudge, psi, energy, tolerance) for c, nudge, psi, energy in rows])


def _solve_symmetric(apply: Callable[[NDArray], NDArray], right: NDArray, tolerance: float) -> NDArray:
    """Solve a Hermitian system by MINRES, which knows real symmetric ones: complex vectors are doubled."""
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
        raise QepError("linear response: the solver did not converge; the ground state is nearly degenerate")
    return solution if target is right else solution[:size] + 1j * solution[size:]


def _response(
    groups: Sequence[CommutingGroup],
    coefficients: NDArray,
    nudge: NDArray,
    psi: NDArray,
    energy: float,
    tolerance: float,
) -> NDArray:
    diagonals = _diagonals(groups, coefficients)
    psi = psi if _is_real(groups) else psi.astype(complex)
    pushed = apply_hamiltonian(groups, nudge, psi)
    right = -(pushed - np.vdot(psi, pushed) * psi)

    def shifted(vector: NDArray) -> NDArray:
        inside = vector - np.vdot(psi, vector) * psi
        image = _apply(groups, diagonals, inside) - energy * inside
        return image - np.vdot(psi, image) * psi

    phi = _solve_symmetric(shifted, right, tolerance)
    phi = phi - np.vdot(psi, phi) * psi
    # <P> of psi + phi minus that of psi - phi is 4 Re <phi|P|psi>.
    both = term_expectations(groups, np.stack([psi + phi, psi - phi]))
    return (both[0] - both[1]) / 2.0
