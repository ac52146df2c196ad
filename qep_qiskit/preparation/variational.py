"""Variational preparation (VQE): minimise the energy over the angles of an ansatz.

Equilibrium propagation holds over any variational family: at a stationary point the contrast is the gradient of the
family's own cost, whatever its distance from the true ground state (Scellier 2024, arXiv:2406.00879, theorem 1, which
requires stationarity only). Two conditions matter: the states have converged, with a residual far below beta times the
required accuracy, and the nudged states are reached from the free one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import UnconvergedError, UnconvergedWarning
from qep_qiskit.core.limits import Count, Index, Positive, Shots, check_limits
from qep_qiskit.core.memory import require_memory
from qep_qiskit.core.program import LayerProgram
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.core.warning_log import warn
from qep_qiskit.evolution import evolve
from qep_qiskit.measurement import MeasurementCoroutine
from qep_qiskit.outcomes.states import CircuitStates
from qep_qiskit.preparation.ansaetze import Ansatz, program_of
from qep_qiskit.preparation.energies import Problem, simulated_energies
from qep_qiskit.preparation.interface import (
    ConvergenceReport,
    HamiltonianFamily,
    PreparationResult,
    WarmStart,
    WarmStartArrays,
    check_level,
)
from qep_qiskit.preparation.minimisers import CONVERGED, Minima, Minimiser, SampledMinimiser, SimulatedMinimiser
from qep_qiskit.preparation.optimizers import BFGS, check_optimizer
from qep_qiskit.preparation.resolution import WANTED, Hidden, contrast_error, sampled_contrast_error, size_of, units_of

_BYTES_PER_AMPLITUDE = 16
_UNKNOWN_NUDGE = 1e-6  # residual of free states that will be part of a contrast, by beta, before the nudge is known
_NO_FORCE = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Levels(CircuitStates):
    """States of one level, with the angles and the minimiser results of the levels below.

    Args:
        levels: Minima of all levels up to the wanted one; rows as the states.
    """

    levels: tuple[Minima, ...]


@short_repr
@dataclass(frozen=True, kw_only=True, eq=False)
class VariationalPreparation:
    """Prepare eigenstates as minima of the energy of an ansatz.

    Args:
        ansatz: The circuit, see `HamiltonianVariational`, `HardwareEfficient`, `FixedAnsatz`.
        seeds: Root of the random streams of initial angles and optimisers.
        level: Index of the eigenstate, 0 for the ground state; excited states by deflation of the lower ones.
        energies: ``"simulated"``: exact energies and gradients from statevectors; the executor only measures the final
            states. ``"sampled"``: every energy is measured, in the same shared batches as the gradient.
        optimizer: ``"bfgs"``, or the lower-case name of an optimiser of qiskit-algorithms, such as ``"spsa"``.
        options: Options of an optimiser of qiskit-algorithms.
        shots: Shots per batch of sampled energies, or None for exact expectations.
        tolerance: A state has converged where the norm of the energy's gradient is below. None: for simulated energies
            1e-4 of the largest coefficient, and minimisation continues to 3e-4 of the force of the nudge, |beta|
            |dC/dp|, where that is less; for sampled energies the norm is reported without a check.
        max_evaluations: Largest number of energies of every state, for ``"bfgs"``.
        restarts: Number of initial points for states without a warm start; the lowest energy is kept.
        residual_directions: Number of random directions in which the slope of sampled energies is measured at the end.
        residual_shots: Shots per batch of these slopes; by default those of the energies.
        on_unconverged: Action for states that have not converged: ``"warn"``, ``"stop"`` or ``"go_on"``.

    Raises:
        ConfigError: A number is out of range, or the optimiser is not available.

    Example:
        >>> vqe = qep.VariationalPreparation(ansatz=qep.HamiltonianVariational(2), seeds=qep.Seeds(0))
        >>> vqe.energies, vqe.optimizer
        ('simulated', 'bfgs')
    """

    ansatz: Ansatz
    seeds: Seeds
    level: Index = 0
    energies: Literal["simulated", "sampled"] = "simulated"
    optimizer: str = BFGS
    options: Mapping[str, Any] = field(default_factory=dict)
    shots: Shots | None = None
    tolerance: Positive | None = None
    max_evaluations: Count = 3000
    restarts: Count = 1
    residual_directions: Index = 4
    residual_shots: Shots | None = None
    on_unconverged: Literal["warn", "stop", "go_on"] = "warn"

    def __post_init__(self) -> None:
        check_limits(self)
        check_optimizer(self.optimizer, self.options, simulated=self.energies == "simulated")

    def prepare(self, family: HamiltonianFamily, start: WarmStart) -> MeasurementCoroutine[PreparationResult]:
        """Minimise the free energies, unless `start` has them, then the nudged ones starting from them."""
        program = program_of(self.ansatz, tuple(family.paulis))
        self._check_level(family)
        minimiser = self._minimiser(program, family)
        free = start.free.levels if isinstance(start.free, _Levels) else None
        if free is None:
            angles = self._first_angles(program, family, start)
            minimiser.sharpen(_UNKNOWN_NUDGE * (family.finest or np.inf) * units_of(family.free).max())
            free = yield from self._solve(minimiser, family, angles, start.arrays.get(_curvature(0.0)))
        forces = self._forces(program, family, free)
        if forces.any():
            needed = WANTED * family.smallest_nudge * size_of(forces)
            minimiser.sharpen(needed)
            if (
                self.tolerance is None
                and self.optimizer == BFGS
                and max(level.residuals.max() for level in free) > needed
            ):
                free = yield from self._solve(minimiser, family, [_points(free)], _inverse_hessians(free))
        solved = {0.0: free}
        for size in sorted({abs(float(beta)) for beta in family.betas} - {0.0}):
            sides = [float(beta) for beta in family.betas if abs(beta) == size]
            solved |= yield from self._nudged(minimiser, family, solved, sides, start.arrays)
        prepared_states = self._prepared_states(program, family, solved, minimiser)
        report = replace(prepared_states.report, hidden=_hidden(family, solved, forces))
        self._judge(report, family)
        return replace(prepared_states, report=report)

    def _forces(
        self, program: LayerProgram, family: HamiltonianFamily, free: tuple[Minima, ...]
    ) -> NDArray[np.float64]:
        """Return gradients of <C> at the free states, shape (samples, levels * parameters).

        Zero where there is no nudge, where C depends on no angle, and where gradients are sampled.
        """
        if self.energies == "sampled" or family.smallest_nudge == 0.0 or not family.nudge.any():
            return np.zeros((family.num_samples, len(free) * program.num_parameters))
        rows, nothing = np.arange(family.num_samples), _points(free)[:, :0]
        problem = Problem(groups=family.paulis, coefficients=family.nudge, lower=nothing)
        found = np.concatenate([simulated_energies(program, problem, rows, level.points)[1] for level in free], axis=1)
        return np.where(np.abs(found) > _NO_FORCE * units_of(family.nudge)[:, None], found, 0.0)

    def _check_level(self, family: HamiltonianFamily) -> None:
        num_qubits = family.paulis[0].num_qubits
        check_level(self.level, num_qubits)
        if self.energies == "simulated":
            require_memory(num_qubits, 6 * _BYTES_PER_AMPLITUDE, "simulated energies")

    def _minimiser(self, program: LayerProgram, family: HamiltonianFamily) -> Minimiser:
        shared: dict[str, Any] = {
            "program": program,
            "optimizer": self.optimizer,
            "options": self.options,
            "seeds": self.seeds,
            "key": family.key,
        }
        if self.energies == "simulated":
            return SimulatedMinimiser(**shared, tolerance=self.tolerance, max_evaluations=self.max_evaluations)
        shots, directions = self.shots, self.residual_directions
        return SampledMinimiser(**shared, shots=shots, directions=directions, slope_shots=self.residual_shots)

    def _tolerances(self, family: HamiltonianFamily) -> NDArray[np.float64]:
        """Return the residuals below which states have converged, shape (samples, phases); infinite without a check."""
        coefficients = family.coefficients()
        if self.tolerance is not None:
            return np.full(coefficients.shape[:2], self.tolerance)
        return units_of(coefficients) * (CONVERGED if self.energies == "simulated" else np.inf)

    def _first_angles(self, program: LayerProgram, family: HamiltonianFamily, start: WarmStart) -> list[NDArray]:
        """Return initial angles: a list of arrays (samples, levels, parameters), the first one from a warm start."""
        shape = (family.num_samples, self.level + 1, program.num_parameters)
        known = start.arrays.get("angles", np.full(shape, np.nan))
        missing: NDArray[np.bool_] = np.any(np.isnan(known), axis=(1, 2))
        count = self.restarts if missing.any() and self.energies == "simulated" else 1
        starts = []
        for restart in range(count):
            generator = self.seeds.generator(*family.key.seed_words, "start", restart)
            cold = [
                self.ansatz.cold_start(family.paulis, family.free, restart + level, generator)
                for level in range(self.level + 1)
            ]
            starts.append(np.where(missing[:, None, None], np.stack(cold, axis=1), known))
        return starts

    def _solve(
        self, minimiser: Minimiser, family: HamiltonianFamily, starts: list[NDArray], inverse: NDArray | None
    ) -> MeasurementCoroutine[tuple[Minima, ...]]:
        """Return free minima of all levels up to the chosen one, each orthogonal to the lower ones.

        Args:
            minimiser: The minimiser.
            family: The Hamiltonians.
            starts: Initial angles (samples, levels, parameters), one array per restart.
            inverse: Inverse Hessians (samples, levels, parameters, parameters) of the first array.
        """
        levels: list[Minima] = []
        for level in range(self.level + 1):
            problem = Problem(
                groups=family.paulis, coefficients=family.free, lower=_points(levels) if levels else starts[0][:, :0]
            )
            known = None if inverse is None else inverse[:, level]
            found = yield from minimiser.minimise(problem, starts[0][:, level], known)
            for other in starts[1:]:
                found = found.lower_of((yield from minimiser.minimise(problem, other[:, level])))
            levels.append(found)
        return tuple(levels)

    def _nudged(
        self,
        minimiser: Minimiser,
        family: HamiltonianFamily,
        solved: Mapping[float, tuple[Minima, ...]],
        sides: list[float],
        warm_start: WarmStartArrays,
    ) -> MeasurementCoroutine[dict[float, tuple[Minima, ...]]]:
        """Return minima at the next larger nudges, +beta and -beta in parallel."""
        coefficients = np.concatenate([family.free + beta * family.nudge for beta in sides])
        nudge = np.concatenate([family.nudge] * len(sides))
        levels: list[Minima] = []
        for level in range(self.level + 1):
            near = Minima.joined([self._near(solved, beta, level, warm_start) for beta in sides])
            problem = Problem(
                groups=family.paulis,
                coefficients=coefficients,
                lower=_points(levels) if levels else near.points[:, None][:, :0],
                nudge=nudge,
            )
            levels.append((yield from minimiser.minimise(problem, near.points, near.inverse_hessians, near.directions)))
        parts = [minima.split(len(sides)) for minima in levels]
        return {beta: tuple(part[side] for part in parts) for side, beta in enumerate(sides)}

    def _near(
        self, solved: Mapping[float, tuple[Minima, ...]], beta: float, level: int, warm_start: WarmStartArrays
    ) -> Minima:
        """Return initial angles of nudged states: those at the next smaller nudge.

        With simulated energies, they are instead the free state displaced as in the previous epoch. Sampled energies do
        not use this displacement, because the errors of unfinished minimisations would accumulate.
        """
        inner = solved[max((b for b in solved if b * beta >= 0), key=abs)][level]
        shifts, curvatures = warm_start.get(_shift(beta)), warm_start.get(_curvature(beta))
        if self.energies == "sampled" or shifts is None or curvatures is None or inner.inverse_hessians is None:
            return inner
        known = ~np.isnan(shifts[:, level, :1])
        displaced = solved[0.0][level].points + shifts[:, level]
        return replace(
            inner,
            points=np.where(known, displaced, inner.points),
            inverse_hessians=np.where(known[:, :, None], curvatures[:, level], inner.inverse_hessians),
        )

    def _prepared_states(
        self,
        program: LayerProgram,
        family: HamiltonianFamily,
        solved: Mapping[float, tuple[Minima, ...]],
        minimiser: Minimiser,
    ) -> PreparationResult:
        wanted = [solved[float(beta)][-1] for beta in family.betas]
        angles = np.stack([minima.points for minima in wanted], axis=1)
        free = _Levels(program=program, parameters=solved[0.0][-1].points, levels=solved[0.0])
        unknown = np.full(angles.shape[:2], np.nan)
        residuals = np.stack([minima.residuals for minima in wanted], axis=1)
        simulated, tolerances = self.energies == "simulated", self._tolerances(family)
        unconverged = tuple(
            f"sample {sample}, beta = {family.betas[phase]:.4g}: residual {residuals[sample, phase]:.1e}"
            for sample, phase in np.argwhere((residuals > tolerances) | (simulated & np.isnan(residuals)))
        )
        report = ConvergenceReport(
            energies=np.stack([minima.values for minima in wanted], axis=1) if simulated else unknown,
            gaps=unknown,
            residuals=residuals,
            overlaps=_overlaps(free, angles) if simulated else unknown,
            evaluations=minimiser.evaluations,
            unconverged=unconverged,
            judged=bool(np.isfinite(tolerances).all()),
        )
        return PreparationResult(
            states=CircuitStates(program=program, parameters=angles.reshape(-1, program.num_parameters)),
            free=free,
            warm_start=_warm_start(solved),
            report=report,
        )

    def _judge(self, report: ConvergenceReport, family: HamiltonianFamily) -> None:
        """Warn or stop where states have not converged."""
        if self.on_unconverged == "go_on":
            return
        missed, checked_states = len(report.unconverged), report.residuals.size
        tolerance = self._tolerances(family).min()
        effort = "preparation.max_evaluations" if self.optimizer == BFGS else "preparation.options"
        advice = (
            f"the contrast is wrong by about residual / beta. Raise {effort}, preparation.restarts or "
            "preparation.tolerance, or choose another ansatz"
        )
        fault = ""
        if missed:
            first = report.unconverged[0]
            fault = f"{missed} of {checked_states} states are not converged to {tolerance:.1e} ({first})"
        elif report.hidden.is_too_much:
            fault = f"residuals hide {min(report.hidden.part, 1.0):.0%} of the contrast"
        if fault and self.on_unconverged == "stop":
            raise UnconvergedError(
                f"preparation: {fault}; {advice}, in a new run; this one stops (on_unconverged = 'stop')"
            )
        text = f"states are not converged to preparation.tolerance; {advice}"
        first = "".join(report.unconverged[:1])
        detail = f"{missed} of {checked_states} states, tolerance {tolerance:.1e}; {first}"
        warn(UnconvergedWarning, text, detail=detail, affected=missed, of=checked_states)


def _points(levels: Sequence[Minima]) -> NDArray[np.float64]:
    """Return the angles of all levels, shape (samples, levels, parameters)."""
    return np.stack([minima.points for minima in levels], axis=1)


def _inverse_hessians(levels: tuple[Minima, ...]) -> NDArray[np.float64] | None:
    """Return inverse Hessians of all levels, shape (samples, levels, parameters, parameters), where all have them."""
    known = [minima.inverse_hessians for minima in levels if minima.inverse_hessians is not None]
    return np.stack(known, axis=1) if len(known) == len(levels) else None


def _hidden(family: HamiltonianFamily, solved: Mapping[float, tuple[Minima, ...]], forces: NDArray) -> Hidden:
    """Return the unknown part of the contrasts between phases, or with the free phase for a single one."""
    betas = np.unique(family.betas) if len(family.betas) > 1 else np.union1d(family.betas, [0.0])
    phases = [solved[float(beta)] for beta in betas]
    if len(betas) < 2:
        return Hidden()
    gradients = [minima.gradients for levels in phases for minima in levels]
    known = [gradient for gradient in gradients if gradient is not None]
    if len(known) == len(gradients):
        residuals = np.stack(known, axis=1).reshape(family.num_samples, len(betas), -1)
        return Hidden(part=contrast_error(betas, residuals, np.broadcast_to(forces[:, None], residuals.shape)))
    if not family.nudge.any():
        return Hidden(part=0.0)
    points = np.stack([_points(levels) for levels in phases])
    if (points == points[0]).all():
        return Hidden(part=1.0)  # without any slope: nothing has followed the nudge
    slopes = [minima.slopes for levels in phases for minima in levels]
    measured = [slope for slope in slopes if slope is not None]
    if len(measured) < len(slopes):
        return Hidden(square_error=np.inf)
    whole = np.stack(measured).reshape(len(betas), len(phases[0]), *measured[0].shape)
    return sampled_contrast_error(betas, whole.transpose(2, 0, 3, 1, 4))


def _shift(beta: float) -> str:
    """Name of the stored displacement from the free to a nudged state."""
    return f"shift_{beta:+.12g}"


def _curvature(beta: float) -> str:
    """Name of the stored inverse Hessians at a nudge."""
    return f"inverse_hessians_{beta:+.12g}"


def _warm_start(solved: Mapping[float, tuple[Minima, ...]]) -> dict[str, NDArray]:
    """Return the arrays of a warm start: free angles, inverse Hessians (single precision), and displacements."""
    angles = {beta: _points(levels) for beta, levels in solved.items()}
    warm_start = {"angles": angles[0.0]}
    for beta, levels in solved.items():
        curvatures = _inverse_hessians(levels)
        if curvatures is not None:
            warm_start[_curvature(beta)] = curvatures.astype(np.float32)
            if beta != 0.0:
                warm_start[_shift(beta)] = angles[beta] - angles[0.0]
    return warm_start


def _overlaps(free: CircuitStates, angles: NDArray) -> NDArray:
    """Return |<free|nudged>|^2, shape (samples, phases)."""
    samples, phases, size = angles.shape
    ket = evolve(free.program, angles.reshape(-1, size)).reshape(samples, phases, -1)
    return np.abs(np.einsum("sx,spx->sp", evolve(free.program, free.parameters).conj(), ket)) ** 2
