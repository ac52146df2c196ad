"""The three oscillators of the anchor (hbar = m = 1), and a slow reference of Gaussian ground states."""

import numpy as np
import scipy.linalg

from qep_qiskit.continuous.springs import SpringNetwork
from qep_qiskit.network import WeightInitialisation, complete
from qep_qiskit.network.cost import OperatorCost
from qep_qiskit.network.nudge import NudgedHamiltonian

TARGET = 0.6
SPRINGS = {"k[0,1]": 1.0, "k[1,2]": 2.0, "k[0,2]": 0.5}


def three_oscillators(**changes):
    """Each anchored to the origin with 0.5, a force 1 on the first, output the last."""
    keys = {
        "graph": complete(3),
        "outputs": (2,),
        "anchored": (0, 1, 2),
        "springs": WeightInitialisation(values=SPRINGS, minimum=1e-3),
        "forces": WeightInitialisation(values={"f[0]": 1.0}, frozen=True),
    }
    return SpringNetwork(**(keys | changes))


def with_squared_error(network):
    """(r_o - y)^2 on its outputs."""
    return NudgedHamiltonian(network, OperatorCost.squared_error_of(network))


def reference(stiffness, masses, forces, hbar=1.0):
    """Mean, covariances of positions and momenta, and energy, by matrix functions."""
    root = np.diag(np.sqrt(masses))
    inverse = np.linalg.inv(root)
    frequency = scipy.linalg.sqrtm(inverse @ stiffness @ inverse).real
    mean = np.linalg.solve(stiffness, forces)
    positions = hbar / 2 * inverse @ np.linalg.inv(frequency) @ inverse
    momenta = hbar / 2 * root @ frequency @ root
    return mean, positions, momenta, hbar / 2 * np.trace(frequency) - forces @ mean / 2


def costs_by_differences(cost, weights, step=1e-5):
    """Central differences of a function of the weights."""
    shifts = step * np.eye(len(weights))
    return np.array([(cost(weights + shift) - cost(weights - shift)) / (2 * step) for shift in shifts])
