"""Known families against Qiskit's circuit library and products of matrix exponentials."""

import numpy as np
import pytest
from qiskit.circuit.library import efficient_su2
from qiskit.quantum_info import Statevector
from reference import pauli_matrix
from scipy.linalg import expm

from qep_qiskit.ansatz import ENTANGLEMENTS, hamiltonian_variational, hardware_efficient
from qep_qiskit.core.errors import AnsatzError
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.evolution import energy_and_gradient, evolve
from qep_qiskit.network import IsingNetwork, chain

GROUPS = (
    CommutingGroup(name="Z", basis=LocalBasis("ZZZ"), masks=(0b011, 0b110, 0b001)),
    CommutingGroup(name="XYX", basis=LocalBasis("XYX"), masks=(0b001, 0b011, 0b100)),
)


def same_states(found, expected):
    pairs = zip(np.atleast_2d(found), np.atleast_2d(expected), strict=True)
    return all(np.abs(a - np.vdot(b, a) * b).max() < 1e-10 for a, b in pairs)


@pytest.mark.parametrize("num_qubits", [1, 2, 3, 5])
@pytest.mark.parametrize("depth", [0, 1, 3])
@pytest.mark.parametrize("entanglement", ENTANGLEMENTS)
def test_hardware_efficient_is_the_state_of_qiskit(num_qubits, depth, entanglement, rng):
    program = hardware_efficient(num_qubits, depth, entanglement)
    circuit = efficient_su2(num_qubits, reps=depth, entanglement=entanglement)
    angles = rng.uniform(-np.pi, np.pi, (2, circuit.num_parameters))
    assert program.num_parameters == 2 * num_qubits * (depth + 1) == circuit.num_parameters
    assert same_states(evolve(program, angles), [Statevector(circuit.assign_parameters(row)).data for row in angles])


def test_hardware_efficient_by_default_is_qiskit_by_default(rng):
    angles = rng.uniform(-np.pi, np.pi, (1, 24))
    expected = Statevector(efficient_su2(4, reps=2).assign_parameters(angles[0])).data
    assert same_states(evolve(hardware_efficient(4, 2), angles), expected)


@pytest.mark.parametrize("depth", [1, 3])
def test_hamiltonian_variational_is_the_product_of_exponentials(depth, rng):
    program = hamiltonian_variational(GROUPS, depth)
    parameters = rng.normal(size=6 * depth)
    state = np.full(8, 8**-0.5, dtype=complex)
    words = [word for _ in range(depth) for group in GROUPS for word in group.terms]
    for word, angle in zip(words, parameters, strict=True):
        state = expm(-0.5j * angle * pauli_matrix(word, 3)) @ state
    assert program.num_parameters == len(parameters)
    assert np.abs(evolve(program, parameters[None])[0] - state).max() < 1e-10


def test_hamiltonian_variational_reaches_the_ground_state_of_two_spins():
    network = IsingNetwork(graph=chain(2), outputs=(1,))
    weights = network.weights_from({"J[0,1]": 0.7, "h[0]": 0.4, "h[1]": 0.9, "b[0]": 0.2, "b[1]": -0.3})
    coefficients = network.coefficients(weights, np.zeros((1, 0)))
    program, angles = hamiltonian_variational(network.groups, 3), np.full((1, 15), 0.1)
    for _ in range(800):
        energy, gradient = energy_and_gradient(program, angles, network.groups, coefficients)
        angles = angles - 0.05 * gradient
    words = [word for group in network.groups for word in group.terms]
    matrix = sum(c * pauli_matrix(word, 2) for c, word in zip(coefficients[0], words, strict=True))
    assert energy[0] == pytest.approx(np.linalg.eigvalsh(matrix)[0], abs=1e-5)


def test_names_tell_layer_and_generator_and_are_no_pauli_words():
    names = hamiltonian_variational(GROUPS, 2).parameter_names
    assert names[0] == "l0 Z0 Z1"
    assert names[6 + 4] == "l1 X0 Y1"
    assert len(set(names)) == len(names)
    assert not set(names) & {str(word) for group in GROUPS for word in group.terms}
    for name in names:
        with pytest.raises(ValueError, match="Pauli string"):
            PauliString.parse(name)
    assert hardware_efficient(3, 1).parameter_names[-2:] == ("l1 rz 1", "l1 rz 2")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: hamiltonian_variational([], 1), "at least one"),
        (lambda: hamiltonian_variational([GROUPS[0], hardware_efficient(2, 0).groups[0]], 1), "on the same qubits"),
        (lambda: hamiltonian_variational(GROUPS, 0), "depth of at least 1, got 0"),
        (lambda: hardware_efficient(3, -1), "got 3 qubits and -1"),
        (lambda: hardware_efficient(0, 1), "got 0 qubits and 1"),
        (lambda: hardware_efficient(3, 1, "sca"), "linear, reverse_linear, circular, full, pairwise, got 'sca'"),
    ],
)
def test_refusals(build, message):
    with pytest.raises(AnsatzError, match=message) as caught:
        build()
    assert "\n" not in str(caught.value)
