"""Submit once: requests as jobs, lost answers, duplicates, listings, charges and refusals."""

import time
from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
from ibm_requests import calibrated_request, ramp_request

pytest.importorskip("qiskit_ibm_runtime")

from ibm_executor import QUICK, executor_on, live, run, same, states
from ibm_stand_in import INSTANCE, run_error

from qep_qiskit.core.errors import (
    DeviceError,
    LedgerError,
    ResourceError,
)
from qep_qiskit.device.ibm import IbmDevice
from qep_qiskit.device.ibm_client import jobs_tagged
from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.device.retries import RetryingDevice, RetryPolicy
from qep_qiskit.device.service import LostError


def test_one_request_is_one_job(service, path, expected):
    data = run(service, path)
    (job,) = service.accepted
    assert [outcome.bits.shape for outcome in data.outcomes] == [(4, 50, 1), (4, 50, 1)]
    assert same(data, expected)
    (entry,) = JobLedger.read(path)
    assert (entry.state, entry.job_id, entry.usage_seconds) == ("collected", "job0", 7.0)
    assert entry.description.tag in job.tags
    assert job.options["simulator"] == {"angle_decimals": 15}
    assert job.options["max_execution_time"] > entry.description.estimated_seconds
    assert entry.description.instance == INSTANCE


def test_a_calibration_is_in_the_same_job_and_in_the_ledger(service, path):
    request = calibrated_request(shots=(50, 50), calibration_shots=120)
    data = run(service, path, request)
    (job,) = service.accepted
    assert len(job.pubs) == 3
    assert data.calibration.bits.shape == (2, 150, 1)
    assert [outcome.bits.shape for outcome in data.outcomes] == [(4, 50, 1)] * 2
    again = run(service, path, request)
    assert np.array_equal(again.calibration.bits, data.calibration.bits)
    assert service.posts == 1
    with pytest.raises(LedgerError, match="with other circuits or values, or other options"):
        run(service, path)


def test_unequal_shots_are_two_jobs_and_come_back_in_order(service, path):
    data = run(service, path, ramp_request(shots=(30, 50)))
    assert [outcome.shots for outcome in data.outcomes] == [30, 50]
    assert [job.shots for job in service.accepted] == [30, 50]
    assert states(path) == ["collected"] * 2


def test_folded_circuits_travel_in_the_same_job(service, path, expected):
    """Two PUBs, and the bits of the unfolded one are those of a request without foldings."""
    request = ramp_request()
    measurements = tuple(
        replace(measurement, folding=folding) for measurement in request.measurements for folding in (1, 3)
    )
    data = run(service, path, replace(request, measurements=measurements))
    (job,) = service.accepted
    assert len(job.pubs) == 2
    assert all(np.array_equal(a.bits, b.bits) for a, b in zip(data.outcomes[::2], expected.outcomes, strict=True))
    (entry,) = JobLedger.read(path)
    assert [shape[:2] for shape in entry.description.shapes] == [[4, 2], [4, 2]]
    assert run(service, path, replace(request, measurements=measurements)).outcomes[1].shots == 50
    assert len(service.accepted) == 1


def test_a_restart_sends_nothing_again(service, path, expected):
    with JobLedger(path) as ledger:
        executor_on(service, ledger).submit(ramp_request())
    assert states(path) == ["submitted"]
    assert same(run(service, path, seed=5), expected)
    assert same(run(service, path, seed=6), expected)  # from the ledger: the job is not asked for any more
    assert service.posts == 1


@pytest.mark.parametrize("died", ["before the POST", "after the POST"])
def test_a_restart_where_the_ledger_only_knows_the_intention(service, path, expected, died):
    class Death(BaseException):
        pass

    def die(job):
        service.accepted += [job] if died == "after the POST" else []
        raise Death

    service.plan = die
    with JobLedger(path) as ledger, pytest.raises(Death):
        executor_on(service, ledger).submit(ramp_request())
    assert states(path) == ["intended"]
    service.plan = lambda job: None
    assert same(run(service, path), expected)
    assert len(service.accepted) == 1
    assert service.posts == (1 if died == "after the POST" else 2)


@pytest.mark.parametrize("lag", [0, 3])
def test_an_answer_that_is_lost_after_acceptance(service, path, expected, lag):
    service.faults, service.lag = {"post": ["accept_then_lost"]}, lag
    assert same(run(service, path), expected)
    assert (service.posts, len(service.accepted)) == (1, 1)


@pytest.mark.parametrize("fault", [run_error(500), run_error(-1), ValueError("Expecting value"), ConnectionError()])
def test_a_submission_that_never_arrived_is_sent_again_under_its_tag(service, path, expected, fault):
    service.faults = {"post": [fault]}
    assert same(run(service, path), expected)
    assert (service.posts, len(service.accepted), states(path)) == (2, 1, ["collected"])


def test_duplicates_are_cancelled(service, path, expected):
    service.faults = {"post": ["twice"]}
    assert same(run(service, path), expected)
    assert (len(service.accepted), len(live(service))) == (2, 1)


def test_a_duplicate_that_shows_up_after_a_long_lag_is_cancelled_in_the_end(service, path, expected):
    service.faults, service.lag = {"post": ["accept_then_lost"]}, 1000
    quick = RetryPolicy(settling=0.03, first_pause=0.005, longest_pause=0.02, without_answer=0.5)
    with JobLedger(path) as ledger:
        executor = executor_on(service, ledger, quick)
        job_handle = executor.submit(ramp_request())
        service.lag = 0
        assert same(executor.collect(job_handle), expected)
    assert (len(service.accepted), len(live(service))) == (2, 1)


@pytest.mark.parametrize(
    "charge",
    [
        {"qpu_charge_time_seconds": 0.0, "status": "pending"},
        {"qpu_charge_time_seconds": None, "status": "pending"},
        {"qpu_charge_time_seconds": 1.0, "status": "pending"},
        RuntimeError("no metrics"),
    ],
    ids=["zero", "nothing", "a part", "fails"],
)
def test_a_charge_that_is_not_final_counts_as_estimated_and_is_asked_for_again(service, path, charge):
    if isinstance(charge, Exception):
        service.faults = {"charge": [charge] * 9}
    else:
        service.charge = charge
    with JobLedger(path) as ledger:
        executor = executor_on(service, ledger, max_qpu_seconds=7.0)
        executor.collect(executor.submit(ramp_request(step=0)))
        (entry,) = ledger.entries()
        estimate = entry.description.estimated_seconds
        assert entry.usage_seconds is None
        assert ledger.seconds() == estimate
        assert 2 * estimate < 7.0 < 3 * estimate + 7.0
        executor.collect(executor.submit(ramp_request(step=1)))
        service.charge, service.faults = {}, {}
        with pytest.raises(ResourceError, match=r"has taken 14\.0 QPU seconds"):
            executor.submit(ramp_request(step=2))
        assert [entry.usage_seconds for entry in ledger.entries()] == [7.0, 7.0]
    assert len(service.accepted) == 2


def test_a_duplicate_that_cannot_be_cancelled_counts(service, path):
    service.faults = {"post": ["twice"]}
    service.plan = lambda job: setattr(job, "cancel", Mock(side_effect=run_error(409)))
    with JobLedger(path) as ledger:
        executor = executor_on(service, ledger)
        executor.collect(executor.submit(ramp_request()))
        (entry,) = ledger.entries()
        assert entry.duplicates == 1
        assert ledger.seconds() == 7.0 + entry.description.estimated_seconds


@pytest.mark.parametrize(
    "listing",
    [
        lambda service: lambda jobs: service.accepted,
        lambda service: lambda jobs: jobs + jobs,
        lambda service: lambda jobs: jobs[::-1],
    ],
    ids=["ignores the tag", "repeats rows", "other order"],
)
def test_only_jobs_whose_own_tags_say_so_are_adopted_or_cancelled(service, path, tmp_path, expected, listing):
    run(service, tmp_path / "another run.sqlite")
    service.faults = {"post": ["accept_then_lost"]}
    service.rows_of_listing = listing(service)
    assert same(run(service, path), expected)
    assert len(live(service)) == len(service.accepted) == 2
    assert [entry.job_id for entry in JobLedger.read(path)] == ["job1"]


def test_a_listing_that_does_not_end_is_left(service):
    service.rows_of_listing = lambda jobs: [
        SimpleNamespace(job_id=lambda number=number: f"other{number}", tags=["qep"], number=number)
        for number in range(6_000)
    ]
    with pytest.raises(LostError, match="does not end after 5,000 jobs"):
        jobs_tagged(service, "qep-mine")


def test_a_row_from_the_future_waits_no_longer_than_others(service, path):
    service.faults = {"post": [run_error(502)] * 9}
    with JobLedger(path) as ledger:
        executor = executor_on(service, ledger)
        with pytest.raises(DeviceError, match="did not arrive"):
            executor.submit(ramp_request())
        (entry,) = ledger.entries()
    device = IbmDevice(service, "ibm_stand_in", sampler=service.sampler)
    given_up = time.monotonic() + 5.0
    retrying = RetryingDevice(device, QUICK, stopping=lambda: time.monotonic() > given_up)
    assert retrying.settled(replace(entry, posted=time.time() + 1e10)) == []


def test_a_service_that_never_takes_it_leaves_the_intention(service, path, expected):
    service.faults = {"post": [run_error(502)] * 3}
    with pytest.raises(DeviceError, match="did not arrive in 3 attempts"):
        run(service, path)
    assert states(path) == ["intended"]
    assert same(run(service, path), expected)
    assert len(service.accepted) == 1


def test_too_many_requests_is_waited(service, path, expected):
    service.faults = {"post": [run_error(429, headers={"Retry-After": "0.05"}), run_error(429)]}
    assert same(run(service, path), expected)
    assert (service.posts, len(service.accepted)) == (3, 1)


def test_a_refusal_is_final_and_the_next_try_a_row_of_its_own(service, path, expected):
    service.faults = {"post": [run_error(409, message="usage limit")]}
    with pytest.raises(DeviceError, match=r"not accepted \(code 1409: usage limit Wait\.\); nothing was submitted"):
        run(service, path)
    assert states(path) == ["refused"]
    assert same(run(service, path), expected)
    assert states(path) == ["refused", "collected"]
