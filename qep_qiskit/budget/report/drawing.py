"""Common parts of the figures of a budget study: panels, points with intervals, legends."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qep_qiskit.budget.report.rows import Row, interval, number, relative_factor, strength
from qep_qiskit.report.log_axis import log_axis
from qep_qiskit.report.style import LineStyle, figure_style, new_figure

WIDE: Final = 8.4
"""Width of a figure for a page, in inches."""
NARROW: Final = 4.2
"""Width of a figure for a column or a phone, in inches."""

_ERRORS = (
    *(f"{name}{end}" for name in ("rmse", "bias", "std") for end in ("", "_low", "_high")),
    *("model_rmse", "model_bias", "model_std", "data_std", "shot_std"),
)


@contextmanager
def panels(
    count: int, width: float, *, height: float, columns: int | None = None, legend: float = 0.9, share: str = ""
) -> Iterator[tuple[Figure, list[Axes], list[Line2D]]]:
    """Yield a figure in the common style, its panels, and a list for the entries of the legend below them.

    Args:
        count: Number of panels.
        width: Width of the figure in inches.
        height: Height of each row in inches.
        columns: Number of columns, or None to choose it.
        legend: Height of the legend in inches.
        share: Which axes all panels share: "", "x", "y" or "xy".
    """
    columns = columns or (1 if is_narrow(width) else min(count, 3) if count != 4 else 2)
    rows = math.ceil(count / columns)
    with figure_style():
        figure = new_figure(width, rows * height + legend)
        axes = figure.subplots(rows, columns, sharex="x" in share, sharey="y" in share, squeeze=False).ravel().tolist()
        for axis in axes[count:]:
            axis.remove()
        for axis in axes[:count]:
            axis.grid(True)
        entries: list[Line2D] = []
        yield figure, axes[:count], entries
        _legend_below(figure, entries, width)


def is_narrow(width: float) -> bool:
    """Return whether panels of a figure are below each other."""
    return width < 6.0


def in_units(rows: Sequence[Row]) -> tuple[list[Row], str]:
    """Return the rows with all errors in one unit, and this unit for an axis.

    Errors are relative to the length of the true gradient if it is known for every row; otherwise they are absolute.
    """
    factors = [relative_factor(row) for row in rows]
    if not factors or not all(math.isfinite(factor) and factor > 0 for factor in factors):
        return list(rows), "(units of the gradient)"
    relative: list[Row] = [
        {**row, **{key: factor * number(row, key) for key in _ERRORS}}
        for row, factor in zip(rows, factors, strict=True)
    ]
    return relative, "/ |gradient|"


def draw_points(
    axis: Axes,
    rows: Sequence[Row],
    x: str,
    key: str,
    style: LineStyle,
    *,
    joined: bool = True,
    hollow: bool = False,
    gid: str,
) -> list[float]:
    """Draw a value of each row with its confidence interval, if it has one.

    Args:
        axis: The panel.
        rows: The rows.
        x: Key of the horizontal position, whose absolute value counts.
        key: Key of the value; the interval is in `key_low` and `key_high`.
        style: Line style.
        joined: Whether a line connects the points; measured points with a model curve are not connected.
        hollow: Whether markers have a white face.
        gid: Identifier of the line in an SVG.

    Returns:
        All numbers drawn, for the limits of the axis.
    """
    shown = [row for row in rows if math.isfinite(number(row, key))]
    if not shown:
        return []
    values, low, high = np.array([interval(row, key) for row in shown]).T
    below = np.where(np.isfinite(low), np.maximum(0.0, values - low), 0.0)
    above = np.where(np.isfinite(high), np.maximum(0.0, high - values), 0.0)
    drawn = axis.errorbar(
        np.abs([number(row, x) for row in shown]),
        values,
        yerr=np.array([below, above]) if (below > 0).any() or (above > 0).any() else None,
        **style.drawn(joined=joined, hollow=hollow),
        markersize=5.0 if joined else 5.8,
        elinewidth=1.1,
        capsize=2.5,
        zorder=3.0,
    )
    drawn[0].set_gid(gid)
    return [*values.tolist(), *(values - below).tolist(), *(values + above).tolist()]


def draw_bias(
    axis: Axes, rows: Sequence[Row], style: LineStyle, *, joined: bool = True, limits: bool = True, gid: str
) -> list[float]:
    """Draw the bias of rows against beta where it differs significantly from zero, and upper limits elsewhere.

    An upper limit is a hollow triangle.

    Args:
        axis: The panel.
        rows: The rows.
        style: Line style.
        joined: Whether a line connects the points.
        limits: Whether upper limits are drawn.
        gid: Identifier of the line in an SVG.

    Returns:
        All numbers drawn, for the limits of the axis.
    """
    resolved = [row for row in rows if is_resolved(row)]
    draw_points(axis, resolved, "beta", "bias", style, joined=joined, gid=gid)
    upper = [row for row in rows if limits and not is_resolved(row) and number(row, "bias_high") > 0]
    heights = [number(row, "bias_high") for row in upper]
    (drawn,) = axis.plot([strength(row) for row in upper], heights, color=style.color, linestyle="none")
    drawn.set(marker="v", markerfacecolor="none", markersize=6.0, zorder=2.5, gid=f"{gid} limits")
    return [end for row in resolved for end in _seen_part(row)] + heights


def _seen_part(row: Row) -> list[float]:
    """Return a bias with its interval, cut at the lower end. A lower end close to 0 would extend a logarithmic axis."""
    value, low, high = interval(row, "bias")
    return [end for end in (value, max(low, value / 3.0), high) if math.isfinite(end)]


def is_resolved(row: Row) -> bool:
    """Return whether the bias of a row differs significantly from zero."""
    value, low, _ = interval(row, "bias")
    return value > 0 and not low <= 0


def handle(style: LineStyle, label: str, *, line: bool = True, hollow: bool = False) -> Line2D:
    """Return an entry of a legend.

    Args:
        style: Line style.
        label: Text of the entry.
        line: Whether the line is shown.
        hollow: Whether the marker has a white face.
    """
    return Line2D([], [], **style.drawn(joined=line, hollow=hollow), label=label)


def _legend_below(figure: Figure, handles: Sequence[Line2D], width: float) -> None:
    """Add one legend for all panels below them, with as many columns as fit."""
    if not handles:
        return
    longest = max(len(str(entry.get_label())) for entry in handles)
    columns = max(1, min(len(handles), int(width / (0.075 * longest + 0.62))))
    columns = math.ceil(len(handles) / math.ceil(len(handles) / columns))  # rows of about equal length
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, handlelength=2.6)


def beta_label(axis: Axes) -> str:
    """Return the label of a horizontal axis of nudge strengths, shortened for small panels."""
    figure, spec = axis.get_figure(), axis.get_subplotspec()
    columns = spec.get_gridspec().ncols if spec is not None else 1
    wide = not isinstance(figure, Figure) or figure.get_figwidth() / columns > 2.6
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
