"""Figures of a budget study in the order of the page, each with its caption."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.figure import Figure

from qep_qiskit.budget.ramp_summary import has_decoherence, ideal_rows
from qep_qiskit.budget.report.beta_figures import bias_and_standard_deviation, rmse_against_beta
from qep_qiskit.budget.report.comparison_figure import comparison_of_methods
from qep_qiskit.budget.report.noise_figure import error_on_a_noisy_device
from qep_qiskit.budget.report.ramp_figures import best_time_of_the_ramp, error_of_the_ramp
from qep_qiskit.budget.report.rows import Row, cut_name, default_contrast, levels, main_cut, number, strength
from qep_qiskit.budget.report.samples_figure import samples_against_shots
from qep_qiskit.budget.report.shots_figures import (
    cosine_against_shots,
    error_bar_calibration,
    groupings_against_shots,
    rmse_against_shots,
)
from qep_qiskit.budget.report.size_figures import gap_and_best_nudge, gradient_against_size, has_values
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


def budget_charts(**tables: Sequence[Row]) -> list[Chart]:
    """Return the figures for which rows exist.

    Args:
        **tables: Rows of the studies: `gradient`, `comparison` (the baselines), `training`, `noise`, `size`, `ramp`,
            `samples`, and `samples_training` (its runs).
    """
    gradient, comparison, training, noise, size, ramp, samples, runs = (tables.get(name, ()) for name in _STUDIES)
    rows, noisy = main_cut(gradient), main_cut(noise)
    strengths, shots = {strength(row) for row in rows}, levels(rows, "shots")
    spent = any(number(row, "shots") > 0 for row in training)
    ways = set(map(cut_name, default_contrast(gradient)[1]))
    drawn: list[tuple[str, Callable[..., Figure], Sequence[Row], bool]] = [
        ("rmse_against_shots", rmse_against_shots, rows, bool(rows) and (len(shots) > 1 or len(strengths) < 2)),
        ("rmse_against_beta", rmse_against_beta, rows, len(strengths) > 1),
        ("bias_and_spread", bias_and_standard_deviation, rows, len(strengths) > 1 and _has(rows, "bias", "std")),
        ("cosine_against_shots", cosine_against_shots, rows, _has(rows, "cosine")),
        ("error_bar_calibration", error_bar_calibration, rows, _has(rows, "chi2_per_dof", "chi2_without_signals")),
        ("groupings_against_shots", groupings_against_shots, gradient, len(ways) > 1),
        ("comparison_of_methods", comparison_of_methods, comparison, _has(comparison, "rmse")),
        ("training_against_shots", training_against_shots, training, spent and _has(training, "loss")),
        ("samples_against_shots", samples_against_shots, samples, _has(samples, "rmse")),
        ("training_by_samples", training_against_shots, runs, _has(runs, "loss")),
        ("error_on_a_noisy_device", error_on_a_noisy_device, noisy, bool(noisy)),
        ("gradient_against_size", gradient_against_size, size, bool(size)),
        ("gap_and_best_nudge", gap_and_best_nudge, size, has_values(size, "gap") or has_values(size, "beta")),
        ("error_of_the_ramp", error_of_the_ramp, ideal_rows(ramp), bool(ideal_rows(ramp))),
        ("best_time_of_the_ramp", best_time_of_the_ramp, ramp, any(map(has_decoherence, ramp))),
    ]
    return [
        Chart(name=name, title=_TEXTS[name][0], caption=_TEXTS[name][1], draw=partial(_wide, draw, shown))
        for name, draw, shown, wanted in drawn
        if wanted
    ]


def _wide(draw: Callable[..., Figure], rows: Sequence[Row], width: float) -> Figure:
    return draw(rows, width=width)


def _has(rows: Sequence[Row], *keys: str) -> bool:
    return any(math.isfinite(number(row, key)) for row in rows for key in keys)


_STUDIES = ("gradient", "comparison", "training", "noise", "size", "ramp", "samples", "samples_training")
_TEXTS = {
    "rmse_against_shots": (
        "How the error falls with shots",
        "Lower is better: the root mean square error of the gradient at the best nudge strength of the grid, with "
        "confidence intervals from repeats; the grey guides have the slopes that theory gives to one-sided (−1/4) and "
        "symmetric (−1/3) contrasts at their best β.",
    ),
    "rmse_against_beta": (
        "Which nudge is best",
        "Each curve is one number of shots: left of its minimum shot noise rules, right of it the bias; points are "
        "measured, lines are the model from the pilot run, and more shots move the minimum to weaker nudges.",
    ),
    "bias_and_spread": (
        "What the error is made of",
        "The bias grows with a power of β and does not depend on shots, the standard deviation falls as 1/β and with "
        "the root of the shots; hollow triangles are upper limits of biases that the repeats cannot tell from zero.",
    ),
    "cosine_against_shots": (
        "Whether the direction is right",
        "The cosine between estimated and true gradient at the best β: 1 is the right direction, 0 none; training "
        "needs far less than 1.",
    ),
    "error_bar_calibration": (
        "Whether the error bars are honest",
        "χ² of the claimed error bars over its degrees of freedom at the best β: 1 is honest, above 1 they are too "
        "short; hollow points leave out the noise of the error signals.",
    ),
    "groupings_against_shots": (
        "How shots are best grouped and split",
        "The error against all shots of one gradient: the lower of two curves needs fewer shots for the same error.",
    ),
    "comparison_of_methods": (
        "Other ways to the gradient",
        "Towards the lower left is better: the same points against shots and against circuits, full at equal shots, "
        "hollow at equal circuits; points that would lie on each other stand side by side.",
    ),
    "training_against_shots": (
        "What a training run needs",
        "Median over seeds with the band between the quartiles, epoch by epoch: further left is the same result for "
        "fewer shots.",
    ),
    "samples_against_shots": (
        "Samples or shots",
        "Every point has the same samples times shots in a step, and the same QPU seconds: points are measured, with "
        "confidence intervals from repeats, and lines are (V_data + V_shot/m)/B with its two parts, and the bias in "
        "the whole.",
    ),
    "training_by_samples": (
        "Training with more samples or more shots",
        "All runs spend equal shots in about as many steps, at one learning rate: median over seeds with the band "
        "between the quartiles, epoch by epoch.",
    ),
    "error_on_a_noisy_device": (
        "What a noisy device adds",
        "At equal shots, folded circuits and calibrations counted, the lower curve is worth more; where the error "
        "stops falling, noise of the device has set a floor (dotted: the bias that no weaker nudge removes); hollow "
        "triangles are upper limits.",
    ),
    "gradient_against_size": (
        "Do gradients vanish, and what does a large network cost",
        "Geometric means over random networks with their standard errors: the length of the whole gradient, the root "
        "mean square gradient of a weight of the largest networks by its distance from the outputs (hollow: "
        "below what truncated or unconverged states resolve), and the shots of one gradient, all batches counted, with "
        "the error of the study.",
    ),
    "gap_and_best_nudge": (
        "Gap and best nudge",
        "Geometric means over random networks with their standard errors: the first excitation energy of the free "
        "Hamiltonian, and the nudge with which the fewest shots reach the error of the study.",
    ),
    "error_of_the_ramp": (
        "What the ramp itself costs",
        "Root mean square over a window of total times, bars from the smallest to the largest: the error of the "
        "gradient, the difference from the contrast of exact states at the same nudge over the curvature of the "
        "schedule at its ends by the total time, where smooth schedules share one curve, and the infidelity.",
    ),
    "best_time_of_the_ramp": (
        "How long a ramp should be",
        "Root mean square over a window of total times, bars from the smallest to the largest: short ramps excite, and "
        "long ones lose coherence at the rate of each curve; stars are the best total times between them.",
    ),
}
"""Title and caption of every figure."""
