"""The gradient from thermal fluctuations alone: no nudge, and so no bias by one.

    d<C>/dw = -(1/T) Cov(C, dH/dw)

Of classical spins both are numbers that every shot of one batch reads. Of quantum networks C and dH/dw commute neither
with each other nor with H, the covariance is that of Kubo and Mori, and no measurement in the groups has it: it is
computed from the spectrum.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.cost import LossOnExpectations
from qep_qiskit.errors import ConfigError
from qep_qiskit.execution import BitMemory, Distribution, Outcomes, RequestKey, ShotData
from qep_qiskit.learning.diagnostics import Diagnostics
from qep_qiskit.learning.free_phase import FreePhase, measure_free
from qep_qiskit.learning.gradient import GradientEstimator
from qep_qiskit.learning.gradient_estimate import GradientEstimate
from qep_qiskit.measurement import Calibrations, Measuring
from qep_qiskit.measurement.batches import Result
from qep_qiskit.network import TermJacobian
from qep_qiskit.operators import CommutingGroup
from qep_qiskit.preparation import Memory, ThermalPreparation, thermal_response
from qep_qiskit.short_repr import short_repr

__all__ = ["FluctuationEstimator"]

_STRINGS_AT_ONCE = 1 << 14


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FluctuationEstimator(GradientEstimator):
    """Measures gradients by covariances in Gibbs states; its contrast has the free phase only.

    Raises:
        ConfigError: The states are not Gibbs states, or a quantum network is to be read with shots.
    """

    def __post_init__(self) -> None:
        super(FluctuationEstimator, self).__post_init__()
        if not isinstance(self.preparation, ThermalPreparation):
            raise ConfigError(
                "contrast.kind: 'fluctuations' are those of Gibbs states; use preparation.kind = 'thermal'"
            )
        if self.shots is not None and not self.hamiltonian.is_classical:
            raise ConfigError(
                "contrast.kind: the fluctuations of a quantum network are in no shots; use measurement.shots = "
                "'exact', a contrast by nudging, or network.kind = 'classical_ising'"
            )
        if self.grouping == "per_weight":
            raise ConfigError("measurement.grouping: 'fluctuations' read all weights from one batch; use 'shared'")

    @property
    def reads_fluctuations(self) -> bool:
        """Covariances it is."""
        return True

    @property
    def temperature(self) -> float:
        """Of the Gibbs states."""
        assert isinstance(self.preparation, ThermalPreparation)
        return self.preparation.temperature

    def estimate(
        self,
        weights: NDArray,
        inputs: NDArray,
        targets: NDArray,
        key: RequestKey,
        memory: Memory | None = None,
        calibrations: Calibrations | None = None,
    ) -> Measuring[GradientEstimate]:
        """Gradient of the mean cost of a batch; arguments as in `GradientEstimator.estimate`."""
        self.hamiltonian.check_samples(inputs, targets)
        free = self.hamiltonian.free_coefficients(weights, inputs)
        work = measure_free(
            self.hamiltonian,
            self.preparation,
            free,
            targets,
            plan=self.reading_plan,
            shots=self.group_shots,
            key=key,
            memory=memory,
        )
        first, data = yield from _overheard(work)
        nudge, slope = self._nudge(first, targets)
        jacobian = self.hamiltonian.jacobian(weights, inputs)
        if self.hamiltonian.is_classical:
            response, variance = self._read(data.outcomes, nudge, slope, jacobian)
        else:
            response = thermal_response(self.hamiltonian.groups, free, nudge, self.temperature)
            variance = np.zeros(jacobian.num_weights)
        chi = -np.einsum("st,st->s", nudge, response).mean()
        return GradientEstimate(
            gradient=jacobian.pull_back(response).mean(axis=0),
            variance=variance,
            group_variance=self._of_one_group(variance),
            cost=first.cost,
            outputs=first.outputs,
            diagnostics=replace(Diagnostics(), chi=float(chi)),
            memory=dict(first.equilibria.memory),
        )

    def _nudge(self, first: FreePhase, targets: NDArray) -> tuple[NDArray, NDArray | None]:
        """C by terms (samples, terms), and how it moves with the means that it is read from (samples, terms, terms)."""
        cost, readout = self.hamiltonian.cost, self.hamiltonian.readout
        if not isinstance(cost, LossOnExpectations):
            return self.hamiltonian.operator_nudge(targets)[0], None
        assert first.outputs is not None
        assert readout is not None
        matrix = readout[0]
        signals = cost.checked_loss.gradient(first.outputs, targets)
        return signals @ matrix, matrix.T @ cost.checked_loss.curvature(first.outputs, targets) @ matrix

    def _read(
        self, outcomes: tuple[Outcomes, ...], nudge: NDArray, slope: NDArray | None, jacobian: TermJacobian
    ) -> tuple[NDArray, NDArray]:
        """Responses of the terms (samples, terms), and variances of the gradient (weights,)."""
        group: Any = self.reading_plan.groups[0]
        order = self.reading_plan.terms[self.reading_plan.columns[0]]
        response, spread = np.zeros_like(nudge), []
        for sample, cost in enumerate(nudge):
            moved = None if slope is None else slope[sample][np.ix_(order, order)]
            dense = _dense(jacobian, sample, nudge.shape[1])[:, order]
            found, noise = _covariances(group, _shots_of(outcomes[0], sample), cost[order], moved, dense)
            response[sample, order] = -found / self.temperature
            spread.append(noise / self.temperature**2)
        variance = np.sum(spread, axis=0) / len(nudge) ** 2
        if np.isnan(variance).any() and len(nudge) > 1:
            gradients = jacobian.pull_back(response)
            variance = gradients.var(axis=0, ddof=1) / len(nudge)
        return response, variance

    def _of_one_group(self, variance: NDArray) -> NDArray[np.float64]:
        """All noise is that of one batch, shape (groups, weights)."""
        found = np.zeros((len(self.reading_plan.groups), len(variance)))
        found[0] = variance
        return found


def _overheard(work: Measuring[Result]) -> Measuring[tuple[Result, ShotData]]:
    """The same work, and the answer to its one request."""
    try:
        data = yield next(work)
        work.send(data)
    except StopIteration as finished:
        return finished.value, data
    finally:
        work.close()
    raise AssertionError("expected work with one request")


def _dense(jacobian: TermJacobian, sample: int, num_terms: int) -> NDArray[np.float64]:
    """d(coefficient)/d(weight) of one sample, shape (weights, terms)."""
    dense = np.zeros((jacobian.num_weights, num_terms))
    np.add.at(dense, (jacobian.weight, jacobian.term), jacobian.values[sample])
    return dense


@dataclass(frozen=True, slots=True, eq=False)
class _Shots:
    """What came of one state.

    Args:
        bits: Shape (strings,), the bit strings that came.
        weights: Shape (strings,), the share of each.
        count: Number of shots, or None where the shares are probabilities.
    """

    bits: NDArray[np.uint64]
    weights: NDArray[np.float64]
    count: int | None

    def signs(self, group: CommutingGroup, means: NDArray) -> Iterator[tuple[NDArray, NDArray]]:
        """What every generator reads less its mean (generators, strings), and the shares; some strings at a time."""
        masks = np.array(group.masks, dtype=np.uint64)
        for start in range(0, len(self.bits), _STRINGS_AT_ONCE):
            part = slice(start, start + _STRINGS_AT_ONCE)
            odd = np.bitwise_count(masks[:, None] & self.bits[part]) & 1
            yield 1.0 - 2.0 * odd - means[:, None], self.weights[part]

    def means(self, group: CommutingGroup) -> NDArray[np.float64]:
        """Of all generators."""
        zero = np.zeros(group.num_generators)
        return np.asarray(sum((signs @ weights for signs, weights in self.signs(group, zero)), zero))


def _shots_of(outcomes: Outcomes, row: int) -> _Shots:
    """Of one measured state."""
    if isinstance(outcomes, BitMemory):
        size = outcomes.bits.shape[2]
        full = np.zeros((outcomes.shots, 8), dtype=np.uint8)
        full[:, 8 - size :] = outcomes.bits[row]
        strings, counts = np.unique(full.view(">u8")[:, 0].astype(np.uint64), return_counts=True)
        return _Shots(strings, counts / outcomes.shots, outcomes.shots)
    assert isinstance(outcomes, Distribution)
    weights = outcomes.weights[row] / (outcomes.shots or 1)
    came = np.flatnonzero(weights)
    return _Shots(came.astype(np.uint64), weights[came], outcomes.shots)


def _covariances(
    group: CommutingGroup, shots: _Shots, cost: NDArray, slope: NDArray | None, dense: NDArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unbiased Cov(C, P_t) of all terms, and the variance of sum_t J_kt Cov(C, P_t) of all weights by shots.

    Every shot counts (C - <C>)(A - <A>) for the covariance with A = dH/dw. With error signals C itself was read from
    the means, which the shot has moved; what that adds to the covariance is linear in its P_t - <P_t>. The signals come
    from the same shots, so the product has a bias of the order of one over the shots.

    Args:
        group: The one classical group; its generators are the terms.
        shots: What came.
        cost: Shape (terms,), C.
        slope: Shape (terms, terms), d(cost)/d(means), or None.
        dense: Shape (weights, terms), dH/dw.
    """
    means, terms = shots.means(group), group.num_generators
    second = np.zeros((terms, terms))
    for off, weights in shots.signs(group, means):
        second += (off * weights) @ off.T
    covariance = second @ cost
    if shots.count is None:
        return covariance, np.zeros(len(dense))
    if shots.count == 1:
        return covariance, np.full(len(dense), np.nan)
    pulled = np.zeros_like(dense) if slope is None else dense @ second @ slope
    square = np.zeros(len(dense))
    for off, weights in shots.signs(group, means):
        counted = (cost @ off) * (dense @ off) + pulled @ off
        square += counted**2 @ weights
    # The mean of what shots count for is the covariance; the part of the signals has mean zero.
    variance = (square - (dense @ covariance) ** 2) / (shots.count - 1)
    return covariance * shots.count / (shots.count - 1), variance
