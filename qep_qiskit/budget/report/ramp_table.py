"""The table of a ramp study: total times in rows, nudges in columns, so that the order of their limits shows."""

from __future__ import annotations

from collections.abc import Sequence

from qep_qiskit.budget.report.cells import TextTable
from qep_qiskit.budget.report.rows import Row, grouped, number, strength

_MISSING = "-"


def ramp_table(rows: Sequence[Row]) -> TextTable:
    """Return the errors of the ramp alone by schedule, step and total time, with a column for every nudge.

    Args:
        rows: Rows of the study.
    """
    betas = sorted({strength(row) for row in rows}, reverse=True)
    ramps = grouped(rows, lambda row: (str(row["ramp"]), number(row, "time_step"), number(row, "total_time")))
    cells = []
    for (ramp, step, total_time), own in ramps.items():
        errors = {strength(row): f"{row['ramp_error']:#.3g}" for row in own}
        place = (ramp, f"{step:g}", f"{total_time:g}", str(own[0]["steps"]), f"{own[0]['infidelity']:.2g}")
        cells.append((*place, *(errors.get(beta, _MISSING) for beta in betas)))
    return TextTable(
        title="Error of the ramp by total time and nudge",
        columns=("schedule", "dt", "T", "steps", "infidelity", *(f"β = {beta:g}" for beta in betas)),
        rows=tuple(cells),
        note="Difference from the contrast of exact states at the same nudge, in lengths of the gradient: root mean "
        "square over a window of total times. infidelity: of the free states, the mean over window and samples.",
        optional=("steps",),
    )
