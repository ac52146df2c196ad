"""Runs on a device from the command line: at once, or a job at a time; on a stand-in for IBM's client."""

import json
import sys
from unittest.mock import Mock

import pytest

pytest.importorskip("qiskit_ibm_runtime")

from ibm_runs import SETTINGS
from ibm_stand_in import INSTANCE, FractionalService, api_error
from qiskit.providers.exceptions import QiskitBackendNotFoundError

from qep_qiskit.device.ibm import IbmDevice
from qep_qiskit.device.ledger import JobLedger


@pytest.fixture
def trained(qep, service, here, settings):
    """A run without a pause, and how many jobs it took."""
    result = qep("train", here / "circuits.toml", "--out", here / "whole", *settings(*SETTINGS))
    assert result.code == 0, result.err
    return here / "whole", service.posts


def entries(folder):
    return JobLedger.read(folder / "jobs.sqlite")


def test_a_run_says_what_it_will_spend_and_what_it_has_spent(qep, service, here, settings):
    service.charge = {"qpu_charge_time_seconds": 2.5}
    plan = qep("plan", here / "circuits.toml", "--json", *settings(*SETTINGS)).object
    result = qep("train", here / "circuits.toml", "--out", here / "run", *settings(*SETTINGS))
    (line,) = result.err.splitlines()
    cost = plan["run"]
    assert line == (
        f"qep: ibm_stand_in: {cost['jobs']} jobs, {cost['executions']:,} executions, QPU seconds: "
        f"{cost['qpu_seconds']:.1f} estimated, 60 at most; account: 600 QPU seconds left"
    )
    summary = json.loads((here / "run/summary.json").read_text())
    assert (summary["jobs"], summary["qpu_seconds"]) == (cost["jobs"], 2.5 * cost["jobs"])
    assert summary["qpu_seconds_estimated"] == 0
    rows = [line.split() for line in result.out.splitlines()]
    assert ["jobs", str(cost["jobs"])] in rows
    assert ["QPU", "seconds", f"{2.5 * cost['jobs']:.1f}"] in rows
    (here / "rows.csv").write_text("s0,s1\n0,1\n")
    assert qep("predict", here / "run", here / "rows.csv").code == 0
    assert "so far" not in qep("resume", here / "run").err
    assert json.loads((here / "run/summary.json").read_text()) == summary


def test_unknown_charges_are_estimated_in_the_summary(qep, service, here, settings):
    service.charge = {"status": "pending"}
    assert qep("train", here / "circuits.toml", "--out", here / "run", *settings(*SETTINGS)).code == 0
    summary = json.loads((here / "run/summary.json").read_text())
    estimated = sum(entry.description.estimated_seconds for entry in entries(here / "run"))
    assert summary["qpu_seconds"] == summary["qpu_seconds_estimated"] == pytest.approx(estimated, abs=1e-3)


def test_a_run_that_goes_on_says_what_it_has_spent(qep, service, here, settings):
    assert qep("submit", here / "circuits.toml", "--out", here / "run", *settings(*SETTINGS)).code == 0
    result = qep("resume", here / "run")
    assert result.err.startswith("qep: ibm_stand_in: 1 job and 2.")
    assert result.err.endswith(" QPU seconds so far, 60 at most\n")


def test_submit_and_collect_come_to_the_same_weights_as_train(qep, service, here, settings, trained, warm_start):
    whole, jobs = trained
    folder = here / "paced"
    result = qep("submit", here / "circuits.toml", "--out", folder, *settings(*SETTINGS))
    assert result.code == 0, result.err
    assert "is on ibm_stand_in" in result.out
    assert f"'qep collect {folder}' fetches it" in result.out
    assert service.posts == jobs + 1
    for sent in range(1, jobs):
        result = qep("collect", folder)
        assert result.code == 0, result.err
        assert f"'qep submit {folder}' sends its next job" in result.out
        assert service.posts == jobs + sent
        assert qep("submit", folder).code == 0
        assert service.posts == jobs + sent + 1
    assert "wrote" in qep("collect", folder).out
    assert warm_start(folder) == warm_start(whole)
    assert {entry.state for entry in entries(folder)} == {"applied"}
    assert "nothing to resume" in qep("submit", folder).out
    assert service.posts == 2 * jobs


@pytest.mark.skipif(sys.platform == "win32", reason="modes are those of POSIX")
def test_a_folder_that_names_the_account_is_for_its_owner(qep, service, here, settings):
    assert qep("submit", here / "circuits.toml", "--out", here / "run", *settings(*SETTINGS)).code == 0
    assert (here / "run").stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode & 0o777 for path in (here / "run").iterdir()}
    assert {modes[name] for name in ("config.json", "data.npz", "metrics.jsonl", "jobs.sqlite")} == {0o600}


def test_collect_sends_nothing_and_submit_waits_for_nothing(qep, service, here, settings):
    folder = here / "paced"
    service.queue_polls = 10**6
    assert qep("submit", here / "circuits.toml", "--out", folder, *settings(*SETTINGS)).code == 0
    for command in ("submit", "collect"):
        result = qep(command, folder)
        assert result.code == 3
        assert "job job0 on ibm_stand_in is still queued" in result.err
    assert service.posts == 1
    service.queue_polls = 0
    assert qep("collect", folder).code == 0
    assert "nothing to collect" in qep("collect", folder).out
    assert service.posts == 1


def test_submit_alone_also_comes_to_the_end(qep, service, here, settings, trained, warm_start):
    whole, jobs = trained
    folder = here / "paced"
    qep("submit", here / "circuits.toml", "--out", folder, *settings(*SETTINGS))
    for _ in range(jobs):
        assert qep("submit", folder).code == 0
    assert warm_start(folder) == warm_start(whole)
    assert service.posts == 2 * jobs


def test_jobs_lists_the_ledger_beside_the_service(qep, service, here, settings):
    folder = here / "paced"
    service.queue_polls = 10**6
    qep("submit", here / "circuits.toml", "--out", folder, *settings(*SETTINGS))
    (row,) = qep("jobs", folder, "--json").object
    assert (row["ledger"], row["state"], row["job_id"]) == ("jobs.sqlite", "submitted", "job0")
    assert (row["service"], row["position"], row["starts"]) == ("waiting", 3, 1767323045.0)
    assert row["executions"] == entries(folder)[0].description.executions > 0
    said = " ".join(qep("jobs", folder).out.split())
    assert "job0" in said
    assert "position 3" in said
    assert qep("jobs", folder, "--offline", "--json").object[0]["service"] is None
    service.faults = {"status": [api_error(500)] * 1000}
    result = qep("jobs", folder, "--json")
    assert result.code == 0
    assert "the ledger alone is shown" in result.err
    assert json.loads(result.out)[0]["service"] is None


def test_cancel_ends_what_is_under_way_and_submit_sends_it_again(qep, service, here, settings):
    folder = here / "paced"
    service.queue_polls = 10**6
    qep("submit", here / "circuits.toml", "--out", folder, *settings(*SETTINGS))
    assert qep("cancel", folder).out == "job0: cancelled\n"
    assert service.accepted[0].state == "CANCELLED"
    assert [entry.state for entry in entries(folder)] == ["cancelled"]
    assert "no job is under way" in qep("cancel", folder).out
    assert "there was nothing to collect" in qep("collect", folder).out
    assert qep("submit", folder).code == 0
    assert service.posts == 2
    service.queue_polls = 0
    assert f"job1: was done already; 'qep collect {folder}' fetches it" in qep("cancel", folder).out
    assert qep("collect", folder).code == 0


def test_a_device_that_is_hidden_gives_what_was_paid(qep, service, here, settings):
    folder = here / "paced"
    qep("submit", here / "circuits.toml", "--out", folder, *settings(*SETTINGS))
    service.charge = {"status": "pending"}
    hide(service)
    assert qep("collect", folder).code == 0
    service.charge = {}
    (row,) = qep("jobs", folder, "--refresh", "--json").object
    assert (row["row"], row["state"], row["usage_seconds"]) == (1, "applied", 7.0)
    assert qep("cancel", folder).code == 0
    result = qep("resume", folder)
    assert (result.code, service.posts) == (2, 1)
    assert "qep: error: execution.backend: 'ibm_stand_in' cannot be found or read; nothing was submitted" in result.err


def hide(service):
    service.active_account = lambda: {"instance": INSTANCE}
    service.backend = Mock(side_effect=QiskitBackendNotFoundError("none"))
    service.backends = lambda: []


def test_an_answer_that_cannot_be_read_is_kept_and_given_up(qep, service, here, settings, trained, warm_start):
    whole, jobs = trained
    folder = here / "paced"
    service.spoil = lambda found: []
    result = qep("train", here / "circuits.toml", "--out", folder, *settings(*SETTINGS))
    name = f"job{jobs}"
    kept = folder / f"result-{name}.json"
    assert result.code == 2
    assert f"what came is kept in {kept}" in result.err
    kept.unlink()
    said = qep("collect", folder, "--result-only", name)
    assert said.out == f"wrote {kept}; nothing is applied to the run\n"
    assert kept.read_text() == f"what {name} gave"
    result = qep("collect", folder, "--result-only", "../job7")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "the result of job ../job7 cannot be fetched" in result.err
    service.spoil = lambda found: found
    assert "--forget: expected the id" in qep("cancel", folder, "--forget", "job99").err
    assert qep("cancel", folder, "--forget", name).out == (
        f"{name}: given up, 7 QPU seconds are counted; 'qep resume' sends it anew\n"
    )
    assert qep("resume", folder, "--max-qpu-seconds", "100").code == 0
    assert warm_start(folder) == warm_start(whole)
    assert service.posts == 2 * jobs + 1


def test_a_deleted_ledger_is_rebuilt(qep, service, here, settings, trained, warm_start):
    whole, jobs = trained
    folder = here / "paced"
    qep("submit", here / "circuits.toml", "--out", folder, *settings(*SETTINGS))
    (folder / "jobs.sqlite").unlink()
    assert "'qep collect' finds them at the service" in qep("jobs", folder).err
    assert qep("collect", folder).code == 0
    qep("submit", folder)
    (folder / "jobs.sqlite").unlink()
    assert qep("resume", folder).code == 0
    assert warm_start(folder) == warm_start(whole)
    assert service.posts == 2 * jobs


def test_a_deleted_ledger_does_not_keep_jobs_from_being_cancelled(qep, service, here, settings):
    folder = here / "paced"
    service.queue_polls = 10**6
    qep("submit", here / "circuits.toml", "--out", folder, *settings(*SETTINGS))
    (folder / "jobs.sqlite").unlink()
    assert qep("cancel", folder).out == "job0, which the ledger did not know: cancelled\n"
    assert service.accepted[0].state == "CANCELLED"
    assert "no job is under way" in qep("cancel", folder).out


def test_cancel_also_ends_a_job_that_never_arrived(qep, service, here, settings):
    folder = here / "paced"
    service.faults = {"post": [api_error(500)] * 50}
    service.plan = lambda job: job.tags.clear()
    result = qep("submit", here / "circuits.toml", "--out", folder, *settings(*SETTINGS))
    assert result.code == 2
    service.faults = {}
    assert [entry.state for entry in entries(folder)] == ["intended"]
    assert "a job that never arrived: cancelled" in qep("cancel", folder).out


def test_a_run_beyond_the_limit_does_not_start(refused, service, here, settings):
    said = refused("train", here / "circuits.toml", *settings(*SETTINGS, "execution.max_qpu_seconds=3"))
    assert "execution.max_qpu_seconds: the run is estimated at" in said
    assert service.posts == 0


def test_a_run_beyond_the_allowance_does_not_start(refused, service, here, settings):
    service.remaining = 5
    said = refused("train", here / "circuits.toml", *settings(*SETTINGS))
    assert "the account has 5.0 left" in said
    assert service.posts == 0


def test_a_run_stops_before_the_job_that_passes_the_limit(qep, service, here, settings, monkeypatch):
    folder = here / "run"
    monkeypatch.setattr("qep_qiskit.plan.estimate.RunEstimate.require_start", lambda plan: None)
    words = settings(*SETTINGS, "execution.max_qpu_seconds=10")
    result = qep("train", here / "circuits.toml", "--out", folder, *words)
    assert result.code == 2
    assert "the run has taken 14.0 QPU seconds" in result.err
    assert service.posts == 2
    assert qep("resume", folder, "--max-qpu-seconds", "1000").code == 0


def test_plan_of_a_live_device_knows_what_the_account_has_left(qep, service, here, settings):
    service.remaining = 4
    plan = qep("plan", here / "circuits.toml", "--json", *settings(*SETTINGS)).object
    assert plan["device"] == "ibm_stand_in"
    assert plan["remaining_seconds"] == 4
    assert not plan["would_start"]
    assert service.posts == 0


@pytest.mark.parametrize("used", [False, True])
def test_plan_of_a_live_device_weighs_fractional_gates(qep, service, here, settings, monkeypatch, used):
    """The device is asked for as it is, beside the one that the run uses."""
    found = FractionalService()
    found._api_clients = {}

    def device(config, num_qubits):
        fractional = config.execution.fractional_gates
        return IbmDevice(found, "ibm_stand_in", sampler=found.sampler, fractional_gates=fractional)

    monkeypatch.setattr("qep_qiskit.runs.training.build_device", device)
    words = settings(*SETTINGS, f"execution.fractional_gates={json.dumps(used)}")
    plan = qep("plan", here / "circuits.toml", "--json", *words).object
    told = [saving["change"] for saving in plan["savings"] if "fractional_gates" in saving["change"]]
    assert found.asked == ([True] if used else [False, None])
    if used:
        assert told == []
    else:
        (gates,) = {program["two_qubit_gates"] for program in plan["programs"]}
        assert told[0].startswith(
            f"execution.fractional_gates = true: {gates // 2} two-qubit gates in place of {gates}"
        )


def test_a_shorter_delay_is_asked_for_and_counted(qep, service, here, settings):
    words = settings(*SETTINGS, "execution.rep_delay=0.0005")
    assert qep("submit", here / "circuits.toml", "--out", here / "run", *words).code == 0
    assert service.accepted[0].options["execution"] == {"rep_delay": 0.0005}
    (entry,) = entries(here / "run")
    count = entry.description.executions
    assert entry.description.estimated_seconds == pytest.approx(2 + count * 0.00051, abs=count * 2e-5)


def test_a_delay_that_the_device_does_not_take(refused, service, here, settings):
    said = refused("train", here / "circuits.toml", *settings(*SETTINGS, "execution.rep_delay=0.002"))
    assert "execution.rep_delay: ibm_stand_in takes 0 to 0.0005 seconds, got 0.002" in said


@pytest.mark.parametrize("command", ["submit", "collect", "jobs", "cancel"])
def test_what_runs_here_has_no_jobs(qep, here, runs, command):
    result = qep(command, runs / "exact")
    assert result.code == 2
    assert f"'qep {command}' is for jobs that can be retrieved by id, on 'ibm_...'" in result.err


@pytest.mark.parametrize("command", ["train", "submit"])
def test_a_device_in_maintenance_leaves_no_folder(refused, service, here, settings, command):
    service.device.state.operational = False
    assert "not taking jobs" in refused(command, here / "circuits.toml", *settings(*SETTINGS))


def test_a_device_run_without_jobs_yet_says_so(qep, service, here, settings):
    service.faults = {"usage": [None, api_error(401), api_error(401), api_error(401)]}
    folder = here / "run"
    assert qep("submit", here / "circuits.toml", "--out", folder, *settings(*SETTINGS)).code == 2
    assert qep("jobs", folder, "--json").object == []
    assert "no job is under way" in qep("cancel", folder).out


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("execution.mode=batch", "execution.mode: goes with backend = 'ibm_...' only"),
        ("execution.rep_delay=0.001", "execution.rep_delay: goes with a device only"),
        ("execution.rep_delay=-1", "execution.rep_delay"),
    ],
)
def test_keys_of_devices_elsewhere(refused, here, settings, setting, said):
    assert said in refused("train", here / "circuits.toml", *settings(setting))
