"""The estimate of a gradient, with its error bars and diagnostics."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.learning.diagnostics import Diagnostics
from qep_qiskit.learning.free_phase import CostEstimate
from qep_qiskit.learning.replicates import Replicated, ReplicateScatter, ScatterTally
from qep_qiskit.preparation import WarmStartArrays


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

    @property
    def standard_error(self) -> NDArray[np.float64]:
        """Standard errors of the gradient, shape (weights,)."""
        return np.sqrt(np.maximum(self.variance, 0.0))

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


def estimate_of(found: Replicated, diagnostics: Diagnostics, warm_start: WarmStartArrays) -> GradientEstimate:
    """Return the estimate from combined replicates, with variances from the scatter of this step alone.

    Args:
        found: Combined replicates.
        diagnostics: Diagnostics of the step.
        warm_start: Warm-start arrays of the samples.
    """
    return GradientEstimate(
        gradient=found.gradient,
        variance=found.scatter.variance,
        group_variance=found.group_variance,
        cost=found.cost,
        outputs=found.outputs,
        diagnostics=diagnostics,
        warm_start=warm_start,
        scatter=found.scatter,
    ).pooled(ScatterTally().after(found.scatter))
