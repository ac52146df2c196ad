"""The executor of IBM's devices against the double of the service: bits, calibrations, faults and kills.

Whatever goes wrong, every run must end with the same bits as the run in which nothing does.
"""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import preloaded
import pytest
from chi_square import LIMIT, counts_p_value
from ibm_requests import LOOPBACK_SHOTS, SPINS, ramp_request
from loopback_bench import CONFIGS, HERE, NEEDS_DOUBLE, QEP, calm
from qiskit_aer import AerSimulator

from qep_qiskit.core.seeds import Seeds
from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.device.pubs import DeviceCircuits
from qep_qiskit.execution.aer import _DensityMatrices, fake_device
from qep_qiskit.measurement import ReadoutMitigation
from qep_qiskit.outcomes import BitMemory, Distribution

pytest.importorskip("qiskit_ibm_runtime")
pytestmark = NEEDS_DOUBLE


def client(double, folder, *how):
    """Run the client in a process of its own; the environment names a proxy and no URL of the service."""
    folder.mkdir(exist_ok=True)
    env = double.env("proxy") | {"PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)])}
    command = [sys.executable, str(HERE / "loopback_client.py"), folder / "jobs.sqlite", folder / "bits.npz", *how]
    done = preloaded.run(command, env=env, timeout=200)
    (folder / "output.txt").write_text(done.stdout + done.stderr)
    return done


def bits_of(folder):
    with np.load(folder / "bits.npz") as found:
        return [found[name] for name in found.files]


@pytest.mark.deep
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, {"login": "accepted", "plan": "open, no sessions", "QPU seconds left": "600 of 600"}),
        ({"QISKIT_IBM_TOKEN": "no-such-key-000000000000000"}, {"login": "IBM's login refuses the token"}),
        ({"REQUESTS_CA_BUNDLE": None}, {"login": "the certificate of the service is not accepted"}),
        ({"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}, {"login": "the proxy cannot"}),
    ],
)
def test_doctor_says_what_is_wrong(double, change, said):
    env = {name: value for name, value in (double.env("proxy") | change).items() if value is not None}
    code = "import sys; from qep_qiskit.cli import main; sys.exit(main(['doctor', '--json']))"
    done = preloaded.run([sys.executable, "-c", code], env=env, timeout=200)
    found = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert done.returncode == (2 if change else 0)
    assert all(found[name]["found"].startswith(text) for name, text in said.items())
    assert env["QISKIT_IBM_TOKEN"] not in done.stdout + done.stderr
    if not change:
        assert found["devices"]["found"] == "ibm_manila (5 qubits, 0 in the queue)"


@pytest.fixture(scope="module")
def faultless(started, tmp_path_factory):
    """Folder of a run in which nothing went wrong, and the jobs of the double."""
    calm(started)
    folder = tmp_path_factory.mktemp("faultless")
    done = client(started, folder)
    assert done.returncode == 0, done.stderr
    return folder, started.jobs()


def require_same(folder, faultless):
    assert all(np.array_equal(a, b) for a, b in zip(bits_of(folder), bits_of(faultless[0]), strict=True))


@pytest.mark.deep
def test_outcomes_are_those_of_the_noisy_device(faultless):
    request = ramp_request(shots=(LOOPBACK_SHOTS, LOOPBACK_SHOTS))
    device = fake_device("fake_manila", SPINS)
    with JobLedger(faultless[0] / "jobs.sqlite") as ledger:
        (job,) = DeviceCircuits(device, Seeds(1), ledger).jobs_of_any_size(request)
        (pub,) = job.pubs
    exact = _DensityMatrices(AerSimulator.from_backend(device))(
        pub.circuit, pub.values.reshape(-1, pub.values.shape[-1])
    )
    for rows, bits in zip(job.rows, bits_of(faultless[0]), strict=True):
        for row, measured in zip(rows, bits[..., 0], strict=True):
            assert counts_p_value(np.bincount(measured, minlength=1 << SPINS), exact[row]) > LIMIT


def test_one_small_job_and_an_estimate_that_holds(faultless):
    (job,) = faultless[1]
    assert job["summary"]["n_pubs"] == 1
    assert job["summary"]["circuits"] == 8
    assert job["payload_bytes"] < 4096
    (entry,) = JobLedger.read(faultless[0] / "jobs.sqlite")
    assert entry.description.estimated_seconds == pytest.approx(job["estimate"], rel=1e-6)
    assert entry.description.estimated_seconds == pytest.approx(entry.usage_seconds, rel=0.1)


def without_reading(folder, readout):
    """Simulator of the device, and the circuit and numbers of a group as they were sent."""
    device = fake_device("fake_manila", SPINS)
    with JobLedger(folder / "jobs.sqlite") as ledger:
        (job,) = DeviceCircuits(device, Seeds(1), ledger).jobs_of_any_size(ramp_request(shots=(LOOPBACK_SHOTS,) * 2))
        (pub,) = job.pubs
    values = pub.values.reshape(-1, pub.values.shape[-1])[job.rows[readout]]
    return _DensityMatrices(AerSimulator.from_backend(device)), pub.circuit, values


@pytest.mark.deep(but=["calibrated"])
@pytest.mark.parametrize("kind", ["calibrated", "twirled"])
def test_a_calibration_is_in_the_same_job(double, faultless, tmp_path, kind):
    """It finds the errors of the snapshot, and means come out nearer to those without errors of the reading.

    The double reads qubits that no gate joins with the two errors of their calibration and others with their mean, so
    that offsets are its own; under flips they do not matter.
    """
    done = client(double, tmp_path / "run", kind)
    assert done.returncode == 0, done.stderr
    (job,) = double.jobs()
    assert job["summary"]["n_pubs"] == (3 if kind == "calibrated" else 2)
    (entry,) = JobLedger.read(tmp_path / "run" / "jobs.sqlite")
    assert entry.description.estimated_seconds == pytest.approx(job["estimate"], rel=1e-3)  # twirled gates take longer
    *measured, calibration = bits_of(tmp_path / "run")
    assert [bits.shape for bits in measured] == [bits.shape for bits in bits_of(faultless[0])]
    assert calibration.shape == (2 if kind == "calibrated" else 1, 2 * LOOPBACK_SHOTS, 1)
    errors = ReadoutMitigation(readout=kind).errors(BitMemory(bits=calibration, num_qubits=SPINS))
    request, deviations = ramp_request(shots=(LOOPBACK_SHOTS,) * 2), []
    for number, (readout, bits) in enumerate(zip(request.measurements, measured, strict=True)):
        simulator, circuit, values = without_reading(faultless[0], number)
        device = simulator.readout(circuit)
        factors = np.array([*device.slopes, device.slopes.prod()])
        if kind == "calibrated":
            found = np.array([*errors.slopes, errors.slopes.prod()])
        else:
            found = errors.factors([1, 2, 4, 7])
        assert np.allclose(found, factors, rtol=0, atol=0.03)
        exact = Distribution(weights=simulator(circuit, values), shots=None)
        truth = exact.moments(readout.group, device).means
        raw, mitigated = (
            BitMemory(bits=bits, num_qubits=SPINS).moments(readout.group, known).means for known in (None, errors)
        )
        deviations.append([(raw - truth).ravel(), (mitigated - truth).ravel()])
    before, after = np.linalg.norm(np.concatenate(deviations, axis=1), axis=1)
    assert after < (0.5 if kind == "twirled" else 1.0) * before


FAULTS = {
    "accepted, then reset": [("accept_then_reset", "^/jobs$", "POST", {})],
    "accepted, then 504": [("accept_then_status", "^/jobs$", "POST", {"status": 504})],
    "accepted, then 504 for ever": [("accept_then_status", "^/jobs$", "POST", {"status": 504, "times": -1})],
    "accepted, then silence": [("accept_then_hang", "^/jobs$", "POST", {"seconds": 2})],
    "accepted, then a cut answer": [("truncate", "^/jobs$", "POST", {})],
    "500 instead of acceptance": [("status", "^/jobs$", "POST", {"status": 500})],
    "reset instead of acceptance": [("reset", "^/jobs$", "POST", {})],
    "too many requests": [("status", "^/jobs$", "POST", {"status": 429, "headers": {"Retry-After": "1"}})],
    "bad listings": [
        ("accept_then_reset", "^/jobs$", "POST", {}),
        ("garbage", "^/jobs$", "GET", {}),
        ("status", "^/jobs$", "GET", {"status": 500, "times": 5}),
    ],
    "bad waiting": [
        ("status", "^/jobs/d", "GET", {"status": 500, "times": 9}),
        ("status", "^/jobs/d", "GET", {"status": 404}),
        ("reset", "^/jobs/d", "GET", {"times": 2}),
        ("garbage", "^/jobs/d", "GET", {"nth": 2}),
    ],
    "bad results": [
        ("truncate", "/results$", "GET", {}),
        ("garbage", "/results$", "GET", {}),
        ("status", "/results$", "GET", {"status": 503, "times": 5}),
    ],
}


AT_ONCE = ("accepted, then 504", "accepted, then silence", "bad results")


@pytest.mark.deep(but=["accepted, then 504"])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in AT_ONCE else [pytest.mark.slow]) for name in FAULTS]
)
def test_every_fault_ends_with_the_same_bits_and_one_job(double, faultless, tmp_path, name):
    for action, where, method, more in FAULTS[name]:
        double.fault(action, where, method, **more)
    done = client(double, tmp_path / "run")
    assert done.returncode == 0, done.stderr
    require_same(tmp_path / "run", faultless)
    assert [job["state"] for job in double.jobs()] == ["Completed"]
    times = {"500 instead of acceptance": 2, "reset instead of acceptance": 2, "too many requests": 2}
    assert len(double.log_of("POST", "^/jobs$")) == times.get(name, 1)


@pytest.mark.deep
def test_duplicates_that_the_client_makes_by_itself_are_cancelled(double, faultless, tmp_path):
    double.config(queue_seconds=6)
    double.fault("accept_then_status", "^/jobs$", "POST", status=504)
    assert client(double, tmp_path / "run", "untamed").returncode == 0
    require_same(tmp_path / "run", faultless)
    assert sorted(job["state"] for job in double.jobs()) == ["Cancelled", "Completed"]


@pytest.mark.deep
def test_a_listing_that_lags(double, faultless, tmp_path):
    double.config(list_lag_seconds=5)
    double.fault("accept_then_reset", "^/jobs$", "POST")
    assert client(double, tmp_path / "run").returncode == 0
    require_same(tmp_path / "run", faultless)
    assert len(double.jobs()) == len(double.log_of("POST", "^/jobs$")) == 1


@pytest.mark.deep(but=["after"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_on_either_side_of_the_submission(double, faultless, tmp_path, when):
    assert client(double, tmp_path / "run", when).returncode == -signal.SIGKILL
    assert len(double.jobs()) == (when == "after")
    assert [entry.state for entry in JobLedger.read(tmp_path / "run" / "jobs.sqlite")] == ["intended"]
    assert client(double, tmp_path / "run").returncode == 0
    require_same(tmp_path / "run", faultless)
    assert len(double.jobs()) == len(double.log_of("POST", "^/jobs$")) == 1


def test_the_token_is_in_no_file_and_only_ibm_is_called(double, tmp_path):
    double.fault("status", "^/jobs/d", "GET", status=401, times=-1)
    folder = tmp_path / "run"
    done = client(double, folder)
    assert "DeviceError: ibm_manila: the service refuses to answer" in done.stderr
    token = double.info["token"].encode()
    assert all(token not in file.read_bytes() for file in folder.iterdir())
    calls = double.log_of("CONNECT")
    assert calls
    assert all(call["host"].endswith(".cloud.ibm.com") for call in calls)


def qep(double, *words, seconds=None):
    """The command line in a process of its own, killed after some seconds; its exit code, None where it was killed."""
    env = double.env("proxy") | {"PYTHONPATH": str(HERE.parent)}
    try:
        return preloaded.run([*QEP, *map(str, words)], env=env, timeout=seconds).returncode
    except subprocess.TimeoutExpired:
        return None


@pytest.mark.slow
def test_training_that_is_killed_again_and_again(double, tmp_path):
    """Also with every submission's answer lost: the same weights, and every job accepted once."""
    config = tmp_path / "xor.toml"
    config.write_text(CONFIGS["xor"])
    assert qep(double, "train", config, "--out", tmp_path / "whole") == 0
    jobs = len(double.jobs())
    double.reset()
    double.config(queue_seconds=1.0)
    double.fault("accept_then_reset", "^/jobs$", "POST", times=-1)
    seconds = 5.0
    killed = tmp_path / "killed"
    begin = ("train", config, "--out", killed)
    code = qep(double, *begin, seconds=seconds)
    kills = 0
    while code is None:
        assert (kills := kills + 1) < 20
        seconds += 0.37
        again = ("resume", killed) if killed.exists() else begin
        code = qep(double, *again, seconds=seconds)
    assert code == 0
    assert kills
    weights = [json.loads((tmp_path / run / "weights.json").read_text()) for run in ("whole", "killed")]
    assert weights[0] == weights[1]
    assert [job["state"] for job in double.jobs()] == ["Completed"] * jobs
    assert {entry.state for entry in JobLedger.read(killed / "jobs.sqlite")} == {"applied"}
