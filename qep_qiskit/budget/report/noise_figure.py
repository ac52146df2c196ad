"""Effect of device noise on a gradient: the lowest error that shots can reach, and the bias against beta."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qep_qiskit.budget.report.drawing import (
    WIDE,
    beta_label,
    draw_bias,
    draw_points,
    handle,
    in_units,
    is_narrow,
    is_resolved,
    panels,
    shots_axis,
)
from qep_qiskit.budget.report.rows import Row, best_rows, by_contrast, levels, number, strength
from qep_qiskit.core.amounts import noun_of
from qep_qiskit.report.log_axis import log_axis, short_count
from qep_qiskit.report.style import LINE_STYLES, MITIGATION_STYLES, LineStyle, ramp_styles

_FLAT = 1.5


def error_on_a_noisy_device(rows: Sequence[Row], *, width: float = WIDE) -> Figure:
    """Draw the RMSE at the best beta against shots, and the bias at the most shots against beta, for each contrast.

    A dotted line is the error limit of a noisy execution, which more shots do not reduce: the smallest bias at the
    largest number of shots, where it no longer decreases with beta.

    Args:
        rows: Points of one cut (`main_cut`) in one or several executions.
        width: Width in inches.
    """
    rows, unit = in_units(rows)
    contrasts, styles = by_contrast(rows), _styles(rows)
    columns = 1 if is_narrow(width) else 2
    with panels(2 * len(contrasts), width, height=2.5, columns=columns, share="y") as (figure, axes, entries):
        seen: list[float] = []
        for left, right, (name, own) in zip(axes[::2], axes[1::2], contrasts.items(), strict=True):
            for execution, style in styles.items():
                executed = [row for row in own if row.get("execution") == execution]
                seen += _draw(left, right, executed, execution, style)
            most = levels(rows, "shots")[-1]
            left.set_title(f"{name}, best β", loc="left")
            left.set_ylabel(f"RMSE {unit}")
            right.set_title(f"{name}, {short_count(most)} {noun_of(most, 'shot')} a batch", loc="left")
            right.set_ylabel(f"bias {unit}")
        _finish(axes, rows, seen)
        entries += [handle(style, execution) for execution, style in styles.items()]
        if any(str(line.get_gid()).endswith("floor") for axis in axes for line in axis.lines):
            entries.append(handle(LINE_STYLES["guide"], "floor"))
    return figure


def _draw(left: Axes, right: Axes, own: Sequence[Row], execution: str, style: LineStyle) -> list[float]:
    """Draw RMSE against shots in the left panel, bias against beta in the right one, and the error limit in both."""
    best = best_rows(own)
    if not best:
        return []
    seen = draw_points(left, best, "total_shots", "rmse", style, gid=execution)
    last = sorted((row for row in own if number(row, "shots") == levels(own, "shots")[-1]), key=strength)
    seen += draw_bias(right, last, style, gid=f"{execution} bias")
    floor = _floor(last)
    if floor is not None and execution != "ideal":
        for axis in (left, right):
            dots = LINE_STYLES["guide"].linestyle
            axis.axhline(floor, color=style.color, linestyle=dots, linewidth=1.3, zorder=1.0, gid=f"{execution} floor")
    return seen


def _floor(rows: Sequence[Row]) -> float | None:
    """Return the smallest significant bias, if the bias no longer decreases there with beta."""
    resolved = [number(row, "bias") for row in rows if is_resolved(row)]
    return min(resolved) if len(resolved) > 1 and resolved[0] > resolved[1] / _FLAT else None


def _finish(axes: Sequence[Axes], rows: Sequence[Row], seen: Sequence[float]) -> None:
    for place, axis in enumerate(axes):
        axis.tick_params(labelleft=True)
        log_axis(axis, "y", seen)
        if place % 2 == 0:
            shots_axis(axis, levels(rows, "total_shots"), label="shots of one gradient, all counted")
        else:
            log_axis(axis, "x", [strength(row) for row in rows])
            axis.set_xlabel(beta_label(axis))


def _styles(rows: Sequence[Row]) -> dict[str, LineStyle]:
    """Return line styles of the executions: ideal, noisy, and each mitigation."""
    names = list(dict.fromkeys(str(row.get("execution")) for row in rows))
    noisy = [name for name in names if name != "ideal"]
    given = MITIGATION_STYLES if len(noisy) <= len(MITIGATION_STYLES) else ramp_styles(len(noisy))
    styles = dict(zip(noisy, given, strict=False))
    return {name: LINE_STYLES["ideal"] if name == "ideal" else styles[name] for name in names}
