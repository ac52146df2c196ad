"""Exact eigenstates by diagonalisation; excited states are followed along the nudge by their overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.components import Component, components
from qep_qiskit.core.errors import BranchJumpWarning, ConfigError, DegenerateGroundStateWarning
from qep_qiskit.core.groups import blocks_of
from qep_qiskit.core.jobs import current_jobs, in_processes, in_threads, one_blas_thread
from qep_qiskit.core.limits import Index, NotNegative, check_limits
from qep_qiskit.core.memory import require_memory
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.warning_log import warn
from qep_qiskit.outcomes.known_states import VectorStates
from qep_qiskit.outcomes.product_states import ProductStates
from qep_qiskit.preparation.complex_branches import FollowedBranch
from qep_qiskit.preparation.components import by_parts, family_of, prepare_parts
from qep_qiskit.preparation.interface import (
    ConvergenceReport,
    HamiltonianFamily,
    PreparationResult,
    WarmStart,
    check_level,
)
from qep_qiskit.preparation.spectra import dense_hamiltonians, lanczos

_DENSE_UP_TO_QUBITS = 7
_DENSE_AMPLITUDES_PER_CALL = 1 << 18
_LANCZOS_AMPLITUDES_PER_CALL = 1 << 14
_GAP_TOLERANCE = 1e-7  # the error of a level is quadratic in it
_TOO_SMALL_FOR_LANCZOS = 2
_SPARE_LEVELS = 3
_SURE_OVERLAP = 0.8
_FINEST_PART = 1.0 / 256.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactPreparation:
    """Prepare exact eigenstates by diagonalisation.

    The ground state is the lowest level at every nudge. A higher level is counted in the free Hamiltonian, and its
    nudged states are those that it deforms into continuously: they are followed in beta by their overlap, through level
    crossings.

    Args:
        level: Index of the eigenstate, 0 for the ground state.
        solver: ``"dense"``, ``"lanczos"`` (from 3 qubits on), ``"components"``: each part of the network that nothing
            couples to the others by itself, ground states only; or ``"auto"``: dense up to 7 qubits, above that
            unconnected parts by themselves, and Lanczos for what is wider than 7 qubits.
        tolerance: Relative tolerance of Lanczos; zero is machine precision.

    Raises:
        ConfigError: The level or the tolerance is negative, or the solver cannot find the level.

    Example:
        >>> network = qep.IsingNetwork(graph=qep.chain(2), outputs=(1,))
        >>> free = np.array([[-1.0, 0.0, 0.0, -0.5, -0.5]])  # of Z0 Z1, Z0, Z1, X0, X1
        >>> family = qep.HamiltonianFamily.of_free(network.groups, free, qep.RequestKey("demo", 0))
        >>> qep.ExactPreparation().prepare(family, qep.WarmStart()).report.energies.round(6)
        array([[-1.414214]])
    """

    singularity_exponent: ClassVar[float] = 0.5

    level: Index = 0
    solver: Literal["auto", "dense", "lanczos", "components"] = "auto"
    tolerance: NotNegative = 0.0

    def __post_init__(self) -> None:
        check_limits(self)
        if self.solver == "components" and self.level > 0:
            raise ConfigError(
                f"level: solver = 'components' finds ground states only, got level {self.level}; use solver = 'dense'"
            )

    def prepare(self, family: HamiltonianFamily, start: WarmStart) -> PreparationResult:
        """Return the eigenstates of all samples and phases; free states of `start` are reused, Lanczos starts there."""
        if self.splits(family.paulis):
            return prepare_parts(self._prepare_whole, family, start)
        return self._prepare_whole(family, start)

    def _prepare_whole(self, family: HamiltonianFamily, start: WarmStart) -> PreparationResult:
        known = start.free if isinstance(start.free, VectorStates) else None
        if self.level > 0:
            free = self.solve(family.paulis, family.free) if known is None else known
            states = self._followed(family, free)
            return PreparationResult(states=states, free=free, report=self._report(family, states, free))
        states = self._ground_states(family, known)
        known = family.free_states_of(states) if known is None else known
        return PreparationResult(states=states, free=known, report=self._report(family, states, known))

    def splits(self, groups: Sequence[CommutingGroup]) -> bool:
        """Return whether states are products of those of unconnected parts, whose joint vector is never formed.

        Args:
            groups: The commuting groups.
        """
        wanted = {"components": 1, "auto": _DENSE_UP_TO_QUBITS}
        if self.level > 0 or self.solver not in wanted or groups[0].num_qubits <= wanted[self.solver]:
            return False
        return len(components(tuple(groups))) > 1

    def _report(self, family: HamiltonianFamily, states: VectorStates, free: VectorStates | None) -> ConvergenceReport:
        shape, is_lowest = (family.num_samples, len(family.betas)), self.level == 0
        unknown = overlaps = np.full(shape, np.nan)
        if free is not None:
            overlaps = np.abs(np.einsum("sx,spx->sp", free.vectors.conj(), states.vectors.reshape(*shape, -1))) ** 2
        return ConvergenceReport(
            energies=states.energies.reshape(shape),
            gaps=states.gaps.reshape(shape),
            residuals=unknown,
            overlaps=overlaps,
            minima=is_lowest,
            lowest=is_lowest,
        )

    def _ground_states(self, family: HamiltonianFamily, free: VectorStates | None) -> VectorStates:
        """Return the ground states of all rows; free states that are already known are reused."""
        if free is None or 0.0 not in family.betas:
            return self.solve(family.paulis, family.rows(), near=self._near(free, len(family.betas)))
        shape = (family.num_samples, len(family.betas))
        nudged = family.betas != 0.0
        near = self._near(free, int(nudged.sum()))
        rows = family.coefficients()[:, nudged].reshape(-1, family.free.shape[1])
        solved = self.solve(family.paulis, rows, near=near) if nudged.any() else None

        def filled(name: str) -> NDArray:
            known = getattr(free, name)
            whole = np.empty((*shape, *known.shape[1:]), dtype=known.dtype)
            whole[:, ~nudged] = known[:, None]
            if solved is not None:
                whole[:, nudged] = getattr(solved, name).reshape(shape[0], -1, *known.shape[1:])
            return whole.reshape(-1, *known.shape[1:])

        return VectorStates(vectors=filled("vectors"), energies=filled("energies"), gaps=filled("gaps"))

    def _near(self, free: VectorStates | None, phases: int) -> NDArray | None:
        """Return initial states of Lanczos, those of every phase of a sample after each other."""
        if free is None or self._is_dense(free.num_qubits):
            return None
        return np.repeat(free.vectors, phases, axis=0)

    def solve(
        self, groups: Sequence[CommutingGroup], coefficients: NDArray, *, near: NDArray | None = None
    ) -> VectorStates:
        """Return the chosen level of every Hamiltonian, with energies and gaps, as vectors of all qubits.

        Args:
            groups: The commuting groups.
            coefficients: Shape (states, terms), in energy.
            near: Shape (states, 2^N), initial states for Lanczos, such as the free states of nudged ones.

        Raises:
            ResourceError: The states do not fit in memory.
            ConfigError: There is no such level.
            QepError: Lanczos does not converge.
        """
        num_qubits = groups[0].num_qubits
        check_level(self.level, num_qubits)
        with one_blas_thread():
            if self._is_dense(num_qubits):
                states = self._solve_dense(groups, coefficients)
            else:
                states = self._solve_lanczos(groups, coefficients, near)
        _warn_if_degenerate(states, coefficients, self.level)
        return states

    def _is_dense(self, num_qubits: int) -> bool:
        dense_up_to = {
            "dense": num_qubits,
            "components": _DENSE_UP_TO_QUBITS,
            "auto": _DENSE_UP_TO_QUBITS,
            "lanczos": _TOO_SMALL_FOR_LANCZOS,
        }
        return num_qubits <= dense_up_to[self.solver]

    def _solve_dense(self, groups: Sequence[CommutingGroup], coefficients: NDArray) -> VectorStates:
        num_qubits = groups[0].num_qubits
        per_call = max(1, _DENSE_AMPLITUDES_PER_CALL >> (2 * num_qubits))
        starts = range(0, len(coefficients), per_call)
        side_by_side = min(current_jobs(), len(starts))
        require_memory(num_qubits, 4 * 16 * side_by_side, "dense diagonalisation", bits_per_qubit=2)

        def solved(start: int) -> tuple[NDArray, NDArray, NDArray]:
            levels, vectors = np.linalg.eigh(dense_hamiltonians(groups, coefficients[start : start + per_call]))
            return vectors[:, :, self.level], levels[:, self.level], _gaps(levels, self.level)

        return _states_of(in_threads(solved, starts))

    def _solve_lanczos(
        self, groups: Sequence[CommutingGroup], coefficients: NDArray, near: NDArray | None
    ) -> VectorStates:
        """Solve several rows side by side; how many does not depend on the number of jobs, but last bits depend on it.

        All rows without initial states are solved to full precision, which degenerate levels need to be seen. Rows with
        one are of a nudge, and the free state has shown whether its level is degenerate.
        """
        num_qubits = groups[0].num_qubits
        tolerances = np.full(self._lanczos_levels(num_qubits), self.tolerance)
        per_call = max(1, _LANCZOS_AMPLITUDES_PER_CALL >> num_qubits)
        starts = range(0, len(coefficients), per_call)
        arrays = 14 * len(tolerances) * per_call * min(current_jobs(), len(starts)) + len(coefficients)
        require_memory(num_qubits, 16 * arrays, "Lanczos")
        if near is not None:
            tolerances[-1] = max(self.tolerance, _GAP_TOLERANCE)
        work = partial(_solved_rows, tuple(groups), tolerances)
        rows = [slice(start, start + per_call) for start in starts]
        return _states_of(
            in_processes(work, [(coefficients[some], None if near is None else near[some]) for some in rows])
        )

    def complex_means(self, family: HamiltonianFamily, free: PreparationResult, betas: NDArray) -> NDArray:
        """Return means of all terms at complex nudges, on the branch of the free state: (samples, nudges, terms).

        Raises:
            NudgeError: Another level meets the followed one on the way.
        """
        if isinstance(free.states, ProductStates):
            return self._complex_means_by_parts(family, free.states, betas)
        assert isinstance(free.states, VectorStates)
        size = free.states.num_qubits
        levels = None if self._is_dense(size) else min(self._lanczos_levels(size) + _SPARE_LEVELS, (1 << size) - 2)

        def followed(row: NDArray, nudge: NDArray, state: NDArray) -> NDArray:
            branch = FollowedBranch(family.paulis, row, nudge, state, levels=levels, tolerance=self.tolerance)
            return np.array([branch.means(beta) for beta in betas])

        with one_blas_thread():
            rows = zip(family.free, family.nudge, free.states.vectors, strict=True)
            return np.array([followed(*row) for row in rows])

    def _complex_means_by_parts(self, family: HamiltonianFamily, states: ProductStates, betas: NDArray) -> NDArray:
        part_of = dict(zip(states.qubits, states.parts, strict=True))

        def means(part: Component) -> NDArray:
            own = family_of(part, family)
            free = PreparationResult(states=part_of[part.qubits], report=ConvergenceReport.silent(own))
            return self.complex_means(own, free, betas)

        return by_parts(family.paulis, (family.num_samples, len(betas)), means)

    def analytic_radius(self, family: HamiltonianFamily, free: PreparationResult) -> NDArray[np.float64]:
        """Return gap / range(C), below which no level meets the followed one (Weyl), shape (samples,)."""
        ranges = np.sum([group.ranges(block) for group, block in blocks_of(family.groups, family.nudge)], axis=0)
        gaps = free.report.gaps[:, 0]
        return np.divide(gaps, ranges, out=np.full(len(gaps), np.inf), where=ranges > 0.0)

    def check_level(self, num_qubits: int) -> None:
        """Check that the solver can compute the level.

        Raises:
            ConfigError: Lanczos cannot compute the level; only dense diagonalisation can.
        """
        if not self._is_dense(num_qubits):
            self._lanczos_levels(num_qubits)

    def _lanczos_levels(self, num_qubits: int) -> int:
        """Return the number of levels to compute: up to the chosen one, and the next higher one."""
        count = self.level + 2
        if count >= 1 << num_qubits:
            raise ConfigError(
                f"level: Lanczos gives levels 0 to {(1 << num_qubits) - 3} of {num_qubits} spins, "
                f"got {self.level}; use solver = 'dense'"
            )
        return count

    def _followed(self, family: HamiltonianFamily, free: VectorStates) -> VectorStates:
        """Return the nudged states of a higher level, followed from the free state to both signs of beta."""
        samples = list(zip(family.free, family.nudge, free.vectors, free.energies, free.gaps, strict=True))
        share = in_threads if self._is_dense(family.paulis[0].num_qubits) else in_processes
        with one_blas_thread():
            found = share(partial(self._followed_sample, tuple(family.paulis), family.betas), samples)
        for lost in (line for *_, lines in found for line in lines):
            warn(
                BranchJumpWarning,
                f"level {self.level} cannot be followed to the nudge, because no state there overlaps with it "
                "enough: the contrast mixes branches. Use a smaller contrast.beta, or a level with a larger gap",
                detail=lost,
            )
        return _states_of([part for *part, _ in found])  # type: ignore[misc]

    def _followed_sample(
        self, groups: tuple[CommutingGroup, ...], betas: NDArray, sample: tuple[NDArray, NDArray, NDArray, float, float]
    ) -> tuple[NDArray, NDArray, NDArray, list[str]]:
        """Return vectors, energies and gaps of one sample at all nudges, and where its state was lost."""
        free, nudge, psi, energy, gap = sample
        here, lost = {0.0: (psi, energy, gap)}, list[str]()
        for beta in sorted(betas.tolist(), key=abs):
            if beta not in here:
                nearest = max((b for b in here if b * beta >= 0), key=abs)
                here[beta] = self._deformed(groups, (free, nudge), (nearest, beta), here[nearest][0], lost)
        vectors, energies, gaps = (np.array(column) for column in zip(*(here[b] for b in betas.tolist()), strict=True))
        return vectors, energies, gaps, lost

    def _deformed(
        self,
        groups: tuple[CommutingGroup, ...],
        coefficients: tuple[NDArray, NDArray],
        betas: tuple[float, float],
        psi: NDArray,
        lost: list[str],
    ) -> tuple[NDArray, float, float]:
        """Follow a state from one nudge to another; halve the step until the overlap identifies it."""
        (free, nudge), (beta, end) = coefficients, betas
        whole = step = end - beta
        while True:
            target = end if abs(end - beta) <= abs(step) else beta + step
            levels, states = self._spectrum(groups, free + target * nudge, psi)
            overlaps = np.abs(states.conj().T @ psi) ** 2
            best = int(overlaps.argmax())
            if overlaps[best] < _SURE_OVERLAP and abs(step) > abs(whole) * _FINEST_PART:
                step /= 2.0
                continue
            if overlaps[best] < _SURE_OVERLAP:
                lost.append(f"from beta = {beta:.4g} to {target:.4g} the overlap is at most {overlaps[best]:.2f}")
            psi, beta = states[:, best], target
            if beta == end:
                return psi, float(levels[best]), float(_gaps(levels[None], best)[0])

    def _spectrum(
        self, groups: Sequence[CommutingGroup], coefficients: NDArray, near: NDArray
    ) -> tuple[NDArray, NDArray]:
        """Return the levels among which a followed state is identified."""
        num_qubits = groups[0].num_qubits
        if self._is_dense(num_qubits):
            levels, states = np.linalg.eigh(dense_hamiltonians(groups, coefficients[None]))
            return levels[0], states[0]
        count = min(self._lanczos_levels(num_qubits) + _SPARE_LEVELS, (1 << num_qubits) - 1)
        levels, states = lanczos(groups, coefficients[None], np.full(count, self.tolerance), near=near[None])
        return levels[0], states[0].T


def _solved_rows(
    groups: tuple[CommutingGroup, ...], tolerances: NDArray, rows: tuple[NDArray, NDArray | None]
) -> tuple[NDArray, NDArray, NDArray]:
    """Return vectors, energies and gaps of some rows, of the highest level but one."""
    coefficients, near = rows
    levels, states = lanczos(groups, coefficients, tolerances, near=near)
    return states[:, -2], levels[:, -2], _gaps(levels, levels.shape[1] - 2)


def _states_of(parts: Sequence[tuple[NDArray, NDArray, NDArray]]) -> VectorStates:
    """Return states from parts of their vectors, energies and gaps."""
    vectors, energies, gaps = (np.concatenate(column) for column in zip(*parts, strict=True))
    return VectorStates(vectors=vectors, energies=energies, gaps=gaps)


def _gaps(levels: NDArray, level: int) -> NDArray:
    """Return the distance of a level to the nearest other one, among sorted levels (states, count)."""
    distances = np.abs(levels - levels[:, level : level + 1])
    distances[:, level] = np.inf
    return distances.min(axis=1)


def _warn_if_degenerate(states: VectorStates, coefficients: NDArray, level: int) -> None:
    scale = np.maximum(np.abs(coefficients).sum(axis=1), 1e-300)
    found = int((states.gaps < 1e-9 * scale).sum())
    warn(
        DegenerateGroundStateWarning,
        f"{'the ground state' if level == 0 else f'level {level}'} is degenerate: its expectations are arbitrary. "
        "Break the symmetry: give biases, inputs, or transverse fields above zero",
        detail=f"{found} of {amount(len(states.gaps), 'state')}, smallest gap {states.gaps.min():.1e}" if found else "",
        affected=found,
        of=len(states.gaps),
    )
