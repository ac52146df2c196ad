"""Matrix product states on the command line: training, resuming, comparisons, and what is refused in one line."""

import sys

import pytest

_SPINS = """
name = "spins"
seed = 3
[task]
kind = "xor"
[network]
graph = "ring"
num_spins = 4
[preparation]
kind = "dmrg"
max_bond_dimension = 4
[measurement]
shots = 50
[contrast]
beta = 0.3
[training]
epochs = 2
batch_size = 2
"""
_BONDS = """
name = "bonds"
[task]
kind = "none"
[cost]
kind = "operator"
terms = [{pauli = "Z0"}]
[network]
kind = "pauli"
num_spins = 3
grouping = "commuting"
terms = [
    { pauli = "X0 X1", repeat = "chain", weight = "Jx" },
    { pauli = "Y0 Y1", repeat = "chain", weight = "Jy" },
    { pauli = "Z0 Z1", repeat = "chain", weight = "Jz" },
]
[preparation]
kind = "dmrg"
"""


@pytest.fixture
def spins(here):
    (here / "spins.toml").write_text(_SPINS)
    return here / "spins.toml"


WAYS = {
    "loss": [],
    "one-sided": ["contrast.kind='one_sided'"],
    "automatic": ["contrast.beta='auto'", "measurement.allocation='optimal'"],
    "adaptive": ["measurement.adaptive={window=2}"],
    "replicated": ["measurement.error_bars='replicated'", "measurement.shots=60"],
    "level": ["preparation.level=1"],
    "exact": ["measurement.shots='exact'"],
}


SLOW = {"adaptive", "replicated", "level", "exact"}


@pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.QepWarning")
@pytest.mark.deep(but=["loss"])
@pytest.mark.parametrize("way", [pytest.param(way, marks=pytest.mark.slow if way in SLOW else ()) for way in WAYS])
def test_trains_resumes_bit_for_bit_and_predicts(qep, spins, survives_a_stop, here, way, warm_start):
    pytest.importorskip("tenpy")
    halted = survives_a_stop(spins, 3, WAYS[way])
    assert "warm_start_tensor_entries" in warm_start(halted)
    (here / "rows.csv").write_text("s0,s1\n1,1\n-1,1\n")
    assert len(qep("predict", "whole", "rows.csv", "--json").object["predictions"]) == 2


@pytest.mark.deep
def test_states_beyond_the_size_of_a_checkpoint_are_computed_again(spins, survives_a_stop, warm_start, monkeypatch):
    pytest.importorskip("tenpy")
    monkeypatch.setattr("qep_qiskit.learning.warm_starts._MOST_WARM_START_BYTES", 300)
    assert "warm_start_tensor_entries" not in warm_start(survives_a_stop(spins, 3))


@pytest.mark.deep
def test_more_spins_than_can_be_diagonalised_are_compared_with_twice_the_bond_dimension(qep, spins):
    pytest.importorskip("tenpy")
    wide = ("network={graph='lattice',shape=[3,7]}", "preparation.max_bond_dimension=8", "measurement.shots='exact'")
    words = [word for text in wide for word in ("--set", text)]
    found = qep("gradient", spins, "--sample", 0, "--compare", "exact", "--json", *words).object
    assert found["finer_bond_dimension"] == 16
    assert found["finer_discarded_weight"] < found["diagnostics"]["discarded_weight"] / 10
    assert 0 < found["relative_error"] < 0.05
    assert "exact_cost" not in found
    shown = qep("gradient", spins, "--sample", 0, "--compare", "exact", *words)
    assert "against the contrast with bonds of 16: relative error" in shown.out
    assert "bonds doubled" in shown.out


def test_few_spins_are_compared_with_diagonalisation(qep, spins):
    pytest.importorskip("tenpy")
    words = ("--set", "measurement.shots='exact'", "--set", "preparation.max_bond_dimension=8", "--json")
    found = qep("gradient", spins, "--sample", 0, "--compare", "exact", *words, "--set", "contrast.beta=0.01").object
    assert found["relative_error"] < 1e-3
    assert all(abs(row["gradient"] - row["exact_contrast"]) < 1e-5 for row in found["weights"])


def test_a_missing_extra_is_one_line(refused, spins, monkeypatch):
    monkeypatch.setitem(sys.modules, "tenpy", None)
    assert "needs physics-tenpy; install with pip install 'qep_qiskit[tensor]'" in refused("train", spins)


def test_bases_that_couple_qubits_are_one_line(refused, here):
    (here / "bonds.toml").write_text(_BONDS)
    said = refused("train", here / "bonds.toml")
    assert "matrix product states are measured after rotations of single qubits" in said
    assert "grouping = 'qubit_wise'" in said


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("network.kind='classical_ising'", "preparation.kind: 'dmrg' is for quantum spins"),
        ("preparation.order=[0,1]", "preparation.order: expected each of the spins 0 to 3 once, got [0, 1]"),
        ("preparation.max_bond_dimension=0", "preparation.max_bond_dimension: expected at least 1, got 0"),
        ("network={graph='chain',num_spins=2}", "'dmrg' sweeps over pairs of at least 3 spins, got 2"),
        ("preparation.level=16", "preparation.level: 16 is beyond the spectrum"),
    ],
)
def test_what_does_not_go_together_is_one_line(refused, spins, setting, text):
    assert text in refused("train", spins, "--set", setting)


def test_bonds_that_cannot_hold_a_state_stop_a_run_with_the_number_to_try(refused, spins):
    pytest.importorskip("tenpy")
    small = ("--set", "preparation.max_bond_dimension=1", "--set", "preparation.on_unconverged='stop'")
    said = refused("gradient", spins, "--sample", 0, *small)
    assert "bonds of 1 discard" in said
    assert "try preparation.max_bond_dimension = 2" in said


@pytest.mark.parametrize("kind", ["exact", "adiabatic"])
def test_a_comparison_that_is_impossible_is_one_line_before_anything_runs(refused, spins, kind):
    wide = [
        f"preparation={{kind='{kind}'}}",
        "network={graph='lattice',shape=[6,10]}",
        "execution.method='matrix_product_state'",
    ]
    words = [word for text in wide for word in ("--set", text)]
    assert "does not fit in memory" in refused("gradient", spins, "--sample", 0, "--compare", "exact", *words)
