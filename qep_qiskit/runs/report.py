"""The report of a run: weights by name, a summary, figures, and a page of all of it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from qep_qiskit.config import Experiment
from qep_qiskit.core.files import write_atomically
from qep_qiskit.learning.state import EpochTally, TrainingState
from qep_qiskit.report.fitted_table import FittedTable
from qep_qiskit.report.learning_curve import learning_curve
from qep_qiskit.report.network_picture import network_picture
from qep_qiskit.report.network_view import network_view
from qep_qiskit.report.run_page import Picture, RunSection, run_page
from qep_qiskit.report.style import save_figure
from qep_qiskit.report.tables import training_summary
from qep_qiskit.runs.answers import answer_figures
from qep_qiskit.runs.folder import RunFolder
from qep_qiskit.runs.overview import RunOverview, diagnostic_rows, overview_of, shown
from qep_qiskit.runs.summary import number_rows, warning_rows, write_numbers
from qep_qiskit.tasks import Task

FIGURES = {
    "learning_curve.png": ("Learning curve", "Bands are one standard error; the upper axis counts shots."),
    "confusion_matrix.png": ("Confusion matrix", "How many samples of each class are taken for each class."),
    "predictions.png": ("Predictions", "After the last epoch, in the units of the data; bars are one standard error."),
    "decision_map.png": ("Decision map", "Classes by exact states over the plane of the inputs, with all samples."),
    "network.png": ("Network", "Weights before and after the training, by colour."),
}
"""Figures of a run by file: title and caption."""


def write_report(folder: RunFolder, experiment: Experiment, state: TrainingState) -> FittedTable:
    """Write weights, summary, figures and page into the folder of a run.

    Returns:
        The summary as a table for the terminal.
    """
    name, network, task = experiment.config.name, experiment.network, experiment.task
    summary = write_numbers(folder, network.layout.names, state, **logistic_baseline(task))
    save_figure(learning_curve(folder.records(), name), folder.path / "learning_curve.png")
    view = network_view(network, state, task.train.input_names)
    rows = [*number_rows(summary), *warning_rows(summary), *_scaled_targets(task)]
    if view is None:
        rows.append(("network.png", "none: the picture shows terms ZZ, X and Z only"))
    else:
        save_figure(network_picture(view, name), folder.path / "network.png")
    for file, figure in answer_figures(folder, experiment, state).items():
        save_figure(figure, folder.path / file)
    write_page(folder)
    return training_summary(rows, title=name)


def write_page(folder: RunFolder) -> None:
    """Write `index.html`, from what is in the folder of a run."""
    page = run_page([page_section(overview_of(folder.path))])
    write_atomically(folder.path / "index.html", page.encode())


def page_section(run: RunOverview) -> RunSection:
    """Return what a page says of a run, with the figures that are in its folder."""
    summary = run.summary
    pictures = [
        Picture(title=title, caption=caption, png=(run.folder.path / name).read_bytes())
        for name, (title, caption) in FIGURES.items()
        if (run.folder.path / name).is_file()
    ]
    return RunSection(
        name=run.name,
        folder=str(run.folder.path),
        status=run.status,
        results=number_rows(summary) if summary else [],
        warnings=[f"{severity}: {text}" for severity, text in warning_rows(summary)] if summary else [],
        pictures=pictures,
        settings=[(key, shown(value)) for key, value in run.settings.items()],
        config=[(key, shown(value)) for key, value in run.config.items()],
        weights=run.weights,
        versions=list(run.versions.items()),
        diagnostics=diagnostic_rows(run),
    )


def _scaled_targets(task: Task) -> list[tuple[str, str]]:
    """Describe the scaling of the targets of a regression; losses are those of scaled targets."""
    scaling = task.target_scaling
    if scaling is None:
        return []
    scaled = task.train.targets
    raw = task.in_units(scaled)
    columns = enumerate(task.target_columns)
    ranges = [
        f"{name} {raw[:, k].min():.4g} to {raw[:, k].max():.4g} as {scaled[:, k].min():.3g} to {scaled[:, k].max():.3g}"
        for k, name in columns
    ]
    return [("targets are scaled", f"{', '.join(ranges)}; losses are of scaled targets")]


def logistic_baseline(task: Task) -> dict[str, Any]:
    """Return the accuracy of logistic regression on the same split, with the scaled inputs that the network gets.

    Returns:
        ``baseline_test_accuracy``, or ``baseline_train_accuracy`` without test samples, with its error over samples
        under the name with ``_se``; empty where nothing is classified or scikit-learn is missing.
    """
    if task.train.labels is None or not task.train.num_inputs or len(np.unique(task.train.labels)) < 2:
        return {}
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(max_iter=1000).fit(task.train.inputs, task.train.labels)
    part, data = ("train", task.train) if task.test is None else ("test", task.test)
    correct = int(np.sum(model.predict(data.inputs) == data.labels))
    tally = EpochTally(samples=data.num_samples, correct=float(correct))
    name = f"baseline_{part}_accuracy"
    return {name: correct / data.num_samples, f"{name}_se": tally.accuracy_error}
