"""Figures of the gradient study against the nudge: error, bias and standard deviation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qep_qiskit.budget.report.drawing import (
    WIDE,
    beta_label,
    draw_bias,
    draw_line,
    draw_points,
    handle,
    legend_below,
    panel_grid,
    scales,
    unit,
)
from qep_qiskit.budget.report.rows import Row, contrasts_of, levels, model_curve, number, relative_factor, with_contrast
from qep_qiskit.report.log_axis import log_axis, short_count
from qep_qiskit.report.style import LineStyle, figure_style, ramp_styles

_MOST_LEVELS = 6
_BIAS_MODEL: Final = LineStyle(color="#111111", linestyle="-", marker="", linewidth=1.1)


def rmse_against_beta(rows: Sequence[Row], *, width: float = WIDE) -> Figure:
    """Draw the RMSE against beta at each number of shots, one panel per contrast, with model curves.

    Args:
        rows: Points of one cut (`main_cut`).
        width: Width in inches.
    """
    shown = levels(rows, "shots", most=_MOST_LEVELS)
    _, relative = scales(rows)
    with figure_style():
        names = contrasts_of(rows)
        figure, axes = panel_grid(len(names), width, height=2.7)
        seen: list[float] = []
        for axis, name in zip(axes, names, strict=True):
            axis.set_title(name, loc="left")
            for shots, style in zip(shown, ramp_styles(len(shown)), strict=True):
                seen += _against_beta(axis, _at(with_contrast(rows, name), shots), "rmse", style, relative)
            axis.set_ylabel(f"RMSE {unit(relative)}")
        _finish_beta_panels(axes, rows, seen)
        legend_below(figure, _level_handles(shown, rows, "rmse"), width)
    return figure


def bias_and_standard_deviation(rows: Sequence[Row], *, width: float = WIDE) -> Figure:
    """Draw bias and standard deviation against beta at each number of shots, for each contrast.

    A bias that is not significantly different from zero is omitted, or drawn as an upper limit (a hollow triangle that
    points down) at the largest number of shots.

    Args:
        rows: Points of one cut (`main_cut`).
        width: Width in inches.
    """
    shown = levels(rows, "shots", most=_MOST_LEVELS)
    _, relative = scales(rows)
    names = contrasts_of(rows)
    across = width >= 6.0
    with figure_style():
        columns = len(names) if across else 2
        figure, axes = panel_grid(2 * len(names), width, height=2.4 if across else 1.9, columns=columns)
        seen: list[float] = []
        for i, name in enumerate(names):
            for j, (key, text) in enumerate((("bias", "bias"), ("std", "standard deviation"))):
                axis = axes[j * len(names) + i if across else 2 * i + j]
                title = name if across else f"{name}\n{text}"
                axis.set_title("" if across and j else title, loc="left")
                axis.set_ylabel(f"{text} {unit(relative)}" if across else f"error {unit(relative)}")
                own = with_contrast(rows, name)
                for shots, style in zip(shown, ramp_styles(len(shown)), strict=True):
                    seen += _against_beta(axis, _at(own, shots), key, style, relative, last=shots == shown[-1])
        _finish_beta_panels(axes, rows, seen)
        limits = any(
            "limits" in str(line.get_gid()) and np.size(line.get_xdata()) for axis in axes for line in axis.lines
        )
        legend_below(figure, [*_level_handles(shown, rows, "std"), *([_limit_handle()] if limits else [])], width)
    return figure


def _finish_beta_panels(axes: Sequence[Axes], rows: Sequence[Row], seen: Sequence[float]) -> None:
    """Set the common scales of all panels, and labels on the outer panels only."""
    for axis in axes:
        log_axis(axis, "x", [abs(number(row, "beta")) for row in rows], max_ticks=6)
        log_axis(axis, "y", seen)
        axis.set_xlabel(beta_label(axis))
        axis.tick_params(axis="x", labelsize=8.0)
        axis.label_outer(remove_inner_ticks=False)


def _against_beta(
    axis: Axes, own: Sequence[Row], key: str, style: LineStyle, relative: bool, *, last: bool = True
) -> list[float]:
    """Draw the points of one number of shots and the model through them.

    The model of the bias is the same for all shots, and the largest number of shots gives the tightest limits; both are
    drawn with the last number of shots only.
    """
    if not own:
        return []
    factors = [relative_factor(row) if relative else 1.0 for row in own]
    x = [abs(number(row, "beta")) for row in own]
    gid = f"{key} {short_count(number(own[0], 'shots'))}"
    betas, model = model_curve(own, key)
    scaled = (float(np.median(factors)) * model).tolist()
    if key == "bias":  # far below what can be measured at weak nudges: it does not set the limits
        draw_line(axis, betas.tolist() if last else [], scaled, _BIAS_MODEL, gid="model bias")
        return draw_bias(axis, x, own, style, factors=factors, joined=False, limits=last, gid=gid)
    seen = draw_line(axis, betas.tolist(), scaled, style, gid=f"model {gid}")
    return seen + draw_points(axis, x, own, key, style, factors=factors, joined=not betas.size, gid=gid)


def _at(rows: Sequence[Row], shots: float) -> list[Row]:
    return sorted((row for row in rows if number(row, "shots") == shots), key=lambda row: abs(number(row, "beta")))


def _level_handles(shown: Sequence[float], rows: Sequence[Row], key: str) -> list[Line2D]:
    line = any(number(row, f"model_{key}") > 0 for row in rows)
    entries = [
        handle(style, f"{short_count(shots)} shot{'s' if shots != 1 else ''}")
        for shots, style in zip(shown, ramp_styles(len(shown)), strict=True)
    ]
    return [*entries, Line2D([], [], color="#555555", label="model")] if line else entries


def _limit_handle() -> Line2D:
    return Line2D([], [], color="#555555", marker="v", markerfacecolor="none", linestyle="none", label="upper limit")
