"""Processes that are killed at any moment of a job: the same weights, and no job is sent twice."""

import signal

import pytest
from loopback_bench import JOBS, NEEDS_DOUBLE

pytest.importorskip("qiskit_ibm_runtime")
pytestmark = NEEDS_DOUBLE

# One job of a step, and what happens to it, moment by moment.
KILLS = {
    "before the first look at the device": ("before", "why_closed", 1),
    "after the circuit was laid out": ("after", "keep_circuit", 1),
    "while the ledger is made": ("in", "_transaction", 1),
    "while a circuit is written": ("in", "_transaction", 2),
    "while an intention is written": ("in", "_transaction", 3),
    "while an id is written": ("in", "_transaction", 4),
    "while bits are written": ("in", "_transaction", 5),
    "after an intention": ("after", "intend", 2),
    "before a submission": ("before", "send", 2),
    "after a submission": ("after", "send", 2),
    "after an id was written": ("after", "submitted", 3),
    "before looking for duplicates": ("before", "find", 3),
    "after looking at a job": ("after", "job_view", 3),
    "before fetching": ("before", "fetch", 3),
    "after fetching": ("after", "fetch", 4),
    "after asking for the charge": ("after", "usage_seconds", 4),
    "after bits were written": ("after", "collected", 4),
    "before a line of metrics": ("before", "append", 2),
    "after a line of metrics": ("after", "append", 3),
    "before a checkpoint": ("before", "save_state", 4),
    "while a checkpoint is written": ("in", "save_state", 5),
    "after a checkpoint": ("after", "save_state", 6),
    "before jobs are called applied": ("before", "applied", 3),
    "after jobs were called applied": ("after", "applied", 3),
}
AT_ONCE = ("after a submission",)


@pytest.mark.deep
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in AT_ONCE else [pytest.mark.slow]) for name in KILLS]
)
def test_a_kill_at_any_moment(bench, weights, name):
    expected, config, run = weights("xor"), bench.config("xor"), bench.folder / "run"
    first = bench.qep("--die", *KILLS[name], "train", config, "--out", run)
    assert first.code == -signal.SIGKILL
    assert [done.code for done in bench.finish(config, run, first)] == [-signal.SIGKILL, 0]
    bench.require_sound(run, expected, JOBS["xor"])
    assert len(bench.double.jobs()) == len(bench.double.log_of("POST", "^/jobs$")) == 5
