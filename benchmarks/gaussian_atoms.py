"""Exact contrasts of thousands of oscillators, beside plain numpy.

One gradient of a symmetric contrast on a square lattice of anchored oscillators, one sample, `(r_o - y)^2`. The plain
way computes both covariances by matrix functions and keeps all terms' covariances, as an exact batch would; the
package diagonalises every stiffness once and reads the entries that springs need.

    python benchmarks/gaussian_atoms.py [side ...]
"""

from __future__ import annotations

import resource
import time

import numpy as np
from shown import parser_of, show

from qep_qiskit.continuous.executor import CoordinateExecutor
from qep_qiskit.continuous.gaussian import quadratic_energies
from qep_qiskit.continuous.oscillators import GaussianPreparation
from qep_qiskit.continuous.springs import SpringNetwork
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import lattice
from qep_qiskit.network.cost import OperatorCost
from qep_qiskit.network.nudge import NudgedHamiltonian

_BETA, _TARGET = 0.05, np.array([[0.3]])


def _problem(side: int) -> tuple[NudgedHamiltonian, np.ndarray]:
    atoms = side * side
    network = SpringNetwork(
        graph=lattice(side, side),
        outputs=(atoms // 2,),
        clamped=(0,),
        inputs=((0, 0),),
        anchored=tuple(range(1, atoms)),
    )
    return NudgedHamiltonian(network, OperatorCost.squared_error_of(network)), network.layout.initial(Seeds(0))


def _plain(hamiltonian: NudgedHamiltonian, weights: np.ndarray, x: np.ndarray) -> np.ndarray:
    """d/d(beta) of |r_i - r_j|^2 / 2 for every spring, from whole covariances."""
    network, sides = hamiltonian.network, []
    free, nudge = hamiltonian.free_coefficients(weights, x), hamiltonian.operator_nudge(_TARGET)[0]
    for beta in (_BETA, -_BETA):
        energies = quadratic_energies(hamiltonian.groups, free + beta * nudge)
        squares, vectors = np.linalg.eigh(energies.stiffness[0])
        covariance = (vectors * (0.5 / np.sqrt(squares))) @ vectors.T
        mean = np.linalg.solve(energies.stiffness[0], energies.forces[0])
        second = np.zeros((network.num_atoms, network.num_atoms))
        second[1:, 1:] = covariance
        place = np.concatenate([x[0], mean])
        i, j = np.array(network.edges).T
        sides.append((place[i] - place[j]) ** 2 + second[i, i] + second[j, j] - 2 * second[i, j])
    return (sides[0] - sides[1]) / (4 * _BETA)


def main() -> None:
    """Print one line a size."""
    parser = parser_of(__doc__)
    parser.add_argument("sides", nargs="*", type=int, default=[10, 32, 55])
    options = parser.parse_args()
    table = [["atoms", "terms", "CPU s", "plain numpy, CPU s", "largest difference", "peak memory, GiB"]]
    ratio = float("nan")
    for side in options.sides:
        hamiltonian, weights = _problem(side)
        x, preparation = np.array([[1.0]]), GaussianPreparation()
        estimator = GradientEstimator(
            hamiltonian=hamiltonian, preparation=preparation, contrast=Contrast(beta=_BETA), shots=None
        )
        begun = time.process_time()
        found, _ = run_measurements(
            estimator.estimate(weights, x, _TARGET, RequestKey("bench", 0)), CoordinateExecutor(Seeds(0))
        )
        ours = time.process_time() - begun
        begun = time.process_time()
        plain = _plain(hamiltonian, weights, x)
        theirs = time.process_time() - begun
        off = np.abs(found.gradient[: len(plain)] - plain).max()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        ratio = ours / theirs
        cells = (str(side * side), str(hamiltonian.num_terms), f"{ours:.1f}", f"{theirs:.1f}", f"{off:.1e}")
        table.append([*cells, f"{peak:.1f}"])
    show(table, {"ratio_of_the_largest": ratio}, as_json=options.json)


if __name__ == "__main__":
    main()
