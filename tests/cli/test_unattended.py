"""Runs on a device with nobody there, on a stand-in for IBM's client."""

import re
import signal

import pytest

pytest.importorskip("qiskit_ibm_runtime")

from ibm_runs import SETTINGS
from ibm_stand_in import api_error

from qep_qiskit.cli import unattended
from qep_qiskit.core.files import hold
from qep_qiskit.device.ledger import JobLedger


@pytest.fixture
def pauses(monkeypatch):
    """The pauses that are made, none of which takes its time."""
    made = []
    monkeypatch.setattr(unattended, "_sleep", made.append)
    return made


@pytest.fixture
def whole(qep, service, here, settings):
    """Weights of a run without trouble are those of every other; its jobs are forgotten."""
    assert qep("train", here / "circuits.toml", "--out", here / "whole", *settings(*SETTINGS)).code == 0
    jobs, service.accepted, service.posts = service.posts, [], 0
    return here / "whole", jobs


@pytest.fixture
def words(here, settings):
    return ("train", here / "circuits.toml", "--out", here / "run", *settings(*SETTINGS), "--unattended")


def log_of(folder):
    lines = (folder / "unattended.log").read_text().splitlines()
    assert all(re.match(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d{4} ", line) for line in lines)
    return [line.split(" ", 2)[2] for line in lines]


def test_an_outage_and_a_closed_device_are_waited_for(qep, service, here, words, whole, warm_start, pauses):
    folder, jobs = whole
    service.queue_polls = 1
    outage = [api_error(503)] * 200

    def sleep(seconds):
        pauses.append(seconds)
        if len(pauses) == 2:
            service.faults = {}
            service.device.state.operational = False
        if len(pauses) == 4:
            service.device.state.operational = True

    unattended._sleep = sleep
    service.plan = lambda job: service.faults.update(status=outage) if not pauses else None
    result = qep(*words)
    assert result.code == 0, result.err
    assert f"wrote {here / 'run'}" in result.out
    assert pauses == [60.0, 120.0, 60.0, 120.0]  # short again after the first results
    assert (service.posts, warm_start(here / "run")) == (jobs, warm_start(folder))
    log = log_of(here / "run")
    assert log[0] == f"begins on {here / 'run'}"
    assert log[-1] == "ends: the run is finished"
    assert sum("is submitted, about" in line for line in log) == sum("is collected" in line for line in log) == jobs
    assert sum(line.endswith("going on in 60 s") for line in log) == 2
    assert any("the device is not taking jobs" in line for line in log)
    assert any("the service does not answer" in line for line in log)


def test_a_device_that_is_closed_at_the_start_is_waited_for(qep, service, here, words, pauses):
    service.device.state.operational = False

    def sleep(seconds):
        pauses.append(seconds)
        service.device.state.operational = len(pauses) == 3

    unattended._sleep = sleep
    result = qep(*words)
    assert result.code == 0
    assert pauses == [60.0, 120.0, 240.0]
    assert "the device is not taking jobs" in result.err


def test_pauses_grow_up_to_an_hour(pauses):
    reasons = iter([unattended.UnavailableError("closed")] * 9)

    def attempt():
        for reason in reasons:
            raise reason
        return 7

    assert unattended.patiently(attempt) == 7
    assert pauses == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_a_second_one_says_so_and_leaves(qep, service, here, settings, words):
    assert qep("submit", here / "circuits.toml", "--out", here / "run", *settings(*SETTINGS)).code == 0
    posts = service.posts
    with hold(here / "run/unattended.lock"):
        result = qep("resume", here / "run", "--unattended")
    assert result.code == 3
    assert result.err == f"qep: {here / 'run'}: an unattended process works on this run already\n"
    assert service.posts == posts
    assert qep("resume", here / "run", "--unattended").code == 0


@pytest.mark.parametrize("name", ["run.lock", "jobs.sqlite.lock"])
def test_another_command_in_the_folder_is_waited_for(qep, service, here, settings, pauses, name):
    assert qep("submit", here / "circuits.toml", "--out", here / "run", *settings(*SETTINGS)).code == 0
    other = hold(here / "run" / name)
    unattended._sleep = lambda seconds: other.release()
    assert qep("resume", here / "run", "--unattended").code == 0


def test_jobs_that_fail_are_sent_again_and_not_for_ever(qep, service, here, words, pauses):
    def failing(job):
        job.state, job.reason = "ERROR", "code 9999: the machine failed"

    service.plan = failing
    result = qep(*words)
    assert result.code == 2
    assert "the machine failed; 7 s were charged" in result.err
    assert service.posts == 3
    assert log_of(here / "run")[-1].startswith("ends: job job2 on ibm_stand_in failed")
    service.plan = lambda job: failing(job) if job.number == 4 else None
    assert qep("resume", here / "run", "--unattended", "--max-qpu-seconds", "1000").code == 0


@pytest.mark.parametrize("state", ["hopeless", "cancelled"])
def test_what_would_fail_again_is_not_sent_again(qep, service, words, pauses, state):
    def ends(job):
        job.state = "ERROR" if state == "hopeless" else "CANCELLED"
        job.reason = "code 1517: the circuit does not fit" if state == "hopeless" else None

    service.plan = ends
    assert qep(*words).code == 2
    assert service.posts == 1
    assert pauses == []


def test_limits_end_a_run(qep, service, here, settings, words, monkeypatch, pauses):
    monkeypatch.setattr("qep_qiskit.plan.estimate.RunEstimate.require_start", lambda plan: None)
    result = qep(*words, *settings("execution.max_qpu_seconds=10"))
    assert result.code == 2
    assert "execution.max_qpu_seconds" in result.err
    assert pauses == []
    assert {entry.state for entry in JobLedger.read(here / "run/jobs.sqlite")} <= {"applied", "collected"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_pause(qep, service, here, words, monkeypatch, number):
    monkeypatch.setattr(unattended, "_sleep", lambda seconds: signal.raise_signal(number))
    service.device.state.operational = False
    result = qep(*words)
    assert result.code == 130
    assert result.err.splitlines()[-1] == "qep: stopped while waiting; go on with 'qep resume --unattended'"


def test_what_runs_here_needs_nobody_anyway(refused, here):
    assert "'qep train --unattended' is for jobs" in refused("train", here / "exact.toml", "--unattended")


def test_a_full_disk_takes_no_log_and_ends_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with unattended._logging_to(tmp_path / "unattended.log"):
        unattended._LOG.info("first")
        monkeypatch.setattr("qep_qiskit.core.files._write_all", full)
        unattended._LOG.info("second")
        monkeypatch.undo()
        unattended._LOG.info("third")
    assert log_of(tmp_path) == ["first", "third"]
