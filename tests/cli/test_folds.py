"""Cross-validation as a user meets it: a run for each fold, and means with standard errors over them."""

import json

import numpy as np
import pytest

from qep_qiskit.cli import sweep
from qep_qiskit.config import from_file
from qep_qiskit.runs.folder import RunFolder
from qep_qiskit.runs.processes import open_pool
from qep_qiskit.runs.trained import load_run

ROWS = "length,colour,kind\n" + "".join(
    f"{length},{'red' if length > 4 else 'blue'},{'long' if length > 5 else 'short'}\n" for length in range(10)
)
CONFIG = """
[task]
kind = "csv"
file = "data.csv"
inputs = "*"
target = "kind"
categorical = ["colour"]
folds = 2
[network]
num_spins = 3
[preparation]
kind = "exact"
[measurement]
shots = 20
[training]
epochs = 2
"""


@pytest.fixture
def folded(here, monkeypatch):
    """A configuration with two folds, trained in this process."""
    (here / "data.csv").write_text(ROWS)
    (here / "data.toml").write_text(CONFIG)
    monkeypatch.setattr(sweep, "open_pool", lambda jobs, scheduler: open_pool(1, None))
    return "data.toml"


def test_a_run_for_each_fold_and_means_over_them(qep, here, folded, records, settings):
    assert qep("train", folded, *settings("task.fold=1"), "--out", "alone").code == 0
    done = qep("train", folded)
    assert done.code == 0, done.err
    folders = [RunFolder.open(here / "runs" / "data" / "runs" / f"fold={fold}") for fold in range(2)]
    assert records(folders[1].path) == records(here / "alone")
    found = [folder.summary()["test_accuracy"] for folder in folders]
    (mean,) = json.loads((here / "runs/data/summary.json").read_bytes())["means"]
    assert mean["runs"] == 2
    assert mean["test_accuracy"] == pytest.approx(np.mean(found))
    assert mean["test_accuracy_se"] == pytest.approx(np.std(found, ddof=1) / np.sqrt(2))
    kept = [folder.checkpoint_path.read_bytes() for folder in folders]
    assert qep("train", folded).out == done.out
    assert [folder.checkpoint_path.read_bytes() for folder in folders] == kept


def test_a_fold_predicts_and_its_folder_is_named(qep, here, folded, refused):
    assert qep("train", folded).code == 0
    (here / "later.csv").write_text("length;colour\n1;blue\n9;red\n")
    predicted = qep("predict", "runs/data/runs/fold=0", "later.csv", "--json")
    assert len(json.loads(predicted.out)["predictions"]) == 2
    trained = load_run("runs/data/runs/fold=0")
    assert not np.allclose(*(trained.hamiltonian(row).coeffs for row in ([1, "blue"], [9, "red"])))
    assert [one["outputs"] for one in json.loads(predicted.out)["predictions"]] == trained.predict(
        [[1, "blue"], [9, "red"]]
    ).outputs.tolist()
    (here / "later.csv").write_text("length;colour\n1;green\n")
    assert "row 2, column 'colour': expected one of the categories 'blue', 'red', got 'green'" in refused(
        "predict", "runs/data/runs/fold=0", "later.csv"
    )
    assert "holds the runs of a sweep or of folds; name one of those in" in refused("resume", "runs/data")


def test_folds_share_no_shots(here, folded):
    """The parts are those of the seed; with equal streams in all folds their shot noise would be correlated."""
    first, second = (from_file(folded, [f"task.fold={fold}"]) for fold in range(2))
    rows = np.vstack([fold.task.scaling.undo(fold.task.test.inputs) for fold in (first, second)])
    assert sorted(rows[:, 0].round(9)) == list(range(10))
    assert first.seeds != second.seeds


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("task.fold=2", "task.fold: expected 0..1 of 2 folds, got 2"),
        ("task.folds=1", "task.folds: expected at least 2"),
        ("task.test_fraction=0.5", "task.test_fraction: goes with rows drawn from the file"),
        ("task.test_file='data.csv'", "task.folds: expected one of test_file and folds, got both"),
        ("execution.backend=ibm_torino", "task.folds: on a device every fold is a run that is started alone"),
    ],
)
def test_folds_that_cannot_be(refused, folded, settings, setting, said):
    assert said in refused("train", folded, *settings(setting))
