"""Every command on a network of Pauli words in several bases."""

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


@pytest.mark.parametrize("way", WAYS)
def test_trains_resumes_and_predicts(qep, mixed, stopped, records, here, settings, way):
    assert qep("train", mixed, "--out", "whole", *settings(WAYS[way])).code == 0
    halted = stopped(mixed, here / "halted", 2, [WAYS[way]])
    assert qep("resume", halted).code == 0
    assert records(halted) == records(here / "whole")
    found = qep("predict", "whole", "rows.csv", "--json").object
    assert len(found["predictions"]) == 2


def test_picture_is_left_out_and_that_is_said(qep, mixed, here):
    result = qep("train", mixed, "--out", "run", *["--set", "preparation={kind='exact'}"])
    assert "left out" in result.out
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
