"""``qep evaluate``: loss, accuracy and errors of a trained network on its test samples, or on the rows of a file."""

from __future__ import annotations

import argparse
import json

from rich.console import Console

from qep_qiskit.cli.agreement import agreement
from qep_qiskit.core.errors import DataError
from qep_qiskit.report.tables import training_summary
from qep_qiskit.runs.score import score_of
from qep_qiskit.runs.trained import TrainedNetwork, load_run
from qep_qiskit.tasks import Dataset, read_rows

_OWN = {"test": "test samples of the run", "train": "training samples of the run, which has none for tests"}


def run(options: argparse.Namespace) -> int:
    """Measure loss, accuracy and errors, and print them."""
    trained = load_run(options.folder, options.overrides)
    name, data = trained.own_samples if options.data is None else (options.data, _rows(options.data, trained))
    score = score_of(trained.task, data, trained.measured(data, "evaluate", agree=agreement(yes=options.yes)))
    if options.json:
        print(json.dumps({"samples_of": name, "samples": score.samples, **score.record()}, indent=1))
        return 0
    rows = [("samples", f"{score.samples:,}, {_OWN.get(name, f'rows of {name}')}")]
    rows += score.rows(has_scaled_targets=trained.task.target_scaling is not None)
    Console().print(training_summary(rows, title=trained.config.name))
    return 0


def _rows(path: str, trained: TrainedNetwork) -> Dataset:
    data, task = read_rows(path, trained.task), trained.task
    if not data.num_targets and task.train.num_targets:
        wanted = task.label_column or ", ".join(task.target_columns)
        raise DataError(
            f"{path}: the column {wanted} is missing, which the outputs are compared with; use 'qep predict'"
        )
    return data
