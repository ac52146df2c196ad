"""Every command on oscillators on qubits, and what is refused."""

import json

import pytest

_PAIR = """
name = "pair"
seed = 2
[task]
kind = "csv"
file = "rows.csv"
inputs = ["left", "right"]
targets = ["middle"]
scaling = "none"
test_fraction = 0.25
[network]
kind = "oscillators"
graph = "edges"
num_atoms = 4
edges = [[0, 2], [2, 3], [1, 3]]
clamped = [0, 1]
outputs = [2]
[network.grid]
num_qubits = 3
[preparation]
kind = "adiabatic"
total_time = 1.6
steps = 4
[measurement]
shots = 50
[contrast]
beta = 1.0
[training]
epochs = 3
batch_size = 2
"""
_ROWS = "left,right,middle\n0.5,-0.5,0.1\n-0.5,0.2,-0.2\n0.3,0.4,0.3\n-0.1,-0.6,-0.3\n"

_EDGES = [[0, 2], [2, 3], [1, 3]]

WAYS = {
    "exact": ["preparation={kind='exact'}"],
    "statevector": ["execution.backend='statevector'"],
    "aer": ["execution.backend='aer'"],
    "measured": ["execution.measured_circuits=true"],
    "operator cost": ["cost={kind='operator', operator='squared_error'}", "contrast.beta=0.2"],
    "noisy": ["execution.noise={two_qubit=0.001, readout=0.02}"],
    "variational": ["preparation={kind='variational', ansatz={kind='hamiltonian', depth=1}, on_unconverged='go_on'}"],
}


@pytest.fixture
def pair(here):
    (here / "pair.toml").write_text(_PAIR)
    (here / "rows.csv").write_text(_ROWS)
    return here / "pair.toml"


@pytest.mark.deep(but=["exact", "operator cost"])
@pytest.mark.parametrize("way", WAYS)
def test_trains_resumes_and_predicts(qep, pair, survives_a_stop, way):
    survives_a_stop(pair, 2, WAYS[way])
    found = qep("predict", "whole", "rows.csv", "--json").object
    assert len(found["predictions"]) == 4


def test_gradient_of_exact_states_is_near_the_exact_one(qep, pair, settings):
    words = settings("preparation={kind='exact'}", "measurement.shots='exact'", "contrast.beta=0.5")
    found = qep("gradient", pair, "--sample", 1, "--json", "--compare", "exact", *words).object
    assert {weight["name"] for weight in found["weights"]} >= {"k[0,2]", "k[2,3]", "k[1,3]"}
    for weight in found["weights"]:
        assert weight["gradient"] == pytest.approx(weight["exact"], abs=2e-3)


def test_circuits_of_positions_and_momenta(qep, pair, here):
    assert qep("circuits", pair, "--out", "circuits").code == 0
    names = {path.stem for path in (here / "circuits").glob("*.qasm")}
    assert names == {f"{phase}_{group}" for phase in ("free", "nudged_plus", "nudged_minus") for group in "rp"}
    assert "cp(" in (here / "circuits" / "free_p.qasm").read_text()


def test_springs_keep_their_bounds(qep, pair, here, settings):
    fast = settings(
        "update.learning_rate=2.0", "network.springs={minimum=0.8, maximum=1.2}", "preparation={kind='exact'}"
    )
    assert qep("train", pair, "--out", "run", *fast).code == 0
    weights = json.loads((here / "run" / "weights.json").read_text())
    ends = [value["end"] for name, value in weights.items() if name.startswith("k")]
    assert (min(ends), max(ends)) == (0.8, 1.2)


BAD = {
    "a box too small": (
        ["network.grid.box=2.0"],
        "network.grid: the box of atom 3 is too small: it ends",
    ),
    "a grid too coarse": (
        ["network.grid.num_qubits=2", "network.grid.box=14.0"],
        "network.grid: the grid of atom 2 is too coarse: steps of 3.5 hold",
    ),
    "what would do": (["network.grid.box=2.0"], "use network.grid.num_qubits = 3 and network.grid.box = "),
    "too many qubits": (["network.grid.num_qubits=11"], "network.grid.num_qubits: expected"),
    "no box": (["network.grid.box=0.0"], "network.grid.box: expected"),
    "no memory": (
        ["network.grid.num_qubits=10", "network.num_atoms=7", f"network.edges={[*_EDGES, [3, 4], [4, 5], [5, 6]]}"],
        "does not fit in memory",
    ),
    "a nudge without minimum": (
        ["cost={kind='operator', operator='squared_error'}", "contrast.beta=3.0"],
        "have no minimum (a stiffness of",
    ),
    "a nudge into the wall": (["contrast.beta=40.0", "preparation={kind='exact'}"], "or a smaller contrast.beta"),
    "fields of a driver": (["preparation.driver_field=2.0"], "preparation.driver_field: is for spins"),
    "an excited level": (["preparation.level=1"], "preparation.level: is for spins"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line(refused, pair, settings, case):
    overrides, words = BAD[case]
    assert words in refused("gradient", pair, "--sample", 0, *settings(*overrides))


def test_keys_of_oscillators_are_refused_for_spins(refused, here):
    (here / "spins.toml").write_text(
        '[task]\nkind = "xor"\n[network]\nnum_spins = 2\n[preparation]\nkind = "adiabatic"\nstart = "origin"\n'
    )
    assert "preparation.start: is for oscillators on a grid" in refused("gradient", "spins.toml", "--sample", 0)


def test_studies_of_nudges_are_for_atoms_in_space(qep, refused, pair):
    assert "network.grid: a study tries nudges and weights that leave the boxes" in refused("budget", pair)
    assert qep("budget", pair, "--target-error", "0.5").code == 0
