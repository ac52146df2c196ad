"""Error of the gradient of one network by nudge and shots, from exact means alone: no shots are drawn.

Every weight multiplies one Pauli string P, whose single-shot variance is 1 - <P>^2. So a few contrasts of exact means
give the bias and the shot noise of the gradient at their nudges, with

    E |D(beta) - g|^2  =  |D(beta) - g|^2 (exact means)  +  V(beta) / m ,      m shots a batch,

summed over the trained weights. V contains the noise of the error signal of a loss on one output, which is measured
with the same m shots: to first order, with s the signal and O the output,

    Var(signals) = sum_w (dD_w/ds)^2 (ds/d<O>)^2 Var(O) ,      dD/ds = (D + dD/dln(beta)) / s ,

because the nudge is the product beta s O.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.execution import Executor, RequestKey
from qep_qiskit.learning import Contrast, ErrorModel, GradientEstimator, first_beta
from qep_qiskit.learning.bias_fit import BiasCurve
from qep_qiskit.learning.contrast import joint_phases
from qep_qiskit.learning.free_phase import FreePhase
from qep_qiskit.learning.phases import MeasuredPhases
from qep_qiskit.learning.pilot import signal_group
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network.nudge import NudgedHamiltonian

_NEAR_ZERO = 2
"""Number of contrasts from which the limit of beta to 0 is extrapolated."""
_AROUND_BEST = (0.7, 1.0, 1.4)
_FIRST = 0.5  # of the first nudge of pilots, since there is no shot noise here
_BELOW_BEST = 8.0
_FARTHEST = 128.0
_GROWTH, _MOST_GROWN = 1.4, 8
_INSIDE = 0.9
_TINY = 1e-300
_ROUNDING = 1e-13


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotsNeeded:
    """Nudge with which the fewest shots reach an error, and these shots.

    Args:
        beta: The nudge.
        shots: Shots per batch.
        bias: Bias at this nudge relative to the length of the gradient.
    """

    beta: float
    shots: int
    bias: float


@dataclass(frozen=True, kw_only=True, eq=False)
class ExactContrasts:
    """Contrasts of one kind at several nudges, from exact means, with their variances for one shot a batch.

    Args:
        name: Name of the contrast.
        betas: Nudges in ascending order; the second is twice the first. Shape (levels,).
        values: Contrasts of the trained weights for every sample, shape (levels, samples, weights).
        group_variances: Variance of one shot by the group of a batch, at known error signals, shape (levels, groups).
        signals: Error signal of every sample, shape (samples,), or None with an operator cost.
        signal_variances: Variance of one shot of these signals, shape (samples,).
        signal_group: Index of the group whose shots give the signals.
        equal_nudges: Whether nudges are divided by the size of the signals, so that contrasts are proportional to it.
    """

    name: str
    betas: NDArray[np.float64]
    values: NDArray[np.float64]
    group_variances: NDArray[np.float64]
    signals: NDArray[np.float64] | None
    signal_variances: NDArray[np.float64]
    signal_group: int
    equal_nudges: bool = False

    @property
    def order(self) -> int:
        """Leading power of beta in the bias."""
        return Contrast.named(self.name).order

    @cached_property
    def gradient(self) -> NDArray[np.float64]:
        """Gradient of the trained weights in the limit of beta to 0, shape (weights,)."""
        near, far = self.values[:_NEAR_ZERO].mean(axis=1)
        factor = 2.0**self.order
        return np.asarray((factor * near - far) / (factor - 1.0))

    @property
    def length(self) -> float:
        """Length of the gradient; zero within rounding errors, of which 1 / beta is the unit."""
        length = float(np.linalg.norm(self.gradient))
        return length if length > _ROUNDING / self.betas[0] else 0.0

    @property
    def biases(self) -> NDArray[np.float64]:
        """Length of the bias at every nudge, shape (levels,)."""
        return np.asarray(np.linalg.norm(self.values.mean(axis=1) - self.gradient, axis=1))

    def joined(self, other: ExactContrasts) -> ExactContrasts:
        """Return these contrasts together with those at larger or other nudges."""
        betas = np.concatenate([self.betas, other.betas])
        order = np.argsort(betas)
        return replace(
            self,
            betas=betas[order],
            values=np.concatenate([self.values, other.values])[order],
            group_variances=np.concatenate([self.group_variances, other.group_variances])[order],
        )

    @cached_property
    def model(self) -> ErrorModel:
        """Error model with the exact bias and the exact variances at these nudges."""
        squares = np.maximum(self.biases**2, _TINY)
        by_level = self.group_variances * self.betas[:, None] ** 2
        return ErrorModel(
            order=self.order,
            bias_squared=float(squares[0] / self.betas[0] ** (2 * self.order)),
            shot_variance=tuple(by_level[-1].tolist()),
            gradient_squared=self.length**2,
            signal_group=self.signal_group,
            beta_scale=float(self.betas[-1]),
            curve=BiasCurve(betas=tuple(self.betas.tolist()), squares=(tuple(squares.tolist()),)),
            levels=tuple(self.betas.tolist()),
            level_variance=tuple(map(tuple, by_level.tolist())),
            level_signals=tuple(self._from_signals().tolist()),
        )

    def _from_signals(self) -> NDArray[np.float64]:
        """Return the variance of one shot that enters through the error signals, shape (levels,)."""
        if self.signals is None or not self.signals.any():
            return np.zeros(len(self.betas))
        slopes = self.values
        if not self.equal_nudges:
            slopes = slopes + np.gradient(self.values, np.log(self.betas), axis=0)
        known = np.where(self.signals != 0.0, self.signals, np.inf)
        by_sample = (slopes**2).sum(axis=2) / known**2
        return np.asarray(by_sample @ self.signal_variances / len(known) ** 2)

    def shots_for(self, relative_error: float) -> ShotsNeeded | None:
        """Return the fewest shots for an error of the gradient; None where no number of shots reaches it.

        Args:
            relative_error: Root mean squared error relative to the length of the gradient.
        """
        if not self.length > 0.0:
            return None
        try:
            shots, beta = self.model.shots_for(relative_error * self.length)
        except ConfigError:
            return None
        return ShotsNeeded(beta=beta, shots=math.ceil(shots), bias=self.model.bias(beta) / self.length)


def exact_contrasts(
    estimator: GradientEstimator,
    executor: Executor,
    weights: NDArray,
    inputs: NDArray,
    targets: NDArray,
    *,
    relative_error: float,
    free: FreePhase | None = None,
) -> ExactContrasts:
    """Return contrasts at small nudges, and at nudges around the one that reaches an error with the fewest shots.

    Args:
        estimator: Network, cost, preparation and kind of contrast.
        executor: Executor that gives exact expectations.
        weights: Shape (weights,).
        inputs: Shape (samples, inputs).
        targets: Shape (samples, targets).
        relative_error: The error relative to the length of the gradient.
        free: The free phase of these samples with exact means, or None to prepare it.

    Raises:
        ConfigError: The variances do not follow from the means of the terms: a weight multiplies several strings, the
            loss has several outputs, or the contrast measures the free phase.
    """
    check_single_strings(estimator)
    warm_start = {} if free is None else dict(free.prepared_states.warm_start)
    batch = _Batch(replace(estimator, shots=None), executor, weights, inputs, targets, free, warm_start)
    equal = estimator.equal_nudges
    beta = _FIRST * first_beta(estimator.hamiltonian, weights, inputs, targets, equal_nudges=equal)
    found = batch.contrasts([beta, 2.0 * beta], in_units_of_signals=True)
    if not found.length > 0.0:
        return found
    best = _expected_best(found, relative_error)
    if best < _BELOW_BEST * found.betas[0]:  # the limit of beta to 0 needs smaller nudges
        found = batch.contrasts([best / _BELOW_BEST, 2.0 * best / _BELOW_BEST])
        best = _expected_best(found, relative_error)
    found = found.joined(batch.contrasts([best * ratio for ratio in _AROUND_BEST]))
    for _ in range(_MOST_GROWN):
        needed = found.shots_for(relative_error)
        if needed is None or needed.beta < _INSIDE * found.betas[-1]:
            break
        found = found.joined(batch.contrasts([_GROWTH * float(found.betas[-1])]))
    return found


def _expected_best(found: ExactContrasts, relative_error: float) -> float:
    """Return the best nudge by the leading order of the bias, where bias^2 is 1 / (1 + order) of the squared error."""
    beta, bias = float(found.betas[0]), max(float(found.biases[0]), _TINY)
    wanted = relative_error * found.length / np.sqrt(1.0 + found.order)
    return beta * float(np.clip((wanted / bias) ** (1.0 / found.order), 1.0 / _FARTHEST, _FARTHEST))


def check_single_strings(estimator: GradientEstimator) -> None:
    """Check that the variances of a gradient follow from the means of the terms.

    Raises:
        ConfigError: They do not.
    """
    hamiltonian, network = estimator.hamiltonian, estimator.hamiltonian.network
    weight = hamiltonian.jacobian(np.zeros(network.layout.num_weights), np.zeros((1, network.num_inputs))).weight
    several = np.flatnonzero(np.bincount(weight, minlength=1) > 1)
    if several.size:
        raise ConfigError(
            "--study size: expected weights that each multiply one Pauli string, whose noise follows from its mean; "
            f"{network.layout.names[several[0]]} multiplies several"
        )
    if estimator.contrast.has_free_phase:
        raise ConfigError(
            f"contrast.kind: --study size takes contrasts without a free phase, got '{estimator.contrast.kind}'; use "
            "'symmetric'"
        )
    if not hamiltonian.cost.has_signals:
        return
    outputs = 0 if hamiltonian.output_map is None else len(hamiltonian.output_map.matrix)
    strings = hamiltonian.output_strings
    if hamiltonian.cost.couples_samples:
        raise ConfigError("cost.loss: --study size takes losses of single samples; this one is over a batch")
    if outputs != 1 or len(strings) != 1 or not isinstance(hamiltonian.terms[strings[0]], PauliString):
        raise ConfigError(
            "--study size: expected a loss on one output of one Pauli string, whose noise follows from its mean, or an "
            f"operator cost; got {outputs} output{'' if outputs == 1 else 's'} of {len(strings)} strings"
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Samples whose exact contrasts are computed."""

    estimator: GradientEstimator
    executor: Executor
    weights: NDArray[np.float64]
    inputs: NDArray[np.float64]
    targets: NDArray[np.float64]
    free: FreePhase | None
    warm_start: dict[str, NDArray[np.float64]]
    """Warm-start arrays of the last request."""

    @property
    def _trainable(self) -> NDArray[np.bool_]:
        return self._hamiltonian.network.layout.trainable()

    @property
    def _hamiltonian(self) -> NudgedHamiltonian:
        return self.estimator.hamiltonian

    def contrasts(self, betas: Sequence[float], *, in_units_of_signals: bool = False) -> ExactContrasts:
        """Return the contrasts at some nudges."""
        contrasts = [replace(self.estimator.contrast, beta=beta) for beta in betas]
        every, fractions = joint_phases(contrasts)
        work = self.estimator.phases(
            *(self.weights, self.inputs, self.targets, RequestKey("size", 0), every),
            warm_start=self.warm_start,
            shot_fractions=fractions,
            quiet=True,
            in_units_of_signals=in_units_of_signals,
            free=self.free,
        )
        measured, _ = run_measurements(work, self.executor)
        self.warm_start.update(measured.warm_start)
        unit = float(np.abs(measured.betas).max() / np.abs(every).max())  # a power of two, so products are exact
        contrasts = [replace(contrast, beta=contrast.beta * unit) for contrast in contrasts]
        stencils = [contrast.stencil_on(measured.betas) for contrast in contrasts]
        signals, noise = self._signals(measured)
        return ExactContrasts(
            name=self.estimator.contrast.name,
            betas=np.array([contrast.beta for contrast in contrasts]),
            values=np.array([measured.per_sample(stencil)[:, self._trainable] for stencil in stencils]),
            group_variances=np.array([self._by_group(measured, stencil) for stencil in stencils]),
            signals=signals,
            signal_variances=noise,
            signal_group=signal_group(self.estimator),
            equal_nudges=self.estimator.equal_nudges,
        )

    def _by_group(self, measured: MeasuredPhases, stencil: NDArray) -> NDArray[np.float64]:
        """Return the variance of one shot of every group, summed over trained weights, shape (groups,)."""
        used = stencil != 0.0
        single = 1.0 - np.nan_to_num(measured.moments.means[:, used]) ** 2
        of_estimates = np.einsum("p,spt->st", stencil[used] ** 2 / measured.shot_fractions[used], single)
        of_estimates *= measured.noise_by_size[:, None]
        jacobian = measured.jacobian
        each = (jacobian.values**2 * of_estimates[:, jacobian.term]).sum(axis=0) / len(self.inputs) ** 2
        group = np.empty(measured.plan.num_estimates, dtype=np.int64)
        for index, estimates in enumerate(measured.plan.estimates):
            group[estimates] = index
        each = np.where(self._trainable[jacobian.weight], each, 0.0)
        return np.bincount(group[jacobian.term], each, minlength=len(measured.plan.groups)).astype(np.float64)

    def _signals(self, measured: MeasuredPhases) -> tuple[NDArray | None, NDArray]:
        """Return the error signal of every sample and its variance by one shot, each of shape (samples,)."""
        if measured.signals is None or measured.outputs is None:
            return None, np.zeros(len(self.inputs))
        targets = self._hamiltonian.targets_of(self.inputs, self.targets)
        means, sizes = self._hamiltonian.means_of_single_terms(measured.outputs)
        slopes = self._hamiltonian.cost.curvature(measured.outputs, targets)[:, 0, 0]
        return measured.signals.signals[:, 0], (slopes * sizes[0]) ** 2 * (1.0 - means[:, 0] ** 2)
