"""The training study: its rows, losses without shots that are not counted, and runs that go on."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from cases import XOR_ON_TWO_SPINS

from qep_qiskit.budget.setup import setup_of
from qep_qiskit.budget.study import Study
from qep_qiskit.budget.training import check_training, training_points, training_rows, work_on_run
from qep_qiskit.config import from_file
from qep_qiskit.core.errors import ConfigError, RunFolderError
from qep_qiskit.core.worker_processes import WorkStopped
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.runs.processes import open_pool

CONFIG = (
    "seed = 3\n"
    + XOR_ON_TWO_SPINS
    + """[measurement]
shots = 20
[training]
epochs = 4
batch_size = 2
evaluate_every = 1
[budget.training]
shots = [1, 20]
seeds = 2
adaptive_from = [5]
"""
)

SAMPLED = """
[preparation]
kind = "variational"
energies = "sampled"
optimizer = "spsa"
options = {maxiter = 2, last_avg = 1}
[preparation.ansatz]
kind = "hamiltonian"
depth = 1
[execution]
backend = "statevector"
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "small.toml"
    path.write_text(CONFIG)
    return path


def study_in(folder, config, overrides=()):
    experiment = from_file(config, overrides)
    points = training_points(experiment.config, Path(folder) / "runs")
    setup = setup_of(experiment, experiment.network.layout.initial(experiment.seeds))
    with open_pool(1) as pool:
        rows = training_rows(Study(setup=setup, config=experiment.config.budget, pool=pool), points)
    return experiment, points, rows


@pytest.fixture(scope="module")
def studied(tmp_path_factory, config):
    folder = tmp_path_factory.mktemp("study")
    return folder, *study_in(folder, config)


def test_a_row_for_every_budget_seed_and_epoch(studied):
    _, _, _, rows = studied
    found = [(row["budget"], row["seed"], row["epoch"]) for row in rows]
    budgets = ("1 shot", "20 shots", "adaptive from 5")
    assert found == [(name, seed, epoch) for name in budgets for seed in (3, 4) for epoch in range(5)]
    assert all(row["loss_is_exact"] for row in rows)
    assert len({tuple(row) for row in rows}) == 1


def test_losses_are_those_of_exact_states_at_the_weights(studied, config):
    """The last line of every run belongs to the weights that it ends with."""
    _, experiment, points, rows = studied
    data = experiment.task.train
    for point in points:
        file = Path(point["folder"]) / "weights.json"
        weights = np.array([weight["end"] for weight in json.loads(file.read_text()).values()])
        expected = exact_gradient(experiment.estimator.hamiltonian, weights, data.inputs, data.targets).cost
        last = [row for row in rows if (row["budget"], row["seed"]) == (point["label"], point["seed"])][-1]
        assert last["loss"] == pytest.approx(expected, abs=1e-9)


def test_losses_without_shots_take_none(studied):
    """The count is that of the run alone, which evaluates with shots as any run does."""
    _, _, points, rows = studied
    for point in points:
        lines = [json.loads(line) for line in (Path(point["folder"]) / "metrics.jsonl").read_text().splitlines()]
        own = [row["shots"] for row in rows if (row["budget"], row["seed"]) == (point["label"], point["seed"])]
        assert own == [line["shots"] for line in lines if line["event"] == "epoch"]
        fixed = {"1 shot": 1, "20 shots": 20}.get(point["label"])
        if fixed is not None:
            # Outputs of 2 samples and 5 batches for each of 2 steps with 2 samples.
            gradients = sum(line["shots"] for line in lines if line["event"] == "step" and line["step"] == 1)
            assert gradients > 0
            assert all(shots % fixed == 0 for shots in own)


def test_a_study_that_goes_on_has_the_same_rows(studied, tmp_path, config):
    """A run that is gone is made again, and one that lost its last losses' line to a crash is as it was."""
    folder, _, points, rows = studied
    shutil.copytree(folder / "runs", tmp_path / "runs")
    shutil.rmtree(tmp_path / "runs" / points[1]["key"])
    with (tmp_path / "runs" / points[0]["key"] / "exact_losses.jsonl").open("a") as file:
        file.write('{"epoch": 4, "lo')
    assert study_in(tmp_path, config)[2] == rows


def test_finished_runs_are_not_run_again(studied, tmp_path, config):
    folder, _, _, rows = studied
    shutil.copytree(folder / "runs", tmp_path / "runs")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("checkpoint.npz")}
    assert study_in(tmp_path, config)[2] == rows
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("checkpoint.npz")} == before


def test_stopped_runs_go_on(studied, tmp_path, config, monkeypatch):
    """Stopped in the middle of an epoch, then gone on with: same losses, same shots."""
    _, _, _, rows = studied
    experiment = from_file(config)
    point = training_points(experiment.config, tmp_path / "runs")[0]
    (tmp_path / "runs").mkdir()
    looks = iter([False] * 9 + [True] * 1000)
    monkeypatch.setattr("qep_qiskit.runs.training.stop_wanted", lambda: next(looks))
    with pytest.raises(WorkStopped):
        work_on_run(point)
    monkeypatch.undo()
    assert not (Path(point["folder"]) / "summary.json").exists()
    assert (Path(point["folder"]) / "checkpoint.npz").exists()
    assert study_in(tmp_path, config)[2] == rows


def test_sampled_vqe_has_measured_losses_only(tmp_path):
    path = tmp_path / "sampled.toml"
    path.write_text(CONFIG.replace('[preparation]\nkind = "exact"\n', SAMPLED))
    lean = ["training.epochs=1", "budget.training={shots = [20], seeds = 1, adaptive_from = []}"]
    _, points, rows = study_in(tmp_path, path, lean)
    assert [row["loss_is_exact"] for row in rows] == [False, False]
    assert not (Path(points[0]["folder"]) / "exact_losses.jsonl").exists()
    lines = [json.loads(line) for line in (Path(points[0]["folder"]) / "metrics.jsonl").read_text().splitlines()]
    assert [row["loss"] for row in rows] == [line["train_loss"] for line in lines if line["event"] == "epoch"]


def test_what_cannot_be_trained_is_refused_before_anything_is_written(studied, tmp_path, config):
    exact = from_file(config, ["measurement.shots='exact'"]).config
    with pytest.raises(ConfigError, match="compares numbers of shots"):
        training_points(exact, tmp_path)
    high = from_file(config, ["budget.training.adaptive_from=[20000]"]).config
    with pytest.raises(ConfigError, match="adaptive from 20000"):
        check_training(training_points(high, tmp_path))
    folder = studied[0]
    other = from_file(config, ["update.learning_rate=0.3"]).config
    with pytest.raises(RunFolderError, match="holds a run of other settings"):
        check_training(training_points(other, folder / "runs"))
    check_training(training_points(from_file(config).config, folder / "runs"))
    assert list(tmp_path.iterdir()) == []
