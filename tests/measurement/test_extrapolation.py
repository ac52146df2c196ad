"""Extrapolation to gates without noise: exact on lines, honest about its variance, and every circuit counted."""

from dataclasses import replace

import numpy as np
import pytest
from chi_square import LIMIT, mean_p_value, variance_p_value
from measured_ramps import KEY, SIZE, repeated, requests_of, work
from qiskit_aer.noise import ReadoutError

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import GroupMeasurement, Request, ShotData
from qep_qiskit.execution.aer import AerExecutor, aer_noisy_executor, depolarizing_noise, device_executor, fake_device
from qep_qiskit.execution.on_device import fractional_device
from qep_qiskit.measurement import (
    Extrapolation,
    ReadoutMitigation,
    Usage,
    completed,
    extrapolated,
    mitigated,
    run_measurements,
)
from qep_qiskit.outcomes import Distribution

REPEATS = 400


def noise(measurement=True):
    model = depolarizing_noise(one_qubit=0.0005, two_qubit=0.02)
    if measurement:
        model.add_all_qubit_readout_error(ReadoutError([[0.95, 0.05], [0.1, 0.9]]))
    return model


@pytest.mark.parametrize(
    ("factors", "kind", "expected"),
    [
        ((1, 3), "linear", (1.5, -0.5)),
        ((1, 3), "polynomial", (1.5, -0.5)),
        ((1, 3, 5), "linear", (13 / 12, 1 / 3, -5 / 12)),
        ((1, 3, 5), "polynomial", (15 / 8, -5 / 4, 3 / 8)),
    ],
)
def test_coefficients(factors, kind, expected):
    found = np.array(Extrapolation(factors, kind).coefficients)
    assert found == pytest.approx(expected, abs=1e-12)
    degree = 1 if kind == "linear" else len(factors) - 1
    for power in range(degree + 1):  # a polynomial of this degree is known at zero
        assert found @ np.array(factors) ** power == pytest.approx(float(power == 0), abs=1e-12)


@pytest.mark.parametrize("factors", [(), (1,), (3, 5), (1, 2), (1, 5, 3), (1, 3, 3), (1, -3)])
def test_factors_that_are_refused(factors):
    with pytest.raises(ConfigError, match=r"noise_factors: expected two or more odd numbers that ascend from 1"):
        Extrapolation(factors)


def test_the_variance_is_that_of_the_repeats(problem):
    """With the readout inverted too; and the means come closer to the ideal ones."""
    groups, states = problem
    ideal = run_measurements(work(groups, states, None), AerExecutor(Seeds(0)))[0].means[0, 0]
    executor = aer_noisy_executor(Seeds(3), noise_model=noise())
    measurement, folds = ReadoutMitigation(calibration_shots=None), Extrapolation((1, 3))
    limit = run_measurements(mitigated(extrapolated(work(groups, states, None), folds), measurement), executor)[0]
    raw = run_measurements(mitigated(work(groups, states, None), measurement), executor)[0]
    assert np.abs(limit.means[0, 0] - ideal).max() < 0.4 * np.abs(raw.means[0, 0] - ideal).max()
    assert not limit.covariance.any()
    many = repeated(states, REPEATS)
    found, usage = run_measurements(mitigated(extrapolated(work(groups, many, 100), folds), measurement), executor)
    assert usage == Usage(shots=4 * REPEATS * 100, circuits=4 * REPEATS + 2)
    claimed = np.einsum("rkk->rk", found.covariance[:, 0])
    assert mean_p_value(found.means[:, 0], limit.means[0, 0]) > LIMIT
    assert variance_p_value(found.means[:, 0], claimed.mean(axis=0)) > LIMIT
    plain, _ = run_measurements(mitigated(work(groups, many, 100), measurement), executor)
    assert variance_p_value(found.means[:, 0], np.einsum("rkk->rk", plain.covariance[:, 0]).mean(axis=0)) < LIMIT


@pytest.mark.deep(but=["twirled-of either sign"])
@pytest.mark.parametrize("signs", [(1, 1), (1, -1)], ids=["alike", "of either sign"])
@pytest.mark.parametrize("kind", ["calibrated", "twirled"])
def test_fractional_gates_are_folded_to_the_same_limit(problem, kind, signs):
    """On a snapshot with rzz of one sign, without shots; states of other signs run other circuits."""
    pytest.importorskip("qiskit_ibm_runtime")
    groups, states = problem
    states = replace(states, parameters=np.concatenate([sign * states.parameters for sign in signs]))
    ideal = run_measurements(work(groups, states, None), AerExecutor(Seeds(0)))[0].means
    executor = device_executor(fractional_device(fake_device("fake_kingston", SIZE)), Seeds(3))
    measurement = ReadoutMitigation(calibration_shots=None, readout=kind)
    raw, limit = (
        run_measurements(mitigated(extrapolated(work(groups, states, None), folds), measurement), executor)[0].means
        for folds in (None, Extrapolation((1, 3)))
    )
    assert np.abs(limit - ideal).max() < 0.4 * np.abs(raw - ideal).max()


def test_a_sum_with_coefficients_of_means_and_squares_of_covariances(problem):
    groups, states = problem
    counts = [Distribution(weights=np.array([[5, 1, 2, 0, 0, 0, 1, 1]]), shots=10)] * 2
    counts += [Distribution(weights=np.array([[0, 4, 2, 0, 3, 0, 0, 1]]), shots=10)] * 2

    def asks():
        measurements = tuple(GroupMeasurement(group=group, states=np.array([0]), shots=10) for group in groups[:2])
        data = yield Request(key=KEY, prepared=states, measurements=measurements)
        return [data.moments(place, group) for place, group in enumerate(groups[:2])]

    found = completed(extrapolated(asks(), Extrapolation((1, 3))), lambda _: ShotData(outcomes=tuple(counts)))
    for group, (first, second), one in zip(groups, (counts[:2], counts[2:]), found, strict=True):
        a, b = first.moments(group), second.moments(group)
        assert np.allclose(one.means, 1.5 * a.means - 0.5 * b.means, rtol=0, atol=1e-14)
        assert np.allclose(one.covariance, 2.25 * a.covariance + 0.25 * b.covariance, rtol=0, atol=1e-14)


def test_one_request_has_all_foldings_side_by_side(problem):
    groups, states = problem
    executor = aer_noisy_executor(Seeds(3), noise_model=noise())
    measuring = mitigated(
        extrapolated(work(groups, states, 50), Extrapolation((1, 3, 5))), ReadoutMitigation(calibration_shots=70)
    )
    (asked,), _ = requests_of(measuring, executor)
    found = [(measurement.group.name, measurement.folding, measurement.shots) for measurement in asked.measurements]
    assert found == [(group.name, factor, 50) for group in groups for factor in (1, 3, 5)]
    assert asked.calibration.key.purpose == "train-calibration"
    assert [(measurement.folding, measurement.shots) for measurement in asked.calibration.measurements] == [(1, 70)]
