"""The points of a shot-noise study and the work on each: pilots, settings of a contrast, and other methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from qep_qiskit.budget.baselines import SPSA, BaselineEstimate, FiniteDifferences
from qep_qiskit.budget.gradient_study import (
    Setting,
    StudyPilot,
    check_contrasts,
    measure_setting,
    repeated,
    study_pilot,
)
from qep_qiskit.budget.parameter_shift import AngleGradient, ParameterShift, exact_angle_gradient
from qep_qiskit.budget.problem import CachedStates, GradientProblem
from qep_qiskit.budget.setup import BudgetSetup, problem_of
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey
from qep_qiskit.learning import of_sign
from qep_qiskit.measurement import MeasurementCoroutine, run_measurements
from qep_qiskit.preparation import HamiltonianFamily, WarmStart, prepared
from qep_qiskit.runs.points import Point, Row

_PILOT_LEVELS = 6


def setting_of(contrast: str, beta: float, shots: int, **others: Any) -> Setting:
    """Return a setting from the name of its contrast in the study.

    Args:
        contrast: Name of the contrast, which determines the sign of the nudge.
        beta: Nudge strength, positive.
        shots: Shots per batch.
        **others: More fields of `Setting`.
    """
    kind, sign = of_sign(contrast)
    return Setting(contrast=kind, beta=sign * beta, shots=shots, **others)


def pilot_point(setup: BudgetSetup, setting: Setting, shots: int) -> Point:
    """Return the point of a pilot for a contrast, a grouping and a kind of error signals.

    Args:
        setup: The study.
        setting: The setting; of its beta only the sign is used.
        shots: Shots per batch of the pilot.
    """
    sign = "-" if setting.beta < 0 else "+"
    name = f"pilot {setting.contrast}{sign} {setting.grouping} {setting.signals}"
    return {"key": f"{name} {setup.digest}", "kind": "pilot", "setting": asdict(setting), "shots": shots}


def check_point(setup: BudgetSetup, setting: Setting) -> Point:
    """Return the point that checks a recommendation, at its own nudge and at half of it.

    Args:
        setup: The study.
        setting: The recommended setting.
    """
    return {"key": f"check {setting.key} {setup.digest}", "kind": "check", "setting": asdict(setting)}


def setting_point(setup: BudgetSetup, setting: Setting, repeats: int, pilot: StudyPilot | None, **labels: Any) -> Point:
    """Return the point of one way to measure a contrast.

    Args:
        setup: The study.
        setting: The setting.
        repeats: Number of estimates.
        pilot: Error model for comparison, or None.
        **labels: More columns of its row.
    """
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
    """Return the point of another method, for a comparison at equal shots or circuits.

    Args:
        setup: The study.
        method: The method.
        repeats: Number of estimates.
        total_shots: Shots of one gradient.
        at: What is equal: shots or circuits.
    """
    settings = {name: value for name, value in asdict(method).items() if name != "seeds"}
    return {
        "key": f"{method.description} {total_shots} {at} x {repeats} {setup.digest}",
        "kind": "spsa" if isinstance(method, SPSA) else "finite_differences",
        "setting": settings,
        "repeats": repeats,
        "labels": {"at": at, "budget": total_shots},
    }


def shift_point(setup: BudgetSetup, repeats: int, total_shots: int) -> Point:
    """Return the point of the parameter-shift rule for the angles of the circuit, which is another model.

    Args:
        setup: The study.
        repeats: Number of estimates.
        total_shots: Approximate number of shots of one gradient.
    """
    return {
        "key": f"parameter shift {total_shots} x {repeats} {setup.digest}",
        "kind": "parameter_shift",
        "setting": {"total_shots": total_shots},
        "repeats": repeats,
        "labels": {"at": "equal shots", "budget": total_shots},
    }


def computed(setup: BudgetSetup, reference: str, point: Point) -> Mapping[str, Any]:
    """Compute a point. Called in a worker.

    Args:
        setup: The study.
        reference: ``"exact"`` or ``"prepared"``, the reference for errors.
        point: The point.
    """
    problem = problem_of(setup, reference)
    if point["kind"] == "pilot":
        setting = _setting(point["setting"])
        return study_pilot(problem, setting, shots=point["shots"], levels=_PILOT_LEVELS).record()
    if point["kind"] == "check":
        contrasts, shots = check_contrasts(problem, _setting(point["setting"]))
        return {"contrasts": contrasts.record(), "shots": shots}
    if point["kind"] == "setting":
        pilot = None if point["pilot"] is None else StudyPilot.from_record(point["pilot"])
        row = measure_setting(problem, _setting(point["setting"]), point["repeats"], pilot)
    elif point["kind"] == "parameter_shift":
        row = _parameter_shift(problem, point)
    else:
        row = _baseline(setup, problem, point)
    return {**row, **point["labels"]}


def _setting(fields: Mapping[str, Any]) -> Setting:
    shot_fractions: Sequence[float] | None = fields["shot_fractions"]
    return Setting(**{**fields, "shot_fractions": None if shot_fractions is None else tuple(shot_fractions)})


def _baseline(setup: BudgetSetup, problem: GradientProblem, point: Point) -> Row:
    if point["kind"] == "spsa":
        method: SPSA | FiniteDifferences = SPSA(**point["setting"], seeds=Seeds(setup.config["seed"]))
    else:
        method = FiniteDifferences(**point["setting"])
    kept = replace(problem.estimator, preparation=CachedStates(problem.estimator.preparation))

    def estimate(repeat: int) -> MeasurementCoroutine[BaselineEstimate]:
        return method.estimate(kept, *problem.given, RequestKey(point["key"], repeat))

    truth = problem.truth.gradient[problem.trainable]
    _, row = repeated(estimate, problem, point["repeats"], truth, problem.trainable)
    return {"method": point["kind"], "setting": method.description, **row}


def _parameter_shift(problem: GradientProblem, point: Point) -> Row:
    """Return the row of the parameter-shift rule at the angles of the free states.

    It is compared with the gradient of its own model.
    """
    hamiltonian, preparation = problem.estimator.hamiltonian, problem.estimator.preparation
    free = hamiltonian.free_coefficients(problem.weights, problem.inputs)
    family = HamiltonianFamily.of_free(hamiltonian.groups, free, RequestKey("angles", 0))
    states = run_measurements(prepared(preparation, family, WarmStart()), problem.executor)[0].states.as_circuits()
    program, angles = states.program, states.parameters

    def once(shots: int, repeat: int) -> MeasurementCoroutine[AngleGradient]:
        key = RequestKey(point["key"], repeat)
        return ParameterShift(shots=shots).estimate(hamiltonian, program, angles, problem.targets, key)

    least = run_measurements(once(1, 0), problem.executor)[1].shots
    shots = max(1, round(point["setting"]["total_shots"] / least))
    truth = exact_angle_gradient(hamiltonian, program, angles, problem.targets)
    _, row = repeated(partial(once, shots), problem, point["repeats"], truth, slice(None))
    return {
        "method": "parameter_shift",
        "setting": ParameterShift(shots=shots).description,
        **row,
        "label": "parameter shift",
        "remark": "another model: trains the angles of the circuit",
    }
