"""Networks that many tests share: random ones on every topology, and those of data/instances.json."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning import GradientEstimator
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import (
    ClampedInputs,
    IsingNetwork,
    WeightInitialisation,
    chain,
    complete,
    from_edges,
    heavy_hex,
    lattice,
    layered,
    ring,
)
from qep_qiskit.network.cost import OperatorCost
from qep_qiskit.network.cost_terms import CostTerm
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation

FAR_NUDGES = [
    pytest.mark.filterwarnings(f"ignore::qep_qiskit.core.errors.{name}")
    for name in ("NudgeBeyondGapWarning", "BranchJumpWarning")
]
"""Marks of tests whose nudges go past the gap, or whose few shots look like jumps."""

SMALL_GRAPHS = {
    "edges": from_edges(3, [(0, 2), (1, 2)]),
    "ring": ring(4),
    "complete": complete(4),
    "chain": chain(5),
    "lattice": lattice(2, 3),
    "layered": layered([2, 3, 2]),
    "two-hexagons": from_edges(8, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (0, 5), (0, 6), (6, 7)]),
}
GRAPHS = SMALL_GRAPHS | {"torus": lattice(3, 3, periodic=True), "heavy-hex": heavy_hex(3), "single": chain(1)}


def random_network(graph, rng, num_inputs=0, **options):
    """An Ising network with random weights of order one; the output is the last spin."""
    last = graph.num_spins - 1
    inputs = ClampedInputs.all_to(num_inputs, range(graph.num_spins)) if num_inputs else None
    options = {"outputs": (last,), "couplings": WeightInitialisation(), "biases": WeightInitialisation()} | options
    network = IsingNetwork(graph=graph, inputs=inputs, **options)
    spread = {"J": 0.5, "h": 0.0, "b": 0.4, "W": 0.4}
    weights = np.concatenate(
        [
            rng.uniform(0.8, 1.3, len(block.names))
            if block.symbol == "h"
            else rng.normal(0, spread[block.symbol], len(block.names))
            for block in network.layout.blocks
        ]
    )
    return network, weights


def half_one_plus_z(spin, num_qubits):
    """C = (1 + Z_spin) / 2."""
    terms = [
        CostTerm(string=PauliString(()), coefficient=0.5),
        CostTerm(string=PauliString.of("Z", spin), coefficient=0.5),
    ]
    return OperatorCost.from_terms(terms, num_qubits)


@dataclass(frozen=True)
class Instance:
    """One network of instances.json."""

    name: str
    network: IsingNetwork
    weights: np.ndarray
    record: dict

    @property
    def hamiltonian(self):
        return NudgedHamiltonian(self.network, half_one_plus_z(self.network.num_qubits - 1, self.network.num_qubits))

    @property
    def coefficients(self):
        return self.hamiltonian.free_coefficients(self.weights, NO_INPUTS)


NO_INPUTS = np.zeros((1, 0))
XOR_ON_TWO_SPINS = """
[task]
kind = "xor"
[network]
graph = "complete"
num_spins = 2
[preparation]
kind = "exact"
"""
"""The smallest run, as the text of a configuration; keys and tables may stand before and after it."""


def _instance(record):
    size = record["num_spins"]
    network = IsingNetwork(graph=from_edges(size, record["edges"]), outputs=(size - 1,))
    assert list(network.layout.names) == record["weights"]
    weights = np.array([*record["J"], *record["h"], *record["b"]])
    return Instance(record["name"], network, weights, record)


def load_instances():
    """All networks of instances.json."""
    path = Path(__file__).parent / "data" / "instances.json"
    return [_instance(record) for record in json.loads(path.read_text(encoding="utf-8"))["instances"]]


def exact_contrast(hamiltonian, weights, contrast, inputs=NO_INPUTS, targets=NO_INPUTS):
    """The contrast of exact states: no shots, no circuits."""
    estimator = GradientEstimator(
        hamiltonian=hamiltonian, preparation=ExactPreparation(), contrast=contrast, shots=None
    )
    work = estimator.estimate(weights, inputs, targets, RequestKey("test", 0))
    return run_measurements(work, VectorExecutor(Seeds(0)))[0]
