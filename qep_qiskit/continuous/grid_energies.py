"""Quadratic energies computed from coefficients of ZZ and Z on registers, and their Gaussian ground states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.continuous.position_grid import GaussianWidths, PositionGrid
from qep_qiskit.continuous.z_polynomials import ZPolynomial
from qep_qiskit.core.errors import CoarseGridWarning, NetworkError, NudgeError
from qep_qiskit.core.operators import Basis, CommutingGroup
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.core.warning_log import warn

_TOLERANCE = 1e-9
_SOFT = 1e-13
_SHORTEST_MARGIN = 2.5
_DOUBTFUL_MARGIN = 3.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GridEnergies:
    """Quadratic energies of coordinates on registers, one per row.

        H = k.G k / 2 + (r - centre).K (r - centre) / 2 - f.(r - centre),     k = p / hbar,     G = hbar^2 / mass

    Args:
        grid: The registers.
        stiffness: Shape (rows, coordinates, coordinates), K.
        forces: Shape (rows, coordinates), force f at the centre of the box.
        kinetic: Shape (rows, coordinates), the diagonal of G.
    """

    grid: PositionGrid
    stiffness: NDArray[np.float64]
    forces: NDArray[np.float64]
    kinetic: NDArray[np.float64]

    @classmethod
    def of(cls, grid: PositionGrid, groups: Sequence[CommutingGroup], rows: NDArray) -> GridEnergies:
        """Return the energies that belong to coefficients.

        Args:
            grid: The registers.
            groups: Groups of a grid network, including those of its cost.
            rows: Shape (rows, terms).

        Raises:
            NetworkError: They are not a quadratic energy of positions plus one of momenta.
        """
        index = {string: place for place, string in enumerate(string for group in groups for string in group.terms)}
        size = grid.num_coordinates
        stiffness, forces = np.zeros((len(rows), size, size)), np.zeros((len(rows), size))
        remainder = np.array(rows)
        positions, momenta = grid.position_basis, grid.momentum_basis
        for i in range(size):
            forces[:, i] = -_projected_out(remainder, index, grid.offset(i), positions)
            for j in range(i, size):
                found = _projected_out(remainder, index, grid.offset(i) * grid.offset(j), positions)
                stiffness[:, i, j] = stiffness[:, j, i] = found * (2.0 if i == j else 1.0)
        squares = [grid.wave_number(i) * grid.wave_number(i) for i in range(size)]
        kinetic = 2.0 * np.stack([_projected_out(remainder, index, square, momenta) for square in squares], axis=1)
        if np.abs(remainder).max(initial=0.0) > _TOLERANCE * float(np.abs(rows).max(initial=0.0)):
            raise NetworkError("a cost on a position grid must be quadratic in the positions; this one is not")
        return cls(grid=grid, stiffness=stiffness, forces=forces, kinetic=kinetic)

    def __len__(self) -> int:
        return len(self.forces)

    def equilibrium(self) -> NDArray[np.float64]:
        """Return the classical equilibrium relative to the centres of the boxes, shape (rows, coordinates).

        Raises:
            NudgeError: K is not positive definite, so there is no equilibrium.
        """
        lowest = np.linalg.eigvalsh(self.stiffness)
        soft = lowest[:, 0] <= _SOFT * lowest[:, -1]
        if soft.any():
            raise NudgeError(
                f"{int(soft.sum())} of {len(self)} energies have no minimum (a stiffness of {lowest[:, 0].min():.3g}): "
                "the nudge pulls harder than the springs hold; use a smaller contrast.beta"
            )
        return np.asarray(np.linalg.solve(self.stiffness, self.forces[:, :, None])[:, :, 0])

    def _modes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Frequencies (rows, modes) and mass-weighted modes (rows, coordinates, modes)."""
        if not np.all(self.kinetic > 0.0):
            raise NetworkError("a coordinate on a position grid has no kinetic energy; its mass must be positive")
        root = np.sqrt(self.kinetic)
        squares, modes = np.linalg.eigh(root[:, :, None] * self.stiffness * root[:, None, :])
        return np.sqrt(np.maximum(squares, 0.0)), modes

    def frequencies(self) -> NDArray[np.float64]:
        """Return the energies hbar w of one quantum of every mode, shape (rows, modes), in ascending order."""
        return self._modes()[0]

    def gaussian_widths(self) -> GaussianWidths:
        """Return means and widths of the Gaussian ground states.

        Raises:
            NetworkError: There is no ground state.
        """
        means, root = self.equilibrium() + np.array(self.grid.centres), np.sqrt(self.kinetic)
        frequencies, modes = self._modes()
        return GaussianWidths(
            means=means,
            widths=root * np.sqrt((modes**2 / frequencies[:, None, :]).sum(axis=2) / 2.0),
            wave_widths=np.sqrt((modes**2 * frequencies[:, None, :]).sum(axis=2) / 2.0) / root,
        )


def _projected_out(
    remainder: NDArray, index: dict[PauliString, int], polynomial: ZPolynomial, basis: Basis
) -> NDArray[np.float64]:
    """Return the least-squares coefficient of a polynomial in the rows, and subtract that part from them."""
    found = [(index.get(basis.string(mask), -1), polynomial.terms[mask]) for mask in polynomial.masks]
    there = [(place, value) for place, value in found if place >= 0]
    if not there:
        return np.zeros(len(remainder))
    indices, values = np.array([place for place, _ in there]), np.array([value for _, value in there])
    factor = remainder[:, indices] @ values / sum(value**2 for _, value in found)
    for place, value in there:
        remainder[:, place] -= factor * value
    return np.asarray(factor)


def check_grid(grid: PositionGrid, gaussian_widths: GaussianWidths) -> None:
    """Check that states are far from the boundaries of their boxes, and resolved by the grid.

    Raises:
        NetworkError: A state does not fit; the message proposes a remedy.
    """
    to_wall, to_fastest = grid.margins(gaussian_widths)
    worst = np.minimum(to_wall, to_fastest)
    if worst.min() >= _DOUBTFUL_MARGIN:
        return
    row, i = divmod(int(worst.argmin()), worst.shape[1])
    better = PositionGrid.around(gaussian_widths, centre=grid.centres)
    if to_wall[row, i] < to_fastest[row, i]:
        trouble = f"the box of {grid.name(i)} is too small"
        numbers = (
            f"it ends {to_wall[row, i]:.1f} standard deviations from the state (mean "
            f"{gaussian_widths.means[row, i]:.3g}, width "
            f"{gaussian_widths.widths[row, i]:.3g}, box {grid.boxes[i]:.3g} around {grid.centres[i]:.3g})"
        )
    else:
        step = grid.boxes[i] / grid.num_points
        trouble = f"the grid of {grid.name(i)} is too coarse"
        numbers = (
            f"steps of {step:.3g} hold {to_fastest[row, i]:.1f} standard deviations of the state's momentum (width "
            f"{gaussian_widths.widths[row, i]:.3g})"
        )
    enough = f"network.grid.num_qubits = {better.num_qubits} and network.grid.box = {max(better.boxes):.3g}"
    others = "keep the state in by bounds on the weights or a smaller contrast.beta"
    if worst.min() < _SHORTEST_MARGIN:
        raise NetworkError(f"grid: {trouble}: {numbers}; use {enough}, or {others}")
    warn(
        CoarseGridWarning,
        f"network.grid: {trouble} for a state to be trusted; raise network.grid.num_qubits and adapt network.grid.box, "
        f"or {others}",
        detail=f"{numbers}; enough would be {enough}",
        affected=int((worst.min(axis=1) < _DOUBTFUL_MARGIN).sum()),
        of=len(worst),
    )
