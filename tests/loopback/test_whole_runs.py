"""Whole runs of the command line, without faults and on a bad day."""

import json

import pytest
from loopback_bench import NEEDS_DOUBLE, hinder, train

pytest.importorskip("qiskit_ibm_runtime")
pytestmark = NEEDS_DOUBLE


def test_a_whole_run_by_the_command_line_itself(weights):
    """With all its patience: it needs none. The fixture looks at jobs, files, calls and the words of all processes."""
    assert all(weight["start"] != weight["end"] for weight in weights("xor").values())


@pytest.mark.deep
def test_an_operator_cost_takes_one_job_a_step(bench, weights):
    assert [done.code for done in train(bench, weights, "operator", posts=3)] == [0]


@pytest.mark.deep
def test_seconds_planned_are_those_charged(bench):
    """The plan of a snapshot, the ledger, and what the double charges, which it rounds to whole seconds a job."""
    config = bench.config("xor", "").read_text().replace("shots = 50", "shots = 3000")
    path = bench.folder / "long.toml"
    path.write_text(config)
    planned = json.loads(bench.qep("plan", path, "--backend", "fake_manila", "--json").out)
    assert bench.qep("train", path, "--out", bench.folder / "run").code == 0
    jobs, entries = bench.double.jobs(), bench.entries(bench.folder / "run")
    charged, estimated = (
        sum(values) for values in zip(*[(job["usage"], job["estimate"]) for job in jobs], strict=True)
    )
    assert charged > 20
    assert planned["run"]["jobs"] == len(jobs)
    assert planned["run"]["executions"] == sum(job["summary"]["executions"] for job in jobs)
    assert planned["run"]["qpu_seconds"] == pytest.approx(charged, rel=0.1)
    assert sum(entry.description.estimated_seconds for entry in entries) == pytest.approx(estimated, rel=1e-6)
    assert sum(entry.usage_seconds for entry in entries) == charged == pytest.approx(estimated, rel=0.1)


def test_a_bad_day(bench, weights):
    """A bad answer of almost every kind in one run, and it goes through without help."""
    expected = weights("xor")
    for request, action in (
        ("devices", "500"),
        ("configuration", "reset"),
        ("status", "429"),
        ("usage", "500"),
        ("listing", "garbage"),
        ("job", "cut"),
        ("results", "cut"),
        ("metrics", "reset"),
    ):
        hinder(bench.double, request, action)
    bench.double.fault("accept_then_status", "^/jobs$", "POST", status=504)
    hinder(bench.double, "submission", "429", nth=3)
    assert [done.code for done in train(bench, lambda name: expected, posts=6)] == [0]
    assert all(fault["_fired"] for fault in bench.double.ctl("state")["faults"])
