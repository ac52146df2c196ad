"""The points of a shot-noise study, and the work on each: pilots, ways to measure a contrast, and other methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from qep_qiskit.budget import SPSA, FiniteDifferences, point_statistics
from qep_qiskit.budget.gradient_study import (
    CountingExecutor,
    Setting,
    StudyPilot,
    measure_setting,
    repeated,
    study_pilot,
)
from qep_qiskit.budget.problem import GradientProblem
from qep_qiskit.execution import RequestKey
from qep_qiskit.seeds import Seeds
from qep_qiskit.studies.budget_setup import BudgetSetup, problem_of
from qep_qiskit.studies.points import Point, Row, Work

__all__ = ["CONTRASTS", "baseline_point", "pilot_point", "setting_of", "setting_point", "work_of"]

CONTRASTS: dict[str, tuple[str, float]] = {
    "one_sided": ("one_sided", 1.0),
    "one_sided_negative": ("one_sided", -1.0),
    "symmetric": ("symmetric", 1.0),
    "four_point": ("four_point", 1.0),
}
"""Kind of contrast and sign of the nudge, by the names that a study uses."""

_PILOT_LEVELS = 6


def setting_of(contrast: str, beta: float, shots: int, **others: Any) -> Setting:
    """A setting by the study's name of its contrast; beta is positive."""
    kind, sign = CONTRASTS[contrast]
    return Setting(contrast=kind, beta=sign * beta, shots=shots, **others)  # type: ignore[arg-type]


def pilot_point(setup: BudgetSetup, setting: Setting, shots: int) -> Point:
    """The pilot of a contrast, a grouping and a kind of signals."""
    sign = "-" if setting.beta < 0 else "+"
    name = f"pilot {setting.contrast}{sign} {setting.grouping} {setting.signals}"
    return {"key": f"{name} {setup.digest}", "kind": "pilot", "setting": asdict(setting), "shots": shots}


def setting_point(setup: BudgetSetup, setting: Setting, repeats: int, pilot: StudyPilot | None, **labels: Any) -> Point:
    """One way to measure a contrast; labels go into its row."""
    return {
        "key": f"{setting.key} x {repeats} {setup.digest}" + "".join(f" {value}" for value in labels.values()),
        "kind": "setting",
        "setting": asdict(setting),
        "repeats": repeats,
        "pilot": None if pilot is None else pilot.record(),
        "labels": labels,
    }


def baseline_point(
    setup: BudgetSetup, method: FiniteDifferences | SPSA, repeats: int, total_shots: int, at: str
) -> Point:
    """Another method, for a comparison at equal shots or circuits."""
    settings = {name: value for name, value in asdict(method).items() if name != "seeds"}
    return {
        "key": f"{method.description} {total_shots} {at} x {repeats} {setup.digest}",
        "kind": "spsa" if isinstance(method, SPSA) else "finite_differences",
        "setting": settings,
        "repeats": repeats,
        "labels": {"at": at, "budget": total_shots},
    }


def work_of(setup: BudgetSetup, reference: str) -> Work:
    """The function that works on points."""
    return partial(_work, setup, reference)


def _work(setup: BudgetSetup, reference: str, point: Point) -> Mapping[str, Any]:
    problem = problem_of(setup, reference)
    if point["kind"] == "pilot":
        setting = _setting(point["setting"])
        return study_pilot(problem, setting, shots=point["shots"], levels=_PILOT_LEVELS).record()
    if point["kind"] == "setting":
        pilot = None if point["pilot"] is None else StudyPilot.from_record(point["pilot"])
        row = measure_setting(problem, _setting(point["setting"]), point["repeats"], pilot)
    else:
        row = _baseline(setup, problem, point)
    return {**row, **point["labels"]}


def _setting(fields: Mapping[str, Any]) -> Setting:
    shares: Sequence[float] | None = fields["shares"]
    return Setting(**{**fields, "shares": None if shares is None else tuple(shares)})


def _baseline(setup: BudgetSetup, problem: GradientProblem, point: Point) -> Row:
    if point["kind"] == "spsa":
        method: SPSA | FiniteDifferences = SPSA(**point["setting"], seeds=Seeds(setup.config["seed"]))
    else:
        method = FiniteDifferences(**point["setting"])
    counting = CountingExecutor(problem.executor)

    def estimate(repeat: int) -> Any:
        key = RequestKey(point["key"], repeat)
        return method.estimate(problem.estimator, problem.weights, problem.inputs, problem.targets, key)

    found = repeated(estimate, counting, point["repeats"])
    gradients = np.array([one.gradient for one in found])[:, problem.trainable]
    claimed = np.array([one.variance for one in found])[:, problem.trainable]
    truth = problem.truth.gradient[problem.trainable]
    return {
        "method": point["kind"],
        "setting": method.description,
        "repeats": point["repeats"],
        **counting.each(point["repeats"]).record(),
        **point_statistics(gradients, truth, claimed).record(),
    }
