"""The ramp study as a user meets it: rows against matrix products, the order of limits, what cannot be studied."""

import csv
import json

import numpy as np
import pytest
from reference import ground, lindblad, pauli_matrix, trotter_ramp

from qep_qiskit.budget import ramp_study
from qep_qiskit.budget.ramp_summary import best_times, ramp_sentences
from qep_qiskit.budget.report.ramp_table import best_times_table
from qep_qiskit.evolution.density_matrices import DecoherenceRates

# The textbook qubit -A Z - B X with cost <Z>, seen through a Hadamard.
ONE_SPIN = """
name = "one spin"
[task]
kind = "none"
[network]
graph = "chain"
num_spins = 1
[network.fields]
distribution = "constant"
mean = 0.8
[network.biases]
distribution = "constant"
mean = 1.5
[cost]
kind = "operator"
terms = [{ pauli = "X0" }]
[preparation]
kind = "adiabatic"
"""
X, Z = pauli_matrix("X0", 1), pauli_matrix("Z0", 1)
EXACT = np.array([1.5**2, -0.8 * 1.5]) / np.hypot(0.8, 1.5) ** 3
STUDY = ("--study", "ramp", "--jobs", 1)


def studied(qep, folder, **keys):
    """Rows of a study of the textbook qubit."""
    (folder / "one.toml").write_text(ONE_SPIN)
    words = [word for key, value in keys.items() for word in ("--set", f"budget.ramp.{key}={value}")]
    result = qep("budget", folder / "one.toml", *STUDY, *words, "--out", folder / "ramps")
    assert result.code == 0, result.err
    with (folder / "ramps/ramp.csv").open(newline="") as file:
        return list(csv.DictReader(file)), result


@pytest.fixture
def undrawn(monkeypatch):
    """Figures take longer than the points of these studies."""
    monkeypatch.setattr("qep_qiskit.budget.report.page.budget_charts", lambda **_: [])


def reference_contrast(beta, state_of):
    """(<dH/dh>, <dH/db>) at two nudges of <X>, over 2 beta."""
    states = [state_of(-(0.8 - sign * beta) * X, -1.5 * Z) for sign in (1, -1)]
    means = [[-np.vdot(state, P @ state).real for P in (X, Z)] for state in states]
    return (np.array(means[0]) - np.array(means[1])) / (2 * beta)


def excited_at_the_start():
    """The error times T / lambda by adiabatic perturbation theory of first order, over the length of the gradient.

    The start excites 1.5 lambda / (gap^3 T^2) with a gap of 2; the phase of this turns with the nudge by T times the
    derivative of the mean gap. Both components of dH/dw together have a matrix element of 1.
    """
    s = (1 - np.cos(np.pi * (np.arange(1000) + 0.5) / 1000)) / 2
    turned = 2 * np.mean(s * (1 - 0.2 * s) / np.hypot(1 - 0.2 * s, 1.5 * s))
    return np.sqrt(2) * 1.5 / 2**3 * turned / np.linalg.norm(EXACT)


def test_a_row_is_that_of_matrix_products(qep, here, undrawn):
    """Values that are given twice count once."""
    keys = {"ramps": '["cosine"]', "total_times": [5.0], "time_steps": [0.3], "betas": [0.1, 0.1]}
    ((row,), result) = studied(qep, here, **keys, window=1.0, window_times=2)
    assert row["steps"] == "17"
    ramped, infidelities = [], []
    for time, steps in ((4.75, 16), (5.25, 18)):

        def ramp(field, bias, time=time, steps=steps):
            return trotter_ramp([bias, field], [0 * X, -X], total_time=time, steps=steps)

        ramped.append(reference_contrast(0.1, ramp))
        found, exact = ramp(-0.8 * X, -1.5 * Z), ground(-0.8 * X - 1.5 * Z)[1]
        infidelities.append(1 - abs(np.vdot(exact, found)) ** 2)
    limit = reference_contrast(0.1, lambda field, bias: ground(field + bias)[1])
    length = np.linalg.norm(EXACT)
    for name, wanted in (("error", EXACT), ("ramp_error", limit)):
        errors = np.linalg.norm(np.array(ramped) - wanted, axis=1) / length
        assert float(row[name]) == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-8)
        assert float(row[f"{name}_high"]) == pytest.approx(errors.max(), rel=1e-8)
    assert float(row["contrast_error"]) == pytest.approx(np.linalg.norm(limit - EXACT) / length, rel=1e-8)
    assert float(row["infidelity"]) == pytest.approx(np.mean(infidelities), rel=1e-6)
    assert "Error of the ramp by total time and nudge" in result.out


def test_a_row_with_decoherence_is_that_of_the_master_equation(qep, here, undrawn):
    keys = {"ramps": '["cosine"]', "total_times": [5.0], "time_steps": [0.02], "betas": [0.1]}
    rates = {"dephasing_rates": [0.0, 0.05], "relaxation_rates": [0.03]}
    rows, result = studied(qep, here, **keys, **rates, window=0.0, window_times=1)
    assert [float(row["dephasing_rate"]) for row in rows] == [0.0, 0.05]
    decay = DecoherenceRates(dephasing=0.05, relaxation=0.03)

    def matrix(field):
        return lindblad(["X0", "Z0"], [-field, -1.5], decay, total_time=5.0, num_qubits=1)

    means = [[-np.trace(matrix(0.8 - sign * 0.1) @ P).real for P in (X, Z)] for sign in (1, -1)]
    error = np.linalg.norm((np.array(means[0]) - np.array(means[1])) / 0.2 - EXACT) / np.linalg.norm(EXACT)
    exact = ground(-0.8 * X - 1.5 * Z)[1]
    assert float(rows[1]["error"]) == pytest.approx(error, rel=1e-3)
    assert float(rows[1]["infidelity"]) == pytest.approx(1 - np.vdot(exact, matrix(0.8) @ exact).real, rel=1e-3)
    assert "Best total time under decoherence" not in result.out  # one total time is no curve


@pytest.mark.deep
def test_order_of_limits_and_master_curve(qep, here, undrawn):
    keys = {"total_times": [16.0, 48.0], "time_steps": [0.1], "betas": [0.1, 0.001]}
    rows, _ = studied(qep, here, **keys, window=5.0, window_times=6)
    found = {(row["ramp"], float(row["total_time"]), float(row["beta"])): float(row["ramp_error"]) for row in rows}
    for time in (16.0, 48.0):
        curvature = {"cosine": np.pi**2 / 2, "smoothstep": 6.0}
        scaled = [found[ramp, time, 0.001] * time / value for ramp, value in curvature.items()]
        assert scaled[0] == pytest.approx(scaled[1], rel=0.1)
    assert scaled[0] == pytest.approx(excited_at_the_start(), rel=0.05)
    # The nudge first, then the time: the linear ramp keeps its error, that of the cosine falls as 1 / T.
    assert found["linear", 48.0, 0.001] == pytest.approx(found["linear", 16.0, 0.001], rel=0.1)
    assert found["cosine", 16.0, 0.001] / found["cosine", 48.0, 0.001] == pytest.approx(3.0, rel=0.2)
    # The time first: the error of the linear ramp falls at a finite nudge.
    assert found["linear", 48.0, 0.1] < 0.5 * found["linear", 16.0, 0.1]


def test_json_goes_on_where_it_stopped(qep, here, monkeypatch, undrawn):
    done = []
    real = ramp_study.ramp_row
    monkeypatch.setattr("qep_qiskit.budget.ramp_study.ramp_row", lambda *given: done.append(given) or real(*given))
    words = ("--set", "budget.ramp.window_times=1", "--set", "budget.ramp.betas=[0.1]", "--out", "ramps", "--json")
    times = "budget.ramp.total_times=[2.5, 3.0]"
    assert qep("budget", "circuits.toml", *STUDY, *words, "--set", times).code == 0
    assert len(done) == 6
    result = qep("budget", "circuits.toml", *STUDY, *words, "--set", times.replace("]", ", 4.0]"))
    assert len(done) == 6 + 3
    assert len(result.object["sentences"]) == 3
    assert json.loads((here / "ramps/study.json").read_text())["config"]["budget"]["ramp"]["window_times"] == 1


def test_sentences_are_of_the_smallest_nudge():
    rows = [
        {"ramp": "cosine", "time_step": 0.1, "total_time": time, "beta": beta}
        | {"ramp_error": beta / time, "infidelity": time**-4.0}
        for time in (8.0, 16.0, 32.0)
        for beta in (0.1, -0.01)
    ]
    rows = [row | {"ramp_error": abs(row["ramp_error"])} for row in rows]
    (sentence,) = ramp_sentences(rows)
    assert "at beta = 0.01 the error of the ramp goes with the power -1 of" in sentence
    assert "down to 0.00031 of the gradient at T = 32, and the infidelity with the power -4." in sentence
    assert ramp_sentences(rows[:2]) == []


def test_best_times_lie_between_excitation_and_decoherence():
    def row(rate, time):
        error = 2.0 / time + rate * time  # least at sqrt(2 / rate), where it is sqrt(8 rate)
        place = {"ramp": "cosine", "time_step": 0.1, "beta": 0.01, "dephasing_rate": rate, "relaxation_rate": 0.0}
        return place | {"total_time": time, "error": error, "ramp_error": error, "infidelity": 0.1}

    rows = [row(rate, 2.0**power) for rate in (0.02, 1e-6, 2.0) for power in range(1, 7)]
    found = best_times(rows)
    assert found[0]["best_time"] == pytest.approx(10.0, rel=0.01)
    assert found[0]["best_error"] == pytest.approx(0.4, rel=0.02)
    assert [one["at_end"] for one in found] == ["", "longest", "shortest"]
    first, longest, shortest = ramp_sentences(rows)
    assert (
        "steps of 0.1 and dephasing 0.02: at beta = 0.01 the error of the gradient is least at T = 9.91: 0.4 of"
        in first
    )
    assert "least at the longest total time, T = 64: 0.031 of the gradient; longer ones may be better." in longest
    assert "shorter ones" in shortest
    assert [cells[-1][0] for cells in best_times_table(found).rows] == ["9", ">", "<"]


@pytest.mark.parametrize(
    ("config", "words", "message"),
    [
        ("exact", (), "preparation.kind: --study ramp needs 'adiabatic' ramps of qubits, got 'exact'"),
        (
            "circuits",
            ("--set", "network.kind='classical_ising'"),
            "network.kind: --study ramp compares with the gradient",
        ),
        ("circuits", ("--study", "gradient"), "--study ramp: goes alone and without --over"),
        ("circuits", ("--over", "seed=1,2"), "--study ramp: goes alone and without --over"),
        ("circuits", ("--set", "execution.noise={one_qubit = 0.01}"), "execution: --study ramp takes exact means"),
        ("circuits", ("--set", "budget.ramp.total_times=[0]"), "budget.ramp.total_times"),
        ("circuits", ("--set", "budget.ramp.dephasing_rates=[-1]"), "budget.ramp.dephasing_rates"),
        (
            "circuits",
            ("--set", "budget.ramp.relaxation_rates=[0.1]", "--set", "network.num_spins=11"),
            "budget.ramp: dephasing_rates and relaxation_rates take density matrices of at most 10 qubits, got 11",
        ),
        ("circuits", ("--set", "budget.ramp.ramps=['sine']"), "budget.ramp.ramps"),
        ("circuits", ("--set", "budget.ramp.window=8"), "the shortest of budget.ramp.total_times (4), got 8"),
    ],
)
def test_what_cannot_be_studied(refused, config, words, message):
    assert message in refused("budget", f"{config}.toml", *STUDY[:2], *words)
