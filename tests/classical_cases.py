"""Networks of classical spins that many tests share, and their states by trying all."""

from itertools import product

import numpy as np
from cases import SMALL_GRAPHS, random_network

from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network.cost import OperatorCost
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import HamiltonianFamily, WarmStart

KEY = RequestKey("test", 0)
BETAS = np.array([-1.5, -0.2, 0.0, 0.2, 1.5])


def classical(name, rng, cost=None):
    """A network without transverse fields, its weights, three inputs and targets."""
    network, weights = random_network(SMALL_GRAPHS[name], rng, num_inputs=1, outputs=(0, 2), fields=None)
    cost = cost or OperatorCost.squared_error((0, 2), network.num_qubits)
    return NudgedHamiltonian(network, cost), weights, rng.normal(size=(3, 1)), rng.normal(size=(3, 2))


def energy_of(network, weights, x, spins):
    """- sum J s s - sum (b + W x) s."""
    named = dict(zip(network.layout.names, weights, strict=True))
    total = 0.0
    for name, value in named.items():
        numbers = [int(part) for part in name[2:-1].split(",")]
        if name[0] == "W":
            total -= value * x[numbers[0]] * spins[numbers[1]]
        else:
            total -= value * np.prod([spins[k] for k in numbers])
    return total


def lowest(hamiltonian, weights, x, y, beta):
    """Energy and spins of the ground state of H + beta C, by trying all."""
    network = hamiltonian.network

    def total(spins):
        cost = sum((spins[k] - target) ** 2 for k, target in zip((0, 2), y, strict=True))
        return energy_of(network, weights, x, spins) + beta * cost

    return min((total(spins), spins) for spins in product((1, -1), repeat=network.num_qubits))


def family_of(hamiltonian, weights, inputs, targets, betas=BETAS):
    nudge, constants = hamiltonian.operator_nudge(targets)
    free = hamiltonian.free_coefficients(weights, inputs)
    return HamiltonianFamily(groups=hamiltonian.groups, free=free, nudge=nudge, betas=betas, key=KEY), constants


def prepared(preparation, family, start=None):
    return run_measurements(preparation.prepare(family, start or WarmStart()), VectorExecutor(Seeds(0)))[0]


def gradient_by(preparation, problem):
    """The contrast of a classical problem, without shots."""
    hamiltonian, *given = problem
    estimator = GradientEstimator(
        hamiltonian=hamiltonian, preparation=preparation, contrast=Contrast(beta=1.0), shots=None
    )
    return run_measurements(estimator.estimate(*given, KEY), VectorExecutor(Seeds(0)))[0].gradient
