"""Calibrations as requests: asked for once, counted, and what they take out of the answers."""

import numpy as np
import pytest
from cases import NO_INPUTS, random_network
from chi_square import LIMIT, mean_p_value
from qiskit_aer.noise import NoiseModel, ReadoutError
from reference import random_states

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import GroupMeasurement, Request, RequestKey, ShotData
from qep_qiskit.execution.aer import AerExecutor, aer_noisy_executor, aer_sampler_executor
from qep_qiskit.measurement import ReadoutMitigation, Usage, measure, mitigated, run_measurements
from qep_qiskit.network import chain
from qep_qiskit.outcomes import BitMemory, Distribution
from qep_qiskit.outcomes.known_states import VectorStates
from qep_qiskit.outcomes.states import CalibrationStates, CircuitStates
from qep_qiskit.preparation import AdiabaticPreparation

SIZE, KEY = 3, RequestKey("train", 5, 1)
MEASURED = Distribution(weights=np.array([[30, 20, 0, 0, 0, 0, 0, 0]]), shots=50)
FLIPS = {0: (0.1, 0.2), 1: (0.01, 0.3), 2: (0.05, 0.02)}


def readout_noise():
    model = NoiseModel()
    for qubit, (flip0, flip1) in FLIPS.items():
        model.add_readout_error(ReadoutError([[1 - flip0, flip0], [flip1, 1 - flip1]]), [qubit])
    return model


@pytest.fixture
def problem(rng):
    network, weights = random_network(chain(SIZE), rng)
    program = AdiabaticPreparation(total_time=1.5, steps=3).program(network.groups)
    return network.groups, CircuitStates(program=program, parameters=network.coefficients(weights, NO_INPUTS))


def work(groups, states, shots, key=KEY):
    return measure(groups, states, shape=(states.num_states, 1), phases={0: [0], 1: [0]}, shots=[shots] * 2, key=key)


def twice(groups, states, shots):
    first = yield from work(groups, states, shots)
    second = yield from work(groups, states, shots, RequestKey("train", 6, 1))
    return first, second


@pytest.mark.deep(but=["aer_noisy_executor"])
@pytest.mark.parametrize("make", [aer_noisy_executor, aer_sampler_executor])
def test_means_without_the_errors_of_the_readout(make, problem):
    groups, states = problem
    ideal = run_measurements(work(groups, states, None), AerExecutor(Seeds(0)))[0].means[0, 0]
    executor = make(Seeds(3), noise_model=readout_noise())
    many = CircuitStates(program=states.program, parameters=np.repeat(states.parameters, 100, axis=0))
    raw, _ = run_measurements(work(groups, many, 500), executor)
    assert mean_p_value(raw.means[:, 0], ideal) < LIMIT
    found, usage = run_measurements(
        mitigated(work(groups, many, 500), ReadoutMitigation(calibration_shots=400_000)), executor
    )
    assert mean_p_value(found.means[:, 0], ideal) > LIMIT
    assert usage == Usage(shots=2 * 100 * 500 + 2 * 400_000, circuits=2 * 100 + 2)


def test_exact_calibration_of_exact_probabilities(problem):
    groups, states = problem
    ideal = run_measurements(work(groups, states, None), AerExecutor(Seeds(0)))[0].means
    executor = aer_noisy_executor(Seeds(3), noise_model=readout_noise())
    found, usage = run_measurements(
        mitigated(work(groups, states, None), ReadoutMitigation(calibration_shots=None)), executor
    )
    assert np.allclose(found.means, ideal, rtol=0, atol=1e-10)
    assert usage == Usage(shots=0, circuits=4)


def requests_of(measuring, executor):
    asked = []
    try:
        request = next(measuring)
        while True:
            asked.append(request)
            request = measuring.send(executor.collect(executor.submit(request)))
    except StopIteration as finished:
        return asked, finished.value


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


def test_without_mitigation_nothing_changes(problem):
    groups, states = problem
    executor = aer_noisy_executor(Seeds(3), noise_model=readout_noise())
    plain, same = (
        run_measurements(w, executor) for w in (work(groups, states, 50), mitigated(work(groups, states, 50), None))
    )
    assert np.array_equal(plain[0].means, same[0].means)
    assert plain[1] == same[1]


def test_vectors_and_frequencies_are_left_alone(problem, rng):
    groups, states = problem
    executor = aer_noisy_executor(Seeds(3), noise_model=readout_noise())
    vectors = VectorStates(vectors=random_states(rng, 1, 1 << SIZE), energies=np.zeros(1), gaps=np.ones(1))
    asked, _ = requests_of(mitigated(work(groups, vectors, 50), ReadoutMitigation()), executor)
    assert [request.calibration for request in asked] == [None]

    def frequency():
        measurements = (GroupMeasurement(group=groups[0], states=np.array([0]), shots=10),)
        return (yield Request(key=KEY, prepared=states, measurements=measurements, for_means=False))

    asked, data = requests_of(mitigated(frequency(), ReadoutMitigation()), executor)
    assert [request.calibration for request in asked] == [None]
    assert type(data) is ShotData


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
