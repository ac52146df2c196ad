"""Results of finished jobs that are damaged: told in one line, kept, paid once, and given up on request."""

import json
import re
from pathlib import Path

import pytest
from loopback_bench import JOBS, NEEDS_DOUBLE, asked, finished, train

pytest.importorskip("qiskit_ibm_runtime")
pytestmark = NEEDS_DOUBLE

# Zeros of a request in one basis are those of some state: nothing can tell.
RESULTS = {
    "{}": "the result cannot be read",
    "empty": "expected a result for every circuit, got None",
    "null": "expected a result for every circuit, got None|the result cannot be read",
    "noitems": "expected 1 result, one for every circuit, got 0",
    "extraitem": "the result cannot be read",  # the client counts metadata
    "rename": "has no register 'meas0', its registers are: c",
    "fewshots": "expected bits of shape",
    "moreshots": "expected bits of shape",
    "fewerbits": "register 'meas0': expected 1 bit a shot, got 0|the result cannot be read",
    "morebits": "register 'meas0': expected 1 bit a shot, got 2",
    "shape": "expected bits of shape",
    "transpose": "expected bits of shape",
}


@pytest.mark.slow
@pytest.mark.parametrize("mode", RESULTS)
def test_a_damaged_result_is_one_line_and_is_paid_once(bench, weights, mode):
    expected, config, run = weights("xor"), bench.config("xor"), bench.folder / "run"
    bench.double.config(result_mode=mode)
    said = [bench.qep("train", config, "--out", run), bench.qep("collect", run)]
    assert [done.code for done in said] == [2, 2]
    for done in said:
        (line,) = [line for line in done.err.splitlines() if line.startswith("qep: error:")]
        assert re.search(r"job \w+: ibm_manila: .*" + f"({RESULTS[mode]})", line), line
        assert line.endswith(f"'qep cancel --forget {bench.double.jobs()[0]['id']} {run}' gives it up")
        kept = re.search(r"what came is kept in (\S+), nothing is sent again", line)
        assert Path(kept[1]).is_file()
    assert [entry.state for entry in bench.entries(run)] == ["submitted"]
    bench.double.config(result_mode=None)
    bench.finish(config, run, bench.qep("resume", run))
    bench.require_sound(run, expected, JOBS["xor"])
    assert len(bench.double.log_of("POST", "^/jobs$")) == len(bench.double.jobs()) == JOBS["xor"]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["extraregister", "permute"])
def test_registers_too_many_and_bits_in_another_order_change_nothing(bench, weights, mode):
    """Each bit has a register of its own, and is found by its name."""
    expected = weights("xor")
    bench.double.config(result_mode=mode)
    assert [done.code for done in train(bench, lambda name: expected, posts=5)] == [0]


@pytest.mark.slow
@pytest.mark.parametrize("deleted", [False, True])
def test_a_result_that_cannot_be_had_is_given_up(bench, weights, deleted):
    """It is unreadable, or the job was deleted: the run goes on without it, and its charge counts."""
    expected, config, run = weights("xor"), bench.config("xor"), bench.folder / "run"
    if deleted:
        assert bench.qep("submit", config, "--out", run).code == 0
        (job,) = (job["id"] for job in finished(bench.double))
        asked(bench.double, "DELETE", job)
        first = bench.qep("collect", run)
        assert re.search(f"job {job} on ibm_manila: the service does not know it any more", first.line)
    else:
        bench.double.config(result_mode="noitems")
        first = bench.qep("train", config, "--out", run)
        (job,) = (job["id"] for job in bench.double.jobs())
        bench.double.config(result_mode=None)
        raw = json.loads((run / f"result-{job}.json").read_text())
        assert raw["data"] == []
    assert first.code == 2
    done = bench.qep("cancel", "--forget", job, run)
    assert (done.code, job in done.out) == (0, True)
    assert bench.qep("resume", run).code == 0
    assert json.loads((run / "weights.json").read_text()) == expected
    first, *others = bench.entries(run)
    assert (first.state, first.job_id, first.usage_seconds) == ("cancelled", job, None if deleted else 2.0)
    assert [entry.state for entry in others] == ["applied"] * JOBS["xor"]
    assert len(bench.double.log_of("POST", "^/jobs$")) == JOBS["xor"] + 1
