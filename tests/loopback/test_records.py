"""Listings, clocks, charges, ids, devices and ledgers that are wrong or gone: nothing is lost or paid twice."""

import json
import re
from contextlib import contextmanager

import pytest
from loopback_bench import JOBS, NEEDS_DOUBLE, finished, train

pytest.importorskip("qiskit_ibm_runtime")
pytestmark = NEEDS_DOUBLE

LISTINGS = {
    "reversed": {"list_reverse": True},
    "duplicated": {"list_duplicate": True},
    "miscounted": {"list_count_extra": 7},
    "without the tag": {"list_ignore_tags": True},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LISTINGS)
def test_a_listing_that_is_wrong_costs_nothing(bench, weights, name):
    """Another run's job is neither used nor cancelled, and the listing is not read without end."""
    expected, config, run = weights("xor"), bench.config("xor"), bench.folder / "run"
    bench.double.plan(hold=True)
    assert bench.qep("submit", bench.config("operator"), "--out", bench.folder / "other").code == 0
    (other,) = bench.double.jobs()
    bench.double.config(**LISTINGS[name])
    bench.double.fault("accept_then_reset", "^/jobs$", "POST", nth=1)
    assert bench.qep("train", config, "--out", run).code == 0
    assert json.loads((run / "weights.json").read_text()) == expected
    assert [job["state"] for job in bench.double.jobs() if job["id"] == other["id"]] == ["Queued"]
    assert len(bench.double.log_of("POST", "^/jobs$")) == JOBS["xor"] + 1
    assert len(bench.double.log_of("GET", "^/jobs$")) < 30


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_a_clock_that_is_off_changes_nothing(bench, weights, seconds):
    expected = weights("xor")
    bench.double.config(skew_seconds=seconds)
    bench.double.fault("accept_then_reset", "^/jobs$", "POST", nth=2)
    assert [done.code for done in train(bench, lambda name: expected, posts=5)] == [0]


@pytest.mark.slow
def test_charges_that_stay_pending_count_as_estimated(bench, weights):
    """The limit stops the run in time, and once they are known the true charges count."""
    expected, config, run = weights("xor"), bench.config("xor"), bench.folder / "run"
    bench.double.config(usage_mode="null")
    assert bench.qep("submit", config, "--out", run).code == 0
    said = bench.qep("resume", run, "--max-qpu-seconds", "6")
    assert (said.code, "execution.max_qpu_seconds: the run has taken 4." in said.line) == (2, True)
    assert [entry.usage_seconds for entry in bench.entries(run)] == [None, None]
    bench.double.config(usage_mode=None)
    rows = json.loads(bench.qep("jobs", "--refresh", "--json", run).out)
    assert [row["usage_seconds"] for row in rows] == [2.0, 2.0]
    bench.finish(config, run, said)
    bench.require_sound(run, expected, JOBS["xor"])


@pytest.mark.slow
def test_the_id_of_an_older_job_is_not_believed(bench, weights):
    expected = weights("xor")
    bench.double.config(reuse_job_id=True)
    assert [done.code for done in train(bench, lambda name: expected, posts=5)] == [0]


@pytest.mark.slow
def test_a_hidden_device_gives_its_results(bench, weights):
    expected, config, run = weights("xor"), bench.config("xor"), bench.folder / "run"
    assert bench.qep("submit", config, "--out", run).code == 0
    bench.double.config(hide_backends=["ibm_manila"])
    assert bench.qep("collect", run).code == 0
    assert [entry.state for entry in bench.entries(run)] == ["applied"]
    said = bench.qep("resume", run)
    assert said.code == 2
    assert re.search("qep: error: .*ibm_manila", said.err)
    assert "no job is under way" in bench.qep("cancel", run).out
    bench.double.config(hide_backends=[])
    bench.finish(config, run, said)
    bench.require_sound(run, expected, JOBS["xor"])


@pytest.mark.slow
def test_a_coupler_that_is_gone_does_not_matter_to_a_paid_job(bench, started):
    config, run = bench.config("xor"), bench.folder / "run"
    assert bench.qep("submit", config, "--out", run).code == 0
    (job,) = finished(bench.double)
    pair = ",".join(map(str, sorted(job["summary"]["pubs"][0]["active_qubits"])[:2]))
    with restarted(started, LB_DROP=pair):
        assert bench.qep("collect", run).code == 0
        assert [entry.state for entry in bench.entries(run)] == ["applied"]
        said = bench.qep("resume", run)
        assert said.code == 2
        assert re.search(r"have \d+ two-qubit gates.* they have \d+: 'qep resume --replace-layout'", said.line)
        assert bench.qep("resume", "--replace-layout", run).code == 0
        assert len(bench.double.log_of("POST", "^/jobs$")) == JOBS["xor"] - 1  # those of the new process
    assert [entry.state for entry in bench.entries(run)] == ["applied"] * JOBS["xor"]


@contextmanager
def restarted(double, **environment):
    """The double, started again with another environment; its jobs are kept."""
    with pytest.MonkeyPatch.context() as changed:
        for name, value in environment.items():
            changed.setenv(name, value)
        double.stop()
        double.start()
        yield
    double.stop()
    double.start()


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["deleted", "older"])
def test_a_ledger_that_is_lost_is_rebuilt_from_the_service(bench, weights, lost):
    """It is deleted, or an older copy is put back: nothing is paid twice."""
    expected, config, run = weights("xor"), bench.config("xor"), bench.folder / "run"
    ledger = run / "jobs.sqlite"
    assert bench.qep("submit", config, "--out", run).code == 0
    before = ledger.read_bytes()
    assert bench.qep("submit", run).code == 0
    ledger.unlink()
    if lost == "older":
        ledger.write_bytes(before)
    done = bench.qep("resume", run)
    assert (done.code, "did not know job" in done.err) == (0, True)
    assert json.loads((run / "weights.json").read_text()) == expected
    assert len(bench.double.log_of("POST", "^/jobs$")) == len(bench.double.jobs()) == JOBS["xor"]
