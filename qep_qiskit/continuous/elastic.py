"""Potential energies of atoms with their first and second derivatives.

    V(r) = sum of coefficient * term

over terms of positions. The second derivative couples an atom only to those it has springs with, so it is sparse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from qep_qiskit.continuous.coordinate_terms import CoordinateLayout
from qep_qiskit.continuous.coordinates import CoordinateGroup

_NO_LENGTH = 1e-12


@dataclass(frozen=True, eq=False)
class PotentialEnergy:
    """Potential energy V for one row of coefficients, as a function of the coordinates that move.

    Args:
        group: The group of positions.
        coefficients: Shape (terms,), in energy; those of clamped coordinates are their positions.
    """

    group: CoordinateGroup
    coefficients: NDArray[np.float64]

    @classmethod
    def of(cls, groups: Sequence[CoordinateGroup], row: NDArray) -> PotentialEnergy:
        """Return the part of a row of terms that depends on positions.

        Args:
            groups: The groups, that of positions first.
            row: Shape (terms,), coefficients of all groups.
        """
        first = groups[0]
        assert not first.of_momenta
        return cls(first, row[: first.num_terms])

    @property
    def coordinate_layout(self) -> CoordinateLayout:
        """The atoms, and which are clamped."""
        return self.group.coordinate_layout

    @cached_property
    def moving(self) -> NDArray[np.int64]:
        """Coordinates that move, shape (moving,)."""
        return self.coordinate_layout.moving_coordinates

    @cached_property
    def _clamped(self) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Which of the single components are clamped, and their coordinates."""
        _, coordinates = self.group.components
        clamped = np.isin(coordinates, self.coordinate_layout.clamped_coordinates)
        return clamped, coordinates

    def points(self, moving: NDArray) -> NDArray[np.float64]:
        """Return coordinates that move (moving,), completed by the clamped ones, as points (atoms, dims)."""
        flat = np.zeros(self.coordinate_layout.num_atoms * self.coordinate_layout.dims, dtype=moving.dtype)
        clamped, coordinates = self._clamped
        flat[coordinates[clamped]] = self.coefficients[self.group.components[0][clamped]]
        flat[self.moving] = moving
        return flat.reshape(self.coordinate_layout.num_atoms, self.coordinate_layout.dims)

    @cached_property
    def _forceful(self) -> NDArray[np.float64]:
        """Coefficients, with zeros for clamped coordinates, which are no energies."""
        clamped, _ = self._clamped
        counted = self.coefficients.copy()
        counted[self.group.components[0][clamped]] = 0.0
        return counted

    @property
    def scale(self) -> float:
        """The largest absolute coefficient, of springs, forces or a nudge."""
        return float(np.abs(self._forceful).max()) or 1.0

    def value(self, moving: NDArray) -> float:
        """Return V, in energy."""
        return float(self._forceful @ self.group.values(self.points(moving)))

    def gradient(self, moving: NDArray) -> NDArray[np.float64]:
        """Return dV/dr, shape (moving,)."""
        points, coefficients, pairs = self.points(moving), self._forceful, self.group.pairs
        flat = np.zeros(points.size, dtype=np.result_type(points, coefficients))
        where, coordinates = self.group.components
        np.add.at(flat, coordinates, coefficients[where])
        where, one, other = self.group.products
        np.add.at(flat, one, coefficients[where] * points.ravel()[other])
        np.add.at(flat, other, coefficients[where] * points.ravel()[one])
        arms = pairs.vectors(points)
        pull = (coefficients[pairs.where] * self._stretch(arms))[:, None] * arms
        by_atom, joined = flat.reshape(points.shape), pairs.second >= 0
        np.add.at(by_atom, pairs.first, pull)
        np.subtract.at(by_atom, pairs.second[joined], pull[joined])
        return flat[self.moving]

    def _stretch(self, arms: NDArray) -> NDArray[np.float64]:
        """Return the derivative of terms divided by the distance vector: 2 for squares, 1 / length for distances."""
        lengths = np.maximum(np.sqrt(np.square(arms).sum(axis=1)), _NO_LENGTH)
        return np.where(self.group.pairs.is_root, 1.0 / lengths, 2.0)

    def dense_hessian(self, moving: NDArray) -> NDArray[np.float64]:
        """Return the second derivatives as a dense matrix, shape (moving, moving)."""
        return self.hessian(moving).toarray()

    def hessian(self, moving: NDArray) -> scipy.sparse.csr_array:
        """Return the second derivatives as a sparse matrix, shape (moving, moving)."""
        points, coefficients, pairs = self.points(moving), self._forceful, self.group.pairs
        dims, arms = self.coordinate_layout.dims, pairs.vectors(points)
        stretch, strength = self._stretch(arms), coefficients[pairs.where]
        bend = np.where(pairs.is_root, stretch**3, 0.0)
        blocks = stretch[:, None, None] * np.eye(dims) - bend[:, None, None] * arms[:, :, None] * arms[:, None, :]
        blocks *= strength[:, None, None]
        joined = pairs.second >= 0
        entries = [(pairs.first, pairs.first, blocks)]
        first, second, between = pairs.first[joined], pairs.second[joined], blocks[joined]
        entries += [(second, second, between), (first, second, -between), (second, first, -between)]
        axes = np.arange(dims)
        rows = [np.broadcast_to((i[:, None] * dims + axes)[:, :, None], b.shape).ravel() for i, _, b in entries]
        columns = [np.broadcast_to((j[:, None] * dims + axes)[:, None, :], b.shape).ravel() for _, j, b in entries]
        where, one, other = self.group.products
        values = [block.ravel() for *_, block in entries] + [coefficients[where]] * 2
        whole = scipy.sparse.coo_array(
            (np.concatenate(values), (np.concatenate([*rows, one, other]), np.concatenate([*columns, other, one]))),
            shape=(points.size, points.size),
        ).tocsr()
        return whole[self.moving][:, self.moving]
