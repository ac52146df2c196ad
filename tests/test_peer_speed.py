"""Comparisons of speed and of gradients with programs of others: tables, and that all compute the same numbers."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.peers import cases, gradients, speed
from benchmarks.peers.paired import Times
from benchmarks.peers.simulators import SIMULATORS
from benchmarks.peers.stored import read_results

PEERS = ("pennylane", "pennylane_lightning", "qulacs", "tensorcircuit", "qiskit_machine_learning")


def test_ratios_are_medians_of_the_ratios_of_each_round_with_the_same_cores():
    names = [("a", 1), ("b", 1), ("a", 2), ("b", 2)]
    contestants = [speed._contestant(name, cores, "ramp_gradient") for name, cores in names]
    comparison = speed.Comparison(column="4 spins", unit=1e3, contestants=contestants, rounds=3)
    seconds = ([1.0, 2.0, 4.0], [4.0, 2.0, 8.0], [10.0, 10.0, 10.0], [5.0, 20.0, 5.0])
    times = [Times(cpu=np.array(s), wall=np.array(s) / 1e3, first=9.0, found=np.zeros(0)) for s in seconds]
    rows = speed.rows_of(comparison, times)
    assert [float(row["cpu_ratio"]) for row in rows] == [1.0, 2.0, 1.0, 0.5]
    assert [row[""] for row in speed.wide(rows, "time")] == ["a, 1 core", "b, 1 core", "a, 2 cores", "b, 2 cores"]
    assert [row["4 spins"] for row in speed.wide(rows, "time")] == [
        *("2000 (1500 to 3000)", "4000 (3000 to 6000)"),  # CPU on one core
        *("10", "5 (5 to 12)"),  # the clock on two
    ]


@pytest.mark.deep
@pytest.mark.parametrize("method", ["dense", "sparse"])
def test_the_notebook_finds_the_exact_gradient_of_the_package(method):
    found, wanted = (cases.exact_gradient(1, 3, 2, name)(0) for name in (method, "package"))
    assert np.abs(found - wanted).max() < 1e-8


@pytest.mark.deep
def test_tables_of_the_package_alone(tmp_path, capsys):
    only = ("--sizes", "3", "--peers", "none", "--store", "--folder", str(tmp_path), "--rounds", "1")
    speed.main(["--cores", "1", "--only", "gradient", *only])
    stored = read_results(tmp_path / "speed_gradient.csv")
    assert [row["contestant"] for row in stored.rows] == ["qep engine", "qep engine, single"]
    assert {row["rounds"] for row in stored.rows} == {"1"}
    assert stored.rows[0]["cpu_ratio"] == "1"
    assert all(float(row["cpu"]) > 0 for row in stored.rows)
    assert read_results(tmp_path / "speed_gradient_time.csv").table[0] == ["", "3 spins, 1 sample"]
    gradients.main([*only, "--shots", "7", "--device", ""])
    (row,) = read_results(tmp_path / "gradients_3.csv").rows
    circuits = 4 * (1 + 2 * 2)  # samples, the free phase in Z, two nudged ones in Z and X
    assert (row["jobs"], row["circuits"], row["executions"]) == ("2", str(circuits), str(7 * circuits))
    assert "3 spins" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("name", SIMULATORS)
def test_simulators_of_others_find_the_gradient_of_the_engine(name):
    for package in SIMULATORS[name].packages:
        pytest.importorskip({"tensorcircuit-ng": "tensorcircuit"}.get(package, package.replace("-", "_")))
    tolerance = 1e-4 if SIMULATORS[name].precision == "single" else 1e-8
    for spins in (4, 13):  # above 12 qulacs optimises its circuits
        found, wanted = (cases.ramp_gradient(1, spins, 2, 3, None, one)(0) for one in (name, "double"))
        assert np.abs(found - wanted).max() < tolerance


@pytest.mark.slow
def test_a_training_step_of_others_is_counted_as_their_rules_say():
    for package in PEERS[:1] + PEERS[-1:]:
        pytest.importorskip(package)
    qubits, shots, samples = 3, 100, 4
    angles = 3 * qubits
    methods = {one.name: one for one in gradients.methods_of(qubits, shots, None, [""])}
    pennylane, network = methods["PennyLane default.qubit, parameter-shift"], "qiskit-ml EstimatorQNN, parameter shift"
    assert np.abs(pennylane.exact - methods[network].exact).max() < 1e-8  # the same model in two libraries
    circuits = {name: one.gradient(0)[1].circuits for name, one in methods.items()}
    assert circuits[network] == samples * (1 + 2 * angles)  # the forward pass, and two shifts of every angle
    seen = angles - (qubits - 1)  # PennyLane leaves out the last layer of the qubits that are not read
    assert circuits["PennyLane default.qubit, parameter-shift"] == samples * (1 + 2 * seen)
    assert circuits["PennyLane lightning.qubit, finite-diff"] == samples * (1 + 1 + seen)
    assert circuits["PennyLane lightning.qubit, spsa"] == samples * (1 + 2)
    assert circuits["qiskit-ml EstimatorQNN, SPSA"] == samples * (1 + 2)


@pytest.mark.parametrize(
    ("module", "words", "said"),
    [
        (gradients, ["--sizes", "0"], "--sizes: expected whole numbers above zero, such as 4,8,12, got '0'"),
        (speed, ["--cores", "two"], "--cores: expected whole numbers above zero"),
        (speed, ["--only", "nothing"], "--only: expected parts of gradient, one_sample, digits, vqe, exact"),
    ],
)
def test_bad_options_are_one_line(module, words, said, capsys):
    with pytest.raises(SystemExit, match="2"):
        module.main(words)
    assert said in capsys.readouterr().err.splitlines()[-1]
