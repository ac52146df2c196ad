"""Flip probabilities: readings without bias, blurred probabilities, and what is refused."""

import numpy as np
import pytest

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.execution import ReadoutErrors

FLIPS = np.array([[0.02, 0.1, 0.0], [0.05, 0.3, 0.2]])


def test_blurred_probabilities_are_the_kronecker_product(rng):
    probabilities = rng.dirichlet(np.ones(8), size=3)
    confusion = np.eye(1)
    for flip0, flip1 in FLIPS.T:
        confusion = np.kron(np.array([[1 - flip0, flip1], [flip0, 1 - flip1]]), confusion)
    found = ReadoutErrors(flip_probabilities=FLIPS).blurred(probabilities)
    assert np.allclose(found, probabilities @ confusion.T, rtol=0, atol=1e-14)
    assert np.allclose(found.sum(axis=1), 1.0)


def test_readings_have_no_bias():
    signs = ReadoutErrors(flip_probabilities=FLIPS).signs()
    for qubit, (flip0, flip1) in enumerate(FLIPS.T):
        assert (1 - flip0) * signs[0, qubit] + flip0 * signs[1, qubit] == pytest.approx(1.0)
        assert flip1 * signs[0, qubit] + (1 - flip1) * signs[1, qubit] == pytest.approx(-1.0)


def test_calibration_gives_the_flips_back():
    errors = ReadoutErrors.from_calibration(np.array([FLIPS[0], 1 - FLIPS[1]]))
    assert np.allclose(errors.flip_probabilities, FLIPS, rtol=0, atol=1e-15)
    assert not errors.is_ideal
    assert ReadoutErrors(flip_probabilities=np.zeros((2, 3))).is_ideal


@pytest.mark.parametrize(
    ("flips", "message"),
    [
        ([[0.1, 0.6], [0.1, 0.4]], "qubit 1 reads 1 no more often where 1 is true"),
        ([[0.1, 1.2], [0.1, 0.0]], "expected probabilities"),
        ([[0.1, -0.1], [0.1, 0.0]], "expected probabilities"),
        ([[0.1, np.nan], [0.1, 0.0]], "expected probabilities"),
        ([0.1, 0.1], "expected probabilities"),
    ],
)
def test_what_is_refused(flips, message):
    with pytest.raises(ConfigError, match=message):
        ReadoutErrors(flip_probabilities=np.array(flips))
