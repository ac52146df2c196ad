"""What an adiabatic ramp costs: its errors, the master curve of smooth schedules, the best time under decoherence."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qep_qiskit.budget.ramp_summary import RATES, best_times, has_decoherence, rates_text
from qep_qiskit.budget.report.drawing import WIDE, draw_points, handle, is_narrow, panels
from qep_qiskit.budget.report.rows import Row, grouped, interval, number, strength
from qep_qiskit.report.log_axis import log_axis
from qep_qiskit.report.style import LINE_STYLES, LineStyle, ramp_styles

_TIME: Final = "total time T (1/energy)"
_ERROR: Final = "gradient error / |gradient|"
_PANELS: Final = (
    ("total_time", "error", _TIME, _ERROR),
    ("curvature_over_time", "ramp_error", "end curvature / T (energy)", "ramp error / |gradient|"),
    ("total_time", "infidelity", _TIME, "infidelity"),
)


def error_of_the_ramp(rows: Sequence[Row], *, width: float = WIDE) -> Figure:
    """Draw the error of the gradient, that of the ramp alone and the infidelity.

    Args:
        rows: Rows of a ramp study.
        width: Width in inches.
    """
    curves = grouped(rows, _curve_name(rows))
    styles = _styles(curves)
    shown = [panel for panel in _PANELS if any(math.isfinite(number(row, panel[0])) for row in rows)]
    columns = 1 if is_narrow(width) else len(shown)
    with panels(len(shown), width, height=2.6, columns=columns) as (figure, axes, entries):
        for axis, (x, key, x_label, y_label) in zip(axes, shown, strict=True):
            drawn = [_draw(axis, own, x, key, styles[name], f"{name} {key} by {x}") for name, own in curves.items()]
            seen = [row for own in drawn for row in own]
            log_axis(axis, "x", [number(row, x) for row in seen], widen=1.2)
            log_axis(axis, "y", [number(row, key) for row in seen])
            axis.set(xlabel=x_label, ylabel=y_label)
        entries += [handle(style, name) for name, style in styles.items()]
    return figure


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
    styles = _styles(grouped(rows, rates_text))
    schedules = grouped(rows, lambda row: str(row["ramp"]))
    with panels(len(schedules), width, height=2.9, share="xy") as (figure, axes, entries):
        seen = [_draw_rates(axis, own, styles) for axis, own in zip(axes, schedules.values(), strict=True)]
        for axis, ramp in zip(axes, schedules, strict=True):
            axis.set_title(f"{ramp}, β = {beta:g}", loc="left")
            axis.set_xlabel(_TIME)
            log_axis(axis, "x", [number(row, "total_time") for row in rows], widen=1.2)
            log_axis(axis, "y", [value for values in seen for value in values])
        axes[0].set_ylabel(_ERROR)
        entries += [handle(style, name) for name, style in styles.items()]
        entries.append(handle(LINE_STYLES["final"], "best total time", line=False))
    return figure


def _styles(curves: Mapping[str, object]) -> dict[str, LineStyle]:
    return dict(zip(curves, ramp_styles(max(2, len(curves))), strict=False))


def _curve_name(rows: Sequence[Row]) -> Callable[[Row], str]:
    """Return what names the curve of a row by schedule, step and nudge; only what differs is named."""
    steps, betas = {number(row, "time_step") for row in rows}, {strength(row) for row in rows}

    def name(row: Row) -> str:
        parts = [str(row["ramp"])]
        parts += [f"dt = {number(row, 'time_step'):g}"] * (len(steps) > 1)
        parts += [f"β = {strength(row):g}"] * (len(betas) > 1)
        return ", ".join(parts)

    return name


def _draw(axis: Axes, rows: Sequence[Row], x: str, key: str, style: LineStyle, gid: str) -> list[Row]:
    """Draw a curve and return its rows: those with positive values."""
    shown = [row for row in rows if math.isfinite(number(row, x)) and number(row, key) > 0]
    shown.sort(key=lambda row: number(row, x))
    draw_points(axis, shown, x, key, style, gid=gid)
    return shown


def _draw_rates(axis: Axes, rows: Sequence[Row], styles: Mapping[str, LineStyle]) -> list[float]:
    """Draw the curves of a schedule and their best times, and return the errors with the ends of their bars."""
    shown = [
        row
        for name, own in grouped(rows, rates_text).items()
        for row in _draw(axis, own, "total_time", "error", styles[name], f"{name} error")
    ]
    for best in best_times([row for row in rows if has_decoherence(row)]):
        if not best["at_end"] and math.isfinite(best["best_error"]):
            place, star = ([best["best_time"]], [best["best_error"]]), LINE_STYLES["final"].drawn(joined=False)
            axis.plot(*place, **star, markersize=9.0, zorder=4.0, gid=f"{rates_text(best)} best")
    return [end for row in shown for end in interval(row, "error") if end > 0]
