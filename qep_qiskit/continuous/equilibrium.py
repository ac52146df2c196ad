"""Classical equilibria of elastic networks (Scellier 2024, arXiv:2406.00879, sec. 2).

Equilibrium propagation holds at every critical point of the energy, not only at minima, if the nudged point is the one
that the free point deforms into continuously.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Literal

import numpy as np
import scipy.optimize
import scipy.sparse.linalg
from numpy.typing import NDArray

from qep_qiskit.continuous.collapse import warn_of_collapse
from qep_qiskit.continuous.complex_nudges import equilibrium_values
from qep_qiskit.continuous.coordinates import CoordinateGroup, coordinates_of
from qep_qiskit.continuous.elastic import PotentialEnergy
from qep_qiskit.continuous.equilibrium_search import (
    FLAT,
    apart,
    count_of_floppy_modes,
    dangles,
    is_minimum,
    minimised,
    polished,
    slopes_along,
    softest,
    solved,
)
from qep_qiskit.continuous.states import ClassicalPositions
from qep_qiskit.core.errors import ConfigError, FloppyModesWarning
from qep_qiskit.core.jobs import in_processes, one_blas_thread
from qep_qiskit.core.limits import Positive, check_limits
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.core.warning_log import warn
from qep_qiskit.preparation.interface import ConvergenceReport, HamiltonianFamily, PreparationResult, WarmStart
from qep_qiskit.preparation.resolution import WANTED, Hidden, contrast_error, size_of

_WARM_START = "resting"
_FORCE_TOLERANCE = 1e-10
_ROUNDING = 1e-15
_NO_FORCE = 1e-13
_NUDGES_ON_THE_WAY = 4


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EquilibriumPreparation:
    """Find minima, or other critical points, of the potential energy.

    Args:
        rest_positions: Shape (atoms, dims), initial positions for a sample without earlier ones.
        critical_point: ``"minimum"``, by a trust-region method; or ``"any"``: the zero of the force nearest to the
            initial positions, stable or not, followed along the nudge.
        tolerance: Force, relative to the stiffest spring, below which atoms are in equilibrium. None: 1e-10, or 3e-4 of
            the force of the nudge where that is less.

    Raises:
        ConfigError: The tolerance is not positive.

    Example:
        >>> network = qep.SpringNetwork(graph=qep.chain(3), outputs=(1,), clamped=(0, 2), inputs=((0, 0),))
        >>> free = network.coefficients(np.array([1.0, 3.0]), np.array([[1.0]]))
        >>> family = qep.HamiltonianFamily.of_free(network.groups, free, qep.RequestKey("demo", 0))
        >>> found = qep.EquilibriumPreparation(rest_positions=np.zeros((3, 1))).prepare(family, qep.WarmStart())
        >>> found.states.points.ravel()
        array([1.  , 0.25, 0.  ])
    """

    singularity_exponent: ClassVar[float] = 0.0

    rest_positions: NDArray[np.float64]
    critical_point: Literal["minimum", "any"] = "minimum"
    tolerance: Positive | None = None

    def __post_init__(self) -> None:
        check_limits(self)

    def prepare(self, family: HamiltonianFamily, start: WarmStart) -> PreparationResult:
        """Return the equilibria of all samples and phases; the search begins at the free ones of `start`."""
        positions, shape = coordinates_of(family.groups)[0], (family.num_samples, len(family.betas))
        coordinate_layout = positions.coordinate_layout
        begin = np.array([self._begin(start, sample) for sample in range(shape[0])])
        free, collapsed = begin, 0
        if not isinstance(start.free, ClassicalPositions):
            with one_blas_thread():
                free = np.array(in_processes(partial(self._free_equilibrium, family), list(enumerate(begin))))
            collapsed = warn_of_collapse(family)
            self._warn_of_dangling(family, free)
        forces = np.array([_force_of_nudge(family, sample, at) for sample, at in enumerate(free)])
        needed = WANTED * family.smallest_nudge * size_of(forces) or (np.inf if family.finest is None else 0.0)
        with one_blas_thread():
            found = in_processes(partial(self._at_nudges, family, needed), list(enumerate(free)))
        free, points, energies, residuals = (np.array(column) for column in zip(*found, strict=True))
        report = replace(
            ConvergenceReport.silent(family),
            energies=energies,
            residuals=np.linalg.norm(residuals, axis=2),
            judged=True,
            minima=self.critical_point == "minimum" and not positions.pairs.is_root.any(),
            collapsed=collapsed,
            hidden=Hidden(part=self._contrast_error(family, free, residuals, forces)),
        )
        states = ClassicalPositions(points.reshape(-1, coordinate_layout.num_atoms, coordinate_layout.dims))
        warm_start = {_WARM_START: free.reshape(shape[0], -1)}
        return PreparationResult(states=states, free=ClassicalPositions(free), warm_start=warm_start, report=report)

    def _free_equilibrium(self, family: HamiltonianFamily, item: tuple[int, NDArray]) -> NDArray[np.float64]:
        sample, begin = item
        return self._equilibrium_at(family, sample, 0.0, begin)

    def _at_nudges(
        self, family: HamiltonianFamily, needed: float, item: tuple[int, NDArray]
    ) -> tuple[NDArray, list[NDArray], list[float], list[NDArray]]:
        """Return the free point of a sample, and at every nudge its point, energy and residual forces."""
        sample, free = item
        free, points, energies, residuals = self._refined(family, sample, free, needed), [], [], []
        for beta in family.betas.tolist():
            here = free if beta == 0.0 else self._followed(family, sample, beta, free, needed)
            potential = _potential(family, sample, beta)
            moving = here.ravel()[potential.moving]
            points.append(here)
            energies.append(potential.value(moving))
            residuals.append(potential.gradient(moving))
        return free, points, energies, residuals

    def _contrast_error(self, family: HamiltonianFamily, free: NDArray, residuals: NDArray, forces: NDArray) -> float:
        """Return the relative error of contrasts from residual forces; with the free points for a single phase."""
        betas = family.betas
        if len(betas) == 1 and betas[0] != 0.0:
            betas, order = np.array([0.0, betas[0]]), 1 if betas[0] > 0.0 else -1
            coordinates = coordinates_of(family.groups)[0].coordinate_layout.moving_coordinates
            moving = free.reshape(len(free), -1)[:, coordinates]
            gradients = [_potential(family, sample, 0.0).gradient(at) for sample, at in enumerate(moving)]
            residuals = np.stack([np.array(gradients), residuals[:, 0]][::order], axis=1)
            betas = betas[::order]
        return contrast_error(betas, residuals, np.broadcast_to(forces[:, None], residuals.shape))

    def _begin(self, start: WarmStart, sample: int) -> NDArray[np.float64]:
        """Return the free point of an earlier stage, that of an earlier epoch, or the rest positions."""
        if isinstance(start.free, ClassicalPositions):
            return start.free.points[sample]
        known = start.arrays.get(_WARM_START)
        if known is not None and np.isfinite(known[sample]).all():
            return known[sample].reshape(self.rest_positions.shape)
        return self.rest_positions

    def _refined(self, family: HamiltonianFamily, sample: int, free: NDArray, needed: float) -> NDArray[np.float64]:
        """Return a free point whose residual force is as small as the nudge requires."""
        potential = _potential(family, sample, 0.0)
        return potential.points(polished(potential, free.ravel()[potential.moving], self._aim(potential, needed)))

    def _followed(
        self, family: HamiltonianFamily, sample: int, beta: float, free: NDArray, needed: float
    ) -> NDArray[np.float64]:
        """Return the nudged point reached from the free point.

        Where any critical point is accepted, the nudge is increased in several steps.
        """
        steps = 1 if self.critical_point == "minimum" else _NUDGES_ON_THE_WAY
        here = free
        for step in range(1, steps + 1):
            here = self._equilibrium_at(family, sample, beta * step / steps, here, needed)
        return here

    def _aim(self, potential: PotentialEnergy, needed: float) -> float:
        """Return the force at which Newton steps end: the tolerance, or less where the nudge needs it."""
        if self.tolerance is not None:
            return self.tolerance * potential.scale
        return float(np.clip(needed, _ROUNDING * potential.scale, _FORCE_TOLERANCE * potential.scale))

    def _equilibrium_at(
        self, family: HamiltonianFamily, sample: int, beta: float, begin: NDArray, needed: float = np.inf
    ) -> NDArray[np.float64]:
        """Return the equilibrium that the search reaches from the initial point."""
        potential = _potential(family, sample, beta)
        moving = apart(potential, begin.ravel()[potential.moving])
        aim, target = self._aim(potential, needed), (self.tolerance or _FORCE_TOLERANCE) * potential.scale
        if self.critical_point == "minimum":
            near = polished(potential, moving, aim)
            moving = near if is_minimum(potential, near, target) else minimised(potential, moving, target)
        else:
            moving = scipy.optimize.root(potential.gradient, moving, jac=potential.dense_hessian, tol=1e-10).x
        moving = polished(potential, moving, aim)
        self._check(potential, moving, target, beta)
        return potential.points(moving)

    def _check(self, potential: PotentialEnergy, moving: NDArray, target: float, beta: float) -> None:
        """Check that the atoms are in equilibrium, and that it is stable where a minimum is required."""
        force = float(np.linalg.norm(potential.gradient(moving)))
        if not force <= 1e4 * target * np.sqrt(len(moving)):
            why = "give springs or anchors that hold the atoms, or another start in network.rest_positions"
            if beta:
                why = f"at beta = {beta:.4g} the nudge may overcome the springs; give a smaller contrast.beta"
            raise ConfigError(f"the elastic network finds no equilibrium: a force of {force:.3g} is left; {why}")
        hessian = potential.hessian(moving)
        lowest, highest, mode = softest(hessian)
        is_flat = abs(lowest) <= FLAT * highest
        if (is_flat and not dangles(potential, moving)) or (
            self.critical_point == "minimum" and lowest < -FLAT * highest
        ):
            coordinate = int(potential.coordinate_layout.moving_coordinates[np.abs(mode).argmax()])
            raise ConfigError(
                f"network: {potential.coordinate_layout.name(coordinate)} is free to drift in the equilibrium at "
                f"beta = {beta:.4g}, which has {count_of_floppy_modes(hessian, highest)} and is not unique; clamp "
                "another atom, anchor it, or add springs"
            )

    def _warn_of_dangling(self, family: HamiltonianFamily, free: NDArray) -> None:
        """Warn of samples in which atoms move freely along modes that affect neither outputs nor weights."""
        potentials = [_potential(family, sample, 0.0) for sample in range(family.num_samples)]
        moving = [points.ravel()[potential.moving] for potential, points in zip(potentials, free, strict=True)]
        warn(
            FloppyModesWarning,
            "atoms of the elastic network move at no cost, but no output and no weight's energy depends on where they "
            "are: the gradient is that of the others. Anchor or clamp them, or add springs, to make the equilibrium "
            "unique",
            affected=sum(dangles(*both) for both in zip(potentials, moving, strict=True)),
            of=family.num_samples,
            severity="warning",
        )

    def complex_means(self, family: HamiltonianFamily, free: PreparationResult, betas: NDArray) -> NDArray:
        """Return all terms at the equilibria that free ones deform into, shape (samples, nudges, terms).

        Raises:
            NudgeError: An equilibrium cannot be followed.
        """
        assert isinstance(free.states, ClassicalPositions)
        groups, rows = coordinates_of(family.groups), zip(family.free, family.nudge, free.states.points, strict=True)
        return np.array([[equilibrium_values(groups, *row, beta) for beta in betas] for row in rows])

    def analytic_radius(self, family: HamiltonianFamily, free: PreparationResult) -> NDArray[np.float64]:
        """Return |beta| at which the free equilibrium, held in place, would lose its stability, shape (samples,)."""
        assert isinstance(free.states, ClassicalPositions)
        return np.array([_stable_up_to(family, sample, points) for sample, points in enumerate(free.states.points)])

    def term_means(self, groups: Sequence[CoordinateGroup], coefficients: NDArray) -> NDArray[np.float64]:
        """Return all terms at the equilibria, shape (states, terms)."""
        states = ClassicalPositions(np.array([self._at(groups, row) for row in coefficients]))
        return states.term_means(groups)

    def _at(self, groups: Sequence[CoordinateGroup], row: NDArray) -> NDArray[np.float64]:
        from qep_qiskit.execution import RequestKey

        family = HamiltonianFamily.of_free(groups, row[None], RequestKey("equilibrium", 0))
        return self._equilibrium_at(family, 0, 0.0, self._begin(WarmStart(), 0))

    def response(self, groups: Sequence[CoordinateGroup], free: NDArray, nudge: NDArray) -> NDArray[np.float64]:
        """Return d(terms)/d(beta) at beta = 0, shape (states, terms), by one linear solve per state.

        The displacement of the equilibrium is the inverse of the second derivatives times the force of the nudge.
        """
        found = []
        for row, change in zip(free, nudge, strict=True):
            points = self._at(groups, row)
            potential, nudged = PotentialEnergy.of(groups, row), PotentialEnergy.of(groups, row + change)
            coordinates = potential.coordinate_layout.moving_coordinates
            moving = points.ravel()[coordinates]
            force = potential.gradient(moving) - nudged.gradient(moving)
            slopes = slopes_along(potential, moving, solved(potential.hessian(moving), force))
            found.append(np.concatenate([slopes, *(np.zeros(group.num_terms) for group in groups[1:])]))
        return np.array(found)


def _stable_up_to(family: HamiltonianFamily, sample: int, points: NDArray) -> float:
    """Return the smallest |beta| at which second derivatives at a point have an eigenvalue zero."""
    without, with_it = _potential(family, sample, 0.0), _potential(family, sample, 1.0)
    moving = points.ravel()[without.moving]
    stiffness = without.dense_hessian(moving)
    values, modes = np.linalg.eigh(stiffness)
    modes = modes[:, np.abs(values) > FLAT * np.abs(values).max()]
    stiffness, change = (modes.T @ matrix @ modes for matrix in (stiffness, with_it.dense_hessian(moving) - stiffness))
    largest = float(np.abs(np.linalg.eigvals(np.linalg.solve(stiffness, change))).max(initial=0.0))
    return 1.0 / largest if largest > 0.0 else np.inf


def _force_of_nudge(family: HamiltonianFamily, sample: int, points: NDArray) -> NDArray[np.float64]:
    """Return the gradient of the cost C at a point, shape (moving,); zero where only rounding errors remain."""
    without, with_it = _potential(family, sample, 0.0), _potential(family, sample, 1.0)
    moving = points.ravel()[without.moving]
    found = with_it.gradient(moving) - without.gradient(moving)
    return np.where(np.abs(found) > _NO_FORCE * with_it.scale, found, 0.0)


def _potential(family: HamiltonianFamily, sample: int, beta: float) -> PotentialEnergy:
    return PotentialEnergy.of(coordinates_of(family.groups), family.free[sample] + beta * family.nudge[sample])
