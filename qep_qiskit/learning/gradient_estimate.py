"""The estimate of a gradient, with its error bars and diagnostics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.html_table import html_table
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.learning.diagnostics import Diagnostics
from qep_qiskit.learning.free_phase import CostEstimate
from qep_qiskit.learning.phases import Derivative, MeasuredPhases
from qep_qiskit.learning.replicates import ReplicateScatter, Replication, ScatterTally, SignalBias, signal_bias
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import WarmStartArrays


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WeightEquilibrium:
    """Joint equilibrium of state and weights, where the weights moved by themselves (`AgnosticUpdate`).

    Args:
        weights: Where the weights are at equilibrium, shape (weights,).
        controls: Where their springs are fixed, shape (weights,); the weights themselves where these do not move.
        residual: Distance in the space of weights between the last point where forces were measured and the point to
            which they move the weights.
        iterations: Number of points at which forces were measured, the first one included.
        contraction: Largest ratio of the lengths of successive moves, among those above shot noise; NaN where there are
            none. The moves converge while it is below one; it is proportional to epsilon where it is small.
    """

    weights: NDArray[np.float64]
    controls: NDArray[np.float64]
    residual: float
    iterations: int
    contraction: float

    def record(self) -> dict[str, float]:
        """Return residual, iterations and contraction by their names in the metrics."""
        return {
            "weight_residual": self.residual,
            "weight_iterations": self.iterations,
            "weight_contraction": self.contraction,
        }


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GradientEstimate:
    """Gradient of the mean cost of a batch.

    Args:
        gradient: d(cost)/d(weight), shape (weights,).
        variance: Variance of the gradient by shots, with the noise of error signals, shape (weights,); NaN where one
            shot and one sample give no estimate. Where the batch does not show the response to error signals, their
            part follows from the fluctuations of the free shots (`signal_noise`).
        group_variance: Part of the variance from each shared batch at fixed error signals, shape (groups, weights).
        cost: Cost of the samples. For an operator cost without a free phase it is the mean over the nudged
            phases +-beta, which differs from the free cost by O(beta^2).
        outputs: Expectations of the outputs in the free phase, shape (samples, outputs), or None where not measured.
        diagnostics: Quantities that show whether the gradient can be trusted.
        warm_start: Warm-start arrays of these samples, for the next step.
        approximate: Whether a large part of `variance` is prior expectation and not data, so that its sum may be off by
            more than a tenth or that of a weight by more than a quarter.
        scatter: Scatter of the replicates, or None where the shots were not split.
        names: Names of the weights, or none where they were not asked for.
        equilibrium: Where the weights moved by themselves, or None where an update moves them. Then `gradient` is the
            contrast between the phases as they are at equilibrium, which is minus the move over epsilon and the
            difference of the nudges, and `variance` is that of the contrast before the move.

    Example:
        >>> experiment = qep.from_file("configs/xor.toml")
        >>> weights, data = experiment.network.layout.initial(qep.Seeds(1)), experiment.task.train
        >>> key = qep.RequestKey("demo", 0)
        >>> work = experiment.estimator.estimate(weights, data.inputs, data.targets, key)
        >>> estimate, usage = qep.run_measurements(work, experiment.executor)
        >>> round(estimate.norm, 2), round(estimate.noise, 2), usage.shots
        (0.57, 0.29, 2000)
    """

    gradient: NDArray[np.float64]
    variance: NDArray[np.float64]
    group_variance: NDArray[np.float64]
    cost: CostEstimate
    outputs: NDArray[np.float64] | None
    diagnostics: Diagnostics
    warm_start: WarmStartArrays = field(default_factory=dict)
    approximate: bool = False
    scatter: ReplicateScatter | None = None
    names: tuple[str, ...] = ()
    equilibrium: WeightEquilibrium | None = None

    @property
    def standard_error(self) -> NDArray[np.float64]:
        """Standard errors of the gradient, shape (weights,)."""
        return np.sqrt(np.maximum(self.variance, 0.0))

    def _repr_html_(self) -> str:
        names = self.names or tuple(str(index) for index in range(len(self.gradient)))
        columns = zip(names, self.gradient.tolist(), self.standard_error.tolist(), strict=True)
        rows = [(name, f"{value:+.5f}", f"{error:.5f}" if error else "exact") for name, value, error in columns]
        title = f"gradient of length {self.norm:.4g}, noise {self.noise:.2g}, cost {self.cost.mean:.4g}"
        return html_table(title, ("weight", "gradient", "standard error"), rows)

    @property
    def by_name(self) -> dict[str, tuple[float, float]]:
        """Gradient and standard error of every weight by its name; empty without names."""
        pairs = zip(self.gradient.tolist(), self.standard_error.tolist(), strict=True)
        return dict(zip(self.names, pairs, strict=False))

    def pooled(self, tally: ScatterTally) -> GradientEstimate:
        """Return the estimate with variances from the scatter of replicates in recent steps.

        Without replicates the estimate is unchanged.

        Args:
            tally: Scatter of recent steps, this one included.
        """
        if self.scatter is None:
            return self
        variance, costs = tally.variances(self.scatter)
        return replace(self, variance=variance, cost=replace(self.cost, variances=costs))

    @property
    def norm(self) -> float:
        """Euclidean length of the gradient."""
        return float(np.linalg.norm(self.gradient))

    @property
    def noise(self) -> float:
        """Root of the summed variances: the length that shot noise alone gives."""
        return float(np.sqrt(np.maximum(self.variance, 0.0).sum()))


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeasuredGradient:
    """Derivatives of a batch, one for every replicate, before they are combined.

    Args:
        parts: Derivatives, one for every replicate, and one alone where the shots were not split.
        cost: Costs of the samples of the first replicate, then of the second, and so on.
        outputs: Outputs in the same order, shape (replicates x samples, outputs), or None.
        diagnostics: Diagnostics of the batch.
        warm_start: Warm-start arrays of the samples in the same order.
        bias: Bias by noisy error signals, or None where it cannot be estimated.
    """

    parts: Sequence[Derivative]
    cost: CostEstimate
    outputs: NDArray[np.float64] | None
    diagnostics: Diagnostics
    warm_start: WarmStartArrays
    bias: SignalBias | None

    @classmethod
    def of_phases(
        cls, phases: MeasuredPhases, stencil: NDArray, hamiltonian: NudgedHamiltonian, replicates: int
    ) -> MeasuredGradient:
        """Return the contrasts of measured phases.

        Args:
            phases: Phases of the samples of the first replicate, then of the second, and so on.
            stencil: Weight of every phase, shape (phases,).
            hamiltonian: Network and cost.
            replicates: Number of replicates.
        """
        return cls(
            parts=[part.derivative(stencil) for part in phases.split(replicates)],
            cost=phases.cost,
            outputs=phases.outputs,
            diagnostics=phases.diagnostics,
            warm_start=phases.warm_start,
            bias=signal_bias(phases, stencil, hamiltonian, replicates),
        )

    def unsplit(self) -> GradientEstimate:
        """Return the estimate from shots that were not split, with propagated error bars."""
        (derivative,) = self.parts
        return GradientEstimate(
            gradient=derivative.values,
            variance=derivative.variance,
            group_variance=derivative.group_variance,
            cost=self.cost,
            outputs=self.outputs,
            diagnostics=self.diagnostics,
            warm_start=self.warm_start,
            approximate=derivative.approximate,
        )

    def combined(self, replication: Replication, blocks: NDArray[np.int64]) -> GradientEstimate:
        """Return the mean over replicates, with variances from their scatter.

        Args:
            replication: Split of the step.
            blocks: Number of every weight's block, shape (weights,).
        """
        count, bias = replication.replicates, self.bias
        values = np.array([part.values for part in self.parts])
        if replication.remove_signal_bias and bias is not None:
            values = values - bias.values
        costs, known = (array.reshape(count, -1) for array in (self.cost.values, self.cost.variances))
        variance = np.mean([part.variance for part in self.parts], axis=0) / count
        own = values.var(axis=0, ddof=1) / count
        samples = costs.shape[1]
        size = int(blocks.max(initial=-1)) + 1
        scatter = ReplicateScatter(
            blocks=blocks,
            scatter=np.append(np.bincount(blocks, own, size), costs.mean(axis=1).var(ddof=1) / count),
            propagated=np.append(np.bincount(blocks, variance, size), known.mean(axis=0).sum() / count / samples**2),
            variance=variance,
            cost_variances=known.mean(axis=0) / count,
            signal_bias=None if bias is None else bias.values.mean(axis=0),
            signal_bias_variance=None if bias is None else bias.variance,
        )
        return GradientEstimate(
            gradient=values.mean(axis=0),
            variance=variance,
            group_variance=np.mean([part.group_variance for part in self.parts], axis=0) / count,
            cost=CostEstimate(values=costs.mean(axis=0), variances=scatter.cost_variances),
            outputs=None if self.outputs is None else self.outputs.reshape(count, samples, -1).mean(axis=0),
            diagnostics=self.diagnostics,
            warm_start={name: array[:samples] for name, array in self.warm_start.items()},
            scatter=scatter,
        ).pooled(ScatterTally().after(scatter))
