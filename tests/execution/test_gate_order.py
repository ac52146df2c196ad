"""Commuting couplings stand side by side on devices, and the state stays the same."""

from pathlib import Path

import numpy as np
import pytest
from cases import GRAPHS, NO_INPUTS, random_network
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector
from reference import without_phase

from qep_qiskit.config import from_file
from qep_qiskit.core.program import lower
from qep_qiskit.execution.gate_order import edge_colours, in_few_layers
from qep_qiskit.network import complete, heavy_hex, heavy_hex_patch, lattice
from qep_qiskit.preparation import AdiabaticPreparation

CONFIGS = Path(__file__).parents[2] / "configs"
BIPARTITE = {
    "heavy-hex": heavy_hex(5),
    "patch": heavy_hex_patch(100),
    "lattice": lattice(4, 5),
    "single": GRAPHS["single"],
}


def largest_degree(graph):
    return int(np.bincount(np.ravel(graph.edges).astype(int), minlength=1).max())


def two_qubit_depth(circuit):
    return circuit.depth(lambda step: len(step.qubits) == 2)


@pytest.mark.parametrize("graph", BIPARTITE.values(), ids=BIPARTITE)
def test_a_layer_is_as_deep_as_a_spin_has_couplings(graph, rng):
    network, _ = random_network(graph, rng)
    program = AdiabaticPreparation(total_time=2.0, steps=4, order=1).program(network.groups)
    assert two_qubit_depth(in_few_layers(lower(program))) == 4 * largest_degree(graph)


@pytest.mark.parametrize("graph", [complete(5), complete(6), GRAPHS["torus"]])
def test_edges_of_a_colour_do_not_meet(graph):
    colours = edge_colours(graph.edges, graph.num_spins)
    for colour in set(colours):
        spins = [spin for edge, own in zip(graph.edges, colours, strict=True) if own == colour for spin in edge]
        assert len(spins) == len(set(spins))
    assert max(colours) <= largest_degree(graph)


@pytest.mark.parametrize("name", ["complete", "ring", "layered", "two-hexagons"])
def test_the_state_stays_the_same(name, rng):
    network, weights = random_network(GRAPHS[name], rng)
    program = AdiabaticPreparation(total_time=2.0, steps=3).program(network.groups)
    circuit = lower(program).assign_parameters(network.coefficients(weights, NO_INPUTS)[0])
    found, wanted = (without_phase(Statevector(one).data) for one in (in_few_layers(circuit), circuit))
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_gates_that_do_not_commute_keep_their_order():
    circuit = QuantumCircuit(3)
    circuit.rzz(0.1, 0, 1)
    circuit.rxx(0.2, 1, 2)
    circuit.rzz(0.3, 0, 2)
    circuit.cx(0, 1)
    circuit.rzz(0.4, 0, 1)
    circuit.rzz(0.5, 0, 1)  # the same pair twice
    assert in_few_layers(circuit) == circuit


@pytest.mark.parametrize("name", ["xor_fake_device", "native_torino", "quadrants_native"])
def test_shipped_configurations_have_the_order_that_they_had(name):
    pytest.importorskip("qiskit_ibm_runtime")
    overrides = ["execution.backend=fake_torino"]
    experiment = from_file(CONFIGS / f"{name}.toml", overrides)
    network = experiment.network
    circuit = lower(AdiabaticPreparation(total_time=1.0, steps=1).program(network.groups))
    assert [step.params for step in in_few_layers(circuit).data] == [step.params for step in circuit.data]
