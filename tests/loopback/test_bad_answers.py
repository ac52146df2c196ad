"""Answers of the service that are wrong, lost or missing: the same weights, and nothing is sent twice."""

import pytest
from loopback_bench import ACTIONS, JOBS, NEEDS_DOUBLE, REQUESTS, hinder, train

pytest.importorskip("qiskit_ibm_runtime")
pytestmark = NEEDS_DOUBLE


@pytest.mark.slow
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("request_", REQUESTS)
def test_one_bad_answer_changes_nothing(bench, weights, request_, action):
    expected = weights("xor")
    hinder(bench.double, request_, action)
    said = train(bench, lambda name: expected)
    assert [fault["_fired"] for fault in bench.double.ctl("state")["faults"]] == [1]
    assert all(len(done.err.strip().splitlines()) == 1 for done in said[:-1])
    assert len(said) <= 2


LOST = {
    "504 once": ("accept_then_status", {"status": 504}),
    "504 for ever": ("accept_then_status", {"status": 504, "times": -1}),
    "reset": ("accept_then_reset", {"times": -1}),
    "silence": ("accept_then_hang", {"seconds": 5, "times": 2}),
    "cut": ("truncate", {"times": -1}),
}


@pytest.mark.slow
@pytest.mark.parametrize("lag", [0, 2])
@pytest.mark.parametrize("name", LOST)
def test_submissions_whose_answers_are_lost_are_not_repeated(bench, weights, name, lag):
    expected, (action, how) = weights("xor"), LOST[name]
    bench.double.config(list_lag_seconds=lag)
    bench.double.fault(action, "^/jobs$", "POST", **how)
    assert [done.code for done in train(bench, lambda name: expected, posts=5)] == [0]
    assert len(bench.double.jobs()) == 5


@pytest.mark.slow
@pytest.mark.parametrize("request_", ["submission", "job", "results", "usage", "status"])
def test_a_service_that_stays_down_stops_the_run_with_one_line(bench, weights, request_):
    expected, config, run = weights("xor"), bench.config("xor"), bench.folder / "run"
    hinder(bench.double, request_, "500", times=-1)
    first = bench.qep("train", config, "--out", run)
    assert first.code == 2
    assert len([line for line in first.err.splitlines() if line.startswith("qep: error:")]) == 1
    bench.double.clear_faults()
    bench.finish(config, run, first)
    bench.require_sound(run, expected, JOBS["xor"])


@pytest.mark.slow
@pytest.mark.parametrize("lost", [False, True])
def test_a_listing_that_stays_down_matters_only_where_an_answer_is_lost(bench, weights, lost):
    expected, config, run = weights("xor"), bench.config("xor"), bench.folder / "run"
    hinder(bench.double, "listing", "500", times=-1, nth=1)
    if lost:
        bench.double.fault("accept_then_reset", "^/jobs$", "POST", nth=2)
    first = bench.qep("train", config, "--out", run)
    assert first.code == (2 if lost else 0)
    assert not lost or "the service does not answer" in first.line
    assert not lost or "the job is in the ledger, go on with 'qep resume'" in first.line
    bench.double.clear_faults()
    bench.finish(config, run, first)
    bench.require_sound(run, expected, JOBS["xor"])
    assert len(bench.double.log_of("POST", "^/jobs$")) == 5
