"""Runs of the command line beside a double of IBM's service, which the client cannot tell from IBM's.

The double lies in ../shared/ibm_loopback, or where QEP_IBM_LOOPBACK says; without it its tests are skipped. The
environment names a proxy, an account and no URL. Bits of the double depend on what a job contains and on nothing else,
so whatever goes wrong, every run must end with the weights of the run in which nothing does.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import preloaded
import pytest

from qep_qiskit.device.ledger import JobLedger

HERE = Path(__file__).parent
DOUBLE = Path(os.environ.get("QEP_IBM_LOOPBACK", HERE.parent.parent / "shared" / "ibm_loopback"))
IMPATIENT = [sys.executable, str(HERE / "impatient_qep.py")]
QEP = [sys.executable, "-c", "import sys; from qep_qiskit.cli.main import main; sys.exit(main())"]
NEEDS_DOUBLE = pytest.mark.skipif(not DOUBLE.is_dir(), reason=f"the double of IBM's service is not at {DOUBLE}")

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


def small(*sections, graph="chain", num_spins=3, batch_size=2, backend="ibm_manila"):
    """A run of one epoch on a device, by its preparation and cost."""
    return f"""
name = "small"
seed = 1
[task]
kind = "xor"
[network]
graph = "{graph}"
num_spins = {num_spins}
[contrast]
kind = "symmetric"
[training]
epochs = 1
batch_size = {batch_size}
evaluate_every = 0
[measurement]
shots = 50
[execution]
backend = "{backend}"
max_qpu_seconds = 1000.0
{"".join(sections)}"""


CONFIGS = {
    "xor": small(RAMP),
    "operator": small(RAMP, AIM),
    "simulated vqe": small(VQE),
    "measured vqe": small(VQE, MEASURED_VQE),
}
JOBS = {"xor": 5, "operator": 3, "simulated vqe": 5, "measured vqe": 20}


def double_of(*backends, state):
    """The double with some devices, to be started by ``with``."""
    sys.path.insert(0, str(DOUBLE))
    try:
        from loopback import Loopback
    finally:
        sys.path.remove(str(DOUBLE))
    return Loopback("--backends", ",".join(backends), "--noise", "full", state_dir=str(state))


def calm(double):
    double.clear_faults()
    double.reset()
    double.config(
        list_lag_seconds=0, queue_seconds=0, token_ttl=3600, usage_consumed_offset=0.0, backend_status={}, run_seconds=0
    )
    double.config(result_mode=None, usage_mode=None, usage_pending_seconds=0, hide_backends=[], reuse_job_id=False)
    double.config(list_reverse=False, list_duplicate=False, list_count_extra=0, list_ignore_tags=False, skew_seconds=0)


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
        return preloaded.started(command, env=self.environment(**changes))

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


def train(bench, weights, name="xor", more="", posts=None):
    """Train to the end whatever it takes, and check what came of it; all that was said."""
    expected, config, run = weights(name), bench.config(name, more), bench.folder / "run"
    return trained_to_the_end(bench, expected, name, config, run, posts, bench.qep)


def trained_to_the_end(bench, expected, name, config, run, posts, qep):
    said = bench.finish(config, run, qep("train", config, "--out", run))
    bench.require_sound(run, expected, JOBS[name])
    if posts is not None:
        assert len(bench.double.log_of("POST", "^/jobs$")) == posts
    return said


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


def finished(double):
    """Jobs of the double, once all of them are."""
    deadline = time.monotonic() + 60
    while not all(job["state"] == "Completed" for job in double.jobs()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return double.jobs()


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


def all_command_lines():
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(found)
