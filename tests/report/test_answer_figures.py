"""Figures of answers show the numbers they are given."""

import json

import numpy as np
import pytest

import qep_qiskit as qep
from qep_qiskit.report.answer_figures import confusion_matrix, decision_map, predictions_against_targets
from qep_qiskit.runs.answers import answer_figures
from qep_qiskit.runs.report import write_report
from qep_qiskit.runs.training import load_matching_state, start_run, trainer_in
from qep_qiskit.tasks import decode


def test_a_confusion_matrix_counts_pairs():
    axis = confusion_matrix(np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 2, 2, 0]), ["a", "b", "c"], "run").axes[0]
    np.testing.assert_array_equal(axis.images[0].get_array(), [[1, 1, 0], [0, 1, 0], [1, 0, 2]])
    assert [text.get_text() for text in axis.texts] == list("110010102")
    assert (axis.get_ylabel(), axis.get_xlabel()) == ("class", "predicted")


def test_predictions_lie_over_their_targets_with_errors():
    targets, outputs = np.array([[0.0, 1.0], [1.0, 3.0]]), np.array([[0.1, 1.5], [0.8, 2.5]])
    figure = predictions_against_targets(targets, outputs, np.full((2, 2), 0.2), ["u", "v"], "run")
    for index, axis in enumerate(figure.axes):
        points = next(line for line in axis.lines if line.get_gid() == "predictions")
        np.testing.assert_array_equal(points.get_xydata(), np.stack([targets[:, index], outputs[:, index]], axis=1))
        bar = axis.collections[0].get_segments()[0]
        np.testing.assert_allclose(bar[:, 1], outputs[0, index] + np.array([-0.2, 0.2]))


def test_a_map_colours_the_plane_and_shows_every_sample():
    chosen = np.array([[0, 1, 1], [0, 0, 1]])
    points, labels = np.array([[0.0, 0.0], [2.0, 1.0], [1.0, 1.0]]), np.array([0, 1, 0])
    axes = np.arange(3.0), np.arange(2.0)
    axis = decision_map(axes, chosen, points, labels, ["u", "v"], ["<no>", "yes"], "run").axes[0]
    drawn = {one.get_gid(): one for one in axis.collections}
    np.testing.assert_array_equal(drawn["map"].get_array().reshape(2, 3), chosen)
    np.testing.assert_array_equal(drawn["<no>"].get_offsets(), points[[0, 2]])


@pytest.fixture
def trained(tmp_path):
    """A finished run of two inputs and its state."""
    keys = ["task.num_samples=40", "training.epochs=2", "measurement.shots=2000", "contrast.beta=0.1"]
    experiment = qep.from_file("configs/moons.toml", keys)
    folder = start_run(tmp_path / "run", experiment)
    with folder.locked():
        trainer = trainer_in(folder, experiment, None)
        trainer.run()
    return folder, experiment, load_matching_state(folder, experiment)


def test_kept_outputs_are_those_of_the_last_numbers(trained):
    folder, experiment, _ = trained
    kept, last = folder.outputs(), folder.records()[-1]
    for part, key, data in (("train", "final_train_accuracy", "train"), ("test", "test_accuracy", "test")):
        known = getattr(experiment.task, data)
        assert np.mean(decode(kept[part], 2) == known.labels) == pytest.approx(last[key])
        assert kept[f"{part}_errors"].shape == kept[part].shape


@pytest.mark.deep
def test_a_run_has_the_figures_that_make_sense(trained, monkeypatch):
    monkeypatch.setattr("qep_qiskit.runs.report.answer_figures", answer_figures)  # the command line's tests draw none
    folder, experiment, state = trained
    write_report(folder, experiment, state)
    assert {path.name for path in folder.path.glob("*.png")} == {
        "confusion_matrix.png",
        "decision_map.png",
        "learning_curve.png",
        "network.png",
    }
    counts = answer_figures(folder, experiment, state)["confusion_matrix.png"].axes[0].images[0].get_array()
    accuracy = json.loads((folder.path / "summary.json").read_text())["test_accuracy"]
    assert np.trace(counts) / counts.sum() == pytest.approx(accuracy)
