"""What a ramp study says of its curves: powers of the total time by schedule, step and nudge."""

from __future__ import annotations

from collections.abc import Sequence

from qep_qiskit.budget.size_summary import power_text
from qep_qiskit.report.tables import grouped, number
from qep_qiskit.runs.points import Row


def ramp_sentences(rows: Sequence[Row]) -> list[str]:
    """Return a sentence for every schedule and step, at the smallest nudge.

    Args:
        rows: Rows of the study.
    """
    found = []
    for (ramp, step), own in grouped(rows, lambda row: (str(row["ramp"]), number(row, "time_step"))).items():
        least = min(abs(number(row, "beta")) for row in own)
        curve = sorted((row for row in own if abs(row["beta"]) == least), key=lambda row: number(row, "total_time"))
        if len({number(row, "total_time") for row in curve}) < 2:
            continue
        last = curve[-1]
        powers = [power_text(curve, name, "total_time") for name in ("ramp_error", "infidelity")]
        found.append(
            f"A {ramp} ramp with steps of {step:g}: at beta = {least:g} the error of the ramp goes with the power "
            f"{powers[0]} of the total time, down to {last['ramp_error']:.2g} of the gradient at T = "
            f"{last['total_time']:g}, and the infidelity with the power {powers[1]}."
        )
    return found
