"""Sparse Hamiltonians against matrices, and when they are used."""

import numpy as np
import pytest
from bases_cases import fourier, group_in, mixed_groups
from reference import ground, sum_of_paulis

from qep_qiskit.core.operators import LocalBasis
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.network import chain, commuting_groups
from qep_qiskit.network.ising import IsingNetwork
from qep_qiskit.preparation.sparse import sparse_structure
from qep_qiskit.preparation.spectra import lanczos


def many_groups(rng, letters="XYZ", count=30):
    texts = {
        " ".join(f"{rng.choice(list(letters))}{k}" for k in rng.permutation(5)[: rng.integers(1, 3)])
        for _ in range(count)
    }
    return commuting_groups([PauliString.parse(text) for text in texts], 5)


@pytest.mark.parametrize("letters", ["XYZ", "XZ"])
def test_matrix_is_the_sum_of_words(letters, rng):
    groups = many_groups(rng, letters)
    words = [word for group in groups for word in group.terms]
    coefficients = rng.normal(size=len(words))
    matrix = sparse_structure(groups).matrix(coefficients)
    assert np.allclose(matrix.toarray(), sum_of_paulis(words, coefficients, 5), rtol=0, atol=1e-12)
    assert np.iscomplexobj(matrix) == (letters == "XYZ")


def test_generators_with_a_sign_are_words_too(rng):
    groups = mixed_groups(rng, "Clifford")
    words = [word for group in groups for word in group.terms]
    coefficients = rng.normal(size=len(words))
    found = sparse_structure(groups).matrix(coefficients).toarray()
    assert np.allclose(found, sum_of_paulis(words, coefficients, 4), rtol=0, atol=1e-12)


def test_levels_are_those_of_the_matrix(rng):
    groups = many_groups(rng)
    words = [word for group in groups for word in group.terms]
    coefficients = rng.normal(size=len(words))
    energy, state, gap = ground(sum_of_paulis(words, coefficients, 5))
    (levels,), (states,) = lanczos(groups, coefficients[None], np.zeros(2))
    assert levels == pytest.approx([energy, energy + gap], abs=1e-10)
    assert abs(np.vdot(states[0], state)) == pytest.approx(1.0, abs=1e-10)


def test_two_groups_momenta_and_wide_registers_stay_as_they_are(rng):
    assert sparse_structure(IsingNetwork(graph=chain(10), outputs=(0,)).groups) is None
    assert sparse_structure((group_in(fourier("two registers"), rng),)) is None
    assert sparse_structure((group_in(LocalBasis("X" * 15), rng),)) is None
