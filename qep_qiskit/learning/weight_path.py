"""The way of weights on springs to their equilibrium: a fixed-point iteration on measured forces.

Each move is where the force at the last point puts the weights. Near a stable equilibrium moves shrink by a factor, the
contraction: epsilon times the response of dH/dw to the weights, the same for all directions that have it. This response
is symmetric and positive for ground states, so the ratio of successive moves can only grow on the way; a ratio above
one says for sure that the equilibrium is not stable.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import NetworkError, UnconvergedWarning
from qep_qiskit.core.warning_log import warn
from qep_qiskit.learning.gradient_estimate import GradientEstimate, WeightEquilibrium
from qep_qiskit.measurement import StateMoments
from qep_qiskit.network import TermJacobian, WeightLayout
from qep_qiskit.outcomes import is_none
from qep_qiskit.preparation import ConvergenceReport

_STANDARD_ERRORS = 2.0
_ROUNDING = 1e-13
_FAR = 10.0
_GROWING = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Force:
    """Mean of dH/dw over a batch, in one phase and at given weights.

    Args:
        values: Shape (weights,).
        variance: Variance by shots, shape (weights,); NaN where one shot gives no estimate.
        report: Convergence report of the states, or None where the diagnostics of a contrast contain it.
    """

    values: NDArray[np.float64]
    variance: NDArray[np.float64]
    report: ConvergenceReport | None = None

    @classmethod
    def of(
        cls, moments: StateMoments, phase: int, jacobian: TermJacobian, report: ConvergenceReport | None = None
    ) -> Force:
        """Return the force in a phase.

        Args:
            moments: Moments of the estimates, shape (samples, phases, estimates).
            phase: Index of the phase.
            jacobian: d(coefficient)/d(weight), by estimates.
            report: Convergence report of the states, or None.
        """
        means, covariance = np.nan_to_num(moments.means[:, phase]), moments.covariance[:, phase]
        values = jacobian.pull_back(means).mean(axis=0)
        variance = np.zeros_like(values)
        if not is_none(covariance):
            variance = jacobian.pull_back_variance(covariance).sum(axis=0) / len(means) ** 2
        return cls(values=values, variance=variance, report=report)


@dataclass(slots=True, kw_only=True, eq=False)
class WeightPath:
    """Points at which the forces on weights were measured, and the moves from each to the next.

    Args:
        epsilon: Compliance of the springs.
        tolerance: Fraction of the whole move at which the last one is small enough.
        max_iterations: Largest number of points after the first.
        layout: Bounds of the weights, and which of them are on springs: those that are trained.
        first: Force in the phase in which the controls are moved, at the first point.
        distance: Nudge of the phase in which the weights move, minus that of the first.
        contrast: Contrast of both phases at the first point.
        points: Points in the space of weights, each of shape (weights,).
        forces: Forces there, in the phase in which the weights move.
        moves: Lengths of the moves that they give.
        ratios: Ratios of successive moves, where both are above shot noise.
        has_grown: Whether a move was longer than the one before it by more than shot noise.
    """

    epsilon: float
    tolerance: float
    max_iterations: int
    layout: WeightLayout
    first: Force
    distance: float
    contrast: GradientEstimate
    points: list[NDArray[np.float64]] = field(default_factory=list)
    forces: list[Force] = field(default_factory=list)
    moves: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    has_grown: bool = False

    @property
    def iterations(self) -> int:
        """Number of points at which forces were measured."""
        return len(self.points)

    @property
    def controls(self) -> NDArray[np.float64]:
        """Where the springs are fixed, shape (weights,): with the first force the weights stay at the first point."""
        return np.where(self._trained, self.points[0] + self.epsilon * self.first.values, self.points[0])

    @property
    def next(self) -> NDArray[np.float64]:
        """Where the last force puts the weights, within their bounds, shape (weights,)."""
        return self._moved_by(self.forces[-1])

    @property
    def is_complete(self) -> bool:
        """Whether the last move is small, lost in shot noise, or the last that is allowed."""
        if self.moves[-1] <= self._rounding:
            return True
        if self.iterations == 1:
            return False
        whole = self.tolerance * float(np.linalg.norm(self.next - self.points[0]))
        return not self.moves[-1] > max(whole, self._noise) or self.iterations > self.max_iterations

    def add(self, point: NDArray, force: Force) -> None:
        """Add a point and the force there.

        Raises:
            NetworkError: Moves grow from point to point.
        """
        self.points.append(point)
        self.forces.append(force)
        self.moves.append(float(np.linalg.norm(self.next - point)))
        last, far = self.moves[-1], max(self._rounding, _FAR * self.tolerance * self.moves[0])
        if self.iterations > 1 and last > max(self._noise, far):
            self.ratios.append(last / self.moves[-2])
            self.has_grown |= last > self.moves[-2] + 2.0 * self._noise
            grown = self.ratios[-_GROWING:]
            if len(grown) == _GROWING and min(grown) > 1.0:
                self._refuse(grown[-1])

    def estimate(self) -> GradientEstimate:
        """Return the contrast with the force at equilibrium in place of that at the first point."""
        noise, whole = self._noise, float(np.linalg.norm(self.next - self.points[0]))
        short = self.iterations > self.max_iterations and self.moves[-1] > max(self.tolerance * whole, noise)
        contraction = max(self.ratios, default=np.nan)
        warn(
            UnconvergedWarning,
            "weights on springs have not come to equilibrium within update.max_iterations; they are used as they are. "
            "Use a smaller update.epsilon, or more iterations",
            detail=f"residual {self.moves[-1]:.2g} of a move of {whole:.2g}, contraction {contraction:.2g}",
            affected=int(short),
        )
        warn(
            UnconvergedWarning,
            "weights on springs have left a place where they are not stable and came to rest elsewhere: the step is "
            "not update.epsilon times a gradient. Use a smaller update.epsilon",
            detail=f"a move of {whole:.2g}, contraction {contraction:.2g}",
            affected=int(self.has_grown),
        )
        reports = [force.report for force in self.forces if force.report is not None]
        diagnostics = replace(
            self.contrast.diagnostics,
            evaluations=self.contrast.diagnostics.evaluations + sum(report.evaluations for report in reports),
            unconverged=self.contrast.diagnostics.unconverged + sum(len(report.unconverged) for report in reports),
        )
        return replace(
            self.contrast,
            gradient=(self.forces[-1].values - self.first.values) / self.distance,
            diagnostics=diagnostics,
            equilibrium=WeightEquilibrium(
                weights=self.next,
                controls=self.controls,
                residual=self.moves[-1],
                iterations=self.iterations,
                contraction=contraction,
            ),
        )

    @property
    def _trained(self) -> NDArray[np.bool_]:
        return self.layout.trainable()

    def _moved_by(self, force: Force) -> NDArray[np.float64]:
        moved = np.clip(self.controls - self.epsilon * force.values, *self.layout.bounds())
        return np.where(self._trained, moved, self.points[0])

    @property
    def _noise(self) -> float:
        """Length of the last move that shot noise may give; infinite where one shot does not show it."""
        before = self.first if self.iterations == 1 else self.forces[-2]
        variance = float((before.variance + self.forces[-1].variance)[self._trained].sum())
        return _STANDARD_ERRORS * self.epsilon * float(np.sqrt(variance)) if np.isfinite(variance) else np.inf

    @property
    def _rounding(self) -> float:
        size = np.linalg.norm(self.points[0]) + self.epsilon * np.linalg.norm(self.forces[-1].values[self._trained])
        return _ROUNDING * float(size)

    def _refuse(self, ratio: float) -> None:
        gap = self.contrast.diagnostics.gap
        shown = f" for a gap of {gap:.3g}" if np.isfinite(gap) else ""
        raise NetworkError(
            f"weights on springs run away: each move is {ratio:.3g} times the one before, so update.epsilon = "
            f"{self.epsilon:g} is too large{shown}; expected less than {self.epsilon / ratio:.2g}"
        )
