"""What `qep circuits` says of the learning rule."""

import io

import pytest
from cases import SMALL_GRAPHS, random_network
from rich.console import Console

from qep_qiskit.learning.locality import LocalMeasurement, locality
from qep_qiskit.network.cost import LossOnExpectations
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.report.locality_table import locality_table


def shown(readings):
    console = Console(file=io.StringIO(), width=80)
    console.print(locality_table(readings))
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


def readings_of(graph, rng):
    network, _ = random_network(SMALL_GRAPHS[graph], rng, num_inputs=1)
    size = network.num_qubits
    return locality(NudgedHamiltonian(network, LossOnExpectations.on_spins(network.outputs, size)))


def test_few_weights_have_a_row_each(rng):
    readings = [reading for reading in readings_of("edges", rng) if reading.weight[0] in "Jh"]
    lines = shown(readings)
    assert "J[0,2] Z 0 2" in lines
    assert "h[1] X 1" in lines


def test_many_weights_are_counted_by_kind(rng):
    lines = shown(readings_of("complete", rng))
    assert "6 of J Z 2 qubits each, J[0,1]: 0 1" in lines
    assert "4 of h X 1 qubit each, h[0]: 0" in lines
    assert "4 of W Z 1 qubit each, W[0,0]: 0" in lines


@pytest.mark.parametrize("count", [5, 200])
def test_long_sums_are_cut(count):
    products = tuple((k, k + 1) for k in range(count))
    lines = shown([LocalMeasurement(weight="a", group="Z", products=products)])
    assert f"a Z 0 1, 1 2, 2 3, 3 4, ... ({count - 4} more)" in lines
