"""Groups of functions of the positions of atoms: the counterpart of groups of Pauli strings.

A network in continuous space has two groups. Everything that depends on positions is measured in one shot batch of all
positions, ``"r"``; kinetic energies in one of all momenta, ``"p"``. An outcome is a point, one vector of `dims` numbers
per atom, and a term is a `CoordinateTerm`, a function of it. Some atoms are *clamped*: they do not move, and their
positions are given. For an atom that moves, the coefficient of a coordinate is minus a force; for a clamped atom it is
the clamped position.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.continuous.coordinate_terms import CoordinateLayout, CoordinateTerm, Kind, check_term
from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.short_repr import short_repr


@dataclass(frozen=True, slots=True, eq=False)
class PairTerms:
    """Squares and distances of a group as arrays, one row per term.

    Args:
        where: Shape (terms,), index among all terms of the group.
        first: Shape (terms,), atom i.
        second: Shape (terms,), atom j, or -1 where there is a point.
        point: Shape (terms, dims), the point; zero where there is none.
        is_root: Shape (terms,), whether the term is the distance and not its square.
    """

    where: NDArray[np.int64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    point: NDArray[np.float64]
    is_root: NDArray[np.bool_]

    def vectors(self, points: NDArray) -> NDArray[np.float64]:
        """Return r_i - r_j, or r_i - point: shape (..., atoms, dims) to (..., terms, dims)."""
        other = np.where((self.second >= 0)[:, None], points[..., self.second, :], self.point)
        return points[..., self.first, :] - other

    def moved(self, directions: NDArray) -> NDArray[np.float64]:
        """Return the change of these vectors as atoms move along directions, of the same shapes."""
        other = np.where((self.second >= 0)[:, None], directions[..., self.second, :], 0.0)
        return directions[..., self.first, :] - other


@short_repr
@dataclass(frozen=True, kw_only=True, eq=False)
class CoordinateGroup:
    """Functions of all positions, or of all momenta, that are measured together in one shot batch.

    Args:
        name: ``"r"`` for positions, ``"p"`` for momenta; for subsets a space and another name may follow.
        coordinate_layout: The atoms.
        terms: The terms, distinct.

    Raises:
        NetworkError: A term occurs twice, names an atom or an axis out of range, or belongs to another group.
    """

    name: str
    coordinate_layout: CoordinateLayout
    terms: tuple[CoordinateTerm, ...]

    def __post_init__(self) -> None:
        if len(set(self.terms)) != len(self.terms):
            raise NetworkError(f"group {self.name}: a word comes twice")
        for term in self.terms:
            check_term(term, self.coordinate_layout)
            if not self.holds(term):
                raise NetworkError(f"group {self.name}: '{term}' is not read from it")

    @property
    def point_shape(self) -> tuple[int, int]:
        """Shape of an outcome, (atoms, dims)."""
        return self.coordinate_layout.num_atoms, self.coordinate_layout.dims

    @property
    def of_momenta(self) -> bool:
        """Whether the group is of momenta instead of positions."""
        return self.name.split()[0] == "p"

    def holds(self, term: CoordinateTerm) -> bool:
        """Return whether a term is a function of the measured positions or momenta."""
        return (term.kind == "momentum") == self.of_momenta and not term.is_identity

    @property
    def num_terms(self) -> int:
        """Number of terms."""
        return len(self.terms)

    @property
    def bounded(self) -> bool:
        """Whether the terms are bounded: False for positions and momenta."""
        return False

    @property
    def sites(self) -> tuple[tuple[int, ...], ...]:
        """The atoms that each term depends on."""
        return tuple(tuple(dict.fromkeys(term.atoms)) for term in self.terms)

    def picked(self, name: str, terms: Sequence[int]) -> CoordinateGroup:
        """Return some of the terms as a group."""
        return replace(self, name=f"{self.name.split()[0]} {name}", terms=tuple(self.terms[term] for term in terms))

    def ranges(self, coefficients: NDArray) -> NDArray[np.float64]:
        """Return widths of the spectra of operators (operators, terms): zero for zero operators, else NaN."""
        return np.where(coefficients.any(axis=1), np.nan, 0.0)

    @cached_property
    def pairs(self) -> PairTerms:
        """Squares and distances as arrays."""
        chosen = [(place, term) for place, term in enumerate(self.terms) if term.kind in ("square", "distance")]
        nowhere = (0.0,) * self.coordinate_layout.dims
        return PairTerms(
            where=np.array([place for place, _ in chosen], dtype=np.int64),
            first=np.array([term.atoms[0] for _, term in chosen], dtype=np.int64),
            second=np.array([term.atoms[1] if len(term.atoms) == 2 else -1 for _, term in chosen], dtype=np.int64),
            point=np.array([term.point or nowhere for _, term in chosen]).reshape(-1, self.coordinate_layout.dims),
            is_root=np.array([term.kind == "distance" for _, term in chosen], dtype=bool),
        )

    @cached_property
    def components(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Term indices, and coordinates, of single components."""
        return self._coordinates("component", 0)

    @cached_property
    def products(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Term indices, and both coordinates, of products."""
        return (*self._coordinates("product", 0), self._coordinates("product", 1)[1])

    @cached_property
    def momenta(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Term indices, and atoms, of squared momenta."""
        found = [(place, term.atoms[0]) for place, term in enumerate(self.terms) if term.kind == "momentum"]
        return np.array([place for place, _ in found], dtype=np.int64), np.array([i for _, i in found], dtype=np.int64)

    def _coordinates(self, kind: Kind, factor: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        found = [(place, term) for place, term in enumerate(self.terms) if term.kind == kind]
        numbers = [term.atoms[factor] * self.coordinate_layout.dims + term.axes[factor] for _, term in found]
        return np.array([place for place, _ in found], dtype=np.int64), np.array(numbers, dtype=np.int64)

    def values(self, points: NDArray) -> NDArray[np.float64]:
        """Return all terms at some points, shape (..., terms).

        Args:
            points: Shape (..., atoms, dims): positions, or momenta in a group of momenta.

        Returns:
            Shape (..., terms).
        """
        found = np.empty((*points.shape[:-2], self.num_terms), dtype=np.result_type(points, float))
        flat = points.reshape(*points.shape[:-2], -1)
        where, atoms = self.momenta
        found[..., where] = np.square(points[..., atoms, :]).sum(axis=-1)
        where, coordinates = self.components
        found[..., where] = flat[..., coordinates]
        where, first, second = self.products
        found[..., where] = flat[..., first] * flat[..., second]
        if self.pairs.where.size:
            squares = np.square(self.pairs.vectors(points)).sum(axis=-1)
            found[..., self.pairs.where] = np.where(self.pairs.is_root, np.sqrt(squares), squares)
        return found

    def slopes(self, points: NDArray, directions: NDArray) -> NDArray[np.float64]:
        """Return derivatives of all terms along directions, shape (..., terms).

        Args:
            points: Shape (..., atoms, dims).
            directions: Shape (..., atoms, dims), the directions.
        """
        found = np.zeros((*points.shape[:-2], self.num_terms))
        flat, moves = (array.reshape(*array.shape[:-2], -1) for array in (points, directions))
        where, atoms = self.momenta
        found[..., where] = 2.0 * (points[..., atoms, :] * directions[..., atoms, :]).sum(axis=-1)
        where, coordinates = self.components
        found[..., where] = moves[..., coordinates]
        where, one, other = self.products
        found[..., where] = flat[..., one] * moves[..., other] + moves[..., one] * flat[..., other]
        if self.pairs.where.size:
            arms = self.pairs.vectors(points)
            changes = 2.0 * (arms * self.pairs.moved(directions)).sum(axis=-1)
            lengths = 2.0 * np.sqrt(np.square(arms).sum(axis=-1))
            found[..., self.pairs.where] = changes / np.where(self.pairs.is_root, lengths, 1.0)
        return found

    def contracted(self, matrix: NDArray) -> NDArray[np.float64]:
        """Return the contribution of the covariance of all coordinates to the mean of every term.

        The covariance has shape (coordinates, coordinates). The contribution is zero for distances, which are not
        quadratic functions.
        """
        found, dims = np.zeros(self.num_terms, dtype=matrix.dtype), self.coordinate_layout.dims
        where, one, other = self.products
        found[where] = matrix[one, other]
        widths = np.diag(matrix).reshape(-1, dims).sum(axis=1)
        where, atoms = self.momenta
        found[where] = widths[atoms]
        pairs, joined = self.pairs, self.pairs.second >= 0
        found[pairs.where] = widths[pairs.first]
        first, second = pairs.first[joined], pairs.second[joined]
        mixed = sum(matrix[first * dims + axis, second * dims + axis] for axis in range(dims))
        found[pairs.where[joined]] += widths[second] - 2.0 * mixed
        found[pairs.where[pairs.is_root]] = 0.0
        return found


def add_coordinate_terms(
    groups: Sequence[CoordinateGroup], terms: Iterable[CoordinateTerm]
) -> tuple[CoordinateGroup, ...]:
    """Extend groups by the given terms, each in the first group that can contain it; constants are skipped.

    Raises:
        NetworkError: No group can contain a term, or a term is out of range.
    """
    added: list[dict[CoordinateTerm, None]] = [dict.fromkeys(group.terms) for group in groups]
    for term in terms:
        if term.is_identity:
            continue
        home = next((g for g, group in enumerate(groups) if group.holds(term)), None)
        if home is None:
            raise NetworkError(f"cost: '{term}' is read from none of the groups {', '.join(g.name for g in groups)}")
        added[home][term] = None
    return tuple(replace(group, terms=tuple(found)) for group, found in zip(groups, added, strict=True))


def coordinates_of(groups: Sequence[object]) -> tuple[CoordinateGroup, ...]:
    """Return groups as coordinate groups.

    Raises:
        NetworkError: They are groups of Pauli strings.
    """
    found = tuple(group for group in groups if isinstance(group, CoordinateGroup))
    if len(found) < len(groups):
        raise NetworkError("expected functions of positions or momenta, got groups of Paulis")
    return found
