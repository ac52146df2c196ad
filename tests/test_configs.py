"""Every shipped configuration runs, and the circuits folder shows the circuits they run."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from qiskit import qasm3
from qiskit.quantum_info import Statevector

from qep_qiskit.cli import main
from qep_qiskit.cli.circuits import gradient_circuits
from qep_qiskit.config import from_file, load_config

ROOT = Path(__file__).parents[1]
CONFIGS = sorted((ROOT / "configs").glob("*.toml"))
SLOW = {"dmrg_57"}  # also in its small variant
FOR_USE = {"ansaetze"}  # circuits to name in a configuration; tests/ansatz reads them
ACCOUNT = [path for path in CONFIGS if load_config(path).execution.backend.startswith("ibm_")]
WIDE = {"dmrg_57", "native_100"}
"""Configurations whose states take tens of seconds."""
LONG = WIDE | {"patterns_quantum"}
"""Configurations whose circuits do."""
UNCONNECTED = {"digits_coupled"}
"""Configurations of unconnected parts, whose joint vector does not fit."""
DRAWN = sorted(path.name for path in (ROOT / "circuits").iterdir() if path.is_dir() and path.name not in FOR_USE)


def wide_ones_are_slow(cases, wide=WIDE):
    """Names, or files by their names."""
    names = [getattr(case, "stem", case) for case in cases]
    marks = [[pytest.mark.slow] if name in wide else [] for name in names]
    return [pytest.param(case, id=name, marks=own) for case, name, own in zip(cases, names, marks, strict=True)]


@pytest.mark.deep(
    but=[
        "xor",
        "xor_one_shot",
        "thermal",
        "classical_ising",
        "oscillators",
        "oscillators_grid",
        "elastic",
        "excited",
        "antiferromagnet",
        "cluster_ising",
        "xor_ansatz",
    ]
)
@pytest.mark.parametrize("path", wide_ones_are_slow(sorted({*CONFIGS} - {*ACCOUNT})))
def test_config_runs_in_a_small_variant(path, tmp_path, capsys):
    """One epoch of few steps, through the command line, to the last file."""
    if load_config(path).execution.backend.startswith("fake_"):
        pytest.importorskip("qiskit_ibm_runtime")
    small = ["training.epochs=1"]
    if load_config(path).preparation.kind == "neural":
        pytest.importorskip("netket")
        small += ["network.shape=[2, 2]", "preparation.samples=512", "preparation.chains=16"]
    if load_config(path).preparation.kind == "dmrg":
        pytest.importorskip("tenpy")
        small += ["preparation.max_bond_dimension=2", "preparation.on_unconverged='go_on'", "preparation.max_sweeps=1"]
        small += ["task.test_fraction=0.7"]
    if load_config(path).preparation.kind == "annealer":
        pytest.importorskip("dwave.samplers")
        small += ["network.layers=[4, 20]", "network.copies=2", "preparation.reads=1", "preparation.sweeps=2"]
        small += ["training.batch_size=1000", "training.evaluate_every=0"]
    elif load_config(path).task.kind == "digits":
        small += ["training.batch_size=1437", "task.test_size=10", "preparation.steps=2", "preparation.total_time=0.4"]
    if path.stem in UNCONNECTED:
        small += ["training.batch_size=32", "task.test_size=1750"]
    if load_config(path).task.kind == "phases":
        small += ["task.num_samples=20", "task.test_size=10"]
    if getattr(load_config(path).network, "graph", None) == "convolution":
        small += ["network.filters=1"]
    if load_config(path).preparation.kind == "annealing":
        small += ["preparation.restarts=1"]
    if load_config(path).execution.backend == "mps":
        small += ["preparation.steps=1", "preparation.total_time=0.4"]
    if "options" in (path.read_text()):
        small += ["preparation.options.maxiter=2"]
    overrides = [word for text in small for word in ("--set", text)]
    assert main(["train", str(path), "--out", str(tmp_path / "run"), *overrides]) == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["epochs"] == 1
    assert math.isfinite(summary["train_loss"])
    assert "wrote" in capsys.readouterr().out


@pytest.mark.parametrize("path", ACCOUNT, ids=lambda path: path.stem)
def test_config_for_a_device_is_within_its_own_limit(path, capsys):
    """It needs an account to run; tests/cli/test_device_runs.py trains on a stand-in."""
    pytest.importorskip("qiskit_ibm_runtime")
    assert main(["plan", str(path), "--backend", "fake_torino", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["would_start"]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_config_has_its_circuits_shown(path):
    """Every configuration with circuits has a folder of them."""
    has_circuits = not load_config(path).preparation.has_known_states
    assert (path.stem in DRAWN) == has_circuits


def regenerated(name):
    """Circuits of a configuration by name."""
    experiment = from_file(ROOT / "configs" / f"{name}.toml")
    weights = experiment.network.layout.initial(experiment.seeds)
    return {item.name: item.circuit for item in gradient_circuits(experiment, weights, 0)}


def gates_of(circuit):
    """Names and qubits of all gates, qubit by qubit; the order of gates on different qubits is free."""
    lines = [[] for _ in circuit.qubits]
    for step in circuit.data:
        positions = [circuit.find_bit(qubit).index for qubit in step.qubits]
        if step.name != "barrier":
            for place in positions:
                lines[place].append((step.name, tuple(positions)))
    return lines


def angles_of(circuit):
    """Angles of all gates, qubit by qubit."""
    lines = [[] for _ in circuit.qubits]
    for step in circuit.data:
        for qubit in step.qubits:
            lines[circuit.find_bit(qubit).index] += map(float, step.operation.params)
    return np.concatenate([np.asarray(line) for line in lines])


@pytest.mark.deep(but=["xor_vqe", "xor_ibm"])
@pytest.mark.parametrize("name", wide_ones_are_slow(DRAWN, LONG))
def test_circuit_files_are_what_the_configuration_runs(name):
    """All of its circuits are there with the same gates, and where angles follow from the weights the same state.

    Angles that an optimiser found may take another way on another machine.
    """
    known = regenerated(name)
    assert {file.stem for file in (ROOT / "circuits" / name).glob("*.qasm")} == set(known)
    for circuit, measured in known.items():
        file = ROOT / "circuits" / name / f"{circuit}.qasm"
        shown = qasm3.loads(file.read_text()).remove_final_measurements(inplace=False)
        runs = measured.remove_final_measurements(inplace=False)
        assert gates_of(shown) == gates_of(runs), circuit
        config = load_config(ROOT / "configs" / f"{name}.toml")
        if name in UNCONNECTED:
            assert np.allclose(angles_of(shown), angles_of(runs), rtol=0, atol=1e-8), circuit
        elif config.preparation.kind != "variational" and config.execution.backend != "mps":
            overlap = abs(np.vdot(Statevector(shown).data, Statevector(runs).data))
            assert overlap == pytest.approx(1.0, abs=1e-8), circuit
