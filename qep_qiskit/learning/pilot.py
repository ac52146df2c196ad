"""Pilot measurement: a few nudges measured together, from which the error model of a contrast is estimated.

The nudge doubles from level to level. Contrasts at different nudges differ by their bias, which determines the best
nudge; all levels together give the posterior of the bias (`bias_fit`). At large nudges the bias has less noise but
departs from its leading order; the posterior includes both.

The leading bias of a one-sided contrast is odd in the nudge and cancels between both signs. Pilots of one-sided
contrasts therefore measure both signs, where states exist for both, which reduces the error of the gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError, NudgeError
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.execution import RequestKey
from qep_qiskit.learning.bias_fit import MeasuredContrasts, fitted_curve
from qep_qiskit.learning.chosen_phases import equalized
from qep_qiskit.learning.contrast import Contrast, joint_phases
from qep_qiskit.learning.diagnostics import typical_nudge_size
from qep_qiskit.learning.error_model import ErrorModel
from qep_qiskit.learning.gradient import GradientEstimator
from qep_qiskit.learning.phases import MeasuredPhases
from qep_qiskit.learning.shots import each
from qep_qiskit.measurement import Calibrations, MeasurementCoroutine
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import WarmStartArrays

_FIRST_OF_SCALE = 0.1
_SCALE_OF_NOTHING = 1e-3
_FEWEST_SHOTS = 32
_MOST_REDUCTIONS = 6
# Largest ratio of the ends of the middle 70 % of the bias at the largest nudge at which the bias counts as resolved.
_RESOLVED_WITHIN = 3.0
_SEEN_ABOVE = 0.1


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pilot:
    """Result of a pilot measurement.

    Args:
        model: Error model of the contrast.
        resolved: Whether the bias exceeded its shot noise; otherwise the model of the bias is mostly its prior.
        betas: Magnitudes of the nudges, ascending.
        contrasts: Contrasts of the trainable weights at these nudges.
        scale: max|coefficient| / range of the nudging operator, the natural size of nudges.
        measured: The measured phases.

    Example:
        >>> experiment = qep.from_file("configs/xor.toml")
        >>> weights, data = experiment.network.layout.initial(qep.Seeds(1)), experiment.task.train
        >>> given, key = (weights, data.inputs, data.targets), qep.RequestKey("demo", 0)
        >>> trainable = experiment.network.layout.trainable()
        >>> work = qep.measure_pilot(experiment.estimator, *given, key, beta=0.05, levels=3, trainable=trainable)
        >>> pilot, _ = qep.run_measurements(work, experiment.executor)
        >>> pilot.betas, pilot.model.order
        ((0.05, 0.1, 0.2), 2)
    """

    model: ErrorModel
    resolved: bool
    betas: tuple[float, ...]
    contrasts: MeasuredContrasts
    scale: float
    measured: MeasuredPhases


def first_beta(
    hamiltonian: NudgedHamiltonian, weights: NDArray, inputs: NDArray, targets: NDArray, *, equal_nudges: bool = False
) -> float:
    """Return a small nudge from the sizes of H and C alone: a tenth of max|coefficient| / range(C).

    Args:
        hamiltonian: Network and cost.
        weights: Shape (weights,).
        inputs: Shape (samples, inputs).
        targets: Shape (samples, targets).
        equal_nudges: Whether nudges are divided by their largest coefficients, as in `GradientEstimator`.

    Example:
        >>> network = qep.IsingNetwork(graph=qep.chain(2), outputs=(1,))
        >>> problem = qep.NudgedHamiltonian(network, qep.OperatorCost.squared_error([1], 2))
        >>> round(qep.first_beta(problem, np.full(5, 0.5), np.zeros((1, 0)), np.ones((1, 1))), 6)
        0.0125
    """
    nudge = hamiltonian.nudge_in_units(targets)
    return _FIRST_OF_SCALE * _scale(hamiltonian, weights, inputs, equalized(nudge)[0] if equal_nudges else nudge)


def _scale(hamiltonian: NudgedHamiltonian, weights: NDArray, inputs: NDArray, nudge: NDArray) -> float:
    coefficients = np.abs(hamiltonian.free_coefficients(weights, inputs)).max(axis=1)
    size, pull = float(np.median(coefficients)), typical_nudge_size(hamiltonian.groups, nudge)
    return size / pull if size > 0.0 and pull > 0.0 else _SCALE_OF_NOTHING


def measure_pilot(
    estimator: GradientEstimator,
    weights: NDArray,
    inputs: NDArray,
    targets: NDArray,
    key: RequestKey,
    *,
    beta: float,
    levels: int,
    trainable: NDArray,
    warm_start: WarmStartArrays | None = None,
    calibrations: Calibrations | None = None,
    in_units_of_signals: bool = False,
) -> MeasurementCoroutine[Pilot]:
    """Measure contrasts at beta, 2 beta, 4 beta, ... together and fit the error model.

    Where the nudges are too strong for an equilibrium, a quarter of all of them is tried, up to six times.

    Args:
        estimator: Estimator with the kind of contrast, the shots and the grouping; of its beta only the sign is used.
        weights: Shape (weights,).
        inputs: Shape (samples, inputs).
        targets: Shape (samples, targets).
        key: Key of the first request.
        beta: Nudge of the first level, positive.
        levels: Number of levels, at least 2.
        trainable: Mask of the trainable weights, shape (weights,).
        warm_start: Warm-start arrays of these samples, or None.
        calibrations: Valid readout calibrations by name; new ones are added in place.
        in_units_of_signals: With a loss on expectations, beta is that for error signals of size one; the nudges are
            multiplied by the power of two that fits the measured signals.

    Returns:
        Measurement coroutine that gives the pilot.

    Raises:
        NudgeError: The nudges are too strong after six reductions.
        ConfigError: Fewer than two levels, or exact expectations, which have no shot noise to compare the bias with.

    Example:
        >>> experiment = qep.from_file("configs/xor.toml")
        >>> layout, data = experiment.network.layout, experiment.task.train
        >>> given, key = (layout.initial(qep.Seeds(1)), data.inputs, data.targets), qep.RequestKey("demo", 0)
        >>> options = {"beta": 0.05, "levels": 3, "trainable": layout.trainable()}
        >>> work = qep.measure_pilot(experiment.estimator, *given, key, **options)
        >>> pilot, usage = qep.run_measurements(work, experiment.executor)
        >>> pilot.betas, usage.shots
        ((0.05, 0.1, 0.2), 5200)
    """
    hamiltonian, of_pilot = estimator.hamiltonian, _with_pilot_shots(estimator)
    phases = partial(
        partial(of_pilot.phases, weights, inputs, targets),
        warm_start=warm_start,
        calibrations=calibrations,
        quiet=True,
        in_units_of_signals=in_units_of_signals,
    )
    found = yield from _measure_levels(phases, estimator.contrast, hamiltonian, key, beta, levels)
    nudge = hamiltonian.nudge(targets, found.measured.outputs)
    scale = _scale(hamiltonian, weights, inputs, equalized(nudge)[0] if estimator.equal_nudges else nudge)
    return _fitted(found, estimator, trainable, scale)


def _with_pilot_shots(estimator: GradientEstimator) -> GradientEstimator:
    """Return the estimator with the shots of a step, or more in groups where these are too few for a variance."""
    if any(shots is None for shots in estimator.group_shots):
        raise ConfigError("a pilot compares bias with shot noise: give a number for measurement.shots, not 'exact'")
    return replace(estimator, shots=each(estimator.shots, lambda shots: max(_FEWEST_SHOTS, shots)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Levels:
    """Measured levels of a pilot.

    Args:
        measured: Phases of all levels.
        contrasts: Contrasts in the order of their nudges, which double from level to level.
        mirrored: One-sided contrasts of the other sign; empty where such nudges may have no equilibrium.
        is_reduced: Whether larger nudges were too strong.
    """

    measured: MeasuredPhases
    contrasts: list[Contrast]
    mirrored: list[Contrast]
    is_reduced: bool


def _measure_levels(
    phases: Callable[..., MeasurementCoroutine[MeasuredPhases]],
    contrast: Contrast,
    hamiltonian: NudgedHamiltonian,
    key: RequestKey,
    beta: float,
    levels: int,
) -> MeasurementCoroutine[_Levels]:
    """Measure all levels, at a quarter of the nudges as long as they are too strong for an equilibrium."""
    if levels < 2:
        raise ConfigError(f"pilot.levels: expected at least 2, got {levels}")
    for reductions in range(_MOST_REDUCTIONS + 1):
        first = float(np.copysign(beta, contrast.beta)) / 4.0**reductions
        contrasts = [replace(contrast, beta=first * 2.0**level) for level in range(levels)]
        mirrored = _mirrored(hamiltonian, contrasts)
        betas, fractions = joint_phases(contrasts + mirrored)
        try:
            measured = yield from phases(
                replace(key, attempt=key.attempt + reductions), betas, shot_fractions=fractions
            )
            break
        except NudgeError:
            if reductions == _MOST_REDUCTIONS:
                raise
    unit = float(np.abs(measured.betas).max() / np.abs(betas).max())  # a power of two, so products are exact
    contrasts, mirrored = ([replace(one, beta=one.beta * unit) for one in some] for some in (contrasts, mirrored))
    return _Levels(measured=measured, contrasts=contrasts, mirrored=mirrored, is_reduced=reductions > 0)


def _mirrored(hamiltonian: NudgedHamiltonian, contrasts: list[Contrast]) -> list[Contrast]:
    """One-sided contrasts of the other sign; none where such nudges may have no equilibrium."""
    if not contrasts[0].is_one_sided or not hamiltonian.is_bounded:
        return []
    return [replace(contrast, beta=-contrast.beta) for contrast in contrasts]


def _fitted(levels: _Levels, estimator: GradientEstimator, trainable: NDArray, scale: float) -> Pilot:
    measured, contrasts = levels.measured, levels.contrasts
    sizes = np.abs([contrast.beta for contrast in contrasts])
    every_contrast = measured_contrasts(measured, contrasts + levels.mirrored, trainable)
    shots = np.array(_with_pilot_shots(estimator).group_shots)
    by_level, by_signals, constant, cross = _variances(measured, contrasts, shots, trainable)
    model = ErrorModel(
        order=contrasts[0].order,
        bias_squared=0.0,
        shot_variance=by_level[-1],
        beta_scale=float(sizes[-1]),
        signal_group=signal_group(estimator),
        signal_variance=constant,
        cross_variance=cross,
        levels=tuple(sizes.tolist()),
        level_variance=by_level,
        level_signals=by_signals,
        variance_deviation=float(np.sqrt(2.0 / shots.min())),
    )
    model = with_bias_of(model, every_contrast, scale)
    resolved = is_resolved(model)
    if levels.is_reduced or not (resolved or estimator.hamiltonian.is_bounded):
        model = replace(model, most_beta=float(sizes[-1]))
    return Pilot(
        model=model,
        resolved=resolved,
        betas=tuple(sizes.tolist()),
        contrasts=every_contrast,
        scale=scale,
        measured=measured,
    )


def measured_contrasts(measured: MeasuredPhases, contrasts: list[Contrast], trainable: NDArray) -> MeasuredContrasts:
    """Return contrasts of one kind at several nudges, from phases that include them all.

    Args:
        measured: Measured phases.
        contrasts: Contrasts to compute; the kind is that of the first.
        trainable: Mask of the trainable weights, shape (weights,).
    """
    stencils = np.array([contrast.stencil_on(measured.betas) for contrast in contrasts])
    found = [measured.derivative(stencil) for stencil in stencils]
    phases = [measured.derivative(one).group_variance.sum(axis=0)[trainable] for one in np.eye(len(measured.betas))]
    covariance = np.einsum("ip,jp,pw->wij", stencils, stencils, np.array(phases))
    if measured.signals is not None:
        # All levels have the same signals, whose noise is common to all contrasts.
        common = np.sqrt(np.maximum([one.signal_variance[trainable] for one in found], 0.0))
        covariance += np.einsum("iw,jw->wij", common, common)
    noise, deviation = measured.noise_of_square(
        stencils[int(np.argmax([abs(one.beta) for one in contrasts]))], trainable
    )
    weights = int(trainable.sum())
    independent = 2.0 * noise**2 / deviation**2 if deviation > 0 else weights
    return MeasuredContrasts(
        name=contrasts[0].name,
        betas=np.array([contrast.beta for contrast in contrasts]),
        values=np.array([one.values[trainable] for one in found]),
        covariance=covariance,
        independence=float(np.clip(independent / max(weights, 1), 0.1, 1.0)),
    )


def with_bias_of(model: ErrorModel, contrasts: MeasuredContrasts, scale: float) -> ErrorModel:
    """Return an error model with the posterior of the bias from measured contrasts.

    Args:
        model: Error model.
        contrasts: Measured contrasts.
        scale: max|coefficient| / range of the nudging operator.
    """
    curve, gradient_squared = fitted_curve(contrasts, scale)
    smallest = curve.betas[0]
    leading = float(curve.at(smallest, model.order).mean()) / smallest ** (2 * model.order)
    return replace(model, curve=curve, bias_squared=leading, gradient_squared=gradient_squared)


def is_resolved(model: ErrorModel) -> bool:
    """Return whether the bias at the largest measured nudge is known within a factor of three."""
    assert model.curve is not None
    squares = model.curve.at(model.beta_scale, model.order)
    return bool(squares[-2] <= _RESOLVED_WITHIN**2 * squares[1])


def signal_group(estimator: GradientEstimator) -> int:
    """Return the index of the group whose shots give the error signals."""
    serving = estimator.measurement_plan.groups_measuring(estimator.hamiltonian.measured_terms)
    return serving[0] if serving and estimator.grouping != "per_weight" else 0


def _variances(
    measured: MeasuredPhases, contrasts: list[Contrast], shots: NDArray, trainable: NDArray
) -> tuple[tuple[tuple[float, ...], ...], tuple[float, ...], float, float]:
    """Parts of the variance of the contrasts of a pilot.

    Returns:
        By level and group, the part proportional to 1/beta^2; by level, the part from error signals; and of that part
        the constant and the coefficient of 1/beta.
    """
    found = [measured.derivative(contrast.stencil_on(measured.betas)) for contrast in contrasts]
    betas = np.array([contrast.beta for contrast in contrasts])
    by_group = shots if len(found[0].group_variance) == len(shots) else np.full(len(found[0].group_variance), shots[0])
    by_level = tuple(
        tuple((by_group * beta**2 * one.group_variance[:, trainable].sum(axis=1)).tolist())
        for beta, one in zip(betas, found, strict=True)
    )
    if measured.signals is None:
        return by_level, (), 0.0, 0.0
    signals = [float(shots.mean() * one.signal_variance[trainable].sum()) for one in found]
    # Where noise hides a contrast, it hides the response to the signals too; that of the next larger nudge is used.
    for level in range(len(contrasts) - 2, -1, -1):
        own = found[level].group_variance[:, trainable].sum()
        if own > _SEEN_ABOVE * (found[level].values[trainable] ** 2).sum():
            signals[: level + 1] = [signals[level + 1]] * (level + 1)
            break
    by_signals = tuple(signals)
    if not (measured.signals.is_free_phase and contrasts[0].has_free_phase):
        return by_level, by_signals, signals[-1], 0.0
    ends = betas[[0, -1]]
    cross, constant = np.linalg.solve(np.stack([1.0 / ends, np.ones(2)], axis=1), [signals[0], signals[-1]]).tolist()
    return by_level, by_signals, constant, cross
