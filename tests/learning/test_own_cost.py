"""Kinds of costs that the package does not have: one class each, and one entry in a configuration."""

from typing import Literal

import numpy as np
import pytest
from cases import SMALL_GRAPHS, exact_contrast, random_network
from reference import expectation, gradient, ground

from qep_qiskit.budget.candidates import spsa_candidates
from qep_qiskit.budget.costs import measured_costs
from qep_qiskit.config import build, check_config
from qep_qiskit.config.cost import COSTS, CostSection
from qep_qiskit.core.pauli_strings import PauliString, sparse_pauli_op
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning import Contrast
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network.cost_interface import Cost
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation

NAMES = {"A": PauliString.parse("Z0 X1"), "B": PauliString.of("Z", 2)}


class Product(Cost):
    """y <A> <B>, with error signals that are no distances from targets."""

    has_signals = True
    terms = tuple(NAMES.values())
    num_targets = 1

    def output_map(self):
        return np.eye(2), np.zeros(2)

    def value(self, outputs, targets):
        return targets[:, 0] * outputs[:, 0] * outputs[:, 1]

    def signals(self, outputs, targets):
        return targets * outputs[:, ::-1]

    def curvature(self, outputs, targets):
        return targets[:, :, None] * np.array([[0.0, 1.0], [1.0, 0.0]])


class Exponential(Cost):
    """exp(y) A - y B + y^2: no function of outputs, and known in one stage."""

    has_signals = False
    terms = tuple(NAMES.values())
    num_targets = 1

    def observable(self, targets):
        return np.hstack([np.exp(targets), -targets]), targets[:, 0] ** 2


def from_dense(cost, weights, network, inputs, targets):
    """Mean cost of a batch from dense matrices."""
    values = []
    for x, (y,) in zip(inputs, targets, strict=True):
        state = ground(network.hamiltonian(weights, x).to_matrix())[1]
        matrices = [sparse_pauli_op([(string, 1.0)], network.num_qubits).to_matrix() for string in NAMES.values()]
        a, b = (expectation(matrix, state) for matrix in matrices)
        values.append(y * a * b if isinstance(cost, Product) else np.exp(y) * a - y * b + y**2)
    return np.mean(values)


def problem(cost, rng):
    network, weights = random_network(SMALL_GRAPHS["complete"], rng, num_inputs=1, outputs=(0, 2))
    return NudgedHamiltonian(network, cost), weights, rng.normal(size=(3, 1)), rng.normal(size=(3, 1))


@pytest.mark.parametrize("kind", [Product, Exponential])
def test_gradients_are_the_finite_difference_of_the_cost(kind, rng):
    hamiltonian, weights, inputs, targets = problem(kind(), rng)

    def cost(w):
        return from_dense(hamiltonian.cost, w, hamiltonian.network, inputs, targets)

    expected = gradient(cost, weights, step=0.02)
    exact = exact_gradient(hamiltonian, weights, inputs, targets)
    assert exact.cost == pytest.approx(cost(weights), abs=1e-10)
    assert exact.gradient == pytest.approx(expected, abs=1e-8)
    found = exact_contrast(hamiltonian, weights, Contrast(kind="four_point", beta=5e-4), inputs, targets)
    assert found.gradient == pytest.approx(expected, abs=2e-8)
    if hamiltonian.cost.has_signals:  # else the reported cost is that of the nudged phases
        assert found.cost.mean == pytest.approx(cost(weights), abs=1e-10)


@pytest.mark.parametrize(("kind", "stages"), [(Product, 2), (Exponential, 1)])
def test_stages_are_requests_and_other_methods_read_the_cost(kind, stages, rng):
    hamiltonian, weights, inputs, targets = problem(kind(), rng)
    assert hamiltonian.cost.stages == stages
    points = np.array([weights, 1.1 * weights])
    work = measured_costs(
        hamiltonian, ExactPreparation(), points, inputs, targets, shots=None, key=RequestKey("test", 0)
    )
    values = run_measurements(work, VectorExecutor(Seeds(0)))[0].values
    expected = [from_dense(hamiltonian.cost, point, hamiltonian.network, inputs, targets) for point in points]
    assert values == pytest.approx(expected, abs=1e-10)
    shots = {method.shots for method in spsa_candidates(hamiltonian, total_shots=64, seeds=Seeds(0))}
    assert min(shots) == stages  # one shot of a product would be biased


class ProductSection(CostSection):
    """The product of a configuration."""

    kind: Literal["product"]

    def build(self, network, task):
        return Product()


@pytest.mark.parametrize("shots", ["exact", 200])
def test_a_run_by_configuration_lowers_it(shots, monkeypatch):
    monkeypatch.setattr(COSTS, "_entries", {**COSTS.entries, "product": ProductSection})
    content = {
        "task": {"kind": "xor"},
        "network": {"num_spins": 3},
        "cost": {"kind": "product"},
        "measurement": {"shots": shots},
        "update": {"learning_rate": 0.1},
        "training": {"epochs": 10},
    }
    experiment = build(check_config(content, "f"))
    trainer, data = experiment.trainer(), experiment.task.train

    def cost():
        return exact_gradient(experiment.estimator.hamiltonian, trainer.weights, data.inputs, data.targets).cost

    before = cost()
    assert trainer.run() == "finished"
    assert cost() < before - 0.1
