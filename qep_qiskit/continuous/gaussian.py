"""Quadratic energies of atoms, and their exact quantum ground states.

    H = sum p_i^2 / (2 m_i) + r.K r / 2 - f.r        over the coordinates that move

The ground state is Gaussian: mean K^-1 f, covariance (hbar/2) M^-1/2 (M^-1/2 K M^-1/2)^-1/2 M^-1/2 of positions, and
(hbar/2) M^1/2 (M^-1/2 K M^-1/2)^1/2 M^1/2 of momenta. Everything follows from the *normal modes*: columns s_k with
K s_k = w_k^2 M s_k and s_k.M s_k = 1. Inputs and targets act through forces, so few stiffness matrices serve a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.continuous.coordinate_terms import CoordinateLayout
from qep_qiskit.continuous.coordinates import CoordinateGroup
from qep_qiskit.continuous.states import PointStates
from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.groups import blocks_of

_WORDS_PER_PART = 1024
_SOFT = 1e-13


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QuadraticEnergies:
    """Energies that are quadratic in the coordinates that move, for many rows of coefficients.

    Args:
        stiffness: Shape (distinct, moving, moving), the distinct matrices K.
        masses: Shape (distinct, moving), the masses that belong to them; NaN without a kinetic energy.
        which: Shape (rows,), index of the matrix K of every row.
        forces: Shape (rows, moving), the forces f.
        clamped: Shape (rows, clamped), positions of the clamped coordinates.
    """

    stiffness: NDArray[np.float64]
    masses: NDArray[np.float64]
    which: NDArray[np.int64]
    forces: NDArray[np.float64]
    clamped: NDArray[np.float64]

    def points(self, coordinate_layout: CoordinateLayout, moving: NDArray) -> NDArray[np.float64]:
        """Return coordinates that move, completed by the clamped ones, as points (rows, atoms, dims).

        Args:
            coordinate_layout: The atoms, and which are clamped.
            moving: Shape (rows, moving), coordinates that move.
        """
        flat = np.empty((len(self.clamped), coordinate_layout.num_atoms * coordinate_layout.dims))
        flat[:, coordinate_layout.moving_coordinates] = moving
        flat[:, coordinate_layout.clamped_coordinates] = self.clamped
        return flat.reshape(len(flat), coordinate_layout.num_atoms, coordinate_layout.dims)


def quadratic_energies(groups: Sequence[CoordinateGroup], rows: NDArray) -> QuadraticEnergies:
    """Return stiffness, masses and forces of rows of coefficients.

    Args:
        groups: Groups of positions, and of momenta where there is a kinetic energy.
        rows: Shape (rows, terms).

    Raises:
        NetworkError: A distance has a coefficient: springs with rest lengths are not quadratic.
    """
    coordinate_layout = groups[0].coordinate_layout
    moving, clamped = coordinate_layout.moving_coordinates, coordinate_layout.clamped_coordinates
    curved = np.concatenate([_is_curved(group) for group in groups])
    distinct, first, which = np.unique(rows[:, curved], axis=0, return_index=True, return_inverse=True)
    linear = _linear_part(groups, rows)
    forces, clamped_forces = -linear[:, moving], linear[:, clamped]
    stiffness = np.empty((len(distinct), len(moving), len(moving)))
    masses = np.empty((len(distinct), len(moving)))
    for number, row in enumerate(rows[first]):
        whole, pull, heavy = _matrices(groups, row)
        mine = which.ravel() == number
        stiffness[number], masses[number] = whole[np.ix_(moving, moving)], heavy[moving]
        forces[mine] += pull[moving] - clamped_forces[mine] @ whole[np.ix_(clamped, moving)]
    return QuadraticEnergies(
        stiffness=stiffness, masses=masses, which=which.ravel(), forces=forces, clamped=clamped_forces
    )


def _is_curved(group: CoordinateGroup) -> NDArray[np.bool_]:
    """Whether each term has a second derivative."""
    curved = np.ones(group.num_terms, dtype=bool)
    curved[group.components[0]] = False
    return curved


def _linear_part(groups: Sequence[CoordinateGroup], rows: NDArray) -> NDArray[np.float64]:
    """Return the coefficients of the single components, shape (rows, coordinates)."""
    coordinate_layout = groups[0].coordinate_layout
    total = np.zeros((len(rows), coordinate_layout.num_atoms * coordinate_layout.dims))
    for group, part in blocks_of(groups, rows):
        where, coordinates = group.components
        total[:, coordinates] += part[:, where]
    return total


def _matrices(groups: Sequence[CoordinateGroup], row: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Return K, the forces of squares about fixed points, and masses, over all coordinates."""
    coordinate_layout = groups[0].coordinate_layout
    size = coordinate_layout.num_atoms * coordinate_layout.dims
    stiffness, forces, masses = np.zeros((size, size)), np.zeros(size), np.full(size, np.nan)
    for group, part in blocks_of(groups, row):
        _add_squares(group, part, stiffness, forces)
        where, one, other = group.products
        np.add.at(stiffness, (one, other), part[where])
        np.add.at(stiffness, (other, one), part[where])
        where, atoms = group.momenta
        with np.errstate(divide="ignore"):  # a cost has no kinetic energy
            masses.reshape(coordinate_layout.num_atoms, -1)[atoms] = (0.5 / part[where])[:, None]
    return stiffness, forces, masses


def _add_squares(group: CoordinateGroup, part: NDArray, stiffness: NDArray, forces: NDArray) -> None:
    """Add the stiffness of squares: c |r_i - r_j|^2 is 2c between i and j; about a point there is also a force."""
    pairs, dims = group.pairs, group.coordinate_layout.dims
    strength = 2.0 * part[pairs.where]
    if np.any(strength[pairs.is_root]):
        term = group.terms[pairs.where[pairs.is_root & (strength != 0.0)][0]]
        raise NetworkError(
            f"'{term}' has a coefficient: springs with rest lengths have no Gaussian ground state; leave rest lengths "
            "out, or use network.kind = 'elastic'"
        )
    joined = pairs.second >= 0
    for axis in range(dims):
        first, second = pairs.first * dims + axis, pairs.second[joined] * dims + axis
        np.add.at(stiffness, (first, first), strength)
        np.add.at(stiffness, (second, second), strength[joined])
        np.add.at(stiffness, (first[joined], second), -strength[joined])
        np.add.at(stiffness, (second, first[joined]), -strength[joined])
        np.add.at(forces, first, strength * pairs.point[:, axis])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NormalModes:
    """Normal modes of one stiffness matrix: K s_k = w_k^2 M s_k with s_k.M s_k = 1.

    Args:
        stiffness: Shape (moving, moving), K.
        masses: Shape (moving,).
        frequencies: Shape (modes,), w_k, ascending.
        shapes: Shape (moving, modes), the columns s_k.
        hbar: Reduced Planck constant.
    """

    stiffness: NDArray[np.float64]
    masses: NDArray[np.float64]
    frequencies: NDArray[np.float64]
    shapes: NDArray[np.float64]
    hbar: float

    @classmethod
    def of(cls, stiffness: NDArray, masses: NDArray, hbar: float) -> NormalModes:
        """Return the modes by diagonalising M^-1/2 K M^-1/2; frequencies are NaN where K is not positive definite.

        Args:
            stiffness: Shape (moving, moving), K.
            masses: Shape (moving,).
            hbar: Reduced Planck constant.
        """
        root = np.sqrt(masses)
        squares, vectors = np.linalg.eigh(stiffness / root[:, None] / root)
        squares[squares <= _SOFT * squares[-1]] = np.nan
        return cls(
            stiffness=stiffness,
            masses=masses,
            frequencies=np.sqrt(squares),
            shapes=vectors / root[:, None],
            hbar=hbar,
        )

    @property
    def is_stable(self) -> bool:
        """Whether there is a ground state."""
        return not bool(np.isnan(self.frequencies).any())

    def equilibrium_of(self, forces: NDArray) -> NDArray[np.float64]:
        """Return K^-1 f for forces (rows, moving)."""
        return (forces @ self.shapes / np.square(self.frequencies)) @ self.shapes.T

    def covariance_root(self, *, of_momenta: bool) -> NDArray[np.float64]:
        """Return a root of the covariance, F with F F^T = covariance, shape (moving, modes)."""
        if of_momenta:
            return self.masses[:, None] * self.shapes * np.sqrt(self.hbar * self.frequencies / 2.0)
        return self.shapes * np.sqrt(self.hbar / (2.0 * self.frequencies))

    def change_of_covariance(self, change: NDArray, *, of_momenta: bool) -> NDArray[np.float64]:
        """Return the first-order change of the covariance, shape (moving, moving), for a change of the stiffness.

        Args:
            change: Shape (moving, moving), change of the stiffness.
            of_momenta: Whether the covariance is that of momenta instead of positions.
        """
        w = self.frequencies
        inner = self.shapes.T @ change @ self.shapes / (w[:, None] + w)
        if of_momenta:
            outer = self.masses[:, None] * self.shapes
            return self.hbar / 2.0 * outer @ inner @ outer.T
        return -self.hbar / 2.0 * self.shapes @ (inner / w[:, None] / w) @ self.shapes.T

    @property
    def zero_point_energy(self) -> float:
        """Zero-point energy, half the sum of hbar w_k."""
        return float(self.hbar * self.frequencies.sum() / 2.0)

    @property
    def gap(self) -> float:
        """Energy of one quantum of the softest mode."""
        return float(self.hbar * self.frequencies[0])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GaussianStates(PointStates):
    """Gaussian ground states; clamped coordinates have zero variance.

    Args:
        coordinate_layout: The atoms.
        centres: Shape (states, atoms, dims), mean positions; mean momenta are zero.
        modes: The distinct normal modes.
        which: Shape (states,), index of the normal modes of every state.
    """

    per_state: ClassVar[tuple[str, ...]] = ("centres", "which")

    coordinate_layout: CoordinateLayout
    centres: NDArray[np.float64]
    modes: tuple[NormalModes, ...]
    which: NDArray[np.int64]

    def expectations(self, group: CoordinateGroup, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return exact means of all terms, shape (rows, terms).

        Raises:
            NetworkError: The group contains a distance.
        """
        if group.pairs.is_root.any():
            raise NetworkError(
                f"'{group.terms[group.pairs.where[group.pairs.is_root][0]]}' has no closed form in a Gaussian state; "
                "give measurement.shots a number"
            )
        centres = np.zeros_like(self.centres) if group.of_momenta else self.centres
        found = group.values(centres[rows])
        for number in np.unique(self.which[rows]):
            found[self.which[rows] == number] += self._of_covariance(group, self.modes[number])
        return found

    def _of_covariance(self, group: CoordinateGroup, modes: NormalModes) -> NDArray[np.float64]:
        """Return the contribution of the covariance to the mean of every term."""
        coordinate_layout, found = self.coordinate_layout, np.zeros(group.num_terms)
        size = coordinate_layout.num_atoms * coordinate_layout.dims
        root = np.zeros((size, len(modes.frequencies)))
        root[coordinate_layout.moving_coordinates] = modes.covariance_root(of_momenta=group.of_momenta)
        where, atoms = group.momenta
        found[where] = (
            np.square(root).sum(axis=1).reshape(coordinate_layout.num_atoms, coordinate_layout.dims).sum(axis=1)[atoms]
        )
        where, one, other = group.products
        found[where] = np.einsum("wk,wk->w", root[one], root[other])
        by_atom, pairs = root.reshape(coordinate_layout.num_atoms, -1), group.pairs
        for start in range(0, len(pairs.where), _WORDS_PER_PART):
            part = slice(start, start + _WORDS_PER_PART)
            difference = by_atom[pairs.first[part]]
            joined = pairs.second[part] >= 0
            difference[joined] -= by_atom[pairs.second[part][joined]]
            found[pairs.where[part]] = np.einsum("wk,wk->w", difference, difference)
        return found

    def sampled(
        self, group: CoordinateGroup, rows: NDArray[np.int64], shots: int, generator: np.random.Generator
    ) -> NDArray[np.float64]:
        """Return positions, or momenta, shot by shot: shape (rows, shots, atoms, dims)."""
        flat = np.zeros((len(rows), shots, self.coordinate_layout.num_atoms * self.coordinate_layout.dims))
        for place, row in enumerate(rows):
            root = self.modes[self.which[row]].covariance_root(of_momenta=group.of_momenta)
            flat[place][:, self.coordinate_layout.moving_coordinates] = (
                generator.standard_normal((shots, root.shape[1])) @ root.T
            )
        points = flat.reshape(len(rows), shots, self.coordinate_layout.num_atoms, self.coordinate_layout.dims)
        return points if group.of_momenta else points + self.centres[rows][:, None]
