"""Native networks, fractional gates and rehearsals."""

import json

import preloaded
import pytest
from loopback_bench import HERE, NEEDS_DOUBLE, QEP, RAMP, double_of, small

pytest.importorskip("qiskit_ibm_runtime")
pytestmark = NEEDS_DOUBLE

LAYERS = 5  # of couplings, in four steps of the second order


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """With a device that has fractional gates, and one that has none."""
    with double_of("ibm_kingston", "ibm_manila", state=tmp_path_factory.mktemp("double")) as double:
        yield double


@pytest.fixture
def double(started):
    started.reset()
    return started


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "native.toml"
    path.write_text(small(RAMP, graph="native", num_spins=4, batch_size=4, backend="ibm_kingston"))
    return path


def qep(double, *words):
    """The command line in a process of its own; the environment names a proxy and no URL of the service."""
    env = double.env("proxy") | {"PYTHONPATH": str(HERE.parent)}
    return preloaded.run([*QEP, *map(str, words)], env=env, timeout=300)


def kept(folder):
    return json.loads((folder / "config.json").read_text())["config"]


@pytest.mark.deep
@pytest.mark.parametrize(("gates", "each"), [pytest.param("cz", 2, marks=pytest.mark.slow), ("rzz", 1)])
def test_a_native_network_is_sent_without_a_swap(double, config, tmp_path, gates, each):
    fractional = json.dumps(gates == "rzz")
    folder = tmp_path / "run"
    done = qep(double, "train", config, "--out", folder, "--set", f"execution.fractional_gates={fractional}")
    assert done.returncode == 0, done.stderr
    network = kept(folder)["network"]
    jobs = double.jobs()
    assert [job["state"] for job in jobs] == ["Completed"] * len(jobs)
    planned = qep(double, "plan", config, "--json", "--set", f"execution.fractional_gates={fractional}")
    assert json.loads(planned.stdout)["run"]["payload_bytes"] == pytest.approx(
        sum(job["payload_bytes"] for job in jobs), rel=0.02
    )
    for job in jobs:
        assert job["payload_bytes"] < 6_000
        (pub,) = job["summary"]["pubs"]
        assert pub["two_qubit_gates"] == each * LAYERS * len(network["edges"])
        assert pub["ops"].get(gates) == pub["two_qubit_gates"]
        assert sorted(pub["active_qubits"]) == network["qubits"]


@pytest.mark.deep
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["gate_twirling=true", "readout='twirled'", "calibration_shots=100"], marks=pytest.mark.slow),
        pytest.param(["dynamical_decoupling='XY4'"], marks=pytest.mark.slow),
    ],
)
def test_the_plan_counts_what_twirling_and_decoupling_add_to_a_job(double, config, tmp_path, options):
    words = [word for option in options for word in ("--set", f"execution.mitigation.{option}")]
    done = qep(double, "train", config, "--out", tmp_path / "run", *words)
    assert done.returncode == 0, done.stderr
    sent = [job["payload_bytes"] for job in double.jobs()]
    plan = json.loads(qep(double, "plan", config, "--json", *words).stdout)
    assert plan["run"]["payload_bytes"] == pytest.approx(sum(sent), rel=0.01)
    assert plan["largest_payload"] == pytest.approx(max(sent), rel=0.01)
    assert sum(sent) > (400_000 if "gate" in options[0] else 30_000)


@pytest.mark.parametrize(("gates", "each"), [("cz", 2), ("rzz", 1)])
def test_folded_circuits_and_the_calibration_are_in_the_same_job(double, config, tmp_path, gates, each):
    fractional, folder = json.dumps(gates == "rzz"), tmp_path / "run"
    mitigation = ["noise_factors=[1,3]", "readout='calibrated'", "calibration_shots=100"]
    words = [word for key in mitigation for word in ("--set", f"execution.mitigation.{key}")]
    done = qep(double, "train", config, "--out", folder, "--set", f"execution.fractional_gates={fractional}", *words)
    assert done.returncode == 0, done.stderr
    layers = each * LAYERS * len(kept(folder)["network"]["edges"])
    jobs = [job["summary"]["pubs"] for job in double.jobs()]
    assert [job["state"] for job in double.jobs()] == ["Completed"] * len(jobs)
    assert [[pub["ops"].get(gates, 0) for pub in pubs] for pubs in jobs] == [
        [layers, 3 * layers, 0, 0],  # both calibration circuits are in the first job, and hold for the epoch
        *([[layers, 3 * layers]] * (len(jobs) - 1)),
    ]
    state = json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])
    assert state["shots"] == 2 * 50 * (4 + 4 + 16) + 2 * 100


def test_fractional_gates_of_a_live_device_are_weighed(double, config):
    done = qep(double, "plan", config, "--json")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    (program,) = plan["programs"]
    gates = program["two_qubit_gates"]
    (change,) = [saving["change"] for saving in plan["savings"] if "fractional_gates" in saving["change"]]
    assert change.startswith(f"execution.fractional_gates = true: {gates // 2} two-qubit gates in place of {gates}")
    assert not double.jobs()


def test_a_device_without_fractional_gates(double, config, tmp_path):
    words = ("--set", "execution.fractional_gates=true", "--set", "execution.backend=ibm_manila")
    done = qep(double, "train", config, "--out", tmp_path / "run", *words)
    assert done.returncode == 2
    assert "execution.fractional_gates: ibm_manila offers no rzz of any angle; leave it out" in done.stderr
    assert not double.jobs()
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_rehearsal_sends_nothing_and_can_be_predicted_with_after_the_device_is_gone(double, config, tmp_path):
    folder = tmp_path / "run"
    words = ("--set", "execution.backend=rehearse:ibm_kingston", "--set", "execution.fractional_gates=true")
    done = qep(double, "train", config, "--out", folder, *words)
    assert done.returncode == 0, done.stderr
    assert not double.jobs()
    assert len(kept(folder)["network"]["qubits"]) == 4
    token = double.info["token"].encode()
    assert all(token not in file.read_bytes() for file in folder.iterdir())
    calls = len(double.log_of("CONNECT"))
    assert qep(double, "gradient", folder, "--sample", 0, "--json").returncode == 0
    assert qep(double, "resume", folder).returncode == 0
    assert len(double.log_of("CONNECT")) == calls
