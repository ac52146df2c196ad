"""Looking over what runs on devices need, with a stand-in for IBM's client."""

import sys
from importlib import metadata
from types import SimpleNamespace

import pytest

pytest.importorskip("qiskit_ibm_runtime")

from ibm_stand_in import TOKEN, StandInService
from qiskit_ibm_runtime.accounts import AccountManager, AccountNotFoundError, InvalidAccountError
from requests.exceptions import ProxyError, SSLError

from qep_qiskit.device import account, ibm_login
from qep_qiskit.runs import versions
from qep_qiskit.runs.versions import meets, requirement_of


@pytest.fixture
def found(qep):
    """The checks by name, and the exit code."""

    def look():
        result = qep("doctor", "--json")
        assert TOKEN not in result.out + result.err
        checks = {check["name"]: check for check in result.object["checks"]}
        assert result.object["ok"] == all(check["ok"] for check in checks.values()) == (result.code == 0)
        assert all(check["ok"] == (not check["advice"]) for check in checks.values())
        return checks, result.code

    return look


@pytest.fixture
def stand_in(monkeypatch):
    for name in (*account._CERTIFICATES, *account._PROXIES, "QISKIT_IBM_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    service = StandInService()
    service._api_clients = {}
    stored = SimpleNamespace(channel="ibm_quantum_platform", token=TOKEN, instance=None, verify=True, proxies=None)
    service.stored = stored
    monkeypatch.setattr(AccountManager, "get", lambda: stored)
    monkeypatch.setattr(account, "open_service", lambda: service)
    return service


def test_all_is_well(found, stand_in, qep):
    checks, code = found()
    assert code == 0
    assert checks["qep_qiskit"]["found"] == metadata.version("qep_qiskit")
    told = {name: check["found"] for name, check in checks.items()}
    assert told["account"] == "saved on this machine"
    assert (told["channel"], told["login"]) == ("ibm_quantum_platform", "accepted")
    assert (told["instance"], told["plan"]) == ("ours", "open, no sessions")
    assert told["devices"] == "ibm_stand_in (5 qubits, 3 in the queue)"
    assert told["QPU seconds left"] == "600"
    table = qep("doctor")
    assert max(map(len, table.out.splitlines())) <= 80
    assert table.code == 0
    assert TOKEN not in table.out


def without_account():
    raise AccountNotFoundError("no account")


def test_without_an_account(found, monkeypatch, stand_in):
    monkeypatch.setattr(AccountManager, "get", without_account)
    checks, code = found()
    assert code == 2
    assert checks["account"]["advice"].startswith("save one with QiskitRuntimeService.save_account")
    assert checks["network"]["ok"]
    assert {checks[name]["advice"] for name in ("login", "devices", "plan")} == {"log in first"}


def test_without_the_client(found, monkeypatch):
    monkeypatch.setitem(sys.modules, "qep_qiskit.device.account", None)
    version = metadata.version

    def missing(name):
        if name == "qiskit-ibm-runtime":
            raise metadata.PackageNotFoundError
        return version(name)

    monkeypatch.setattr(versions.metadata, "version", missing)
    checks, code = found()
    assert code == 2
    assert checks["qiskit-ibm-runtime"]["advice"] == "pip install 'qep_qiskit[ibm]'"
    assert checks["account"]["advice"] == "needs qiskit-ibm-runtime"


@pytest.mark.parametrize(
    ("cause", "said", "advice"),
    [
        (SSLError(TOKEN), "the certificate of the service is not accepted", "set REQUESTS_CA_BUNDLE"),
        (ProxyError(TOKEN), "the proxy cannot be used", "check HTTPS_PROXY"),
        (OSError(TOKEN), "IBM's login service cannot be reached", "check the network or try later"),
    ],
)
def test_a_login_that_fails_says_why(found, stand_in, monkeypatch, cause, said, advice):
    def refuse(instance=None):
        raise InvalidAccountError("no") from cause

    monkeypatch.setattr(ibm_login, "QiskitRuntimeService", refuse)
    monkeypatch.setattr(account, "open_service", ibm_login.open_service)
    checks, code = found()
    assert code == 2
    assert checks["login"]["found"] == said
    assert checks["login"]["advice"].startswith(advice)
    assert checks["devices"]["advice"] == "log in first"


def test_what_is_to_be_done(found, stand_in):
    stand_in.remaining, stand_in.account_plan = 0, "premium"
    stand_in.device.state = SimpleNamespace(operational=True, status_msg="maintenance", pending_jobs=0)
    checks, code = found()
    assert code == 2
    assert checks["devices"] == {
        "ok": False,
        "name": "devices",
        "found": "ibm_stand_in (5 qubits, maintenance)",
        "advice": "all are closed: try later",
    }
    assert checks["QPU seconds left"]["advice"].startswith("wait for the next period")
    assert checks["plan"]["found"] == "premium"


def test_a_service_that_answers_nothing_more(found, stand_in):
    for name in ("instances", "active_instance", "backends", "usage"):
        setattr(stand_in, name, lambda: exec(f"raise OSError('{TOKEN}')"))
    checks, code = found()
    assert code == 2
    assert checks["instance"]["found"] == checks["devices"]["found"] == "none"
    assert checks["QPU seconds left"]["found"] == "not known"


def test_certificates_and_proxies(found, stand_in, monkeypatch, tmp_path):
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@proxy.example:3128")
    assert found()[0]["network"]["found"] == "usual certificates, proxy proxy.example:3128"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    assert found()[0]["network"]["advice"].startswith("there is no such file")
    (tmp_path / "ca.pem").touch()
    assert found()[0]["network"]["found"] == f"certificates in {tmp_path / 'ca.pem'}, proxy proxy.example:3128"
    stand_in.stored.verify = False
    assert found()[0]["network"]["advice"] == "save the account with verify=True"


@pytest.mark.parametrize(
    ("version", "fits"), [("2.2", True), ("2.2.0", True), ("2.10.1", True), ("2.1.9", False), ("3.0", False)]
)
def test_bounds_of_versions(version, fits):
    assert meets(version, "<3,>=2.2") == fits


def test_requirements_are_those_of_the_package():
    wanted, extra = requirement_of("qiskit-ibm-runtime")
    assert (extra, wanted[0] in "<>") == ("ibm", True)
    assert requirement_of("qiskit")[1] == requirement_of("unheard-of")[0] == ""


def test_an_old_version_is_no_good(found, stand_in, monkeypatch):
    version = metadata.version
    monkeypatch.setattr(versions.metadata, "version", lambda name: "0.9" if name == "qiskit" else version(name))
    assert found()[0]["qiskit"]["advice"].startswith("expected <3,>=2.")
