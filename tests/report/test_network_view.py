"""What the picture of a network shows is what its Hamiltonian says."""

from types import SimpleNamespace

import numpy as np
import pytest
from cases import random_network

from qep_qiskit.continuous.springs import SpringNetwork
from qep_qiskit.core.pauli_strings import PauliString, sparse_pauli_op
from qep_qiskit.network import (
    ClampedInputs,
    Interaction,
    IsingNetwork,
    PauliNetwork,
    WeightInitialisation,
    chain,
    complete,
    ring,
)
from qep_qiskit.report.network_view import network_view


def state(before, after):
    return SimpleNamespace(initial_weights=before, weights=after)


def part(texts, weight=None, index=None, size=3, sign=-1.0):
    operator = sparse_pauli_op([(PauliString.parse(text), sign) for text in texts], size)
    return Interaction(operator=operator, weight=weight, input=index)


def test_ising_network_is_shown_by_its_weights(rng):
    network, before = random_network(complete(3), rng, num_inputs=2)
    after = before + rng.normal(size=len(before))
    view = network_view(network, state(before, after), ("a", "b"))
    assert view.edges == network.graph.edges
    assert view.roles == ("hidden", "hidden", "output")
    assert np.array_equal(view.positions, network.graph.positions)
    for time, weights in enumerate((before, after)):
        found = [values[time] for values in (view.couplings, view.fields, view.biases, view.input_weights)]
        for symbol, values in zip("JhbW", found, strict=True):
            assert values.ravel() == pytest.approx(weights[network.layout.slice_of(symbol)], abs=1e-12)


def test_spins_with_inputs_of_their_own_are_shown_as_inputs(rng):
    inputs = ClampedInputs.as_fields((0,), strength=1.5)
    network = IsingNetwork(graph=chain(3), outputs=(2,), inputs=inputs, biases=None)
    weights = np.concatenate([rng.normal(size=5), [1.5]])
    view = network_view(network, state(weights, weights), ("a",))
    assert view.roles == ("input", "hidden", "output")
    assert view.input_weights[1].ravel() == pytest.approx([1.5, 0.0, 0.0])
    assert not view.biases[1].any()


def test_pauli_network_of_ising_words_is_shown_like_one():
    parts = (part(["Z0 Z1", "Z1 Z2"], "J"), part(["X0", "X1", "X2"]), part(["Z0"], "b"), part(["Z2"], "W", 0))
    network = PauliNetwork(interactions=parts, outputs=(2,), num_inputs=1)
    view = network_view(network, state(np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])), ("a",))
    assert dict(zip(view.edges, view.couplings[1].tolist(), strict=True)) == {(0, 1): 4.0, (1, 2): 4.0}
    assert view.fields[0].tolist() == view.fields[1].tolist() == [1.0] * 3
    assert view.biases[0].tolist() == [2.0, 0.0, 0.0]
    assert view.input_weights[1].tolist() == [[0.0, 0.0, 6.0]]
    assert view.roles == ("hidden", "hidden", "output")
    assert np.array_equal(view.positions, chain(3).positions)


def test_pauli_network_off_a_line_has_its_spins_spread():
    network = PauliNetwork(interactions=(part([f"Z{j} Z{k}" for j, k in ring(4).edges], "J", size=4),))
    view = network_view(network, state(np.ones(1), np.ones(1)), ())
    assert np.linalg.matrix_rank(view.positions - view.positions[0], tol=0.1) == 2


@pytest.mark.parametrize(
    "parts",
    [
        (part(["Z0 X1"], "w"),),
        (part(["Y0"], "w"),),
        (part(["Z0 Z1 Z2"], "w"),),
        (part(["X0"], "w", 0),),
        (part(["Z0"], "w"), part(["Z0 Z1"], None, 0)),
    ],
)
def test_other_networks_have_no_picture(parts):
    network = PauliNetwork(interactions=parts, num_inputs=1)
    assert network_view(network, state(np.ones(1), np.ones(1)), ("a",)) is None


def test_springs_are_shown_with_anchors_and_forces(rng):
    network = SpringNetwork(
        graph=complete(4),
        outputs=(3,),
        clamped=(0,),
        inputs=((0, 0),),
        anchored=(1, 2),
        forces=WeightInitialisation(mean=0.0),
        springs=WeightInitialisation(distribution="uniform", low=0.5, high=1.5, minimum=1e-3),
    )
    before = rng.uniform(0.5, 1.5, size=network.layout.num_weights)
    view = network_view(network, state(before, 2 * before), ("a",))
    assert view.roles == ("input", "hidden", "hidden", "output")
    assert view.couplings[0] == pytest.approx(before[network.layout.slice_of("k")])
    assert view.fields[1] == pytest.approx([0.0, *(2 * before[network.layout.slice_of("a")]), 0.0])
    assert view.biases[0] == pytest.approx([0.0, *before[network.layout.slice_of("f")]])
    assert view.site == "atom"
