"""What a position grid gets wrong, against its qubits and its box: exact states on the grid beside Gaussian ones.

    python benchmarks/oscillator_grid.py

The network and the contrast of benchmarks/oscillator_ramp.py. The margin is the number of standard deviations between
the state and the walls, or the largest wave number, whichever is less; errors are those of the springs' gradient.
"""

from __future__ import annotations

import warnings

import numpy as np
from oscillator_ramp import BETAS, PAIRS, WEIGHTS
from shown import parser_of, show

import qep_qiskit as qep
from qep_qiskit.continuous.executor import CoordinateExecutor
from qep_qiskit.continuous.grid_energies import GridEnergies
from qep_qiskit.continuous.grid_network import GridNetwork
from qep_qiskit.continuous.oscillators import GaussianPreparation
from qep_qiskit.continuous.position_grid import PositionGrid
from qep_qiskit.continuous.springs import SpringNetwork
from qep_qiskit.execution import RequestKey
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import WeightInitialisation, from_edges
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation

GRIDS = ((3, 6.0, 0.0), (3, 6.0, 0.6), (4, 8.0, 0.0), (4, 9.0, 0.0), (4, 9.0, 0.6))
NO_INPUTS, TARGETS = np.zeros((1, 0)), np.array([[0.6]])


def gradient_of(network, preparation, executor):
    """Of the springs, without shot noise, and the Hamiltonian."""
    hamiltonian = NudgedHamiltonian(network, qep.OperatorCost.squared_error_of(network))
    contrast = qep.Contrast(beta=float(BETAS[2]))
    estimator = qep.GradientEstimator(hamiltonian=hamiltonian, preparation=preparation, contrast=contrast, shots=None)
    work = estimator.estimate(network.weights_from(WEIGHTS), NO_INPUTS, TARGETS, RequestKey("grid", 0))
    return run_measurements(work, executor)[0].gradient[: len(PAIRS)], hamiltonian


def main():
    """Print the table."""
    options = parser_of(__doc__).parse_args()
    warnings.simplefilter("ignore")
    atoms = SpringNetwork(graph=from_edges(3, PAIRS), outputs=(2,), anchored=(0, 1, 2), forces=WeightInitialisation())
    true, _ = gradient_of(atoms, GaussianPreparation(), CoordinateExecutor(qep.Seeds(0)))
    table = [["qubits an atom", "box", "centre", "margin", "error of the gradient", "worst spring"]]
    for num_qubits, box, centre in GRIDS:
        network = GridNetwork(atoms=atoms, grid=PositionGrid.uniform(num_qubits, box, 3, centre=centre))
        found, hamiltonian = gradient_of(network, ExactPreparation(), qep.StatevectorExecutor(qep.Seeds(0)))
        free = hamiltonian.free_coefficients(network.weights_from(WEIGHTS), NO_INPUTS)
        widths = GridEnergies.of(network.grid, hamiltonian.groups, free).gaussian_widths()
        margin = min(float(margins.min()) for margins in network.grid.margins(widths))
        errors = np.linalg.norm(found - true) / np.linalg.norm(true), np.abs(found / true - 1.0).max()
        table.append([str(num_qubits), f"{box:g}", f"{centre:g}", f"{margin:.1f}", *(f"{e:.1e}" for e in errors)])
    show(table, as_json=options.json)


if __name__ == "__main__":
    main()
