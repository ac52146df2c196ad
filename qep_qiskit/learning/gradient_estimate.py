"""An estimate of a gradient, with its error bars and all that says when to trust it."""

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
        gradient: Shape (weights,), d(cost)/d(weight).
        variance: Shape (weights,), of the gradient by shots, error signals included; NaN where one shot
            and one sample give no estimate. The part of the error signals rests on the fluctuations of the free shots
            where the batch does not show the response (`signal_noise`).
        group_variance: Shape (groups, weights), the part of each shared batch at fixed error signals.
        cost: Cost of the samples. For an operator cost without a free phase it is the mean over the nudged
            phases +-beta, which differs from the free cost by O(beta^2).
        outputs: Shape (samples, outputs), free expectations where they were measured.
        diagnostics: When to trust it.
        warm_start: What the preparation remembers of these samples.
        approximate: Whether `variance` may be off by more than a tenth in the sum or a quarter for a weight, because
            much of it is expectation and not data.
        scatter: Of replicates, where the step was split into some.
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
        """Standard errors, shape (weights,)."""
        return np.sqrt(np.maximum(self.variance, 0.0))

    def pooled(self, tally: ScatterTally) -> GradientEstimate:
        """With variances by the scatter of replicates in recent steps, this one among them."""
        if self.scatter is None:
            return self
        variance, costs = tally.variances(self.scatter)
        return replace(self, variance=variance, cost=replace(self.cost, variances=costs))

    @property
    def norm(self) -> float:
        """Length of the gradient."""
        return float(np.linalg.norm(self.gradient))

    @property
    def noise(self) -> float:
        """Root of the summed variances: the length that shot noise alone gives."""
        return float(np.sqrt(np.maximum(self.variance, 0.0).sum()))


def estimate_of(found: Replicated, diagnostics: Diagnostics, warm_start: WarmStartArrays) -> GradientEstimate:
    """What replicates say together, with variances by the scatter of this step alone."""
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
