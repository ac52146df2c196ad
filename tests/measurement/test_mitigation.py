"""Calibrations as requests: asked for once, counted, and what they take out of the answers."""

import numpy as np
import pytest
from chi_square import LIMIT, mean_p_value
from measured_ramps import KEY, SIZE, readout_noise, repeated, requests_of, work
from reference import random_states

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import GroupMeasurement, Request, RequestKey, ShotData
from qep_qiskit.execution.aer import AerExecutor, aer_noisy_executor, aer_sampler_executor
from qep_qiskit.measurement import Extrapolation, ReadoutMitigation, Usage, extrapolated, mitigated, run_measurements
from qep_qiskit.outcomes import BitMemory, Distribution
from qep_qiskit.outcomes.known_states import VectorStates
from qep_qiskit.outcomes.states import CalibrationStates
from qep_qiskit.preparation import AdiabaticPreparation

MEASURED = Distribution(weights=np.array([[30, 20, 0, 0, 0, 0, 0, 0]]), shots=50)
NEITHER = {
    "mitigation": lambda measuring: mitigated(measuring, None),
    "extrapolation": lambda measuring: extrapolated(measuring, None),
}
BOTH = {
    "mitigation": lambda measuring: mitigated(measuring, ReadoutMitigation()),
    "extrapolation": lambda measuring: extrapolated(measuring, Extrapolation()),
}


def twice(groups, states, shots):
    first = yield from work(groups, states, shots)
    second = yield from work(groups, states, shots, RequestKey("train", 6, 1))
    return first, second


@pytest.mark.deep(but=["calibrated", "twirled"])
@pytest.mark.parametrize(
    ("make", "repeats", "shots", "mitigation", "calibrations"),
    [
        pytest.param(aer_noisy_executor, 100, 500, ReadoutMitigation(calibration_shots=400_000), 2, id="calibrated"),
        pytest.param(
            aer_sampler_executor, 100, 500, ReadoutMitigation(calibration_shots=400_000), 2, id="calibrated-sampler"
        ),
        pytest.param(
            aer_noisy_executor,
            100,
            500,
            ReadoutMitigation(calibration_shots=400_000, readout="twirled", randomizations=500),
            1,
            id="twirled",
        ),
        pytest.param(
            aer_sampler_executor,
            30,
            100,
            ReadoutMitigation(calibration_shots=20_000, readout="twirled", randomizations=20),
            1,
            id="twirled-sampler",
        ),
    ],
)
def test_means_without_the_errors_of_the_readout(make, repeats, shots, mitigation, calibrations, problem):
    groups, states = problem
    ideal = run_measurements(work(groups, states, None), AerExecutor(Seeds(0)))[0].means[0, 0]
    executor = make(Seeds(3), noise_model=readout_noise())
    many = repeated(states, repeats)
    raw, _ = run_measurements(work(groups, many, shots), executor)
    assert mean_p_value(raw.means[:, 0], ideal) < LIMIT
    found, usage = run_measurements(mitigated(work(groups, many, shots), mitigation), executor)
    assert mean_p_value(found.means[:, 0], ideal) > LIMIT
    assert usage == Usage(
        shots=2 * repeats * shots + calibrations * mitigation.calibration_shots, circuits=2 * repeats + calibrations
    )


@pytest.mark.parametrize(("readout", "calibrations"), [("calibrated", 2), ("twirled", 1)])
def test_exact_calibration_of_exact_probabilities(problem, readout, calibrations):
    groups, states = problem
    ideal = run_measurements(work(groups, states, None), AerExecutor(Seeds(0)))[0].means
    executor = aer_noisy_executor(Seeds(3), noise_model=readout_noise())
    exact = ReadoutMitigation(calibration_shots=None, readout=readout)
    found, usage = run_measurements(mitigated(work(groups, states, None), exact), executor)
    assert np.allclose(found.means, ideal, rtol=0, atol=1e-10)
    assert usage == Usage(shots=0, circuits=2 + calibrations)


def test_a_program_is_calibrated_once(problem):
    groups, states = problem
    executor = aer_noisy_executor(Seeds(3), noise_model=readout_noise())
    asked, (first, second) = requests_of(
        mitigated(twice(groups, states, 50), ReadoutMitigation(calibration_shots=70)), executor
    )
    assert [request.key.purpose for request in asked] == ["train", "train"]
    calibration = asked[0].calibration
    assert isinstance(calibration.prepared, CalibrationStates)
    assert (calibration.num_shots, calibration.num_circuits) == (140, 2)
    assert (asked[0].num_shots, asked[0].num_circuits) == (140 + 100, 2 + 2)
    assert calibration.key == RequestKey("train-calibration", 5, 1)
    assert asked[1].calibration is None
    assert (asked[1].num_shots, asked[1].num_circuits) == (100, 2)
    assert not np.array_equal(first.means, second.means)


def test_known_calibrations_are_used_and_new_ones_are_added(problem):
    groups, states = problem
    executor = aer_noisy_executor(Seeds(3), noise_model=readout_noise())
    known = {}
    asked, fresh = requests_of(
        mitigated(work(groups, states, 50), ReadoutMitigation(calibration_shots=70), known), executor
    )
    assert [request.calibration is not None for request in asked] == [True]
    (name,) = known
    assert name == states.program.fingerprint
    asked, again = requests_of(
        mitigated(work(groups, states, 50), ReadoutMitigation(calibration_shots=70), known), executor
    )
    assert [request.calibration for request in asked] == [None]
    assert np.array_equal(fresh.means, again.means)
    assert np.array_equal(fresh.covariance, again.covariance)


def test_equal_programs_have_equal_fingerprints(problem):
    groups, states = problem
    again = AdiabaticPreparation(total_time=1.5, steps=3, ramp="linear").program(groups)
    other = type(states.program)(
        groups=states.program.groups,
        initial=states.program.initial.copy(),
        layers=states.program.layers,
        parameter_names=states.program.parameter_names,
    )
    assert other.fingerprint == states.program.fingerprint != again.fingerprint


@pytest.mark.parametrize("kind", NEITHER)
def test_without_either_nothing_changes(problem, kind):
    groups, states = problem
    executor = aer_noisy_executor(Seeds(3), noise_model=readout_noise())
    plain, same = (
        run_measurements(w, executor) for w in (work(groups, states, 50), NEITHER[kind](work(groups, states, 50)))
    )
    assert np.array_equal(plain[0].means, same[0].means)
    assert plain[1] == same[1]


@pytest.mark.parametrize("kind", BOTH)
def test_vectors_and_frequencies_are_left_alone(problem, rng, kind):
    groups, states = problem
    executor = aer_noisy_executor(Seeds(3), noise_model=readout_noise())
    vectors = VectorStates(vectors=random_states(rng, 1, 1 << SIZE), energies=np.zeros(1), gaps=np.ones(1))

    def frequency():
        measurements = (GroupMeasurement(group=groups[0], states=np.array([0]), shots=10),)
        return (yield Request(key=KEY, prepared=states, measurements=measurements, for_means=False))

    (asked,), _ = requests_of(BOTH[kind](work(groups, vectors, 50)), executor)
    (other,), data = requests_of(BOTH[kind](frequency()), executor)
    assert asked.calibration is other.calibration is None
    assert [measurement.folding for measurement in asked.measurements + other.measurements] == [1, 1, 1]
    assert type(data) is ShotData
    assert len(data.outcomes) == 1


def test_counts_and_bits_calibrate_alike(problem):
    groups, states = problem
    values = np.array([[0, 1, 0, 5, 4], [7, 7, 6, 3, 1]])
    counts = Distribution(weights=np.array([np.bincount(row, minlength=8) for row in values]), shots=5)
    bits = BitMemory(bits=values[..., None].astype(np.uint8), num_qubits=SIZE)
    found = []
    for outcomes in (counts, bits):
        known = {}
        measuring = mitigated(work(groups, states, 50), ReadoutMitigation(calibration_shots=5), known)
        next(measuring)
        with pytest.raises(StopIteration):
            measuring.send(ShotData(outcomes=(MEASURED, MEASURED), calibration=outcomes))
        found.append(next(iter(known.values())).flip_probabilities)
    assert np.allclose(found[0], [[0.4, 0.0, 0.4], [0.2, 0.2, 0.4]], rtol=0, atol=1e-15)
    assert np.allclose(found[0], found[1], rtol=0, atol=1e-15)


def test_a_calibration_that_says_nothing_is_an_error(problem):
    groups, states = problem
    measuring = mitigated(work(groups, states, 50), ReadoutMitigation(calibration_shots=1))
    next(measuring)
    useless = Distribution(weights=np.eye(8, dtype=int)[[0, 3]], shots=1)
    with pytest.raises(ConfigError, match=r"qubit 2 .*calibration_shots"):
        measuring.send(ShotData(outcomes=(MEASURED, MEASURED), calibration=useless))
    measuring = mitigated(work(groups, states, 50), ReadoutMitigation(calibration_shots=1))
    next(measuring)
    with pytest.raises(ConfigError, match="outcomes of a request's calibration"):
        measuring.send(ShotData(outcomes=(MEASURED, MEASURED)))
    with pytest.raises(ConfigError, match="expected at least 1, got 0"):
        ReadoutMitigation(calibration_shots=0)
