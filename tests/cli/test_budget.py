"""Shot-noise studies as a user meets them: tables, the page, answers, and the same numbers whatever happens between."""

import csv
import json
import os
import shutil
import signal
import tomllib
from pathlib import Path

import pytest
from stopping import wait_for

from qep_qiskit.budget.report.charts import budget_charts

SMALL = {
    "samples": 2,
    "shots": "[20, 200]",
    "betas": "[0.2, 0.5]",
    "repeats": 4,
    "pilot_shots": 200,
    "comparison_shots": "[30]",
}
TABLES = ("gradient.csv", "comparison.csv")
# Long enough to be caught at work: many cheap points.
LONG = ("--set", "budget.repeats=25", "--study", "gradient")


def words(**changes):
    return [word for key, value in (SMALL | changes).items() for word in ("--set", f"budget.{key}={value}")]


def table(path):
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def known_points(folder):
    path = Path(folder) / "points.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.fixture(scope="module", autouse=True)
def drawing():
    """Figures take longer than the points of these studies: they are drawn where somebody looks at them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("qep_qiskit.budget.report.page.write_budget_report", lambda *_, **__: [])
        yield patch


@pytest.fixture(scope="module")
def studied(qep, runs, drawing):
    """A finished study with one of its figures, worked on in one process; not to be changed."""
    folder = runs / "study"
    drawing.undo()
    drawing.setattr("qep_qiskit.budget.report.page.budget_charts", lambda **rows: budget_charts(**rows)[:1])
    result = qep("budget", runs / "exact.toml", *words(), "--out", folder, "--jobs", 1)
    assert result.code == 0, result.err
    drawing.setattr("qep_qiskit.budget.report.page.write_budget_report", lambda *_, **__: [])
    return folder, result


@pytest.fixture(scope="module")
def said(studied, qep, runs):
    """The same study as an object."""
    result = qep("budget", runs / "exact.toml", *words(), "--out", studied[0], "--json", "--jobs", 1)
    assert result.code == 0, result.err
    return result.object


@pytest.fixture(scope="module")
def long_study(qep, runs):
    """A study of the gradient that nothing interrupted."""
    folder = runs / "long-study"
    assert qep("budget", runs / "exact.toml", *words(), *LONG, "--out", folder, "--jobs", 1).code == 0
    return folder


@pytest.fixture(scope="module")
def answers(qep, runs):
    """What an inverse question is answered, as records."""

    def ask(*question):
        result = qep("budget", runs / "exact.toml", *words(), *question, "--json")
        assert result.code == 0, result.err
        return result.object["answers"]

    return ask


def test_folder(studied):
    folder, _ = studied
    names = {path.name for path in folder.iterdir()}
    assert {"study.json", "points.jsonl", "index.html", *TABLES} <= names
    pictures = {name.removesuffix(".png") for name in names if name.endswith(".png")}
    assert len(pictures) == 1
    assert pictures == {name.removesuffix(".pdf") for name in names if name.endswith(".pdf")}
    assert not [name for name in names if name.startswith(".")]
    page = (folder / "index.html").read_text()
    assert all(f'"{name}"' in page for name in TABLES)
    for nonsense in (">nan<", ">None<", " nan ", "inf "):
        assert nonsense not in page


def test_grid_of_the_study(studied):
    rows = table(studied[0] / "gradient.csv")
    cut = [row for row in rows if (row["grouping"], row["allocation"], row["method"]) == ("shared", "equal", "qep")]
    grid = {(row["contrast"], float(row["beta"]), int(row["shots"])) for row in cut}
    for shots in (20, 200):
        for beta in (0.2, 0.5):
            wanted = {(kind, beta, shots) for kind in ("one_sided", "symmetric", "four_point")}
            assert wanted | {("one_sided", -beta, shots)} <= grid
    ways = {(row["grouping"], row["allocation"]) for row in rows}
    assert ways == {("shared", "equal"), ("shared", "optimal"), ("qubit_wise", "equal"), ("per_weight", "equal")}


def test_rows_are_complete(studied):
    """Every row has every column; only the model, where there is none, is empty."""
    for name in TABLES:
        rows = table(studied[0] / name)
        assert len(rows) > 5
        assert all(None not in row and None not in row.values() for row in rows)
    for row in table(studied[0] / "gradient.csv"):
        empty = {name for name, cell in row.items() if cell == ""}
        assert empty <= {"model_rmse", "model_bias", "model_std", "model_pull"}
        assert not {"nan", "inf", "None"} & set(row.values())
        error, bias, spread = (float(row[name]) for name in ("rmse", "bias", "std"))
        # The mean's own noise is taken off the bias, and bias and spread are of R repeats.
        assert bias**2 <= error**2 * (1 + 1e-9)
        assert spread**2 * 3 / 4 <= error**2 * (1 + 1e-9)
        assert float(row["rmse_low"]) <= error <= float(row["rmse_high"])
        assert float(row["cosine_low"]) <= float(row["cosine"]) <= float(row["cosine_high"])


def test_shots_and_circuits_are_counted(studied):
    """Two samples; a batch for the outputs, then two groups in each of the nudged phases, X in the free one."""
    for row in table(studied[0] / "gradient.csv"):
        if (row["grouping"], row["allocation"]) == ("shared", "equal"):
            batches = {"one_sided": 4, "symmetric": 5, "four_point": 9}[row["contrast"]]
            assert int(row["circuits"]) == 2 * batches
            assert int(row["total_shots"]) == 2 * batches * int(row["shots"])
            assert row["jobs"] == "2"
    for row in table(studied[0] / "comparison.csv"):
        assert int(row["total_shots"]) == pytest.approx(int(row["budget"]), rel=0.1)


def test_terminal(studied):
    _, result = studied
    assert "Gradient study at the best beta of the grid" in result.out
    assert "Baselines" in result.out
    assert "Recommendation" in result.out
    assert f"wrote {studied[0] / 'index.html'}" in result.out.replace("\n", "")
    assert not {"nan", "None", "inf"} & set(result.out.split())
    lines = [line for line in result.out.splitlines() if not line.startswith(("* ", "wrote "))]
    assert all(len(line) <= 80 for line in lines)


def test_json(studied, said):
    assert said["folder"] == str(studied[0])
    assert {"name", "network", "sentences", "gradient_norm", "recommendation"} <= set(said)
    best = said["recommendation"]
    assert sum(best["allocation"].values()) == pytest.approx(1)
    assert best["expected_relative_rmse"] * said["gradient_norm"] == pytest.approx(best["expected_rmse"])


@pytest.mark.deep
def test_recommendation_is_about_as_good_as_it_says(qep, here):
    """Measured at what a good pilot recommends. The model knows the leading power of beta only, and beta is large."""
    good = words(contrasts="['symmetric']", pilot_shots=100_000, repeats=60, shots="[1000]")
    answer = qep("budget", "exact.toml", *good, "--target-error", 0.1, "--json").object["answers"][0]
    at = words(contrasts="['symmetric']", betas=f"[{answer['beta']}]", shots=f"[{answer['shots']}]", repeats=60)
    assert qep("budget", "exact.toml", *at, "--study", "gradient", "--out", "st", "--jobs", 1).code == 0
    rows = {row["allocation"]: row for row in table("st/gradient.csv") if row["grouping"] == "shared"}
    assert float(rows["optimal"]["rmse"]) == pytest.approx(answer["error"], rel=0.3)
    assert float(rows["optimal"]["relative_rmse"]) == pytest.approx(0.1, rel=0.3)


def test_pasted_toml_trains(said, qep, here):
    text = said["recommendation"]["toml"]
    wanted = tomllib.loads(text)
    plain = (here / "exact.toml").read_text().replace("[measurement]\nshots = 20\n", "")
    (here / "pasted.toml").write_text(plain + text)
    result = qep("train", "pasted.toml", "--out", "pasted")
    assert result.code == 0, result.err
    config = json.loads((here / "pasted/config.json").read_text())["config"]
    for section, keys in wanted.items():
        assert config[section] | keys == config[section]


def test_answers_to_both_questions_agree(answers):
    cheapest = answers("--target-error", 0.2)[0]
    assert cheapest["relative_error"] <= 0.2 * (1 + 1e-3)
    bought = answers("--qpu-seconds", cheapest["qpu_seconds"] + 1e-9)[0]
    assert bought["relative_error"] <= 0.2 * 1.02
    assert bought["qpu_seconds"] <= cheapest["qpu_seconds"] + 1e-9


def test_answers_agree_with_the_recommendation(answers, said):
    """A promise takes more shots than an expectation: up to twice as many after pilots of 200 shots."""
    best = said["recommendation"]
    found = answers("--target-error", best["expected_relative_rmse"] * 1.001)
    same = next(one for one in found if one["contrast"] == best["contrast"])
    assert best["shots"] <= same["shots"] <= 2 * best["shots"]
    assert same["beta"] == pytest.approx(best["beta"], rel=0.4)
    assert same["relative_error_low"] <= same["relative_error"] <= same["relative_error_high"]
    assert same["check"]["beta"] == same["beta"]
    assert same["check"]["total_shots"] > 4 * same["total_shots"]
    assert same["pilot_shots"] > 0


@pytest.mark.parametrize("question", [("--target-error", 0.2), ("--qpu-seconds", 10)])
def test_answers_as_a_table(qep, here, question):
    result = qep("budget", "exact.toml", *words(), *question)
    assert result.code == 0, result.err
    assert all(name in result.out for name in ("four-point", "symmetric", "one-sided-negative"))
    pasted = tomllib.loads(result.out.partition("paste into the configuration:\n")[2])
    assert set(pasted) == {"contrast", "measurement"}
    assert {path.name for path in here.iterdir() if path.is_dir()} == set()


@pytest.mark.deep
def test_same_tables_from_two_processes(studied, qep, here):
    result = qep("budget", "exact.toml", *words(), "--out", "two", "--jobs", 2)
    assert result.code == 0, result.err
    for name in TABLES:
        assert (here / "two" / name).read_bytes() == (studied[0] / name).read_bytes()


@pytest.mark.deep
def test_a_cluster_gives_the_same_tables(studied, qep, here):
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None, "host": "127.0.0.1"}
    with distributed.LocalCluster(**options) as cluster:
        address = cluster.scheduler_address
        result = qep(
            "budget", "exact.toml", *words(), "--study", "gradient", "--out", "cluster", "--scheduler", address
        )
    assert result.code == 0, result.err
    assert (here / "cluster/gradient.csv").read_bytes() == (studied[0] / "gradient.csv").read_bytes()


def test_parquet_holds_the_same(studied, qep, here):
    parquet = pytest.importorskip("pyarrow.parquet")
    shutil.copytree(studied[0], "copy")
    result = qep("budget", "exact.toml", *words(), "--out", "copy", "--format", "parquet", "--jobs", 1)
    assert result.code == 0, result.err
    found = parquet.read_table("copy/gradient.parquet").to_pydict()
    rows = table(studied[0] / "gradient.csv")
    assert list(found) == list(rows[0])
    assert found["rmse"] == [float(row["rmse"]) for row in rows]


def test_nothing_is_worked_out_twice(studied, qep, here):
    shutil.copytree(studied[0], "copy")
    before = (here / "copy/points.jsonl").read_bytes()
    assert qep("budget", "exact.toml", *words(), "--out", "copy", "--jobs", 1).code == 0
    assert (here / "copy/points.jsonl").read_bytes() == before
    assert qep("budget", "exact.toml", *words(shots="[20, 50, 200]"), "--out", "copy", "--jobs", 1).code == 0
    assert (here / "copy/points.jsonl").read_bytes().startswith(before)
    rows = [row for row in table("copy/gradient.csv") if row["shots"] != "50" and row["grouping"] == "shared"]
    old = table(studied[0] / "gradient.csv")
    assert all(row in old for row in rows if row["allocation"] == "equal" and float(row["beta"]) in (0.2, 0.5))


def test_another_reference_is_another_study(qep, here):
    """Errors from exact states are not those from states as they are prepared; same folder, new points."""
    lean = words(contrasts="['symmetric']", shots="[200]", betas="[0.3]")
    rows = {}
    for reference in ("exact", "prepared"):
        more = ("--set", f"budget.reference={reference}", "--study", "gradient", "--out", "st", "--jobs", 1)
        assert qep("budget", "circuits.toml", *lean, *more).code == 0
        rows[reference] = table("st/gradient.csv")[0]
    assert rows["exact"]["total_shots"] == rows["prepared"]["total_shots"]
    assert rows["exact"]["rmse"] != rows["prepared"]["rmse"]


@pytest.mark.deep
@pytest.mark.parametrize(("jobs", "whole_group"), [(1, True), (2, True)])
def test_killed_and_gone_on_with(qep, process, here, long_study, jobs, whole_group):
    command = ("budget", "exact.toml", *words(), *LONG, "--out", "st", "--jobs", jobs)
    child = process(*command, start_new_session=True)
    wait_for(lambda: known_points("st") >= 8, child)
    os.killpg(child.pid, signal.SIGKILL)
    child.communicate(timeout=30)
    assert not (here / "st/index.html").exists()
    assert known_points("st") < known_points(long_study)
    assert qep(*command[:-1], 1).code == 0
    assert (here / "st/gradient.csv").read_bytes() == (long_study / "gradient.csv").read_bytes()
    assert known_points("st") == known_points(long_study)


@pytest.mark.deep
@pytest.mark.parametrize("jobs", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_stopped(process, qep, here, long_study, jobs):
    command = ("budget", "exact.toml", *words(), *LONG, "--out", "st", "--jobs", jobs)
    child = process(*command, start_new_session=True)
    wait_for(lambda: known_points("st") >= 8, child)
    os.killpg(child.pid, signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out) == (130, "")
    assert err.splitlines()[-1].startswith("qep: stopped with ")
    assert err.splitlines()[-1].endswith(" points done; the same command goes on")
    assert "Traceback" not in err
    assert qep(*command[:-1], 1).code == 0
    assert (here / "st/gradient.csv").read_bytes() == (long_study / "gradient.csv").read_bytes()


def test_study_of_a_run(qep, copied, here):
    """At its weights, with keys of the study only; two of them differ from those of the start."""
    copied("exact")
    lean = words(contrasts="['symmetric']", shots="[200]", betas="[0.3]")
    for source, out in (("copy", "trained"), ("exact.toml", "start")):
        result = qep("budget", source, *lean, "--study", "gradient", "--out", out, "--jobs", 1)
        assert result.code == 0, result.err
    assert table("trained/gradient.csv")[0]["rmse"] != table("start/gradient.csv")[0]["rmse"]
    kept = json.loads((here / "trained/study.json").read_text())["config"]
    assert (kept["budget"]["betas"], kept["measurement"]["shots"]) == ([0.3], 20)


def test_default_folder(qep, here):
    lean = words(contrasts="['one_sided']", shots="[200]", betas="[0.3]")
    assert qep("budget", "aim.toml", *lean, "--study", "gradient", "--jobs", 1).code == 0
    assert {row["contrast"] for row in table("budgets/aim/gradient.csv")} == {"one_sided"}


def test_known_signals_beside_measured_ones(qep, here):
    lean = words(contrasts="['symmetric']", shots="[200]", betas="[0.3]", signals="['measured', 'known']")
    assert qep("budget", "exact.toml", *lean, "--study", "gradient", "--out", "st", "--jobs", 1).code == 0
    rows = {row["signals"]: row for row in table("st/gradient.csv") if float(row["beta"]) == 0.3}
    assert set(rows) == {"measured", "known"}
    assert int(rows["known"]["total_shots"]) < int(rows["measured"]["total_shots"])
