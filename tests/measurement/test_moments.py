"""Means and covariances against shot-by-shot arithmetic."""

import numpy as np
import pytest
from chi_square import LIMIT, mean_p_value, variance_p_value
from reference import random_states

from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.outcomes import BitMemory, Distribution

MASKS = (0b0001, 0b1000, 0b0110, 0b1111, 0b1010)
GROUP = CommutingGroup(name="XZYX", basis=LocalBasis("XZYX"), masks=MASKS)


def as_bytes(values, num_qubits):
    """Shots as integers to bytes, most significant first."""
    num_bytes = -(-num_qubits // 8)
    rows = [[list(int(value).to_bytes(num_bytes, "big")) for value in row] for row in values]
    return np.array(rows, dtype=np.uint8)


def shot_by_shot(values, masks):
    """Means, and the covariance of the means by np.cov, of one row of shots."""
    signs = np.array([[(-1) ** (int(value) & mask).bit_count() for mask in masks] for value in values], dtype=float)
    return signs.mean(axis=0), np.cov(signs.T, ddof=1) / len(values)


def counts_of(values, num_qubits):
    return np.array([np.bincount(row, minlength=1 << num_qubits) for row in values])


@pytest.mark.parametrize("shots", [2, 7, 500])
def test_bits_against_every_shot(shots, rng):
    values = rng.integers(0, 16, (3, shots))
    found = BitMemory(bits=as_bytes(values, 4), num_qubits=4).moments(GROUP)
    for row in range(3):
        means, covariance = shot_by_shot(values[row], MASKS)
        assert np.allclose(found.means[row], means, rtol=0, atol=1e-12)
        assert np.allclose(found.covariance[row], covariance, rtol=0, atol=1e-12)
    assert found.shots == shots


def test_counts_are_the_same_shots(rng):
    values = rng.integers(0, 16, (3, 90))
    bits = BitMemory(bits=as_bytes(values, 4), num_qubits=4).moments(GROUP)
    counts = Distribution(weights=counts_of(values, 4), shots=90).moments(GROUP)
    assert np.allclose(bits.means, counts.means, rtol=0, atol=1e-12)
    assert np.allclose(bits.covariance, counts.covariance, rtol=0, atol=1e-12)


def test_wide_registers_take_the_other_path_to_the_same_numbers(rng, monkeypatch):
    group = CommutingGroup(name="Z", basis=LocalBasis("Z" * 16), masks=(1, 1 << 15, 0b11 << 7, (1 << 16) - 1, 1 << 8))
    values = rng.integers(0, 1 << 16, (2, 200)) | 1 << 8
    bits = BitMemory(bits=as_bytes(values, 16), num_qubits=16)
    wide = bits.moments(group)
    monkeypatch.setattr("qep_qiskit.outcomes.moments._DENSE_UP_TO_QUBITS", 16)
    dense = bits.moments(group)
    for row in range(2):
        means, covariance = shot_by_shot(values[row], group.masks)
        for found in (wide, dense):
            assert np.allclose(found.means[row], means, rtol=0, atol=1e-12)
            assert np.allclose(found.covariance[row], covariance, rtol=0, atol=1e-12)


@pytest.mark.parametrize("num_qubits", [14, 17, 23])
def test_registers_that_do_not_fill_their_bytes(num_qubits, rng):
    masks = tuple(1 << k for k in (0, 7, 8, num_qubits - 1))
    group = CommutingGroup(name="Z", basis=LocalBasis("Z" * num_qubits), masks=masks)
    values = rng.integers(0, 1 << num_qubits, (1, 40))
    found = BitMemory(bits=as_bytes(values, num_qubits), num_qubits=num_qubits).moments(group)
    means, covariance = shot_by_shot(values[0], masks)
    assert np.allclose(found.means[0], means, rtol=0, atol=1e-12)
    assert np.allclose(found.covariance[0], covariance, rtol=0, atol=1e-12)


@pytest.mark.parametrize("num_qubits", [4, 16])
def test_one_shot_gives_no_covariance(num_qubits):
    group = CommutingGroup(name="Z", basis=LocalBasis("Z" * num_qubits), masks=(1, 3))
    found = BitMemory(bits=as_bytes([[2], [1]], num_qubits), num_qubits=num_qubits).moments(group)
    assert found.means.tolist() == [[1.0, -1.0], [-1.0, -1.0]]
    assert np.isnan(found.covariance).all()


def test_exact_probabilities_have_no_covariance(rng):
    vectors = random_states(rng, 2, 16)
    found = Distribution(weights=np.abs(GROUP.basis.rotate(vectors)) ** 2, shots=None).moments(GROUP)
    assert np.allclose(found.means, GROUP.expectations(vectors), rtol=0, atol=1e-12)
    assert not found.covariance.any()
    assert found.shots is None


@pytest.mark.parametrize("shots", [2, 5, 60])
def test_means_and_covariance_are_without_bias(shots, rng):
    probabilities = rng.dirichlet(np.ones(16))
    signs = np.array([[(-1) ** (x & mask).bit_count() for mask in MASKS] for x in range(16)])
    means = probabilities @ signs
    covariance = (signs.T * probabilities) @ signs / shots - np.outer(means, means) / shots
    found = Distribution(weights=rng.multinomial(shots, probabilities, size=4000), shots=shots).moments(GROUP)
    upper = np.triu_indices(len(MASKS))
    assert mean_p_value(found.means, means, np.diag(covariance)) > LIMIT
    assert mean_p_value(found.covariance[:, *upper], covariance[upper]) > LIMIT


def test_variance_of_repeats_is_the_reported_one(rng):
    probabilities = rng.dirichlet(np.ones(16))
    found = Distribution(weights=rng.multinomial(100, probabilities, size=600), shots=100).moments(GROUP)
    reported = found.covariance.mean(axis=0)
    directions = rng.normal(size=(len(MASKS), 4))
    variance = np.einsum("ai,ab,bi->i", directions, reported, directions)
    assert variance_p_value(found.means @ directions, variance) > LIMIT


@pytest.mark.parametrize("num_qubits", [2, 6, 13])  # 13: tables of few states at a time
def test_moments_of_a_state_do_not_depend_on_the_others(num_qubits, rng):
    group = CommutingGroup(name="Z", basis=LocalBasis("Z" * num_qubits), masks=(1, 2, 3))
    values = rng.integers(1 << num_qubits, size=(20, 7))
    bits = values.astype(">u2")[..., None].view(np.uint8)[..., 2 - -(-num_qubits // 8) :]
    together = BitMemory(bits=bits, num_qubits=num_qubits).moments(group)
    for row in range(len(bits)):
        alone = BitMemory(bits=bits[row : row + 1], num_qubits=num_qubits).moments(group)
        assert np.allclose(together.means[row], alone.means[0], rtol=0.0, atol=1e-14)
        assert np.allclose(together.covariance[row], alone.covariance[0], rtol=0.0, atol=1e-14)
