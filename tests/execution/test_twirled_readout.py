"""Random flips before the reading: what they do to probabilities and bits, and what is left of errors after them."""

from functools import reduce

import numpy as np
import pytest

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.execution import ReadoutErrors, TwirledErrors
from qep_qiskit.execution.twirled_readout import (
    executions_of,
    in_randomizations,
    probabilities_under_twirling,
    untwirled,
)

SIZE = 3
FLIPS = np.array([[0.02, 0.1, 0.05], [0.08, 0.25, 0.0]])


def confusion(flips, flipped):
    """What is read, bits flipped back, of what is true; qubit 0 is the lowest bit."""
    swapped = np.where(flipped, flips[::-1], flips)
    return reduce(np.kron, [np.array([[1 - a, b], [a, 1 - b]]) for a, b in swapped.T[::-1]])


@pytest.mark.parametrize(
    ("shots", "most", "expected"),
    [(1000, 128, (125, 8)), (4096, 128, (128, 32)), (50, 128, (50, 1)), (1001, 128, (126, 8)), (7, 3, (3, 3))],
)
def test_shots_are_shared_out(shots, most, expected):
    assert in_randomizations(shots, most) == expected
    assert executions_of(shots, most) == np.prod(expected)
    assert executions_of(shots, None) == shots


@pytest.mark.parametrize("most", [1, 2, 16, 128])
def test_no_shot_is_missing_and_few_are_too_many(most):
    for shots in range(1, 300):
        randomizations, each = in_randomizations(shots, most)
        assert randomizations <= most
        assert shots <= randomizations * each < shots + each


def test_drawn_flips_against_confusion_matrices(rng):
    truth = rng.dirichlet(np.ones(1 << SIZE), 2)
    read = ReadoutErrors(flip_probabilities=FLIPS).blurred(truth)
    drawn = rng.integers(0, 2, (2, 5, SIZE), dtype=bool)
    found = probabilities_under_twirling(read, ReadoutErrors(flip_probabilities=FLIPS).offsets, drawn)
    for state in range(2):
        expected = np.mean([confusion(FLIPS, flips) @ truth[state] for flips in drawn[state]], axis=0)
        assert np.allclose(found[state], expected, rtol=0, atol=1e-14)


def test_all_flips_make_errors_symmetric(rng):
    truth = rng.dirichlet(np.ones(1 << SIZE), 2)
    errors = ReadoutErrors(flip_probabilities=FLIPS)
    found = probabilities_under_twirling(errors.blurred(truth), errors.offsets, None)
    symmetric = ReadoutErrors(flip_probabilities=np.tile(FLIPS.mean(axis=0), (2, 1)))
    assert np.allclose(found, symmetric.blurred(truth), rtol=0, atol=1e-14)


@pytest.mark.parametrize("num_qubits", [3, 8, 11, 20])
def test_flips_are_undone_bit_by_bit(num_qubits, rng):
    size = -(-num_qubits // 8)
    values = rng.integers(0, 1 << num_qubits, (4, 6))
    flips = rng.integers(0, 2, (4, num_qubits), dtype=bool)
    as_bits = np.array([[list(int(value).to_bytes(size, "big")) for value in row] for row in values], dtype=np.uint8)
    found = untwirled(as_bits, flips)
    numbers = flips @ (1 << np.arange(num_qubits))
    for row, number, bits in zip(values, numbers, found, strict=True):
        assert [int.from_bytes(bytes(shot), "big") for shot in bits] == [int(value) ^ int(number) for value in row]


@pytest.mark.parametrize("num_qubits", [3, 70])
def test_factors_are_means_of_signs(num_qubits, rng):
    words = [sum(1 << int(qubit) for qubit in np.flatnonzero(rng.random(num_qubits) < 0.02)) for _ in range(9)]
    size = -(-num_qubits // 8)
    errors = TwirledErrors(
        strings=np.array([list(word.to_bytes(size, "big")) for word in words], dtype=np.uint8),
        frequencies=np.full(9, 1 / 9),
    )
    masks = (1, 0b101, 1 << num_qubits - 1 | 1)
    expected = [np.mean([(-1) ** (word & mask).bit_count() for word in words]) for mask in masks]
    assert np.allclose(errors.factors(masks), expected, rtol=0, atol=1e-15)


def test_a_product_that_reads_nothing_is_an_error():
    errors = TwirledErrors(strings=np.array([[0], [2]], dtype=np.uint8), frequencies=np.array([0.5, 0.5]))
    assert errors.factors([1]) == pytest.approx([1.0])
    with pytest.raises(ConfigError, match=r"product of Z on qubits \[0, 1\] reads 0 .*calibration_shots"):
        errors.factors([1, 3])
