"""Figures of the gradient study against shots: error, cosine, calibration of error bars, grouping of shots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qep_qiskit.budget.report.drawing import (
    WIDE,
    draw_points,
    handle,
    in_units,
    panels,
    shots_axis,
)
from qep_qiskit.budget.report.rows import (
    Row,
    best_rows,
    by_contrast,
    cut_name,
    default_contrast,
    grouped,
    levels,
    number,
)
from qep_qiskit.report.log_axis import log_axis
from qep_qiskit.report.style import LINE_STYLES, LineStyle, contrast_style, ramp_styles

_SLOPES: Final = {"one-sided +": ("slope −1/4", -0.25, 1.5), "symmetric": ("slope −1/3", -1 / 3, 1 / 1.5)}


def rmse_against_shots(rows: Sequence[Row], *, width: float = WIDE) -> Figure:
    """Draw the RMSE of each contrast at its best beta of the grid against shots per batch, with guide slopes.

    Args:
        rows: Points of one cut (`main_cut`).
        width: Width in inches.
    """
    best, unit = in_units(best_rows(rows))
    with panels(1, width, height=3.6) as (figure, (axis,), entries):
        seen, guides = [], []
        for name, own in by_contrast(best).items():
            seen += draw_points(axis, own, "shots", "rmse", contrast_style(name), gid=name)
            entries.append(handle(contrast_style(name), name))
            if name in _SLOPES and len(own) > 1:
                guides.append(_guide(axis, own, *_SLOPES[name]))
        shots_axis(axis, levels(best, "shots"))
        log_axis(axis, "y", seen)
        axis.set_ylabel(f"RMSE at the best β {unit}")
        entries += guides
    return figure


def _guide(axis: Axes, own: Sequence[Row], label: str, slope: float, aside: float) -> Line2D:
    """Draw a straight line with the theoretical slope of a contrast next to its points."""
    shots = [number(row, "shots") for row in own]
    values = [aside * number(own[-1], "rmse") * (m / shots[-1]) ** slope for m in shots]
    style = LINE_STYLES["guide"] if slope == -0.25 else LineStyle(color="#555555", linestyle=(0, (6, 3)), marker="")
    axis.plot(shots, values, **replace(style, linewidth=1.0).drawn(), gid=label, zorder=1.0)
    return handle(style, label)


def cosine_against_shots(rows: Sequence[Row], *, width: float = WIDE) -> Figure:
    """Draw the cosine between estimated and true gradient at the best beta of each contrast against shots per batch.

    Args:
        rows: Points of one cut (`main_cut`).
        width: Width in inches.
    """
    best = [row for row in best_rows(rows) if math.isfinite(number(row, "cosine"))]
    with panels(1, width, height=3.2) as (figure, (axis,), entries):
        seen: list[float] = []
        for name, own in by_contrast(best).items():
            seen += draw_points(axis, own, "shots", "cosine", contrast_style(name), gid=name)
            entries.append(handle(contrast_style(name), name))
        shots_axis(axis, levels(best, "shots"))
        axis.axhline(1.0, color="#777777", linewidth=0.8, zorder=0.5)
        low = min([*seen, 0.9])
        axis.set_ylim(low - 0.05 * (1.0 - low), 1.0 + 0.05 * (1.0 - low))
        axis.set_ylabel("cosine to the true gradient")
    return figure


def error_bar_calibration(rows: Sequence[Row], *, width: float = WIDE) -> Figure:
    """Draw chi-square per degree of freedom of the estimated error bars against shots per batch, at the best beta.

    Filled markers include the noise of the error signals; hollow ones do not.

    Args:
        rows: Points of one cut (`main_cut`).
        width: Width in inches.
    """
    keys = ("chi2_per_dof", "chi2_without_signals")
    best = [row for row in best_rows(rows) if any(number(row, key) > 0 for key in keys)]
    without = any(number(row, keys[1]) > 0 for row in best)
    with panels(1, width, height=3.2) as (figure, (axis,), entries):
        seen = [1.0]
        for name, own in by_contrast(best).items():
            style = contrast_style(name)
            seen += draw_points(axis, own, "shots", keys[0], style, gid=f"{name} {keys[0]}")
            thin = replace(style, linewidth=0.8)
            seen += draw_points(axis, own, "shots", keys[1], thin, hollow=True, gid=f"{name} {keys[1]}")
            entries.append(handle(style, name))
        axis.axhline(1.0, color="#555555", linewidth=0.9, zorder=0.5, gid="honest")
        shots_axis(axis, levels(best, "shots"))
        log_axis(axis, "y", seen)
        axis.set_ylabel("χ² / degrees of freedom")
        if without:
            grey = LineStyle(color="#555555", linestyle="-", marker="o")
            entries.append(handle(grey, "signal noise counted", line=False))
            entries.append(handle(grey, "signal noise left out", line=False, hollow=True))
    return figure


def groupings_against_shots(rows: Sequence[Row], *, width: float = WIDE) -> Figure:
    """Draw the RMSE against the shots of one gradient for each grouping and allocation of shots, for one contrast.

    Args:
        rows: Rows of the gradient study, all cuts.
        width: Width in inches.
    """
    name, own = default_contrast(rows)
    own, unit = in_units(own)
    best = {text: best_rows(cut) for text, cut in grouped(own, cut_name).items()}
    with panels(1, width, height=3.6) as (figure, (axis,), entries):
        seen: list[float] = []
        for (text, shown), style in zip(best.items(), ramp_styles(len(best)), strict=True):
            seen += draw_points(axis, shown, "total_shots", "rmse", style, gid=text)
            entries.append(handle(style, text))
        spent = [number(row, "total_shots") for shown in best.values() for row in shown]
        shots_axis(axis, spent, label="shots for one gradient, all circuits together")
        log_axis(axis, "y", seen)
        axis.set_title(f"{name} contrast", loc="left")
        axis.set_ylabel(f"RMSE at the best β {unit}")
    return figure
