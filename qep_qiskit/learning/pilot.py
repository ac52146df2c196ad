"""A pilot: a few nudges measured side by side, from which the error model of a contrast is estimated.

The nudges double from level to level. Contrasts at several of them differ by their bias alone, c beta^p to leading
order, and c is what the best nudge needs; it is pooled over weights (|c|^2, shot noise taken off), because one nudge
serves them all. Large nudges show the bias through less noise but leave the leading order, so no more levels are
fitted, from the smallest up, than agree with each other within shot noise, and no more than make c stand out of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.cost import LossOnExpectations
from qep_qiskit.errors import ConfigError, NudgeError
from qep_qiskit.execution import RequestKey
from qep_qiskit.learning.contrast import Contrast
from qep_qiskit.learning.diagnostics import nudge_sizes
from qep_qiskit.learning.error_model import ErrorModel
from qep_qiskit.learning.gradient import GradientEstimator
from qep_qiskit.learning.phases import MeasuredPhases
from qep_qiskit.measurement import Calibrations, Measuring
from qep_qiskit.nudge import NudgedHamiltonian
from qep_qiskit.preparation import Memory

__all__ = ["Pilot", "first_beta", "measure_pilot"]

_FIRST_OF_SCALE = 0.1
_SCALE_OF_NOTHING = 1e-3
# In standard deviations. The noise of a squared length has a long tail: at 4, some pilots in a hundred miss an
# agreement that is there, fall back to their two smallest nudges and choose one ten times too small.
_DEVIATIONS = 6.0
_FEWEST_SHOTS = 32
_MOST_RETREATS = 6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pilot:
    """What a pilot found.

    Args:
        model: The error model.
        resolved: Whether the bias stood out of the shot noise; if not, the model's is an upper limit, and its
            best nudge at these shots is not below the largest one that was fitted.
        betas: Nudges of the levels that were fitted.
        measured: The phases, for diagnostics.
    """

    model: ErrorModel
    resolved: bool
    betas: tuple[float, ...]
    measured: MeasuredPhases


def first_beta(hamiltonian: NudgedHamiltonian, weights: NDArray, inputs: NDArray, targets: NDArray) -> float:
    """A small nudge to begin with, from the scales of H and C alone: a tenth of max|coefficient| / range(C)."""
    coefficients = np.abs(hamiltonian.free_coefficients(weights, inputs)).max(axis=1)
    if isinstance(hamiltonian.cost, LossOnExpectations):
        nudge = hamiltonian.signal_nudge(np.ones((1, hamiltonian.cost.num_outputs)))
    else:
        nudge = hamiltonian.operator_nudge(targets)[0]
    size, pull = float(np.median(coefficients)), float(np.median(nudge_sizes(hamiltonian.groups, nudge)))
    return _FIRST_OF_SCALE * (size / pull if size > 0.0 and pull > 0.0 else _SCALE_OF_NOTHING)


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
    memory: Memory | None = None,
    calibrations: Calibrations | None = None,
    in_units_of_signals: bool = False,
) -> Measuring[Pilot]:
    """Measure contrasts at beta, 2 beta, 4 beta, ... in one go and fit the error model.

    Args:
        estimator: With the kind of contrast, the shots and the grouping to be judged; its own beta is not used, only
            its sign.
        weights: Shape (weights,).
        inputs: Shape (samples, inputs).
        targets: Shape (samples, targets).
        key: Names the requests.
        beta: Nudge of the first level, positive.
        levels: Number of levels, at least 2.
        trainable: Mask of the weights that count, shape (weights,).
        memory: What the preparation remembered of these samples.
        calibrations: Of the readout, those that still hold; new ones are added.
        in_units_of_signals: With a loss on expectations, beta is meant for error signals of size one, and the ladder
            is moved by the power of two that fits the measured ones.

    Where nudges are too strong for what they act on, a ladder of a quarter of them is tried.

    Raises:
        NudgeError: Six such ladders are too strong as well.
        ConfigError: Fewer than two levels, or exact expectations, which have no shot noise to weigh against.
    """
    if levels < 2:
        raise ConfigError(f"pilot.levels: expected at least 2, got {levels}")
    shots = _pilot_shots(estimator)
    scout = replace(estimator, shots=tuple(shots) if len(set(shots)) > 1 else shots[0])

    def phases(betas: NDArray, attempt: int) -> Measuring[MeasuredPhases]:
        return scout.phases(
            weights,
            inputs,
            targets,
            replace(key, attempt=attempt),
            betas,
            memory,
            calibrations=calibrations,
            quiet=True,
            in_units_of_signals=in_units_of_signals,
        )

    for retreat in range(_MOST_RETREATS + 1):
        first = _signed(estimator, beta) / 4.0**retreat
        ladder = [replace(estimator.contrast, beta=first * 2.0**j) for j in range(levels)]
        betas = np.unique(np.concatenate([contrast.betas for contrast in ladder]) + 0.0)
        try:
            measured = yield from phases(betas, key.attempt + retreat)
            break
        except NudgeError:
            if retreat == _MOST_RETREATS:
                raise
    unit = float(np.abs(measured.betas).max() / np.abs(betas).max())  # a power of two: the ladder stays exact
    ladder = [replace(contrast, beta=contrast.beta * unit) for contrast in ladder]
    pilot = _fitted(measured, ladder, np.array(shots), trainable, scout)
    if not retreat and (pilot.resolved or all(group.bounded for group in estimator.hamiltonian.groups)):
        return pilot
    return replace(pilot, model=replace(pilot.model, most_beta=float(np.abs(ladder[-1].beta))))


def _signed(estimator: GradientEstimator, beta: float) -> float:
    return float(np.copysign(beta, estimator.contrast.beta))


def _pilot_shots(estimator: GradientEstimator) -> list[int]:
    """Shots per group: those of a step, but enough to tell their own variance."""
    given = estimator.group_shots
    found = [shots for shots in given if shots is not None]
    if len(found) < len(given):
        raise ConfigError("a pilot weighs bias against shot noise: give a number for measurement.shots, not 'exact'")
    return [max(_FEWEST_SHOTS, shots) for shots in found]


def _fitted(
    measured: MeasuredPhases, ladder: list[Contrast], shots: NDArray, trainable: NDArray, scout: GradientEstimator
) -> Pilot:
    order = ladder[0].order
    sizes = np.abs([contrast.beta for contrast in ladder])
    stencils = np.array([contrast.stencil_on(measured.betas) for contrast in ladder])
    fits = {used: _fit(sizes[:used], order) @ stencils[:used] for used in range(2, len(ladder) + 1)}
    used = _levels_to_fit(measured, fits, trainable)
    squared, spread = _pooled(measured, fits[used][1], trainable)
    resolved = squared > spread
    shot_variance, constant, cross = _variances(measured, stencils[[0, used - 1]], ladder, used, shots, trainable)
    # A bias that did not stand out at the largest nudge is below the shot noise there: no smaller nudge is better.
    unseen = sum(shot_variance) / float(shots.mean()) / (order * float(sizes[used - 1]) ** (2 * order + 2))
    model = ErrorModel(
        order=order,
        bias_squared=squared if resolved else min(max(squared, 0.0) + spread, unseen),
        gradient_squared=max(_pooled(measured, fits[used][0], trainable)[0], 0.0),
        beta_scale=float(sizes[used - 1]),
        signal_group=_signal_group(scout),
        shot_variance=shot_variance,
        signal_variance=constant,
        cross_variance=cross,
    )
    return Pilot(model=model, resolved=bool(resolved), betas=tuple(sizes[:used].tolist()), measured=measured)


def _levels_to_fit(measured: MeasuredPhases, fits: dict[int, NDArray], trainable: NDArray) -> int:
    """Fewest levels whose c stands out of its noise, but no more than agree."""
    most = _levels_that_agree(measured, fits, trainable)
    for used in range(2, most):
        squared, spread = _pooled(measured, fits[used][1], trainable)
        if squared > _DEVIATIONS * spread:
            return used
    return most


def _levels_that_agree(measured: MeasuredPhases, fits: dict[int, NDArray], trainable: NDArray) -> int:
    """Most levels whose fit of c does not differ from that of fewer levels by more than shot noise (Lepski)."""
    for used in range(max(fits), 2, -1):
        gaps = [_pooled(measured, fits[used][1] - fits[fewer][1], trainable) for fewer in range(2, used)]
        if all(squared <= _DEVIATIONS * spread for squared, spread in gaps):
            return used
    return 2


def _fit(sizes: NDArray, order: int) -> NDArray:
    """Weights with which contrasts at several nudges make g and c of D = g + c beta^p, shape (2, levels)."""
    design = np.stack([np.ones_like(sizes), sizes**order], axis=1)
    weighted = design * sizes[:, None] ** 2
    return np.linalg.solve(design.T @ weighted, weighted.T)


def _pooled(measured: MeasuredPhases, stencil: NDArray, trainable: NDArray) -> tuple[float, float]:
    """Summed squares with their shot noise taken off, and the standard deviation of that noise."""
    values = measured.derivative(stencil).values[trainable]
    noise, spread = measured.noise_of_square(stencil, trainable)
    return float(values @ values) - noise, spread


def _signal_group(scout: GradientEstimator) -> int:
    serving = scout.reading_plan.reading(scout.hamiltonian.reading_terms)
    return serving[0] if serving and scout.grouping != "per_weight" else 0


def _variances(
    measured: MeasuredPhases, stencils: NDArray, ladder: list[Contrast], used: int, shots: NDArray, trainable: NDArray
) -> tuple[tuple[float, ...], float, float]:
    """Parts of the variance that scale as 1/beta^2, not at all, and as 1/beta, from the first and last fitted level."""
    first, last = (measured.derivative(stencil) for stencil in stencils)
    betas = np.array([ladder[0].beta, ladder[used - 1].beta])
    each = shots if len(last.group_variance) == len(shots) else np.full(len(last.group_variance), shots[0])
    by_group = each * betas[1] ** 2 * last.group_variance[:, trainable].sum(axis=1)
    if measured.signals is None:
        return tuple(by_group.tolist()), 0.0, 0.0
    signals = [float(shots.mean() * found.signal_variance[trainable].sum()) for found in (first, last)]
    if not measured.signals.is_free_phase or ladder[0].kind != "one_sided":
        return tuple(by_group.tolist()), signals[1], 0.0
    cross, constant = np.linalg.solve(np.stack([1.0 / betas, np.ones(2)], axis=1), signals).tolist()
    return tuple(by_group.tolist()), constant, cross
