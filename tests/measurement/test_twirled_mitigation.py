"""Readings under random flips: unbiased whatever the errors of different qubits have to do with each other."""

import numpy as np
import pytest
from chi_square import LIMIT, mean_p_value, variance_p_value
from measured_ramps import SIZE, readout_noise, repeated, work

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import TwirledErrors
from qep_qiskit.execution.aer import AerExecutor, aer_noisy_executor, aer_sampler_executor
from qep_qiskit.measurement import ReadoutMitigation, mitigated, run_measurements
from qep_qiskit.outcomes import BitMemory, Distribution

MASKS = (0b001, 0b011, 0b110, 0b111, 0b100)
GROUP = CommutingGroup(name="Z", basis=LocalBasis("Z" * SIZE), masks=MASKS)
SIGNS = np.array([[(-1) ** (x & mask).bit_count() for mask in MASKS] for x in range(1 << SIZE)])


def correlated_reading(rng):
    """A confusion matrix in which qubits err together, read under all flips."""
    matrix = np.eye(1 << SIZE) + rng.uniform(0, 0.15, (1 << SIZE, 1 << SIZE))
    matrix /= matrix.sum(axis=0)
    index = np.arange(1 << SIZE)
    return np.mean([matrix[np.ix_(index ^ flip, index ^ flip)] for flip in index], axis=0)


def twirled_errors(reading):
    return TwirledErrors(strings=np.arange(1 << SIZE, dtype=np.uint8)[:, None], frequencies=reading[:, 0])


def test_correlated_errors_are_taken_out_exactly(rng):
    truth, reading = rng.dirichlet(np.ones(1 << SIZE), 4), correlated_reading(rng)
    outcomes = Distribution(weights=truth @ reading.T, shots=None)
    found = outcomes.moments(GROUP, twirled_errors(reading))
    assert np.allclose(found.means, truth @ SIGNS, rtol=0, atol=1e-12)
    assert not found.covariance.any()
    raw = Distribution(weights=truth @ reading.T, shots=None).moments(GROUP)
    assert np.abs(raw.means - truth @ SIGNS).max() > 0.05


def test_error_bars_are_those_of_repeated_readings(rng):
    truth, reading = rng.dirichlet(np.ones(1 << SIZE)), correlated_reading(rng)
    counts = rng.multinomial(50, reading @ truth, 4000)
    found = Distribution(weights=counts, shots=50).moments(GROUP, twirled_errors(reading))
    assert mean_p_value(found.means, truth @ SIGNS) > LIMIT
    variances = np.einsum("sii->si", found.covariance).mean(axis=0)
    assert variance_p_value(found.means, variances) > LIMIT
    assert np.allclose(np.cov(found.means.T), found.covariance.mean(axis=0), rtol=0, atol=0.15 * variances.min())


def test_counts_and_bits_read_alike(rng):
    reading = correlated_reading(rng)
    values = rng.integers(0, 1 << SIZE, (2, 30))
    counts = np.array([np.bincount(row, minlength=1 << SIZE) for row in values])
    errors = twirled_errors(reading)
    one = Distribution(weights=counts, shots=30).moments(GROUP, errors)
    other = BitMemory(bits=values[..., None].astype(np.uint8), num_qubits=SIZE).moments(GROUP, errors)
    assert np.allclose(one.means, other.means, rtol=0, atol=1e-12)
    assert np.allclose(one.covariance, other.covariance, rtol=0, atol=1e-12)


@pytest.mark.deep(but=["aer_noisy_executor"])
@pytest.mark.parametrize("make", [aer_noisy_executor, aer_sampler_executor])
def test_few_flips_leave_the_difference_between_0_and_1(make, problem):
    """One flip for all shots of a state: the mean over states is right, and the spread is that of the flips."""
    groups, states = problem
    many = repeated(states, 200)
    executor = make(Seeds(5), noise_model=readout_noise())
    mitigation = ReadoutMitigation(calibration_shots=2000, readout="twirled", randomizations=1)
    found, _ = run_measurements(mitigated(work(groups, many, 2000), mitigation), executor)
    z = groups[0].masks.index(0b010)  # qubit 1: offset 0.29
    assert 0.25 < found.means[:, 0, z].std() < 0.5
    assert np.unique(np.sign(found.means[:, 0, z] - found.means[:, 0, z].mean()), return_counts=True)[1].min() > 60


@pytest.mark.parametrize("make", [aer_noisy_executor, aer_sampler_executor])
def test_numbers_follow_from_the_seed(make, problem):
    groups, states = problem
    mitigation = ReadoutMitigation(calibration_shots=70, readout="twirled", randomizations=8)
    found = [
        run_measurements(
            mitigated(work(groups, states, 50), mitigation), make(Seeds(seed), noise_model=readout_noise())
        )[0].means
        for seed in (3, 3, 4)
    ]
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_an_ideal_reading_stays_what_it_is(problem):
    groups, states = problem
    mitigation = ReadoutMitigation(calibration_shots=100, readout="twirled", randomizations=8)
    plain, _ = run_measurements(work(groups, states, 50), AerExecutor(Seeds(1)))
    found, _ = run_measurements(mitigated(work(groups, states, 50), mitigation), AerExecutor(Seeds(1)))
    assert np.array_equal(plain.means, found.means)


def test_calibrations_have_flips_of_every_repetition(problem):
    groups, states = problem
    mitigation = ReadoutMitigation(calibration_shots=170, readout="twirled", randomizations=8)
    asked = next(mitigated(work(groups, states, 50), mitigation))
    assert (asked.randomizations, asked.calibration.randomizations) == (8, 32)
    assert asked.calibration.measurements[0].states.tolist() == [0]
    with pytest.raises(ConfigError, match="randomizations: expected at least 1, got 0"):
        ReadoutMitigation(readout="twirled", randomizations=0)
