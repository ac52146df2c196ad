"""Jobs that fail, are capped, cancelled, stay queued, or are left by a stop."""

import re
import signal
import time

import pytest
from loopback_bench import CONFIGS, JOBS, NEEDS_DOUBLE, cancel, train, waited_for

pytest.importorskip("qiskit_ibm_runtime")
pytestmark = NEEDS_DOUBLE


@pytest.mark.slow
def test_a_job_that_fails(bench, weights):
    expected = weights("xor")
    bench.double.plan()
    bench.double.plan(fail={"reason": "Internal trouble.", "reason_code": 9701, "usage": 3.0})
    said = train(bench, lambda name: expected, posts=6)
    assert [done.code for done in said] == [2, 0]
    assert re.search(
        r"job d\w+ on ibm_manila failed: Error code 9701; Internal trouble\.; 3 s were charged, the step is not "
        "applied; 'qep resume' submits it again",
        said[0].line,
    )


@pytest.mark.slow
def test_a_job_that_runs_into_its_cap(bench, weights):
    expected = weights("xor")
    bench.double.plan(usage_seconds=500.0)
    said = train(bench, lambda name: expected, posts=6)
    assert [done.code for done in said] == [2, 0]
    assert re.search(r"ran into its cap of 37 QPU seconds, against an estimate of 2\.1", said[0].line)


@pytest.mark.slow
def test_a_job_that_somebody_cancels(bench, weights):
    expected, config, run = weights("xor"), bench.config("xor"), bench.folder / "run"
    bench.double.plan(hold=True)
    process = bench.start("train", config, "--out", run)
    cancel(bench.double, waited_for(bench.double))
    first = bench.ended(process)
    assert first.code == 2
    assert re.search(r"was cancelled; 0 s were charged, the step is not applied; 'qep resume' submits it", first.line)
    bench.finish(config, run, first)
    bench.require_sound(run, expected, JOBS["xor"])


@pytest.mark.slow
def test_a_job_that_stays_queued_has_an_exit_code_of_its_own(bench, weights):
    expected, run = weights("xor"), bench.folder / "run"
    config = bench.folder / "waits.toml"
    config.write_text(CONFIGS["xor"].replace("[execution]", "[execution]\nwait_seconds = 2.0"))
    bench.double.plan()
    bench.double.plan(hold=True)
    first = bench.qep("train", config, "--out", run)
    assert first.code == 3
    assert re.search(r"job d\w+ on ibm_manila is still queued after 2 s; its id is saved, collect it later", first.line)
    assert bench.qep("resume", run).code == 3
    bench.double.ctl("release", {})
    bench.finish(config, run, first)
    bench.require_sound(run, expected, JOBS["xor"])
    assert len(bench.double.log_of("POST", "^/jobs$")) == 5


@pytest.mark.deep
@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_stop_while_a_job_is_queued(bench, weights, number):
    """It does not wait for the queue, keeps the job, and does not send it again."""
    expected, config, run = weights("xor"), bench.config("xor"), bench.folder / "run"
    for hold in (False, False, True):
        bench.double.plan(hold=hold)
    process = bench.start("train", config, "--out", run)
    job = waited_for(bench.double)
    while bench.entries(run)[-1].state != "submitted":
        time.sleep(0.1)
    process.send_signal(number)
    first = bench.ended(process)
    assert first.code == 130
    assert f"stopped in step 1 of 2, with 1 answer kept; job {job} on ibm_manila goes on, its id is saved" in first.line
    assert f"go on with 'qep resume {run}'" in first.line
    bench.double.ctl("release", {})
    bench.finish(config, run, first)
    bench.require_sound(run, expected, JOBS["xor"])
    assert len(bench.double.log_of("POST", "^/jobs$")) == 5
