"""Accounts, tokens, maintenance and allowances."""

import re

import pytest
from loopback_bench import JOBS, NEEDS_DOUBLE, calm, hinder, train

pytest.importorskip("qiskit_ibm_runtime")
pytestmark = NEEDS_DOUBLE


@pytest.mark.slow
def test_access_tokens_that_run_out_are_renewed(bench, weights):
    expected = weights("xor")
    bench.double.config(token_ttl=2)
    assert [done.code for done in train(bench, lambda name: expected, posts=5)] == [0]
    assert len(bench.double.log_of("POST", "^/iam/identity/token$")) > 3


@pytest.mark.slow
@pytest.mark.parametrize("nth", [4, 10])
def test_access_tokens_that_cannot_be_renewed_for_a_moment(bench, weights, nth):
    expected = weights("xor")
    bench.double.config(token_ttl=2)
    bench.double.fault("status", "^/iam/identity/token$", "POST", status=500, nth=nth)
    assert [done.code for done in train(bench, lambda name: expected, posts=None)] == [0]
    assert len(bench.double.jobs()) == 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"backend_status": {"ibm_manila": {"state": False, "status": "maintenance", "refuse_jobs": True}}},
            r"ibm_manila: the device is not taking jobs \(maintenance\); nothing was submitted, try later",
        ),
        (
            {"usage_consumed_offset": 599.0},
            r"the run is estimated at \d+\.\d QPU seconds and the account has 1\.0 left; make it cheaper",
        ),
    ],
    ids=["maintenance", "allowance"],
)
def test_a_run_that_may_not_start_yet_is_gone_on_with(bench, weights, settings, message):
    expected, config, run = weights("xor"), bench.config("xor"), bench.folder / "run"
    bench.double.config(**settings)
    first = bench.qep("train", config, "--out", run)
    assert first.code == 2
    assert re.search(message, first.line)
    assert bench.double.jobs() == bench.double.log_of("POST", "^/jobs$") == []
    assert not run.exists()
    calm(bench.double)
    bench.finish(config, run, first)
    bench.require_sound(run, expected, JOBS["xor"])


CLOSED = "http://127.0.0.1:9"
NOT_LET_IN = {
    "bad token": (
        {"QISKIT_IBM_TOKEN": "no-such-key-000000000000000"},
        "",
        "IBM's login refuses the token; nothing was",
    ),
    "no account": (
        {"QISKIT_IBM_TOKEN": None, "QISKIT_IBM_INSTANCE": None, "QISKIT_IBM_CHANNEL": None},
        "",
        r"there is no IBM Quantum account on this machine; save one with QiskitRuntimeService\.save_account",
    ),
    "unknown instance": ({}, 'instance = "nobody"', "the account has no instance 'nobody'; there are: open-instance"),
    "unknown device": ({}, 'backend = "ibm_nowhere"', "the account has no device 'ibm_nowhere'; there are: ibm_manila"),
    "no network": (
        {"HTTPS_PROXY": CLOSED, "https_proxy": CLOSED},
        "",
        "login service cannot be reached; nothing was submitted, check the network",
    ),
}


@pytest.mark.deep(but=["bad token"])
@pytest.mark.parametrize("name", NOT_LET_IN)
def test_who_is_not_let_in_is_told_why_and_leaves_no_folder(bench, name):
    changes, key, message = NOT_LET_IN[name]
    config = bench.config("xor")
    text = config.read_text()
    text = text.replace('backend = "ibm_manila"', key) if key.startswith("backend") else text
    config.write_text(text.replace("[execution]", f"[execution]\n{key}") if key.startswith("instance") else text)
    done = bench.qep("train", config, "--out", bench.folder / "run", **changes)
    assert done.code == 2
    assert re.search(message, done.line)
    assert len(done.err.splitlines()) == 1
    assert not (bench.folder / "run").exists()
    assert bench.double.log_of("POST", "^/jobs$") == []


@pytest.mark.slow
@pytest.mark.parametrize("request_", ["login", "search", "devices", "configuration", "properties"])
def test_a_service_that_is_down_at_the_start_leaves_no_folder(bench, request_):
    hinder(bench.double, request_, "500", nth=1, times=-1)
    done = bench.qep("train", bench.config("xor"), "--out", bench.folder / "run")
    assert done.code == 2
    assert re.search("nothing was submitted, check the network", done.line)
    assert len(done.err.splitlines()) == 1
    assert not (bench.folder / "run").exists()
