"""Problems whose gradients are repeated, and contrasts to do it with."""

import numpy as np
from cases import NO_INPUTS, SMALL_GRAPHS, exact_contrast, random_network

from qep_qiskit.learning import Contrast
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.nudge import NudgedHamiltonian

CONTRASTS = {
    "one-sided": Contrast(kind="one_sided", beta=0.3),
    "one-sided, negative": Contrast(kind="one_sided", beta=-0.3),
    "symmetric": Contrast(kind="symmetric", beta=0.3),
    "four-point": Contrast(kind="four_point", beta=0.2),
    "chebyshev": Contrast(kind="chebyshev", order=4, beta=0.4),
}


def exact_mean(problem, contrast):
    hamiltonian, weights, inputs, targets = problem
    return exact_contrast(hamiltonian, weights, contrast, inputs, targets).gradient


def operator_problem(rng):
    network, weights = random_network(SMALL_GRAPHS["complete"], rng)
    return NudgedHamiltonian(network, OperatorCost.squared_error((3,), 4)), weights, NO_INPUTS, np.array([[0.3]])


def loss_problem(rng, graph="edges", outputs=(2,), samples=1, distance=0.25):
    """A loss whose targets lie a little off the outputs: nudges are small, and responses nearly linear."""
    network, weights = random_network(SMALL_GRAPHS[graph], rng, num_inputs=1)
    hamiltonian = NudgedHamiltonian(network, LossOnExpectations.on_spins(outputs, network.num_qubits))
    inputs = 0.3 * rng.normal(size=(samples, 1))
    free = exact_gradient(hamiltonian, weights, inputs, np.zeros((samples, len(outputs)))).outputs
    return hamiltonian, weights, inputs, free + distance * rng.choice([-1, 1], size=free.shape)
