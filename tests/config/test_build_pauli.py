"""Pauli networks, sums of words and targets of one sample in a configuration."""

import json

import numpy as np
import pytest
from reference import sum_of_paulis

from qep_qiskit.config import build, check_config
from qep_qiskit.core.errors import ConfigError, DegenerateGroundStateWarning, QepError, UnconnectedOutputWarning
from qep_qiskit.network import PauliNetwork
from qep_qiskit.network.expressions import parse_operator

NONE = {"task": {"kind": "none", "targets": [0.5]}}
XOR = {"task": {"kind": "xor"}}


def make(terms, num_spins=4, sections=NONE, cost=None, **network):
    network = {"kind": "pauli", "num_spins": num_spins, "terms": terms} | network
    cost = cost or {"kind": "loss", "observables": ["X0"]}
    return build(check_config({"network": network, "preparation": {"kind": "exact"}, "cost": cost} | sections, "f"))


def interaction_of(name, terms, x=None, **options):
    """dH/dw as coefficients by word."""
    network = make(terms, **options).network
    return {label: value.real for label, value in network.interaction(name, x).to_list()}


@pytest.mark.parametrize(
    ("term", "size", "words"),
    [
        ({"pauli": "Z0 Z1", "repeat": "chain"}, 4, ["Z0 Z1", "Z1 Z2", "Z2 Z3"]),
        ({"pauli": "Z0 Z1", "repeat": "ring"}, 4, ["Z0 Z1", "Z1 Z2", "Z2 Z3", "Z0 Z3"]),
        ({"pauli": "Z0 X1 Z2", "repeat": "chain"}, 5, ["Z0 X1 Z2", "Z1 X2 Z3", "Z2 X3 Z4"]),
        ({"pauli": "Z1 X2 Z3", "repeat": "chain"}, 5, ["Z1 X2 Z3", "Z2 X3 Z4"]),
        ({"pauli": "Z0 X1 Z2", "repeat": "ring"}, 4, ["Z0 X1 Z2", "Z1 X2 Z3", "Z0 Z2 X3", "X0 Z1 Z3"]),
        ({"pauli": "Z0 Z2", "repeat": "ring"}, 4, ["Z0 Z2", "Z1 Z3"]),
        ({"pauli": "X0", "repeat": "chain"}, 3, ["X0", "X1", "X2"]),
        ({"pauli": "X3 Y0"}, 4, ["Y0 X3"]),
        ({"pauli": "Z0 Z1", "repeat": "ring", "along": [0, 1, 2]}, 5, ["Z0 Z1", "Z1 Z2", "Z0 Z2"]),
        ({"pauli": "Z4 X1 Z0", "repeat": "chain", "along": [4, 1, 0, 2]}, 5, ["Z0 X1 Z4", "Z2 X0 Z1"]),
    ],
)
def test_copies(term, size, words):
    found = make([term | {"weight": "w"}], size).network
    assert np.allclose(
        found.interaction("w").to_matrix(), sum_of_paulis(words, [1.0] * len(words), size), rtol=0, atol=1e-12
    )


def test_copies_of_a_sum_add_up_where_they_overlap():
    found = interaction_of("w", [{"pauli": "0.5 Z0 + 0.5 Z1 - 1", "repeat": "chain", "weight": "w"}], num_spins=3)
    assert found == {"IIZ": 0.5, "IZI": 1.0, "ZII": 0.5, "III": -2.0}


def test_question_marks_are_all_letters_with_weights_of_their_own():
    network = make(
        [{"pauli": "-0.5 ?0 ?3", "weight": "K", "input": 1}, {"pauli": "?1", "weight": "h"}],
        sections=XOR,
        cost={"kind": "loss"},
    ).network
    assert network.layout.num_weights == 12
    found = network.interaction("K[-0.5 X0 Y3]", [1.0, 2.0])
    assert np.allclose(found.to_matrix(), sum_of_paulis(["X0 Y3"], [-1.0], 4), rtol=0, atol=1e-12)
    assert network.layout.names[-3:] == ("h[X1]", "h[Y1]", "h[Z1]")


def test_words_that_commute_share_groups_on_request():
    terms = [{"pauli": f"{letter}0 {letter}1", "repeat": "chain", "weight": "J", "tied": True} for letter in "XYZ"]
    plain, fewer = (make(terms, grouping=way).network.groups for way in ("qubit_wise", "commuting"))
    assert [len(plain), len(fewer)] == [3, 2]


def test_loss_without_targets():
    estimator = make(
        [TERM],
        sections={"task": {"kind": "none"}},
        cost={"kind": "loss", "loss": "negative_abs", "observables": ["X0 X1"]},
    ).estimator
    loss = estimator.hamiltonian.cost.loss
    assert loss.value(np.array([[0.3, -0.5]]), np.zeros((1, 0))) == pytest.approx([-0.8])


def test_coefficient_and_tied_terms():
    terms = [{"pauli": "X0", "weight": "w", "coefficient": -2.0}, {"pauli": "2 X0 + Y1", "weight": "w"}]
    assert interaction_of("w", terms, num_spins=2) == {"YI": 1.0}
    assert interaction_of("w", terms[:1], num_spins=1) == {"X": -2.0}


def test_copies_with_weights_of_their_own():
    terms = [
        {"pauli": "Z0 Z1", "repeat": "ring", "weight": "J", "tied": False},
        {"pauli": "X0 + 0.5 Z0", "repeat": "chain", "weight": "h", "tied": False},
    ]
    network = make(terms, 3).network
    assert network.layout.names == ("J[0,1]", "J[1,2]", "J[0,2]", "h[0]", "h[1]", "h[2]")
    assert dict(network.interaction("h[1]").to_list()) == {"IXI": 1.0, "IZI": 0.5}


def test_inputs_with_and_without_weights():
    terms = [
        {"pauli": "X0", "repeat": "chain"},
        {"pauli": "Z0", "weight": "W", "input": 1, "repeat": "chain", "tied": False},
        {"pauli": "Z0 Z1", "input": 0, "coefficient": 0.25},
    ]
    experiment = make(terms, 2, XOR, cost={"kind": "loss"})
    assert experiment.network.layout.names == ("W[0]", "W[1]")
    assert experiment.network.outputs == (1,)
    found = experiment.network.hamiltonian(np.array([2.0, 0.0]), [1.0, -0.5]).to_list()
    assert dict(found) == {"IX": 1.0, "XI": 1.0, "ZZ": 0.25, "IZ": -1.0}


@pytest.mark.parametrize(
    ("options", "outputs"),
    [
        ({}, ()),
        ({"cost": {"kind": "loss"}}, (3,)),
        ({"cost": {"kind": "loss"}, "outputs": [1]}, (1,)),
        ({"cost": {"kind": "operator", "operator": "squared_error"}}, (3,)),
    ],
)
def test_outputs(options, outputs):
    assert make([{"pauli": "X0 + Z3 + Z1", "weight": "w"}], **options).network.outputs == outputs


def test_starting_weights_and_their_constraints():
    terms = [{"pauli": f"X{spin}", "weight": name} for spin, name in enumerate("abc")]
    weights = {
        "values": {"b": 0.5},
        "distribution": "constant",
        "mean": 2.0,
        "frozen": ["c"],
        "minimum": 0.1,
        "maximum": 3.0,
    }
    experiment = make(terms, weights=weights)
    layout = experiment.network.layout
    assert layout.initial(experiment.seeds).tolist() == [2.0, 0.5, 2.0]
    assert layout.trainable().tolist() == [True, True, False]
    assert layout.bounds()[0].tolist() == [0.1] * 3


def test_weights_are_drawn_by_default():
    terms = [{"pauli": "X0", "repeat": "chain", "weight": "h", "tied": False}]
    experiment = make(terms, 8)
    start = experiment.network.layout.initial(experiment.seeds)
    assert len(set(start.tolist())) == 8
    assert np.abs(start).max() < 1.5


def test_config_of_a_run_builds_the_same_run():
    terms = [{"pauli": "0.5 X0 + Y1", "repeat": "ring", "weight": "w"}, {"pauli": "Z0", "coefficient": 2.0}]
    experiment = make(terms)
    resolved = json.loads(json.dumps(experiment.config.resolved()))
    again = build(check_config(resolved, "config.json"), experiment.task)
    assert isinstance(again.network, PauliNetwork)
    assert again.config == experiment.config
    assert again.network.hamiltonian([0.3]) == experiment.network.hamiltonian([0.3])


def test_network_without_a_kind_is_the_ising_network():
    assert check_config(XOR, "f").network.kind == "ising"
    assert check_config(XOR | {"network": {"num_spins": 2}}, "f").network.num_spins == 2


@pytest.mark.parametrize("observable", ["0.2 - 0.08 Z0 Z1 + 0.5 X2", "Y3 - Y0", "3 * Z1"])
def test_observables_are_sums_of_words(observable):
    cost = {"kind": "loss", "observables": [observable]}
    found = make([{"pauli": "X0 + Z0", "weight": "w"}], cost=cost).estimator.hamiltonian.cost.observables[0]
    terms = parse_operator(observable)
    assert np.allclose(found.to_matrix(), sum_of_paulis(list(terms), list(terms.values()), 4), rtol=0, atol=1e-12)


def test_terms_of_an_operator_cost_are_sums_of_words():
    cost = {"kind": "operator", "terms": [{"pauli": "Z0 - 0.5 Z1 + 2", "coefficient": 2.0, "target": 0}]}
    found = make([{"pauli": "X0 + Z0", "weight": "w"}], 2, cost=cost).estimator.hamiltonian.cost
    assert dict(found.operator([0.5]).to_list()) == {"IZ": 1.0, "ZI": -0.5, "II": 2.0}


def test_one_sample_has_the_given_targets():
    sections = {"task": {"kind": "none", "targets": [0.5, -1.0]}}
    cost = {"kind": "loss", "observables": ["Z0", "X1"]}
    task = make([{"pauli": "X0 + Z0", "weight": "w"}], sections=sections, cost=cost).task
    assert (task.train.inputs.shape, task.train.targets.tolist()) == ((1, 0), [[0.5, -1.0]])


def test_warnings_know_the_kind_of_network():
    terms = [{"pauli": "X0", "repeat": "chain", "weight": "h"}, {"pauli": "Z0", "input": 0}]
    with pytest.warns(UnconnectedOutputWarning, match="add terms that join it to the spins with inputs"):
        make(terms, sections=XOR, cost={"kind": "loss"})
    with pytest.warns(DegenerateGroundStateWarning, match="Break it with terms such as Z0"):
        make(terms[:1], cost={"kind": "loss"})


TERM = {"pauli": "X0", "weight": "w"}


@pytest.mark.parametrize(
    ("terms", "options", "words"),
    [
        ([], {}, "network.terms: expected at least 1 item"),
        ([{"pauli": "X0"}], {}, "network.terms: expected at least one term with a weight"),
        ([{"pauli": "Q0", "weight": "w"}], {}, "network.terms.pauli: operator 'Q0': expected factors like X0"),
        ([{"pauli": "X0 + 0.5Q1", "weight": "w"}], {}, "got 'Q1'"),
        ([{"pauli": "1j X0", "weight": "w"}], {}, "network.terms.pauli: operator '1j X0': expected real coefficients"),
        ([{"pauli": "X4", "weight": "w"}], {}, "'X4' acts on spin 4, out of range; there are 4 spins, 0 to 3"),
        ([{"pauli": "X99999999999", "weight": "w"}], {}, "acts on spin 99999999999, out of range"),
        ([{"pauli": "X4", "weight": "w", "repeat": "ring"}], {}, "out of range"),
        ([{"pauli": "2.0", "weight": "w"}], {}, "weight 'w' multiplies nothing but a constant"),
        ([{"pauli": "2.0", "weight": "w", "repeat": "chain"}], {}, "weight 'w' multiplies nothing but a constant"),
        ([{"pauli": "X0 - X0", "weight": "w", "repeat": "chain"}], {}, "weight 'w' multiplies nothing but a constant"),
        ([TERM | {"coefficient": 0.0}], {}, "weight 'w' multiplies nothing but a constant"),
        ([TERM | {"weight": ""}], {}, "network.terms.0.weight"),
        ([TERM | {"coefficient": "1j"}], {}, "network.terms.0.coefficient: expected a number, got '1j'"),
        ([TERM | {"repeat": "star"}], {}, "network.terms.0.repeat: expected 'chain' or 'ring', got 'star'"),
        ([TERM | {"pauli": "?0", "repeat": "chain"}], {}, "network.terms.pauli: '?0' stands for several words"),
        ([{"pauli": "?0"}], {}, "give the term a weight and leave repeat out"),
        ([TERM | {"pauli": "?x"}], {}, "network.terms.pauli: operator 'Xx'"),
        ([TERM | {"repeat": "ring", "along": [1, 2]}], {}, "along: the term acts on other spins than [1, 2]"),
        ([TERM | {"repeat": "ring", "along": [0, 4]}], {}, "network.terms.along: spin 4 is out of range"),
        ([TERM | {"repeat": "ring", "along": [0, 0]}], {}, "network.terms.along: a spin comes twice"),
        ([TERM | {"along": [0, 1]}], {}, "network.terms.along: goes with repeat"),
        ([TERM], {"grouping": "all"}, "network.grouping: expected 'qubit_wise' or 'commuting', got 'all'"),
        ([TERM | {"tied": False}], {}, "network.terms.tied: false goes with a weight and repeat"),
        ([TERM | {"wieght": "v"}], {}, "network.terms.0.wieght: unknown key; did you mean 'weight'?"),
        ([TERM | {"input": 0}], {}, "network.terms: input 0 is out of range; there are no inputs"),
        ([TERM | {"input": 2}], {"sections": XOR, "cost": {"kind": "loss"}}, "input 2 is out of range; there are 2"),
        ([TERM], {"sections": XOR}, "the task has 2 inputs and no term takes one"),
        ([TERM], {"outputs": [4]}, "network.outputs: spin 4 is out of range"),
        ([TERM], {"weights": {"values": {"v": 1.0}}}, "network.weights: no weight v; there are w"),
        ([TERM], {"weights": {"values": [1.0, 2.0]}}, "network.weights.values: expected 1 number (w), got 2"),
        ([TERM], {"weights": {"frozen": ["v"]}}, "network.weights: no weight v; there are w"),
        ([TERM], {"graph": "chain"}, "network.graph: expected 'convolution', got 'chain'"),
        (
            [TERM],
            {"kind": "paul"},
            "expected one of 'ising', 'classical_ising', 'pauli', 'oscillators', 'elastic', 'own', got 'paul'",
        ),
        (
            [TERM],
            {"kind": 3},
            "expected one of 'ising', 'classical_ising', 'pauli', 'oscillators', 'elastic', 'own', got '3'",
        ),
        ([TERM], {"num_spins": 0}, "network.num_spins: expected at least 1"),
        ([TERM], {"cost": {"kind": "loss", "observables": ["Z0 + Z5"]}}, "'Z0 + Z5' names a spin out of range"),
        ([TERM], {"cost": {"kind": "loss", "observables": ["Z0 + 1j Z1"]}}, "cost.observables: operator 'Z0 + 1j Z1'"),
        ([TERM], {"cost": {"kind": "loss", "observables": ["0.5"]}}, "is the identity, which no weight can change"),
        (
            [TERM],
            {"sections": {"task": {"kind": "none"}}},
            "needs an operator cost, or task.targets",
        ),
        ([TERM], {"sections": {"task": {"kind": "none", "targets": [1.0, 2.0]}}}, "1 output, the task 2 targets"),
        (
            [TERM],
            {"sections": {"task": {"kind": "none", "targets": [float("nan")]}}},
            "task.targets.0: expected",
        ),
    ],
)
def test_bad_configurations_are_one_line(terms, options, words):
    with pytest.raises(QepError) as caught:
        make(terms, **options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_keys_are_named():
    for network, key in (
        ({"kind": "pauli", "num_spins": 2}, "terms"),
        ({"kind": "pauli", "terms": [TERM]}, "num_spins"),
    ):
        with pytest.raises(ConfigError, match=rf"network\.{key}: this key is missing"):
            check_config(NONE | {"network": network}, "f")
