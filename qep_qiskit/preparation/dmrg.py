"""Eigenstates as matrix product states, for networks that are too wide to diagonalise.

The free state starts from that of the same sample an epoch ago, or from a random matrix product; nudged states start
from the free one. What truncation to the largest bond dimension discards is the residual of a state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import TruncatedStateWarning, UnconvergedError, UnconvergedWarning
from qep_qiskit.core.jobs import in_processes, one_blas_thread
from qep_qiskit.core.limits import Count, Index, NotNegative, Positive, check_limits
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.core.warning_log import warn
from qep_qiskit.outcomes.matrix_product import MatrixProductState, local_basis_of
from qep_qiskit.outcomes.matrix_product_states import MatrixProductStates
from qep_qiskit.preparation.interface import (
    ConvergenceReport,
    HamiltonianFamily,
    PreparationResult,
    WarmStart,
    check_level,
)
from qep_qiskit.preparation.resolution import WANTED, units_of
from qep_qiskit.preparation.tensor_solver import Minimum, TensorSolver, site_order

_START_BOND = 2
_FREE_TOLERANCE = 1e-8
_ENTRIES, _BONDS = "tensor_entries", "tensor_bonds"  # names of the arrays of a warm start

Levels = tuple[Minimum, ...]


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _LevelStates(MatrixProductStates):
    """Free states, with the states of lower levels and how they were reached.

    Args:
        levels: For every state, the minima of all levels up to its own.
    """

    levels: tuple[Levels, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sample:
    """States of one sample: minima of all levels, free and at every nudge, and the sweeps that were run for them."""

    free: Levels
    phases: tuple[Levels, ...]
    sweeps: int


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DmrgPreparation:
    """Prepare eigenstates as matrix product states by the density matrix renormalisation group (needs physics-tenpy).

    Args:
        seeds: Root of the random streams of the first states, which are the same for all samples.
        level: Index of the eigenstate, 0 for the ground state; excited states are orthogonal to those below.
        max_bond_dimension: Largest bond dimension. The cost of a sweep grows with its third power.
        cutoff: Squared Schmidt coefficients below are dropped, also where the bond dimension allows more.
        max_sweeps: Largest number of sweeps, each to the last bond and back.
        energy_tolerance: Sweeps end when one changes the energy, over the largest coefficient, by less than this, or
            by less than the weight that truncation discards. None: 1e-8, or the square of 3e-4 of the nudge, over the
            largest coefficient, where that is less.
        tolerance: Discarded weight above which a state has not converged.
        order: The spins in the order of the sites, or ``"reverse_cuthill_mckee"``, which places spins that share a
            term close to each other.
        on_unconverged: Action for states that have not converged: ``"warn"``, ``"stop"`` or ``"go_on"``.

    Raises:
        ConfigError: A number is out of range.

    Example:
        >>> dmrg = qep.DmrgPreparation(seeds=qep.Seeds(0), max_bond_dimension=16)
        >>> dmrg.max_bond_dimension, dmrg.order
        (16, 'reverse_cuthill_mckee')
    """

    seeds: Seeds
    level: Index = 0
    max_bond_dimension: Count = 32
    cutoff: NotNegative = 1e-12
    max_sweeps: Count = 20
    energy_tolerance: NotNegative | None = None
    tolerance: Positive = 1e-5
    order: Literal["reverse_cuthill_mckee"] | tuple[int, ...] = "reverse_cuthill_mckee"
    on_unconverged: Literal["warn", "stop", "go_on"] = "warn"

    def __post_init__(self) -> None:
        check_limits(self)

    @property
    def finer(self) -> DmrgPreparation:
        """Return the preparation with twice the bond dimension, which shows what truncation costs."""
        return replace(self, max_bond_dimension=2 * self.max_bond_dimension, on_unconverged="go_on")

    def solver(self, groups: Sequence[CommutingGroup]) -> TensorSolver:
        """Return the solver for Hamiltonians of some groups.

        Raises:
            ConfigError: A basis couples qubits, the level does not exist, or the order is not one of the spins.
        """
        for group in groups:
            local_basis_of(group)
        check_level(self.level, groups[0].num_qubits)
        return TensorSolver(
            strings=tuple(string for group in groups for string in group.terms),
            order=site_order(groups, self.order),
            max_bond_dimension=self.max_bond_dimension,
            cutoff=self.cutoff,
            max_sweeps=self.max_sweeps,
        )

    def prepare(self, family: HamiltonianFamily, start: WarmStart) -> PreparationResult:
        """Return the eigenstates of all samples and phases, from free states or matrix products of `start`.

        Raises:
            ResourceError: TeNPy is not installed.
            UnconvergedError: States have not converged, and `on_unconverged` says to stop.
        """
        solver = self.solver(family.paulis)
        nothing: tuple[Levels, ...] = ((),) * family.num_samples
        known = start.free.levels if isinstance(start.free, _LevelStates) else nothing
        firsts = self._first_states(solver, family.num_samples, start.arrays)
        work = partial(_prepared, solver, tuple(family.betas.tolist()), self._energy_tolerance(family))
        samples = in_processes(work, list(zip(family.free, family.nudge, firsts, known, strict=True)))
        free, found = tuple(sample.free for sample in samples), [sample.phases for sample in samples]
        report = self._report(family, samples)
        self._judge(report, family)
        return PreparationResult(
            states=_batch([minima[-1] for phases in found for minima in phases]),
            free=_LevelStates(
                states=tuple(levels[-1].state for levels in free),
                energies=np.array([levels[-1].energy for levels in free]),
                levels=free,
            ),
            report=report,
            warm_start=_packed(free, _bonds_up_to(family.paulis[0].num_qubits, self.max_bond_dimension)),
        )

    def _energy_tolerance(self, family: HamiltonianFamily) -> float:
        """Return the energy tolerance: a state that is off by an amplitude d has an energy that is off by d^2.

        It follows the nudge, which moves a state by about its size over that of the Hamiltonian.
        """
        if self.energy_tolerance is not None:
            return self.energy_tolerance
        size = family.smallest_nudge * float(np.abs(family.nudge).max(initial=0.0)) or family.finest or 0.0
        moved = size / float(units_of(family.free).max())
        return min(_FREE_TOLERANCE, (WANTED * moved) ** 2) if moved else _FREE_TOLERANCE

    def _first_states(
        self, solver: TensorSolver, num_samples: int, arrays: Mapping[str, NDArray]
    ) -> list[list[MatrixProductState]]:
        """Return first states of all levels for every sample: those of an epoch ago, or random ones."""
        num_spins = len(solver.order)
        bonds = [min(most, _START_BOND) for most in _bonds_up_to(num_spins, self.max_bond_dimension)]
        shapes = [(left, 2, right) for left, right in pairwise([1, *bonds, 1])]
        cold = []
        for level in range(self.level + 1):
            generator = self.seeds.generator("dmrg", level)
            cold.append(MatrixProductState.of([generator.normal(size=shape) for shape in shapes], solver.order))
        if _ENTRIES not in arrays or _BONDS not in arrays:
            return [cold] * num_samples
        return [
            cold if np.isnan(bonds).any() else _unpacked(entries, bonds, solver.order)
            for entries, bonds in zip(arrays[_ENTRIES], arrays[_BONDS], strict=True)
        ]

    def _report(self, family: HamiltonianFamily, samples: Sequence[_Sample]) -> ConvergenceReport:
        minima = [[levels[-1] for levels in sample.phases] for sample in samples]
        reasons = [
            f"sample {number}, beta = {family.betas[phase]:.4g}: {reason}"
            for number, sample in enumerate(samples)
            for phase, levels in enumerate(sample.phases)
            for reason in [self._reason(levels)]
            if reason
        ]
        return ConvergenceReport(
            energies=np.array([[own.energy for own in phases] for phases in minima]),
            gaps=np.full((family.num_samples, len(family.betas)), np.nan),
            residuals=np.array([[_most_discarded(levels) for levels in sample.phases] for sample in samples]),
            overlaps=np.array(
                [
                    [abs(sample.free[-1].state.overlap(own.state)) ** 2 for own in phases]
                    for sample, phases in zip(samples, minima, strict=True)
                ]
            ),
            evaluations=sum(sample.sweeps for sample in samples),
            unconverged=tuple(reasons),
            judged=True,
        )

    def _reason(self, levels: Levels) -> str:
        """Return why a state has not converged, or an empty text."""
        discarded = _most_discarded(levels)
        if discarded > self.tolerance:
            return f"bonds of {self.max_bond_dimension} discard {discarded:.1e} of its weight"
        unsettled = next((level for level in levels if not level.is_settled), None)
        if unsettled is not None:
            return f"sweep {unsettled.sweeps} still changes its energy by {abs(unsettled.change):.1e}"
        return ""

    def _judge(self, report: ConvergenceReport, family: HamiltonianFamily) -> None:
        """Warn or stop where states have not converged."""
        if self.on_unconverged == "go_on":
            return
        larger = min(2 * self.max_bond_dimension, 1 << family.paulis[0].num_qubits // 2)
        cut = int((report.residuals > self.tolerance).sum())
        moving, count = len(report.unconverged) - cut, report.residuals.size
        first = "".join(report.unconverged[:1])
        if self.on_unconverged == "stop" and report.unconverged:
            advice = f"try preparation.max_bond_dimension = {larger}" if cut else "raise preparation.max_sweeps"
            raise UnconvergedError(
                f"preparation: {len(report.unconverged)} of {count} states are not converged ({first}); {advice}, in a "
                "new run; this one stops (on_unconverged = 'stop')"
            )
        warn(
            TruncatedStateWarning,
            "matrix product states lose more weight than preparation.tolerance where their bonds are cut, and means "
            "and gradients with it: raise preparation.max_bond_dimension, or choose another preparation.order",
            detail=f"{cut} of {count} states; {first}; try {larger}",
            affected=cut,
            of=count,
        )
        warn(
            UnconvergedWarning,
            "sweeps of matrix product states end before their energy is constant: raise preparation.max_sweeps or "
            "preparation.energy_tolerance",
            detail=f"{moving} of {count} states; {first}",
            affected=moving,
            of=count,
        )


def _prepared(
    solver: TensorSolver,
    betas: Sequence[float],
    energy_tolerance: float,
    item: tuple[NDArray, NDArray, Sequence[MatrixProductState], Levels],
) -> _Sample:
    """Return the states of one sample: the free ones unless they are known, and all phases.

    Each nudged state starts from the state at the next smaller nudge.

    Args:
        solver: The solver.
        betas: The nudges.
        energy_tolerance: Change of the energy by a sweep below which sweeps end.
        item: Coefficients of H and C, first states of all levels, and the free states, or nothing.
    """
    free, nudge, firsts, known = item
    sweeps = 0

    def levels_of(coefficients: NDArray, firsts: Sequence[MatrixProductState]) -> Levels:
        """Return minima of all levels, each orthogonal to those below."""
        nonlocal sweeps
        found: list[Minimum] = []
        for first in firsts:
            lower = [below.state for below in found]
            found.append(solver.minimum(coefficients, first, energy_tolerance, lower))
        sweeps += sum(level.sweeps for level in found)
        return tuple(found)

    with one_blas_thread():
        first = known or levels_of(free, firsts)
        solved = {0.0: first}
        for beta in sorted(betas, key=abs):
            if beta not in solved:
                nearest = solved[max((b for b in solved if b * beta >= 0), key=abs)]
                solved[beta] = levels_of(free + beta * nudge, [level.state for level in nearest])
    return _Sample(free=first, phases=tuple(solved[beta] for beta in betas), sweeps=sweeps)


def _batch(minima: Sequence[Minimum]) -> MatrixProductStates:
    return MatrixProductStates(
        states=tuple(own.state for own in minima), energies=np.array([own.energy for own in minima])
    )


def _most_discarded(levels: Levels) -> float:
    return max(level.state.discarded for level in levels)


def _bonds_up_to(num_spins: int, most: int) -> list[int]:
    """Return the largest bond dimensions between sites of a register."""
    return [min(most, 1 << min(site, num_spins - site, 30)) for site in range(1, num_spins)]


def _packed(free: Sequence[Levels], most: Sequence[int]) -> dict[str, NDArray]:
    """Return free states as arrays of equal size for every sample, filled up with zeros."""
    length = sum(2 * left * right for left, right in pairwise([1, *most, 1]))
    packed = [[level.state.packed() for level in levels] for levels in free]
    dtype = np.result_type(*(own["entries"].dtype for levels in packed for own in levels))
    entries = np.zeros((len(packed), len(packed[0]), length), dtype=dtype)
    for sample, levels in enumerate(packed):
        for level, own in enumerate(levels):
            entries[sample, level, : len(own["entries"])] = own["entries"]
    return {_ENTRIES: entries, _BONDS: np.array([[own["bonds"] for own in levels] for levels in packed], dtype=float)}


def _unpacked(entries: NDArray, bonds: NDArray, order: tuple[int, ...]) -> list[MatrixProductState]:
    """Return the states of all levels of one sample."""
    return [
        MatrixProductState.of_packed(
            {"entries": own, "bonds": sizes, "order": np.array(order), "discarded": np.array(0.0)}
        )
        for own, sizes in zip(entries, bonds, strict=True)
    ]
