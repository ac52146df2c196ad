"""Samples against shots as a user meets it: the formula, the measured points, the price, and what is refused."""

import csv
import shutil
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from qep_qiskit.budget.samples_study import Step, all_samples, exact_contrasts, expected, samples_choice
from qep_qiskit.budget.setup import experiment_of, setup_of
from qep_qiskit.config import from_file
from qep_qiskit.device.usage import estimated_qpu_seconds
from qep_qiskit.learning import Contrast
from qep_qiskit.learning.exact_gradient import exact_gradient

STUDY = ("--study", "samples", "--set", "budget.step={executions = 40, shots = [10, 20, 40], seeds = 1}")
FEW = (*("--set", "budget.repeats=60", "--set", "budget.pilot_shots=1000"), "--jobs", 1)


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def studied(qep, runs):
    """A finished study without figures; not to be changed."""
    folder = runs / "samples"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("qep_qiskit.budget.report.page.budget_charts", lambda **_: [])
        result = qep("budget", runs / "exact.toml", *STUDY, *FEW, "--out", folder)
    assert result.code == 0, result.err
    return folder, result


def test_part_of_the_samples_is_the_variance_of_all_draws(runs):
    """Counted over every set of different samples, with the gradient of each sample from exact states."""
    experiment = from_file(runs / "exact.toml")
    setup = all_samples(experiment, setup_of(experiment, experiment.network.layout.initial(experiment.seeds)))
    estimator = replace(experiment_of(setup).estimator, shots=None, contrast=Contrast(kind="four_point", beta=1e-3))
    gradients, data = exact_contrasts(setup, estimator), setup.task.train
    one = exact_gradient(estimator.hamiltonian, setup.weights, data.inputs[2:3], data.targets[2:3])
    assert gradients[2] == pytest.approx(one.gradient, abs=1e-8)
    spread = float(((gradients - gradients.mean(axis=0)) ** 2).sum(axis=1).mean())
    assert len(gradients) == 4
    assert spread > 0.01
    for count in (1, 2, 3, 4):
        draws = np.array([gradients[list(rows)].mean(axis=0) for rows in combinations(range(4), count)])
        variance = ((draws - gradients.mean(axis=0)) ** 2).sum(axis=1).mean()
        row = expected(Step(samples=count, shots=7), 4, {"v_data": spread, "v_shot": 0.0, "bias": 0.0})
        assert row["data_std"] ** 2 == pytest.approx(variance, abs=1e-12)


def test_measured_points_follow_the_formula(studied):
    """Within four times the 68 % interval; executions, jobs and seconds are the same at every point."""
    rows = table(studied[0] / "samples.csv")
    assert [(row["shots"], row["samples"]) for row in rows] == [("10", "4"), ("20", "2"), ("40", "1")]
    for row in rows:
        half = 0.5 * (float(row["rmse_high"]) - float(row["rmse_low"]))
        assert abs(float(row["rmse"]) - float(row["model_rmse"])) < 4 * half
        parts = float(row["data_std"]) ** 2 + float(row["shot_std"]) ** 2
        assert float(row["model_std"]) ** 2 == pytest.approx(parts)
        assert float(row["shot_std"]) == pytest.approx(float(rows[0]["shot_std"]))
        # the output in the free phase, and two groups in each of two nudged phases
        assert (int(row["total_shots"]), int(row["jobs"])) == (40 * 5, 2)
        assert float(row["qpu_seconds"]) == pytest.approx(estimated_qpu_seconds(200, 2))
    assert float(rows[0]["data_std"]) == 0.0
    assert float(rows[2]["rmse"]) > float(rows[0]["rmse"])


def test_runs_spend_equal_shots(studied):
    rows = table(studied[0] / "samples_training.csv")
    ends = {(row["budget"], row["seed"]): int(row["shots"]) for row in rows}
    assert len(ends) == 3
    assert len(set(ends.values())) == 1


def test_the_recommendation_says_what_to_choose(studied):
    words = " ".join(studied[1].out.split())
    assert "Take 10 shots of each of 4 samples a step" in words
    assert "with 40 shots of one sample" in words
    assert "samples against shots" in (studied[0] / "index.html").read_text()


def test_what_repeats_cannot_tell_apart_is_told_by_training():
    rows = [
        {"shots": 1, "samples": 4, "rmse": 1.05, "rmse_low": 1.0, "rmse_high": 1.1, "loss": 0.2},
        {"shots": 2, "samples": 2, "rmse": 1.0, "rmse_low": 0.95, "rmse_high": 1.05, "loss": 0.3},
        {"shots": 4, "samples": 1, "rmse": 2.1, "rmse_low": 2.0, "rmse_high": 2.2, "loss": 0.1},
    ]
    assert samples_choice(rows).startswith("Take 1 shot of each of 4 samples a step")
    assert "4 times as large with 4 shots of one sample" in samples_choice(rows)


@pytest.mark.deep
def test_goes_on_where_it_stopped(studied, qep, here, monkeypatch):
    monkeypatch.setattr("qep_qiskit.budget.report.page.budget_charts", lambda **_: [])
    shutil.copytree(studied[0], "samples")
    lines = (here / "samples/points.jsonl").read_text().splitlines(keepends=True)
    (here / "samples/points.jsonl").write_text("".join(lines[:-2]))
    assert qep("budget", "exact.toml", *STUDY, *FEW, "--out", "samples").code == 0
    for name in ("samples.csv", "samples_training.csv"):
        assert (here / "samples" / name).read_bytes() == (studied[0] / name).read_bytes()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("executions=60", "take 60 samples, and the task has 4; use more shots or at most budget.step.executions=4"),
        ("shots=[7, 60]", "budget.step.shots: expected divisors of budget.step.executions = 60, got 7"),
        ("shots=[20, 20]", "budget.step.shots: expected two numbers of shots or more"),
        ("shots=[0, 60]", "budget.step.shots"),
    ],
)
def test_what_cannot_be_studied(refused, here, setting, message):
    assert message in refused("budget", "exact.toml", "--study", "samples", "--set", f"budget.step.{setting}")
    assert not (here / "budgets").exists()
