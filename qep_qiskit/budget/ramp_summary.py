"""What a ramp study says of its curves: powers of the total time without decoherence, the best total time with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.budget.size_summary import power_text
from qep_qiskit.report.tables import grouped, number

Row = Mapping[str, Any]

RATES = ("dephasing_rate", "relaxation_rate")


def has_decoherence(row: Row) -> bool:
    """Return whether qubits lose coherence during the ramp of a row."""
    return any(number(row, name) > 0 for name in RATES)


def ideal_rows(rows: Sequence[Row]) -> list[Row]:
    """Return the rows without decoherence."""
    return [row for row in rows if not has_decoherence(row)]


def rates_text(row: Row) -> str:
    """Return the rates of a row in words."""
    words = {"dephasing_rate": "dephasing", "relaxation_rate": "relaxation"}
    named = [f"{word} {number(row, name):g}" for name, word in words.items() if number(row, name) > 0]
    return " and ".join(named) or "no decoherence"


def best_times(rows: Sequence[Row]) -> list[Row]:
    """Return the best total time for every schedule, step, rate and nudge of which two total times are known.

    The error of the gradient falls with T by the ramp and grows with it by decoherence. The best T is the vertex of the
    parabola through the logarithms of the smallest error and of its neighbours; at an end of the times it is that time.

    Args:
        rows: Rows of the study.

    Returns:
        Rows with the columns of a curve, ``best_time``, ``best_error``, and ``at_end``: ``"shortest"`` or
        ``"longest"`` where the best of the times is the first or last one, else an empty text.
    """
    names = ("ramp", "time_step", *RATES, "beta")
    found: list[Row] = []
    for curve, own in grouped(rows, lambda row: tuple(row.get(name) for name in names)).items():
        own = sorted(own, key=lambda row: number(row, "total_time"))
        if len(own) < 2:
            continue
        times, errors = (np.array([number(row, name) for row in own]) for name in ("total_time", "error"))
        least = int(errors.argmin())
        at_end = {0: "shortest", len(own) - 1: "longest"}.get(least, "")
        time, error = (times[least], errors[least]) if at_end else _vertex(times, errors, least)
        place = dict(zip(names, curve, strict=True))
        found.append({**place, "best_time": float(time), "best_error": float(error), "at_end": at_end})
    return found


def _vertex(times: NDArray, errors: NDArray, least: int) -> tuple[float, float]:
    """Return time and error at the vertex of the parabola through the logarithms of three points."""
    near = slice(least - 1, least + 2)
    middle = np.log(times[least])
    bend, slope, height = np.polyfit(np.log(times[near]) - middle, np.log(errors[near]), 2)
    if not bend > 0:
        return float(times[least]), float(errors[least])
    return float(np.exp(middle - slope / (2 * bend))), float(np.exp(height - slope**2 / (4 * bend)))


def ramp_sentences(rows: Sequence[Row]) -> list[str]:
    """Return sentences for every schedule and step at the smallest nudge: powers of the time, then best times.

    Args:
        rows: Rows of the study.
    """
    return [*_power_sentences(ideal_rows(rows)), *_best_sentences([row for row in rows if has_decoherence(row)])]


def _smallest_nudge(rows: Sequence[Row]) -> list[Row]:
    least = min(abs(number(row, "beta")) for row in rows)
    return [row for row in rows if abs(row["beta"]) == least]


def _power_sentences(rows: Sequence[Row]) -> list[str]:
    found = []
    for (ramp, step), own in grouped(rows, lambda row: (str(row["ramp"]), number(row, "time_step"))).items():
        curve = sorted(_smallest_nudge(own), key=lambda row: number(row, "total_time"))
        if len({number(row, "total_time") for row in curve}) < 2:
            continue
        last = curve[-1]
        powers = [power_text(curve, name, "total_time") for name in ("ramp_error", "infidelity")]
        found.append(
            f"A {ramp} ramp with steps of {step:g}: at beta = {abs(last['beta']):g} the error of the ramp goes with "
            f"the power {powers[0]} of the total time, down to {last['ramp_error']:.2g} of the gradient at T = "
            f"{last['total_time']:g}, and the infidelity with the power {powers[1]}."
        )
    return found


def _best_sentences(rows: Sequence[Row]) -> list[str]:
    found = []
    for own in grouped(
        best_times(rows), lambda row: (row["ramp"], row["time_step"], *(row[r] for r in RATES))
    ).values():
        best = _smallest_nudge(own)[0]
        time, error = f"T = {best['best_time']:.3g}", f"{best['best_error']:.2g} of the gradient"
        where = {
            "": f"at {time}: {error}",
            "shortest": f"at the shortest total time, {time}: {error}; shorter ones may be better",
            "longest": f"at the longest total time, {time}: {error}; longer ones may be better",
        }[best["at_end"]]
        found.append(
            f"A {best['ramp']} ramp with steps of {best['time_step']:g} and {rates_text(best)}: at beta = "
            f"{abs(best['beta']):g} the error of the gradient is least {where}."
        )
    return found
