"""Nudge, shots and their allocation to groups in each step, and when they change.

A schedule may choose the nudge by a pilot (`beta = "auto"`), allocate shots to the groups where they reduce the
variance most (`allocation = "optimal"`), and raise the shots when noise hides the gradient (adaptive shots). Its
decisions are in the state of the run, so that a resumed run continues unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.json_record import JsonRecord
from qep_qiskit.core.limits import Count, Index, NotNegative, Shots, check_limits
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.learning.chosen_phases import cost_phases
from qep_qiskit.learning.contrast import Beta
from qep_qiskit.learning.error_model import ErrorModel
from qep_qiskit.learning.gradient import GradientEstimator
from qep_qiskit.learning.gradient_batch import GradientBatch
from qep_qiskit.learning.gradient_estimate import GradientEstimate
from qep_qiskit.learning.pilot import Pilot, first_beta, measure_pilot
from qep_qiskit.learning.shots import each, is_split, number, split
from qep_qiskit.measurement import MeasurementCoroutine

FEWEST_LEVELS, MOST_LEVELS = 2, 12
"""Fewest and most nudges of the first pilot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotSettings:
    """When pilots are measured, and at which nudges.

    Args:
        every: Epochs between pilots; 0 for one at the start only.
        levels: Nudges of the first pilot, each twice the one before; later pilots measure at most three, from half the
            current nudge.
        first_beta: Smallest nudge of the first pilot, or None to find it from the sizes of H and C.
        shots_factor: Shots of the first pilot over those of a step. With the shots of a step alone the bias would be
            known no better than the gradient; later pilots build on the first.

    Raises:
        ConfigError: A number is out of range.

    Example:
        >>> qep.PilotSettings(levels=4).shots_factor
        10
    """

    every: Index = 10
    levels: Annotated[int, Ge(FEWEST_LEVELS), Le(MOST_LEVELS)] = 6
    first_beta: Beta | None = None
    shots_factor: Count = 10

    def __post_init__(self) -> None:
        check_limits(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveShots:
    """Rule that raises the shots when noise hides the gradient.

    The signal is the mean product of gradients of successive steps, g_t . g_(t+1): shots of different steps are
    independent, so noise does not bias it. It is positive while the weights make progress and vanishes, or turns
    negative, when they only fluctuate about a minimum (Pflug 1990, Monte Carlo Methods Appl. 2, 297). The squared
    length of one gradient would not show this, because the fluctuations keep it large.

    Args:
        window: Number of products that are averaged before shots may be raised (again).
        signal_to_noise: Ratio of the mean product to the squared length that shot noise alone gives a gradient, below
            which shots are raised.
        growth: Factor by which shots are raised.
        max_shots: Largest number of shots per batch.

    Raises:
        ConfigError: A number is out of range.

    Example:
        >>> qep.AdaptiveShots(max_shots=1000).growth
        2.0
    """

    window: Annotated[int, Ge(2)] = 10
    signal_to_noise: NotNegative = 0.0
    growth: Annotated[float, Gt(1)] = 2.0
    max_shots: Shots = 10_000

    def __post_init__(self) -> None:
        check_limits(self)

    def after(self, shots: int, tally: SignalTally) -> int:
        """Return the shots per batch of the next step.

        Args:
            shots: Shots per batch of the last step.
            tally: Signal and noise of recent gradients.
        """
        if tally.products < self.window or tally.signal > self.signal_to_noise * tally.noise:
            return shots
        return max(shots, min(self.max_shots, int(np.ceil(shots * self.growth))))


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SignalTally(JsonRecord):
    """Signal and noise of successive gradients, over the trainable weights.

    Args:
        products: Number of pairs of successive steps in the current window.
        signal: Sum of the products of their gradients.
        noise: Sum of the squared lengths that shot noise alone gives; steps of unknown variance count as zero.
        last: Gradient of the last step, shape (weights,); empty before the first.
    """

    products: int = 0
    signal: float = 0.0
    noise: float = 0.0
    last: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def after(self, estimate: GradientEstimate, trainable: NDArray, window: int) -> SignalTally:
        """Return the tally after one more step; a full window is followed by a new one.

        Args:
            estimate: Gradient of the step.
            trainable: Mask of the trainable weights, shape (weights,).
            window: Number of products in a full window.
        """
        gradient = np.where(trainable, estimate.gradient, 0.0)
        if not self.last.size:
            return SignalTally(last=gradient)
        noise = float(np.nan_to_num(np.maximum(estimate.variance[trainable], 0.0)).sum())
        old = self if self.products < window else SignalTally()
        return SignalTally(
            products=old.products + 1,
            signal=old.signal + float(self.last @ gradient),
            noise=old.noise + noise,
            last=gradient,
        )


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class StepShots(JsonRecord):
    """Nudge and shots of the current steps.

    Args:
        beta: The nudge.
        shots: Shots per batch, the mean over groups; None for exact expectations.
        shot_fractions: Shots of every group over that mean; None for an equal split.
        model: Error model of the last pilot, or None.
        piloted: Epoch of the last pilot, -1 before the first.

    Example:
        >>> qep.StepShots(beta=0.1, shots=200).piloted
        -1
    """

    beta: float
    shots: int | None
    shot_fractions: tuple[float, ...] | None = None
    model: ErrorModel | None = None
    piloted: int = -1

    def applied(self, estimator: GradientEstimator) -> GradientEstimator:
        """Return the estimator with this nudge and these shots."""
        shots = split(self.shots, self.shot_fractions)
        if estimator.replication is not None:
            shots = each(shots, estimator.replication.rounded)
        return replace(estimator, contrast=replace(estimator.contrast, beta=self.beta), shots=shots)

    @classmethod
    def of(cls, estimator: GradientEstimator, step_shots: StepShots | None) -> GradientEstimator:
        """Return the estimator with the current nudge and shots of a run.

        Args:
            estimator: Estimator as configured.
            step_shots: Current nudge and shots, or None where they never change.
        """
        return estimator if step_shots is None else step_shots.applied(estimator)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class ShotSchedule:
    """Rules that choose nudge, shots and their allocation during a run.

    Args:
        auto_beta: Whether pilots choose the nudge.
        optimal_split: Whether pilots choose the allocation of shots to groups.
        adaptive: Rule that raises the shots, or None for fixed shots.
        pilot: When pilots are measured, and at which nudges.

    Example:
        >>> qep.ShotSchedule().active
        False
    """

    auto_beta: bool = False
    optimal_split: bool = False
    adaptive: AdaptiveShots | None = None
    pilot: PilotSettings = field(default_factory=PilotSettings)

    @property
    def uses_pilots(self) -> bool:
        """Whether pilots choose the nudge or the allocation."""
        return self.auto_beta or self.optimal_split

    @property
    def active(self) -> bool:
        """Whether nudge, shots or allocation may change during a run."""
        return self.uses_pilots or self.adaptive is not None

    def start(self, estimator: GradientEstimator) -> StepShots:
        """Return nudge and shots before the first pilot.

        Raises:
            ConfigError: A rule depends on shot noise, and expectations are exact.
        """
        shots = number(estimator.shots)
        if self.active and shots is None:
            raise ConfigError(
                "shots: beta = 'auto', allocation = 'optimal' and adaptive shots depend on shot noise; "
                "expected a number of shots"
            )
        return StepShots(beta=estimator.contrast.beta, shots=shots)

    def is_due(self, step_shots: StepShots, epoch: int) -> bool:
        """Return whether a pilot comes before an epoch.

        Args:
            step_shots: Current nudge and shots.
            epoch: Number of completed epochs.
        """
        if not self.uses_pilots or step_shots.piloted >= epoch:
            return False
        return step_shots.piloted < 0 or (self.pilot.every > 0 and epoch - step_shots.piloted >= self.pilot.every)

    def levels_of_pilot(self, step_shots: StepShots, first: float) -> tuple[float, int]:
        """Return the first nudge and the number of levels of the next pilot.

        Args:
            step_shots: Current nudge and shots.
            first: A nudge known to be small, for the first pilot if the settings give none.
        """
        if step_shots.model is None:
            return (self.pilot.first_beta or first), self.pilot.levels
        return abs(step_shots.beta) / 2.0, min(3, self.pilot.levels)

    def run_pilot(
        self, step_shots: StepShots, estimator: GradientEstimator, batch: GradientBatch, trainable: NDArray
    ) -> MeasurementCoroutine[tuple[StepShots, Pilot]]:
        """Measure the pilot before epoch `batch.key.step`.

        Args:
            step_shots: Current nudge and shots. Later pilots have these shots, the first `shots_factor` times as many
                if it chooses the nudge.
            estimator: Estimator as configured.
            batch: Weights and samples.
            trainable: Mask of the trainable weights, shape (weights,).

        Returns:
            Measurement coroutine that gives the new nudge and shots, and the pilot.
        """
        given = batch.weights, batch.inputs, batch.targets
        first = first_beta(estimator.hamiltonian, *given, equal_nudges=estimator.equal_nudges)
        beta, levels = self.levels_of_pilot(step_shots, first)
        of_pilot = step_shots.applied(estimator)
        if self.auto_beta and step_shots.model is None and not is_split(of_pilot.shots):
            of_pilot = replace(of_pilot, shots=each(of_pilot.shots, lambda shots: self.pilot.shots_factor * shots))
        pilot = yield from measure_pilot(
            of_pilot,
            *given,
            batch.key,
            beta=beta,
            levels=levels,
            trainable=trainable,
            warm_start=batch.warm_start,
            calibrations=batch.calibrations,
            in_units_of_signals=step_shots.model is None and self.pilot.first_beta is None,
        )
        return self.after_pilot(step_shots, pilot, estimator, batch.key.step), pilot

    def after_pilot(self, step_shots: StepShots, pilot: Pilot, estimator: GradientEstimator, epoch: int) -> StepShots:
        """Return nudge and shots after a pilot.

        The new bias is averaged (by its logarithm) with the earlier one, weighted by how well each is known. Leading
        orders without a posterior have equal weights; where the new one is only an upper limit, the lower of the two is
        used.

        Args:
            step_shots: Nudge and shots before the pilot.
            pilot: The pilot.
            estimator: Estimator as configured.
            epoch: Epoch that follows the pilot.
        """
        model, before = pilot.model, step_shots.model
        if before is not None and before.bias_squared > 0 and model.bias_squared > 0:
            both = before.bias_squared, model.bias_squared
            mixed = np.sqrt(both[0] * both[1]) if pilot.resolved else min(both)
            model = replace(model, bias_squared=float(mixed))
        if before is not None and before.curve is not None and model.curve is not None:
            model = replace(model, curve=model.curve.after(before.curve, model.order))
        return self._allocated(replace(step_shots, model=model, piloted=epoch), estimator)

    def after_step(
        self,
        step_shots: StepShots,
        tally: SignalTally,
        estimate: GradientEstimate,
        trainable: NDArray,
        estimator: GradientEstimator,
    ) -> tuple[StepShots, SignalTally]:
        """Return nudge and shots of the next step, and the tally of signal and noise.

        Args:
            step_shots: Nudge and shots of the last step.
            tally: Signal and noise of the steps before.
            estimate: Gradient of the last step.
            trainable: Mask of the trainable weights, shape (weights,).
            estimator: Estimator as configured.
        """
        if self.adaptive is None or step_shots.shots is None:
            return step_shots, tally
        tally = tally.after(estimate, trainable, self.adaptive.window)
        shots = self.adaptive.after(step_shots.shots, tally)
        if shots == step_shots.shots:
            return step_shots, tally
        return self._allocated(replace(step_shots, shots=shots), estimator), tally

    def _allocated(self, step_shots: StepShots, estimator: GradientEstimator) -> StepShots:
        """Best nudge and allocation for the current shots, by the error model."""
        model, shots = step_shots.model, step_shots.shots
        if model is None or shots is None:
            return step_shots
        beta, known = step_shots.beta, step_shots.shot_fractions
        shot_fractions = None if known is None else np.array(known)
        for _ in range(3):  # the best split depends on the nudge and the best nudge on the split, both weakly
            if self.auto_beta:
                beta = model.best_beta(shots, shot_fractions, sign=float(np.sign(estimator.contrast.beta)))
            if self.optimal_split:
                shot_fractions = model.best_shot_fractions(beta, batches_per_group(estimator))
        return replace(
            step_shots, beta=beta, shot_fractions=None if shot_fractions is None else tuple(shot_fractions.tolist())
        )


def batches_per_group(estimator: GradientEstimator) -> NDArray[np.float64]:
    """Return the shot batches of one sample's gradient in every group of the measurement plan, shape (groups,).

    Zero-noise extrapolation multiplies them by the number of its noise factors.
    """
    extrapolation = estimator.extrapolation
    return _plain_batches(estimator) * (1 if extrapolation is None else len(extrapolation.noise_factors))


def _plain_batches(estimator: GradientEstimator) -> NDArray[np.float64]:
    plan, hamiltonian, betas = estimator.measurement_plan, estimator.hamiltonian, estimator.contrast.betas
    network, found = hamiltonian.network, np.zeros(len(plan.groups))
    weighted = estimator.jacobian(np.zeros(network.layout.num_weights), np.zeros((1, network.num_inputs))).term
    found[plan.serving(weighted)] = len(betas)
    if hamiltonian.cost.has_signals:
        measuring = plan.groups_measuring(hamiltonian.measured_terms)
        found[measuring] = np.where(found[measuring] > 0, np.count_nonzero(betas) + 1, 1)
        return found
    measuring = plan.groups_measuring(hamiltonian.cost_terms)
    if estimator.measures_free_cost and 0.0 not in betas:
        found[measuring] += 1
    else:
        found[measuring] = np.maximum(found[measuring], len(cost_phases(betas)))
    return found
