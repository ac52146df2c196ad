"""Networks that sections build: graphs, outputs, inputs, and where their weights start."""

import json
import warnings

import built_runs
import pytest
from built_runs import PAIR, make
from warned import warns

from qep_qiskit.config import check_config
from qep_qiskit.core.errors import (
    ConfigError,
    DegenerateGroundStateWarning,
    NetworkError,
    QepWarning,
    UnconnectedOutputWarning,
)


@pytest.mark.parametrize(
    ("network", "spins", "edges"),
    [
        ({"graph": "chain", "num_spins": 4}, 4, 3),
        ({"graph": "ring", "num_spins": 4}, 4, 4),
        ({"graph": "complete", "num_spins": 4}, 4, 6),
        ({"graph": "lattice", "shape": [2, 3]}, 6, 7),
        ({"graph": "lattice", "shape": [3, 3], "periodic": True}, 9, 18),
        ({"graph": "layered", "layers": [2, 3, 1]}, 6, 9),
        ({"graph": "edges", "num_spins": 3, "edges": [[0, 2], [2, 1]]}, 3, 2),
        ({"graph": "chain", "num_spins": 1}, 1, 0),
    ],
)
def test_graph(network, spins, edges):
    graph = make(network=network).network.graph
    assert (graph.num_spins, len(graph.edges)) == (spins, edges)


def test_heavy_hex():
    adiabatic = {"kind": "adiabatic"}
    assert make(network={"graph": "heavy_hex", "distance": 3}, preparation=adiabatic).network.num_qubits == 19


@pytest.mark.parametrize(
    ("network", "outputs"),
    [
        ({"num_spins": 4}, (3,)),
        ({"graph": "layered", "layers": [2, 3, 1]}, (5,)),
        ({"num_spins": 4, "outputs": [1]}, (1,)),
    ],
)
def test_outputs(network, outputs):
    assert make(network=network).network.outputs == outputs


def test_outputs_follow_the_targets():
    """Three parity bits have one target; cross-entropy encodes two classes in two."""
    network = {"num_spins": 4}
    cost = {"kind": "loss", "loss": "cross_entropy"}
    assert make(network=network, cost=cost).network.outputs == (2, 3)


@pytest.mark.parametrize(
    ("network", "links"),
    [
        (PAIR, {(0, 0), (0, 1), (1, 0), (1, 1)}),
        ({"num_spins": 3, "inputs": {"spins": [2]}}, {(0, 2), (1, 2)}),
        ({"graph": "layered", "layers": [1, 2]}, {(0, 0), (1, 0)}),
        ({"num_spins": 3, "inputs": {"links": [[0, 2], [1, 0]]}}, {(0, 2), (1, 0)}),
        ({"num_spins": 3, "inputs": {"mode": "fields"}}, {(0, 0), (1, 1)}),
        ({"num_spins": 3, "inputs": {"mode": "fields", "spins": [2, 0]}}, {(0, 2), (1, 0)}),
    ],
)
def test_inputs(network, links):
    outputs = {"outputs": [1]} if "layers" in network else {}
    assert set(make(network=network | outputs).network.inputs.links) == links


def test_input_fields_do_not_train_and_have_their_strength():
    experiment = make(network={"num_spins": 3, "inputs": {"mode": "fields", "strength": 2.5}})
    layout = experiment.network.layout
    block = layout.slice_of("W")
    assert layout.initial(experiment.seeds)[block].tolist() == [2.5, 2.5]
    assert not layout.trainable()[block].any()


def test_starting_weights():
    network = {
        "num_spins": 2,
        "couplings": {"values": [0.5]},
        "fields": {"distribution": "uniform", "low": 0.5, "high": 2.0, "frozen": ["h[1]"]},
        "biases": {"distribution": "constant", "mean": 0.25, "maximum": 0.3},
        "inputs": {"values": {"W[1,0]": -0.75}},
    }
    experiment = make(network=network)
    layout = experiment.network.layout
    start = dict(zip(layout.names, layout.initial(experiment.seeds).tolist(), strict=True))
    assert (start["J[0,1]"], start["b[0]"], start["b[1]"], start["W[1,0]"]) == (0.5, 0.25, 0.25, -0.75)
    assert 0.5 <= start["h[0]"] <= 2.0
    assert start["h[0]"] != start["h[1]"]
    assert [name for name, trains in zip(layout.names, layout.trainable(), strict=True) if not trains] == ["h[1]"]
    assert layout.bounds()[0][layout.slice_of("h")].tolist() == [0.1, 0.1]
    assert layout.bounds()[1][layout.slice_of("b")].tolist() == [0.3, 0.3]


def test_floor_of_the_fields_can_be_taken_away():
    network = {"num_spins": 2, "fields": {"minimum": 0.0, "values": [0.0, 1.0]}}
    layout = make(network=network).network.layout
    assert layout.bounds()[0][layout.slice_of("h")].tolist() == [0.0, 0.0]


def test_normal_starts_are_truncated_on_request():
    fields = {"distribution": "normal", "mean": 0.2, "std": 0.5, "maximum": 0.9, "truncate": True}
    experiment = make(network={"num_spins": 6, "fields": fields})
    layout = experiment.network.layout
    drawn = layout.initial(experiment.seeds)[layout.slice_of("h")]
    assert ((drawn > 0.1) & (drawn < 0.9)).all()
    assert len(set(drawn)) == 6


STARTS = {
    "couplings": {"distribution": "normal", "mean": 0.0, "std": 0.3, "minimum": None, "maximum": None, "low": None},
    "fields": {"distribution": "constant", "mean": 1.0, "std": None, "minimum": 0.1, "maximum": None, "frozen": False},
    "biases": {"distribution": "normal", "std": 0.1, "truncate": False},
    "inputs": {"distribution": "normal", "std": 0.3, "high": None},
}
ATOMS = {
    "springs": {"distribution": "constant", "mean": 1.0, "minimum": 0.001},
    "anchors": {"mean": 0.5, "minimum": 0.001},
    "masses": {"mean": 1.0, "minimum": 0.001, "frozen": True},
    "forces": {"mean": 0.0, "frozen": True},
    "rest_lengths": {"natural": True, "distribution": None, "mean": None, "minimum": 0.0},
}


@pytest.mark.parametrize(
    ("network", "blocks"),
    [
        (PAIR, STARTS),
        (
            PAIR | {"fields": {"distribution": "uniform", "low": 0.5}},
            {"fields": {"low": 0.5, "high": 0.1, "mean": None}},
        ),
        (PAIR | {"biases": {"enabled": False}}, {"biases": {"distribution": None, "minimum": None, "frozen": None}}),
        ({"num_spins": 3, "inputs": {"mode": "fields"}}, {"inputs": {"distribution": None, "frozen": None}}),
        ({"kind": "elastic", "num_atoms": 4, "forces": {}, "rest_lengths": {}}, ATOMS),
        (
            {"kind": "elastic", "num_atoms": 4, "rest_lengths": {"mean": 0.5}},
            {"rest_lengths": {"distribution": "constant", "mean": 0.5, "minimum": 0.0}},
        ),
    ],
)
def test_a_stored_configuration_shows_every_default_of_a_start_and_reads_the_same(network, blocks):
    config = check_config({"task": {"kind": "xor"}, "network": network}, "run.toml")
    stored = json.loads(json.dumps(config.resolved()))
    for name, expected in blocks.items():
        assert {key: stored["network"][name][key] for key in expected} == expected
    assert check_config(stored, "config.json").resolved() == stored


def test_biases_can_be_left_out():
    names = make(network=PAIR | {"biases": {"enabled": False}}).network.layout.names
    assert not any(name.startswith("b") for name in names)


@pytest.mark.parametrize("setting", [{"values": [1.0, 1.0]}, {"mean": 1.0}, {"frozen": True}])
def test_keys_of_biases_that_are_left_out_are_refused(setting):
    """They would be read by nobody."""
    with pytest.raises(ConfigError, match=r"network\.biases"):
        make(network=PAIR | {"biases": {"enabled": False} | setting})


@pytest.mark.parametrize(
    ("kind", "setting"), [("uniform", {"mean": 1.0}), ("constant", {"std": 1.0}), ("normal", {"low": -1.0})]
)
def test_keys_of_another_distribution_are_refused(kind, setting):
    with pytest.raises(ConfigError, match=rf"network\.couplings\.{next(iter(setting))}"):
        make(network=PAIR | {"couplings": {"distribution": kind} | setting})


@pytest.mark.parametrize(
    ("network", "outputs"),
    [
        ({"graph": "edges", "num_spins": 3, "edges": [[0, 1]], "inputs": {"spins": [0]}}, "2"),
        ({"graph": "edges", "num_spins": 2, "edges": [], "inputs": {"spins": [0]}}, "1"),
    ],
)
def test_unconnected_output(network, outputs):
    with warns(
        UnconnectedOutputWarning, f"output spin {outputs} is not connected to any input", line_of=built_runs.__file__
    ):
        make(network=network)


def test_flip_symmetry():
    network = PAIR | {"biases": {"enabled": False}, "inputs": {"distribution": "constant", "mean": 0.0}}
    with warns(DegenerateGroundStateWarning, "flip symmetry", detail="for 4 of 4 samples"):
        make(network=network)


@pytest.mark.parametrize("network", [PAIR, PAIR | {"biases": {"enabled": False}}])
def test_no_warning(network):
    with warnings.catch_warnings():
        warnings.simplefilter("error", QepWarning)
        make(network=network)


def test_targets_that_do_not_fit_the_outputs_are_refused_when_built():
    """Not later, when the folder of the run is there already."""
    with pytest.raises((ConfigError, NetworkError)):
        make(network=PAIR | {"outputs": [0, 1]})
