"""Error bars from independent replicates of a gradient, and the bias of noisy error signals.

The shots of a step are split into R replicates, each with a free phase, error signals and nudged phases of its own. In
a request they stand side by side as R times as many samples, so that there are as many jobs as without them. The
gradient is their mean, and the variance of that is their scatter over R, whatever contrast, loss and preparation are.

The scatter of a few replicates is a rough number for one weight. It is summed over the weights of a block and over
recent steps, and so is the variance that `MeasuredPhases.derivative` propagates through the step: the ratio of the two
scales the propagated variances of the block. What is pooled is how far these are off, so shots and nudges may change.

Error signals of few shots bias a gradient G(o), which is not linear in the outputs o that were read. With u the noise
of o in units of its standard deviation, E G - G(E o) = E[G (u^2 - 1)] / 2 to second order, for normal noise. For one
replicate u is taken from the mean of the others, which adds 1 / (R - 1) to u^2; what skew noise makes of the linear
part of G goes off; and of G the mean of the others, to which the outputs of the one have contributed nothing but to
second order, goes off too, so that the size of the gradient makes no noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.learning.free_phase import CostEstimate
from qep_qiskit.learning.loss_noise import skewness
from qep_qiskit.learning.phases import Derivative, MeasuredPhases
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.outcomes import is_none

_STEPS = 10.0
FEWEST_REPLICATES = 2
"""Replicates that show a scatter."""
_FEWEST_FOR_BIAS = 3
_STANDS_OUT = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Replication:
    """How a step is split.

    Args:
        replicates: Number of replicates.
        remove_signal_bias: Whether the bias of noisy error signals is subtracted each replicate. It makes the variance
            about one and a half times as large with one output.

    Raises:
        ConfigError: There are too few replicates.
    """

    replicates: int = 4
    remove_signal_bias: bool = False

    def __post_init__(self) -> None:
        if self.replicates < FEWEST_REPLICATES:
            raise ConfigError(f"replicates: expected at least {FEWEST_REPLICATES}, got {self.replicates}")
        if self.remove_signal_bias and self.replicates < _FEWEST_FOR_BIAS:
            raise ConfigError(
                f"replicates: remove_signal_bias takes at least {_FEWEST_FOR_BIAS}, got {self.replicates}"
            )

    def share(self, shots: int) -> int:
        """Shots per batch of one replicate.

        Raises:
            ConfigError: The shots do not divide.
        """
        if shots < self.replicates or shots % self.replicates:
            raise ConfigError(f"shots: expected a multiple of replicates = {self.replicates}, got {shots}")
        return shots // self.replicates

    def rounded(self, shots: int) -> int:
        """The next number of shots that divides."""
        return -(-shots // self.replicates) * self.replicates

    def tiled(self, rows: NDArray) -> NDArray:
        """The samples once for each replicate."""
        return np.concatenate([rows] * self.replicates)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReplicateScatter:
    """What the replicates of a step scatter, beside what is propagated through it.

    Args:
        blocks: Shape (weights,), the number of every weight's block.
        scatter: Shape (blocks + 1,), summed variances of the mean over replicates, by their scatter; the last is that
            of the cost.
        propagated: Shape (blocks + 1,), the same as they are propagated.
        variance: Shape (weights,), propagated.
        cost_variances: Shape (samples,), propagated.
        signal_bias: Shape (weights,), bias of a replicate by noisy error signals, or None where there is none to see.
        signal_bias_variance: Shape (weights,).
    """

    blocks: NDArray[np.int64]
    scatter: NDArray[np.float64]
    propagated: NDArray[np.float64]
    variance: NDArray[np.float64]
    cost_variances: NDArray[np.float64]
    signal_bias: NDArray[np.float64] | None = None
    signal_bias_variance: NDArray[np.float64] | None = None


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SignalBias:
    """Bias of replicates by noisy error signals.

    Args:
        values: Shape (replicates, weights), what every replicate says of it; the mean counts.
        products: Shape (replicates, weights), the same, of factors that are deviations from their means: they have the
            same mean, and scatter as little as that.
    """

    values: NDArray[np.float64]
    products: NDArray[np.float64]

    @property
    def variance(self) -> NDArray[np.float64]:
        """Of the mean, shape (weights,): that of a sample covariance, whose products are not independent."""
        count = len(self.products)
        return np.asarray(self.products.var(axis=0, ddof=1) / count * (count - 1.0) / (count - 2.0))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScatterTally:
    """Scatter of recent steps; a step weighs a tenth less with every later one.

    Args:
        scatter: Shape (blocks + 1,); empty before the first step.
        propagated: Shape (blocks + 1,).
        bias: Shape (weights,), weighted sum of the biases; empty where there are none.
        bias_variance: Shape (weights,), of that sum.
        weight: Sum of the weights of the steps.
    """

    scatter: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    propagated: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    bias: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    bias_variance: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    weight: float = 0.0

    def after(self, found: ReplicateScatter | None) -> ScatterTally:
        """With one more step."""
        if found is None:
            return self
        kept = 1.0 - 1.0 / _STEPS
        known = bool(np.isfinite(found.propagated).all())
        tally = replace(
            self,
            scatter=_added(self.scatter, kept, found.scatter) if known else self.scatter,
            propagated=_added(self.propagated, kept, found.propagated) if known else self.propagated,
            weight=kept * self.weight + 1.0,
        )
        if found.signal_bias is None or found.signal_bias_variance is None:
            return tally
        return replace(
            tally,
            bias=_added(self.bias, kept, found.signal_bias),
            bias_variance=_added(self.bias_variance, kept**2, found.signal_bias_variance),
        )

    def variances(self, found: ReplicateScatter) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Variances of the weights and of the costs of the samples, by the pooled scatter."""
        if not np.isfinite(found.propagated).all():
            # One shot a replicate: nothing is propagated, and the weights of a block share one number.
            count = np.bincount(found.blocks, minlength=len(found.scatter) - 1)
            each = found.scatter[:-1] / np.maximum(count, 1)
            samples = len(found.cost_variances)
            return each[found.blocks], np.full(samples, found.scatter[-1] * samples)
        ratio = np.divide(self.scatter, self.propagated, out=np.ones_like(self.scatter), where=self.propagated > 0.0)
        return found.variance * ratio[found.blocks], found.cost_variances * ratio[-1]

    def record(self) -> dict[str, float]:
        """For the metrics: length of the bias of recent steps, the length that noise alone gives, and if it stands out.

        Twice the length of the noise is beyond it, whether the weights share one fluctuation or have their own.
        """
        if not self.bias.size:
            return {}
        bias = float(np.linalg.norm(self.bias)) / self.weight
        noise = float(np.sqrt(np.maximum(self.bias_variance, 0.0).sum())) / self.weight
        return {"signal_bias": bias, "signal_bias_noise": noise, "signal_bias_resolved": bias > _STANDS_OUT * noise}

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """For a checkpoint."""
        names = ("scatter", "propagated", "bias", "bias_variance")
        return {**{name: getattr(self, name) for name in names}, "weight": np.array([self.weight])}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> ScatterTally:
        """The inverse of `arrays`."""
        if not arrays:
            return cls()
        fields = {name: array for name, array in arrays.items() if name != "weight"}
        return cls(**fields, weight=float(arrays["weight"][0]))


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replicated:
    """Replicates put together.

    Args:
        gradient: Shape (weights,), their mean.
        group_variance: Shape (groups, weights), propagated.
        cost: Of the samples.
        outputs: Shape (samples, outputs), or None.
        scatter: For variances.
    """

    gradient: NDArray[np.float64]
    group_variance: NDArray[np.float64]
    cost: CostEstimate
    outputs: NDArray[np.float64] | None
    scatter: ReplicateScatter


def _added(before: NDArray, kept: float, new: NDArray) -> NDArray[np.float64]:
    return kept * before + new if before.size else new.copy()


def replicated(
    measured: MeasuredPhases, stencil: NDArray, hamiltonian: NudgedHamiltonian, replication: Replication
) -> Replicated:
    """Put replicates together that were measured as samples.

    Args:
        measured: The samples of the first replicate, then those of the second, and so on.
        stencil: Shape (phases,).
        hamiltonian: Network and cost.
        replication: How the step was split.
    """
    return put_together(
        [part.derivative(stencil) for part in measured.split(replication.replicates)],
        hamiltonian.network.layout.block_numbers,
        replication,
        cost=measured.cost,
        outputs=measured.outputs,
        bias=_signal_biases(measured, stencil, hamiltonian, replication.replicates),
    )


def put_together(
    parts: Sequence[Derivative],
    blocks: NDArray[np.int64],
    replication: Replication,
    *,
    cost: CostEstimate,
    outputs: NDArray | None,
    bias: SignalBias | None,
) -> Replicated:
    """Gradients of replicates, with what they scatter.

    Args:
        parts: One for every replicate.
        blocks: Shape (weights,), the number of every weight's block.
        replication: How the step was split.
        cost: Of the samples of the first replicate, then those of the second, and so on.
        outputs: Shape (replicates x samples, outputs), in the same order, or None.
        bias: By noisy error signals, or None where there is none to see.
    """
    count = replication.replicates
    values = np.array([part.values for part in parts])
    if replication.remove_signal_bias and bias is not None:
        values = values - bias.values
    costs, known = (array.reshape(count, -1) for array in (cost.values, cost.variances))
    variance = np.mean([part.variance for part in parts], axis=0) / count
    mean_costs = costs.mean(axis=1)
    own = values.var(axis=0, ddof=1) / count
    samples = costs.shape[1]
    size = int(blocks.max(initial=-1)) + 1
    scatter = ReplicateScatter(
        blocks=blocks,
        scatter=np.append(np.bincount(blocks, own, size), mean_costs.var(ddof=1) / count),
        propagated=np.append(np.bincount(blocks, variance, size), known.mean(axis=0).sum() / count / samples**2),
        variance=variance,
        cost_variances=known.mean(axis=0) / count,
        signal_bias=None if bias is None else bias.values.mean(axis=0),
        signal_bias_variance=None if bias is None else bias.variance,
    )
    return Replicated(
        gradient=values.mean(axis=0),
        group_variance=np.mean([part.group_variance for part in parts], axis=0) / count,
        cost=CostEstimate(values=costs.mean(axis=0), variances=scatter.cost_variances),
        outputs=None if outputs is None else outputs.reshape(count, samples, -1).mean(axis=0),
        scatter=scatter,
    )


def _signal_biases(
    measured: MeasuredPhases, stencil: NDArray, hamiltonian: NudgedHamiltonian, count: int
) -> SignalBias | None:
    """What every replicate says of the bias; None where no signals are noisy."""
    batch, outputs = measured.signals, measured.outputs
    if batch is None or outputs is None or not batch.is_noisy or count < _FEWEST_FOR_BIAS:
        return None
    covariance = batch.output_covariance
    if is_none(covariance):
        return None
    size = outputs.shape[1]
    outputs = outputs.reshape(count, -1, size)
    covariance = covariance.reshape(count, -1, size, size).mean(axis=0)
    values = measured.per_sample(stencil).reshape(count, outputs.shape[1], -1)
    others = count / (count - 1.0)
    away = others * (outputs - outputs.mean(axis=0))
    inverse = np.linalg.pinv(covariance, hermitian=True)
    ranks = np.trace(inverse @ covariance, axis1=1, axis2=2)
    skew, _ = skewness(hamiltonian, outputs.mean(axis=0), covariance)
    linear = np.einsum("sabc,sab,scd->sd", _third_cumulants(skew, covariance), inverse, inverse)
    curved = np.einsum("rsa,sab,rsb->rs", away, inverse, away) - others * ranks
    curved -= (count - 2.0) / (count - 1.0) * np.einsum("rsd,sd->rs", away, linear)
    centred = others * (values - values.mean(axis=0))
    shared = 1.0 - 1.0 / (count - 1.0) ** 2
    scale = 2.0 * shared * outputs.shape[1]
    return SignalBias(
        values=np.einsum("rs,rsw->rw", curved, centred) / scale,
        products=np.einsum("rs,rsw->rw", curved - curved.mean(axis=0), centred) / scale,
    )


def _third_cumulants(skew: NDArray, covariance: NDArray) -> NDArray[np.float64]:
    """Third cumulants of outputs, shape (samples, outputs, outputs, outputs); of three different ones taken as zero.

    A Pauli string squares to one, so that of two Pauli strings P and Q kappa(P, P, Q) = -2 <P> Cov(P, Q).
    """
    size = skew.shape[1]
    found = np.zeros((len(skew), size, size, size))
    for a in range(size):
        pair = -2.0 * skew[:, a, None] * covariance[:, a]
        found[:, a, a, :] = found[:, a, :, a] = found[:, :, a, a] = pair
    return found
