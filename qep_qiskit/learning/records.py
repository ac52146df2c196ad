"""What the lines of a run's metrics hold: plain values by name, ready to be written as JSON."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.warning_log import WarningLog
from qep_qiskit.learning.evaluation import Evaluation
from qep_qiskit.learning.gradient_estimate import GradientEstimate
from qep_qiskit.learning.pilot import Pilot
from qep_qiskit.learning.shot_schedule import StepShots
from qep_qiskit.learning.state import EpochTally
from qep_qiskit.learning.target_errors import target_errors
from qep_qiskit.tasks import Task

Record = Mapping[str, object]


def json_number(value: object) -> object:
    """NaN and infinities have no place in JSON: they become null."""
    return None if isinstance(value, float) and not np.isfinite(value) else value


def epoch_values(
    task: Task, tally: EpochTally, evaluations: Mapping[str, Evaluation | None]
) -> dict[str, float | None]:
    """Loss and accuracy of an epoch, and errors of a regression in its units.

    Args:
        task: The samples.
        tally: Of the training samples, as the steps of the epoch saw them.
        evaluations: What was measured after the steps, or None: of the test samples under ``"test"``, else of the
            training samples.
    """
    values = _tally_values("train", tally) | _tally_values("test", None)
    for part, found in evaluations.items():
        data = task.test if part == "test" else task.train
        if found is not None and data is not None:
            values |= _tally_values(part, found.tally) | target_errors(part, task, data, found)
    return values


def _tally_values(part: str, tally: EpochTally | None) -> dict[str, float | None]:
    """Loss and accuracy on some samples; null where they were not measured."""
    return {
        f"{part}_loss": None if tally is None else tally.mean_cost,
        f"{part}_loss_se": None if tally is None else tally.cost_error,
        f"{part}_accuracy": None if tally is None else tally.accuracy,
        f"{part}_accuracy_se": None if tally is None else tally.accuracy_error,
    }


def step_values(
    estimate: GradientEstimate, trainable: NDArray, step_shots: StepShots | None, warnings: WarningLog
) -> dict[str, object]:
    """Loss and gradient of a step, what it spent where that changes on the way, and when to trust it.

    Args:
        estimate: The gradient.
        trainable: Shape (weights,).
        step_shots: What the step spent, where that changes.
        warnings: Those that it gave.
    """
    affected = warnings.affected()
    return {
        "loss": estimate.cost.mean,
        "loss_se": estimate.cost.standard_error,
        "gradient_norm": float(np.linalg.norm(estimate.gradient[trainable])),
        "gradient_noise": float(np.sqrt(np.maximum(estimate.variance[trainable], 0.0).sum())),
        **({} if step_shots is None else _spent(step_shots)),
        **estimate.diagnostics.record(),
        **({"approximate": True} if estimate.approximate else {}),
        **({"loss_approximate": True} if estimate.cost.approximate else {}),
        **({"warnings": affected} if affected else {}),
    }


def pilot_values(step_shots: StepShots, pilot: Pilot) -> dict[str, object]:
    """What a pilot found and what follows from it."""
    model, shots = pilot.model, step_shots.shots
    shot_fractions = None if step_shots.shot_fractions is None else np.array(step_shots.shot_fractions)
    return {
        **_spent(step_shots),
        "resolved": pilot.resolved,
        "expected_error": None if shots is None else model.error(step_shots.beta, shots, shot_fractions),
        "gradient_norm": float(np.sqrt(model.gradient_squared)),
        "weyl_beta": pilot.measured.diagnostics.weyl_beta,
    }


def _spent(step_shots: StepShots) -> dict[str, object]:
    return {"beta": step_shots.beta, "shots_per_batch": step_shots.shots, "shot_fractions": step_shots.shot_fractions}
