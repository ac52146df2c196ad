"""A live device rehearsed: its calibration is taken once, and everything that follows uses it."""

import json

import pytest

pytest.importorskip("qiskit_ibm_runtime")

from ibm_stand_in import TOKEN, StandInService
from qiskit.transpiler import InstructionProperties

from qep_qiskit.core.errors import DeviceError
from qep_qiskit.device import ibm_login

CONFIG = """
name = "rehearsed"
seed = 3
[task]
kind = "csv"
file = "flowers.csv"
inputs = ["length", "width"]
target = "kind"
[network]
graph = "native"
num_spins = 3
[preparation]
kind = "adiabatic"
total_time = 1.5
steps = 3
[measurement]
shots = 50
[contrast]
kind = "symmetric"
beta = 0.3
[training]
epochs = 2
batch_size = 8
[execution]
backend = "rehearse:ibm_stand_in"
"""


@pytest.fixture
def service(monkeypatch):
    """Counts logins; everything else is the stand-in."""
    found = StandInService()
    found.logins, found._api_clients = 0, {}

    def open_service(instance):
        found.logins += 1
        return found

    monkeypatch.setattr(ibm_login, "open_service", open_service)
    return found


@pytest.fixture
def config(here):
    path = here / "rehearsed.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def out_of_reach(monkeypatch):
    def refuse(instance):
        raise DeviceError("the service must not be asked again")

    return lambda: monkeypatch.setattr(ibm_login, "open_service", refuse)


def weights(folder):
    return (folder / "weights.json").read_bytes()


def test_a_rehearsal_is_the_snapshot_with_the_same_calibration(qep, here, config, service, out_of_reach):
    """The stand-in has the calibration of fake_manila: the same weights to the last bit."""
    assert qep("train", config, "--out", "live").code == 0
    assert service.logins == 1
    assert service.posts == 0
    out_of_reach()
    assert qep("train", config, "--out", "fake", "--set", "execution.backend=fake_manila").code == 0
    assert weights(here / "live") == weights(here / "fake")
    assert all(TOKEN not in file.read_text(errors="replace") for file in (here / "live").iterdir())


def test_a_run_keeps_its_calibration_and_its_qubits(qep, stopped, here, config, service, out_of_reach):
    """The device is calibrated anew, then out of reach: nothing changes for a run that has begun."""
    folder = stopped(config, here / "halted", 2)
    assert qep("train", config, "--out", "whole").code == 0
    target = service.device.target
    for where in target["cx"]:
        target.update_instruction_properties("cx", where, InstructionProperties(error=0.3, duration=5e-7))
    out_of_reach()
    assert qep("resume", folder).code == 0
    assert weights(folder) == weights(here / "whole")
    kept = json.loads((folder / "config.json").read_text())["config"]
    assert len(kept["network"]["qubits"]) == 3
    assert qep("gradient", folder, "--sample", 0, "--json").code == 0
    first, again = (qep("predict", folder, "flowers.csv", "--json") for _ in range(2))
    assert (first.code, first.out) == (0, again.out)
    assert qep("predict", here / "whole", "flowers.csv", "--json").out == first.out


def test_plan_and_gradient(qep, here, config, service):
    plan = qep("plan", config, "--json")
    assert (plan.code, plan.object["device"]) == (0, "ibm_stand_in")
    assert set(plan.object["programs"][0]["qubits"]) <= set(range(5))
    assert plan.object["programs"][0]["helpers"] == []
    assert plan.object["programs"][0]["two_qubit_gates"] == 2 * 2 * 4
    assert qep("gradient", config, "--sample", 0, "--json").code == 0


@pytest.mark.deep
def test_budget(qep, config, service):
    small = ["budget.repeats=2", "budget.samples=2", "budget.shots=[20]", "budget.betas=[0.3]"]
    words = [word for text in small for word in ("--set", text)]
    assert qep("budget", config, "--study", "gradient", "--out", "study", *words).code == 0


@pytest.mark.parametrize(
    ("backend", "message"),
    [
        ("rehearse:fake_torino", "names a snapshot, which needs no prefix; use 'fake_torino'"),
        ("rehearse:aer", "expected 'rehearse:ibm_...', got 'rehearse:aer'"),
        ("rehearse:ibm_moon", "the account has no device 'ibm_moon'; there are: ibm_stand_in"),
    ],
)
def test_other_names(qep, here, config, service, backend, message):
    result = qep("train", config, "--out", "run", "--set", f"execution.backend={backend}")
    assert result.code == 2
    assert message in result.err
    assert result.err.count("\n") == 1
    assert not (here / "run").exists()


def test_what_does_not_go_with_it(qep, here, config, service):
    assert (
        "goes with backend = 'rehearse:ibm_...' only"
        in qep("train", config, "--set", "execution.backend=fake_manila", "--set", "execution.snapshot='x'").err
    )
    assert "the description of the device is damaged" in qep("train", config, "--set", "execution.snapshot='x'").err
    assert (
        "offers no rzz of any angle that works" in qep("train", config, "--set", "execution.fractional_gates=true").err
    )
    assert "has 5 qubits, the network needs 6" in qep("train", config, "--set", "network.num_spins=6").err
    sweep = qep("sweep", config, "--over", "seed=1,2", "--out", "sweep")
    assert (sweep.code, "another calibration whenever the sweep goes on" in sweep.err) == (2, True)
