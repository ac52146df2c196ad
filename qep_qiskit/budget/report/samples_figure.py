"""Samples against shots: error of the gradient at fixed executions of a step, measured and by the formula."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from matplotlib.figure import Figure

from qep_qiskit.budget.report.drawing import WIDE, draw_points, handle, in_units, panels, shots_axis
from qep_qiskit.budget.report.rows import Row, number
from qep_qiskit.report.log_axis import log_axis
from qep_qiskit.report.style import ramp_styles

_PARTS = (
    ("model_rmse", "formula"),
    ("data_std", "part of the samples"),
    ("shot_std", "part of the shots"),
)


def samples_against_shots(rows: Sequence[Row], *, width: float = WIDE) -> Figure:
    """Draw the error of the gradient against the shots per batch, with the formula and its two parts.

    Args:
        rows: Rows of the study of samples against shots.
        width: Width in inches.
    """
    shown, unit = in_units(sorted(rows, key=lambda row: number(row, "shots")))
    measured, *others = ramp_styles(1 + len(_PARTS))
    with panels(1, width, height=3.6, legend=0.0) as (figure, (axis,), entries):
        seen = draw_points(axis, shown, "shots", "rmse", measured, joined=False, gid="measured")
        entries.append(handle(measured, "measured", line=False))
        for (key, label), style in zip(_PARTS, others, strict=True):
            own = [row for row in shown if number(row, key) > 0]
            style = replace(style, marker="")
            shots, values = ([number(row, name) for row in own] for name in ("shots", key))
            axis.plot(shots, values, **style.drawn(), gid=label)
            entries.append(handle(style, label))
            seen += values
        log_axis(axis, "y", seen)
        axis.set_ylabel(f"error {unit}")
        shots_axis(axis, [number(row, "shots") for row in rows], label="shots per batch, at fixed samples times shots")
    return figure
