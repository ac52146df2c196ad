"""Functions of coordinates on registers: each is a sum of polynomials in Z, some times the place of a held atom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.coordinates import CoordinateWord
from qep_qiskit.errors import NetworkError
from qep_qiskit.network.position_grid import PositionGrid
from qep_qiskit.network.springs import SpringNetwork
from qep_qiskit.network.z_polynomials import ZPolynomial
from qep_qiskit.short_repr import short_repr

__all__ = ["GridPart", "grid_parts", "position_polynomial"]


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GridPart:
    """One part of a word: a polynomial times a power of where a held coordinate is.

    Args:
        source: Index of the word.
        polynomial: Sum of products of Z.
        of_momenta: Whether they are read after the Fourier transform.
        held: Index of the held coordinate.
        power: Its power; 0 for none.
    """

    source: int
    polynomial: ZPolynomial
    of_momenta: bool = False
    held: int = 0
    power: int = 0

    def factor(self, held: NDArray) -> NDArray[np.float64]:
        """The power, shape (samples,), for held coordinates (samples, held)."""
        return held[:, self.held] ** self.power if self.power else np.ones(len(held))


def grid_parts(atoms: SpringNetwork, grid: PositionGrid, words: Iterable[CoordinateWord]) -> tuple[GridPart, ...]:
    """All parts of some words; components of held coordinates have none, they are no energies.

    Raises:
        NetworkError: A word is not quadratic.
    """
    words = tuple(words)
    return tuple(part for place, word in enumerate(words) for part in _Expansion(atoms, grid, place).parts(word))


def position_polynomial(atoms: SpringNetwork, grid: PositionGrid, word: CoordinateWord) -> ZPolynomial:
    """A function of the positions of atoms that move, as one polynomial.

    Raises:
        NetworkError: The word depends on momenta, or on the place of a held atom.
    """
    parts = grid_parts(atoms, grid, [word])
    if not parts or any(part.of_momenta or part.power for part in parts):
        raise NetworkError(f"cost: '{word}' is no function of the positions of atoms that move")
    total = ZPolynomial({})
    for part in parts:
        total = total + part.polynomial
    return total


@dataclass(frozen=True, slots=True, eq=False)
class _Expansion:
    """Makes the parts of the word of an index."""

    atoms: SpringNetwork
    grid: PositionGrid
    source: int

    def parts(self, word: CoordinateWord) -> Iterator[GridPart]:
        dims = self.atoms.frame.dims
        if word.kind == "momentum":
            for axis in range(dims):
                wave = self.grid.wave_number(self._register(word.atoms[0], axis))
                energy = wave * wave * self.atoms.hbar**2
                yield GridPart(source=self.source, polynomial=energy, of_momenta=True)
        elif word.kind == "square":
            for axis in range(dims):
                yield from self._square(word, axis)
        elif word.kind in ("component", "product"):
            yield from self._product(list(zip(word.atoms, word.axes, strict=True)))
        else:
            raise NetworkError(f"'{word}' is no sum of few ZZ on a position grid; use squares and products")

    def _register(self, atom: int, axis: int) -> int:
        frame = self.atoms.frame
        return int(np.searchsorted(frame.moving_coordinates, atom * frame.dims + axis))

    def _held(self, atom: int, axis: int) -> int:
        frame = self.atoms.frame
        return int(np.searchsorted(frame.held_coordinates, atom * frame.dims + axis))

    def _is_held(self, atom: int) -> bool:
        return atom in self.atoms.frame.held

    def _position(self, atom: int, axis: int) -> ZPolynomial:
        return self.grid.position(self._register(atom, axis))

    def _square(self, word: CoordinateWord, axis: int) -> Iterator[GridPart]:
        """(r_i - r_j)^2 or (r_i - point)^2 along one axis."""
        moving = [atom for atom in word.atoms if not self._is_held(atom)]
        held = [atom for atom in word.atoms if self._is_held(atom)]
        first = self._position(moving[0], axis)
        if len(moving) == 2:
            difference = first - self._position(moving[1], axis)
            yield GridPart(source=self.source, polynomial=difference * difference)
        elif not held:
            difference = first - ZPolynomial({0: word.point[axis]})
            yield GridPart(source=self.source, polynomial=difference * difference)
        else:
            there = self._held(held[0], axis)
            yield GridPart(source=self.source, polynomial=first * first)
            yield GridPart(source=self.source, polynomial=first * -2.0, held=there, power=1)
            yield GridPart(source=self.source, polynomial=ZPolynomial({0: 1.0}), held=there, power=2)

    def _product(self, factors: Sequence[tuple[int, int]]) -> Iterator[GridPart]:
        """r_ia, or r_ia r_jb; components of held atoms say where these are and make no terms."""
        if any(self._is_held(atom) for atom, _ in factors):
            if len(factors) == 2:
                raise NetworkError("a product with the position of a clamped atom is none on a position grid")
            return
        product = ZPolynomial({0: 1.0})
        for atom, axis in factors:
            product = product * self._position(atom, axis)
        yield GridPart(source=self.source, polynomial=product)
