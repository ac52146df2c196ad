"""Changes of basis on several qubits, against the matrices of their circuits."""

import numpy as np
import pytest
from bases_cases import REGISTERS, fourier, group_in, random_clifford
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator
from reference import expectation, pauli_matrix, random_states, sum_of_paulis

from qep_qiskit.core.clifford import CliffordBasis
from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.fourier import FourierBasis, Register
from qep_qiskit.core.merging import merge_into_groups
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.pauli_strings import PauliString

KINDS = [*REGISTERS, "Clifford on 2", "Clifford on 4", "letters Z", "letters YZX", "letters XYYZ"]
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def basis(kind, rng):
    if kind.startswith("letters"):
        return LocalBasis(kind.removeprefix("letters "))
    return random_clifford(int(kind[-1]), rng) if kind.startswith("Clifford") else fourier(kind)


def matrix_of(append, num_qubits):
    circuit = QuantumCircuit(num_qubits)
    append(circuit)
    return Operator(circuit).data


@every_kind
def test_rotation_is_the_circuit(basis, rng):
    states = random_states(rng, 3, 1 << basis.num_qubits)
    matrix = matrix_of(basis.append_to, basis.num_qubits)
    inverse = matrix_of(basis.append_inverse_to, basis.num_qubits)
    assert np.allclose(basis.rotate(states), states @ matrix.T, rtol=0, atol=1e-12)
    assert np.allclose(basis.rotate_back(states), states @ inverse.T, rtol=0, atol=1e-12)
    assert np.allclose(inverse @ matrix, np.eye(len(matrix)), rtol=0, atol=1e-12)


@every_kind
def test_group_is_diagonal_after_the_circuit(basis, rng):
    group = group_in(basis, rng, min(5, (1 << basis.num_qubits) - 1))
    coefficients = rng.normal(size=group.num_terms)
    change = matrix_of(basis.append_to, basis.num_qubits)
    operator = group.operator(coefficients)
    expected = change.conj().T @ np.diag(group.diagonal(coefficients)) @ change
    assert np.allclose(operator.to_matrix(), expected, rtol=0, atol=1e-12)
    assert np.allclose(operator.coeffs.imag, 0.0)
    states = random_states(rng, 2, 1 << basis.num_qubits)
    found = group.expectations(states)
    for place in range(group.num_terms):
        own = group.operator(np.eye(group.num_terms)[place]).to_matrix()
        assert [expectation(own, state) for state in states] == pytest.approx(found[:, place], abs=1e-12)


@every_kind
def test_words_and_masks_are_two_names_of_one_thing(basis, rng):
    masks = range(1, 1 << basis.num_qubits)
    words = [basis.string(mask) for mask in masks]
    assert [basis.mask_of(word) for word in words] == list(masks)
    assert len(set(words)) == len(words)
    assert hash(basis) == hash(type(basis)(*(getattr(basis, name) for name in basis.__dataclass_fields__)))


def test_generators_of_a_clifford_basis_are_words_with_a_plus(rng):
    """The signs of the products of Z are the group's: XX ZZ = -YY."""
    bell = CliffordBasis(2, (("cx", (0, 1)), ("h", (0,))))
    group = CommutingGroup(name="Bell", basis=bell, masks=(1, 2, 3))
    assert sorted(map(str, group.terms)) == ["X0 X1", "Y0 Y1", "Z0 Z1"]
    assert sorted(group.signs) == [-1.0, 1.0, 1.0]
    coefficients = rng.normal(size=3)
    assert np.allclose(
        group.operator(coefficients).to_matrix(), sum_of_paulis(group.terms, coefficients, 2), rtol=0, atol=1e-12
    )


def test_words_of_random_cliffords_are_what_the_circuit_makes_diagonal(rng):
    for _ in range(10):
        basis = random_clifford(3, rng)
        change = matrix_of(basis.append_to, 3)
        for mask in range(1, 8):
            rotated = change @ pauli_matrix(basis.string(mask), 3) @ change.conj().T
            frame = pauli_matrix(PauliString.of("Z", *(k for k in range(3) if mask >> k & 1)), 3)
            assert np.allclose(rotated, basis.sign(mask) * frame, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_fourier_transform_takes_momenta_to_indices(size):
    """exp(i p_m r_j) goes to the index m, and both are linear in Z."""
    length, dx = 1 << size, 0.37
    dp, centred = 2 * np.pi / (length * dx), np.arange(length) - (length - 1) / 2
    plane_waves = np.exp(1j * dp * dx * np.outer(centred, centred)) / np.sqrt(length)
    basis = FourierBasis(size, (Register(0, size),))
    assert np.allclose(basis.rotate(plane_waves), np.eye(length), rtol=0, atol=1e-12)
    z = [np.diag(pauli_matrix(f"Z{b}", size)).real for b in range(size)]
    assert -dx / 2 * sum(2**b * z[b] for b in range(size)) == pytest.approx(dx * centred, abs=1e-12)


def test_merging_finds_words_in_other_bases():
    bell = CliffordBasis(2, (("cx", (0, 1)), ("h", (0,))))
    first = CommutingGroup(name="Bell", basis=bell, masks=(1,))
    merged = merge_into_groups((first,), [PauliString.parse(text) for text in ("Y0 Y1", "Z0 Z1", "Z0")], 2)
    assert [group.name for group in merged] == ["Bell", "ZZ"]
    assert {str(word) for word in merged[0].terms} == {"X0 X1", "Y0 Y1", "Z0 Z1"}
    assert merged[1].basis == LocalBasis("ZZ")


def test_generator_of_momentum_has_no_label():
    word = fourier("one register").string(0b101)
    assert str(word) == "P0 P2"
    with pytest.raises(NetworkError, match="'P0 P2' is read after a Fourier transform"):
        word.label(3)


@pytest.mark.parametrize("gate", [("t", (0,)), ("cx", (0, 0)), ("cx", (0, 2)), ("h", (0, 1))])
def test_other_gates_are_refused(gate):
    with pytest.raises(NetworkError, match=f"got {gate[0]} on"):
        CliffordBasis(2, (gate,))


@pytest.mark.parametrize("registers", [(), ((0, 3),), ((0, 2), (1, 1)), ((1, 1), (0, 1)), ((0, 0),)])
def test_registers_must_fit_side_by_side(registers):
    with pytest.raises(NetworkError, match="Fourier basis: expected"):
        FourierBasis(2, tuple(Register(*register) for register in registers))
