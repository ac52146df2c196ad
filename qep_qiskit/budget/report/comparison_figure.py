"""Comparison of methods: error against shots and against circuits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qep_qiskit.budget.report.drawing import WIDE, draw_points, handle, in_units, is_narrow, panels, shots_axis
from qep_qiskit.budget.report.rows import Row, number
from qep_qiskit.report.log_axis import log_axis
from qep_qiskit.report.style import LineStyle

_PANELS: Final = (("total_shots", "shots for one gradient"), ("circuits", "circuits for one gradient"))
_COLORS: Final = {
    "qep": "#0072B2",
    "per_weight": "#40287a",
    "finite_differences": "#009E73",
    "spsa": "#E69F00",
    "parameter_shift": "#8a8a8a",
}
_MARKERS: Final = "osD^v<>ph"
_NEAR = 1.3


def comparison_of_methods(rows: Sequence[Row], *, width: float = WIDE) -> Figure:
    """Draw the RMSE of each method against its shots and against its circuits.

    The colour denotes the method, the marker the entry. Filled markers are points at equal shots, hollow ones at equal
    circuits. Overlapping points are drawn side by side.

    Args:
        rows: Rows of the comparison; those without an error are omitted.
        width: Width in inches.
    """
    shown, unit = in_units([row for row in rows if number(row, "rmse") > 0])
    styles = _styles(shown)
    columns = 1 if is_narrow(width) else 2
    legend = 0.22 * math.ceil(len(styles) / columns) + 0.7
    with panels(2, width, height=3.1, columns=columns, legend=legend, share="y") as (figure, axes, entries):
        for axis, (key, label) in zip(axes, _PANELS, strict=True):
            _draw(axis, shown, key, label, styles)
        for axis in axes[::columns]:
            axis.set_ylabel(f"RMSE {unit}")
        entries += [*(handle(style, name, line=False) for name, style in styles.items()), *_kinds(shown)]
    return figure


def side_by_side(positions: Sequence[float], heights: Sequence[float]) -> list[float]:
    """Shift overlapping points slightly along a logarithmic axis, so that all are visible.

    Args:
        positions: Horizontal coordinates; only equal ones are shifted.
        heights: Vertical coordinates; only points within a factor of 1.3 of the next point are shifted.

    Returns:
        New horizontal coordinates.
    """
    logs = [math.log10(place) for place in positions]
    step = 0.025 * max(0.7, max(logs, default=0.0) - min(logs, default=0.0))
    clusters: list[list[int]] = []
    for i in sorted(range(len(logs)), key=lambda i: (logs[i], heights[i])):
        last = clusters[-1][-1] if clusters else None
        if last is not None and logs[last] == logs[i] and heights[i] < _NEAR * heights[last]:
            clusters[-1].append(i)
        else:
            clusters.append([i])
    moved = list(positions)
    for cluster in clusters:
        for rank, i in enumerate(cluster):
            moved[i] = 10.0 ** (logs[i] + step * (rank - 0.5 * (len(cluster) - 1)))
    return moved


def _draw(axis: Axes, rows: Sequence[Row], key: str, label: str, styles: dict[str, LineStyle]) -> None:
    there = [row for row in rows if number(row, key) > 0]
    positions = side_by_side([number(row, key) for row in there], [number(row, "rmse") for row in there])
    seen: list[float] = []
    for row, x in zip(there, positions, strict=True):
        name, hollow = str(row["label"]), row.get("at") == "equal circuits"
        seen += draw_points(axis, [{**row, key: x}], key, "rmse", styles[name], joined=False, hollow=hollow, gid=name)
    shots_axis(axis, positions, label=label, max_ticks=6)
    log_axis(axis, "y", seen)


def _styles(rows: Sequence[Row]) -> dict[str, LineStyle]:
    """Return a line style for each label."""
    methods = {str(row["label"]): str(row.get("method")) for row in rows}
    markers = np.resize(list(_MARKERS), len(methods)).tolist()
    return {
        label: LineStyle(color=_COLORS.get(method, "#111111"), linestyle="none", marker=marker)
        for (label, method), marker in zip(methods.items(), markers, strict=True)
    }


def _kinds(rows: Sequence[Row]) -> list[Line2D]:
    grey = LineStyle(color="#555555", linestyle="none", marker="o")
    if not any(row.get("at") == "equal circuits" for row in rows):
        return []
    full, hollow = handle(grey, "full: at equal shots"), handle(grey, "hollow: at equal circuits", hollow=True)
    return [full, hollow]
