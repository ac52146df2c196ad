"""The free phase: outputs, cost and error signals of the un-nudged network, with their shot noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.cost import LossOnExpectations
from qep_qiskit.errors import ResultError
from qep_qiskit.execution import RequestKey
from qep_qiskit.measurement import (
    Measuring,
    ReadingPlan,
    StateMoments,
    is_none,
    measure,
    no_covariance,
    shared_plan,
    spread_of,
)
from qep_qiskit.nudge import NudgedHamiltonian
from qep_qiskit.preparation import Equilibria, Family, Memory, Preparation, Start
from qep_qiskit.short_repr import short_repr

__all__ = ["CostEstimate", "FreePhase", "cost_of_means", "measure_free", "skewness"]

_STEP = 1e-4
_ROUNDING = 1e-12
_FEWEST_ON_ONE_SIDE = 15.0
_MOST_UNCERTAIN = 0.25


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CostEstimate:
    """Cost of every sample with its shot noise.

    Args:
        values: Shape (samples,). A loss on expectations has the bias of its noisy outputs removed.
        variances: Shape (samples,), NaN where one shot gives no estimate.
        uncertain: Shape (samples,), how much of the variances is rough: of losses near their minimum whose outputs
            have few shots on one side, so that their noise is far from normal; None for nothing.
    """

    values: NDArray[np.float64]
    variances: NDArray[np.float64]
    uncertain: NDArray[np.float64] | None = None

    @property
    def approximate(self) -> bool:
        """Whether the standard error may be off by more than a tenth for known reasons."""
        if self.uncertain is None:
            return False
        return bool(self.uncertain.sum() > _MOST_UNCERTAIN * self.variances.sum())

    def rows(self, rows: slice) -> CostEstimate:
        """Of some of the samples."""
        return replace(
            self,
            values=self.values[rows],
            variances=self.variances[rows],
            uncertain=None if self.uncertain is None else self.uncertain[rows],
        )

    @property
    def mean(self) -> float:
        """Mean over samples."""
        return float(self.values.mean())

    @property
    def standard_error(self) -> float:
        """Standard error of the mean, from shots; where one shot gives none, from the spread over samples."""
        return standard_error_of_mean(self.values, self.variances)


def standard_error_of_mean(values: NDArray, variances: NDArray) -> float:
    """Shot noise of a mean over samples, or the spread over samples where the variances are unknown (NaN)."""
    count = len(values)
    if np.isfinite(variances).all():
        return float(np.sqrt(np.maximum(variances, 0.0).sum()) / count)
    return float(values.std(ddof=1) / np.sqrt(count)) if count > 1 else float("nan")


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FreePhase:
    """What the free phase of a batch shows.

    Args:
        columns: Means of the columns of the reading plan, shape (samples, 1, columns).
        moments: Means of the measured terms, shape (samples, 1, terms).
        outputs: Shape (samples, outputs), or None where the aim has none.
        output_covariance: Shape (samples, outputs, outputs), or None.
        cost: Cost of every sample.
        equilibria: The free states.
    """

    columns: StateMoments
    moments: StateMoments
    outputs: NDArray[np.float64] | None
    output_covariance: NDArray[np.float64] | None
    cost: CostEstimate
    equilibria: Equilibria


def measure_free(
    hamiltonian: NudgedHamiltonian,
    preparation: Preparation,
    coefficients: NDArray,
    targets: NDArray | None,
    *,
    plan: ReadingPlan | None = None,
    shots: Sequence[int | None],
    key: RequestKey,
    memory: Memory | None = None,
    finest: float | None = None,
) -> Measuring[FreePhase]:
    """Prepare the free states of a batch and read outputs and cost, in their groups only.

    Args:
        hamiltonian: Network and cost.
        preparation: How states are reached.
        coefficients: Shape (samples, terms), of H.
        targets: Shape (samples, targets); None where they are not known, and then nor is the cost.
        plan: The shared batches to read in; one a group of the Hamiltonian by default.
        shots: Per group of the plan.
        key: Names the request.
        memory: What the preparation remembered of these samples.
        finest: The smallest nudge whose states these are compared with in a contrast, or None.
    """
    family = Family.of_free(hamiltonian.groups, coefficients, key, finest)
    equilibria = yield from preparation.prepare(family, Start(memory=memory or {}))
    plan = shared_plan(hamiltonian.groups) if plan is None else plan
    columns = yield from measure(
        plan,
        equilibria.states,
        shape=(len(coefficients), 1),
        phases={g: [0] for g in plan.reading(hamiltonian.reading_terms)},
        shots=shots,
        key=key,
    )
    moments = plan.folded(columns, hamiltonian.num_terms)
    means, covariance = _known(hamiltonian, moments.means[:, 0]), moments.covariance[:, 0]
    outputs = output_covariance = None
    if hamiltonian.readout is not None:
        matrix, constants = hamiltonian.readout
        outputs = means @ matrix.T + constants
        output_covariance = no_covariance(outputs.shape) if is_none(covariance) else matrix @ covariance @ matrix.T
    cost = _cost(hamiltonian, means, covariance, outputs, output_covariance, targets)
    return FreePhase(
        columns=columns,
        moments=moments,
        outputs=outputs,
        output_covariance=output_covariance,
        cost=cost,
        equilibria=equilibria,
    )


def _known(hamiltonian: NudgedHamiltonian, means: NDArray) -> NDArray[np.float64]:
    """Means of the terms that show outputs and cost, zero for all others, which are not measured.

    Raises:
        ResultError: One that was measured is not finite.
    """
    read = hamiltonian.reading_terms
    if not np.isfinite(means[:, read]).all():
        sample, place = np.argwhere(~np.isfinite(means[:, read]))[0]
        term = read[place]
        raise ResultError(
            f"the mean of {hamiltonian.words[term]} of sample {sample} is {means[sample, term]}: expected finite means "
            "from the executor; look at the weights and the calibration"
        )
    known = np.zeros_like(means)
    known[:, read] = means[:, read]
    return known


def _cost(
    hamiltonian: NudgedHamiltonian,
    means: NDArray,
    covariance: NDArray,
    outputs: NDArray | None,
    output_covariance: NDArray | None,
    targets: NDArray | None,
) -> CostEstimate:
    if targets is None:
        unknown = np.full(len(means), np.nan)
        return CostEstimate(values=unknown, variances=unknown)
    if not isinstance(hamiltonian.cost, LossOnExpectations):
        return cost_of_means(hamiltonian, means, covariance, targets)
    assert outputs is not None
    assert output_covariance is not None
    loss = hamiltonian.cost.checked_loss
    spread = loss.curvature(outputs, targets) @ output_covariance
    # E[L(O + noise)] = L(O) + tr(L'' Cov) / 2 to second order: taken off, so that the loss is unbiased.
    values = loss.value(outputs, targets) - np.nan_to_num(np.trace(spread, axis1=1, axis2=2)) / 2.0
    variances, uncertain = _variances_of_loss(hamiltonian, outputs, output_covariance, targets)
    return CostEstimate(values=values, variances=variances, uncertain=uncertain)


def _variances_of_loss(
    hamiltonian: NudgedHamiltonian, outputs: NDArray, covariance: NDArray, targets: NDArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Variances of the reported losses by shots, shape (samples,), and how much of them is rough.

    With s the slope of the reported loss and S = L'' Cov, the variance is s.Cov s + tr(S^2)/2. A measured slope is
    noisy itself and counts tr(S^2) too much, so that half of it goes off: without bias, but negative where the slope
    does not stand out of its noise. There an eighth of tr(S^2) stands in its place, up to a threshold that keeps the
    mean right: were all negative ones raised to what is surely there, the mean near a minimum would be twice too large.

    The reported loss has tr(S)/2 taken off, which moves with the outputs: L'' does, and so does the variance of an
    output c P + a of one Pauli word, c^2 (1 - <P>^2) / (shots - 1). That also correlates slope and variance. The third
    cumulants of other outputs are taken as zero, as for normal noise.
    """
    assert isinstance(hamiltonian.cost, LossOnExpectations)
    loss = hamiltonian.cost.checked_loss
    curvature, skew, rate = loss.curvature(outputs, targets), *skewness(hamiltonian, outputs, covariance)
    own = np.einsum("soo->so", curvature)
    pull, bend = own * skew, own * rate  # what the moving variances add to the slope, and to its own slope
    slope = loss.gradient(outputs, targets) + pull - _slope_of_curvature(hamiltonian, outputs, covariance, targets)
    plugged_in = np.einsum("so,sop,sp->s", slope, covariance, slope + 4.0 * pull)
    whole = curvature + bend[:, :, None] * np.eye(outputs.shape[1])
    plugged_in -= 4.0 * np.einsum("sop,spq,sqo,so->s", covariance, whole, covariance, bend)
    spread = curvature @ covariance
    square = spread @ spread
    second = np.trace(square, axis1=1, axis2=2)
    found = _positive(plugged_in, second, np.trace(square @ square, axis1=1, axis2=2))
    rough = _few_on_one_side(hamiltonian, outputs, rate) & (second > found / 4.0)
    return found, np.where(rough, found, 0.0)


def _few_on_one_side(hamiltonian: NudgedHamiltonian, outputs: NDArray, rate: NDArray) -> NDArray[np.bool_]:
    """Samples of which an output that is one Pauli word was read as +1, or as -1, by few shots."""
    means, _ = hamiltonian.means_of_single_words(outputs)
    return ((1.0 - np.abs(means)) / 2.0 < _FEWEST_ON_ONE_SIDE * rate).any(axis=1)


def _positive(plugged_in: NDArray, second: NDArray, fourth: NDArray) -> NDArray[np.float64]:
    """plugged_in - second / 2 where that is large, a positive stand-in of the same mean where it is not.

    Args:
        plugged_in: s.Cov s of the measured slopes.
        second: tr(S^2), the mean of `plugged_in` where the slope is zero.
        fourth: tr(S^4), which tells how many outputs share in it.
    """
    directions = np.divide(second**2, fourth, out=np.ones_like(second), where=fourth > 0.0)
    ramp = second / 8.0 + 4.0 * (plugged_in - (0.5 + 1.75 / directions**0.85) * second)
    return np.maximum(second / 8.0, np.minimum(plugged_in - second / 2.0, ramp))


def _slope_of_curvature(
    hamiltonian: NudgedHamiltonian, outputs: NDArray, covariance: NDArray, targets: NDArray
) -> NDArray[np.float64]:
    """Derivatives of tr(L'' Cov) / 2 by the outputs at fixed covariance, shape (samples, outputs)."""
    assert isinstance(hamiltonian.cost, LossOnExpectations)
    loss, found = hamiltonian.cost.loss, np.zeros_like(outputs)
    for output, shift in enumerate(_STEP * np.eye(outputs.shape[1])):
        ahead, behind = (loss.curvature(outputs + side * shift, targets) for side in (1.0, -1.0))
        found[:, output] = ((ahead - behind) * covariance).sum(axis=(1, 2)) / (4.0 * _STEP)
    return np.nan_to_num(found)  # a loss may end where outputs do


def skewness(hamiltonian: NudgedHamiltonian, outputs: NDArray, covariance: NDArray) -> tuple[NDArray, NDArray]:
    """Minus half the first and second derivative of an output's variance by the output, shape (samples, outputs)."""
    means, sizes = hamiltonian.means_of_single_words(outputs)
    room = sizes**2 * (1.0 - np.clip(means, -1.0, 1.0) ** 2)
    variance = np.einsum("soo->so", covariance)
    rate = np.divide(variance, room, out=np.zeros_like(room), where=room > _ROUNDING * sizes**2)
    return sizes * means * rate, rate


def cost_of_means(
    hamiltonian: NudgedHamiltonian, means: NDArray, covariance: NDArray, targets: NDArray
) -> CostEstimate:
    """Operator cost from means (samples, terms) and their covariance."""
    nudge, constants = hamiltonian.operator_nudge(targets)
    values = np.einsum("st,st->s", nudge, np.nan_to_num(means)) + constants
    return CostEstimate(values=values, variances=spread_of(nudge, covariance))
