"""Pauli strings, changes of basis and commuting groups against matrices."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator
from reference import expectation, pauli_matrix, random_states

from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.merging import merge_into_groups
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.pauli_strings import PauliString, sparse_pauli_op

LETTERS = ["Z", "X", "Y", "ZX", "YZX", "XYYZ"]


def random_group(letters, rng, count=6):
    size = len(letters)
    masks = rng.permutation(np.arange(1, 1 << size))[:count]
    return CommutingGroup(name="g", basis=LocalBasis(letters), masks=tuple(masks.tolist()))


def basis_matrix(basis):
    circuit = QuantumCircuit(basis.num_qubits)
    basis.append_to(circuit)
    return Operator(circuit).data


def test_word_parses_prints_and_labels():
    word = PauliString.parse("z3 X0 Y1")
    assert (str(word), word.label(5), word.mask, word.max_qubit) == ("X0 Y1 Z3", "IZIYX", 0b1011, 3)
    assert word == PauliString.parse(str(word))
    assert PauliString.of("Z", 4, 1) == PauliString.parse("Z1 Z4")


def test_identity_word():
    identity = PauliString.parse("I")
    assert (identity.factors, str(identity), identity.label(2), identity.mask) == ((), "I", "II", 0)
    assert identity.max_qubit == -1


@pytest.mark.parametrize("text", ["A0", "Z", "Z0 Z-1", "Zx", "Z0Z1", "X0 Z0"])
def test_bad_words_are_named_in_one_line(text):
    with pytest.raises(NetworkError, match=f"Pauli string '{text}'") as caught:
        PauliString.parse(text)
    assert "\n" not in str(caught.value)


def test_empty_sum_is_zero():
    assert not sparse_pauli_op([], 3).to_matrix().any()


@pytest.mark.parametrize("letters", LETTERS)
def test_words_are_rotated_products_of_z(letters):
    basis, size = LocalBasis(letters), len(letters)
    change = basis_matrix(basis)
    for mask in range(1 << size):
        rotated_frame = pauli_matrix(PauliString.of("Z", *(k for k in range(size) if mask >> k & 1)), size)
        expected = change.conj().T @ rotated_frame @ change
        assert np.allclose(pauli_matrix(basis.string(mask), size), expected, rtol=0, atol=1e-10)


def test_basis_is_real_without_y():
    assert LocalBasis("ZXX").is_real
    assert not LocalBasis("ZXY").is_real
    assert LocalBasis("ZXX").rotate(np.eye(8)).dtype == float


@pytest.mark.parametrize("letters", LETTERS)
def test_expectations_are_sandwiches(letters, rng):
    group = random_group(letters, rng)
    states = random_states(rng, 2, 2, 1 << len(letters))
    found = group.expectations(states)
    for position, word in enumerate(group.terms):
        expected = expectation(pauli_matrix(word, len(letters)), states[1, 0])
        assert found[1, 0, position] == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("masks", [(1, 1), (0,), (4,), (-1,)])
def test_generators_are_checked(masks):
    with pytest.raises(NetworkError, match="group bad"):
        CommutingGroup(name="bad", basis=LocalBasis("ZZ"), masks=masks)


def test_merging_keeps_the_groups_and_places_every_word_once():
    z = CommutingGroup(name="Z", basis=LocalBasis("ZZZ"), masks=(0b011,))
    x = CommutingGroup(name="X", basis=LocalBasis("XXX"), masks=(0b001, 0b010))
    words = [PauliString.parse(text) for text in ("Z0 Z1", "Z2", "I", "X0", "X0 X2", "Y0 Z1", "Y0", "Z1 Y2", "Z2")]
    merged = merge_into_groups((z, x), words, 3)
    assert [group.name for group in merged[:2]] == ["Z", "X"]
    assert (merged[0].masks, merged[1].masks) == ((0b011, 0b100), (0b001, 0b010, 0b101))
    everything = [word for group in merged for word in group.terms]
    assert len(set(everything)) == len(everything)
    assert {*z.terms, *x.terms, *words} - {PauliString(())} == set(everything)


def test_merging_random_words_gives_commuting_groups(rng):
    texts = [" ".join(f"{rng.choice(list('XYZ'))}{k}" for k in rng.permutation(4)[:3]) for _ in range(20)]
    merged = merge_into_groups((), [PauliString.parse(text) for text in texts], 4)
    assert {word for group in merged for word in group.terms} == {PauliString.parse(text) for text in texts}
    for group in merged:
        matrices = [pauli_matrix(word, 4) for word in group.terms]
        assert all(np.allclose(a @ b, b @ a) for a in matrices for b in matrices)
        assert len(group.basis.letters) == 4
