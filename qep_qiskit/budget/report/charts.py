"""Figures of a budget study in the order of the page, each with its caption."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from qep_qiskit.budget.report.beta_figures import bias_and_standard_deviation, rmse_against_beta
from qep_qiskit.budget.report.comparison_figure import comparison_of_methods
from qep_qiskit.budget.report.noise_figure import error_on_a_noisy_device
from qep_qiskit.budget.report.rows import Row, cut_name, default_contrast, levels, main_cut, number, with_contrast
from qep_qiskit.budget.report.shots_figures import (
    cosine_against_shots,
    error_bar_calibration,
    groupings_against_shots,
    rmse_against_shots,
)
from qep_qiskit.budget.report.training_figure import training_against_shots


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One figure of the report.

    Attributes:
        name: Of its files, without an ending.
        title: Heading.
        caption: How to read it.
        draw: Makes the figure, `width` inches wide.
    """

    name: str
    title: str
    caption: str
    draw: Callable[[float], Figure]


def budget_charts(
    *,
    gradient: Sequence[Row] = (),
    comparison: Sequence[Row] = (),
    training: Sequence[Row] = (),
    noise: Sequence[Row] = (),
) -> list[Chart]:
    """Return the figures for which rows exist.

    Args:
        gradient: Rows of the gradient study.
        comparison: Rows of the baselines.
        training: Rows of the training study.
        noise: Rows of the study on a noisy device.
    """
    return [*_gradient_charts(gradient), *_other_charts(comparison, training, noise)]


def _gradient_charts(gradient: Sequence[Row]) -> list[Chart]:
    rows = main_cut(gradient)
    strengths, shots = {abs(number(row, "beta")) for row in rows}, levels(rows, "shots")
    wanted: list[tuple[bool, Chart]] = [
        (bool(rows) and (len(shots) > 1 or len(strengths) < 2), _rmse_shots_chart(rows)),
        (len(strengths) > 1, _rmse_beta_chart(rows)),
        (len(strengths) > 1 and _has(rows, "bias", "std"), _parts_chart(rows)),
        (_has(rows, "cosine"), _cosine_chart(rows)),
        (_has(rows, "chi2_per_dof", "chi2_without_signals"), _calibration_chart(rows)),
        (_several_cuts(gradient), _groupings_chart(gradient)),
    ]
    return [chart for there, chart in wanted if there]


def _other_charts(comparison: Sequence[Row], training: Sequence[Row], noise: Sequence[Row]) -> list[Chart]:
    noisy = main_cut(noise)
    wanted = [
        (_has(comparison, "rmse"), _comparison_chart(comparison)),
        (any(number(row, "shots") > 0 for row in training) and _has(training, "loss"), _training_chart(training)),
        (bool(noisy), _noise_chart(noisy)),
    ]
    return [chart for there, chart in wanted if there]


def _kind(name: str, title: str, draw: Callable[..., Figure], caption: str) -> Callable[[Sequence[Row]], Chart]:
    """Return a function that makes a chart from rows."""
    return lambda rows: Chart(name=name, title=title, caption=caption, draw=lambda width: draw(rows, width=width))


_rmse_shots_chart = _kind(
    "rmse_against_shots",
    "How the error falls with shots",
    rmse_against_shots,
    "Lower is better: the root mean square error of the gradient at the best nudge strength of the grid, with "
    "confidence intervals from repeats; the grey guides have the slopes that theory gives to one-sided (−1/4) and "
    "symmetric (−1/3) contrasts at their best β.",
)
_rmse_beta_chart = _kind(
    "rmse_against_beta",
    "Which nudge is best",
    rmse_against_beta,
    "Each curve is one number of shots: left of its minimum shot noise rules, right of it the bias; points are "
    "measured, lines are the model from the pilot run, and more shots move the minimum to weaker nudges.",
)
_parts_chart = _kind(
    "bias_and_spread",
    "What the error is made of",
    bias_and_standard_deviation,
    "The bias grows with a power of β and does not depend on shots, the standard deviation falls as 1/β and with "
    "the root of the shots; hollow triangles are upper limits of biases that the repeats cannot tell from zero.",
)
_cosine_chart = _kind(
    "cosine_against_shots",
    "Whether the direction is right",
    cosine_against_shots,
    "The cosine between estimated and true gradient at the best β: 1 is the right direction, 0 none; training "
    "needs far less than 1.",
)
_calibration_chart = _kind(
    "error_bar_calibration",
    "Whether the error bars are honest",
    error_bar_calibration,
    "χ² of the claimed error bars over its degrees of freedom at the best β: 1 is honest, above 1 they are too "
    "short; hollow points leave out the noise of the error signals.",
)
_groupings_chart = _kind(
    "groupings_against_shots",
    "How shots are best grouped and split",
    groupings_against_shots,
    "The error against all shots of one gradient: the lower of two curves needs fewer shots for the same error.",
)
_comparison_chart = _kind(
    "comparison_of_methods",
    "Other ways to the gradient",
    comparison_of_methods,
    "Towards the lower left is better: the same points against shots and against circuits, full at equal shots, "
    "hollow at equal circuits; points that would lie on each other stand side by side.",
)
_training_chart = _kind(
    "training_against_shots",
    "What a training run needs",
    training_against_shots,
    "Median over seeds with the band between the quartiles, epoch by epoch: further left is the same result for "
    "fewer shots.",
)
_noise_chart = _kind(
    "error_on_a_noisy_device",
    "What a noisy device adds",
    error_on_a_noisy_device,
    "At equal shots, folded circuits and calibrations counted, the lower curve is worth more; where the error stops "
    "falling, noise of the device has set a floor (dotted: the bias that no weaker nudge removes); hollow triangles "
    "are upper limits.",
)


def _has(rows: Sequence[Row], *keys: str) -> bool:
    return any(math.isfinite(number(row, key)) for row in rows for key in keys)


def _several_cuts(rows: Sequence[Row]) -> bool:
    """Return whether the contrast of that figure was measured in more than one way."""
    usable = [row for row in rows if number(row, "rmse") > 0 and number(row, "total_shots") > 0]
    name = default_contrast(usable)
    return name is not None and len({cut_name(row) for row in with_contrast(usable, name)}) > 1
