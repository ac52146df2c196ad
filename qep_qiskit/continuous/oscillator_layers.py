"""Layers of oscillators on position grids: Gaussian initial states, displacements, quadratic phases.

A Gaussian on a register is prepared by rotations in commuting groups and one layer of CX gates, so a program can start
from it without other operations. It is symmetric about the centre of the box: the highest qubit selects the side, and
CX gates mirror the lower qubits. These hold one half of the Gaussian, prepared qubit by qubit from the highest by Y
rotations that depend on the higher qubits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.continuous.grid_energies import GridEnergies
from qep_qiskit.continuous.position_grid import PositionGrid
from qep_qiskit.continuous.z_polynomials import ZPolynomial
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.merging import merge_into_groups
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.core.program import CxLayer, Layer
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.core.transforms import walsh_hadamard


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class OscillatorProduct:
    """Independent oscillators, one per coordinate, about the centres of their boxes.

    Args:
        grid: The registers.
        stiffness: Stiffness of every coordinate, energy per length squared.
        kinetic: hbar^2 / mass of every coordinate, energy times length squared.

    Raises:
        ConfigError: A number is not positive, or their number differs from that of coordinates.
    """

    grid: PositionGrid
    stiffness: tuple[float, ...]
    kinetic: tuple[float, ...]

    def __post_init__(self) -> None:
        for name, values in (("driver_stiffness", self.stiffness), ("kinetic", self.kinetic)):
            if len(values) != self.grid.num_coordinates or not all(0.0 < value < np.inf for value in values):
                raise ConfigError(
                    f"preparation.{name}: expected {self.grid.num_coordinates} positive numbers, got {list(values)}"
                )

    @classmethod
    def like(cls, energies: GridEnergies) -> OscillatorProduct:
        """Return oscillators with the mean ground-state widths of some energies, each coordinate independently."""
        widths, kinetic = energies.gaussian_widths().widths.mean(axis=0), energies.kinetic.mean(axis=0)
        stiffness = kinetic / (4.0 * widths**4)
        return cls(grid=energies.grid, stiffness=tuple(stiffness.tolist()), kinetic=tuple(kinetic.tolist()))

    @property
    def widths(self) -> NDArray[np.float64]:
        """Standard deviations of the ground state, shape (coordinates,)."""
        return np.sqrt(np.sqrt(np.array(self.kinetic) / np.array(self.stiffness)) / 2.0)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GaussianStart:
    """The initial part of a program: a product state, and layers that prepare Gaussians from it.

    Args:
        initial: Shape (N, 2), the product state.
        groups: Groups of the layers.
        layers: The layers; their groups are numbered from 0.
    """

    initial: NDArray[np.complex128]
    groups: tuple[CommutingGroup, ...]
    layers: tuple[Layer | CxLayer, ...]


def gaussian_start(grid: PositionGrid, widths: NDArray) -> GaussianStart:
    """Return the preparation of a product of Gaussians about the centres of the boxes, sampled on the grids.

    Args:
        grid: The registers.
        widths: Shape (coordinates,), standard deviations of position.
    """
    trees = [_rotation_tree(_half_gaussian(grid, i, width)) for i, width in enumerate(widths)]
    groups, layers = [], []
    for depth in range(grid.num_qubits - 1):
        group, offset = _tree_level(grid, [tree[depth] for tree in trees])
        source = np.full(group.num_terms, -1, dtype=np.int64)
        layers.append(Layer(group=depth, source=source, scale=np.zeros(len(source)), offset=offset))
        groups.append(group)
    mirrored = CxLayer(
        tuple((part.qubits[-1], lower) for part in grid.registers for lower in reversed(part.qubits[:-1]))
    )
    initial = np.zeros((grid.total_qubits, 2), dtype=complex)
    initial[:, 0] = 1.0
    initial[[part.qubits[-1] for part in grid.registers]] = np.sqrt(0.5)
    return GaussianStart(initial=initial, groups=tuple(groups), layers=(*layers, mirrored))


def _half_gaussian(grid: PositionGrid, coordinate: int, width: float) -> NDArray[np.float64]:
    """Return amplitudes at the points below the centre, in order, shape (M/2,)."""
    steps = grid.positions(coordinate)[: grid.num_points // 2] - grid.centres[coordinate]
    amplitudes = np.exp(-np.square(steps / width) / 4.0)
    return np.asarray(amplitudes / np.linalg.norm(amplitudes))


def _rotation_tree(amplitudes: NDArray) -> list[NDArray[np.float64]]:
    """Return angles of RY gates, the highest qubit first; entry t has one angle per state of the t higher qubits."""
    tree = []
    while len(amplitudes) > 1:
        halves = amplitudes.reshape(-1, 2)
        tree.append(2.0 * np.arctan2(halves[:, 1], halves[:, 0]))
        amplitudes = np.hypot(halves[:, 0], halves[:, 1])
    return tree[::-1]


def _tree_level(grid: PositionGrid, angles: Sequence[NDArray]) -> tuple[CommutingGroup, NDArray[np.float64]]:
    """Return the layers that rotate one qubit of every register about Y, by angles that depend on the higher qubits."""
    above = len(angles[0]).bit_length() - 1
    letters, masks, offsets = ["Z"] * grid.total_qubits, [], []
    for register, own in zip(grid.registers, angles, strict=True):
        target = register.qubits[grid.num_qubits - 2 - above]
        letters[target] = "Y"
        spectrum = walsh_hadamard(own / 2.0) / len(own)
        masks += [(pattern << target + 1) | 1 << target for pattern in range(len(own))]
        offsets.append(spectrum)
    basis = LocalBasis("".join(letters))
    name = f"start {above}"
    return CommutingGroup(name=name, basis=basis, masks=tuple(masks)), np.concatenate(offsets)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OscillatorGroups:
    """The groups of a program: those of the Gaussian initial state, then those of the Hamiltonian.

    The latter include all squares of positions and momenta of the grid.

    Args:
        grid: The registers.
        groups: All groups of the program.
        positions: Index of the group of positions.
        momenta: Index of the group of momenta.
    """

    grid: PositionGrid
    groups: tuple[CommutingGroup, ...]
    positions: int
    momenta: int

    @classmethod
    def of(cls, grid: PositionGrid, start: GaussianStart, groups: Sequence[CommutingGroup]) -> OscillatorGroups:
        """Return the groups of the initial state, followed by those of a Hamiltonian.

        The Hamiltonian's groups are extended by positions, momenta and their squares.
        """
        size = range(grid.num_coordinates)
        offsets, waves = [grid.offset(i) for i in size], [grid.wave_number(i) for i in size]
        potential = [*offsets, *(offsets[i] * offsets[j] for i in size for j in range(i + 1))]
        kinetic = [*waves, *(wave * wave for wave in waves)]
        terms = [grid.position_basis.string(mask) for part in potential for mask in part.masks]
        terms += [grid.momentum_basis.string(mask) for part in kinetic for mask in part.masks]
        empty = (
            CommutingGroup(name="r", basis=grid.position_basis, masks=()),
            CommutingGroup(name="p", basis=grid.momentum_basis, masks=()),
        )
        own = merge_into_groups(tuple(groups) or empty, terms, grid.total_qubits)
        bases = [group.basis for group in own]
        first = len(start.groups)
        return cls(
            grid=grid,
            groups=(*start.groups, *own),
            positions=first + bases.index(grid.position_basis),
            momenta=first + bases.index(grid.momentum_basis),
        )

    def by_term(self, group: int, source_of: Mapping[PauliString, int], factor: float) -> Layer:
        """Return a layer with the angle ``factor * p[source]`` for every term that has a source."""
        source = np.array([source_of.get(term, -1) for term in self.groups[group].terms], dtype=np.int64)
        scale = np.where(source >= 0, factor, 0.0)
        return Layer(group=group, source=source, scale=scale, offset=np.zeros(len(source)))

    def by_polynomial(self, group: int, polynomials: Sequence[ZPolynomial], first_source: int) -> Layer:
        """Return the layer ``exp(-i sum_a p[first_source + a] polynomial_a)``, for polynomials without common terms."""
        place = {mask: index for index, mask in enumerate(self.groups[group].masks)}
        source, scale = np.full(len(place), -1, dtype=np.int64), np.zeros(len(place))
        for number, polynomial in enumerate(polynomials):
            for mask in polynomial.masks:
                source[place[mask]], scale[place[mask]] = first_source + number, polynomial.terms[mask]
        return Layer(group=group, source=source, scale=scale, offset=np.zeros(len(place)))

    def fixed(self, group: int, polynomial: ZPolynomial) -> NDArray[np.float64]:
        """Return the angles of the phase ``exp(-i polynomial)``, shape (terms,)."""
        return np.array([polynomial.terms.get(mask, 0.0) for mask in self.groups[group].masks])
