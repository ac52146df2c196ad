"""``qep budget --study ramp``: what the total time, the steps and the schedule of a ramp do to gradients."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

from qep_qiskit.budget.ramp_study import ramp_points, ramp_row, ramp_setup
from qep_qiskit.budget.setup import problem_of
from qep_qiskit.cli.source import open_source
from qep_qiskit.cli.study_report import computed_rows, show_study
from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.runs.table import require_table_format, write_table
from qep_qiskit.runs.warned_points import warned_sentences

_METHOD = [
    ("gradient error", "The difference from the gradient of exact eigenstates, over its length; no shots are drawn."),
    (
        "ramp error",
        "The difference from the contrast of exact eigenstates at the same nudge, over the length of the gradient: "
        "what the ramp alone adds.",
    ),
    (
        "window",
        "Total times around T. Excitations of both ends of a ramp interfere, so that errors oscillate with the total "
        "time: points are root mean squares over the window, bars go from the smallest to the largest.",
    ),
    (
        "end curvature",
        "Second derivative of the schedule by t / T at its ends: π²/2 for the cosine, 6 for smoothstep. The linear "
        "ramp has a kink there.",
    ),
    (
        "decoherence",
        "Every qubit loses coherence as exp(-γ t) by dephasing, and decays to 0 as exp(-γ₁ t) by relaxation, in the "
        "time of the ramp; errors are still those from exact eigenstates.",
    ),
    ("infidelity", "Of the free states with the exact eigenstates, the mean over window and samples."),
]


def run(options: argparse.Namespace) -> int:
    """Check the study before anything is written, then compute and report it. Figures are imported only here."""
    if set(options.study) != {"ramp"} or options.over:
        raise ConfigError(
            "--study ramp: goes alone and without --over; total times, steps and schedules are in [budget.ramp]"
        )
    require_table_format(options.format)
    experiment, weights = open_source(options.config, options.overrides, also=["budget"])
    points = ramp_points(experiment.config.budget.ramp)
    setup = ramp_setup(experiment, weights)
    path, rows = computed_rows(options, setup, experiment, points, partial(ramp_row, setup), "points")
    from qep_qiskit.budget.ramp_summary import best_times, has_decoherence, ideal_rows, ramp_sentences
    from qep_qiskit.budget.report.page import write_budget_report
    from qep_qiskit.budget.report.ramp_table import best_times_table, ramp_table

    write_table(path / f"ramp.{options.format}", rows)
    problem = problem_of(setup, "exact")
    size = f"{amount(experiment.network.num_qubits, 'spin')}, {amount(int(problem.trainable.sum()), 'weight')}"
    facts: dict[str, Any] = {
        "name": experiment.config.name,
        "network": f"{size}; errors are relative to the gradient of exact eigenstates, mean over "
        f"{amount(len(problem.inputs), 'training sample')}",
        "sentences": ramp_sentences(rows),
        "warnings": warned_sentences({"ramp": rows}),
    }
    shown = write_budget_report(path, {**facts, "method": _METHOD}, ramp=rows)
    if options.json:
        best = best_times([row for row in rows if has_decoherence(row)])
        for name, table in (("errors", ramp_table(ideal_rows(rows))), ("best_times", best_times_table(best))):
            facts[name] = [list(cells) for cells in (table.columns, *table.rows)]
    return show_study(path, facts, shown, options.json)
