"""Every command on atoms and springs, quantum and classical."""

import json

import numpy as np
import pytest

from qep_qiskit.config import from_file
from qep_qiskit.core.errors import NoShotsWarning

_CONFIG = """
name = "atoms"
seed = 2
[task]
kind = "csv"
file = "positions.csv"
inputs = ["left", "right"]
targets = ["middle"]
scaling = "none"
test_fraction = 0.25
[network]
kind = "oscillators"
graph = "layered"
layers = [2, 2, 1]
anchored = [2, 3, 4]
[network.springs]
distribution = "uniform"
low = 0.5
high = 1.5
[network.anchors]
mean = 0.3
[preparation]
kind = "exact"
[measurement]
shots = 400
[contrast]
beta = 0.5
[update]
learning_rate = 0.05
[training]
epochs = 12
batch_size = 6
"""
CLASSICAL = "network.kind=elastic"
EXACT = "measurement.shots=exact"
OPERATOR = "cost={kind='operator', operator='squared_error'}"
MASSES = "network.masses.frozen=false"


@pytest.fixture
def atoms(here):
    inputs = np.random.default_rng(1).uniform(-1, 1, size=(16, 2))
    rows = ["left,right,middle,side", *(f"{a:.4f},{b:.4f},{0.5 * a + 0.2 * b:.4f},{0.1 * a:.4f}" for a, b in inputs)]
    (here / "positions.csv").write_text("\n".join(rows) + "\n")
    (here / "atoms.toml").write_text(_CONFIG)
    return here / "atoms.toml"


WAYS = {
    "quantum": (),
    "operator": (OPERATOR, MASSES),
    "exact": (EXACT, OPERATOR),
    "classical": (CLASSICAL, EXACT),
    "space": (CLASSICAL, EXACT, "network.dims=3", "network.rest_lengths={}", "network.anchored=[1, 2, 3, 4]"),
    "rest lengths": (CLASSICAL, EXACT, "network.dims=2", "network.rest_lengths={}", "task.targets=['middle', 'side']"),
}


@pytest.mark.deep(but=["quantum"])
@pytest.mark.parametrize("way", ["quantum", "space"])
def test_pictures(drawn, qep, atoms, here, settings, way):
    assert qep("train", atoms, "--out", "run", *settings("training.epochs=1", *WAYS[way])).code == 0
    assert (here / "run" / "network.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.deep(but=["quantum", "operator", "exact", "classical"])
@pytest.mark.parametrize("way", WAYS)
def test_trains_resumes_and_predicts(qep, atoms, survives_a_stop, way):
    survives_a_stop(atoms, 2, ("training.epochs=2", *WAYS[way]))
    found = qep("predict", "whole", "positions.csv", "--json").object
    assert len(found["predictions"]) == 16


def test_regression_is_learned_with_shots(qep, atoms, here):
    """The loss is that of expectations, its shot noise taken off: from 0.04 at the start to nothing."""
    assert qep("train", atoms, "--out", "run", "--set", "training.epochs=40").code == 0
    summary = json.loads((here / "run" / "summary.json").read_text())
    first = json.loads((here / "run" / "metrics.jsonl").read_text().splitlines()[0])
    assert first["test_loss"] > 0.006
    assert abs(summary["test_loss"]) < 0.002
    assert summary["shots"] > 0


def test_quantum_and_classical_are_one_key_apart(atoms):
    quantum, classical = from_file(atoms, [EXACT]), from_file(atoms, [EXACT, CLASSICAL])
    assert quantum.network.layout.names == classical.network.layout.names
    weights = quantum.network.layout.initial(quantum.seeds)
    assert np.array_equal(weights, classical.network.layout.initial(classical.seeds))
    assert np.array_equal(quantum.task.train.inputs, classical.task.train.inputs)
    data, costs = quantum.task.train, []
    for experiment in (quantum, classical):
        coefficients = experiment.estimator.hamiltonian.free_coefficients(weights, data.inputs)
        costs.append(experiment.reference.term_means(experiment.estimator.hamiltonian.groups, coefficients))
    matrix = quantum.estimator.hamiltonian.output_map.matrix
    assert costs[0] @ matrix.T == pytest.approx(costs[1] @ matrix.T, abs=1e-9)  # Ehrenfest: equal positions
    assert np.abs(costs[0] - costs[1]).max() > 0.1  # and zero-point motion in the squares


@pytest.mark.parametrize("way", [(), (OPERATOR, MASSES), (CLASSICAL,)])
def test_gradient_is_near_the_exact_one(qep, atoms, settings, way):
    words = settings(EXACT, "contrast.beta=0.01", *way)
    found = qep("gradient", atoms, "--sample", 1, "--json", "--compare", "exact", *words).object
    assert found["cosine"] == pytest.approx(1.0, abs=1e-4)
    for weight in found["weights"]:
        assert weight["gradient"] == pytest.approx(weight["exact"], abs=2e-3)
        assert weight["exact_contrast"] == pytest.approx(weight["gradient"], abs=1e-9)


def test_momenta_cost_no_shots_unless_masses_train(qep, atoms, settings):
    circuits = [
        qep("gradient", atoms, "--sample", 0, "--json", *settings(*way)).object["circuits"] for way in ((), (MASSES,))
    ]
    assert circuits == [3, 5]


def test_shots_of_an_elastic_network_do_not_apply_and_that_is_said(atoms):
    with pytest.warns(NoShotsWarning, match=r"measurement.shots: an elastic network .* shots do not apply"):
        experiment = from_file(atoms, [CLASSICAL])
    assert experiment.estimator.shots is None


BAD = [
    ("network.anchored=[9]", "network.anchored: atom 9 is out of range; there are 5 atoms, 0 to 4"),
    (
        "network={kind='elastic', graph='edges', num_atoms=5, edges=[[0, 2]], outputs=[2]}",
        "atom 3 is free to drift",
    ),
    ("network.masses.mean=-1.0", "network.masses: expected positive numbers, got -1"),
    (
        "network.springs={distribution='constant', values={'k[0,2]' = -2.0}}",
        "network.springs: expected positive numbers, got -2",
    ),
    (
        "network.springs={distribution='uniform', low=0.0, high=1.0}",
        "network.springs.low: 0.0 is not a number between",
    ),
    ("network.anchors.maximum=0.1", "network.anchors.mean: 0.3 is not a number between minimum 0.001 and maximum 0.1"),
    ("network.springs.minimum=-1.0", "network.springs.minimum: springs must stay positive, got -1.0"),
    ("network.hbar=0", "network.hbar: expected more than 0"),
    ("network.dims=4", "network.dims: expected"),
    ("network.clamped=[7, 1]", "network.clamped: atom 7 is out of range"),
    ("network.clamped=[0]", "network.clamped: the task has 2 inputs, got 1 coordinates of clamped atoms for them"),
    ("network.inputs=[[0, 0], [3, 0]]", "network.anchored: atom 3 is clamped and does not move"),
    ("network.inputs=[[0, 0], [1, 1]]", "network.inputs: expected axes 0 to 0"),
    ("network.outputs=[0]", "network.outputs: atom 0 is clamped and does not move"),
    ("network.outputs=[3, 4]", "network.outputs: the cost has 2 outputs, the task 1 target;"),
    ("network.rest_positions=[[0.0]]", "network.rest_positions: expected 5 points of 1 number,"),
    ("network.rest_lengths={mean=1.0}", "network.rest_lengths: springs with rest lengths have no Gaussian"),
    ("network.shape=[2, 2]", "network.shape: does not go with graph = 'layered'"),
    ("preparation={kind='adiabatic'}", "preparation.kind: network.kind = 'oscillators' takes 'exact' or 'gaussian'"),
    ("preparation={kind='equilibrium'}", "preparation.kind: network.kind = 'oscillators' takes"),
    ("preparation={kind='exact', level=1}", "preparation.level: atoms have their ground state only, got 1"),
    ("execution.backend=fake_manila", "execution.backend: network.kind = 'oscillators' runs no circuits"),
    ("execution.noise={two_qubit=0.1}", "execution.backend: network.kind = 'oscillators' runs no circuits"),
    ("measurement.grouping=qubit_wise", "measurement.grouping: 'qubit_wise' goes with Pauli strings"),
    ("cost={kind='operator', terms=[{pauli='Z0'}]}", "cost.terms: Pauli strings go with spins"),
    ("cost={kind='loss', observables=['Z0']}", "cost.observables: Pauli strings go with spins"),
]


@pytest.mark.parametrize(("setting", "message"), BAD, ids=[setting[:50] for setting, _ in BAD])
def test_bad_settings_are_one_line(refused, atoms, setting, message):
    assert message in refused("train", atoms, "--out", "run", "--set", setting)


def test_a_nudge_beyond_the_springs_says_its_bound(qep, atoms, settings):
    words = settings(EXACT, OPERATOR, "contrast={kind='one_sided', beta=-9.0}")
    result = qep("gradient", atoms, "--sample", 0, *words)
    assert result.code == 2
    assert "no ground state; give a beta below" in result.err


@pytest.mark.parametrize("kind", ["oscillators", "elastic"])
def test_there_are_no_circuits(refused, atoms, kind):
    message = refused("circuits", atoms, "--set", f"network.kind={kind}", "--set", EXACT)
    assert f"network.kind: '{kind}' is solved without circuits" in message


def test_gaussian_preparations_go_with_atoms(refused, here):
    assert "goes with networks of springs" in refused("train", "exact.toml", "--set", "preparation={kind='gaussian'}")


@pytest.mark.deep
def test_budget_of_oscillators_and_none_of_the_elastic_network(qep, atoms, refused, here, settings, one_figure):
    small = ("budget.repeats=4", "budget.shots=[20]", "budget.comparison_shots=[50]", "budget.samples=1")
    words = settings(*small, "budget.num_betas=2", "budget.contrasts=['symmetric']", "budget.pilot_shots=200")
    assert qep("budget", atoms, "--out", "study", "--jobs", 1, *words).code == 0
    assert (here / "study" / "index.html").exists()
    message = refused("budget", atoms, "--out", "none", "--set", CLASSICAL, "--set", EXACT)
    assert "an elastic network has no shot noise to study" in message
