"""The free phase: outputs, cost and error signals of the un-nudged network, with their shot noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import ResultError
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
from qep_qiskit.network.cost import LossOnExpectations
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
        columns: Means of the columns of the measurement plan, shape (samples, 1, columns).
        moments: Means of the measured terms, shape (samples, 1, terms).
        outputs: Shape (samples, outputs), or None where the aim has none.
        output_covariance: Shape (samples, outputs, outputs), or None.
        cost: Cost of every sample.
        prepared_states: The free states.
    """

    columns: StateMoments
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
    memory: WarmStartArrays | None = None,
    finest: float | None = None,
) -> MeasurementCoroutine[FreePhase]:
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
    family = HamiltonianFamily.of_free(hamiltonian.groups, coefficients, key, finest)
    prepared_states = yield from prepared(preparation, family, WarmStart(memory=memory or {}))
    plan = shared_plan(hamiltonian.groups) if plan is None else plan
    columns = yield from measure(
        plan,
        prepared_states.states,
        shape=(len(coefficients), 1),
        phases={g: [0] for g in plan.reading(hamiltonian.measured_terms)},
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
        prepared_states=prepared_states,
    )


def _known(hamiltonian: NudgedHamiltonian, means: NDArray) -> NDArray[np.float64]:
    """Means of the terms that show outputs and cost, zero for all others, which are not measured.

    Raises:
        ResultError: One that was measured is not finite.
    """
    read = hamiltonian.measured_terms
    if not np.isfinite(means[:, read]).all():
        sample, place = np.argwhere(~np.isfinite(means[:, read]))[0]
        term = read[place]
        raise ResultError(
            f"the mean of {hamiltonian.terms[term]} of sample {sample} is {means[sample, term]}: expected finite means "
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
    variances, uncertain = variances_of_loss(hamiltonian, outputs, output_covariance, targets)
    return CostEstimate(values=values, variances=variances, uncertain=uncertain)


def cost_of_means(
    hamiltonian: NudgedHamiltonian, means: NDArray, covariance: NDArray, targets: NDArray
) -> CostEstimate:
    """Operator cost from means (samples, terms) and their covariance."""
    nudge, constants = hamiltonian.operator_nudge(targets)
    values = np.einsum("st,st->s", nudge, np.nan_to_num(means)) + constants
    return CostEstimate(values=values, variances=variance_of(nudge, covariance))
