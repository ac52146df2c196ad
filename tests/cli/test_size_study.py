"""The size study as a user meets it: tables, figures, page, what a stop leaves, and what cannot be studied."""

import csv
import json
import shutil

import numpy as np
import pytest

from qep_qiskit.budget import size_study
from qep_qiskit.budget.report.charts import budget_charts
from qep_qiskit.config import from_file
from qep_qiskit.learning.exact_gradient import exact_gradient

SIZES = ("--study", "size", "--over", "network.num_spins=2,3,4", "--over", "network.fields.mean=1,0.5")
FEW = ("--set", "budget.size.networks=2", "--set", "budget.samples=2", "--jobs", 1)


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def studied(qep, runs):
    """A finished study with one of its figures; not to be changed."""
    folder = runs / "sizes"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("qep_qiskit.budget.report.page.budget_charts", lambda **rows: budget_charts(**rows)[1:])
        result = qep("budget", runs / "exact.toml", *SIZES, *FEW, "--out", folder)
    assert result.code == 0, result.err
    return folder, result


@pytest.fixture
def undrawn(monkeypatch):
    """Figures take longer than the points of these studies."""
    monkeypatch.setattr("qep_qiskit.budget.report.page.write_budget_report", lambda *_, **__: [])


def test_every_network_has_a_row(studied):
    rows = table(studied[0] / "size.csv")
    assert len(rows) == 3 * 2 * 2
    assert {(row["network.num_spins"], row["network.fields.mean"], row["seed"]) for row in rows} == {
        (size, field, seed) for size in ("2", "3", "4") for field in ("1", "0.5") for seed in ("3", "4")
    }
    for row in rows:
        assert row["spins"] == row["network.num_spins"]
        assert all(float(row[name]) > 0 for name in ("gradient", "gap", "beta", "shots"))
        # two samples; the batch of the output and two groups in each of two phases
        assert int(row["total_shots"]) == 2 * 5 * int(row["shots"])
        assert 0.04 < float(row["relative_bias"]) < 0.07


def test_rows_are_those_of_the_networks_of_these_seeds(studied, runs):
    (row,) = [
        row
        for row in table(studied[0] / "size.csv")
        if (row["network.num_spins"], row["network.fields.mean"], row["seed"]) == ("4", "0.5", "4")
    ]
    experiment = from_file(runs / "exact.toml", ["network.num_spins=4", "network.fields.mean=0.5", "seed=4"])
    weights, data = experiment.network.layout.initial(experiment.seeds), experiment.task.train.take(np.arange(2))
    found = exact_gradient(experiment.estimator.hamiltonian, weights, data.inputs, data.targets)
    assert float(row["gradient"]) == pytest.approx(np.linalg.norm(found.gradient), rel=1e-4)
    coefficients = experiment.estimator.hamiltonian.free_coefficients(weights, data.inputs)
    states = experiment.estimator.preparation.solve(experiment.estimator.hamiltonian.groups, coefficients)
    assert float(row["gap"]) == pytest.approx(states.gaps.min())


def test_distances_make_up_the_gradient(studied):
    rows, far = table(studied[0] / "size.csv"), table(studied[0] / "distance.csv")
    for row in rows:
        place = ("network.num_spins", "network.fields.mean", "seed")
        own = [one for one in far if all(one[name] == row[name] for name in place)]
        for source in ("outputs", "inputs"):
            parts = [one for one in own if one["from"] == source]
            assert sum(int(part["weights"]) for part in parts) == int(row["weights"])
            square = sum(int(part["weights"]) * float(part["rms_gradient"]) ** 2 for part in parts)
            assert square == pytest.approx(float(row["gradient"]) ** 2)


def test_page_and_figures(studied):
    folder, result = studied
    names = {path.name for path in folder.iterdir()}
    assert {"gap_and_best_nudge.png", "gap_and_best_nudge.pdf", "index.html", "study.json"} <= names
    page = (folder / "index.html").read_text()
    assert '"size.csv"' in page
    assert "Recommendation" not in page + result.out
    for nonsense in (">nan<", ">None<", " nan ", "inf "):
        assert nonsense not in page
    assert "From the smallest to the largest networks" in result.out


def test_json(studied, qep, runs, undrawn):
    result = qep("budget", runs / "exact.toml", *SIZES, *FEW, "--out", studied[0], "--json")
    facts = result.object
    header, *curves = facts["curves"]
    assert [curve[:2] for curve in curves] == [["1", "2 to 4"], ["0.5", "2 to 4"]]
    assert header[0] == "fields.mean"
    assert facts["sentences"] == facts["warnings"] == []


def test_goes_on_where_it_stopped_and_takes_more_sizes(studied, qep, here, monkeypatch, undrawn):
    shutil.copytree(studied[0], "sizes")
    kept = (here / "sizes/points.jsonl").read_text().splitlines(keepends=True)
    (here / "sizes/points.jsonl").write_text("".join(kept[:7]) + kept[7][:20])
    done = []
    real = size_study.network_row
    monkeypatch.setattr("qep_qiskit.budget.size_study.network_row", lambda point: done.append(point) or real(point))
    assert qep("budget", "exact.toml", *SIZES, *FEW, "--out", "sizes").code == 0
    assert len(done) == 5
    assert (here / "sizes/size.csv").read_bytes() == (studied[0] / "size.csv").read_bytes()
    more = [word.replace("2,3,4", "2,3,4,5") for word in SIZES]
    assert qep("budget", "exact.toml", *more, *FEW, "--out", "sizes").code == 0
    assert len(done) == 5 + 4


def test_fewer_networks_of_large_sizes(studied, qep, here, undrawn):
    """They are the first of those of a study with the same number everywhere."""
    shutil.copytree(studied[0], "sizes")
    fewer = ("--set", "budget.size.fewer_from=4", "--set", "budget.size.fewer_networks=1")
    assert qep("budget", "exact.toml", *SIZES, *FEW, *fewer, "--out", "sizes").code == 0
    rows = table(here / "sizes/size.csv")
    assert [(row["spins"], row["seed"]) for row in rows if row["network.fields.mean"] == "1"] == [
        *(("2", "3"), ("2", "4"), ("3", "3"), ("3", "4")),
        ("4", "3"),
    ]
    assert all(row in table(studied[0] / "size.csv") for row in rows)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--study", "size"), "--over: --study size needs the sizes, such as --over network.num_spins=4,8,12"),
        (("--over", "network.num_spins=2,3"), "--over: goes with --study size alone"),
        ((*SIZES, "--study", "gradient"), "--study size: goes alone"),
        (("--study", "size", "--over", "network.fields.mean=1,2"), "networks of two sizes or more"),
        ((*SIZES, "--over", "seed=0:3"), "--over seed: networks differ by their seeds already"),
        ((*SIZES, "--set", "budget.size.networks=0"), "budget.size.networks"),
        ((*SIZES, "--set", "budget.size.fewer_from=4"), "budget.size.fewer_networks: expected a number, because"),
        (
            (*SIZES, "--set", "budget.size.fewer_from=4", "--set", "budget.size.fewer_networks=999"),
            "budget.size.fewer_networks: expected at most budget.size.networks = ",
        ),
        ((*SIZES, "--set", "budget.size.target_error=1.5"), "budget.size.target_error"),
        ((*SIZES, "--set", "contrast.kind=one_sided"), "contrast.kind: --study size takes contrasts without a free"),
        (("--study", "size", "--over", "network.num_spins=2,50"), "point num_spins=50: exact preparation"),
        (
            ("--study", "size", "--set", "network.graph=ring", "--over", "network.num_spins=2,4"),
            "point num_spins=2: network.num_spins: a ring needs at least 3 spins, got 2",
        ),
        (
            ("--study", "size", "--set", "network.inputs.spins=[0, 2]", "--over", "network.num_spins=2,4"),
            "point num_spins=2: network.inputs",
        ),
        (("--target-error", "0.1", *SIZES), "go with studies"),
    ],
)
def test_what_cannot_be_studied(refused, words, message):
    assert message in refused("budget", "exact.toml", *words)


def test_noise_and_runs_are_refused(refused, copied):
    noisy = ("--set", "execution.noise={one_qubit = 0.01}")
    assert "execution: --study size takes exact means" in refused("budget", "circuits.toml", *SIZES, *noisy)
    copied("exact")
    assert "copy: --study size takes a configuration file" in refused("budget", "copy", *SIZES)


@pytest.mark.deep
def test_states_of_ramps_are_studied_as_they_are_prepared(qep, here, undrawn):
    result = qep("budget", "circuits.toml", *SIZES[:4], *FEW, "--out", "ramps")
    assert result.code == 0, result.err
    rows = table(here / "ramps/size.csv")
    assert all(float(row["gradient"]) > 0 and row["gap"] == "" for row in rows)
    assert json.loads((here / "ramps/study.json").read_text())["config"]["budget"]["size"]["networks"] == 2
