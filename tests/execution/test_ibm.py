"""Submit once, never lose a result: the executor of IBM's devices against a client that goes wrong."""

import json
import logging
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
from ibm_requests import calibrated_request, ramp_request

pytest.importorskip("qiskit_ibm_runtime")

from ibm_stand_in import INSTANCE, TOKEN, StandInDevice, StandInService, api_error, run_error
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import RXGate
from qiskit.transpiler import Target
from qiskit_ibm_runtime.accounts import AccountNotFoundError, InvalidAccountError
from qiskit_ibm_runtime.api.exceptions import RequestsApiError
from qiskit_ibm_runtime.api.session import RetrySession
from qiskit_ibm_runtime.exceptions import IBMInputValueError, IBMNotAuthorizedError

from qep_qiskit.cli.main import main
from qep_qiskit.core.errors import (
    ConfigError,
    DeviceError,
    JobFailedError,
    LedgerError,
    ResourceError,
    ResultError,
    StillQueuedError,
)
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.device import ibm, ibm_login
from qep_qiskit.device.ibm import IbmDevice, ibm_device
from qep_qiskit.device.ibm_client import jobs_tagged
from qep_qiskit.device.ibm_login import open_service
from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.device.remote import RemoteExecutor
from qep_qiskit.device.retries import MOST_UNFIT_RESULTS, RetryingDevice, RetryPolicy
from qep_qiskit.device.service import LostError
from qep_qiskit.device.specification import JobSpecification, Pub
from qep_qiskit.execution.sampler_options import SamplerOptions

QUICK = RetryPolicy(settling=0.15, first_pause=0.005, longest_pause=0.02, without_answer=0.5)


@pytest.fixture
def service():
    return StandInService()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "jobs.sqlite"


def executor_on(service, ledger, retries=QUICK, seed=1, **options):
    device = IbmDevice(service, "ibm_stand_in", sampler=service.sampler)
    return RemoteExecutor(device, Seeds(seed), ledger, retries=retries, **options)


def run(service, path, request=None, **options):
    """What a process does: open the ledger, submit, collect."""
    with JobLedger(path) as ledger:
        executor = executor_on(service, ledger, **options)
        return executor.collect(executor.submit(request or ramp_request()))


def same(one, other):
    return all(np.array_equal(a.bits, b.bits) for a, b in zip(one.outcomes, other.outcomes, strict=True))


@pytest.fixture
def expected(tmp_path):
    """Bits of the run without faults."""
    return run(StandInService(), tmp_path / "faultless.sqlite")


def states(path):
    return [entry.state for entry in JobLedger.read(path)]


def live(service):
    return [job for job in service.accepted if job.state != "CANCELLED"]


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
    with pytest.raises(LostError, match="does not end after 5000 jobs"):
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


def test_waiting_outlives_faults(service, path, expected):
    service.queue_polls = 3
    service.faults = {
        "status": [api_error(500), api_error(404), TypeError("NoneType"), api_error(429)],
        "result": [json.JSONDecodeError("truncated", "", 0), api_error(503)],
        "short": ["short"],
        "list": [api_error(500)],
    }
    assert same(run(service, path), expected)
    assert service.posts == 1


def renamed(found):
    return [SimpleNamespace(data=SimpleNamespace(c=own.data.meas0, keys=lambda: ["c"])) for own in found]


def lost(found):
    for own in found:
        del own.data.meas2
    return found


def of_width(size):
    def spoil(found):
        for own in found:
            own.data.meas2.num_bits = size
        return found

    return spoil


def with_bits(change):
    def spoil(found):
        for own in found:
            for register in vars(own.data).values():
                register.array = change(register.array)
        return found

    return spoil


UNFIT = {
    "none": (lambda found: None, "expected a result for every circuit, got None"),
    "empty": (lambda found: [], "expected 1 result, one for every circuit, got 0"),
    "twice": (lambda found: found * 2, "expected 1 result, one for every circuit, got 2"),
    "renamed": (renamed, "result 0 has no register 'meas0', its registers are: c"),
    "no data": (lambda found: [None], "result 0 has no register 'meas0', its registers are: none"),
    "a bit less": (lost, "result 0 has no register 'meas2', its registers are: none"),
    "fewer bits": (of_width(0), "result 0, register 'meas2': expected 1 bit a shot, got 0"),
    "more bits": (with_bits(lambda bits: bits | 128), "register 'meas0': expected 1 bit a shot, got bits beyond"),
    "two bytes": (with_bits(lambda bits: np.concatenate([bits, bits], axis=-1)), r"got \(4, 2, 50, 2\)"),
    "fewer shots": (with_bits(lambda bits: bits[..., :-1, :]), r"got \(4, 2, 49, 1\)"),
    "other axes": (with_bits(lambda bits: bits.swapaxes(0, 1)), r"got \(2, 4, 50, 1\)"),
    "zeros": (with_bits(np.zeros_like), "circuits 'Z' and 'X' of state 0 read 0 in every bit of 50 shots"),
    "numbers": (
        with_bits(lambda bits: bits.astype(float)),
        "result 0, register 'meas0': expected bits .* as uint8, got .* as float64",
    ),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_a_result_that_is_not_what_was_asked_for_is_one_line_and_costs_nothing_more(service, path, expected, kind):
    """Fetched a few times, never sent again, kept in the ledger, and taken once it is right."""
    service.spoil, said = UNFIT[kind]
    with_retries = []
    service.answer = lambda word, answer=service.answer: (with_retries.append(word), answer(word))[1]
    for _ in range(2):
        with pytest.raises(ResultError, match=said) as caught:
            run(service, path)
        assert str(caught.value).startswith("job job0: ibm_stand_in: ")
        folder = path.parent
        assert str(caught.value).endswith(
            f"; what came is kept in {folder}/result-job0.json, nothing is sent again, 'qep collect' asks for it once "
            f"more, and 'qep cancel --forget job0 {folder}' gives it up"
        )
        assert (folder / "result-job0.json").read_text() == "what job0 gave"
        assert "\n" not in str(caught.value)
    assert with_retries.count("result") == 2 * MOST_UNFIT_RESULTS
    assert (service.posts, states(path)) == (1, ["submitted"])
    service.spoil = lambda found: found
    assert same(run(service, path), expected)
    assert (service.posts, states(path)) == (1, ["collected"])


def test_a_result_that_cannot_be_decoded_is_not_asked_for_without_end(service, path, expected):
    service.faults = {"result": [json.JSONDecodeError("not json", "", 0)] * 100}
    with pytest.raises(ResultError, match=r"the result cannot be read \(JSONDecodeError: not json"):
        run(service, path)
    assert len(service.faults["result"]) == 100 - MOST_UNFIT_RESULTS
    service.faults = {}
    assert same(run(service, path), expected)
    assert service.posts == 1


def test_more_shots_than_the_device_takes_are_not_sent(service, path):
    service.device.max_shots = 40
    with pytest.raises(DeviceError, match="ibm_stand_in: the device takes 40 shots of a circuit and a job has 50"):
        run(service, path)
    assert service.posts == 0


def test_a_silent_service_is_one_line_and_the_job_is_kept(service, path, expected):
    service.faults = {"status": [api_error(500)] * 1000}
    with pytest.raises(DeviceError, match=r"does not answer .* the job is in the ledger"):
        run(service, path)
    service.faults = {}
    assert same(run(service, path), expected)
    assert service.posts == 1


def test_an_expired_token_is_said_soon(service, path):
    service.faults = {"status": [IBMNotAuthorizedError(f"401 {TOKEN}")] * 1000}
    with pytest.raises(DeviceError, match=r"refuses .*401 <token>"):
        run(service, path, retries=RetryPolicy(first_pause=0.01, longest_pause=0.01))


def test_still_queued_has_an_error_and_an_exit_code_of_its_own(service, path, expected, monkeypatch, capsys):
    service.queue_polls = 10**6
    with pytest.raises(
        StillQueuedError, match=r"job job0 on ibm_stand_in is still queued .* its id is saved"
    ) as caught:
        run(service, path, retries=RetryPolicy(first_pause=0.01, wait=0.05))

    def stop(options):
        raise caught.value

    monkeypatch.setattr("qep_qiskit.cli.train.run", stop)
    assert main(["train", "any.toml"]) == 3
    assert capsys.readouterr().err.startswith("qep: error: job job0")
    service.queue_polls = 0
    assert same(run(service, path), expected)
    assert service.posts == 1


@pytest.mark.parametrize(
    ("state", "reason", "said"),
    [
        ("ERROR", "Error code 9701; calibration drifted", "9701; calibration drifted; 7 s were charged, .* submits it"),
        ("ERROR", "Error code 1517; not ISA", "7 s were charged, the step is not applied; the same job would fail"),
        (
            "ERROR",
            "Error code 1305; too long",
            r"ran into its cap of \d+ QPU seconds, against an estimate of 2.1; 7 s were",
        ),
        (
            "ERROR",
            "Job job0 ran longer than maximum execution time. Job was cancelled:\nToo long.",
            r"ran into its cap of \d+ QPU seconds, against an estimate of 2.1; 7 s were",
        ),
        ("CANCELLED", None, "was cancelled; 7 s were charged, the step is not applied; 'qep resume' submits it again"),
    ],
)
def test_a_job_that_ends_badly_is_sent_again_only_on_request(service, path, expected, state, reason, said):
    def spoil(job):
        job.state, job.reason = state, reason

    service.plan = spoil
    with pytest.raises(JobFailedError, match=said):
        run(service, path)
    assert service.posts == 1
    service.plan = lambda job: None
    assert same(run(service, path), expected)
    first, second = JobLedger.read(path)
    assert (first.state, second.state) == ("failed" if state == "ERROR" else "cancelled", "collected")
    assert first.description.tag != second.description.tag


def test_what_is_wrong_before_sending_leaves_no_row(service, path):
    service.remaining = 1
    with pytest.raises(
        DeviceError, match=r"has 1 QPU seconds left and the job is estimated at 2.1; nothing was submitted"
    ):
        run(service, path)
    service.remaining = 600
    service.device.state.status_msg = "maintenance"
    with pytest.raises(DeviceError, match=r"not taking jobs \(maintenance\); nothing was submitted"):
        run(service, path)
    assert (states(path), service.posts) == ([], 0)


def test_a_circuit_that_does_not_fit_is_found_before_it_is_paid_for(service):
    foreign = QuantumCircuit(2)
    foreign.h(0)
    pub = Pub(circuit=foreign, values=np.zeros((1, 0)))
    plan = JobSpecification(
        make_pubs=lambda: (pub,),
        shapes=((1,),),
        num_qubits=2,
        shots=1,
        axes=("pairs",),
        measurements=(0,),
        rows=(np.array([0]),),
        digest="",
        bound=np.zeros(0),
    )
    with pytest.raises(DeviceError, match="a circuit does not fit the device"):
        IbmDevice(service, "ibm_stand_in").require_fit(plan)


def without_coupler(device, circuit):
    """A device whose first coupler that a circuit uses is gone."""
    pair = next(
        tuple(circuit.find_bit(qubit).index for qubit in gate.qubits) for gate in circuit.data if len(gate.qubits) == 2
    )
    target = Target(num_qubits=device.num_qubits, dt=device.target.dt)
    for name in set(device.target.operation_names) & {
        "id",
        "rz",
        "sx",
        "x",
        "cx",
        "cz",
        "ecr",
        "measure",
        "reset",
        "delay",
    }:
        kept = {
            qubits: properties
            for qubits, properties in device.target[name].items()
            if qubits is None or set(qubits) != set(pair)
        }
        target.add_instruction(device.target.operation_from_name(name), kept, name=name)
    changed = StandInDevice()
    changed._target = target
    return changed


def test_circuits_stay_what_they_were_when_a_coupler_is_gone(service, path, expected):
    """Paid jobs are collected, nothing is sent that does not fit, and a new layout is taken on request alone."""
    with JobLedger(path) as ledger:
        executor = executor_on(service, ledger)
        handle = executor.submit(ramp_request())
        sent = service.accepted[0].pubs[0][0]
    service.device = without_coupler(service.device, sent)
    with JobLedger(path) as ledger:
        executor = executor_on(service, ledger)
        assert same(executor.collect(handle), expected)
        with pytest.raises(DeviceError, match=r"have \d+ two-qubit gates.* they have \d+: .*--replace-layout"):
            executor.submit(ramp_request(step=1))
        assert len(service.accepted) == 1
        ledger.forget_circuits()
        executor_on(service, ledger).submit(ramp_request(step=1))
        assert len(service.accepted) == 2


def test_another_request_under_the_same_key_is_refused(service, path):
    run(service, path)
    for other in (ramp_request(seed=2), ramp_request(shots=(60, 60)), ramp_request(states=((0, 1), (0, 1)))):
        with pytest.raises(LedgerError, match="train 0 was sent with other circuits or values"):
            run(service, path, other)
    service.device.name = "ibm_stand_in_2"
    with JobLedger(path) as ledger:
        executor = RemoteExecutor(IbmDevice(service, "ibm_stand_in_2"), Seeds(1), ledger, retries=QUICK)
        with pytest.raises(LedgerError, match="train 0 was sent to ibm_stand_in "):
            executor.submit(ramp_request())


def test_a_device_that_is_not_there(service):
    with pytest.raises(DeviceError, match="no device 'ibm_moon'; there are: ibm_stand_in"):
        assert IbmDevice(service, "ibm_moon").backend
    service.backends = lambda: []
    with pytest.raises(
        DeviceError, match="'ibm_moon' cannot be found or read; nothing was submitted, check the network"
    ):
        assert IbmDevice(service, "ibm_moon").backend


def test_a_device_that_is_too_small(service, monkeypatch):
    monkeypatch.setattr(ibm, "open_service", lambda instance: service)
    assert ibm_device("ibm_stand_in", 5).backend.name == "ibm_stand_in"
    with pytest.raises(ResourceError, match="has 5 qubits, the network needs 6"):
        assert ibm_device("ibm_stand_in", 6).backend


def account_error(status):
    error = InvalidAccountError("Unable to retrieve instances")
    error.__cause__ = api_error(status)
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (AccountNotFoundError("none"), "no IBM Quantum account on this machine; save one with"),
        (account_error(400), "refuses the token; nothing was submitted"),
        (account_error(503), "login service cannot be reached; nothing was submitted"),
        (IBMInputValueError("no such"), r"no instance 'mine'; there are: none"),
        (OSError(TOKEN), r"cannot be used \(OSError\); nothing was submitted"),
    ],
)
def test_logging_in(monkeypatch, error, said):
    def refuse(**_):
        raise error

    monkeypatch.setattr(ibm_login, "QiskitRuntimeService", refuse)
    with pytest.raises(DeviceError, match=said) as caught:
        open_service("mine")
    assert TOKEN not in str(caught.value)


def test_an_account_that_names_a_wrong_instance(monkeypatch):
    def refuse(**_):
        raise IBMInputValueError("no access")

    account = SimpleNamespace(list_instances=lambda: [{"name": "mine"}, {"name": "ours"}])
    monkeypatch.setattr(ibm_login, "QiskitRuntimeService", refuse)
    monkeypatch.setattr(ibm_login, "AccountManager", SimpleNamespace(get=lambda: account))
    with pytest.raises(DeviceError, match="as QISKIT_IBM_INSTANCE or the saved account says; there are: mine, ours"):
        open_service()


@pytest.mark.parametrize(("method", "times"), [("POST", 1), ("GET", 4)])
def test_the_client_itself_repeats_questions_only(method, times):
    """Against a server that answers 500 for ever, through the client's own session."""
    with_retries = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            with_retries.append(self.path)
            self.send_response(500)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    session = RetrySession(f"http://127.0.0.1:{server.server_port}")
    session.trust_env = False
    ibm.disable_retries(SimpleNamespace(_api_clients={"crn": SimpleNamespace(_session=session)}))
    with pytest.raises(RequestsApiError):
        session.request(method, "/jobs")
    server.shutdown()
    server.server_close()
    assert len(with_retries) == times


def test_a_client_of_another_making_is_left_alone(service, caplog):
    IbmDevice(service, "ibm_stand_in")
    assert "its own retries stay on" in caplog.text


def test_the_token_is_in_no_file_and_no_log(service, path, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    service.faults = {"post": [run_error(500)], "list": [api_error(500)], "result": [api_error(500)]}
    run(service, path)
    service.faults = {"post": [run_error(400)]}
    with pytest.raises(DeviceError) as caught:
        run(service, path, ramp_request(step=1))
    assert TOKEN not in caplog.text + str(caught.value)
    assert "no answer to a submission" in caplog.text
    assert all(TOKEN.encode() not in file.read_bytes() for file in tmp_path.iterdir())


def test_exact_probabilities_are_not_for_devices(service, path):
    with pytest.raises(ConfigError, match="give a number of shots"):
        run(service, path, ramp_request(shots=(None, None)))


DECOUPLED = SamplerOptions(dynamical_decoupling="XY4", gate_twirling=True, randomizations=16)


def test_options_reach_the_sampler_and_the_ledger(service, path):
    run(service, path, options=DECOUPLED)
    (job,) = service.accepted
    assert job.options["dynamical_decoupling"] == {"enable": True, "sequence_type": "XY4"}
    assert job.options["twirling"] == {
        "enable_gates": True,
        "enable_measure": False,
        "num_randomizations": 13,
        "shots_per_randomization": 4,
    }
    (entry,) = JobLedger.read(path)
    assert entry.description.options["dynamical_decoupling"] == "XY4"
    assert entry.description.options["twirling"] == {"gates": True, "readout": False, "randomizations": 16}
    with pytest.raises(LedgerError, match="other options"):
        run(service, path)
    assert service.posts == 1


def test_without_options_nothing_is_switched_on(service, path):
    run(service, path)
    assert not {"dynamical_decoupling", "twirling"} & set(service.accepted[0].options)


def test_shots_that_randomizations_do_not_divide_are_made_and_left_out(service, path):
    """Fifty shots in thirteen randomizations of four: two too many, which are charged."""
    plain = run(service, path)
    with JobLedger(path) as ledger:
        before = ledger.latest(ramp_request().key, 0).description.estimated_seconds
    path.unlink()
    data = run(service, path, calibrated_request(shots=(50, 50), calibration_shots=120, kind="twirled"))
    assert [outcome.bits.shape for outcome in data.outcomes] == [outcome.bits.shape for outcome in plain.outcomes]
    assert data.calibration.bits.shape == (1, 150, 1)
    job = service.accepted[-1]
    assert job.options["twirling"]["enable_measure"]
    assert not job.options["twirling"]["enable_gates"]
    (entry,) = JobLedger.read(path)
    executions = 52 * (8 + 3)
    assert entry.description.estimated_seconds - 2 == pytest.approx((before - 2) * executions / (50 * 8), rel=0.02)


def test_gate_twirling_and_fractional_gates(service, path):
    device = IbmDevice(service, "ibm_stand_in", sampler=service.sampler)
    device.backend.target.add_instruction(RXGate(Parameter("t")), {(q,): None for q in range(5)})
    with JobLedger(path) as ledger:
        executor = RemoteExecutor(device, Seeds(1), ledger, retries=QUICK, options=DECOUPLED)
        with pytest.raises(ConfigError, match="gate_twirling: does not go with fractional gates"):
            executor.submit(ramp_request())
    assert service.posts == 0
    assert JobLedger.read(path) == []
