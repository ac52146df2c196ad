"""Measurement of the free phase: outputs and cost of the network without a nudge, with their shot noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import ResultError
from qep_qiskit.core.rows import take_rows
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.execution import RequestKey
from qep_qiskit.learning.loss_noise import variances_of_loss
from qep_qiskit.measurement import (
    MeasurementCoroutine,
    MeasurementPlan,
    StateMoments,
    measure,
    shared_plan,
)
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.outcomes import is_none, no_covariance, variance_of
from qep_qiskit.preparation import (
    HamiltonianFamily,
    Preparation,
    PreparationResult,
    WarmStart,
    WarmStartArrays,
    prepared,
)

_MOST_UNCERTAIN = 0.25


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CostEstimate:
    """Cost of every sample with its shot noise.

    Args:
        values: Shape (samples,). For a loss on expectations the bias from noisy outputs is removed. With a loss of a
            batch only their mean over the batch has a meaning: it is this loss.
        variances: Shape (samples,), NaN where one shot gives no estimate; their sum over squared samples is the
            variance of the mean.
        uncertain: Part of the variances that is only approximate, shape (samples,), or None for none. Losses near their
            minimum are approximate where outputs were +1, or -1, in few shots, so that their noise is far from normal.
    """

    values: NDArray[np.float64]
    variances: NDArray[np.float64]
    uncertain: NDArray[np.float64] | None = None

    @property
    def approximate(self) -> bool:
        """Whether the standard error of the mean may be off by more than a tenth because variances are approximate."""
        if self.uncertain is None:
            return False
        return bool(self.uncertain.sum() > _MOST_UNCERTAIN * self.variances.sum())

    def rows(self, rows: slice) -> CostEstimate:
        """Return the costs of some of the samples."""
        return take_rows(self, rows, "values", "variances", "uncertain")

    @property
    def mean(self) -> float:
        """Mean cost over the samples."""
        return float(self.values.mean())

    @property
    def standard_error(self) -> float:
        """Standard error of the mean by shots; by the scatter over samples where one shot gives no variance."""
        return standard_error_of_mean(self.values, self.variances)


def standard_error_of_mean(values: NDArray, variances: NDArray) -> float:
    """Return the shot noise of a mean over samples, or the scatter over samples where variances are unknown.

    Args:
        values: Shape (samples,).
        variances: Shot-noise variances, shape (samples,); NaN where unknown.

    Returns:
        Standard error of the mean; NaN for one sample of unknown variance.
    """
    count = len(values)
    if np.isfinite(variances).all():
        return float(np.sqrt(np.maximum(variances, 0.0).sum()) / count)
    return float(values.std(ddof=1) / np.sqrt(count)) if count > 1 else float("nan")


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FreePhase:
    """Measured free phase of a batch.

    Args:
        estimates: Moments of the estimates of the measurement plan, shape (samples, 1, estimates).
        moments: Moments of the measured terms, shape (samples, 1, terms).
        outputs: Expectations of the outputs, shape (samples, outputs), or None where there are none.
        output_covariance: Covariance of the measured outputs, shape (samples, outputs, outputs), or None.
        cost: Cost of every sample.
        prepared_states: The free states.
    """

    estimates: StateMoments
    moments: StateMoments
    outputs: NDArray[np.float64] | None
    output_covariance: NDArray[np.float64] | None
    cost: CostEstimate
    prepared_states: PreparationResult


def measure_free(
    hamiltonian: NudgedHamiltonian,
    preparation: Preparation,
    coefficients: NDArray,
    targets: NDArray | None,
    *,
    plan: MeasurementPlan | None = None,
    shots: Sequence[int | None],
    key: RequestKey,
    warm_start: WarmStartArrays | None = None,
    finest: float | None = None,
    with_outputs: bool = True,
) -> MeasurementCoroutine[FreePhase]:
    """Prepare the free states of a batch and measure outputs and cost, in the groups that hold them.

    Args:
        hamiltonian: Network and cost.
        preparation: Method that prepares the states.
        coefficients: Coefficients of H, shape (samples, terms).
        targets: Shape (samples, targets), or None; without targets the cost is NaN.
        plan: Measurement plan; by default one shared batch for every group of the Hamiltonian.
        shots: Shots of every group of the plan, None where exact.
        key: Key of the request.
        warm_start: Warm-start arrays of these samples, or None.
        finest: Smallest |beta| of the nudged states that these states are compared with in a contrast, or None.
        with_outputs: Whether outputs are measured where the cost does not need them.

    Returns:
        Measurement coroutine that gives the free phase.

    Raises:
        ResultError: A measured mean is not finite.
    """
    family = HamiltonianFamily.of_free(hamiltonian.groups, coefficients, key, finest)
    prepared_states = yield from prepared(preparation, family, WarmStart(arrays=warm_start or {}))
    plan = shared_plan(hamiltonian.groups) if plan is None else plan
    read = hamiltonian.measured_terms if with_outputs else hamiltonian.cost_terms
    estimates = yield from measure(
        plan,
        prepared_states.states,
        shape=(len(coefficients), 1),
        phases={g: [0] for g in plan.groups_measuring(read)},
        shots=shots,
        key=key,
    )
    moments = plan.averaged_per_term(estimates, hamiltonian.num_terms)
    means, covariance = _known(hamiltonian, moments.means[:, 0], read), moments.covariance[:, 0]
    has_outputs = hamiltonian.output_map is not None and set(hamiltonian.measured_terms.tolist()) <= set(read.tolist())
    return FreePhase(
        estimates=estimates,
        moments=moments,
        outputs=hamiltonian.outputs(means) if has_outputs else None,
        output_covariance=_output_covariance(hamiltonian, covariance) if has_outputs else None,
        cost=cost_of_means(hamiltonian, means, covariance, targets),
        prepared_states=prepared_states,
    )


def _output_covariance(hamiltonian: NudgedHamiltonian, covariance: NDArray) -> NDArray[np.float64]:
    assert hamiltonian.output_map is not None
    matrix = hamiltonian.output_map.matrix
    if is_none(covariance):
        return no_covariance((len(covariance), len(matrix)))
    return np.asarray(matrix @ covariance @ matrix.T)


def _known(hamiltonian: NudgedHamiltonian, means: NDArray, read: NDArray[np.int64]) -> NDArray[np.float64]:
    """Means of the measured terms, zero for all others.

    Raises:
        ResultError: A measured mean is not finite.
    """
    if not np.isfinite(means[:, read]).all():
        sample, place = np.argwhere(~np.isfinite(means[:, read]))[0]
        term = read[place]
        raise ResultError(
            f"the mean of {hamiltonian.terms[term]} of sample {sample} is {means[sample, term]}: expected finite means "
            "from the executor; check the weights and the calibration"
        )
    known = np.zeros_like(means)
    known[:, read] = means[:, read]
    return known


def cost_of_means(
    hamiltonian: NudgedHamiltonian, means: NDArray, covariance: NDArray, targets: NDArray | None
) -> CostEstimate:
    """Return the cost of every sample from the means of its terms.

    Args:
        hamiltonian: Network and cost.
        means: Shape (samples, terms); terms that the cost does not need are ignored.
        covariance: Shot covariance of the means, shape (samples, terms, terms).
        targets: Shape (samples, targets), or None; without targets the cost is NaN.
    """
    if targets is None:
        unknown = np.full(len(means), np.nan)
        return CostEstimate(values=unknown, variances=unknown)
    means = np.nan_to_num(means)
    if not hamiltonian.cost.has_signals:
        nudge, constants = hamiltonian.operator_nudge(targets)
        values = np.einsum("st,st->s", nudge, means) + constants
        return CostEstimate(values=values, variances=variance_of(nudge, covariance))
    return cost_of_outputs(
        hamiltonian, hamiltonian.outputs(means), _output_covariance(hamiltonian, covariance), targets
    )


def cost_of_outputs(hamiltonian: NudgedHamiltonian, outputs: NDArray, noise: NDArray, targets: NDArray) -> CostEstimate:
    """Return the cost of every sample from measured outputs, for a cost with error signals.

    Args:
        hamiltonian: Network and cost.
        outputs: Shape (samples, outputs).
        noise: Shot covariance of the outputs, shape (samples, outputs, outputs).
        targets: Shape (samples, targets).
    """
    values = hamiltonian.cost.value(outputs, targets)
    if not is_none(noise):
        # E[L(O + noise)] = L(O) + tr(L'' Cov) / 2 to second order: subtracted, so that the loss is unbiased.
        curved_covariance = hamiltonian.cost.curvature(outputs, targets) @ noise
        values = values - np.nan_to_num(np.trace(curved_covariance, axis1=1, axis2=2)) / 2.0
    variances, uncertain = variances_of_loss(hamiltonian, outputs, noise, targets)
    return CostEstimate(values=values, variances=variances, uncertain=uncertain)
