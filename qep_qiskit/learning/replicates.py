"""Error bars from independent replicates of a gradient, and the bias from noisy error signals.

The shots of a step are split into R replicates, each with its own free phase, error signals and nudged phases. A
request holds them as R times as many samples, so that the number of jobs does not change. The gradient is the mean over
replicates, and the variance of this mean is their scatter over R, for any contrast, loss and preparation.

The scatter of a few replicates is a rough number for one weight. It is summed over the weights of a block and over
recent steps, and so are the variances that `MeasuredPhases.derivative` propagates. The ratio of the two sums scales the
propagated variances of the block. Only this ratio is pooled, so shots and nudges may change.

Error signals of few shots bias a gradient G(o), which is not linear in the measured outputs o. With u the noise of o in
units of its standard deviation, E G - G(E o) = E[G (u^2 - 1)] / 2 to second order, for normal noise. For one replicate
u is the deviation from the mean of the others, which adds 1 / (R - 1) to u^2. The effect of skew noise on the linear
part of G is subtracted. The mean of G over the other replicates is subtracted too, so that the size of the gradient
adds no noise; the outputs of the one replicate enter that mean in second order only.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.json_record import JsonRecord
from qep_qiskit.core.limits import check_limits
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.learning.loss_noise import skewness
from qep_qiskit.learning.phases import MeasuredPhases
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.outcomes import is_none

_STEPS = 10.0
FEWEST_REPLICATES = 2
"""Fewest replicates that have a scatter."""
_FEWEST_FOR_BIAS = 3
_STANDS_OUT = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Replication:
    """Split of a step into replicates.

    Args:
        replicates: Number of replicates.
        remove_signal_bias: Whether the bias from noisy error signals is subtracted in each replicate. This increases
            the variance by a factor of about 1.5 for one output.

    Raises:
        ConfigError: There are too few replicates.

    Example:
        >>> qep.Replication(replicates=4).share(200)
        50
    """

    replicates: Annotated[int, Ge(FEWEST_REPLICATES)] = 4
    remove_signal_bias: bool = False

    def __post_init__(self) -> None:
        check_limits(self)
        if self.remove_signal_bias and self.replicates < _FEWEST_FOR_BIAS:
            raise ConfigError(
                f"replicates: remove_signal_bias takes at least {_FEWEST_FOR_BIAS}, got {self.replicates}"
            )

    def share(self, shots: int) -> int:
        """Return the shots per batch of one replicate.

        Raises:
            ConfigError: The shots are no multiple of the number of replicates.
        """
        if shots < self.replicates or shots % self.replicates:
            raise ConfigError(f"shots: expected a multiple of replicates = {self.replicates}, got {shots}")
        return shots // self.replicates

    def rounded(self, shots: int) -> int:
        """Return the number of shots rounded up to a multiple of the number of replicates."""
        return -(-shots // self.replicates) * self.replicates

    def tiled(self, rows: NDArray) -> NDArray:
        """Return the samples repeated for each replicate, along the first axis."""
        return np.concatenate([rows] * self.replicates)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReplicateScatter:
    """Scatter of the replicates of a step, with the propagated variances.

    Args:
        blocks: Number of every weight's block, shape (weights,).
        scatter: Variance of the mean over replicates by their scatter, summed over each block, shape (blocks + 1,); the
            last is that of the cost.
        propagated: Propagated variances, summed in the same way, shape (blocks + 1,).
        variance: Propagated variances of the weights, shape (weights,).
        cost_variances: Propagated variances of the costs, shape (samples,).
        signal_bias: Bias of a replicate by noisy error signals, shape (weights,), or None where it cannot be estimated.
        signal_bias_variance: Variance of `signal_bias`, shape (weights,), or None.
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
    """Estimated bias of replicates by noisy error signals.

    Args:
        values: Estimates from every replicate, shape (replicates, weights); their mean is the estimate.
        products: Estimates of the same mean from centred factors, shape (replicates, weights); their scatter gives the
            variance.
    """

    values: NDArray[np.float64]
    products: NDArray[np.float64]

    @property
    def variance(self) -> NDArray[np.float64]:
        """Variance of the mean of `values`, shape (weights,).

        It is that of a sample covariance, whose products are not independent.
        """
        count = len(self.products)
        return np.asarray(self.products.var(axis=0, ddof=1) / count * (count - 1.0) / (count - 2.0))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScatterTally(JsonRecord):
    """Weighted sums of the scatter of recent steps; the weight of a step falls by a tenth with every later step.

    Args:
        scatter: Summed scatter, shape (blocks + 1,); empty before the first step.
        propagated: Summed propagated variances, shape (blocks + 1,).
        bias: Summed biases by error signals, shape (weights,); empty where there are none.
        bias_variance: Variance of `bias`, shape (weights,).
        weight: Sum of the weights of the steps.
    """

    scatter: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    propagated: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    bias: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    bias_variance: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    weight: float = 0.0

    def after(self, found: ReplicateScatter | None) -> ScatterTally:
        """Return the tally after one more step; unchanged without replicates."""
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
        """Return variances of weights, shape (weights,), and of costs, shape (samples,), by the pooled scatter."""
        if not np.isfinite(found.propagated).all():
            # One shot a replicate: there is no propagated variance, and the weights of a block share one number.
            count = np.bincount(found.blocks, minlength=len(found.scatter) - 1)
            each = found.scatter[:-1] / np.maximum(count, 1)
            samples = len(found.cost_variances)
            return each[found.blocks], np.full(samples, found.scatter[-1] * samples)
        ratio = np.divide(self.scatter, self.propagated, out=np.ones_like(self.scatter), where=self.propagated > 0.0)
        return found.variance * ratio[found.blocks], found.cost_variances * ratio[-1]

    def summary(self) -> dict[str, float]:
        """Return values for the metrics: bias of recent steps, its length by noise alone, and whether it is resolved.

        A bias is resolved if it is longer than twice the noise, which holds both for common and for independent noise
        of the weights.
        """
        if not self.bias.size:
            return {}
        bias = float(np.linalg.norm(self.bias)) / self.weight
        noise = float(np.sqrt(np.maximum(self.bias_variance, 0.0).sum())) / self.weight
        return {"signal_bias": bias, "signal_bias_noise": noise, "signal_bias_resolved": bias > _STANDS_OUT * noise}


def _added(before: NDArray, kept: float, new: NDArray) -> NDArray[np.float64]:
    return kept * before + new if before.size else new.copy()


def signal_bias(
    measured: MeasuredPhases, stencil: NDArray, hamiltonian: NudgedHamiltonian, count: int
) -> SignalBias | None:
    """Estimate of the bias from every replicate; None where no signals are noisy."""
    batch, outputs = measured.signals, measured.outputs
    if batch is None or outputs is None or not batch.is_noisy or count < _FEWEST_FOR_BIAS:
        return None
    if batch.coupling is not None:
        return None  # the gradient of a sample depends on the outputs of others
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
