"""Gradient from thermal fluctuations in Gibbs states, without a nudge and its bias.

    d<C>/dw = -(1/T) Cov(C, dH/dw)

For classical spins every shot of one batch gives both C and dH/dw. In quantum networks C and dH/dw commute neither with
each other nor with H; the covariance is that of Kubo and Mori, which no measurement in the groups gives. It is computed
from the spectrum. Equilibrium propagation in Gibbs states: Massar and Mognetti 2024, arXiv:2405.08467.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.execution import Request, ShotData
from qep_qiskit.learning.contrast import FLUCTUATIONS
from qep_qiskit.learning.diagnostics import Diagnostics
from qep_qiskit.learning.free_phase import FreePhase
from qep_qiskit.learning.gradient import GradientEstimator
from qep_qiskit.learning.gradient_batch import GradientBatch
from qep_qiskit.learning.gradient_estimate import MeasuredGradient
from qep_qiskit.learning.phases import Derivative
from qep_qiskit.learning.replicates import SignalBias
from qep_qiskit.learning.shots import per_group
from qep_qiskit.measurement import MeasurementCoroutine, relayed
from qep_qiskit.network import TermJacobian
from qep_qiskit.outcomes import Outcomes, bits_of
from qep_qiskit.outcomes.moments import words_of_bits
from qep_qiskit.preparation import ThermalPreparation, thermal_response

_STRINGS_AT_ONCE = 1 << 14
_FEWEST_SHOTS = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Gradients:
    """Gradients of a batch from its fluctuations.

    Args:
        values: Shape (samples, weights).
        variances: Variances by shots, shape (samples, weights).
        by_signal: Derivatives of the values by the error signals, shape (samples, weights, outputs); None without
            signals or without shots.
        chi: Response of the cost to a nudge by itself.
        first: The free phase.
    """

    values: NDArray[np.float64]
    variances: NDArray[np.float64]
    by_signal: NDArray[np.float64] | None
    chi: float
    first: FreePhase


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FluctuationEstimator(GradientEstimator):
    """Measures gradients by covariances in Gibbs states, in the free phase only.

    Raises:
        ConfigError: The states are not Gibbs states, shots are given for a quantum network, each weight is measured on
            its own, or there are too few shots for a covariance.
    """

    nudgeless: ClassVar[str | None] = FLUCTUATIONS

    def __post_init__(self) -> None:
        super(FluctuationEstimator, self).__post_init__()
        if not isinstance(self.preparation, ThermalPreparation):
            raise ConfigError("kind: 'fluctuations' are those of Gibbs states; use preparation.kind = 'thermal'")
        if self.shots is not None and not self.hamiltonian.is_classical:
            raise ConfigError(
                "kind: shots of a quantum network do not give its fluctuations; use measurement.shots = "
                "'exact', a contrast by nudging, or network.kind = 'classical_ising'"
            )
        if self.grouping == "per_weight":
            raise ConfigError("grouping: 'fluctuations' estimate all weights from one batch; use 'shared'")
        replicates = 1 if self.replication is None else self.replication.replicates
        for shots in per_group(self.shots, 1):
            if shots is not None and shots < _FEWEST_SHOTS * replicates:
                each = "" if replicates == 1 else f" in each of {replicates} replicates"
                raise ConfigError(
                    f"shots: the covariances of 'fluctuations' take at least {_FEWEST_SHOTS} shots{each}, "
                    f"expected {_FEWEST_SHOTS * replicates} or more, got {shots}"
                )

    @property
    def temperature(self) -> float:
        """Temperature of the Gibbs states, in units of energy."""
        assert isinstance(self.preparation, ThermalPreparation)
        return self.preparation.temperature

    def _measure_gradient(self, batch: GradientBatch, replicates: int) -> MeasurementCoroutine[MeasuredGradient]:
        """Measure the covariances of all replicates; readout errors are not mitigated."""
        found = yield from self._gradients(batch)
        return MeasuredGradient(
            parts=[self._mean_over_samples(found, rows) for rows in np.split(np.arange(len(batch.inputs)), replicates)],
            cost=found.first.cost,
            outputs=found.first.outputs,
            diagnostics=replace(Diagnostics(), chi=found.chi),
            warm_start=found.first.prepared_states.warm_start,
            bias=self._biases(found, batch.targets, replicates),
        )

    def _gradients(self, batch: GradientBatch) -> MeasurementCoroutine[_Gradients]:
        """Measure the free phase and compute the gradients of all samples from its shots."""
        targets, free = batch.targets, self.hamiltonian.free_coefficients(batch.weights, batch.inputs)
        work = self.free_phase(free, targets, batch.key, batch.warm_start)
        answers: list[ShotData] = []

        def keep_answer(request: Request) -> MeasurementCoroutine[ShotData]:
            answers.append((yield request))
            return answers[-1]

        first = yield from relayed(work, keep_answer)
        (data,) = answers
        nudge = self.hamiltonian.nudge(targets, first.outputs)
        slope = None if self.shots is None else self.hamiltonian.nudge_slope(targets, first.outputs)
        jacobian = self.hamiltonian.jacobian(batch.weights, batch.inputs)
        by_signal = None
        if self.hamiltonian.is_classical:
            response, variances, by_signal = self._read(data.outcomes, nudge, slope, jacobian)
        else:
            response = thermal_response(self.hamiltonian.groups, free, nudge, self.temperature)
            variances = np.zeros((len(nudge), jacobian.num_weights))
        return _Gradients(
            values=jacobian.pull_back(response),
            variances=variances,
            by_signal=by_signal,
            chi=float(-np.einsum("st,st->s", nudge, response).mean()),
            first=first,
        )

    def _biases(self, found: _Gradients, targets: NDArray, count: int) -> SignalBias | None:
        """Bias of every replicate by noisy error signals, or None where there are none.

        A gradient is the product of error signals s(o) and covariances K from the same shots. With bars for means over
        replicates, its bias is that of s(o) K - s(<o>) K - s'(<o>) (o - <o>) <K>: the noise of both to second order,
        without the part that is linear in it.
        """
        cost, outputs = self.hamiltonian.cost, found.first.outputs
        if count == 1 or found.by_signal is None or outputs is None or not cost.has_signals:
            return None
        shape = (count, -1, *outputs.shape[1:])
        mean = np.tile(outputs.reshape(shape).mean(axis=0), (count, 1))
        slopes = found.by_signal.reshape(count, -1, *found.by_signal.shape[1:])
        mean_slopes = np.tile(slopes.mean(axis=0), (count, 1, 1))
        moved = np.einsum("sop,sp->so", cost.curvature(mean, targets), outputs - mean)
        second = np.einsum("swo,so->sw", found.by_signal, cost.signals(outputs, targets) - cost.signals(mean, targets))
        second -= np.einsum("swo,so->sw", mean_slopes, moved)
        values = count / (count - 1.0) * second.reshape(count, -1, second.shape[1]).mean(axis=1)
        return SignalBias(values=values, products=values)

    def _read(
        self, outcomes: tuple[Outcomes, ...], nudge: NDArray, slope: NDArray | None, jacobian: TermJacobian
    ) -> tuple[NDArray, NDArray, NDArray | None]:
        """Responses of terms (samples, terms), variances of gradients (samples, weights), slopes by error signals."""
        group: Any = self.measurement_plan.groups[0]
        order = self.measurement_plan.terms[self.measurement_plan.estimates[0]]
        outputs = None if slope is None else self.hamiltonian.output_map
        matrix = None if outputs is None else outputs.matrix[:, order].T
        response, variances, by_signal = np.zeros_like(nudge), [], []
        for sample, cost in enumerate(nudge):
            moved = None if slope is None else slope[sample][np.ix_(order, order)]
            dense = _dense(jacobian, sample, nudge.shape[1])[:, order]
            found, noise = _covariances(group, _shots_of(outcomes[0], sample), cost[order], moved, dense)
            response[sample, order] = -found[0] / self.temperature
            variances.append(noise / self.temperature**2)
            if matrix is not None:
                by_signal.append(-dense @ found[1] @ matrix / self.temperature)
        return response, np.array(variances), np.array(by_signal) if by_signal else None

    def _mean_over_samples(self, found: _Gradients, rows: NDArray[np.int64]) -> Derivative:
        """Return the mean derivative of some samples; all its noise is that of the first group."""
        variance = found.variances[rows].mean(axis=0) / len(rows)
        return Derivative.of_first_group(found.values[rows].mean(axis=0), variance, len(self.measurement_plan.groups))


def _dense(jacobian: TermJacobian, sample: int, num_terms: int) -> NDArray[np.float64]:
    """d(coefficient)/d(weight) of one sample, shape (weights, terms)."""
    dense = np.zeros((jacobian.num_weights, num_terms))
    np.add.at(dense, (jacobian.weight, jacobian.term), jacobian.values[sample])
    return dense


@dataclass(frozen=True, slots=True, eq=False)
class _Shots:
    """Distribution of the outcomes of one state.

    Args:
        bits: The observed bit strings, shape (strings,).
        weights: Frequency or probability of each, shape (strings,).
        count: Number of shots, or None for probabilities.
    """

    bits: NDArray[np.uint64]
    weights: NDArray[np.float64]
    count: int | None

    def signs(self, group: CommutingGroup, means: NDArray) -> Iterator[tuple[NDArray, NDArray]]:
        """Yield deviations of every term from its mean (terms, strings), and frequencies, in blocks of strings."""
        masks = np.array(group.masks, dtype=np.uint64)
        for start in range(0, len(self.bits), _STRINGS_AT_ONCE):
            part = slice(start, start + _STRINGS_AT_ONCE)
            odd = np.bitwise_count(masks[:, None] & self.bits[part]) & 1
            yield 1.0 - 2.0 * odd - means[:, None], self.weights[part]

    def means(self, group: CommutingGroup) -> NDArray[np.float64]:
        """Means of all terms, shape (terms,)."""
        zero = np.zeros(group.num_terms)
        return np.asarray(sum((signs @ weights for signs, weights in self.signs(group, zero)), zero))


def _shots_of(outcomes: Outcomes, row: int) -> _Shots:
    """Outcomes of one measured state."""
    strings, frequencies = bits_of(outcomes).strings(row)
    return _Shots(words_of_bits(strings)[0], frequencies, outcomes.shots)


def _covariances(
    group: CommutingGroup, shots: _Shots, cost: NDArray, slope: NDArray | None, dense: NDArray
) -> tuple[tuple[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]:
    """Unbiased Cov(C, P_t) of all terms and Cov(P_t, P_u), and the variance of sum_t J_kt Cov(C, P_t) of all weights.

    Every shot contributes (C - <C>)(A - <A>) to the covariance with A = dH/dw. With error signals C itself depends on
    the measured means and so on the shot; its contribution to the covariance is linear in P_t - <P_t>. Signals and
    covariances come from the same shots, so that their product has a bias of order 1/shots.

    Args:
        group: The only group of a classical network.
        shots: Outcomes of the state.
        cost: Coefficients of C, shape (terms,).
        slope: d(cost)/d(means), shape (terms, terms), or None.
        dense: Coefficients of dH/dw, shape (weights, terms).
    """
    means, terms = shots.means(group), group.num_terms
    second = np.zeros((terms, terms))
    for off, weights in shots.signs(group, means):
        second += (off * weights) @ off.T
    covariance = second @ cost
    if shots.count is None:
        return (covariance, second), np.zeros(len(dense))
    pulled = np.zeros_like(dense) if slope is None else dense @ second @ slope
    square = np.zeros(len(dense))
    for off, weights in shots.signs(group, means):
        counted = (cost @ off) * (dense @ off) + pulled @ off
        square += counted**2 @ weights
    # The mean of the contributions of the shots is the covariance; the part from the signals has mean zero.
    variance = (square - (dense @ covariance) ** 2) / (shots.count - 1)
    unbiased = shots.count / (shots.count - 1)
    return (covariance * unbiased, second * unbiased), variance
