"""Folders of other versions: what can be read goes on, anything else is one line with both versions."""

import json
from importlib import metadata

import pytest
import qiskit
from qiskit import QuantumCircuit

from qep_qiskit.core import circuit_bytes
from qep_qiskit.core.circuit_bytes import bytes_of, circuits_of
from qep_qiskit.learning import state

NOW = metadata.version("qep_qiskit")
NEWER = "9.1.0"


def restamped(folder, name="config.json", **stamps):
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | stamps))


@pytest.fixture
def refused_in(qep):
    def run(*words):
        result = qep(*words)
        assert result.code == 2
        (line,) = result.err.splitlines()
        return line

    return run


def test_a_changed_stamp_alone_changes_nothing(qep, halted, runs, warm_start):
    restamped(halted, qep_qiskit="0.0.1", qiskit="99.0.0", numpy="0")
    assert qep("resume", halted).code == 0
    assert warm_start(halted) == warm_start(runs / "exact")


@pytest.mark.parametrize("command", ["resume", "gradient"])
def test_a_run_of_a_newer_package(refused_in, halted, command):
    restamped(halted, qep_qiskit=NEWER)
    said = refused_in(command, halted, *(["--sample", "0"] if command == "gradient" else []))
    assert said.endswith(f"{halted}: was written by qep_qiskit {NEWER}, and this is {NOW}; use the newer version")


@pytest.mark.parametrize(("kind", "file"), [("sweep", "sweep.json"), ("budget", "study.json")])
def test_a_sweep_or_a_study_of_a_newer_package(refused_in, qep, here, kind, file):
    """The folder of one that has hardly begun is enough."""
    (here / "out").mkdir()
    (here / "out" / file).write_text(json.dumps({"qep_qiskit": NEWER}))
    words = ("--over", "seed=0:2") if kind == "sweep" else ()
    said = refused_in(kind, "exact.toml", *words, "--out", here / "out")
    assert f"was written by qep_qiskit {NEWER}, and this is {NOW}" in said


def test_a_configuration_with_keys_of_another_version_names_both(refused_in, halted):
    content = json.loads((halted / "config.json").read_text())
    content["config"]["contrast"]["of_another_time"] = 1
    restamped(halted, qep_qiskit="0.0.1", qiskit="99.0.0", config=content["config"])
    said = refused_in("resume", halted)
    assert "of_another_time" in said
    told = f"qep_qiskit 0.0.1 (this is {NOW}), qiskit 99.0.0 (this is {metadata.version('qiskit')})"
    assert said.endswith(f"; the folder was written by {told}")


def test_a_checkpoint_of_another_format_names_both(refused_in, halted, monkeypatch):
    restamped(halted, qep_qiskit="0.0.1", qiskit=metadata.version("qiskit"))
    monkeypatch.setattr(state, "_FORMAT", state._FORMAT + 1)
    said = refused_in("resume", halted)
    assert f"the checkpoint has format {state._FORMAT - 1}, and this version reads {state._FORMAT}; use the" in said
    assert said.endswith(f"; the folder was written by qep_qiskit 0.0.1 (this is {NOW})")


def test_other_data_are_still_other_data(refused_in, halted):
    content = json.loads((halted / "config.json").read_text())
    content["config"]["seed"] += 1
    restamped(halted, config=content["config"])
    assert "was written for another configuration or other data" in refused_in("resume", halted)


def newer_qpy(number, *release):
    return b"QISKIT" + bytes([number, *release]) + bytes_of(QuantumCircuit(1))[10:]


def test_circuits_of_a_newer_qiskit_name_both():
    reads = circuit_bytes.QPY_VERSION
    with pytest.raises(ValueError) as refused:
        circuits_of(newer_qpy(reads + 1, 9, 8, 7))
    here = f"Qiskit {qiskit.__version__} reads up to QPY {reads}"
    assert str(refused.value) == f"QPY {reads + 1}, written by Qiskit 9.8.7, where {here}; use Qiskit 9.8.7"


def test_a_ledger_with_circuits_of_a_newer_qiskit(qep, service, here, settings, monkeypatch):
    from ibm_runs import SETTINGS

    assert qep("submit", here / "circuits.toml", "--out", here / "run", *settings(*SETTINGS)).code == 0
    monkeypatch.setattr(circuit_bytes, "QPY_VERSION", 1)
    monkeypatch.setattr("qiskit.qpy.common.QPY_VERSION", 1)
    assert qep("collect", here / "run").code == 0  # what was paid needs no circuit
    result = qep("submit", here / "run")
    assert result.code == 2
    (line,) = result.err.splitlines()
    assert "ledger: a stored circuit cannot be read (QPY " in line
    assert f"written by Qiskit {qiskit.__version__}, where Qiskit {qiskit.__version__} reads up to QPY 1" in line


def test_versions_for_a_report_of_a_fault(qep, monkeypatch):
    found = qep("version", "--json").object
    assert {name: found[name] for name in ("qep_qiskit", "qiskit", "numpy")} == {
        name: metadata.version(name) for name in ("qep_qiskit", "qiskit", "numpy")
    }
    assert {"qiskit-aer", "scipy", "qiskit-ibm-runtime", "python", "platform"} <= found.keys()
    assert all(name in qep("version").out for name in found)
