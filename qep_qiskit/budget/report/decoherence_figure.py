"""The best total time of a ramp under decoherence: the error of the gradient against T for every rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qep_qiskit.budget.ramp_summary import RATES, best_times, has_decoherence, rates_text
from qep_qiskit.budget.report.drawing import WIDE, draw_points, handle, legend_below, panel_grid
from qep_qiskit.budget.report.rows import Row, grouped, number, strength
from qep_qiskit.report.log_axis import log_axis
from qep_qiskit.report.style import LINE_STYLES, LineStyle, figure_style, ramp_styles

_HEIGHT: Final = 2.9


def best_time_of_the_ramp(rows: Sequence[Row], *, width: float = WIDE) -> Figure:
    """Draw the error of the gradient against the total time, a panel a schedule and a curve for every pair of rates.

    Curves are those of the smallest nudge and the smallest Trotter step; a star marks the best time under decoherence.

    Args:
        rows: Rows of a ramp study, with and without decoherence.
        width: Width in inches.
    """
    beta, step = min(map(strength, rows)), min(number(row, "time_step") for row in rows)
    rows = [row for row in rows if strength(row) == beta and number(row, "time_step") == step]
    rows = sorted(rows, key=lambda row: [number(row, name) for name in RATES])
    names = list(dict.fromkeys(map(rates_text, rows)))
    styles = dict(zip(names, ramp_styles(max(2, len(names))), strict=False))
    panels = grouped(rows, lambda row: str(row["ramp"]))
    with figure_style():
        figure, axes = panel_grid(len(panels), width, height=_HEIGHT)
        seen = [_draw(axis, own, styles) for axis, own in zip(axes, panels.values(), strict=True)]
        for axis, ramp in zip(axes, panels, strict=True):
            axis.set_title(f"{ramp}, β = {beta:g}", loc="left")
            axis.set_xlabel("total time T (1/energy)")
            log_axis(axis, "x", [number(row, "total_time") for row in rows], widen=1.2)
            log_axis(axis, "y", [value for values in seen for value in values])
        axes[0].set_ylabel("gradient error / |gradient|")
        entries = [handle(style, name) for name, style in styles.items()]
        legend_below(figure, [*entries, handle(LINE_STYLES["final"], "best total time", line=False)], width)
    return figure


def _draw(axis: Axes, rows: Sequence[Row], styles: dict[str, LineStyle]) -> list[float]:
    """Draw the curves of a schedule and their best times, and return the errors."""
    seen = []
    for name, own in grouped(rows, rates_text).items():
        curve = sorted(own, key=lambda row: number(row, "total_time"))
        seen += draw_points(axis, curve, "total_time", "error", styles[name], gid=f"{name} error")
    for best in best_times([row for row in rows if has_decoherence(row)]):
        if not best["at_end"] and math.isfinite(best["best_error"]):
            axis.plot(
                [best["best_time"]],
                [best["best_error"]],
                **LINE_STYLES["final"].drawn(joined=False),
                markersize=9.0,
                zorder=4.0,
                gid=f"{rates_text(best)} best",
            )
    return [value for value in seen if value > 0]
