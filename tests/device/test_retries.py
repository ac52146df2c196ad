"""Waiting that ends where it is told to, and leaves nothing undone: by the call, and by the executor of a device."""

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from ibm_requests import ramp_request

pytest.importorskip("qiskit_ibm_runtime")

from ibm_executor import QUICK, executor_on, states
from ibm_stand_in import TOKEN, run_error
from qiskit_ibm_runtime.exceptions import IBMNotAuthorizedError

from qep_qiskit.core.errors import DeviceError, PausedError
from qep_qiskit.device.interruptible import AbandonedError, answer_of
from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.device.retries import RetryPolicy
from qep_qiskit.device.service import JobView

SLOW = RetryPolicy(settling=30.0, first_pause=30.0, longest_pause=30.0, without_answer=100.0)


def test_answers_and_errors_pass():
    assert answer_of(lambda: 3) == 3
    with pytest.raises(DeviceError, match="no"):
        answer_of(lambda: exec("raise error", {"error": DeviceError("no")}))


@pytest.mark.parametrize(
    ("how", "error"), [({"seconds": 0.3}, TimeoutError), ({"stopping": lambda: True}, AbandonedError)]
)
def test_a_call_that_never_ends_is_left(how, error):
    never = threading.Event()
    before = time.monotonic()
    with pytest.raises(error):
        answer_of(never.wait, **how)
    assert time.monotonic() - before < 1.0
    never.set()


def run(service, path, retries=QUICK, stopping=lambda: False):
    with JobLedger(path) as ledger:
        executor = executor_on(service, ledger, retries)
        executor.stopping = stopping
        return executor.collect(executor.submit(ramp_request()))


def stopped(service, path):
    """Say of a run that is asked to stop after half a second, while it would wait for half a minute."""
    start = time.monotonic()
    with pytest.raises(PausedError) as caught:
        run(service, path, SLOW, stopping=lambda: time.monotonic() > start + 0.5)
    assert time.monotonic() - start < 3.0
    return str(caught.value)


def require_same(one, other):
    assert all(np.array_equal(a.bits, b.bits) for a, b in zip(one.outcomes, other.outcomes, strict=True))


def test_a_stop_leaves_a_queued_job_and_collects_it_later(service, expected, path):
    service.queue_polls = 10**6
    assert stopped(service, path) == "job job0 on ibm_stand_in goes on, its id is saved"
    assert states(path) == ["submitted"]
    service.queue_polls = 0
    require_same(run(service, path), expected)
    assert service.posts == 1


def test_a_stop_while_a_lost_job_is_looked_for(service, expected, path):
    service.faults, service.lag = {"post": ["accept_then_lost"]}, 10**6
    assert stopped(service, path) == "a job may have reached ibm_stand_in, it is in the ledger"
    assert states(path) == ["intended"]
    service.lag = 0
    require_same(run(service, path), expected)
    assert service.posts == 1


def test_a_stop_before_anything_was_sent(service, expected, path):
    service.faults = {"usage": [run_error(503)] * 100}
    assert stopped(service, path) == "no job was under way on ibm_stand_in"
    assert JobLedger.read(path) == []
    service.faults = {}
    require_same(run(service, path), expected)


def test_a_stop_while_the_service_is_silent(service, expected, path):
    """A question that is not answered is not waited for either."""
    hung, silence = service.job, threading.Event()
    service.job = lambda job_id: silence.wait()
    assert stopped(service, path) == "job job0 on ibm_stand_in goes on, its id is saved"
    silence.set()
    service.job = hung
    require_same(run(service, path), expected)
    assert service.posts == 1


@pytest.mark.parametrize("times", [2, 3])
def test_an_access_token_that_ran_out_has_three_tries(service, expected, path, times):
    service.faults = {"post": [IBMNotAuthorizedError(f"401 {TOKEN}")] * times}
    if times == 3:
        with pytest.raises(DeviceError, match=r"not accepted \(.*401 <token>.*\); nothing was submitted, try again"):
            run(service, path)
        assert service.posts == 3
    require_same(run(service, path), expected)
    assert len(service.accepted) == 1


def test_who_waits_is_told_of_which_job_and_how_long(service, expected, path):
    service.queue_polls, told = 3, []
    with JobLedger(path) as ledger:
        executor = executor_on(service, ledger)
        executor.waiting = lambda job_id, seconds, view: told.append((job_id, seconds, replace(view, tags=None)))
        require_same(executor.collect(executor.submit(ramp_request())), expected)
    assert [job_id for job_id, _, _ in told] == ["job0"] * 3
    start = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()
    assert {view for _, _, view in told} == {JobView(state="waiting", position=3, starts=start)}
    seconds = [waited for _, waited, _ in told]
    assert seconds == sorted(seconds)
    assert seconds[0] < 1.0


@pytest.mark.parametrize("said", [None, {}, {"position_in_queue": None, "estimated_start_time": "soon"}])
def test_a_service_that_says_nothing_of_its_queue_is_waited_for(service, expected, path, said):
    service.queue_polls, service.queue, told = 1, said, []
    with JobLedger(path) as ledger:
        executor = executor_on(service, ledger)
        executor.waiting = lambda job_id, seconds, view: told.append(replace(view, tags=None))
        require_same(executor.collect(executor.submit(ramp_request())), expected)
    assert told == [JobView(state="waiting")]
