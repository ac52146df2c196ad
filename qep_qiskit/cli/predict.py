"""``qep predict``: predictions of a trained network for new rows."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from qep_qiskit.cli.agreement import agreement
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.learning import Evaluation
from qep_qiskit.report.tables import prediction_table
from qep_qiskit.runs.score import score_of
from qep_qiskit.runs.table import require_table_format, write_table
from qep_qiskit.runs.trained import load_run
from qep_qiskit.tasks import Dataset, Task, decode, read_rows

_COLUMNS = ("sample", "prediction", "target", "correct")


def run(options: argparse.Namespace) -> int:
    """Measure the outputs for every row, and print the predictions or write them to a file."""
    trained = load_run(options.folder, options.overrides)
    task = trained.task
    if not task.train.num_inputs:
        raise ConfigError(f"{options.folder}: this task has no inputs to predict with")
    data = read_rows(options.data, task)
    out = None if options.out is None else _writable(Path(options.out), Path(options.data))
    known = data.num_targets > 0
    found = trained.measured(data, "predict", with_cost=known, agree=agreement(yes=options.yes))
    if found.outputs is None:
        raise ConfigError(f"{options.folder}: this network has no outputs to predict with")
    rows, names = _rows(task, data, found), task.output_names(found.outputs.shape[1])
    score = score_of(task, data, found, with_cost=known)
    if out is not None:
        write_table(out, [_flat(row, names, task.target_columns) for row in rows])
    if options.json:
        print(json.dumps({**score.record(), "output_names": names, "predictions": rows}, indent=1))
        return 0
    console = Console()
    if out is None:
        console.print(prediction_table(rows, title=trained.config.name, names=names))
    parts = score.rows(has_scaled_targets=task.target_scaling is not None)
    counts = [f"{value} {name}" for name, value in parts[-2:]]
    console.print(", ".join([*(f"{name} {value}" for name, value in parts[:-2]), *counts]), highlight=False)
    if out is not None:
        print(f"wrote {out}")
    return 0


def _writable(path: Path, data: Path) -> Path:
    """Return the path of a table that can be written, before anything is measured."""
    require_table_format(path.suffix.removeprefix("."))
    if path.resolve() == data.resolve():
        raise ConfigError(f"--out {path}: is the file of the rows; give another one")
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"--out {path}: there is no such folder")
    return path


def _flat(row: Mapping[str, Any], names: Sequence[str], target_columns: Sequence[str]) -> dict[str, Any]:
    """Return a row with one cell for each output, its error and each target."""
    heads = [f"output {name}" if name in _COLUMNS else name for name in names]
    flat: dict[str, Any] = {"sample": row["sample"], **dict(zip(heads, row["outputs"], strict=True))}
    flat |= {f"{head} standard error": error for head, error in zip(heads, row["standard_error"], strict=True)}
    if isinstance(row.get("target"), list):
        return flat | {f"target {name}": value for name, value in zip(target_columns, row["target"], strict=True)}
    return flat | {name: row[name] for name in _COLUMNS[1:] if name in row}


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
