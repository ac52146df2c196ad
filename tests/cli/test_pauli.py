"""Every command on a network of Pauli strings in several bases."""

import json

import pytest

_MIXED = """
name = "mixed"
seed = 2
[task]
kind = "xor"
[network]
kind = "pauli"
num_spins = 3
[[network.terms]]
pauli = "-X0"
repeat = "chain"
[[network.terms]]
pauli = "Z0 Z1"
repeat = "ring"
weight = "J"
tied = false
[[network.terms]]
pauli = "X0 Y1 + Y0 X1"
repeat = "chain"
weight = "D"
[[network.terms]]
pauli = "Z0"
repeat = "chain"
weight = "W"
input = 0
tied = false
[[network.terms]]
pauli = "Z0 Z1"
input = 1
[[network.terms]]
pauli = "Z2 + 0.2 Y1"
weight = "b"
[preparation]
kind = "adiabatic"
total_time = 2.0
steps = 6
[measurement]
shots = 30
[training]
epochs = 3
batch_size = 2
"""
_HEISENBERG = """
name = "bonds"
seed = 4
[task]
kind = "xor"
[network]
kind = "pauli"
num_spins = 3
grouping = "commuting"
terms = [
    { pauli = "X0 X1", repeat = "chain", weight = "Jx" },
    { pauli = "Y0 Y1", repeat = "chain", weight = "Jy" },
    { pauli = "Z0 Z1", repeat = "chain", weight = "Jz" },
    { pauli = "Y0 Y1 Z2", weight = "W0", input = 0 },
    { pauli = "Z0 X1 X2", weight = "W1", input = 1 },
]
[preparation]
kind = "adiabatic"
total_time = 2.0
steps = 5
[measurement]
shots = 30
[training]
epochs = 2
batch_size = 2
"""
_ROWS = "s0,s1,label\n1,1,+1\n-1,1,-1\n"

WAYS = {
    "exact": "preparation={kind='exact'}",
    "statevector": "execution.backend='statevector'",
    "aer": "execution.backend='aer'",
    "measured": "execution.measured_circuits=true",
    "noisy": "execution.noise={two_qubit=0.01, readout=0.02}",
    "variational": "preparation={kind='variational', ansatz={kind='hamiltonian', depth=1}, on_unconverged='go_on'}",
}


@pytest.fixture
def mixed(here):
    (here / "mixed.toml").write_text(_MIXED)
    (here / "rows.csv").write_text(_ROWS)
    return here / "mixed.toml"


@pytest.mark.deep(but=["exact", "statevector"])
@pytest.mark.parametrize("way", WAYS)
def test_trains_resumes_and_predicts(qep, mixed, survives_a_stop, way):
    survives_a_stop(mixed, 2, [WAYS[way]])
    found = qep("predict", "whole", "rows.csv", "--json").object
    assert len(found["predictions"]) == 2


@pytest.fixture
def bonds(here):
    (here / "bonds.toml").write_text(_HEISENBERG)
    return here / "bonds.toml"


@pytest.mark.deep(but=["statevector"])
@pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.QepWarning")
@pytest.mark.parametrize("way", WAYS)
def test_trains_and_resumes_in_bases_with_two_qubit_gates(bonds, survives_a_stop, way):
    survives_a_stop(bonds, 1, [WAYS[way]])


def test_circuits_show_the_change_of_basis(qep, bonds, here):
    assert qep("circuits", bonds, "--out", "circuits").code == 0
    (file,) = (here / "circuits").glob("nudged_plus_C0.qasm")
    assert "cx" in file.read_text().rsplit("barrier", 1)[0].rsplit("rz", 1)[1]


def test_readout_mitigation_of_such_bases_is_refused(qep, bonds):
    result = qep(
        "train",
        bonds,
        "--out",
        "run",
        "--set",
        "execution.noise={readout=0.02}",
        "--set",
        "execution.mitigation={readout='calibrated'}",
    )
    assert result.code == 2
    assert "the basis of group C0 has two-qubit gates" in result.err


@pytest.mark.deep(but=["exact"])
@pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.QepWarning")
@pytest.mark.parametrize("way", ["exact", "statevector", "measured"])
def test_trains_in_few_bases_that_cover_all_words(mixed, survives_a_stop, way):
    survives_a_stop(mixed, 2, [WAYS[way], "measurement.grouping='cover'", "measurement.test_shots=50"])


@pytest.mark.parametrize(
    ("pauli", "words"),
    [
        ("Q0 Z1", "network.terms.pauli: operator 'Q0 Z1': expected factors like X0 or Z12"),
        ("Z0 Z", "got 'Z'"),
        ("X0 X0", "a qubit appears twice"),
        ("1j X0", "network.terms.pauli: operator '1j X0': expected real coefficients, for a Hermitian operator"),
        ("(0.5+0.1j) X0", "expected real coefficients"),
        ("Z9", "'Z9' acts on spin 9, out of range; there are 3 spins, 0 to 2"),
    ],
)
def test_bad_words_are_one_line(refused, mixed, pauli, words):
    term = f"[{{pauli='{pauli}', weight='w'}}, {{pauli='Z0', input=0}}]"
    assert words in refused("train", mixed, "--set", f"network.terms={term}")


def test_picture_is_left_out_and_that_is_said(qep, mixed, here):
    result = qep("train", mixed, "--out", "run", *["--set", "preparation={kind='exact'}"])
    assert "the picture shows" in result.out
    assert not (here / "run" / "network.png").exists()
    assert (here / "run" / "learning_curve.png").exists()
    assert set(json.loads((here / "run" / "weights.json").read_text())) >= {"J[0,2]", "D", "W[1]", "b"}


def test_gradient_of_exact_states_is_near_the_exact_one(qep, mixed, settings):
    words = settings("preparation={kind='exact'}", "measurement.shots='exact'", "contrast.beta=0.01")
    found = qep("gradient", mixed, "--sample", 1, "--json", "--compare", "exact", *words).object
    assert len(found["weights"]) == 8
    for weight in found["weights"]:
        assert weight["gradient"] == pytest.approx(weight["exact"], abs=2e-3)


def test_circuits_of_every_group(qep, mixed, here):
    assert qep("circuits", mixed, "--out", "circuits").code == 0
    groups = {path.stem.split("_")[-1] for path in (here / "circuits").glob("nudged_plus_*.qasm")}
    assert len(groups) >= 3
    assert any("Y" in group for group in groups)


def test_changing_the_kind_alone_drops_the_keys_of_the_old_kind(refused, mixed):
    message = refused("gradient", mixed, "--sample", 0, "--set", "network.kind=ising", "--set", "network.graph=star")
    assert "network.graph: expected 'chain', 'ring'" in message


def test_a_small_coefficient_with_large_inputs_is_the_same_network(qep, tmp_path, monkeypatch):
    """One of two inputs comes in another unit: coefficient 1e-9, values times 1e9."""
    monkeypatch.chdir(tmp_path)
    text = """
[task]
kind = "csv"
file = "%s.csv"
inputs = ["f", "g"]
targets = ["y"]
scaling = "none"
test_fraction = 0.0
[network]
kind = "pauli"
num_spins = 2
outputs = [1]
[[network.terms]]
pauli = "Z0 Z1"
weight = "a"
[[network.terms]]
pauli = "X0 + X1"
weight = "b"
[[network.terms]]
pauli = "Z1"
coefficient = %s
input = 0
[[network.terms]]
pauli = "Z0"
coefficient = 0.2
input = 1
[network.weights]
values = { a = 1.0, b = 1.0 }
[preparation]
kind = "exact"
[measurement]
shots = "exact"
[contrast]
beta = 0.05
"""
    found = {}
    for name, coefficient, value in (("one", "1.0", "0.5"), ("other", "1e-9", "0.5e9")):
        (tmp_path / f"{name}.toml").write_text(text % (name, coefficient))
        (tmp_path / f"{name}.csv").write_text(f"f,g,y\n{value},1.0,0.3\n-{value},1.0,-0.3\n")
        result = qep("gradient", f"{name}.toml", "--sample", 0, "--compare", "exact", "--json")
        assert result.code == 0, result.err
        found[name] = [(weight["gradient"], weight["exact"]) for weight in result.object["weights"]]
    assert found["other"] == [pytest.approx(pair, rel=1e-12) for pair in found["one"]]
