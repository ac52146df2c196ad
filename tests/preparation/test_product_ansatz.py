"""Contrasts of product states far from the ground state: gradients of their own energies, by Bloch vectors."""

import numpy as np
import pytest
from cases import exact_contrast, load_instances
from reference import derivative
from scipy.optimize import root
from variational_cases import contrast_of, entangled, family_of, prepare

from qep_qiskit.core.seeds import Seeds
from qep_qiskit.evolution import evolve
from qep_qiskit.learning import Contrast
from qep_qiskit.network import chain, complete, ring
from qep_qiskit.preparation import ExactPreparation, HardwareEfficient, VariationalPreparation, term_expectations

BETA = 0.1
INSTANCES = {case.name: case for case in load_instances()}
# Networks whose best product state has an infidelity above 0.3.
FAR_FROM_PRODUCTS = {
    "chain of 4": entangled(chain(4), 1),
    "ring of 4": entangled(ring(4), 3),
    "complete of 4": entangled(complete(4), 1),
    "ring of 5": entangled(ring(5), 1),
    "chain of 6": entangled(chain(6), 4),
    "chain8-1": INSTANCES["chain8-1"],
}


def product(**options):
    return VariationalPreparation(ansatz=HardwareEfficient(0), seeds=Seeds(1), restarts=5, tolerance=1e-10, **options)


class ProductEnergy:
    """E of product states with <X_k> = sin t_k, <Z_k> = cos t_k, <Y_k> = 0: no circuit, no vector."""

    def __init__(self, case):
        self.edges = np.array(case.network.graph.edges)
        self.size = case.network.num_qubits

    def split(self, weights):
        return np.split(weights, [len(self.edges), len(self.edges) + self.size])

    def slope(self, angles, weights, beta):
        J, h, b = self.split(weights)
        x, z = np.sin(angles), np.cos(angles)
        field = b.copy()
        field[-1] -= beta / 2
        np.add.at(field, self.edges[:, 0], J * z[self.edges[:, 1]])
        np.add.at(field, self.edges[:, 1], J * z[self.edges[:, 0]])
        return x * field - z * h

    def value(self, angles, weights, beta):
        J, h, b = self.split(weights)
        x, z = np.sin(angles), np.cos(angles)
        pairs = z[self.edges[:, 0]] * z[self.edges[:, 1]]
        return -J @ pairs - h @ x - b @ z + beta * (1 + z[-1]) / 2

    def least(self, start, weights, beta):
        """The minimum next to `start`, by Newton's method on the slope."""
        found = root(self.slope, start, args=(weights, beta), tol=1e-14)
        assert np.abs(self.slope(found.x, weights, beta)).max() < 1e-12
        return self.value(found.x, weights, beta)


def bloch_angles(preparation, case):
    """Angles of the free product state that a preparation finds."""
    free = prepare(preparation, family_of(case))[0].states
    means = term_expectations(case.hamiltonian.groups, evolve(free.program, free.parameters))[0]
    found = dict(zip(map(str, case.hamiltonian.terms), means, strict=True))
    return np.array([np.arctan2(found[f"X{k}"], found[f"Z{k}"]) for k in range(case.network.num_qubits)])


@pytest.mark.parametrize("name", FAR_FROM_PRODUCTS)
def test_the_best_product_state_is_far_from_the_ground_state(name):
    case = FAR_FROM_PRODUCTS[name]
    prepared_states, _ = prepare(product(), family_of(case))
    exact = ExactPreparation().solve(case.hamiltonian.groups, case.coefficients)
    found = evolve(prepared_states.states.program, prepared_states.states.parameters)
    assert 1 - abs(np.vdot(found[0], exact.vectors[0])) ** 2 > 0.3


@pytest.mark.parametrize("name", FAR_FROM_PRODUCTS)
def test_the_contrast_of_product_states_is_the_gradient_of_their_own_contrastive_function(name):
    """Against energies of Bloch vectors: beta x contrast = d/dw (F(beta) - F(-beta)) / 2, whatever the infidelity."""
    case = FAR_FROM_PRODUCTS[name]
    energy, start = ProductEnergy(case), bloch_angles(product(), case)

    def numerator(step):
        """(F(beta) - F(-beta)) / 2 with each weight moved by a step."""
        sides = [
            [energy.least(start, w, beta) for w in case.weights + step * np.eye(len(case.weights))]
            for beta in (BETA, -BETA)
        ]
        return (np.array(sides[0]) - np.array(sides[1])) / 2

    found = contrast_of(product(), case, BETA)
    expected = derivative(numerator, step=0.02)
    assert found.diagnostics.residual < 1e-9 * BETA
    assert BETA * found.gradient == pytest.approx(expected, rel=0, abs=1e-8)
    exact = BETA * exact_contrast(case.hamiltonian, case.weights, Contrast(beta=BETA)).gradient
    assert np.abs(exact - expected).max() > 1e-3


@pytest.mark.parametrize("name", FAR_FROM_PRODUCTS)
def test_the_contrast_at_small_nudges_is_the_gradient_of_the_variational_cost(name):
    """Against the free cost of product states of Bloch vectors, and its differences."""
    case = FAR_FROM_PRODUCTS[name]
    energy, start = ProductEnergy(case), bloch_angles(product(), case)

    def cost(step):
        moved = case.weights + step * np.eye(len(case.weights))
        angles = [root(energy.slope, start, args=(weights, 0.0), tol=1e-14).x for weights in moved]
        return (1 + np.cos(np.array(angles)[:, -1])) / 2

    found = contrast_of(product(), case, 2e-3, kind="four_point").gradient
    assert found == pytest.approx(derivative(cost, step=0.01), rel=0, abs=1e-6)
