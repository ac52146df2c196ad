"""Moments with known errors of the readout taken out: by hand, without bias, and with honest covariance."""

import numpy as np
import pytest
from chi_square import LIMIT, mean_p_value, variance_p_value, vector_p_value

from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.execution import ReadoutErrors
from qep_qiskit.outcomes import BitMemory, Distribution

SIZE = 3
MASKS = (0b001, 0b011, 0b110, 0b111, 0b100)
GROUP = CommutingGroup(name="Z", basis=LocalBasis("Z" * SIZE), masks=MASKS)
ERRORS = ReadoutErrors(flip_probabilities=np.array([[0.02, 0.1, 0.05], [0.08, 0.25, 0.0]]))
SIGNS = np.array([[(-1) ** (x & mask).bit_count() for mask in MASKS] for x in range(1 << SIZE)])


def readings(value, errors=ERRORS, masks=MASKS):
    """What every generator reads in one bit string, factor by factor."""
    z = [1 - 2 * (int(value) >> qubit & 1) for qubit in range(errors.num_qubits)]
    signs = [(z[k] - errors.offsets[k]) / errors.slopes[k] for k in range(errors.num_qubits)]
    return [np.prod([signs[k] for k in range(errors.num_qubits) if mask >> k & 1]) for mask in masks]


def counts_of(values, num_qubits):
    return np.array([np.bincount(row, minlength=1 << num_qubits) for row in values])


def as_bytes(values, num_qubits):
    size = -(-num_qubits // 8)
    return np.array([[list(int(v).to_bytes(size, "big")) for v in row] for row in values], dtype=np.uint8)


@pytest.mark.parametrize("shots", [2, 9, 300])
def test_against_every_shot(shots, rng):
    values = rng.integers(0, 1 << SIZE, (2, shots))
    counts = Distribution(weights=counts_of(values, SIZE), shots=shots)
    bits = BitMemory(bits=as_bytes(values, SIZE), num_qubits=SIZE)
    for found in (counts.moments(GROUP, ERRORS), bits.moments(GROUP, ERRORS)):
        for row in range(2):
            read = np.array([readings(value) for value in values[row]])
            assert np.allclose(found.means[row], read.mean(axis=0), rtol=0, atol=1e-12)
            assert np.allclose(found.covariance[row], np.cov(read.T, ddof=1) / shots, rtol=0, atol=1e-12)
        assert found.shots == shots


@pytest.mark.parametrize("num_qubits", [14, 16, 70])
def test_wide_registers(num_qubits, rng):
    errors = ReadoutErrors(flip_probabilities=rng.uniform(0, 0.3, (2, num_qubits)))
    masks = (1, 1 << num_qubits - 1, 0b11 << 7, 1 << num_qubits - 1 | 1, 0b101 << 3)
    group = CommutingGroup(name="Z", basis=LocalBasis("Z" * num_qubits), masks=masks)
    values = [[int.from_bytes(rng.bytes(9)) % (1 << num_qubits) for _ in range(60)] for _ in range(2)]
    found = BitMemory(bits=as_bytes(values, num_qubits), num_qubits=num_qubits).moments(group, errors)
    for row in range(2):
        read = np.array([readings(value, errors, masks) for value in values[row]])
        assert np.allclose(found.means[row], read.mean(axis=0), rtol=0, atol=1e-11)
        assert np.allclose(found.covariance[row], np.cov(read.T, ddof=1) / 60, rtol=0, atol=1e-11)


@pytest.mark.parametrize("limit", [1, 16])
def test_small_products_add_up(limit, rng, monkeypatch):
    values = rng.integers(0, 1 << SIZE, (1, 5000))
    bits = BitMemory(bits=as_bytes(values, SIZE), num_qubits=SIZE)
    whole = bits.moments(GROUP, ERRORS)
    monkeypatch.setattr("qep_qiskit.outcomes.inversion._MULTIPLICATIONS_PER_PRODUCT", limit)
    monkeypatch.setattr("qep_qiskit.outcomes.bits._TABLE_UP_TO_QUBITS", 1)
    parts = bits.moments(GROUP, ERRORS)
    assert np.allclose(whole.means, parts.means, rtol=0, atol=1e-12)
    assert np.allclose(whole.covariance, parts.covariance, rtol=0, atol=1e-12)


def test_no_errors_change_no_bit(rng):
    none = ReadoutErrors(flip_probabilities=np.zeros((2, SIZE)))
    values = rng.integers(0, 1 << SIZE, (2, 77))
    counts, bits = counts_of(values, SIZE), as_bytes(values, SIZE)
    for outcomes in (Distribution(weights=counts, shots=77), BitMemory(bits=bits, num_qubits=SIZE)):
        one, other = outcomes.moments(GROUP), outcomes.moments(GROUP, none)
        assert np.array_equal(one.means, other.means)
        assert np.array_equal(one.covariance, other.covariance)


def test_exact_probabilities_are_inverted_exactly(rng):
    true = rng.dirichlet(np.ones(1 << SIZE), size=3)
    found = Distribution(weights=ERRORS.blurred(true), shots=None).moments(GROUP, ERRORS)
    assert np.allclose(found.means, true @ SIGNS, rtol=0, atol=1e-12)
    assert not found.covariance.any()


def test_one_shot_gives_no_covariance():
    found = Distribution(weights=np.eye(8, dtype=int)[:1], shots=1).moments(GROUP, ERRORS)
    assert np.allclose(found.means[0], readings(0))
    assert np.isnan(found.covariance).all()


def read_often(rng, shots, repeats):
    true = rng.dirichlet(np.ones(1 << SIZE))
    counts = rng.multinomial(shots, ERRORS.blurred(true), size=repeats)
    return true @ SIGNS, Distribution(weights=counts, shots=shots).moments(GROUP, ERRORS)


@pytest.mark.parametrize("shots", [2, 20])
def test_means_and_covariance_are_without_bias(shots, rng):
    means, found = read_often(rng, shots, 6000)
    assert mean_p_value(found.means, means) > LIMIT
    true_covariance = np.cov(found.means.T)
    upper = np.triu_indices(len(MASKS))
    spread = found.covariance[:, *upper].std(axis=0) / np.sqrt(6000)
    scale = np.sqrt(np.outer(np.diag(true_covariance), np.diag(true_covariance)))[upper] * np.sqrt(2 / 6000)
    assert (np.abs(found.covariance[:, *upper].mean(axis=0) - true_covariance[upper]) < 5 * (spread + scale)).all()


def test_claimed_covariance_is_that_of_repeats(rng):
    means, found = read_often(rng, 400, 800)
    directions = np.concatenate([np.eye(len(MASKS)), rng.normal(size=(len(MASKS), 3))], axis=1)
    claimed = np.einsum("ad,ab,bd->d", directions, found.covariance.mean(axis=0), directions)
    assert variance_p_value(found.means @ directions, claimed) > LIMIT
    p_values = [
        vector_p_value(m, means, c, 400) for m, c in zip(found.means[:100], found.covariance[:100], strict=True)
    ]
    assert min(p_values) * 100 > LIMIT
    assert 0.3 < np.mean(p_values) < 0.7


def test_uncorrected_means_would_be_noticed(rng):
    true = rng.dirichlet(np.ones(1 << SIZE))
    counts = rng.multinomial(400, ERRORS.blurred(true), size=800)
    raw = Distribution(weights=counts, shots=400).moments(GROUP)
    assert mean_p_value(raw.means, true @ SIGNS) < LIMIT
