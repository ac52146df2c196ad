"""Training with several budgets: loss and accuracy against the number of shots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from qep_qiskit.budget.report.drawing import WIDE, handle, is_narrow, panels, shots_axis
from qep_qiskit.budget.report.rows import Row, grouped, number
from qep_qiskit.report.log_axis import log_axis
from qep_qiskit.report.style import LINE_STYLES, LineStyle, ramp_styles

_WIDE_RANGE = 20.0
_MARKERS = 12
_QUARTILES = 25, 50, 75
_ADAPTIVE = (
    LINE_STYLES["adaptive"],
    replace(LINE_STYLES["adaptive"], color="#E0659A", linestyle="--", marker="P"),
    replace(LINE_STYLES["adaptive"], color="#6B0022", linestyle="-.", marker="X"),
)


def training_against_shots(rows: Sequence[Row], *, width: float = WIDE) -> Figure:
    """Draw loss and accuracy against shots, a line for each budget: median over seeds, with quartiles as a band.

    Seeds are combined at equal epochs; the shots are the median there. Epochs before the first shot are not shown.

    Args:
        rows: Rows of the training study.
        width: Width in inches.
    """
    quantities, styles = _quantities(rows), _styles(rows)
    columns = 1 if is_narrow(width) else len(quantities)
    with panels(len(quantities), width, height=2.9, columns=columns, share="x") as (figure, axes, entries):
        for axis, (key, label) in zip(axes, quantities, strict=True):
            bands = {budget: _band(rows, budget, key) for budget in styles}
            _draw(axis, bands, styles)
            _vertical_axis(axis, key, label, np.concatenate([band[:, 1:].ravel() for band in bands.values()]))
        spent = [number(row, "shots") for row in rows]
        for axis in axes:
            shots_axis(axis, spent, label="shots spent", max_ticks=6)
            if columns < len(axes):
                axis.label_outer(remove_inner_ticks=False)
        entries += [handle(style, budget) for budget, style in styles.items()]
    return figure


def _quantities(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Return the data of the panels with the labels of their axes: test accuracy if known, else training accuracy."""
    found = [("loss", "loss (units of the cost)")]
    accuracies = (("test_accuracy", "accuracy on the test set"), ("accuracy", "accuracy on the training set"))
    there = [panel for panel in accuracies if any(math.isfinite(number(row, panel[0])) for row in rows)]
    return found + there[:1]


def _styles(rows: Sequence[Row]) -> dict[str, LineStyle]:
    """Return line styles: fixed budgets in their order, adaptive ones last and thick."""
    budgets = list(dict.fromkeys(str(row["budget"]) for row in rows))
    fixed = [budget for budget in budgets if not budget.startswith("adaptive")]
    styles = dict(zip(fixed, ramp_styles(len(fixed)), strict=True))
    adaptive = [budget for budget in budgets if budget not in styles]
    return styles | dict(zip(adaptive, cycle(_ADAPTIVE), strict=False))


def _band(rows: Sequence[Row], budget: str, key: str) -> NDArray[np.float64]:
    """Return median shots, and median and quartiles over seeds of a value, shape (epochs, 4)."""
    known = (row for row in rows if math.isfinite(number(row, key)) and number(row, "shots") > 0)
    epochs = grouped((row for row in known if str(row["budget"]) == budget), lambda row: number(row, "epoch"))
    table = [
        [
            np.median([number(row, "shots") for row in own]),
            *np.percentile([number(row, key) for row in own], _QUARTILES),
        ]
        for _, own in sorted(epochs.items())
    ]
    return np.array(table, dtype=float).reshape(-1, 4)


def _draw(axis: Axes, bands: dict[str, NDArray[np.float64]], styles: dict[str, LineStyle]) -> None:
    for budget, band in bands.items():
        style, (shots, low, median, high) = styles[budget], band.T
        adaptive = style.linewidth == LINE_STYLES["adaptive"].linewidth
        front = 4.0 if adaptive else 3.0
        axis.plot(
            shots,
            median,
            **style.drawn(),
            markersize=9.0 if adaptive else 4.5,
            markevery=max(1, len(shots) // _MARKERS),
            gid=budget,
            zorder=front,
        )
        shade = axis.fill_between(shots, low, high, color=style.color, alpha=0.2, linewidth=0, zorder=front - 2.0)
        shade.set_gid(f"{budget} band")


def _vertical_axis(axis: Axes, key: str, label: str, values: NDArray[np.float64]) -> None:
    """Format the vertical axis: losses over a wide range on a logarithmic scale, accuracies up to 1."""
    axis.set_ylabel(label)
    if not values.size:
        return
    if key == "loss" and values.min() > 0 and values.max() > _WIDE_RANGE * values.min():
        log_axis(axis, "y", values)
    elif key != "loss":
        axis.set_ylim(min(float(values.min()), 0.9) - 0.02, 1.02)
