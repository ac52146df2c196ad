"""Whole runs of the command line, without faults and on a bad day."""

import json
import time
from pathlib import Path

import pytest
from loopback_bench import JOBS, NEEDS_DOUBLE, hinder, train

pytest.importorskip("qiskit_ibm_runtime")
pytestmark = NEEDS_DOUBLE


def test_a_whole_run_by_the_command_line_itself(bench, weights):
    """With all its patience: it needs none. The token is not among the words of any process."""
    expected, config, run = weights("xor"), bench.config("xor"), bench.folder / "run"
    process = bench.start("train", config, "--out", run, retrying=True)
    while process.poll() is None:
        assert bench.double.info["token"] not in all_command_lines()
        time.sleep(0.2)
    assert bench.ended(process).code == 0
    bench.require_sound(run, expected, JOBS["xor"])
    assert [job["summary"]["n_pubs"] for job in bench.double.jobs()] == [1] * 5


def all_command_lines():
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(found)


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
