import json
import re
import shutil

import pytest

from qep_qiskit.report.tables import value_with_error


@pytest.fixture
def two(runs, here, qep, settings):
    """Two finished runs that differ in shots and seed."""
    shutil.copytree(runs / "exact", here / "one")
    changed = settings("measurement.shots=7", "seed=4", "name=<b>odd</b>")
    assert qep("train", here / "exact.toml", "--out", here / "other", *changed).code == 0
    return here / "one", here / "other"


def summary_of(folder):
    return json.loads((folder / "summary.json").read_text())


def test_one_run_is_its_keys_and_its_numbers(qep, two):
    text, summary = qep("show", two[0]).out, summary_of(two[0])
    assert re.search(r"^preparation.kind +exact *$", text, re.MULTILINE)
    assert re.search(r"^training.epochs +3 *$", text, re.MULTILINE)
    assert "ramp" not in text  # a key of another kind
    assert "network.couplings.std" not in text  # at its default
    assert value_with_error(summary["final_train_loss"], summary["final_train_loss_se"]) in text
    assert "finished, 3 epochs" in text
    steps = [json.loads(line) for line in (two[0] / "metrics.jsonl").read_text().splitlines() if "chi" in line]
    chi = value_with_error(steps[-1]["chi"], steps[-1]["chi_se"], digits=4)
    assert re.search(rf"^last step: chi +{re.escape(chi)} *$", text, re.MULTILINE)


def test_several_runs_are_the_keys_that_differ_and_the_numbers(qep, two):
    found = qep("show", *two, "--json").object
    assert found["differing"] == ["seed", "measurement.shots"]
    assert [run["summary"] for run in found["runs"]] == [summary_of(folder) for folder in two]
    assert found["runs"][1]["config"]["measurement.shots"] == 7
    text = qep("show", *two).out
    assert re.search(r"seed +shots +", text)
    assert f"{summary_of(two[1])['shots']:,}" in text


def test_a_page_needs_nothing_else_and_runs_nothing(qep, two, here):
    assert qep("show", *two, "--html", here / "page.html").code == 0
    page = (here / "page.html").read_text()
    own = (two[1] / "index.html").read_text()
    for text in (page, own):
        assert "<b>odd" not in text
        assert "&lt;b&gt;odd&lt;/b&gt;" in text
        assert all(
            address.startswith("data:image/png;base64,") for address in re.findall(r'(?:src|href)="([^"]*)"', text)
        )
        assert "<script" not in text
        assert f"{summary_of(two[1])['shots']:,}" in text
    assert "Side by side" in page
    assert "Side by side" not in own
    assert page.count("data:image/png") == 4


def test_a_run_that_is_not_finished_says_how_far_it_is(qep, halted):
    assert "not finished: step 3, epoch 1 of 3" in qep("show", halted).out


def test_a_sweep_stands_for_its_runs(qep, here):
    assert qep("sweep", "exact.toml", "--over", "seed=0:2", "--jobs", "1", "--out", here / "grid").code == 0
    assert qep("show", here / "grid", "--json").object["differing"] == ["seed"]


def test_what_is_no_run_is_one_line(refused, here):
    assert "there is no such folder" in refused("show", here / "nothing")
    assert "is not the folder of a run" in refused("show", here)
