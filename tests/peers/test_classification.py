"""The comparison of classifiers with published results, on sets made here."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2]))

from benchmarks.peers import classification, support_vectors
from benchmarks.peers.public_sets import FAMILIES, PublicSet, Published, find_sets, published
from benchmarks.peers.spin_classifiers import GRIDS, ROWS, Point, classifier
from benchmarks.peers.stopping import FlatLoss
from benchmarks.peers.stored import read_results
from qep_qiskit.core.errors import DataError

NAME = "two_curves-10d-3degree"
HEAD = "benchmark,dataset,model,seeds,test_accuracy_mean,test_accuracy_std,train_accuracy_mean\n"


@pytest.fixture
def data(tmp_path, rng):
    """One set that an angle separates, with two published results, one of them given twice."""
    folder = tmp_path / "data" / "two_curves_diff"
    folder.mkdir(parents=True)
    for part, rows in (("train", 40), ("test", 20)):
        X = rng.normal(size=(rows, 2))
        np.savetxt(folder / f"{NAME}_{part}.csv", np.column_stack([X, np.sign(X[:, 0] + 0.5 * X[:, 1])]), delimiter=",")
    line = f"two_curves_diff,{NAME},SVC,5,0.90000,0.01000,0.95\n"
    other = f"two_curves,{NAME},IQPVariationalClassifier,5,0.60000,0.00000,0.7\n"
    (tmp_path / "data" / "public_results.csv").write_text(
        HEAD + line + line + other.replace("two_curves,", "two_curves_diff,")
    )
    return tmp_path / "data"


def test_a_part_of_the_table_goes_on_where_it_was_and_stands_beside_the_published_results(data, tmp_path, capsys):
    words = ["--data", str(data), "--rows", "exact", "--grid", "none", "--seeds", "2", "--epochs", "3"]
    words += ["--out", str(tmp_path / "out")]
    assert classification.main([*words, "--minutes", "0"]) == 1
    assert "nothing is complete" in capsys.readouterr().err
    assert classification.main(words) == 0
    trainings = (tmp_path / "out" / "trainings.jsonl").read_text()
    assert [json.loads(line)["key"][:3] for line in trainings.splitlines()] == [["two_curves_diff", NAME, "exact"]] * 2
    assert classification.main([*words, "--minutes", "0"]) == 0  # all is known
    assert (tmp_path / "out" / "trainings.jsonl").read_text() == trainings
    stored = read_results(tmp_path / "out" / "classification_means.csv")
    assert stored.made["part"].startswith("1 of 1 data sets, 2 of 5 seeds, 1 of 27 points of the grid, no cross-valid")
    assert "DIR" in stored.made["command"]
    by_model = {row["model"]: row for row in stored.rows}
    ours = by_model["QEP, exact states"]
    assert (by_model["SVC"]["two_curves_diff"], by_model["SVC"]["sets"]) == ("0.900", "1")
    assert float(by_model["SVC"]["exact above it"]) == pytest.approx(float(ours["all"]) - 0.9, abs=1e-3)
    assert ours["exact above it"] == ""
    assert (tmp_path / "out" / "classification.png").stat().st_size > 10_000


def test_bad_data_is_one_line(data, tmp_path, capsys):
    assert classification.main(["--data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    (data / "two_curves_diff" / f"{NAME}_train.csv").write_text("a,b\n")
    (one,) = find_sets(data, [], [3])
    with pytest.raises(DataError, match="expected rows of numbers"):
        one.rows(one.train)
    assert len(published(data / "public_results.csv")) == 2


def test_published_results_are_read_from_the_repository_too(tmp_path):
    folder = tmp_path / "hyperplanes_diff" / "SVC"
    folder.mkdir(parents=True)
    name = "hyperplanes-10d-from3d-5n"
    (folder / f"SVC_{name}_GridSearchCV-best-hyperparams-results.csv").write_text(
        ",train_acc,test_acc\n0,1,0.8\n1,1,0.9\n"
    )
    (one,) = published(tmp_path)
    assert (one.name, one.model, one.seeds) == (name, "SVC", 2)
    assert (one.mean, one.std) == pytest.approx((0.85, 0.05))


def test_published_results_of_other_files_are_not_compared_with():
    runs = [{"test": 0.7, "train": 0.8, "epochs": 60, "shots": 0, "seconds": 1.0}]
    found, others = [], []
    for degree in (10, 18):
        one = PublicSet(family="two_curves_diff", name=f"two_curves-10d-{degree}degree", size=degree, train="", test="")
        found.append(classification.result(one, ROWS["warm"], Point(8, 0.03, 0.3), runs))
        others.append(
            Published(family=one.family, name=one.name, model="SVC", kind="classical", mean=1.0, std=0.0, seeds=5)
        )
    assert {line["spins"] for line in found} == {5}  # what the row affords, not what the grid says
    lines = classification.beside(found, others)
    assert [line["size"] for line in lines] == [10]
    assert [line["sets"] for line in classification.means([*found, *lines])] == [1, 1]


def test_differences_are_of_the_sets_of_both_with_the_error_of_their_scatter():
    scores = {("f", "a"): 0.9, ("f", "b"): 0.8, ("f", "c"): 0.1}
    assert classification._above(scores, {("f", "a"): 0.8, ("f", "b"): 0.8, ("f", "d"): 0.5}) == "+0.050 ± 0.050"
    assert classification._above(scores, scores) == ""


@pytest.mark.deep
def test_a_set_is_of_other_files_where_no_support_vector_machine_reaches_the_published_score(data, tmp_path):
    """On the same rows the published score is one of the grid; of random answers no point knows 20 of 20."""
    table = tmp_path / "data" / "public_results.csv"
    same = support_vectors.others(tmp_path / "data", table, tmp_path / "none.csv")
    assert same == []
    path = data / "two_curves_diff" / f"{NAME}_test.csv"
    rows = np.loadtxt(path, delimiter=",")
    rows[:10, -1] *= -1
    np.savetxt(path, rows, delimiter=",")
    (other,) = support_vectors.others(tmp_path / "data", table, tmp_path / "none.csv")
    assert float(other["SVC, published"]) == 0.9 > float(other["best point of its grid"])


@pytest.mark.deep
@pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.NudgeBeyondGapWarning")  # as the command does
@pytest.mark.parametrize("name", ROWS)
def test_every_row_trains(name):
    X = np.random.default_rng(0).normal(size=(8, 2))
    model = classifier(ROWS[name], Point(5, 0.03, 1.0), 0, epochs=1).fit(X, np.where(X[:, 0] > 0, 1, -1))
    names = model.network_.layout.names
    assert any(name.startswith("V[") for name in names) == ROWS[name].coupled
    assert any(name.startswith("h[") for name in names) == (name != "no_fields")
    assert (model.trained_.state.shots > 0) == (name in ("shots", "adaptive"))


def test_the_point_is_the_best_of_the_folds_and_the_grid_has_27():
    class Known(classification.Trainings):
        def score(self, one, name, point, seed, fold=None):
            best_scale = 3.0 if name == "no_fields" else 0.3
            return {"test": {0.01: 0.8, 0.03: 0.9, 0.1: 0.9}[point.rate] + 0.01 * (point.scale == best_scale)}

    known = Known.__new__(Known)
    assert known.best(None, "exact", GRIDS["full"]) == Point(8, 0.03, 0.3)
    assert known.best(None, "shots", GRIDS["full"]) == Point(8, 0.03, 0.3)
    assert known.best(None, "no_fields", GRIDS["full"]) == Point(8, 0.03, 3.0)
    assert len(GRIDS["full"]) == 27


def test_folds_that_cannot_change_the_choice_are_not_trained():
    rng, grid = np.random.default_rng(0), GRIDS["full"]

    class Known(classification.Trainings):
        def score(self, one, name, point, seed, fold=None):
            asked.append((point, fold))
            return {"test": right[grid.index(point), fold] / 48}

    for _ in range(200):
        asked, right = [], rng.integers(40, 49, size=(27, 5))
        best = Known.__new__(Known).best(None, "exact", grid)
        assert best == grid[int(np.argmax(right.sum(1)))]  # the first of several
        assert len(set(asked)) == len(asked) < 27 * 5


def test_a_flat_loss_ends_a_training_and_a_falling_one_does_not():
    class Trainer:
        def __init__(self):
            self.state, self.ended = type("State", (), {"notes": {}}), False

        def finish(self):
            self.ended = True

    flat, falling = Trainer(), Trainer()
    rule = FlatLoss(steps=20)
    for step in range(40):
        assert not flat.ended
        rule.on_step(flat, {"loss": 1.0 + 0.1 * (-1) ** step})
        rule.on_step(falling, {"loss": 1.0 - 0.01 * step + 0.1 * (-1) ** step})
    assert flat.ended
    assert not falling.ended


@pytest.mark.slow
@pytest.mark.skipif("QEP_PUBLIC_SETS" not in os.environ, reason="QEP_PUBLIC_SETS: the folder of the public data sets")
def test_a_part_of_the_public_table_in_minutes(tmp_path):
    """One set of each family, untuned: not below the mean of the published variational circuits by more than chance."""
    data = os.environ["QEP_PUBLIC_SETS"]
    words = ["--data", data, "--features", "10", "--rows", "exact", "--grid", "none", "--seeds", "1"]
    assert classification.main([*words, "--out", str(tmp_path)]) == 0
    rows = {row["model"]: row for row in read_results(tmp_path / "classification_means.csv").rows}
    assert int(rows["QEP, exact states"]["sets"]) == len(FAMILIES)
    other = rows["DataReuploadingClassifier"]
    assert float(other["exact above it"].split()[0]) > 0.0
