"""What objects show in a notebook."""

import re

import numpy as np
import pytest
from qiskit.quantum_info import SparsePauliOp

import qep_qiskit as qep

NETWORKS = {
    "ising": qep.IsingNetwork(graph=qep.complete(5), outputs=(4,)),
    "pauli": qep.PauliNetwork.from_operators({"<w>": SparsePauliOp("ZZ")}, fixed=-SparsePauliOp("IX")),
    "springs": qep.SpringNetwork(graph=qep.chain(2), outputs=(1,), clamped=(0,), inputs=((0, 0),)),
}


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_a_network_is_its_size_and_its_weights(network):
    text = network._repr_html_()
    assert f">weights</td><td>{network.layout.num_weights}, " in text
    assert network.layout.names[0].replace("<", "&lt;").replace(">", "&gt;") in text
    assert text.count("<tr>") < 15
    assert "<w>" not in text


def test_a_gradient_is_its_weights_with_errors():
    network = qep.IsingNetwork(graph=qep.complete(6), outputs=(1,))
    cost = qep.LossOnExpectations.on_outputs(network)
    estimate = qep.gradient(network, cost, np.linspace(-0.5, 0.8, 27), y=[1.0], shots=100_000)
    rows = re.findall(r'<td style="text-align:left">(.*?)</td><td>(.*?)</td><td>(.*?)</td>', estimate._repr_html_())
    values = [(name, f"{value:+.5f}", f"{error:.5f}") for name, (value, error) in estimate.by_name.items()]
    assert rows == values[:20]
    assert "and 7 more" in estimate._repr_html_()


def test_a_trained_network_is_its_results():
    keys = ["training.epochs=1", "name=<b>", "preparation.kind=exact", "measurement.shots=5000", "contrast.beta=0.1"]
    trained = qep.train(qep.from_file("configs/xor.toml", keys))
    text = trained._repr_html_()
    assert "&lt;b&gt;: 22 trained weights" in text
    assert '<td style="text-align:left">shots</td>' in text
