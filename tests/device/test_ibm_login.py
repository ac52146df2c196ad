"""Logging in, the own retries of the client, and the token, which is in no file."""

import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from ibm_requests import ramp_request

pytest.importorskip("qiskit_ibm_runtime")

from ibm_executor import run
from ibm_stand_in import TOKEN, api_error, run_error
from qiskit_ibm_runtime.accounts import AccountNotFoundError, InvalidAccountError
from qiskit_ibm_runtime.api.exceptions import RequestsApiError
from qiskit_ibm_runtime.api.session import RetrySession
from qiskit_ibm_runtime.exceptions import IBMInputValueError

from qep_qiskit.core.errors import (
    DeviceError,
)
from qep_qiskit.device import ibm, ibm_login
from qep_qiskit.device.ibm import IbmDevice
from qep_qiskit.device.ibm_login import open_service


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
