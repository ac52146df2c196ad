"""Positions of atoms on registers of qubits.

A register of n qubits represents one coordinate on a grid of M = 2^n points across a box of length L,

    r_j = centre + (j - (M - 1)/2) L/M,      k_m = (m - (M - 1)/2) 2 pi/L    (k = p / hbar, after the Fourier transform)

so both are linear in the Z of the register: r = centre - (L/2M) sum_b 2^b Z_b and k = -(pi/L) sum_b 2^b Z_b, with b = 0
the lowest qubit. Squares and products are sums of ZZ and a constant. A Gaussian state is represented well where it
vanishes before the boundaries of the box, L/2 from the centre, and before the largest wave number pi M/L. The *margin*
is the number of its standard deviations up to them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.continuous.z_polynomials import ZPolynomial
from qep_qiskit.core.checks import whole_number
from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.fourier import FourierBasis, Register
from qep_qiskit.core.operators import LocalBasis
from qep_qiskit.core.short_repr import short_repr

GAUSSIAN_MARGIN = 4.5
"""Margin of an automatic grid, in standard deviations: errors of about 1e-4."""

FEWEST_QUBITS = 2
MOST_QUBITS = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GaussianWidths:
    """Means and widths of Gaussian states, coordinate by coordinate; their mean momentum is zero.

    Args:
        means: Shape (states, coordinates), mean positions.
        widths: Shape (states, coordinates), standard deviations of positions.
        wave_widths: Shape (states, coordinates), standard deviations of wave numbers.
    """

    means: NDArray[np.float64]
    widths: NDArray[np.float64]
    wave_widths: NDArray[np.float64]


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class PositionGrid:
    """One register of qubits per coordinate; coordinate i is on the qubits i n to i n + n - 1.

    Args:
        num_qubits: n, qubits of every register.
        boxes: Length of the box of every coordinate.
        centres: Middle of the box of every coordinate.
        names: Names of the coordinates in messages, such as ``"atom 3"``; by default their numbers.

    Raises:
        NetworkError: A register has fewer than 2 or more than 10 qubits, or a box is not positive.
    """

    num_qubits: int
    boxes: tuple[float, ...]
    centres: tuple[float, ...]
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        whole_number("num_qubits", self.num_qubits, error=NetworkError)
        if not FEWEST_QUBITS <= self.num_qubits <= MOST_QUBITS:
            raise NetworkError(
                f"num_qubits: expected {FEWEST_QUBITS} to {MOST_QUBITS} qubits a coordinate, got {self.num_qubits}"
            )
        if not all(0.0 < box < np.inf for box in self.boxes):
            raise NetworkError(f"box: expected a length above zero, got {min(self.boxes):g}")
        if len(self.boxes) != len(self.centres) or not self.boxes or not np.isfinite(self.centres).all():
            raise NetworkError("grid: expected one box and one centre for every coordinate that moves")

    @classmethod
    def uniform(cls, num_qubits: int, box: float, num_coordinates: int, centre: float = 0.0) -> PositionGrid:
        """Return a grid with the same box for every coordinate.

        Args:
            num_qubits: Qubits of every register.
            box: Length of the box.
            num_coordinates: Number of coordinates.
            centre: Centre of the box.
        """
        return cls(num_qubits=num_qubits, boxes=(box,) * num_coordinates, centres=(centre,) * num_coordinates)

    @classmethod
    def around(
        cls,
        gaussian_widths: GaussianWidths,
        *,
        num_qubits: int | None = None,
        box: float | None = None,
        centre: float | Sequence[float] | None = None,
        names: Sequence[str] = (),
        margin: float = GAUSSIAN_MARGIN,
    ) -> PositionGrid:
        """Return a grid for Gaussian states, with as few qubits as the margin allows.

        Arguments that are not given are chosen: the number of qubits for the coordinate that needs most, and boxes
        around the states with equal margins in position and momentum.

        Args:
            gaussian_widths: The states.
            num_qubits: Qubits of a register, or None.
            box: Length of all boxes, or None.
            centre: Centre of all boxes, or of each, or None.
            names: Names of the coordinates, for messages.
            margin: Number of standard deviations to the boundaries, where the qubits are chosen.

        Raises:
            NetworkError: The states need more than ten qubits per coordinate.
        """
        low, high = gaussian_widths.means.min(axis=0), gaussian_widths.means.max(axis=0)
        centres = (low + high) / 2.0 if centre is None else np.broadcast_to(np.asarray(centre, dtype=float), low.shape)
        strays = np.maximum(high - centres, centres - low)
        widths, waves = gaussian_widths.widths.max(axis=0), gaussian_widths.wave_widths.max(axis=0)
        if num_qubits is None:
            num_qubits = _fewest_qubits(strays, widths, waves, box, margin)
        points = 1 << num_qubits
        boxes = _balanced_boxes(points, strays, widths, waves) if box is None else np.full(len(centres), box)
        return cls(
            num_qubits=num_qubits, boxes=tuple(boxes.tolist()), centres=tuple(centres.tolist()), names=tuple(names)
        )

    def name(self, coordinate: int) -> str:
        """Return the name of a coordinate in messages."""
        return self.names[coordinate] if self.names else f"coordinate {coordinate}"

    @property
    def num_coordinates(self) -> int:
        """Number of coordinates, one register each."""
        return len(self.boxes)

    @property
    def total_qubits(self) -> int:
        """Number of qubits of all registers."""
        return self.num_qubits * self.num_coordinates

    @property
    def num_points(self) -> int:
        """Number of points of every register, M = 2^n."""
        return 1 << self.num_qubits

    @property
    def registers(self) -> tuple[Register, ...]:
        """The registers, the first coordinate on the lowest qubits."""
        return tuple(Register(place * self.num_qubits, self.num_qubits) for place in range(self.num_coordinates))

    @property
    def position_basis(self) -> LocalBasis:
        """Basis of everything that depends on positions: the computational basis."""
        return LocalBasis("Z" * self.total_qubits)

    @property
    def momentum_basis(self) -> FourierBasis:
        """Basis of everything that depends on momenta: a Fourier transform of every register."""
        return FourierBasis(self.total_qubits, self.registers)

    def positions(self, coordinate: int) -> NDArray[np.float64]:
        """Return the grid points, shape (2^n,)."""
        steps = np.arange(self.num_points) - (self.num_points - 1) / 2
        return np.asarray(self.centres[coordinate] + steps * (self.boxes[coordinate] / self.num_points))

    def wave_numbers(self, coordinate: int) -> NDArray[np.float64]:
        """Return the wave numbers, shape (2^n,), in 1/length."""
        steps = np.arange(self.num_points) - (self.num_points - 1) / 2
        return np.asarray(steps * (2.0 * np.pi / self.boxes[coordinate]))

    def offset(self, coordinate: int) -> ZPolynomial:
        """Return the position relative to the centre, on the masks of the position group."""
        return self._linear(coordinate, -self.boxes[coordinate] / (2 * self.num_points))

    def position(self, coordinate: int) -> ZPolynomial:
        """Return the position r, on the masks of the position group."""
        return self.offset(coordinate) + ZPolynomial({0: self.centres[coordinate]})

    def wave_number(self, coordinate: int) -> ZPolynomial:
        """Return the wave number k, on the masks of the momentum group."""
        return self._linear(coordinate, -np.pi / self.boxes[coordinate])

    def _linear(self, coordinate: int, factor: float) -> ZPolynomial:
        register = self.registers[coordinate]
        return ZPolynomial({1 << qubit: factor * 2**place for place, qubit in enumerate(register.qubits)})

    def margins(self, gaussian_widths: GaussianWidths) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the numbers of standard deviations up to the boundaries, and up to the largest wave number.

        Both have shape (states, coordinates).
        """
        boxes = np.array(self.boxes)
        to_wall = boxes / 2.0 - np.abs(gaussian_widths.means - np.array(self.centres))
        return to_wall / gaussian_widths.widths, np.pi * self.num_points / boxes / gaussian_widths.wave_widths


def _balanced_boxes(points: int, strays: NDArray, widths: NDArray, waves: NDArray) -> NDArray[np.float64]:
    """Return the box length L with (L/2 - stray)/width = (pi M/L)/wave.

    It is the positive root of L^2/2 - stray L - pi M width/wave.
    """
    return strays + np.sqrt(strays**2 + 2.0 * np.pi * points * widths / waves)


def _fewest_qubits(strays: NDArray, widths: NDArray, waves: NDArray, box: float | None, margin: float) -> int:
    """Return the number of qubits for which every coordinate has the margin in position and momentum."""
    lengths = 2.0 * (strays + margin * widths) if box is None else np.full(len(strays), box)
    points = float((lengths * margin * waves / np.pi).max())
    wanted = max(FEWEST_QUBITS, math.ceil(math.log2(points)))
    if wanted > MOST_QUBITS:
        raise NetworkError(
            f"grid: the states need {wanted} qubits a coordinate, more than {MOST_QUBITS}; use weaker "
            "springs, smaller inputs or forces, a larger hbar, or preparation.kind = 'gaussian'"
        )
    return wanted


def grid_masks(polynomials: Sequence[ZPolynomial]) -> tuple[int, ...]:
    """Return all masks of some polynomials, in ascending order."""
    return tuple(sorted({mask for polynomial in polynomials for mask in polynomial.masks}))
