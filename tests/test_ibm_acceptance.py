"""Whole runs of the command line against a double of IBM's service that the client cannot tell from IBM's.

The double lies in ../shared/ibm_loopback, or where QEP_IBM_LOOPBACK says; without it these tests are skipped. The
environment names a proxy, an account and no URL. Bits of the double depend on what a job contains and on nothing else,
so whatever goes wrong, every run must end with the weights of the run in which nothing does; where it stops it says
why in one line, and `qep resume` goes on.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from qep_qiskit.device.ledger import JobLedger

HERE = Path(__file__).parent
DOUBLE = Path(os.environ.get("QEP_IBM_LOOPBACK", HERE.parent.parent / "shared" / "ibm_loopback"))
IMPATIENT = [sys.executable, str(HERE / "impatient_qep.py")]
QEP = [sys.executable, "-c", "import sys; from qep_qiskit.cli.main import main; sys.exit(main())"]

pytest.importorskip("qiskit_ibm_runtime")
pytestmark = [
    pytest.mark.skipif(not DOUBLE.is_dir(), reason=f"the double of IBM's service is not at {DOUBLE}"),
    pytest.mark.xdist_group("ibm_loopback"),
]

TASK = """
name = "small"
seed = 1
[task]
kind = "xor"
[network]
graph = "chain"
num_spins = 3
[contrast]
kind = "symmetric"
[training]
epochs = 1
batch_size = 2
evaluate_every = 0
[measurement]
shots = 50
[execution]
backend = "ibm_manila"
max_qpu_seconds = 1000.0
"""
RAMP = """
[preparation]
kind = "adiabatic"
total_time = 1.5
steps = 4
"""
AIM = """
[cost]
kind = "operator"
terms = [{ pauli = "Z2" }]
"""
VQE = """
[preparation]
kind = "variational"
on_unconverged = "go_on"
ansatz = { kind = "hamiltonian", depth = 1 }
"""
MEASURED_VQE = """
energies = "sampled"
optimizer = "spsa"
residual_directions = 0
options = { maxiter = 3, resamplings = 2, last_avg = 2 }
"""
CONFIGS = {
    "xor": TASK + RAMP,
    "operator": TASK + RAMP + AIM,
    "simulated vqe": TASK + VQE,
    "measured vqe": TASK + VQE + MEASURED_VQE,
}
JOBS = {"xor": 5, "operator": 3, "simulated vqe": 5, "measured vqe": 20}


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    sys.path.insert(0, str(DOUBLE))
    try:
        from loopback import Loopback
    finally:
        sys.path.remove(str(DOUBLE))
    state = tmp_path_factory.mktemp("double")
    with Loopback("--backends", "ibm_manila", "--noise", "full", state_dir=str(state)) as lb:
        yield lb


def calm(double):
    double.clear_faults()
    double.reset()
    double.config(
        list_lag_seconds=0, queue_seconds=0, token_ttl=3600, usage_consumed_offset=0.0, backend_status={}, run_seconds=0
    )
    double.config(result_mode=None, usage_mode=None, usage_pending_seconds=0, hide_backends=[], reuse_job_id=False)
    double.config(list_reverse=False, list_duplicate=False, list_count_extra=0, list_ignore_tags=False, skew_seconds=0)


@pytest.fixture
def double(started):
    calm(started)
    yield started
    started.ctl("release", {})


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def line(self):
        """What was said, in one line."""
        return " ".join(self.err.split())


class Bench:
    """Runs the command line beside a double."""

    def __init__(self, double, folder):
        self.double, self.folder = double, folder

    def config(self, name, more=""):
        path = self.folder / f"{name.replace(' ', '_')}.toml"
        path.write_text(CONFIGS[name] + more)
        return path

    def environment(self, **changes):
        env = self.double.env("proxy") | {"PYTHONPATH": str(HERE.parent), "OPENBLAS_NUM_THREADS": "1"} | changes
        return {name: value for name, value in env.items() if value is not None}

    def start(self, *words, retrying=False, **changes):
        command = [*(QEP if retrying else IMPATIENT), *map(str, words)]
        return subprocess.Popen(
            command, env=self.environment(**changes), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def qep(self, *words, retrying=False, **changes):
        process = self.start(*words, retrying=retrying, **changes)
        return self.ended(process)

    def ended(self, process):
        try:
            out, err = process.communicate(timeout=200)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        token = self.double.info["token"]
        assert token not in out + err
        assert "Traceback" not in out + err
        return Done(process.returncode, out, err)

    def finish(self, config, run, first):
        """Go on until the run is finished; all that was said on the way, the first command's ending first."""
        said = [first]
        while said[-1].code != 0:
            assert said[-1].code in (2, 3, 130, -signal.SIGKILL), said[-1].err
            assert len(said) < 5, [done.err for done in said]
            goes_on = (run / "config.json").exists()
            said.append(self.qep(*(("resume", run) if goes_on else ("train", config, "--out", run))))
        return said

    def entries(self, run):
        return JobLedger.read(run / "jobs.sqlite")

    def require_sound(self, run, expected, jobs):
        """The weights of the faultless run; every job accepted once; nothing that should not be seen or called."""
        assert json.loads((run / "weights.json").read_text()) == expected
        entries = self.entries(run)
        good = [entry for entry in entries if entry.state == "applied"]
        assert len(good) == jobs
        assert len({(entry.description.key, entry.description.part) for entry in good}) == jobs
        found = {job["id"]: job["state"] for job in self.double.jobs()}
        assert sorted(name for name, state in found.items() if state == "Completed") == sorted(e.job_id for e in good)
        assert all(state in ("Completed", "Cancelled", "Failed") for state in found.values())
        self.require_discretion(run)

    def require_discretion(self, run):
        token = self.double.info["token"].encode()
        assert all(token not in file.read_bytes() for file in run.rglob("*") if file.is_file())
        calls = self.double.log_of("CONNECT")
        assert calls
        assert all(call["host"].endswith(".cloud.ibm.com") and call["status"] == 200 for call in calls)


@pytest.fixture
def bench(double, tmp_path):
    return Bench(double, tmp_path)


@pytest.fixture(scope="module")
def weights(started, tmp_path_factory):
    """Weights of faultless runs, by the name of their configuration."""
    known = {}

    def of(name):
        if name not in known:
            calm(started)
            folder = tmp_path_factory.mktemp("faultless")
            one = Bench(started, folder)
            done = one.qep("train", one.config(name), "--out", folder / "run")
            assert done.code == 0, done.err
            assert len(started.jobs()) == len(started.log_of("POST", "^/jobs$")) == JOBS[name]
            known[name] = json.loads((folder / "run" / "weights.json").read_text())
            one.require_sound(folder / "run", known[name], JOBS[name])
            calm(started)
        return known[name]

    return of


def train(bench, weights, name="xor", more="", posts=None):
    """Train to the end whatever it takes, and check what came of it; all that was said."""
    expected, config, run = weights(name), bench.config(name, more), bench.folder / "run"
    return _trained(bench, expected, name, config, run, posts, bench.qep)


def _trained(bench, expected, name, config, run, posts, qep):
    said = bench.finish(config, run, qep("train", config, "--out", run))
    bench.require_sound(run, expected, JOBS[name])
    if posts is not None:
        assert len(bench.double.log_of("POST", "^/jobs$")) == posts
    return said


# Without faults.


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


# Faults of single answers.

REQUESTS = {
    "login": ("^/iam/identity/token$", "POST", 1),
    "search": ("^/search/", "POST", 1),
    "plans": ("^/catalog/", "GET", 1),
    "devices": ("^/backends$", "GET", 2),
    "configuration": ("/configuration$", "GET", 1),
    "properties": ("/properties$", "GET", 1),
    "status": ("^/backends/.*/status$", "GET", 2),
    "usage": ("^/instances/usage$", "GET", 2),
    "submission": ("^/jobs$", "POST", 2),
    "listing": ("^/jobs$", "GET", 2),
    "job": ("^/jobs/[a-z0-9]+$", "GET", 5),
    "results": ("/results$", "GET", 2),
    "metrics": ("/metrics$", "GET", 2),
}
ACTIONS = {
    "500": ("status", {"status": 500}),
    "429": ("status", {"status": 429}),
    "silence": ("hang", {"seconds": 8}),
    "reset": ("reset", {}),
    "401": ("status", {"status": 401}),
    "cut": ("truncate", {}),
    "garbage": ("garbage", {}),
}


def hinder(double, request, action, **more):
    (path, method, nth), (name, how) = REQUESTS[request], ACTIONS[action]
    double.fault(name, path, method, **({"nth": nth} | how | more))


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


# Faults that last.

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


# Ends of jobs.


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


def finished(double):
    """Jobs of the double, once all of them are."""
    deadline = time.monotonic() + 60
    while not all(job["state"] == "Completed" for job in double.jobs()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return double.jobs()


# The listing, the clock, the charges, the device and the ledger.

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


def waited_for(double):
    """Id of a job that is held, once there is one."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        held = [job["id"] for job in double.jobs() if job.get("hold") and job["state"] == "Queued"]
        if held:
            return held[0]
        time.sleep(0.1)
    raise AssertionError("no job is held")


def cancel(double, job_id):
    asked(double, "POST", f"{job_id}/cancel")


def asked(double, method, what):
    """As another client of the account would."""
    base = double.info["base"]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    key = urllib.parse.urlencode({"apikey": double.info["token"]}).encode()
    token = json.load(opener.open(f"{base}/iam/identity/token", key))["access_token"]
    headers = {"Authorization": f"Bearer {token}", "Service-CRN": double.info["instance"]}
    opener.open(urllib.request.Request(f"{base}/v1/jobs/{what}", b"", headers, method=method))


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
    asked = time.monotonic()
    process.send_signal(number)
    first = bench.ended(process)
    assert time.monotonic() - asked < 2
    assert first.code == 130
    assert f"stopped in step 1 of 2, with 1 answer kept; job {job} on ibm_manila goes on, its id is saved" in first.line
    assert f"go on with 'qep resume {run}'" in first.line
    bench.double.ctl("release", {})
    bench.finish(config, run, first)
    bench.require_sound(run, expected, JOBS["xor"])
    assert len(bench.double.log_of("POST", "^/jobs$")) == 5


# Accounts.


@pytest.mark.slow
def test_access_tokens_that_run_out_are_renewed(bench, weights):
    expected = weights("xor")
    bench.double.config(token_ttl=2)
    assert [done.code for done in train(bench, lambda name: expected, posts=5)] == [0]
    assert len(bench.double.log_of("POST", "^/iam/identity/token$")) > 3


@pytest.mark.slow
@pytest.mark.parametrize("nth", [4, 10])
def test_access_tokens_that_cannot_be_renewed_for_a_moment(bench, weights, nth):
    expected = weights("xor")
    bench.double.config(token_ttl=2)
    bench.double.fault("status", "^/iam/identity/token$", "POST", status=500, nth=nth)
    assert [done.code for done in train(bench, lambda name: expected, posts=None)] == [0]
    assert len(bench.double.jobs()) == 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"backend_status": {"ibm_manila": {"state": False, "status": "maintenance", "refuse_jobs": True}}},
            r"ibm_manila: the device is not taking jobs \(maintenance\); nothing was submitted, try later",
        ),
        (
            {"usage_consumed_offset": 599.0},
            r"the run is estimated at \d+\.\d QPU seconds and the account has 1\.0 left; make it cheaper",
        ),
    ],
    ids=["maintenance", "allowance"],
)
def test_a_run_that_may_not_start_yet_is_gone_on_with(bench, weights, settings, message):
    expected, config, run = weights("xor"), bench.config("xor"), bench.folder / "run"
    bench.double.config(**settings)
    first = bench.qep("train", config, "--out", run)
    assert first.code == 2
    assert re.search(message, first.line)
    assert bench.double.jobs() == bench.double.log_of("POST", "^/jobs$") == []
    assert not run.exists()
    calm(bench.double)
    bench.finish(config, run, first)
    bench.require_sound(run, expected, JOBS["xor"])


CLOSED = "http://127.0.0.1:9"
NOT_LET_IN = {
    "bad token": (
        {"QISKIT_IBM_TOKEN": "no-such-key-000000000000000"},
        "",
        "IBM's login refuses the token; nothing was",
    ),
    "no account": (
        {"QISKIT_IBM_TOKEN": None, "QISKIT_IBM_INSTANCE": None, "QISKIT_IBM_CHANNEL": None},
        "",
        r"there is no IBM Quantum account on this machine; save one with QiskitRuntimeService\.save_account",
    ),
    "unknown instance": ({}, 'instance = "nobody"', "the account has no instance 'nobody'; there are: open-instance"),
    "unknown device": ({}, 'backend = "ibm_nowhere"', "the account has no device 'ibm_nowhere'; there are: ibm_manila"),
    "no network": (
        {"HTTPS_PROXY": CLOSED, "https_proxy": CLOSED},
        "",
        "login service cannot be reached; nothing was submitted, check the network",
    ),
}


@pytest.mark.deep(but=["bad token"])
@pytest.mark.parametrize("name", NOT_LET_IN)
def test_who_is_not_let_in_is_told_why_and_leaves_no_folder(bench, name):
    changes, key, message = NOT_LET_IN[name]
    config = bench.config("xor")
    text = config.read_text()
    text = text.replace('backend = "ibm_manila"', key) if key.startswith("backend") else text
    config.write_text(text.replace("[execution]", f"[execution]\n{key}") if key.startswith("instance") else text)
    done = bench.qep("train", config, "--out", bench.folder / "run", **changes)
    assert done.code == 2
    assert re.search(message, done.line)
    assert len(done.err.splitlines()) == 1
    assert not (bench.folder / "run").exists()
    assert bench.double.log_of("POST", "^/jobs$") == []


@pytest.mark.slow
@pytest.mark.parametrize("request_", ["login", "search", "devices", "configuration", "properties"])
def test_a_service_that_is_down_at_the_start_leaves_no_folder(bench, request_):
    hinder(bench.double, request_, "500", nth=1, times=-1)
    done = bench.qep("train", bench.config("xor"), "--out", bench.folder / "run")
    assert done.code == 2
    assert re.search("nothing was submitted, check the network", done.line)
    assert len(done.err.splitlines()) == 1
    assert not (bench.folder / "run").exists()


# Kills. One job of a step, and what happens to it, moment by moment.

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
    "before a line of metrics": ("before", "_write", 2),
    "after a line of metrics": ("after", "_write", 3),
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


# Variational states.

VQE_KILLS = {"after a submission": ("after", "send", 3), "before a checkpoint": ("before", "save_state", 5)}


@pytest.mark.slow
@pytest.mark.parametrize("moment", VQE_KILLS)
@pytest.mark.parametrize("name", ["simulated vqe", "measured vqe"])
def test_variational_states_on_a_device(bench, weights, name, moment):
    """Angles found on this machine, or from measured energies, with one job for every step of SPSA."""
    expected, config, run = weights(name), bench.config(name), bench.folder / "run"
    bench.double.fault("accept_then_reset", "^/jobs$", "POST", nth=2)
    first = bench.qep("--die", *VQE_KILLS[moment], "train", config, "--out", run)
    bench.finish(config, run, first)
    bench.require_sound(run, expected, JOBS[name])
    assert len(bench.double.log_of("POST", "^/jobs$")) == JOBS[name]
    assert {job["summary"]["n_pubs"] for job in bench.double.jobs()} == {1}


@pytest.mark.deep(but=["simulated vqe"])
@pytest.mark.parametrize("name", ["simulated vqe", "measured vqe"])
def test_jobs_of_variational_states_are_planned(bench, name):
    planned = json.loads(bench.qep("plan", bench.config(name), "--backend", "fake_manila", "--json").out)
    assert planned["run"]["jobs"] == JOBS[name]
