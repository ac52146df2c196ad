"""Figures of the gradient study against the nudge: error, bias and standard deviation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qep_qiskit.budget.report.drawing import (
    WIDE,
    beta_label,
    draw_bias,
    draw_points,
    handle,
    in_units,
    is_narrow,
    panels,
)
from qep_qiskit.budget.report.rows import Row, by_contrast, levels, model_curve, number, strength
from qep_qiskit.core.amounts import noun_of
from qep_qiskit.report.log_axis import log_axis, short_count
from qep_qiskit.report.style import LineStyle, ramp_styles

_MOST_LEVELS = 6
_BIAS_MODEL: Final = LineStyle(color="#111111", linestyle="-", marker="", linewidth=1.1)


def rmse_against_beta(rows: Sequence[Row], *, width: float = WIDE) -> Figure:
    """Draw the RMSE against beta at each number of shots, one panel per contrast, with model curves.

    Args:
        rows: Points of one cut (`main_cut`).
        width: Width in inches.
    """
    rows, unit = in_units(rows)
    contrasts = by_contrast(rows)
    with panels(len(contrasts), width, height=2.7, share="xy") as (figure, axes, entries):
        seen: list[float] = []
        for axis, (name, own) in zip(axes, contrasts.items(), strict=True):
            axis.set_title(name, loc="left")
            axis.set_ylabel(f"RMSE {unit}")
            for shots, style in _levels(rows).items():
                seen += _against_beta(axis, own, shots, "rmse", style)
        _finish_beta_panels(axes, rows, seen)
        entries += _level_handles(rows, "rmse")
    return figure


def bias_and_standard_deviation(rows: Sequence[Row], *, width: float = WIDE) -> Figure:
    """Draw bias and standard deviation against beta at each number of shots, for each contrast.

    A bias that is not significantly different from zero is omitted, or drawn as an upper limit (a hollow triangle that
    points down) at the largest number of shots.

    Args:
        rows: Points of one cut (`main_cut`).
        width: Width in inches.
    """
    rows, unit = in_units(rows)
    contrasts = by_contrast(rows)
    across = not is_narrow(width)
    height, columns = (2.4, len(contrasts)) if across else (1.9, 2)
    with panels(2 * len(contrasts), width, height=height, columns=columns, share="xy") as (figure, axes, entries):
        seen: list[float] = []
        styles = _levels(rows)
        for i, (name, own) in enumerate(contrasts.items()):
            for j, (key, text) in enumerate((("bias", "bias"), ("std", "standard deviation"))):
                axis = axes[j * len(contrasts) + i if across else 2 * i + j]
                title = name if across else f"{name}\n{text}"
                axis.set_title("" if across and j else title, loc="left")
                axis.set_ylabel(f"{text if across else 'error'} {unit}")
                for shots, style in styles.items():
                    seen += _against_beta(axis, own, shots, key, style, last=shots == max(styles))
        _finish_beta_panels(axes, rows, seen)
        limits = any(
            "limits" in str(line.get_gid()) and np.size(line.get_xdata()) for axis in axes for line in axis.lines
        )
        entries += [*_level_handles(rows, "std"), *([_limit_handle()] if limits else [])]
    return figure


def _levels(rows: Sequence[Row]) -> dict[float, LineStyle]:
    """Return the numbers of shots that are drawn, each with its style."""
    shown = levels(rows, "shots", most=_MOST_LEVELS)
    return dict(zip(shown, ramp_styles(len(shown)), strict=True))


def _finish_beta_panels(axes: Sequence[Axes], rows: Sequence[Row], seen: Sequence[float]) -> None:
    """Set the common scales of all panels, and labels on the outer panels only."""
    for axis in axes:
        log_axis(axis, "x", [strength(row) for row in rows], max_ticks=6)
        log_axis(axis, "y", seen)
        axis.set_xlabel(beta_label(axis))
        axis.tick_params(axis="x", labelsize=8.0)
        axis.label_outer(remove_inner_ticks=False)


def _against_beta(
    axis: Axes, rows: Sequence[Row], shots: float, key: str, style: LineStyle, *, last: bool = True
) -> list[float]:
    """Draw the points of one number of shots and the model through them.

    The model of the bias is the same for all shots, and the largest number of shots gives the tightest limits; both are
    drawn with the last number of shots only.
    """
    own = sorted((row for row in rows if number(row, "shots") == shots), key=strength)
    gid = f"{key} {short_count(shots)}"
    betas, model = model_curve(own, key)
    if key == "bias":  # far below what can be measured at weak nudges: it does not set the limits
        if betas.size and last:
            axis.plot(betas, model, **_BIAS_MODEL.drawn(), gid="model bias", zorder=2.0)
        return draw_bias(axis, own, style, joined=False, limits=last, gid=gid)
    if betas.size:
        axis.plot(betas, model, **replace(style, marker="").drawn(), gid=f"model {gid}", zorder=2.0)
    return model.tolist() + draw_points(axis, own, "beta", key, style, joined=not betas.size, gid=gid)


def _level_handles(rows: Sequence[Row], key: str) -> list[Line2D]:
    line = any(number(row, f"model_{key}") > 0 for row in rows)
    levels = _levels(rows).items()
    entries = [handle(style, f"{short_count(shots)} {noun_of(shots, 'shot')}") for shots, style in levels]
    return [*entries, Line2D([], [], color="#555555", label="model")] if line else entries


def _limit_handle() -> Line2D:
    return Line2D([], [], color="#555555", marker="v", markerfacecolor="none", linestyle="none", label="upper limit")
