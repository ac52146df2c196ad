"""Figures of the gradient study against shots: error, cosine, calibration of error bars, grouping of shots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qep_qiskit.budget.report.drawing import (
    WIDE,
    draw_points,
    handle,
    legend_below,
    panel_grid,
    scales,
    shots_axis,
    unit,
)
from qep_qiskit.budget.report.rows import (
    Row,
    best_rows,
    contrasts_of,
    cut_name,
    default_contrast,
    levels,
    number,
    with_contrast,
)
from qep_qiskit.report.log_axis import log_axis
from qep_qiskit.report.style import LINE_STYLES, LineStyle, contrast_style, figure_style, ramp_styles

_SLOPES: Final = {"one-sided +": ("slope −1/4", -0.25, 1.5), "symmetric": ("slope −1/3", -1 / 3, 1 / 1.5)}


def rmse_against_shots(rows: Sequence[Row], *, width: float = WIDE) -> Figure:
    """Draw the RMSE of each contrast at its best beta of the grid against shots per batch, with guide slopes.

    Args:
        rows: Points of one cut (`main_cut`).
        width: Width in inches.
    """
    best = best_rows(rows)
    with figure_style():
        figure, (axis,) = panel_grid(1, width, height=3.6)
        factors, relative = scales(best)
        factor = dict(zip(map(id, best), factors, strict=True))
        seen, handles, guides = [], [], []
        for name in contrasts_of(best):
            own = with_contrast(best, name)
            shots = [number(row, "shots") for row in own]
            own_factors = [factor[id(row)] for row in own]
            seen += draw_points(axis, shots, own, "rmse", contrast_style(name), factors=own_factors, gid=name)
            handles.append(handle(contrast_style(name), name))
            if name in _SLOPES and len(own) > 1:
                guides.append(_guide(axis, name, shots, own_factors[-1] * number(own[-1], "rmse")))
        shots_axis(axis, levels(best, "shots"))
        log_axis(axis, "y", seen)
        axis.set_ylabel(f"RMSE at the best β {unit(relative)}")
        legend_below(figure, [*handles, *guides], width)
    return figure


def _guide(axis: Axes, name: str, shots: Sequence[float], last: float) -> Line2D:
    """Draw a straight line with the theoretical slope of this contrast next to its points."""
    label, slope, aside = _SLOPES[name]
    values = [aside * last * (m / shots[-1]) ** slope for m in shots]
    style = LINE_STYLES["guide"] if slope == -0.25 else LineStyle(color="#555555", linestyle=(0, (6, 3)), marker="")
    axis.plot(shots, values, color=style.color, linestyle=style.linestyle, linewidth=1.0, gid=label, zorder=1.0)
    return handle(style, label)


def cosine_against_shots(rows: Sequence[Row], *, width: float = WIDE) -> Figure:
    """Draw the cosine between estimated and true gradient at the best beta of each contrast against shots per batch.

    Args:
        rows: Points of one cut (`main_cut`).
        width: Width in inches.
    """
    best = [row for row in best_rows(rows) if math.isfinite(number(row, "cosine"))]
    with figure_style():
        figure, (axis,) = panel_grid(1, width, height=3.2)
        seen: list[float] = []
        for name in contrasts_of(best):
            own = with_contrast(best, name)
            seen += draw_points(
                axis, [number(row, "shots") for row in own], own, "cosine", contrast_style(name), gid=name
            )
        shots_axis(axis, levels(best, "shots"))
        axis.axhline(1.0, color="#777777", linewidth=0.8, zorder=0.5)
        low = min([*seen, 0.9])
        axis.set_ylim(low - 0.05 * (1.0 - low), 1.0 + 0.05 * (1.0 - low))
        axis.set_ylabel("cosine to the true gradient")
        legend_below(figure, [handle(contrast_style(name), name) for name in contrasts_of(best)], width)
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
    with figure_style():
        figure, (axis,) = panel_grid(1, width, height=3.2)
        seen = [1.0]
        handles = []
        for name in contrasts_of(best):
            own = with_contrast(best, name)
            shots = [number(row, "shots") for row in own]
            for key, hollow in zip(keys, (False, True), strict=True):
                style = (
                    contrast_style(name)
                    if not hollow
                    else LineStyle(
                        color=contrast_style(name).color,
                        linestyle=contrast_style(name).linestyle,
                        marker=contrast_style(name).marker,
                        linewidth=0.8,
                    )
                )
                seen += draw_points(axis, shots, own, key, style, hollow=hollow, gid=f"{name} {key}")
            handles.append(handle(contrast_style(name), name))
        axis.axhline(1.0, color="#555555", linewidth=0.9, zorder=0.5, gid="honest")
        shots_axis(axis, levels(best, "shots"))
        log_axis(axis, "y", seen)
        axis.set_ylabel("χ² / degrees of freedom")
        if without:
            grey = LineStyle(color="#555555", linestyle="-", marker="o")
            handles += [
                handle(grey, "signal noise counted", line=False),
                handle(grey, "signal noise left out", line=False, hollow=True),
            ]
        legend_below(figure, handles, width)
    return figure


def groupings_against_shots(rows: Sequence[Row], *, width: float = WIDE) -> Figure:
    """Draw the RMSE against the shots of one gradient for each grouping and allocation of shots, for one contrast.

    Args:
        rows: Rows of the gradient study, all cuts.
        width: Width in inches.
    """
    usable = [row for row in rows if number(row, "rmse") > 0 and number(row, "total_shots") > 0]
    name = default_contrast(usable)
    own = with_contrast(usable, name) if name else []
    cuts: dict[str, list[Row]] = {}
    for row in own:
        cuts.setdefault(cut_name(row), []).append(row)
    factors, relative = scales(own)
    factor = dict(zip(map(id, own), factors, strict=True))
    with figure_style():
        figure, (axis,) = panel_grid(1, width, height=3.6)
        handles, seen, spent = [], [], []
        for (text, members), style in zip(cuts.items(), ramp_styles(len(cuts)), strict=True):
            best = best_rows(members)
            totals = [number(row, "total_shots") for row in best]
            seen += draw_points(axis, totals, best, "rmse", style, factors=[factor[id(row)] for row in best], gid=text)
            spent += totals
            handles.append(handle(style, text))
        shots_axis(axis, spent, label="shots for one gradient, all circuits together")
        log_axis(axis, "y", seen)
        axis.set_title(f"{name} contrast", loc="left")
        axis.set_ylabel(f"RMSE at the best β {unit(relative)}")
        legend_below(figure, handles, width)
    return figure
