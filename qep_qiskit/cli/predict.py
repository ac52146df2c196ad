"""``qep predict``: predictions of a trained network for new rows."""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
from rich.console import Console

from qep_qiskit.cli.agreement import agreement
from qep_qiskit.config import Experiment
from qep_qiskit.core.errors import ConfigError, RunFolderError
from qep_qiskit.learning import Evaluation, StepShots, evaluate
from qep_qiskit.learning.target_errors import target_errors
from qep_qiskit.learning.warm_starts import nearest_warm_start
from qep_qiskit.report.tables import prediction_table, value_with_error
from qep_qiskit.runs.questions import answer_to
from qep_qiskit.runs.training import load_matching_state, open_run
from qep_qiskit.tasks import Dataset, Task, decode, read_rows


def run(options: argparse.Namespace) -> int:
    """Measure the outputs for every row and print the predictions."""
    folder, experiment = open_run(options.folder)
    state = load_matching_state(folder, experiment)
    if state is None:
        raise RunFolderError(f"{options.folder}: nothing is trained here yet; use 'qep resume {options.folder}'")
    task = experiment.task
    if not task.train.num_inputs:
        raise ConfigError(f"{options.folder}: this task has no inputs to predict with")
    data = read_rows(options.data, task)
    known = data.num_targets > 0

    def measure(asked: Experiment) -> Evaluation:
        return evaluate(
            StepShots.of(experiment.estimator, state.step_shots),
            asked.executor,
            state.weights,
            data,
            purpose="predict",
            index=0,
            with_cost=known,
            warm_start=nearest_warm_start(state.warm_starts, task.train.inputs, data.inputs),
        )

    question = (state.weights, data.inputs, data.targets)
    found = answer_to(folder, experiment, measure, *question, agree=agreement(yes=options.yes))
    if found.outputs is None:
        raise ConfigError(f"{options.folder}: this network has no outputs to predict with")
    rows, errors = _rows(task, data, found), target_errors("predict", task, data, found) if known else {}
    summary: dict[str, Any] = {
        "accuracy": found.tally.accuracy if known else None,
        "accuracy_standard_error": found.tally.accuracy_error if known else None,
        "loss": found.tally.mean_cost if known else None,
        "loss_standard_error": found.tally.cost_error if known else None,
        **{name.removeprefix("predict_"): value for name, value in errors.items()},
        "shots": found.usage.shots,
        "circuits": found.usage.circuits,
    }
    if options.json:
        print(json.dumps({**summary, "predictions": rows}, indent=1))
        return 0
    console = Console()
    console.print(prediction_table(rows, title=experiment.config.name))
    parts = [f"{found.usage.circuits} circuits", f"{found.usage.shots:,} shots"]
    for name in ("loss", "accuracy"):
        if summary[name] is not None:
            label = "loss of scaled targets" if name == "loss" and task.target_scaling is not None else name
            parts.insert(0, f"{label} {value_with_error(summary[name], summary[f'{name}_standard_error'])}")
    for column in task.target_columns if errors else ():
        value, error = errors[f"predict_rmse_{column}"], errors[f"predict_rmse_{column}_se"]
        assert value is not None
        parts.insert(0, f"rms error of {column} {value_with_error(value, error)}")
    console.print(", ".join(parts), highlight=False)
    return 0


def _rows(task: Task, data: Dataset, found: Evaluation) -> list[dict[str, Any]]:
    """Return one mapping per row: outputs with standard errors, the prediction, and the target if the file has it.

    Outputs of a regression are in the units of its target columns.
    """
    assert found.outputs is not None
    assert found.output_errors is not None
    classes = task.train.classes
    chosen = decode(found.outputs, len(classes)) if classes else None
    rows = []
    answers, standard_errors = task.in_units(found.outputs), task.errors_in_units(found.output_errors)
    for index, (outputs, errors) in enumerate(zip(answers, standard_errors, strict=True)):
        row: dict[str, Any] = {
            "sample": index,
            "outputs": outputs.tolist(),
            "standard_error": [error if np.isfinite(error) else None for error in errors.tolist()],
        }
        if chosen is not None:
            row["prediction"] = classes[chosen[index]]
            if data.labels is not None:
                row["target"] = classes[data.labels[index]]
                row["correct"] = bool(chosen[index] == data.labels[index])
        elif data.num_targets:
            row["target"] = task.in_units(data.targets)[index].tolist()
        rows.append(row)
    return rows
