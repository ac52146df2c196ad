"""The two kernels against Kronecker products."""

import numpy as np
import pytest
from reference import kron_of_qubits, random_states
from scipy.linalg import hadamard

from qep_qiskit.core.transforms import apply_product, num_qubits_of, walsh_hadamard, walsh_hadamard_of_columns


@pytest.mark.parametrize("num_qubits", [1, 4, 5, 6, 9, 11])
def test_walsh_hadamard_is_the_hadamard_matrix(num_qubits, rng):
    vectors = rng.normal(size=(3, 2, 1 << num_qubits))
    assert np.allclose(walsh_hadamard(vectors), vectors @ hadamard(1 << num_qubits), rtol=0, atol=1e-10)


def test_walsh_hadamard_entry_is_a_signed_sum(rng):
    vector = rng.normal(size=64) + 1j * rng.normal(size=64)
    signs = [(-1) ** (0b100101 & x).bit_count() for x in range(64)]
    assert walsh_hadamard(vector)[0b100101] == pytest.approx(np.dot(signs, vector), abs=1e-12)


def test_walsh_hadamard_of_integers_is_floating():
    counts = np.array([3, 0, 1, 0])
    assert walsh_hadamard(counts).tolist() == [4.0, 4.0, 2.0, 2.0]
    assert walsh_hadamard(counts).dtype == float


@pytest.mark.parametrize("num_qubits", [1, 3, 5, 6, 8, 11])
def test_product_of_matrices_is_a_kronecker_product(num_qubits, rng):
    matrices = list(rng.normal(size=(num_qubits, 2, 2)) + 1j * rng.normal(size=(num_qubits, 2, 2)))
    vectors = random_states(rng, 3, 1 << num_qubits)
    expected = vectors @ kron_of_qubits(matrices).T
    assert np.allclose(apply_product(vectors, matrices), expected, rtol=0, atol=1e-10 * np.abs(expected).max())


@pytest.mark.parametrize("rows", [1, 3, 1100])
@pytest.mark.parametrize("num_qubits", [1, 4, 7])
def test_products_in_pieces_are_the_same(num_qubits, rows, rng, monkeypatch):
    """The pieces of a product, with a rest, and matrices on the lowest qubits side by side for both parts."""
    matrices = list(rng.normal(size=(num_qubits, 2, 2)))
    vectors = random_states(rng, rows, 1 << num_qubits)
    expected = vectors @ kron_of_qubits(matrices).T
    monkeypatch.setattr("qep_qiskit.core.transforms._MULTIPLICATIONS_PER_PRODUCT", 1 << 11)
    assert np.allclose(apply_product(vectors, matrices), expected, rtol=0, atol=1e-10 * np.abs(expected).max())


@pytest.mark.parametrize("columns", [1, 3, 64])
@pytest.mark.parametrize("num_qubits", [1, 5, 8, 12])
def test_columns_are_transformed_like_rows(num_qubits, columns, rng):
    vectors = rng.normal(size=(columns, 1 << num_qubits))
    found = walsh_hadamard_of_columns(np.ascontiguousarray(vectors.T))
    assert np.allclose(found, walsh_hadamard(vectors).T, rtol=0, atol=1e-10)


def test_none_is_the_identity(rng):
    matrices = [None, rng.normal(size=(2, 2)), None, None, None, None, rng.normal(size=(2, 2))]
    full = [np.eye(2) if matrix is None else matrix for matrix in matrices]
    vectors = rng.normal(size=(4, 128))
    found = apply_product(vectors, matrices)
    assert np.allclose(found, vectors @ kron_of_qubits(full).T, rtol=0, atol=1e-12)
    assert found.dtype == float


def test_all_none_changes_nothing(rng):
    vectors = rng.normal(size=(2, 64))
    assert np.array_equal(apply_product(vectors, [None] * 6), vectors)


def test_input_is_left_alone(rng):
    vectors = rng.normal(size=(2, 64))
    before = vectors.copy()
    walsh_hadamard(vectors)
    assert np.array_equal(vectors, before)


def test_number_of_qubits():
    assert [num_qubits_of(1 << n) for n in range(8)] == list(range(8))
