"""Quantum weights on registers: Ehrenfest's theorem in every eigenstate, and the classical weights of a large mass."""

import numpy as np
import pytest
from cases import NO_INPUTS, half_one_plus_z
from reference import fitted_slope, pauli_matrix
from scipy.optimize import brentq

from qep_qiskit.continuous.weight_registers import WeightRegisters
from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning import AgnosticUpdate, Contrast, GradientBatch, GradientEstimator
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import IsingNetwork, WeightInitialisation, chain
from qep_qiskit.network.cost import LossOnExpectations
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation

HELD = WeightInitialisation(mean=1.0, frozen=True)
NETWORK = IsingNetwork(graph=chain(2), outputs=(1,), fields=HELD, biases=HELD)
WEIGHTS = NETWORK.weights_from({"J[0,1]": 0.5, "h[0]": 0.8, "h[1]": 1.1, "b[0]": 0.3, "b[1]": -0.4})
PROBLEM = NudgedHamiltonian(NETWORK, half_one_plus_z(1, 2))
EPSILON, COUPLING = 0.3, NETWORK.layout.index_of("J[0,1]")


def joint(*names, **options):
    return WeightRegisters(hamiltonian=PROBLEM, weights=WEIGHTS, on_registers=names, **{"epsilon": EPSILON} | options)


@pytest.mark.deep(but=["J b, free"])
@pytest.mark.parametrize(
    ("names", "beta"),
    [
        pytest.param(("J[0,1]", "b[0]"), 0.0, id="J b, free"),
        pytest.param(("J[0,1]", "b[0]"), 0.5, id="J b, nudged"),
        pytest.param(("h[1]", "b[1]"), 0.5, id="h b, nudged"),
    ],
)
def test_the_mean_force_vanishes_in_every_eigenstate(names, beta):
    controls = np.array([0.7, -0.1])
    states = joint(*names).eigenstates(controls, beta=beta, count=6)
    assert states.positions - controls + EPSILON * states.forces == pytest.approx(np.zeros((6, 2)), abs=1e-10)
    assert np.abs(states.forces[0] - states.forces[1]).max() > 0.05
    assert (np.diff(states.energies) > 1e-3).all()


def test_levels_are_those_of_a_matrix_on_the_grid():
    """One register of four qubits: explicit kinetic energy, springs and Pauli matrices, by Kronecker products."""
    registers = joint("J[0,1]", num_qubits=4, box=8.0)
    grid, control, beta = registers.grid, 0.7, 0.4
    points, waves = grid.positions(0), grid.wave_numbers(0)
    plane = np.exp(1j * np.outer(points, waves)) / 4
    own = plane @ np.diag(waves**2 / 2) @ plane.conj().T + np.diag((points - control) ** 2 / (2 * EPSILON))
    pauli = lambda text: pauli_matrix(text, 2)  # noqa: E731
    spins = -0.8 * pauli("X0") - 1.1 * pauli("X1") - 0.3 * pauli("Z0") + 0.4 * pauli("Z1")
    spins = spins + beta * (np.eye(4) + pauli("Z1")) / 2
    matrix = np.kron(np.eye(4), own) + np.kron(spins, np.eye(16)) - np.kron(pauli("Z0 Z1"), np.diag(points))
    expected = np.linalg.eigvalsh(matrix)[:5]
    assert registers.eigenstates([control], beta=beta, count=5).energies == pytest.approx(expected, abs=1e-10)


@pytest.mark.deep
def test_a_heavy_weight_moves_as_the_classical_one():
    """Controls that hold the free weight in place, then a nudge: deviations fall as 1/sqrt(mass), like its variance."""
    beta = 0.2
    estimator = GradientEstimator(
        hamiltonian=PROBLEM,
        preparation=ExactPreparation(),
        contrast=Contrast(kind="one_sided", beta=beta),
        shots=None,
    )
    work = AgnosticUpdate(epsilon=EPSILON, tolerance=1e-10).estimate(
        estimator,
        GradientBatch(weights=WEIGHTS, inputs=NO_INPUTS, targets=np.zeros((1, 0)), key=RequestKey("test", 0)),
    )
    found, _ = run_measurements(work, VectorExecutor(Seeds(0)))
    classical = (found.equilibrium.weights - WEIGHTS)[COUPLING]
    deviations, masses, place = [], [6400.0, 25600.0, 102400.0], WEIGHTS[COUPLING]
    for mass in masses:
        registers = joint("J[0,1]", mass=mass, box=0.9)

        def moved(control, nudge=0.0, registers=registers):
            return registers.eigenstates([control], beta=nudge).positions[0, 0] - place

        control = brentq(moved, place - 0.4, place + 0.4)
        deviations.append(abs(moved(control, beta) - classical))
    assert fitted_slope(masses, deviations) == pytest.approx(-0.5, abs=0.03)
    assert deviations[-1] < 0.1 * abs(classical)


def test_what_registers_cannot_hold_is_refused():
    with pytest.raises(NetworkError, match="no weight J"):
        joint("J[5,6]").eigenstates([0.0])
    loss = NudgedHamiltonian(NETWORK, LossOnExpectations.on_outputs(NETWORK))
    with pytest.raises(NetworkError, match="cost: weights on registers take an operator cost"):
        WeightRegisters(hamiltonian=loss, weights=WEIGHTS, on_registers=["J[0,1]"], epsilon=0.3)
