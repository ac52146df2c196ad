"""The gradient study: error of estimates as a function of shots, nudge, contrast, grouping and allocation of shots.

Every point repeats the estimate that training makes, with independent shots, and compares it with the true gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.budget.problem import CachedStates, GradientProblem, with_known_signals
from qep_qiskit.budget.statistics import mse_pull, point_statistics
from qep_qiskit.core.json_record import JsonRecord
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.core.warning_log import WarningLog, counting_warnings
from qep_qiskit.device.usage import estimated_qpu_seconds
from qep_qiskit.execution import Executor, JobHandle, Request, RequestKey, ShotData
from qep_qiskit.learning import (
    Contrast,
    ErrorModel,
    GradientEstimate,
    GradientEstimator,
    Pilot,
    first_beta,
    measure_pilot,
)
from qep_qiskit.learning.bias_fit import MeasuredContrasts
from qep_qiskit.learning.contrast import joint_phases
from qep_qiskit.learning.gradient_monitor import check_estimate
from qep_qiskit.learning.measurement_plans import Grouping
from qep_qiskit.learning.pilot import is_resolved, measured_contrasts, with_bias_of
from qep_qiskit.learning.shot_schedule import batches_per_group
from qep_qiskit.learning.shots import split
from qep_qiskit.measurement import MeasurementCoroutine, run_measurements
from qep_qiskit.runs.warned_points import quietly, recorded

Signals = Literal["measured", "known"]
Row = dict[str, Any]
Estimate = TypeVar("Estimate")


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One way to estimate a gradient.

    Args:
        contrast: Kind of the contrast.
        beta: Nudge beta, negative for a one-sided contrast with a negative nudge.
        shots: Shots per batch, the mean over groups.
        grouping: Which terms share shots.
        shot_fractions: Shots of every group relative to their mean, or None for equal shots.
        signals: Whether error signals are measured, or known exactly.

    Example:
        >>> qep.Setting(contrast="symmetric", beta=0.1, shots=100).key
        'symmetric 0.1 100 shared equal measured'
    """

    contrast: str
    beta: float
    shots: int
    grouping: Grouping = "shared"
    shot_fractions: tuple[float, ...] | None = None
    signals: Signals = "measured"

    @property
    def key(self) -> str:
        """Unique text of the setting, from which its random numbers follow."""
        split = "equal" if self.shot_fractions is None else "optimal"
        return f"{self.contrast} {self.beta:.6g} {self.shots} {self.grouping} {split} {self.signals}"


@short_repr
@dataclass(slots=True)
class CountingExecutor:
    """Executor that passes requests on and counts their shots, circuits and states.

    Args:
        inner: Executor that runs the requests.
        shots: Shots so far; on a device every shot prepares its state anew.
        circuits: Bound circuits so far.
        states: Prepared states so far.
        jobs: Jobs so far: one for every request, and one more for each part of a group whose shots differ.
    """

    inner: Executor
    shots: int = 0
    circuits: int = 0
    states: int = 0
    jobs: int = 0

    def submit(self, request: Request) -> JobHandle:
        """Count a request and submit it."""
        self.shots += request.num_shots
        self.circuits += request.num_circuits
        self.states += request.prepared.num_states
        self.jobs += 1 + max((measurement.part for measurement in request.measurements), default=0)
        return self.inner.submit(request)

    def collect(self, job_handle: JobHandle) -> ShotData:
        """Return the result of a request."""
        return self.inner.collect(job_handle)

    def record(self, repeats: int) -> Row:
        """Return the mean counts of one of several estimates, with the column names of the study's table.

        Iterative preparations do not make exactly equal requests.
        """
        counts = {"total_shots": self.shots, "circuits": self.circuits, "states": self.states, "jobs": self.jobs}
        each: Row = {name: round(count / repeats) for name, count in counts.items()}
        return each | {"qpu_seconds": estimated_qpu_seconds(each["total_shots"], each["jobs"])}


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudyPilot(JsonRecord):
    """Error model of a contrast from a pilot measurement, shown as a curve through the points of the study.

    Args:
        model: The error model.
        resolved: Whether the bias exceeds the noise of the pilot.
        batches: Shape (groups,), number of batches of one sample's gradient.
        contrasts: Contrasts from which the bias of the model was fitted, or None if unknown.
        scale: max|coefficient| / range of the nudging operator.
        shots: Total shots of the pilot.
    """

    model: ErrorModel
    resolved: bool
    batches: NDArray[np.float64] = field(default_factory=lambda: np.ones(1))
    contrasts: MeasuredContrasts | None = None
    scale: float = 1.0
    shots: int = 0

    def joined(self, more: MeasuredContrasts) -> StudyPilot:
        """Return the pilot with more contrasts of the same kind in the fit of the bias."""
        contrasts = more if self.contrasts is None else self.contrasts.joined(more)
        model = with_bias_of(self.model, contrasts, self.scale)
        return replace(self, model=model, resolved=is_resolved(model), contrasts=contrasts)


def study_pilot(problem: GradientProblem, setting: Setting, *, shots: int, levels: int) -> StudyPilot:
    """Measure a pilot for the contrast, the grouping and the error signals of a setting.

    Args:
        problem: The gradient that is estimated.
        setting: The setting; of its beta only the sign is used.
        shots: Shots per batch of the pilot.
        levels: Number of nudges of the pilot.

    Example:
        >>> run = qep.from_file("configs/xor.toml")
        >>> weights = run.network.layout.initial(qep.Seeds(1))
        >>> problem = qep.GradientProblem.of(run.estimator, run.executor, weights, run.task.train)
        >>> setting = qep.Setting(contrast="symmetric", beta=0.1, shots=100)
        >>> pilot = qep.study_pilot(problem, setting, shots=100, levels=2)
        >>> pilot.model.order, pilot.shots
        (2, 3600)
    """
    problem, estimator = _as_set(problem, setting)
    estimator = replace(estimator, shots=shots)
    work = measure_pilot(
        estimator,
        *problem.given,
        RequestKey(f"pilot {setting.contrast} {setting.grouping} {setting.signals} {np.sign(setting.beta):.0f}", 0),
        beta=first_beta(estimator.hamiltonian, *problem.given, equal_nudges=estimator.equal_nudges),
        levels=levels,
        trainable=problem.trainable,
        in_units_of_signals=True,
    )
    pilot, usage = quietly(lambda: run_measurements(work, problem.executor))
    assert isinstance(pilot, Pilot)
    return StudyPilot(
        model=pilot.model,
        resolved=pilot.resolved,
        batches=batches_per_group(estimator),
        contrasts=pilot.contrasts,
        scale=pilot.scale,
        shots=usage.shots,
    )


def check_contrasts(problem: GradientProblem, setting: Setting) -> tuple[MeasuredContrasts, int]:
    """Measure the contrast of a setting at its own nudge and at half of it, with independent shots.

    Args:
        problem: The gradient that is estimated.
        setting: Contrast, nudge, shots and allocation of shots.

    Returns:
        The two contrasts, that of the setting first, and the total shots.
    """
    problem, estimator = _as_set(problem, setting)
    pair = [estimator.contrast, replace(estimator.contrast, beta=0.5 * setting.beta)]
    betas, fractions = joint_phases(pair)
    work = estimator.phases(
        *(*problem.given, RequestKey(f"check {setting.key}", 0), betas), shot_fractions=fractions, quiet=True
    )
    measured, usage = quietly(lambda: run_measurements(work, problem.executor))
    return measured_contrasts(measured, pair, problem.trainable), usage.shots


def measure_setting(problem: GradientProblem, setting: Setting, repeats: int, pilot: StudyPilot | None = None) -> Row:
    """Repeat an estimate and compare it with the true gradient.

    Args:
        problem: The gradient that is estimated.
        setting: How it is estimated.
        repeats: Number of repeats, each with independent shots.
        pilot: Error model for comparison with the point, or None.

    Returns:
        One row of the study's table.

    Example:
        >>> run = qep.from_file("configs/xor.toml")
        >>> weights = run.network.layout.initial(qep.Seeds(1))
        >>> problem = qep.GradientProblem.of(run.estimator, run.executor, weights, run.task.train)
        >>> row = qep.measure_setting(problem, qep.Setting(contrast="symmetric", beta=0.1, shots=100), repeats=3)
        >>> row["repeats"], row["total_shots"], round(row["rmse"], 3)
        (3, 2000, 1.396)
    """
    known, estimator = _as_set(problem, setting)
    estimator = replace(estimator, preparation=CachedStates(estimator.preparation))
    truth = problem.truth.gradient[problem.trainable]

    def estimate(repeat: int) -> MeasurementCoroutine[GradientEstimate]:
        return estimator.estimate(*known.given, RequestKey(setting.key, repeat))

    with counting_warnings(WarningLog()) as log:
        estimates, row = repeated(estimate, problem, repeats, truth, problem.trainable)
        for found in estimates:
            quietly(partial(check_estimate, found, problem.trainable))
    gradients = np.array([found.gradient for found in estimates])[:, problem.trainable]
    fixed = np.array([found.group_variance.sum(axis=0) for found in estimates])[:, problem.trainable]
    return {
        "method": "per_weight" if setting.grouping == "per_weight" else "qep",
        "contrast": setting.contrast,
        "beta": setting.beta,
        "grouping": setting.grouping,
        "allocation": "equal" if setting.shot_fractions is None else "optimal",
        "signals": setting.signals,
        "shots": setting.shots,
        **row,
        "chi2_without_signals": point_statistics(gradients, truth, fixed).record()["chi2_per_dof"],
        **_theory(setting, pilot, gradients, truth),
        "warned": _warned(log, repeats),
    }


def _warned(log: WarningLog, repeats: int) -> list[list[Any]]:
    """Return kinds, severities and counts of warnings. A single gradient within its noise can be chance.

    Half of all repeats cannot.
    """
    found = [count for count in log.given if count.kind != "NoisyGradientWarning" or 2 * count.times >= repeats]
    return recorded(found)


def _as_set(problem: GradientProblem, setting: Setting) -> tuple[GradientProblem, GradientEstimator]:
    """Return the problem with known error signals if the setting has them, and its estimator with the setting."""
    problem = with_known_signals(problem) if setting.signals == "known" else problem
    return problem, replace(
        problem.estimator,
        contrast=Contrast.named(setting.contrast, setting.beta),
        shots=split(setting.shots, setting.shot_fractions),
        grouping=setting.grouping,
    )


def repeated(
    estimate: Callable[[int], MeasurementCoroutine[Estimate]],
    problem: GradientProblem,
    repeats: int,
    truth: NDArray,
    trainable: NDArray | slice,
) -> tuple[list[Estimate], Row]:
    """Return repeated estimates and the part of their row that all methods have: counts and statistics.

    Warnings of large nudges, which a study uses intentionally, are not shown.

    Args:
        estimate: Returns the measurement of the repeat with a given number.
        problem: The problem, with the executor of the requests.
        repeats: Number of repeats.
        truth: Shape (trained weights,), the true gradient.
        trainable: Which components of the estimates are compared with it.
    """
    counting = CountingExecutor(problem.executor)
    found = quietly(lambda: [run_measurements(estimate(repeat), counting)[0] for repeat in range(repeats)])
    gradients, claimed = (
        np.array([getattr(one, name) for one in found])[:, trainable] for name in ("gradient", "variance")
    )
    statistics = point_statistics(gradients, truth, claimed)
    return found, {"repeats": repeats, **counting.record(repeats), **statistics.record()}


def _theory(setting: Setting, pilot: StudyPilot | None, gradients: NDArray, truth: NDArray) -> Row:
    if pilot is None:
        return dict.fromkeys(("model_rmse", "model_bias", "model_std", "model_pull"))
    shot_fractions = None if setting.shot_fractions is None else np.array(setting.shot_fractions)
    error = pilot.model.error(setting.beta, setting.shots, shot_fractions)
    return {
        "model_rmse": error,
        "model_bias": pilot.model.bias(setting.beta),
        "model_std": float(np.sqrt(pilot.model.variance(setting.beta, setting.shots, shot_fractions))),
        "model_pull": mse_pull(gradients, truth, error**2),
    }
