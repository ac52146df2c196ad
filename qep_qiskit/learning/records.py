"""Values of a run's metrics by name, as plain data for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.warning_log import WarningLog
from qep_qiskit.learning.evaluation import Evaluation, target_errors
from qep_qiskit.learning.gradient_estimate import GradientEstimate
from qep_qiskit.learning.pilot import Pilot
from qep_qiskit.learning.shot_schedule import StepShots
from qep_qiskit.learning.state import EpochTally, TrainingState
from qep_qiskit.tasks import Task

Record = Mapping[str, object]
"""Numbers of one step or epoch by name, as callbacks receive them.

Example:
    >>> record: qep.Record = {"epoch": 1, "train_loss": 0.5}
    >>> record["train_loss"]
    0.5
"""
Outcome = Literal["finished", "stopped", "broken"]
"""How a run ended, as `Callback.on_end` receives it.

Example:
    >>> class Note(qep.Callback):
    ...     def on_end(self, trainer, outcome):
    ...         print(f"the run is {outcome}")
    ...
    >>> Note().on_end(None, "finished")
    the run is finished
"""


def json_number(value: object) -> object:
    """Return the value, or None for NaN and infinity, which JSON cannot hold."""
    return None if isinstance(value, float) and not np.isfinite(value) else value


def stamped(state: TrainingState, event: str, values: Mapping[str, object]) -> Record:
    """Return a record with the counters of the run; only `seconds` differs when a run is repeated.

    Args:
        state: State of the run.
        event: ``"step"``, ``"epoch"``, ``"pilot"`` or ``"final"``.
        values: Values of the event by name.
    """
    return {
        "event": event,
        "step": state.step,
        "epoch": state.epoch,
        **{name: json_number(value) for name, value in values.items()},
        "shots": state.shots,
        "circuits": state.circuits,
        "seconds": round(state.seconds, 3),
    }


def epoch_values(
    task: Task, tally: EpochTally, evaluations: Mapping[str, Evaluation | None]
) -> dict[str, float | None]:
    """Return loss and accuracy of an epoch, and the errors of a regression in the units of its targets.

    Args:
        task: Training and test samples.
        tally: Sums over the training samples, measured during the steps of the epoch.
        evaluations: Evaluations after the steps, or None: of the test samples under ``"test"``, and of the training
            samples under any other name, which becomes the prefix of their values.
    """
    return _tally_values("train", tally) | _tally_values("test", None) | evaluation_values(task, evaluations)


def evaluation_values(task: Task, evaluations: Mapping[str, Evaluation | None]) -> dict[str, float | None]:
    """Return loss and accuracy of evaluations, and the errors of a regression in the units of its targets.

    Args:
        task: Training and test samples.
        evaluations: See `epoch_values`.
    """
    values: dict[str, float | None] = {}
    for part, found in evaluations.items():
        data = task.test if part == "test" else task.train
        if found is not None and data is not None:
            values |= _tally_values(part, found.tally) | target_errors(part, task, data, found)
    return values


def _tally_values(part: str, tally: EpochTally | None) -> dict[str, float | None]:
    """Loss and accuracy of some samples; None where not measured."""
    losses = {f"{part}_loss": "mean_cost", f"{part}_loss_se": "cost_error"}
    accuracies = {f"{part}_accuracy": "accuracy", f"{part}_accuracy_se": "accuracy_error"}
    return {name: None if tally is None else getattr(tally, own) for name, own in (losses | accuracies).items()}


def step_values(
    estimate: GradientEstimate, trainable: NDArray, step_shots: StepShots | None, warnings: WarningLog
) -> dict[str, object]:
    """Return loss, gradient norm and diagnostics of a step, with nudge and shots where they change during the run.

    Args:
        estimate: Gradient of the step.
        trainable: Mask of the trainable weights, shape (weights,).
        step_shots: Nudge and shots of the step, or None where they never change.
        warnings: Warnings of the step.
    """
    affected = warnings.affected()
    return {
        "loss": estimate.cost.mean,
        "loss_se": estimate.cost.standard_error,
        "gradient_norm": float(np.linalg.norm(estimate.gradient[trainable])),
        "gradient_noise": float(np.sqrt(np.maximum(estimate.variance[trainable], 0.0).sum())),
        **({} if step_shots is None else _spent(step_shots)),
        **estimate.diagnostics.record(),
        **({} if estimate.equilibrium is None else estimate.equilibrium.record()),
        **({"approximate": True} if estimate.approximate else {}),
        **({"loss_approximate": True} if estimate.cost.approximate else {}),
        **({"warnings": affected} if affected else {}),
    }


def pilot_values(step_shots: StepShots, pilot: Pilot) -> dict[str, object]:
    """Return the nudge and shots chosen by a pilot, and its expected error."""
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
