"""Tables of a ramp study: errors by total time and nudge, so that the order of their limits shows, and best times."""

from __future__ import annotations

from collections.abc import Sequence

from qep_qiskit.budget.ramp_summary import RATES
from qep_qiskit.budget.report.cells import TextTable
from qep_qiskit.budget.report.rows import Row, grouped, number, strength

_MISSING = "-"


def ramp_table(rows: Sequence[Row]) -> TextTable:
    """Return the errors of the ramp alone by schedule, step and total time, with a column for every nudge.

    Args:
        rows: Rows of the study without decoherence.
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


def best_times_table(best: Sequence[Row]) -> TextTable:
    """Return the best total times under decoherence with the errors of the gradient there, by schedule and rates.

    Args:
        best: Rows of `best_times`.
    """
    betas = sorted({strength(row) for row in best}, reverse=True)
    cells = []
    for place, own in grouped(best, _place).items():
        texts = {strength(row): _best_text(row) for row in own}
        cells.append((*place, *(texts.get(beta, _MISSING) for beta in betas)))
    return TextTable(
        title="Best total time under decoherence",
        columns=("schedule", "dt", "dephasing", "relaxation", *(f"β = {beta:g}" for beta in betas)),
        rows=tuple(cells),
        note="Total time T with the smallest error of the gradient, and that error in lengths of the gradient. <, >: "
        "at the shortest or longest of the times; the best one may lie beyond. Rates in energy.",
        optional=("dt",),
    )


def _place(row: Row) -> tuple[str, ...]:
    return str(row["ramp"]), *(f"{number(row, name):g}" for name in ("time_step", *RATES))


def _best_text(row: Row) -> str:
    mark = {"shortest": "< ", "longest": "> "}.get(row["at_end"], "")
    return f"{mark}{row['best_time']:.3g}: {row['best_error']:#.2g}"
