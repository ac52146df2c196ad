"""Figures of the answers of a run, from the outputs that were measured after its last epoch."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from qep_qiskit.config import Experiment
from qep_qiskit.learning import TrainingState
from qep_qiskit.report.answer_figures import confusion_matrix, decision_map, predictions_against_targets
from qep_qiskit.runs.folder import RunFolder
from qep_qiskit.runs.trained import TrainedNetwork
from qep_qiskit.tasks import decode

_MAP_SIDES = {4: 60, 6: 30}  # points along an axis, by the most qubits


def answer_figures(folder: RunFolder, experiment: Experiment, state: TrainingState) -> dict[str, Figure]:
    """Return the figures that make sense for a run, by the name of the file.

    Confusion matrix and predictions are of the test samples, or of the training samples where there are none. The map
    of two inputs is of exact states, which cost no shots; it is left out where they take long.
    """
    name, task, kept = experiment.config.name, experiment.task, folder.outputs()
    part = "test" if task.test is not None and "test" in kept else "train"
    data, outputs = (task.test if part == "test" else task.train), kept.get(part)
    if data is None or outputs is None:
        return {}
    title = f"{name}, {part} samples"
    if data.labels is None:
        if not task.target_columns or outputs.shape != data.targets.shape:
            return {}
        numbers = task.in_units(data.targets), task.in_units(outputs), task.errors_in_units(kept[f"{part}_errors"])
        return {"predictions.png": predictions_against_targets(*numbers, task.target_columns, title)}
    chosen = decode(outputs, len(data.classes))
    found = {"confusion_matrix.png": confusion_matrix(data.labels, chosen, data.classes, title)}
    if data.num_inputs == 2 and 0 < experiment.network.num_qubits <= max(_MAP_SIDES):
        found["decision_map.png"] = _map(TrainedNetwork(experiment, state))
    return found


def _map(trained: TrainedNetwork) -> Figure:
    task, num_qubits = trained.task, trained.experiment.network.num_qubits
    side = next(side for most, side in _MAP_SIDES.items() if num_qubits <= most)
    sets = [task.train] if task.test is None else [task.train, task.test]
    scaled = np.concatenate([data.inputs for data in sets])
    labels = np.concatenate([data.labels for data in sets if data.labels is not None])
    margin = 0.08 * np.ptp(scaled, axis=0)
    low, high = scaled.min(axis=0) - margin, scaled.max(axis=0) + margin
    lines = task.scaling.undo(np.linspace(low, high, side))
    plane = np.stack(np.meshgrid(*lines.T), axis=-1)
    names = list(task.train.classes)
    predicted = trained.predict(plane.reshape(-1, 2), exact=True).labels
    assert predicted is not None
    chosen = np.array([names.index(label) for label in predicted]).reshape(plane.shape[:2])
    points, axes = task.scaling.undo(scaled), (lines[:, 0], lines[:, 1])
    return decision_map(axes, chosen, points, labels, task.train.input_names, names, trained.config.name)
