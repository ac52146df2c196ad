"""Measured phases of a batch, and the derivatives by beta that stencils make of them.

One measurement of some phases serves any stencil over their nudges: the contrast of a step, or several contrasts whose
differences show their bias.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.rows import take_rows
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.learning.coupled_noise import coupled_covariance
from qep_qiskit.learning.diagnostics import Diagnostics
from qep_qiskit.learning.error_signals import SignalBatch
from qep_qiskit.learning.free_phase import CostEstimate
from qep_qiskit.learning.signal_noise import UsedPhases, with_signal_noise
from qep_qiskit.measurement import MeasurementPlan, StateMoments
from qep_qiskit.network import TermJacobian
from qep_qiskit.outcomes import is_none, no_covariance
from qep_qiskit.preparation import WarmStartArrays

_PROMISED = 0.1  # of the summed variance
_PROMISED_OF_ONE = 0.25  # of the variance of a weight
_COUNTS = 0.05  # weights with a variance below this fraction of the mean do not count


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Derivative:
    """Derivative by beta, converted to weights and averaged over the batch.

    Args:
        values: Shape (weights,).
        variance: Variance by shots, with the noise of error signals, shape (weights,); NaN where one shot and one
            sample give no estimate.
        group_variance: Part of each shared batch at fixed error signals, shape (groups, weights); NaN where one shot
            gives no estimate.
        uncertain: Fraction of the summed variance that is prior expectation and not data: the noise of error signals to
            which the batch does not show the response.
        most_uncertain: Largest such fraction of a single weight, among weights whose variance is at least a twentieth
            of the mean.
        is_nonlinear: Whether error signals of a loss of a batch are far from linear in the noise of the outputs.
    """

    values: NDArray[np.float64]
    variance: NDArray[np.float64]
    group_variance: NDArray[np.float64]
    uncertain: float = 0.0
    most_uncertain: float = 0.0
    is_nonlinear: bool = False

    @classmethod
    def of_first_group(
        cls, values: NDArray, variance: NDArray, groups: int, *, by_signals: NDArray | float = 0.0
    ) -> Derivative:
        """Return a derivative whose noise at fixed error signals is all that of the first group.

        Args:
            values: Shape (weights,).
            variance: Shape (weights,), at fixed error signals.
            groups: Number of groups.
            by_signals: Variance by error signals, shape (weights,).
        """
        by_group = np.zeros((groups, len(variance)))
        by_group[0] = variance
        return cls(values=values, variance=variance + by_signals, group_variance=by_group)

    @property
    def approximate(self) -> bool:
        """Whether single variances may be off by more than a quarter, or their sum by more than a tenth.

        The prior gives the expected square of an unknown response, whose standard deviation is sqrt(2) times its mean.
        """
        shares = np.sqrt(2.0) * self.uncertain > _PROMISED or np.sqrt(2.0) * self.most_uncertain > _PROMISED_OF_ONE
        return self.is_nonlinear or bool(shares)

    @property
    def signal_variance(self) -> NDArray[np.float64]:
        """Part of the variance from error signals, shape (weights,); negative where anticorrelated with the rest."""
        return self.variance - self.group_variance.sum(axis=0)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeasuredPhases:
    """Measured phases of a batch.

    Args:
        betas: Nudges, shape (phases,), ascending.
        shot_fractions: Shots of every phase over their mean, shape (phases,).
        plan: Measurement plan of the phases.
        moments: Means and covariances of the plan's estimates, shape (samples, phases, estimates).
        jacobian: d(coefficient)/d(weight), by estimates.
        signals: Error signals, or None with an operator cost.
        cost: Cost of the samples.
        outputs: Expectations of the outputs in the free phase, shape (samples, outputs), or None where not measured.
        diagnostics: Quantities that show whether derivatives can be trusted.
        warm_start: Warm-start arrays of the samples.
        nudge_sizes: What the nudge of every sample was divided by, shape (samples,), or None where samples have the
            nudges that follow from the cost.
        sample_shares: Shots of every sample over their mean, shape (samples,), or None where they are equal.
    """

    betas: NDArray[np.float64]
    shot_fractions: NDArray[np.float64]
    plan: MeasurementPlan
    moments: StateMoments
    jacobian: TermJacobian
    signals: SignalBatch | None
    cost: CostEstimate
    outputs: NDArray[np.float64] | None
    diagnostics: Diagnostics
    warm_start: WarmStartArrays
    nudge_sizes: NDArray[np.float64] | None = None
    sample_shares: NDArray[np.float64] | None = None

    @property
    def noise_by_size(self) -> NDArray[np.float64]:
        """Factors of the variances of samples by their nudges and shots, shape (samples,)."""
        ones = np.ones(len(self.moments.means))
        sizes = ones if self.nudge_sizes is None else self.nudge_sizes
        return np.asarray(sizes**2 / (ones if self.sample_shares is None else self.sample_shares))

    def derivative(self, stencil: NDArray) -> Derivative:
        """Return the derivative that a stencil gives, with its variances.

        Args:
            stencil: Weight of every phase, shape (phases,).
        """
        derivative, covariance = self._contracted(stencil)
        samples = len(derivative)
        per_sample = self.jacobian.pull_back(derivative)
        coupled = self._coupled(covariance, derivative, stencil)
        if coupled is None:
            total, uncertain = self._with_signals(covariance, derivative, stencil)
            variance = self.jacobian.pull_back_variance(total).sum(axis=0) / samples**2
            own = None if uncertain is None else self._of_weights(uncertain)
        else:
            variance, own = np.diag(coupled[0]) / samples**2, coupled[1]
        if np.isnan(variance).any():
            # One shot: only the scatter over samples is known. It contains the noise of signals and that of the data.
            term_covariance = (
                per_sample.var(axis=0, ddof=1) / samples if samples > 1 else np.full_like(variance, np.nan)
            )
            variance = np.where(np.isnan(variance), term_covariance, variance)
        shares = (0.0, 0.0) if own is None else _shares(own / samples**2, variance)
        return Derivative(
            values=per_sample.mean(axis=0),
            variance=variance,
            group_variance=self._by_group(covariance) / samples**2,
            uncertain=shares[0],
            most_uncertain=shares[1],
            is_nonlinear=self.signals is not None and self.signals.is_nonlinear,
        )

    def per_sample(self, stencil: NDArray) -> NDArray[np.float64]:
        """Return the derivative that a stencil gives for every sample, shape (samples, weights)."""
        return self.jacobian.pull_back(self._contracted(stencil)[0])

    def variance_per_sample(self, stencil: NDArray) -> NDArray[np.float64]:
        """Return the variances of `per_sample` by shots, shape (samples, weights); not for a loss of a batch.

        Args:
            stencil: Weight of every phase, shape (phases,).
        """
        derivative, covariance = self._contracted(stencil)
        return self.jacobian.pull_back_variance(self._with_signals(covariance, derivative, stencil)[0])

    def _of_weights(self, variances: NDArray) -> NDArray[np.float64]:
        """Summed variances of weights, shape (weights,), from independent ones of estimates (samples, estimates)."""
        by_entry = (self.jacobian.values**2 * variances[:, self.jacobian.term]).sum(axis=0)
        return np.bincount(self.jacobian.weight, by_entry, self.jacobian.num_weights).astype(np.float64)

    def split(self, parts: int) -> list[MeasuredPhases]:
        """Return the phases of equal parts of the samples, in order; diagnostics and warm start stay those of all.

        Args:
            parts: Number of parts.

        Raises:
            ValueError: The number of samples is no multiple of `parts`.
        """
        samples = len(self.moments.means)
        if samples % parts:
            raise ValueError(f"expected samples that divide into {parts} parts, got {samples}")
        if parts == 1:
            return [self]
        size = samples // parts
        names = (
            "moments",
            "jacobian",
            "signals",
            "cost",
            "outputs",
            "nudge_sizes",
            "sample_shares",
        )  # with a loss of a batch, parts are batches
        return [take_rows(self, slice(start, start + size), *names) for start in range(0, samples, size)]

    def noise_of_square(self, stencil: NDArray, weights: NDArray) -> tuple[float, float]:
        """Return mean and standard deviation of what shot noise adds to the squared length of a derivative.

        With Sigma the covariance of the derivative these are tr(Sigma) and sqrt(2 tr(Sigma^2)).

        Args:
            stencil: Weight of every phase, shape (phases,).
            weights: Mask of the weights that count, shape (weights,).
        """
        derivative, covariance = self._contracted(stencil)
        samples = len(derivative)
        if is_none(covariance):
            return 0.0, 0.0
        coupled = self._coupled(covariance, derivative, stencil)
        if coupled is not None:
            own = coupled[0][np.ix_(weights, weights)] / samples**2
            return float(np.trace(own)), float(np.sqrt(2.0 * (own**2).sum()))
        total = self._with_signals(covariance, derivative, stencil)[0]
        own = np.zeros((int(weights.sum()), int(weights.sum())))
        for values, term_covariance in zip(self.jacobian.values, total, strict=True):
            dense = np.zeros((self.jacobian.num_weights, self.plan.num_estimates))
            dense[self.jacobian.weight, self.jacobian.term] = values
            dense = dense[weights]
            own += dense @ term_covariance @ dense.T
        own /= samples**2
        return float(np.trace(own)), float(np.sqrt(2.0 * (own**2).sum()))

    def _contracted(self, stencil: NDArray) -> tuple[NDArray, NDArray]:
        """Derivatives of the estimates, shape (samples, estimates), and their covariance at fixed error signals."""
        used = stencil != 0.0
        means = np.nan_to_num(self.moments.means[:, used])
        derivative = np.einsum("p,spt->st", stencil[used], means)
        sizes = self.nudge_sizes
        if sizes is not None:
            derivative *= sizes[:, None]
            derivative -= self._shared_with_sizes(stencil)  # the mean of a product of two noises
        if is_none(self.moments.covariance):
            return derivative, no_covariance(derivative.shape)
        covariance = np.einsum("p,sptu->stu", stencil[used] ** 2, self.moments.covariance[:, used])
        return derivative, covariance if sizes is None else covariance * sizes[:, None, None] ** 2

    def _with_signals(
        self, covariance: NDArray, derivative: NDArray, stencil: NDArray
    ) -> tuple[NDArray, NDArray | None]:
        """Covariance with the noise of error signals, and the uncertain part of its diagonal, if any."""
        if self.signals is None or is_none(covariance) or not self.signals.is_noisy:
            return covariance, None
        used = self._used(stencil, covariance)
        return with_signal_noise(self._with_products(covariance, stencil), derivative, self.signals, used)

    def _with_products(self, covariance: NDArray, stencil: NDArray) -> NDArray[np.float64]:
        """Covariance with that of the products of noisy sizes of nudges and noisy contrasts.

        With x and f two noises of covariance c, the variance of (e + x) f - c is <(e + x)^2> <f^2> + c^2. The first
        term is the covariance at the sizes as measured.
        """
        shared = self._shared_with_sizes(stencil)
        return covariance if isinstance(shared, float) else covariance + shared[:, :, None] * shared[:, None, :]

    def _used(self, stencil: NDArray, covariance: NDArray) -> UsedPhases:
        return UsedPhases(
            betas=self.betas,
            stencil=stencil,
            mean_noise=self._mean_noise(stencil, covariance),
            free_weight=self._free_weight(stencil),
            sizes=np.ones(len(self.moments.means)) if self.nudge_sizes is None else self.nudge_sizes,
        )

    def _shared_with_sizes(self, stencil: NDArray) -> NDArray[np.float64] | float:
        """Covariance of the sizes of nudges and the contrasts by shots of the free phase, (samples, estimates), or 0.

        Half of it follows from the free shots and half from nudged ones. For noises x and f of the free shots and any
        function g, <g f> is <g'> <x f> + <g''> <x x f> / 2 and so on. The covariance that free shots show is <x f> on
        average and, as it rises with x, has <g'> <x f> + <g''> <x x f> as the mean of its product with g'(x); that of
        nudged shots, which know nothing of x, has <g'> <x f>.
        """
        weight = self._free_weight(stencil)
        if weight == 0.0 or self.signals is None or self.signals.size_slope is None or is_none(self.signals.covariance):
            return 0.0
        nudged = (stencil != 0.0) & (self.betas != 0.0)
        ratios = self.shot_fractions[nudged] / self.shot_fractions[self.betas == 0.0]
        others = np.einsum("p,sptu->stu", ratios / nudged.sum(), self.moments.covariance[:, nudged])
        if self.sample_shares is not None:
            others = others * self.sample_shares[:, None, None]
        covariance = np.nan_to_num((self.signals.covariance + others) / 2.0)  # one shot shows none
        return weight * np.einsum("so,sot,stu->su", self.signals.size_slope, self.signals.slope, covariance)

    def _mean_noise(self, stencil: NDArray, covariance: NDArray) -> NDArray[np.float64]:
        """Variances of the estimates in a phase with the mean shots, shape (samples, estimates)."""
        noise = float(stencil @ (stencil / self.shot_fractions)) * self.noise_by_size
        found = np.einsum("stt->st", covariance) / np.where(noise > 0.0, noise, 1.0)[:, None]
        if (lost := noise == 0.0).any():  # samples without error, whose contrasts were multiplied by zero
            phases = stencil != 0.0
            own = np.einsum("sptt->spt", self.moments.covariance[lost][:, phases]).mean(axis=1)
            found[lost] = own if self.sample_shares is None else own * self.sample_shares[lost, None]
        return np.asarray(found)

    def _free_weight(self, stencil: NDArray) -> float:
        """Stencil weight of a free phase that shares its shots with the error signals."""
        shared = self.signals is not None and self.signals.is_free_phase
        return float(stencil[self.betas == 0.0].sum()) if shared else 0.0

    def _coupled(self, covariance: NDArray, derivative: NDArray, stencil: NDArray) -> tuple[NDArray, NDArray] | None:
        """Covariance of the summed gradient and its uncertain part with a noisy loss of a batch, otherwise None."""
        signals = self.signals
        if signals is None or signals.coupling is None or is_none(covariance) or not signals.is_noisy:
            return None
        dense = np.zeros((len(derivative), self.jacobian.num_weights, self.plan.num_estimates))
        dense[:, self.jacobian.weight, self.jacobian.term] = self.jacobian.values
        used = self._used(stencil, covariance)
        return coupled_covariance(self._with_products(covariance, stencil), derivative, signals, dense, used)

    def _by_group(self, covariance: NDArray) -> NDArray[np.float64]:
        """Variances of the summed gradient by the shots of each group, shape (groups, weights)."""
        found = np.zeros((len(self.plan.groups), self.jacobian.num_weights))
        if is_none(covariance):
            return found
        for g, estimates in enumerate(self.plan.estimates):
            own = np.zeros_like(covariance)
            own[:, estimates[:, None], estimates] = covariance[:, estimates[:, None], estimates]
            found[g] = self.jacobian.pull_back_variance(own).sum(axis=0)
        return found


def _shares(uncertain: NDArray, variance: NDArray) -> tuple[float, float]:
    """Uncertain fraction of the summed variance, and the largest of a weight that is not negligible.

    Args:
        uncertain: Uncertain part of the variances, shape (weights,).
        variance: Shape (weights,).
    """
    if not variance.sum() > 0.0:
        return 0.0, 0.0
    counts = variance > _COUNTS * variance.mean()
    return float(uncertain.sum() / variance.sum()), float((uncertain[counts] / variance[counts]).max())


def filled_in(measured: StateMoments, free: StateMoments, betas: NDArray) -> StateMoments:
    """Return nudged moments with the free phase of an earlier stage in the place of the free phase they lack.

    Args:
        measured: Moments of all phases, NaN where not measured, shape (samples, phases, estimates).
        free: Moments of the free phase, shape (samples, 1, estimates).
        betas: Nudges, shape (phases,); unchanged moments are returned if none is 0.
    """
    where = np.flatnonzero(betas == 0.0)
    if where.size == 0:
        return measured
    means, covariance = measured.means.copy(), measured.covariance
    known = ~np.isnan(free.means[:, 0])
    means[:, where[0]] = np.where(known, free.means[:, 0], means[:, where[0]])
    if not (is_none(covariance) and is_none(free.covariance)):
        covariance = covariance.copy()
        covariance[:, where[0]] += free.covariance[:, 0]
    discarded = float(np.fmax(measured.discarded, free.discarded))
    return StateMoments(means=means, covariance=covariance, discarded=discarded)
