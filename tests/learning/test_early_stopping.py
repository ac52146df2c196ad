"""Early stopping: which weights are kept, what is measured with them, and the same end after a stop in between."""

import json

import numpy as np
import pytest
from stopping import trained

from qep_qiskit.cli import main
from qep_qiskit.config import from_file
from qep_qiskit.learning import EarlyStopping
from qep_qiskit.runs.folder import RunFolder
from qep_qiskit.runs.training import load_matching_state, open_run

_CONFIG = """
seed = 1
[task]
kind = "moons"
num_samples = 24
[network]
num_spins = 2
[preparation]
kind = "exact"
[measurement]
shots = 30
[update]
learning_rate = 0.5
[training]
epochs = 30
batch_size = 6
[callbacks.early_stopping]
patience = 2
"""
pytestmark = pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.QepWarning")


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "early.toml"
    path.write_text(_CONFIG)
    return path


def lines(folder, event):
    return [record for record in folder.records() if record["event"] == event]


def test_the_run_ends_with_the_best_weights_and_outputs_measured_with_them(config, tmp_path):
    folder = trained(tmp_path / "run", config)
    epochs, (final,) = lines(folder, "epoch"), lines(folder, "final")
    losses = [record["test_loss"] for record in epochs]
    best = int(np.argmin(losses))
    assert 0 < best < len(losses) - 1 < 30
    assert final["epoch"] == len(losses) - 1 == best + 2
    assert final["test_loss"] not in losses  # other shots, which have not chosen the weights
    outputs, task = folder.outputs(), folder.task()
    assert outputs["test"].shape == (task.test.num_samples, 1)
    assert outputs["train"].shape == (task.train.num_samples, 1)
    loss = np.mean((outputs["test"] - task.test.targets) ** 2)  # before the bias by shots is taken out
    assert abs(loss - final["test_loss"]) < 5 * final["test_loss_se"]
    _, experiment = open_run(tmp_path / "run")
    state = load_matching_state(folder, experiment)
    assert state.weights.tolist() == state.notes["early_stopping"]["weights"]
    assert state.notes["early_stopping"]["epoch"] == best


def test_a_trainer_without_a_folder_ends_with_the_same_weights(config, tmp_path):
    folder, trainer = trained(tmp_path / "run", config), from_file(config).trainer()
    assert trainer.run() == "finished"
    _, experiment = open_run(folder.path)
    assert trainer.weights.tolist() == load_matching_state(folder, experiment).weights.tolist()


@pytest.mark.parametrize("stops", [(5,), (2, 9)])
def test_a_run_that_was_stopped_ends_the_same(config, tmp_path, stops):
    whole, parts = trained(tmp_path / "whole", config), trained(tmp_path / "parts", config, *stops)
    found = []
    for folder in (whole, parts):
        _, experiment = open_run(folder.path)
        state = load_matching_state(folder, experiment)
        records = [{key: value for key, value in one.items() if key != "seconds"} for one in folder.records()]
        found.append((state.weights.tolist(), state.notes, records, folder.outputs()["test"].tolist()))
    assert found[0] == found[1]


def test_on_the_command_line_it_is_the_end(config, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("qep_qiskit.runs.report.save_figure", lambda *_: None)
    assert main(["train", str(config), "--out", "run"]) == 0
    folder = RunFolder(tmp_path / "run")
    (final,), summary = lines(folder, "final"), json.loads((folder.path / "summary.json").read_text())
    assert summary["test_loss"] == final["test_loss"]
    assert summary["final_train_loss"] == final["final_train_loss"]
    assert summary["best_weights_epoch"] == final["epoch"] - 2
    assert (folder.path / "outputs.npz").is_file()
    assert main(["resume", "run"]) == 0
    assert "nothing to resume" in capsys.readouterr().out
    assert main(["resume", "run", "--epochs", "40"]) == 2
    assert "a callback has ended this run after epoch" in capsys.readouterr().err


def test_accuracies_grow():
    """The best is the largest accuracy, and the first of equal ones."""
    from types import SimpleNamespace

    ended = []
    state = SimpleNamespace(notes={}, epoch=0, weights=np.zeros(1))
    trainer = SimpleNamespace(state=state, settings=SimpleNamespace(epochs=9), finish=lambda: ended.append(state.epoch))
    stopping = EarlyStopping(patience=2, monitor="test_accuracy")
    for state.epoch, accuracy in enumerate((0.5, 0.7, 0.7, 0.6)):
        state.weights = np.full(1, float(state.epoch))
        stopping.on_epoch(trainer, {"test_accuracy": accuracy})
    assert (stopping.best, stopping.best_epoch, ended, state.weights.tolist()) == (0.7, 1, [3], [1.0])
