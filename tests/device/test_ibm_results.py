"""Never lose a result: waiting, results that do not fit, and jobs that end badly."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("qiskit_ibm_runtime")

from ibm_executor import run, same, states
from ibm_stand_in import TOKEN, api_error
from qiskit_ibm_runtime.exceptions import IBMNotAuthorizedError

from qep_qiskit.cli.main import main
from qep_qiskit.core.errors import (
    DeviceError,
    JobFailedError,
    ResultError,
    StillQueuedError,
)
from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.device.retries import MOST_UNFIT_RESULTS, RetryPolicy


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
