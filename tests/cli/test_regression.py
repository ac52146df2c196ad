"""Regression on targets that no output reaches: trained on scaled ones, answered in units of the table."""

import json

import numpy as np
import pytest

_CONFIG = """
name = "regression"
seed = 2
[task]
kind = "csv"
file = "table.csv"
inputs = ["a", "b"]
targets = ["y"]
[network]
num_spins = 3
[preparation]
kind = "exact"
[measurement]
shots = 100
[training]
epochs = 20
batch_size = 8
"""
WIDTH = 11.7


def truth(a, b):
    """From 1.3 to 13."""
    return 1.3 + WIDTH * (0.5 + 0.3 * a - 0.2 * b)


@pytest.fixture
def table(here, rng):
    inputs = rng.uniform(-1, 1, (40, 2))
    rows = [f"{a:.4f},{b:.4f},{truth(a, b):.4f}" for a, b in inputs]
    (here / "table.csv").write_text("\n".join(["a,b,y", *rows]) + "\n")
    (here / "regression.toml").write_text(_CONFIG)
    return here


def test_a_column_from_1_to_13_is_learned_with_defaults(qep, table):
    result = qep("train", "regression.toml", "--out", "run")
    assert result.code == 0, result.err
    summary = json.loads((table / "run/summary.json").read_text())
    for name in ("final_train_rmse_y", "test_rmse_y"):
        assert summary[name] < 0.05 * WIDTH
        assert 0 < summary[f"{name}_se"] < 0.05 * WIDTH
    assert "targets are scaled" in result.out
    (table / "new.csv").write_text("a,b\n0.5,-0.5\n-0.5,0.5\n")
    rows = qep("predict", "run", "new.csv", "--json").object["predictions"]
    for row, (a, b) in zip(rows, [(0.5, -0.5), (-0.5, 0.5)], strict=True):
        assert 0 < row["standard_error"][0] < 0.1 * WIDTH
        assert row["outputs"][0] == pytest.approx(truth(a, b), abs=0.05 * WIDTH + 4.5 * row["standard_error"][0])


def test_predictions_with_known_targets_report_errors_in_units(qep, table):
    assert qep("train", "regression.toml", "--out", "run", "--set", "measurement.shots='exact'").code == 0
    found = qep("predict", "run", "table.csv", "--json").object
    targets = np.array([row["target"] for row in found["predictions"]])
    outputs = np.array([row["outputs"] for row in found["predictions"]])
    lines = (table / "table.csv").read_text().splitlines()[1:]
    assert targets.ravel() == pytest.approx([float(line.split(",")[2]) for line in lines])
    assert found["rmse_y"] == pytest.approx(np.sqrt(np.mean((outputs - targets) ** 2)))
    assert "rms error of y" in qep("predict", "run", "table.csv").out


def test_scaling_can_be_chosen(qep, table, settings):
    plain = qep("train", "regression.toml", "--out", "plain", *settings("task.target_scaling='none'"))
    assert plain.code == 0
    assert "UnreachableTargetWarning" in plain.err
    assert "targets are scaled" not in plain.out
    standard = qep("train", "regression.toml", "--out", "standard", *settings("task.target_scaling='standard'"))
    assert standard.code == 0
    assert "targets are scaled" in standard.out


def test_a_resumed_run_keeps_the_scaling(qep, table):
    assert qep("train", "regression.toml", "--out", "run", "--set", "training.epochs=2").code == 0
    first = qep("predict", "run", "table.csv", "--json").object
    (table / "table.csv").write_text("a,b,y\n0.1,0.1,500\n")
    again = qep("predict", "run", "table.csv", "--json").object
    assert again["predictions"][0]["target"] == [pytest.approx(500)]
    assert max(row["outputs"][0] for row in first["predictions"]) < 20
