"""What an adiabatic ramp costs: error of the gradient, master curve of smooth schedules, infidelity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qep_qiskit.budget.report.drawing import WIDE, draw_points, handle, legend_below
from qep_qiskit.budget.report.rows import Row, grouped, number, strength
from qep_qiskit.report.log_axis import log_axis
from qep_qiskit.report.style import LineStyle, figure_style, new_figure, ramp_styles

_HEIGHT: Final = 2.6
_STACKED_BELOW: Final = 6.0
_PANELS: Final = (
    ("total_time", "error", "total time T (1/energy)", "gradient error / |gradient|"),
    ("curvature_over_time", "ramp_error", "end curvature / T (energy)", "ramp error / |gradient|"),
    ("total_time", "infidelity", "total time T (1/energy)", "infidelity"),
)


def error_of_the_ramp(rows: Sequence[Row], *, width: float = WIDE) -> Figure:
    """Draw the error of the gradient, that of the ramp alone and the infidelity.

    Args:
        rows: Rows of a ramp study.
        width: Width in inches.
    """
    curves = _curves(rows)
    styles = dict(zip(curves, ramp_styles(max(2, len(curves))), strict=False))
    panels = [panel for panel in _PANELS if any(math.isfinite(number(row, panel[0])) for row in rows)]
    across = 1 if width < _STACKED_BELOW else len(panels)
    with figure_style():
        down = math.ceil(len(panels) / across)
        figure = new_figure(width, down * _HEIGHT + 0.9)
        axes = list(figure.subplots(down, across, squeeze=False).ravel())
        for axis, (x, key, x_label, y_label) in zip(axes, panels, strict=True):
            axis.grid(True)
            _draw(axis, curves, x, key, styles)
            axis.set_xlabel(x_label)
            axis.set_ylabel(y_label)
        legend_below(figure, [handle(style, name) for name, style in styles.items()], width)
    return figure


def _curves(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return the rows by schedule, step and nudge; only what differs is named."""
    steps, betas = {number(row, "time_step") for row in rows}, {strength(row) for row in rows}

    def name(row: Row) -> str:
        parts = [str(row["ramp"])]
        parts += [f"dt = {number(row, 'time_step'):g}"] * (len(steps) > 1)
        parts += [f"β = {strength(row):g}"] * (len(betas) > 1)
        return ", ".join(parts)

    return grouped(rows, name)


def _draw(axis: Axes, curves: dict[str, list[Row]], x: str, key: str, styles: dict[str, LineStyle]) -> None:
    places: list[float] = []
    seen: list[float] = []
    for name, own in curves.items():
        shown = [row for row in own if math.isfinite(number(row, x)) and number(row, key) > 0]
        shown.sort(key=lambda row: number(row, x))
        draw_points(axis, shown, x, key, styles[name], gid=f"{name} {key} by {x}")
        places += [number(row, x) for row in shown]
        seen += [number(row, key) for row in shown]
    log_axis(axis, "x", places, widen=1.2)
    log_axis(axis, "y", seen)
