"""Common parts of the figures of a budget study: panels, points with intervals, legends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qep_qiskit.budget.report.rows import Row, interval, number, relative_factor
from qep_qiskit.report.log_axis import log_axis
from qep_qiskit.report.style import LineStyle, new_figure

WIDE: Final = 8.4
"""Width of a figure for a page, in inches."""
NARROW: Final = 4.2
"""Width of a figure for a column or a phone, in inches."""


def panel_grid(count: int, width: float, *, height: float, columns: int | None = None) -> tuple[Figure, list[Axes]]:
    """Return a figure with panels that share both axes.

    Args:
        count: Number of panels.
        width: Width of the figure in inches.
        height: Height of each row in inches.
        columns: Number of columns, or None to choose it.
    """
    columns = columns or (1 if width < 6.0 else min(count, 3) if count != 4 else 2)
    rows = math.ceil(count / columns)
    figure = new_figure(width, rows * height + 0.9)
    axes = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel())
    for axis in axes[count:]:
        axis.remove()
    for axis in axes[:count]:
        axis.grid(True)
    return figure, axes[:count]


def scales(rows: Sequence[Row]) -> tuple[list[float], bool]:
    """Return the factors on the errors of the rows for drawing, and whether these make the errors relative.

    Errors are relative to the length of the true gradient if it is known for every row; otherwise they are absolute.
    """
    factors = [relative_factor(row) for row in rows]
    relative = bool(factors) and all(math.isfinite(factor) and factor > 0 for factor in factors)
    return (factors if relative else [1.0] * len(rows)), relative


def unit(relative: bool) -> str:
    """Return the unit of errors on an axis."""
    return "/ |gradient|" if relative else "(units of the gradient)"


def draw_points(
    axis: Axes,
    x: Sequence[float],
    rows: Sequence[Row],
    key: str,
    style: LineStyle,
    *,
    factors: Sequence[float] | None = None,
    joined: bool = True,
    hollow: bool = False,
    gid: str = "",
) -> list[float]:
    """Draw a value of each row with its confidence interval, if it has one.

    Args:
        axis: The panel.
        x: Horizontal positions, as many as `rows`.
        rows: The rows.
        key: Key of the value; the interval is in `key_low` and `key_high`.
        style: Line style.
        factors: Factors on value and interval; 1 by default.
        joined: Whether a line connects the points; measured points with a model curve are not connected.
        hollow: Whether markers have a white face.
        gid: Identifier of the line in an SVG.

    Returns:
        All numbers drawn, for the limits of the axis.
    """
    scaled = np.array([interval(row, key) for row in rows], dtype=float).reshape(-1, 3)
    scaled *= np.array(factors if factors is not None else [1.0] * len(rows))[:, None]
    keep = np.isfinite(scaled[:, 0])
    positions, (values, low, high) = np.asarray(x, dtype=float)[keep], scaled[keep].T
    if not values.size:
        return []
    below = np.where(np.isfinite(low), np.maximum(0.0, values - low), 0.0)
    above = np.where(np.isfinite(high), np.maximum(0.0, high - values), 0.0)
    drawn = axis.errorbar(
        positions,
        values,
        yerr=np.array([below, above]) if (below > 0).any() or (above > 0).any() else None,
        color=style.color,
        linestyle=style.linestyle if joined else "none",
        linewidth=style.linewidth,
        marker=style.marker,
        markersize=5.0 if joined else 5.8,
        markerfacecolor="white" if hollow else style.color,
        elinewidth=1.1,
        capsize=2.5,
        zorder=3.0,
    )
    drawn[0].set_gid(gid)
    return [*values.tolist(), *(values - below).tolist(), *(values + above).tolist()]


def draw_bias(
    axis: Axes,
    x: Sequence[float],
    rows: Sequence[Row],
    style: LineStyle,
    *,
    factors: Sequence[float],
    joined: bool = True,
    limits: bool = True,
    gid: str = "bias",
) -> list[float]:
    """Draw the bias of rows where it differs significantly from zero, and optionally upper limits elsewhere.

    An upper limit is a hollow triangle.

    Args:
        axis: The panel.
        x: Horizontal positions, as many as `rows`.
        rows: The rows.
        style: Line style.
        factors: Factors on bias and interval.
        joined: Whether a line connects the points.
        limits: Whether upper limits are drawn.
        gid: Identifier of the line in an SVG.

    Returns:
        All numbers drawn, for the limits of the axis.
    """
    resolved = [i for i, row in enumerate(rows) if is_resolved(row)]
    chosen, scales_of = [rows[i] for i in resolved], [factors[i] for i in resolved]
    draw_points(axis, [x[i] for i in resolved], chosen, "bias", style, factors=scales_of, joined=joined, gid=gid)
    ends = [end for row, factor in zip(chosen, scales_of, strict=True) for end in _seen_part(row, factor)]
    upper = [i for i, row in enumerate(rows) if limits and i not in resolved and number(row, "bias_high") > 0]
    heights = [factors[i] * number(rows[i], "bias_high") for i in upper]
    (drawn,) = axis.plot([x[i] for i in upper], heights, color=style.color, linestyle="none", gid=f"{gid} limits")
    drawn.set(marker="v", markerfacecolor="none", markersize=6.0, zorder=2.5)
    return ends + heights


def _seen_part(row: Row, factor: float) -> list[float]:
    """Return a bias with its interval, cut at the lower end. A lower end close to 0 would extend a logarithmic axis."""
    value, low, high = (factor * end for end in interval(row, "bias"))
    return [end for end in (value, max(low, value / 3.0), high) if math.isfinite(end)]


def is_resolved(row: Row) -> bool:
    """Return whether the bias of a row differs significantly from zero."""
    value, low, _ = interval(row, "bias")
    return value > 0 and not low <= 0


def draw_line(axis: Axes, x: Sequence[float], y: Sequence[float], style: LineStyle, *, gid: str = "") -> list[float]:
    """Draw a line without markers, such as a model curve.

    Args:
        axis: The panel.
        x: Horizontal coordinates.
        y: Vertical coordinates, as many as `x`.
        style: Line style.
        gid: Identifier of the line in an SVG.

    Returns:
        All numbers drawn, for the limits of the axis.
    """
    if not len(x):
        return []
    axis.plot(x, y, color=style.color, linestyle=style.linestyle, linewidth=style.linewidth, gid=gid, zorder=2.0)
    return [float(value) for value in y]


def handle(style: LineStyle, label: str, *, line: bool = True, hollow: bool = False) -> Line2D:
    """Return an entry of a legend.

    Args:
        style: Line style.
        label: Text of the entry.
        line: Whether the line is shown.
        hollow: Whether the marker has a white face.
    """
    dashes: Any = style.linestyle if line else "none"
    return Line2D(
        [],
        [],
        color=style.color,
        linestyle=dashes,
        linewidth=style.linewidth,
        marker=style.marker,
        markerfacecolor="white" if hollow else style.color,
        label=label,
    )


def legend_below(figure: Figure, handles: Sequence[Line2D], width: float) -> None:
    """Add one legend for all panels below them, with as many columns as fit.

    Args:
        figure: The figure.
        handles: Entries of the legend.
        width: Width of the figure in inches.
    """
    if not handles:
        return
    longest = max(len(str(entry.get_label())) for entry in handles)
    columns = max(1, min(len(handles), int(width / (0.075 * longest + 0.62))))
    columns = math.ceil(len(handles) / math.ceil(len(handles) / columns))  # rows of about equal length
    figure.legend(handles=list(handles), loc="outside lower center", ncols=columns, handlelength=2.6)


def beta_label(axis: Axes) -> str:
    """Return the label of a horizontal axis of nudge strengths, shortened for small panels."""
    figure, spec = axis.get_figure(root=True), axis.get_subplotspec()
    columns = spec.get_gridspec().ncols if spec is not None else 1
    wide = figure is None or figure.get_figwidth() / columns > 2.6
    return "nudge strength |β| (energy units)" if wide else "|β| (energy units)"


def shots_axis(axis: Axes, values: Sequence[float], *, label: str = "shots per batch", max_ticks: int = 8) -> None:
    """Format the horizontal axis for numbers of shots.

    Args:
        axis: The panel.
        values: Numbers of shots that must be visible.
        label: Label of the axis.
        max_ticks: Approximate limit on the number of ticks.
    """
    log_axis(axis, "x", values, counts=True, max_ticks=max_ticks)
    axis.set_xlabel(label)
