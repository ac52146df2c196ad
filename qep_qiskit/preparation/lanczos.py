"""Lanczos with thick restarts, for the lowest levels of several Hamiltonians side by side.

All vectors of a basis are kept orthogonal. A full basis is replaced by its best approximations of the lowest states and
the one residual that they share. Hamiltonians whose levels are found leave the others.

A level is as exact as its residual, and often much better: the error of a level is quadratic in the residual, so a gap
needs not the residual that a state needs. Yet the residual of a state whose level is degenerate is small before its
partner is seen, which comes in by rounding errors alone. So levels of full precision are confirmed: another search
starts from a random vector without the states that were found, and what it finds below the highest of them was missed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import QepError

_MOST_VECTORS = 16
_FINEST = 4.0 * np.finfo(float).eps
_ENDED = 1e-14
_MOST_RESTARTS = 4000
_CONFIRMED = 1e-7  # residual, relative to the norm; the error of a level is quadratic in it
_SAME = 1e-11  # levels, relative to the norm


class Hamiltonians(Protocol):
    """Interface of several Hamiltonians, one per row."""

    def apply(self, vectors: NDArray) -> NDArray:
        """Return H |psi> of every row in a new array, shape (rows, 2^N)."""

    def picked(self, rows: NDArray) -> Hamiltonians:
        """Return some of the Hamiltonians, by a mask of shape (rows,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Without:
    """Hamiltonians whose known states, of shape (rows, levels, 2^N), are lifted by shifts of shape (rows,)."""

    whole: Hamiltonians
    states: NDArray
    shifts: NDArray[np.float64]

    def apply(self, vectors: NDArray) -> NDArray:
        """Return the images of every row in a new array."""
        overlaps = np.matmul(self.states.conj(), vectors[:, :, None])[:, :, 0] * self.shifts[:, None]
        return self.whole.apply(vectors) + np.matmul(overlaps[:, None], self.states)[:, 0]

    def picked(self, rows: NDArray) -> _Without:
        """Return some of the Hamiltonians, by a mask of shape (rows,)."""
        return _Without(whole=self.whole.picked(rows), states=self.states[rows], shifts=self.shifts[rows])


def lowest_levels(
    hamiltonians: Hamiltonians, starts: NDArray, tolerances: NDArray, *, confirmed: bool = False
) -> tuple[NDArray, NDArray]:
    """Return the lowest levels of every Hamiltonian.

    Args:
        hamiltonians: One Hamiltonian for each start.
        starts: Shape (rows, 2^N), initial vectors, complex where a Hamiltonian is.
        tolerances: Shape (levels,), largest residual of every level, relative to the norm of its Hamiltonian; zero is
            machine precision.
        confirmed: Whether to search for further states of degenerate levels, and for levels that were passed over.

    Returns:
        Levels (rows, levels) in ascending order, and states (rows, levels, 2^N).

    Raises:
        QepError: A residual stays above its tolerance.
    """
    levels, states, norms = _converged(hamiltonians, starts, tolerances)
    open_rows = np.full(len(starts), confirmed and len(tolerances) < starts.shape[1])
    # A new vector every time: the next state has no part in the one that gave the last.
    draws = np.random.default_rng(1)
    while open_rows.any():
        mixture = draws.normal(size=(1, starts.shape[1])).astype(starts.dtype)
        own = hamiltonians.picked(open_rows)
        open_rows[open_rows] = _completed(own, mixture, (levels, states, norms), open_rows)
    return levels, states


def _completed(
    hamiltonians: Hamiltonians, mixture: NDArray, known: tuple[NDArray, NDArray, NDArray], rows: NDArray
) -> NDArray[np.bool_]:
    """Search some rows for one more state each, put it in its place, and return where one was missing.

    Args:
        hamiltonians: Those of these rows.
        mixture: Shape (1, 2^N), where the search begins, but for the known states.
        known: Levels (all rows, levels) and states (all rows, levels, 2^N), changed in place, and norms of the
            Hamiltonians (all rows,).
        rows: Mask of the rows, shape (all rows,).
    """
    levels, states, norms = known
    own = norms[rows]
    others = _Without(whole=hamiltonians, states=states[rows], shifts=4.0 * own)
    starts = _outside(others.states, np.repeat(mixture, len(own), axis=0))
    least, near, _ = _converged(others, starts, np.array([_CONFIRMED]))
    missed = least[:, 0] < levels[rows][:, -1] - _SAME * own
    if missed.any():
        fine, found, _ = _converged(others.picked(missed), near[missed, 0], np.zeros(1))
        places = np.flatnonzero(rows)[missed]
        grown = np.concatenate([levels[places], fine], axis=1)
        order = np.argsort(grown, axis=1, kind="stable")[:, :-1]
        both = np.concatenate([states[places], found], axis=1)
        levels[places] = np.take_along_axis(grown, order, axis=1)
        states[places] = np.take_along_axis(both, order[:, :, None], axis=1)
    return missed


def _converged(
    hamiltonians: Hamiltonians, starts: NDArray, tolerances: NDArray
) -> tuple[NDArray, NDArray, NDArray[np.float64]]:
    """Return levels and states as `lowest_levels`, unconfirmed, and norms of the Hamiltonians, shape (rows,)."""
    (rows, size), count = starts.shape, len(tolerances)
    most = min(size, max(_MOST_VECTORS, 3 * count))
    kept, wanted = count + (most - count) // 4, np.maximum(tolerances, _FINEST)
    levels, states = np.empty((rows, count)), np.empty((rows, count, size), dtype=starts.dtype)
    norms = np.empty(rows)
    active, filled = np.arange(rows), 0
    basis, projected = np.empty((rows, most + 1, size), dtype=starts.dtype), np.zeros((rows, most, most))
    basis[:, 0] = starts / _norms(starts)[:, None]
    for _ in range(_MOST_RESTARTS):
        residuals = _extended(hamiltonians, basis, projected, filled)
        values, vectors = np.linalg.eigh(projected)
        shares = residuals[:, None] * vectors[:, -1, :kept]
        size_of = np.abs(values).max(axis=1)
        found = (np.abs(shares[:, :count]) <= wanted * size_of[:, None]).all(axis=1)
        best = np.matmul(vectors[:, :, :kept].swapaxes(1, 2), basis[:, :most])
        levels[active[found]], states[active[found]] = values[found, :count], best[found, :count]
        norms[active[found]] = size_of[found]
        if found.all():
            return levels, states, norms
        if found.any():
            others = ~found
            active, basis, projected = active[others], basis[others], projected[others]
            best, values, shares, hamiltonians = (
                best[others],
                values[others],
                shares[others],
                hamiltonians.picked(others),
            )
        basis[:, :kept], basis[:, kept] = best, basis[:, most]
        _restart(projected, values[:, :kept], shares)
        filled = kept
    raise QepError(
        f"Lanczos did not converge with {_MOST_RESTARTS} restarts; use preparation.solver = 'dense', or a larger "
        "preparation.tolerance"
    )


def _restart(projected: NDArray, values: NDArray, shares: NDArray) -> None:
    """Write what is known of a new basis: its levels, and their couplings to the residual that they share."""
    kept = values.shape[1]
    places = np.arange(kept)
    projected[:] = 0.0
    projected[:, places, places] = values
    projected[:, kept, :kept] = projected[:, :kept, kept] = shares


def _extended(hamiltonians: Hamiltonians, basis: NDArray, projected: NDArray, filled: int) -> NDArray:
    """Extend bases, in place, until they are full.

    Args:
        hamiltonians: The Hamiltonians.
        basis: Shape (rows, vectors + 1, 2^N).
        projected: Shape (rows, vectors, vectors), the Hamiltonians in these bases.
        filled: Index of the last vector of the basis that is there.

    Returns:
        Norm of the last residual of every row; its direction is the last vector of the basis.
    """
    most = projected.shape[1]
    residual = np.zeros(len(basis))
    for last in range(filled, most):
        image, inside = hamiltonians.apply(basis[:, last]), basis[:, : last + 1]
        scale = np.maximum(_norms(image), np.abs(projected).max(axis=(1, 2)))
        projected[:, last, last] = np.vecdot(basis[:, last], image).real
        coupled = inside if last == filled else basis[:, last - 1 : last + 1]  # to no others, but for rounding errors
        image -= np.matmul(projected[:, last, None, last + 1 - coupled.shape[1] : last + 1], coupled)[:, 0]
        residual = _norms(_outside(inside, image))
        ended = residual <= _ENDED * scale
        residual[ended] = 0.0
        if ended.any():
            image[ended] = _random_outside(inside[ended])
        if last + 1 < most:
            projected[:, last, last + 1] = projected[:, last + 1, last] = residual
        np.divide(image, np.where(ended, 1.0, residual)[:, None], out=basis[:, last + 1])
    return residual


def _random_outside(basis: NDArray) -> NDArray:
    """Return a random direction that is orthogonal to all vectors of every basis; zero where they are complete."""
    rows, count, size = basis.shape
    if count == size:
        return np.zeros((rows, size), dtype=basis.dtype)
    found = np.random.default_rng(count).normal(size=(rows, size)).astype(basis.dtype)
    found = _outside(basis, _outside(basis, found))
    return found / _norms(found)[:, None]


def _outside(basis: NDArray, vectors: NDArray) -> NDArray:
    """Make vectors (rows, 2^N) orthogonal to bases (rows, count, 2^N), in place, and return them.

    It is exact to rounding errors of the parts that it takes away, so that large ones need it twice.
    """
    is_complex = vectors.dtype.kind == "c"
    overlaps = np.matmul(basis, (vectors.conj() if is_complex else vectors)[:, :, None])[:, :, 0]
    vectors -= np.matmul((overlaps.conj() if is_complex else overlaps)[:, None], basis)[:, 0]
    return vectors


def _norms(vectors: NDArray) -> NDArray:
    return np.sqrt(np.vecdot(vectors, vectors).real)
