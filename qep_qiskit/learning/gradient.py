"""The gradient of a batch by the contrast of nudged phases, with honest standard errors.

With an operator cost all phases are known at once: one request. With a loss on expectations there are two
stages: the free phase in the groups of the outputs, whose error signals make the nudge, and then the nudged
phases. A free batch that the contrast needs too (one-sided) is not measured twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.cost import LossOnExpectations
from qep_qiskit.execution import RequestKey
from qep_qiskit.learning.contrast import Contrast
from qep_qiskit.learning.diagnostics import Diagnostics, Watched, diagnose
from qep_qiskit.learning.free_phase import CostEstimate, FreePhase, cost_of_means, measure_free
from qep_qiskit.learning.signal_noise import with_signal_noise
from qep_qiskit.measurement import Calibrations, Measuring, ReadoutMitigation, StateMoments, measure, mitigated
from qep_qiskit.network import TermJacobian
from qep_qiskit.nudge import NudgedHamiltonian
from qep_qiskit.preparation import Equilibria, Family, Memory, Preparation, Start

__all__ = ["GradientEstimate", "GradientEstimator"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GradientEstimate:
    """Gradient of the mean cost of a batch.

    Args:
        gradient: Shape (weights,), d(cost)/d(weight).
        variance: Shape (weights,), of the gradient by shots, error signals included; NaN where one shot
            and one sample give no estimate. Where a batch has fewer samples than outputs, the part of the
            error signals is approximate: one nudge does not tell the response to each output.
        cost: Cost of the samples. For an operator cost without a free phase it is the mean over the nudged
            phases +-beta, which differs from the free cost by O(beta^2).
        outputs: Shape (samples, outputs), free expectations where they were measured.
        diagnostics: When to trust it.
        memory: What the preparation remembers of these samples.
    """

    gradient: NDArray[np.float64]
    variance: NDArray[np.float64]
    cost: CostEstimate
    outputs: NDArray[np.float64] | None
    diagnostics: Diagnostics
    memory: Memory = field(default_factory=dict)

    @property
    def standard_error(self) -> NDArray[np.float64]:
        """Standard errors, shape (weights,)."""
        return np.sqrt(np.maximum(self.variance, 0.0))

    @property
    def norm(self) -> float:
        """Length of the gradient."""
        return float(np.linalg.norm(self.gradient))

    @property
    def noise(self) -> float:
        """Root of the summed variances: the length that shot noise alone gives."""
        return float(np.sqrt(np.maximum(self.variance, 0.0).sum()))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GradientEstimator:
    """Measures gradients.

    Args:
        hamiltonian: Network and cost.
        preparation: How states are reached.
        contrast: The stencil of nudges.
        shots: Shots per batch, or None for exact expectations.
        read_free_cost: For operator costs: also measure the free phase, in the groups of the cost, so that
            the reported cost is that of the free state.
        mitigation: How errors of the readout are calibrated and taken out, or None.
    """

    hamiltonian: NudgedHamiltonian
    preparation: Preparation
    contrast: Contrast
    shots: int | None
    read_free_cost: bool = False
    mitigation: ReadoutMitigation | None = None

    @property
    def group_shots(self) -> list[int | None]:
        """Shots per group."""
        return [self.shots] * len(self.hamiltonian.groups)

    def estimate(
        self,
        weights: NDArray,
        inputs: NDArray,
        targets: NDArray,
        key: RequestKey,
        memory: Memory | None = None,
        calibrations: Calibrations | None = None,
    ) -> Measuring[GradientEstimate]:
        """Gradient of the mean cost of a batch.

        Args:
            weights: Shape (weights,).
            inputs: Shape (samples, inputs).
            targets: Shape (samples, targets).
            key: Names the requests; stages are counted from it.
            memory: What the preparation remembered of these samples (`GradientEstimate.memory`).
            calibrations: Of the readout, those that still hold; new ones are added.
        """
        work = self._estimated(weights, inputs, targets, key, Start(memory=memory or {}))
        return mitigated(work, self.mitigation, calibrations)

    def _estimated(
        self, weights: NDArray, inputs: NDArray, targets: NDArray, key: RequestKey, start: Start
    ) -> Measuring[GradientEstimate]:
        free = self.hamiltonian.free_coefficients(weights, inputs)
        jacobian = self.hamiltonian.jacobian(weights, inputs)
        if isinstance(self.hamiltonian.cost, LossOnExpectations):
            return (yield from self._with_signals(free, jacobian, targets, start, key))
        return (yield from self._with_operator(free, jacobian, targets, start, key))

    def _with_operator(
        self, free: NDArray, jacobian: TermJacobian, targets: NDArray, start: Start, key: RequestKey
    ) -> Measuring[GradientEstimate]:
        phases = dict(self.contrast.phases)
        if self.read_free_cost:
            phases.setdefault(0.0, 0.0)
        betas = np.array(sorted(phases))
        stencil = np.array([phases[beta] for beta in betas])
        nudge, constants = self.hamiltonian.operator_nudge(targets)
        wanted = {g: np.flatnonzero(stencil).tolist() for g in self.hamiltonian.network_groups}
        for g in self.hamiltonian.cost_groups:
            wanted[g] = sorted({*wanted.get(g, []), *self._cost_phases(betas)})
        family = Family(groups=self.hamiltonian.groups, free=free, nudge=nudge, betas=betas, key=key)
        moments, equilibria = yield from self._measure(family, wanted, start)
        derivative, covariance = _contract(moments, stencil)
        return GradientEstimate(
            **_pulled(jacobian, derivative, covariance),
            cost=self._operator_cost(moments, betas, targets),
            outputs=None,
            diagnostics=diagnose(Watched(family=family, moments=moments, constants=constants), equilibria.report),
            memory=equilibria.memory,
        )

    @staticmethod
    def _cost_phases(betas: NDArray) -> list[int]:
        """The free phase if there is one, else the two smallest nudges."""
        if 0.0 in betas:
            return [int(np.flatnonzero(betas == 0.0)[0])]
        smallest = np.abs(betas).min()
        return [int(p) for p in np.flatnonzero(np.isclose(np.abs(betas), smallest))]

    def _operator_cost(self, moments: StateMoments, betas: NDArray, targets: NDArray) -> CostEstimate:
        chosen = self._cost_phases(betas)
        means = moments.means[:, chosen].mean(axis=1)
        covariance = moments.covariance[:, chosen].sum(axis=1) / len(chosen) ** 2
        return cost_of_means(self.hamiltonian, means, covariance, targets)

    def _with_signals(
        self, free: NDArray, jacobian: TermJacobian, targets: NDArray, start: Start, key: RequestKey
    ) -> Measuring[GradientEstimate]:
        assert isinstance(self.hamiltonian.cost, LossOnExpectations)
        first = yield from measure_free(
            self.hamiltonian,
            self.preparation,
            free,
            targets,
            shots=self.group_shots,
            key=key,
            memory=start.memory,
        )
        assert first.outputs is not None
        signals = self.hamiltonian.cost.loss.gradient(first.outputs, targets)
        nudge = self.hamiltonian.signal_nudge(signals)
        betas, stencil = self.contrast.betas, self.contrast.stencil
        known = set(self.hamiltonian.reading_groups)
        wanted = {
            g: [p for p, beta in enumerate(betas) if beta != 0.0 or g not in known]
            for g in self.hamiltonian.network_groups
        }
        second = replace(key, stage=key.stage + 1)
        family = Family(groups=self.hamiltonian.groups, free=free, nudge=nudge, betas=betas, key=second)
        start = Start(free=first.equilibria.free, memory={**start.memory, **first.equilibria.memory})
        measured, equilibria = yield from self._measure(family, wanted, start)
        moments = _filled_in(measured, first.moments, betas)
        derivative, covariance = _contract(moments, stencil)
        covariance = with_signal_noise(
            covariance,
            derivative,
            signals,
            self._signal_slope(first, targets),
            first.moments.covariance[:, 0],
            free_weight=float(stencil[betas == 0.0].sum()),
        )
        watched = Watched(family=family, moments=moments, constants=np.zeros(len(free)))
        return GradientEstimate(
            **_pulled(jacobian, derivative, covariance),
            cost=first.cost,
            outputs=first.outputs,
            diagnostics=diagnose(watched, equilibria.report, first.equilibria.report),
            memory={**first.equilibria.memory, **equilibria.memory},
        )

    def _signal_slope(self, first: FreePhase, targets: NDArray) -> NDArray:
        """d(error signals)/d(free means), shape (samples, outputs, terms)."""
        assert isinstance(self.hamiltonian.cost, LossOnExpectations)
        assert self.hamiltonian.readout is not None
        assert first.outputs is not None
        return self.hamiltonian.cost.loss.curvature(first.outputs, targets) @ self.hamiltonian.readout[0]

    def _measure(
        self, family: Family, wanted: dict[int, list[int]], start: Start
    ) -> Measuring[tuple[StateMoments, Equilibria]]:
        """Prepare all phases that are wanted in some group, and measure them."""
        shape = (family.num_samples, len(family.betas), family.free.shape[1])
        used = sorted({p for chosen in wanted.values() for p in chosen})
        compact = {g: [used.index(p) for p in chosen] for g, chosen in wanted.items()}
        equilibria = yield from self.preparation.prepare(replace(family, betas=family.betas[used]), start)
        part = yield from measure(
            self.hamiltonian.groups,
            equilibria.states,
            shape=(shape[0], len(used)),
            phases=compact,
            shots=self.group_shots,
            key=family.key,
        )
        if len(used) == shape[1]:
            return part, equilibria
        means, covariance = np.full(shape, np.nan), np.zeros((*shape, shape[2]))
        means[:, used], covariance[:, used] = part.means, part.covariance
        report = equilibria.report.spread(used, shape[1])
        return StateMoments(means=means, covariance=covariance), replace(equilibria, report=report)


def _filled_in(measured: StateMoments, free: StateMoments, betas: NDArray) -> StateMoments:
    """Put the free batch of the first stage where the second stage left the free phase out."""
    where = np.flatnonzero(betas == 0.0)
    if where.size == 0:
        return measured
    means, covariance = measured.means.copy(), measured.covariance.copy()
    known = ~np.isnan(free.means[:, 0])
    means[:, where[0]] = np.where(known, free.means[:, 0], means[:, where[0]])
    covariance[:, where[0]] += free.covariance[:, 0]
    return StateMoments(means=means, covariance=covariance)


def _contract(moments: StateMoments, stencil: Sequence[float] | NDArray) -> tuple[NDArray, NDArray]:
    """Derivatives by beta of all terms, shape (samples, terms), and their covariance by shots."""
    weights = np.asarray(stencil)
    used = weights != 0.0
    means = np.nan_to_num(moments.means[:, used])
    derivative = np.einsum("p,spt->st", weights[used], means)
    covariance = np.einsum("p,sptu->stu", weights[used] ** 2, moments.covariance[:, used])
    return derivative, covariance


def _pulled(
    jacobian: TermJacobian,
    derivative: NDArray,
    covariance: NDArray,
) -> dict[str, NDArray]:
    """From terms to weights, averaged over the batch."""
    samples = len(derivative)
    per_sample = jacobian.pull_back(derivative)
    variance = jacobian.pull_back_variance(covariance).sum(axis=0) / samples**2
    if np.isnan(variance).any():
        # One shot: the spread over samples is all there is. It holds the signals' noise, and the samples' own.
        spread = per_sample.var(axis=0, ddof=1) / samples if samples > 1 else np.full_like(variance, np.nan)
        variance = np.where(np.isnan(variance), spread, variance)
    return {"gradient": per_sample.mean(axis=0), "variance": variance}
