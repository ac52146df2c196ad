"""Functions of coordinates on registers: polynomials in Z, some times the position of a clamped atom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.continuous.coordinate_terms import CoordinateTerm
from qep_qiskit.continuous.position_grid import PositionGrid
from qep_qiskit.continuous.springs import SpringNetwork
from qep_qiskit.continuous.z_polynomials import ZPolynomial
from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.short_repr import short_repr


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GridPart:
    """One part of a term: a polynomial in Z times a power of a clamped coordinate.

    Args:
        source: Index of the term.
        polynomial: Sum of products of Z.
        of_momenta: Whether it is measured after the Fourier transform.
        clamped: Index of the clamped coordinate.
        power: Power of the clamped coordinate; 0 for none.
    """

    source: int
    polynomial: ZPolynomial
    of_momenta: bool = False
    clamped: int = 0
    power: int = 0

    def factor(self, clamped: NDArray) -> NDArray[np.float64]:
        """Return the power of the clamped coordinate, shape (samples,), from clamped coordinates (samples, clamped)."""
        return clamped[:, self.clamped] ** self.power if self.power else np.ones(len(clamped))


def grid_parts(atoms: SpringNetwork, grid: PositionGrid, terms: Iterable[CoordinateTerm]) -> tuple[GridPart, ...]:
    """Return all parts of some terms; components of clamped coordinates have none, because they are no energies.

    Raises:
        NetworkError: A term is not quadratic.
    """
    terms = tuple(terms)
    return tuple(part for place, term in enumerate(terms) for part in _Expansion(atoms, grid, place).parts(term))


def position_polynomial(atoms: SpringNetwork, grid: PositionGrid, term: CoordinateTerm) -> ZPolynomial:
    """Return a function of the positions of atoms that move as a polynomial in Z.

    Raises:
        NetworkError: The term depends on momenta, or on the position of a clamped atom.
    """
    parts = grid_parts(atoms, grid, [term])
    if not parts or any(part.of_momenta or part.power for part in parts):
        raise NetworkError(f"cost: '{term}' is no function of the positions of atoms that move")
    total = ZPolynomial({})
    for part in parts:
        total = total + part.polynomial
    return total


@dataclass(frozen=True, slots=True, eq=False)
class _Expansion:
    """Builds the parts of the term of an index."""

    atoms: SpringNetwork
    grid: PositionGrid
    source: int

    def parts(self, term: CoordinateTerm) -> Iterator[GridPart]:
        dims = self.atoms.coordinate_layout.dims
        if term.kind == "momentum":
            for axis in range(dims):
                wave = self.grid.wave_number(self._place(term.atoms[0], axis))
                energy = wave * wave * self.atoms.hbar**2
                yield GridPart(source=self.source, polynomial=energy, of_momenta=True)
        elif term.kind == "square":
            for axis in range(dims):
                yield from self._square(term, axis)
        elif term.kind in ("component", "product"):
            yield from self._product(list(zip(term.atoms, term.axes, strict=True)))
        else:
            raise NetworkError(f"'{term}' is no sum of few ZZ on a position grid; use squares and products")

    def _place(self, atom: int, axis: int) -> int:
        """Return the place of a coordinate among those that move, or among the clamped ones."""
        layout = self.atoms.coordinate_layout
        coordinates = layout.clamped_coordinates if self._is_clamped(atom) else layout.moving_coordinates
        return int(np.searchsorted(coordinates, atom * layout.dims + axis))

    def _is_clamped(self, atom: int) -> bool:
        return atom in self.atoms.coordinate_layout.clamped

    def _position(self, atom: int, axis: int) -> ZPolynomial:
        return self.grid.position(self._place(atom, axis))

    def _square(self, term: CoordinateTerm, axis: int) -> Iterator[GridPart]:
        """Add (r_i - r_j)^2 or (r_i - point)^2 along one axis."""
        moving = [atom for atom in term.atoms if not self._is_clamped(atom)]
        clamped = [atom for atom in term.atoms if self._is_clamped(atom)]
        first = self._position(moving[0], axis)
        if len(moving) == 2:
            difference = first - self._position(moving[1], axis)
            yield GridPart(source=self.source, polynomial=difference * difference)
        elif not clamped:
            difference = first - ZPolynomial({0: term.point[axis]})
            yield GridPart(source=self.source, polynomial=difference * difference)
        else:
            there = self._place(clamped[0], axis)
            yield GridPart(source=self.source, polynomial=first * first)
            yield GridPart(source=self.source, polynomial=first * -2.0, clamped=there, power=1)
            yield GridPart(source=self.source, polynomial=ZPolynomial({0: 1.0}), clamped=there, power=2)

    def _product(self, factors: Sequence[tuple[int, int]]) -> Iterator[GridPart]:
        """Add r_ia, or r_ia r_jb; components of clamped atoms are factors and add no terms."""
        if any(self._is_clamped(atom) for atom, _ in factors):
            if len(factors) == 2:
                raise NetworkError("a product with the position of a clamped atom is none on a position grid")
            return
        product = ZPolynomial({0: 1.0})
        for atom, axis in factors:
            product = product * self._position(atom, axis)
        yield GridPart(source=self.source, polynomial=product)
