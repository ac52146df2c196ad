"""The atoms of a network, and functions of their positions or momenta: the counterpart of Pauli strings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.amounts import there_are
from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.short_repr import short_repr

Kind = Literal["constant", "component", "product", "square", "distance", "momentum"]
_AXES = "xyz"


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinateLayout:
    """The atoms of a network, and which of them are clamped.

    Args:
        num_atoms: Number of atoms, clamped ones included.
        dims: Dimensions of space, 1, 2 or 3.
        clamped: Atoms that do not move, in ascending order.

    Raises:
        NetworkError: No atom moves, or the number of dimensions is not 1, 2 or 3.
    """

    num_atoms: int
    dims: int = 1
    clamped: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.dims not in (1, 2, 3):
            raise NetworkError(f"dims: expected 1, 2 or 3 dimensions, got {self.dims}")
        if len(self.clamped) >= self.num_atoms:
            raise NetworkError(
                f"clamped: expected an atom that moves; all {self.num_atoms} are clamped, or there is none"
            )

    @property
    def moving(self) -> NDArray[np.int64]:
        """Atoms that move, in ascending order."""
        return np.setdiff1d(np.arange(self.num_atoms), self.clamped)

    @property
    def moving_coordinates(self) -> NDArray[np.int64]:
        """Coordinates of the atoms that move; atom i along axis a is number ``i * dims + a``."""
        return (self.moving[:, None] * self.dims + np.arange(self.dims)).ravel()

    @property
    def clamped_coordinates(self) -> NDArray[np.int64]:
        """Coordinates of the clamped atoms."""
        return (np.array(self.clamped, dtype=np.int64)[:, None] * self.dims + np.arange(self.dims)).ravel()

    def name(self, coordinate: int) -> str:
        """Return the name of a coordinate: ``"atom 3"``, or ``"atom 3 along y"`` where there is more than one axis."""
        atom, axis = divmod(int(coordinate), self.dims)
        return f"atom {atom}" if self.dims == 1 else f"atom {atom} along {_AXES[axis]}"


@short_repr
@dataclass(frozen=True, slots=True, order=True)
class CoordinateTerm:
    """A function of the positions, or the momenta, of atoms.

    The class methods build terms such that equal functions are equal terms.

    Args:
        kind: ``component`` r_ia; ``product`` r_ia r_jb; ``square`` |r_i - r_j|^2 or |r_i - point|^2; ``distance``, its
            root; ``momentum`` p_i^2, summed over axes; ``constant`` 1.
        atoms: The atoms i, or i and j.
        axes: The axes of components and products.
        point: The fixed point of a square or a distance of one atom.

    Example:
        >>> str(qep.CoordinateTerm.square(0, 1)), str(qep.CoordinateTerm.momentum(1))
        ('|r0 - r1|^2', 'p1^2')
        >>> qep.CoordinateTerm.square(1, 0) == qep.CoordinateTerm.square(0, 1)
        True
    """

    kind: Kind
    atoms: tuple[int, ...] = ()
    axes: tuple[int, ...] = ()
    point: tuple[float, ...] = ()

    @classmethod
    def one(cls) -> CoordinateTerm:
        """Return the constant 1."""
        return cls("constant")

    @classmethod
    def component(cls, atom: int, axis: int = 0) -> CoordinateTerm:
        """Return the component of r_i along an axis.

        Args:
            atom: Index i of the atom.
            axis: Index of the axis.
        """
        return cls("component", (atom,), (axis,))

    @classmethod
    def product(cls, first: tuple[int, int], second: tuple[int, int]) -> CoordinateTerm:
        """Return a product of two components.

        Args:
            first: (atom, axis) of one component.
            second: (atom, axis) of the other.
        """
        (i, a), (j, b) = sorted((first, second))
        return cls("product", (i, j), (a, b))

    @classmethod
    def square(cls, atom: int, other: int | Sequence[float]) -> CoordinateTerm:
        """Return the squared distance to another atom, |r_i - r_j|^2, or to a fixed point, |r_i - point|^2.

        Args:
            atom: Index i of the atom.
            other: Index j of the other atom, or the coordinates of the fixed point, shape (dims,).
        """
        return cls._between("square", atom, other)

    @classmethod
    def distance(cls, atom: int, other: int | Sequence[float]) -> CoordinateTerm:
        """Return the distance to another atom, |r_i - r_j|, or to a fixed point, |r_i - point|.

        Args:
            atom: Index i of the atom.
            other: Index j of the other atom, or the coordinates of the fixed point, shape (dims,).
        """
        return cls._between("distance", atom, other)

    @classmethod
    def momentum(cls, atom: int) -> CoordinateTerm:
        """Return p_i^2, summed over axes."""
        return cls("momentum", (atom,))

    @classmethod
    def _between(cls, kind: Kind, atom: int, other: int | Sequence[float]) -> CoordinateTerm:
        if isinstance(other, int | np.integer):
            return cls(kind, (min(atom, int(other)), max(atom, int(other))))
        return cls(kind, (atom,), (), tuple(float(number) + 0.0 for number in other))

    @property
    def is_identity(self) -> bool:
        """Whether the term is the constant 1."""
        return self.kind == "constant"

    @property
    def is_odd(self) -> bool:
        """Whether a flip of all spins changes the sign: False, because there are no spins."""
        return False

    def __str__(self) -> str:
        point = f"({', '.join(f'{number:g}' for number in self.point)})"
        if self.kind in ("square", "distance"):
            other = f"r{self.atoms[1]}" if len(self.atoms) == 2 else point
            return f"|r{self.atoms[0]} - {other}|" + ("^2" if self.kind == "square" else "")
        if self.kind == "momentum":
            return f"p{self.atoms[0]}^2"
        return " ".join(f"r{i}{_AXES[a]}" for i, a in zip(self.atoms, self.axes, strict=True)) or "1"


def check_term(term: CoordinateTerm, coordinate_layout: CoordinateLayout) -> None:
    """Check that a term is a function of atoms and axes of a network.

    Raises:
        NetworkError: An atom, an axis or a point is not one of the network.
    """
    outside = [atom for atom in term.atoms if not 0 <= atom < coordinate_layout.num_atoms]
    if outside:
        raise NetworkError(
            f"'{term}': atom {outside[0]} is out of range; {there_are(coordinate_layout.num_atoms, 'atom')}"
        )
    if any(not 0 <= axis < coordinate_layout.dims for axis in term.axes) or len(term.point) not in (
        0,
        coordinate_layout.dims,
    ):
        raise NetworkError(f"'{term}': expected axes and points of {coordinate_layout.dims} dimensions")
