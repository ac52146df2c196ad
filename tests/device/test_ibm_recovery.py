"""What was paid is fetched: without the device, without the ledger, under a wrong id; what is gone can be given up."""

import logging
import time
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
from ibm_requests import ramp_request

pytest.importorskip("qiskit_ibm_runtime")

import ibm_executor
from ibm_executor import QUICK
from ibm_stand_in import INSTANCE, FractionalService, StandInService, api_error, missing_error
from qiskit.providers.exceptions import QiskitBackendNotFoundError

from qep_qiskit.core.errors import ConfigError, DeviceError, ResourceError, ResultError
from qep_qiskit.device.ibm import IbmDevice
from qep_qiskit.device.jobs import cancel_jobs, forget_job
from qep_qiskit.device.ledger import JobLedger

RUN = "0123456789abcdef0123456789abcdef"
executor_on = partial(ibm_executor.executor_on, run=RUN)


def run(service, path, *steps, **options):
    """What a process does with some requests; the outcomes of each."""
    with JobLedger(path) as ledger:
        executor = executor_on(service, ledger, **options)
        return [executor.collect(executor.submit(ramp_request(step, seed=step + 1))) for step in steps]


def require_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert all(np.array_equal(a.bits, b.bits) for a, b in zip(one.outcomes, other.outcomes, strict=True))


@pytest.fixture
def expected(tmp_path):
    return run(StandInService(), tmp_path / "faultless.sqlite", 0, 1)


def hide(service):
    service.active_account = lambda: {"instance": INSTANCE}
    service.backend = Mock(side_effect=QiskitBackendNotFoundError("No backend matches the criteria."))
    service.backends = lambda: []


def submitted(service, path, **options):
    with JobLedger(path) as ledger:
        executor_on(service, ledger, **options).submit(ramp_request())


def test_a_device_that_is_hidden_gives_what_was_paid(service, path, expected):
    submitted(service, path)
    hide(service)
    require_same(run(service, path, 0), expected[:1])
    with pytest.raises(DeviceError, match="'ibm_stand_in' cannot be found or read; nothing was submitted"):
        run(service, path, 1)
    assert (service.posts, [entry.state for entry in JobLedger.read(path)]) == (1, ["collected"])


def test_a_job_is_cancelled_without_its_device(service, path):
    service.queue_polls = 10**6
    submitted(service, path)
    hide(service)
    with JobLedger(path) as ledger:
        (entry,) = cancel_jobs(ledger, IbmDevice(service, "ibm_stand_in"), QUICK)
    assert (entry.state, service.accepted[0].state) == ("cancelled", "CANCELLED")


def test_a_job_that_was_deleted_is_told_from_silence(service, path, expected):
    submitted(service, path)
    service.accepted.clear()
    patient, began = replace(QUICK, without_answer=60.0), time.monotonic()
    with pytest.raises(ResultError, match=r"job job0 on ibm_stand_in: the service does not know it .*--forget"):
        run(service, path, 0, retries=patient)
    assert time.monotonic() - began < 5.0
    assert [entry.state for entry in JobLedger.read(path)] == ["submitted"]
    with JobLedger(path) as ledger:
        entry = forget_job(ledger, IbmDevice(service, "ibm_stand_in"), "job0", QUICK)
        assert (entry.state, entry.usage_seconds) == ("cancelled", None)
        assert ledger.seconds() == entry.description.estimated_seconds > 2
    require_same(run(service, path, 0), expected[:1])
    with JobLedger(path) as ledger:
        assert ledger.seconds() == 7.0 + entry.description.estimated_seconds


def test_a_job_that_appears_late_is_waited_for(service, path, expected):
    late = replace(QUICK, settling=0.4)
    submitted(service, path)
    service.faults = {"status": [missing_error("job0")] * 6}
    require_same(run(service, path, 0, retries=late), expected[:1])


@pytest.mark.parametrize("named", ["job0", "1"])
def test_a_job_given_up_is_cancelled_where_it_waits_and_its_charge_counts(service, path, named):
    service.queue_polls = 10**6
    submitted(service, path)
    with JobLedger(path) as ledger:
        device = IbmDevice(service, "ibm_stand_in")
        for wrong in ("job7", "2", ""):
            with pytest.raises(ConfigError, match=f"--forget: expected the id .* of a job under way, got '{wrong}'"):
                forget_job(ledger, device, wrong, QUICK)
        forget_job(ledger, device, named, QUICK)
        assert (ledger.seconds(), service.accepted[0].state) == (7.0, "CANCELLED")
        with pytest.raises(ConfigError, match="it is cancelled"):
            forget_job(ledger, device, named, QUICK)


def test_an_intention_given_up_counts_as_paid(service, path):
    service.faults = {"post": [api_error(502)] * 9}
    with pytest.raises(DeviceError, match="did not arrive"):
        submitted(service, path)
    with JobLedger(path) as ledger:
        forget_job(ledger, IbmDevice(service, "ibm_stand_in"), "1", QUICK)
        (entry,) = ledger.entries()
        assert ledger.seconds() == entry.description.estimated_seconds > 2


def test_an_answer_with_the_id_of_another_job(service, path, expected):
    """Its own job is found by the tag; the other one is neither read nor cancelled."""
    service.told = lambda job: service.accepted[0]
    require_same(run(service, path, 0, 1), expected)
    assert [entry.job_id for entry in JobLedger.read(path)] == ["job0", "job1"]
    assert {job.state for job in service.accepted} == {"DONE"}


def test_a_job_of_another_id_is_not_cancelled(service, path):
    service.queue_polls = 10**6
    service.told = lambda job: service.accepted[0]
    with JobLedger(path) as ledger:
        executor = executor_on(service, ledger)
        for step in (0, 1):
            executor.submit(ramp_request(step))
        assert [entry.job_id for entry in ledger.entries()] == ["job0", "job0"]
        ledger.ended(ledger.entries()[0], "failed", "not of interest")
        list(cancel_jobs(ledger, IbmDevice(service, "ibm_stand_in"), QUICK))
    assert [job.state for job in service.accepted] == ["DONE", "CANCELLED"]


def test_a_deleted_ledger_is_rebuilt_before_anything_is_paid_again(service, path, expected, caplog):
    run(service, path, 0, is_new=True)
    submitted(service, path.with_name("of another run.sqlite"), run="f" * 32)
    path.unlink()
    hide(service)  # the circuits are not needed either
    require_same(run(service, path, 0), expected[:1])
    assert "the ledger did not know job job0 of this run" in caplog.text
    (entry,) = JobLedger.read(path)
    assert (entry.state, entry.job_id, service.posts) == ("collected", "job0", 2)
    assert entry.description.tag in service.accepted[0].tags
    assert entry.description.estimated_seconds == pytest.approx(2.1, abs=0.1)


def test_an_older_copy_of_the_ledger_misses_nothing(service, path, expected):
    run(service, path, 0)
    copy = path.read_bytes()
    run(service, path, 1)
    path.write_bytes(copy)
    require_same(run(service, path, 0, 1), expected)
    assert service.posts == 2
    path.write_bytes(copy)
    service.faults = {"list": [api_error(500)]}  # without the listing of the run it is sent again
    require_same(run(service, path, 1), expected[1:])
    assert service.posts == 3


def test_an_empty_ledger_waits_for_the_listing(service, path):
    run(service, path, 0)
    path.unlink()
    service.faults = {"list": [api_error(500)] * 1000}
    with pytest.raises(DeviceError, match="does not answer"):
        run(service, path, 0)
    assert service.posts == 1


def test_a_job_with_other_values_or_in_a_bad_state_is_not_adopted(service, path):
    with JobLedger(path) as ledger:
        executor_on(service, ledger).submit(ramp_request(0, seed=5))
    path.unlink()
    run(service, path, 0)
    service.accepted[-1].state = "ERROR"
    path.unlink()
    run(service, path, 0)
    assert service.posts == 3


def test_values_that_differ_by_rounding_are_the_same(service, path):
    run(service, path, 0)
    request = ramp_request(0, seed=1)
    rounded = replace(request.prepared, parameters=request.prepared.parameters * (1 + 1e-14))
    path.unlink()
    with JobLedger(path) as ledger:
        executor = executor_on(service, ledger)
        executor.collect(executor.submit(replace(request, prepared=rounded)))
    assert service.posts == 1


def test_jobs_that_the_ledger_lost_count_towards_the_limit(service, path):
    """The charge of one, and the estimate of another, whose charge is not known."""
    run(service, path, 0, 1)
    path.unlink()
    service.plan = Mock()
    charges = service.accepted[0].metrics
    service.accepted[0].metrics = lambda: {"usage": {"status": "pending"}}
    with pytest.raises(ResourceError, match=r"has taken 9\.1 QPU seconds"):
        run(service, path, 2, max_qpu_seconds=11.0)
    service.accepted[0].metrics = charges
    with pytest.raises(ResourceError, match=r"has taken 14\.0 QPU seconds"):
        run(service, path, 2, max_qpu_seconds=11.0)
    assert service.posts == 2


def test_tags_are_those_that_the_service_takes(service, path):
    run(service, path, 0)
    (job,) = service.accepted
    assert len(job.tags) <= 8
    assert max(map(len, job.tags)) <= 86
    assert f"qep-run-{RUN}" in job.tags


def test_the_client_asks_the_instance_that_pays(service, path, caplog):
    """After a job that it does not find the client goes on with another instance."""
    caplog.set_level(logging.INFO)

    class Service(StandInService):
        _api_clients = {INSTANCE: SimpleNamespace(), "other": SimpleNamespace()}  # noqa: RUF012
        asked = None

        @property
        def _active_api_client(self):
            return self

        @_active_api_client.setter
        def _active_api_client(self, client):
            self.asked = client

    own = Service()
    device = IbmDevice(own, "ibm_stand_in")
    own._active_api_client = own._api_clients["other"]
    device.find("any tag")
    assert own.asked is own._api_clients[INSTANCE]


def test_the_longest_job_is_that_of_the_service(service, path):
    """Ten million executions at IBM's; a vendor says its own, or none."""
    request = ramp_request(0, shots=(2_000_000, 2_000_000))
    with JobLedger(path) as ledger:
        executor = executor_on(service, ledger)
        with pytest.raises(ResourceError, match="the service takes 10000000"):
            executor.unsent(request)
        executor._device.most_executions = None
        (job,) = executor.unsent(request)
    assert job.executions == 16_000_000


@pytest.mark.parametrize("make", [StandInService, pytest.param(FractionalService, marks=pytest.mark.deep)])
def test_layouts_are_replaced_while_a_job_is_in_flight(path, tmp_path, make):
    """A job is read without its circuits; fractional ones depend on how they were laid out."""
    expected = run(make(), tmp_path / "faultless.sqlite", 0)
    service = make()
    submitted(service, path)
    with JobLedger(path) as ledger:
        ledger.forget_circuits()
    hide(service)
    require_same(run(service, path, 0), expected)
