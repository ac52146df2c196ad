"""How QEP scales with the number of spins: length and reach of the gradient, shots, gap and best nudge."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from qep_qiskit.budget.report.drawing import WIDE, draw_points, handle, is_narrow, panels
from qep_qiskit.budget.report.rows import Row, levels, number
from qep_qiskit.report.log_axis import log_axis, short_count
from qep_qiskit.report.style import MITIGATION_STYLES, LineStyle, ramp_styles

_MOST_TICKS: Final = 8
_UNRESOLVED: Final = LineStyle(color="#777777", linestyle="none", marker="o")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Panel:
    """What one panel shows.

    Args:
        key: Column of the vertical position.
        label: Its name.
        x: Column of the horizontal position, the number of spins or a distance.
        counts: Whether the values are counts.
    """

    key: str
    label: str
    x: str = "spins"
    counts: bool = False


_ANSWER: Final = (
    _Panel(key="gradient", label="length of the gradient"),
    _Panel(key="rms_gradient", label="gradient of a weight", x="distance"),
    _Panel(key="total_shots", label="shots of a gradient", counts=True),
)
_CAUSES: Final = (_Panel(key="gap", label="gap (energy)"), _Panel(key="beta", label="best β (energy units)"))


def gradient_against_size(rows: Sequence[Row], *, width: float = WIDE) -> Figure:
    """Draw length of the gradient and shots against the number of spins, and the gradient of weights by distance.

    Gradients that may be the error of truncated states, or of states that are not converged, are hollow and not joined.

    Args:
        rows: Means over networks by size, and those of the largest networks by distance.
        width: Width in inches.
    """
    return _drawn(rows, _ANSWER, width)


def gap_and_best_nudge(rows: Sequence[Row], *, width: float = WIDE) -> Figure:
    """Draw the gap of the free Hamiltonian and the best nudge against the number of spins.

    Args:
        rows: Means over networks by size.
        width: Width in inches.
    """
    return _drawn(rows, [panel for panel in _CAUSES if has_values(rows, panel.key)], width)


def has_values(rows: Sequence[Row], key: str) -> bool:
    """Return whether any row has a positive number under a key."""
    return any(number(row, key) > 0 for row in rows)


def _drawn(rows: Sequence[Row], quantities: Sequence[_Panel], width: float) -> Figure:
    """Draw a row of panels for every quantity, with a column for every value of the last key."""
    columns = list(dict.fromkeys(str(row["column"]) for row in rows))
    curves = list(dict.fromkeys(str(row["curve"]) for row in rows))
    given = MITIGATION_STYLES if len(curves) <= len(MITIGATION_STYLES) else ramp_styles(len(curves))
    styles = dict(zip(curves, given, strict=False))
    across = 1 if is_narrow(width) else len(quantities) if len(columns) == 1 else len(columns)
    count = len(quantities) * len(columns)
    with panels(count, width, height=2.35, columns=across, legend=0.7) as (figure, axes, entries):
        for place, panel in enumerate(quantities):
            own = axes[place * len(columns) :][: len(columns)]
            seen: list[float] = []
            for axis, column in zip(own, columns, strict=True):
                seen += _draw(axis, [row for row in rows if row["column"] == column], panel, styles)
            for axis, column in zip(own, columns, strict=True):
                _name(axis, panel, column)
                log_axis(axis, "y", seen)
                if panel.counts:
                    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short_count(value)))
                _horizontal_axis(axis, panel, rows)
        entries += [handle(style, name) for name, style in styles.items()] if len(styles) > 1 else []
        if any(row.get("unresolved") and number(row, panel.key) > 0 for row in rows for panel in quantities):
            entries.append(handle(_UNRESOLVED, "states too inexact", line=False, hollow=True))
    return figure


def _name(axis: Axes, panel: _Panel, column: str) -> None:
    """Write the column above the first panel of it, and the quantity beside the first of a row."""
    spec = axis.get_subplotspec()
    assert spec is not None
    if spec.is_first_row() or spec.get_gridspec().ncols == 1:
        axis.set_title(column, loc="left")
    if spec.is_first_col() or not column:
        axis.set_ylabel(panel.label)


def _draw(axis: Axes, rows: Sequence[Row], panel: _Panel, styles: dict[str, LineStyle]) -> list[float]:
    """Draw the curves of one panel; the interval of a single network is unknown."""
    seen: list[float] = []
    for name, style in styles.items():
        own = [row for row in rows if row["curve"] == name and number(row, panel.key) > 0 and _belongs(row, panel)]
        own = sorted(own, key=lambda row: number(row, panel.x))
        trusted = [row for row in own if not row.get("unresolved")]
        doubtful = [row for row in own if row.get("unresolved")]
        gid = f"{name} {panel.key}"
        seen += draw_points(axis, trusted, panel.x, panel.key, style, gid=gid)
        seen += draw_points(
            axis, doubtful, panel.x, panel.key, style, joined=False, hollow=True, gid=f"{gid} unresolved"
        )
    return [value for value in seen if math.isfinite(value)]


def _belongs(row: Row, panel: _Panel) -> bool:
    return row.get("from") == ("outputs" if panel.x == "distance" else None)


def _horizontal_axis(axis: Axes, panel: _Panel, rows: Sequence[Row]) -> None:
    if panel.x == "distance":
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.set_xlabel("couplings between weight and output")
        return
    sizes = levels([row for row in rows if row.get("from") is None], "spins", most=_MOST_TICKS)
    log_axis(axis, "x", sizes, widen=1.2)
    axis.set_xticks(sizes, [f"{size:g}" for size in sizes])
    axis.set_xticks([], minor=True)
    axis.set_xlabel("spins")
