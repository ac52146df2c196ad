"""Exact ground states of coupled oscillators, which are Gaussian (Scellier 2024, arXiv:2406.00879, sec. 4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from qep_qiskit.continuous.complex_nudges import gaussian_means, nearest_instability
from qep_qiskit.continuous.coordinates import CoordinateGroup, coordinates_of
from qep_qiskit.continuous.gaussian import GaussianStates, NormalModes, QuadraticEnergies, quadratic_energies
from qep_qiskit.continuous.position_grid import GaussianWidths
from qep_qiskit.continuous.springs import SpringNetwork
from qep_qiskit.core.errors import ConfigError, NetworkError, NudgeError
from qep_qiskit.core.groups import blocks_of
from qep_qiskit.preparation.interface import ConvergenceReport, HamiltonianFamily, PreparationResult, WarmStart


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianPreparation:
    """Prepare ground states of quadratic energies, from their normal modes.

    Args:
        hbar: Reduced Planck constant, in the units of the network.

    Raises:
        ConfigError: hbar is not positive.

    Example:
        >>> network = qep.SpringNetwork(graph=qep.chain(2), outputs=(1,), clamped=(0,), inputs=((0, 0),))
        >>> free = network.coefficients(np.array([4.0, 1.0]), np.array([[0.5]]))  # one spring k = 4 and one mass
        >>> family = qep.HamiltonianFamily.of_free(network.groups, free, qep.RequestKey("demo", 0))
        >>> found = qep.GaussianPreparation().prepare(family, qep.WarmStart())
        >>> found.report.energies, found.states.centres.ravel()
        (array([[1.]]), array([0.5, 0.5]))
    """

    singularity_exponent: ClassVar[float] = 0.0

    hbar: float = 1.0

    def __post_init__(self) -> None:
        if not self.hbar > 0.0:
            raise ConfigError(f"hbar: expected a positive number, got {self.hbar}")

    def prepare(self, family: HamiltonianFamily, start: WarmStart) -> PreparationResult:
        """Return the ground states of all samples and phases; normal modes of the free states of `start` are reused."""
        known = start.free.modes if isinstance(start.free, GaussianStates) else ()
        energies = quadratic_energies(coordinates_of(family.groups), family.rows())
        modes = _modes(energies, self.hbar, known)
        unstable = [number for number, found in enumerate(modes) if not found.is_stable]
        if unstable:
            _refuse(family, int(np.flatnonzero(energies.which == unstable[0])[0]))
        states = _states(coordinates_of(family.groups), energies, modes)
        return PreparationResult(states=states, free=family.free_states_of(states), report=_report(family, states))

    def complex_means(self, family: HamiltonianFamily, free: PreparationResult, betas: NDArray) -> NDArray:
        """Return means of all terms at complex nudges, shape (samples, nudges, terms)."""
        groups, rows = coordinates_of(family.groups), zip(family.free, family.nudge, strict=True)
        return np.array([gaussian_means(groups, *row, betas, hbar=self.hbar) for row in rows])

    def analytic_radius(self, family: HamiltonianFamily, free: PreparationResult) -> NDArray[np.float64]:
        """Return the smallest |beta| at which a spring constant of a normal mode vanishes, shape (samples,)."""
        groups = coordinates_of(family.groups)
        before, after = (quadratic_energies(groups, rows) for rows in (family.free, family.free + family.nudge))
        stiffness = before.stiffness[before.which]
        changes = after.stiffness[after.which] - stiffness
        return np.array([nearest_instability(*pair) for pair in zip(stiffness, changes, strict=True)])

    def term_means(self, groups: Sequence[CoordinateGroup], coefficients: NDArray) -> NDArray[np.float64]:
        """Return exact means of all terms in ground states, shape (states, terms)."""
        states = self._solved(groups, coefficients)
        return states.term_means(groups)

    def response(self, groups: Sequence[CoordinateGroup], free: NDArray, nudge: NDArray) -> NDArray[np.float64]:
        """Return d(means of all terms)/d(beta) at beta = 0, shape (states, terms)."""
        before, after = quadratic_energies(groups, free), quadratic_energies(groups, free + nudge)
        states, found = self._solved(groups, free), []
        for row, centre in enumerate(states.centres):
            modes = states.modes[states.which[row]]
            change = after.stiffness[after.which[row]] - modes.stiffness
            pull = after.forces[row] - before.forces[row]
            coordinate_layout = groups[0].coordinate_layout
            moved = np.zeros(coordinate_layout.num_atoms * coordinate_layout.dims)
            moving = coordinate_layout.moving_coordinates
            moved[moving] = modes.equilibrium_of((pull - change @ centre.ravel()[moving])[None])[0]
            found.append(_response_of_terms(groups, modes, centre, moved.reshape(centre.shape), change))
        return np.array(found)

    def _solved(self, groups: Sequence[CoordinateGroup], coefficients: NDArray) -> GaussianStates:
        energies = quadratic_energies(groups, coefficients)
        return _states(groups, energies, _modes(energies, self.hbar, ()))


def _response_of_terms(
    groups: Sequence[CoordinateGroup], modes: NormalModes, centre: NDArray, moved: NDArray, change: NDArray
) -> NDArray[np.float64]:
    """Return the change of means with the centre and, by a change of the stiffness, with the covariance."""
    parts = []
    for group in groups:
        size, moving = centre.size, group.coordinate_layout.moving_coordinates
        full_covariance = np.zeros((size, size))
        full_covariance[np.ix_(moving, moving)] = modes.change_of_covariance(change, of_momenta=group.of_momenta)
        slopes = np.zeros(group.num_terms) if group.of_momenta else group.slopes(centre, moved)
        parts.append(slopes + group.contracted(full_covariance))
    return np.concatenate(parts)


def _modes(energies: QuadraticEnergies, hbar: float, known: Sequence[NormalModes]) -> tuple[NormalModes, ...]:
    """Return normal modes of every stiffness; those of the free states are reused."""
    found: list[NormalModes] = []
    for stiffness, masses in zip(energies.stiffness, energies.masses, strict=True):
        same = (
            modes
            for modes in (*known, *found)
            if np.array_equal(modes.stiffness, stiffness) and np.array_equal(modes.masses, masses)
        )
        match = next(same, None)
        found.append(NormalModes.of(stiffness, masses, hbar) if match is None else match)
    return tuple(found)


def _states(
    groups: Sequence[CoordinateGroup], energies: QuadraticEnergies, modes: tuple[NormalModes, ...]
) -> GaussianStates:
    coordinate_layout = groups[0].coordinate_layout
    moving = np.empty_like(energies.forces)
    for number, found in enumerate(modes):
        mine = energies.which == number
        moving[mine] = found.equilibrium_of(energies.forces[mine])
    return GaussianStates(
        coordinate_layout=coordinate_layout,
        centres=energies.points(coordinate_layout, moving),
        modes=modes,
        which=energies.which,
    )


def _report(family: HamiltonianFamily, states: GaussianStates) -> ConvergenceReport:
    zero_point = np.array([modes.zero_point_energy for modes in states.modes])[states.which]
    gaps = np.array([modes.gap for modes in states.modes])[states.which]
    energies = zero_point + potential_energies(coordinates_of(family.groups), family.rows(), states.centres)
    shape = (family.num_samples, len(family.betas))
    silent = ConvergenceReport.silent(family)
    return replace(silent, energies=energies.reshape(shape), gaps=gaps.reshape(shape), minima=True)


def potential_energies(groups: Sequence[CoordinateGroup], rows: NDArray, points: NDArray) -> NDArray[np.float64]:
    """Return potential energies at equilibrium points, shape (rows,); clamped coordinates do not contribute as forces.

    Args:
        groups: The groups of positions and momenta.
        rows: Shape (rows, terms), coefficients.
        points: Shape (rows, atoms, dims).
    """
    total = np.zeros(len(rows))
    for group, part in blocks_of(groups, rows):
        if not group.of_momenta:
            where, coordinates = group.components
            pulls = np.isin(coordinates, group.coordinate_layout.clamped_coordinates, invert=True)
            counted = np.ones(group.num_terms, dtype=bool)
            counted[where[~pulls]] = False
            total += np.einsum("rg,rg->r", part[:, counted], group.values(points)[:, counted])
    return total


def stable_betas(groups: Sequence[CoordinateGroup], free: NDArray, nudge: NDArray) -> tuple[float, float]:
    """Return the smallest and the largest nudge between which H + beta C has a ground state.

    Args:
        groups: The groups of positions and momenta.
        free: Shape (terms,), coefficients of H.
        nudge: Shape (terms,), coefficients of C.
    """
    stiffness = quadratic_energies(groups, free[None]).stiffness[0]
    change = quadratic_energies(groups, nudge[None]).stiffness[0]
    relative = scipy.linalg.eigh(change, stiffness, eigvals_only=True)
    lowest = -1.0 / relative[-1] if relative[-1] > 0.0 else -np.inf
    highest = -1.0 / relative[0] if relative[0] < 0.0 else np.inf
    return float(lowest), float(highest)


def _refuse(family: HamiltonianFamily, row: int) -> None:
    sample, phase = divmod(row, len(family.betas))
    beta = float(family.betas[phase])
    if beta == 0.0:
        raise ConfigError("the springs do not hold all atoms; springs, anchors and masses must be positive")
    lowest, highest = stable_betas(coordinates_of(family.groups), family.free[sample], family.nudge[sample])
    bound = lowest if beta < 0.0 else highest
    raise NudgeError(
        f"at beta = {beta:.4g} the nudge overcomes the springs, and there is no ground state; give a "
        f"beta below {abs(bound):.4g} in size (contrast.beta), or stiffer springs"
    )


def variance_of(atoms: SpringNetwork, weights: NDArray, inputs: NDArray) -> GaussianWidths:
    """Return means and widths of the free ground states, in the order of the coordinates that move.

    Args:
        atoms: Atoms and springs.
        weights: Shape (weights,).
        inputs: Shape (samples, inputs).

    Raises:
        NetworkError: There is no ground state.
    """
    energies = quadratic_energies(atoms.groups, atoms.coefficients(weights, inputs))
    pairs = zip(energies.stiffness, energies.masses, strict=True)
    modes = [NormalModes.of(stiffness, masses, atoms.hbar) for stiffness, masses in pairs]
    if not all(found.is_stable for found in modes):
        raise NetworkError("grid: the atoms have no ground state at the starting weights; tie them down")
    means = np.stack(
        [modes[k].equilibrium_of(force[None])[0] for k, force in zip(energies.which, energies.forces, strict=True)]
    )
    roots = ([found.covariance_root(of_momenta=of_momenta) for found in modes] for of_momenta in (False, True))
    widths, momenta = (np.sqrt([np.square(root).sum(axis=1) for root in own])[energies.which] for own in roots)
    return GaussianWidths(means=means, widths=widths, wave_widths=momenta / atoms.hbar)
