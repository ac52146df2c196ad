"""Training with several budgets: loss and accuracy against the number of shots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from qep_qiskit.budget.report.drawing import WIDE, handle, legend_below, shots_axis
from qep_qiskit.budget.report.rows import Row, number
from qep_qiskit.report.log_axis import log_axis
from qep_qiskit.report.style import LINE_STYLES, LineStyle, figure_style, new_figure, ramp_styles

_WIDE_RANGE = 20.0
_MARKERS = 12
_ADAPTIVE = (
    LINE_STYLES["adaptive"],
    replace(LINE_STYLES["adaptive"], color="#E0659A", linestyle="--", marker="P"),
    replace(LINE_STYLES["adaptive"], color="#6B0022", linestyle="-.", marker="X"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Band:
    """Median and quartiles over seeds at each epoch."""

    shots: NDArray[np.float64]
    low: NDArray[np.float64]
    median: NDArray[np.float64]
    high: NDArray[np.float64]


def training_against_shots(rows: Sequence[Row], *, width: float = WIDE) -> Figure:
    """Draw loss and accuracy against shots, a line for each budget: median over seeds, with quartiles as a band.

    Seeds are combined at equal epochs; the shots are the median there. Epochs before the first shot are not shown.

    Args:
        rows: Rows of the training study.
        width: Width in inches.
    """
    panels = _panels(rows)
    styles = _styles(rows)
    stacked = width < 6.0 and len(panels) > 1
    with figure_style():
        shape = (len(panels), 1) if stacked else (1, len(panels))
        figure = new_figure(width, shape[0] * 2.9 + 0.9)
        axes = list(figure.subplots(*shape, sharex=True, squeeze=False).ravel())
        for axis, (key, label) in zip(axes, panels, strict=True):
            bands = {budget: _band(rows, budget, key) for budget in styles}
            _draw(axis, bands, styles)
            _vertical_axis(axis, key, label, list(bands.values()))
        spent = [number(row, "shots") for row in rows]
        for axis in axes:
            shots_axis(axis, spent, label="shots spent", max_ticks=6)
            axis.label_outer(remove_inner_ticks=False) if stacked else None
        legend_below(figure, [handle(style, budget) for budget, style in styles.items()], width)
    return figure


def _panels(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Return the data of the panels with the labels of their axes: test accuracy if known, else training accuracy."""
    panels = [("loss", "loss (units of the cost)")]
    accuracies = (("test_accuracy", "accuracy on the test set"), ("accuracy", "accuracy on the training set"))
    there = [panel for panel in accuracies if any(math.isfinite(number(row, panel[0])) for row in rows)]
    return panels + there[:1]


def _styles(rows: Sequence[Row]) -> dict[str, LineStyle]:
    """Return line styles: fixed budgets in their order, adaptive ones last and thick."""
    budgets = list(dict.fromkeys(str(row["budget"]) for row in rows))
    fixed = [budget for budget in budgets if not budget.startswith("adaptive")]
    styles = dict(zip(fixed, ramp_styles(len(fixed)), strict=True))
    adaptive = [budget for budget in budgets if budget not in styles]
    return styles | dict(zip(adaptive, cycle(_ADAPTIVE), strict=False))


def _band(rows: Sequence[Row], budget: str, key: str) -> _Band:
    by_epoch: dict[float, list[tuple[float, float]]] = {}
    for row in rows:
        value, shots = number(row, key), number(row, "shots")
        if str(row["budget"]) == budget and math.isfinite(value) and shots > 0:
            by_epoch.setdefault(number(row, "epoch"), []).append((shots, value))
    spent = [np.median([shots for shots, _ in by_epoch[epoch]]) for epoch in sorted(by_epoch)]
    quartiles = [np.percentile([value for _, value in by_epoch[epoch]], (25, 50, 75)) for epoch in sorted(by_epoch)]
    low, median, high = np.array(quartiles, dtype=float).reshape(-1, 3).T
    return _Band(shots=np.array(spent, dtype=float), low=low, median=median, high=high)


def _draw(axis: Axes, bands: dict[str, _Band], styles: dict[str, LineStyle]) -> None:
    axis.grid(True)
    for budget, band in bands.items():
        style = styles[budget]
        front = 4.0 if style.linewidth == LINE_STYLES["adaptive"].linewidth else 3.0
        axis.plot(
            band.shots,
            band.median,
            color=style.color,
            linestyle=style.linestyle,
            linewidth=style.linewidth,
            marker=style.marker,
            markersize=9.0 if style.linewidth == LINE_STYLES["adaptive"].linewidth else 4.5,
            markevery=max(1, len(band.shots) // _MARKERS),
            gid=budget,
            zorder=front,
        )
        shade = axis.fill_between(
            band.shots, band.low, band.high, color=style.color, alpha=0.2, linewidth=0, zorder=front - 2.0
        )
        shade.set_gid(f"{budget} band")


def _vertical_axis(axis: Axes, key: str, label: str, bands: Sequence[_Band]) -> None:
    """Format the vertical axis: losses over a wide range on a logarithmic scale, accuracies up to 1."""
    axis.set_ylabel(label)
    values = np.concatenate([[*band.low, *band.high] for band in bands])
    if not values.size:
        return
    if key == "loss" and values.min() > 0 and values.max() > _WIDE_RANGE * values.min():
        log_axis(axis, "y", values)
    elif key != "loss":
        axis.set_ylim(min(float(values.min()), 0.9) - 0.02, 1.02)
