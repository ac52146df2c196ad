"""Whatever an executor returns passes one gate; what was not asked for is one line with the circuit and the backend."""

from dataclasses import replace

import numpy as np
import odd_backends
import pytest
from cases import NO_INPUTS, random_network
from oscillators import three_oscillators, with_squared_error
from qiskit.result import Result

from qep_qiskit.budget.gradient_study import CountingExecutor
from qep_qiskit.continuous.executor import CoordinateExecutor
from qep_qiskit.continuous.oscillators import GaussianPreparation
from qep_qiskit.core.errors import ResultError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import (
    GroupMeasurement,
    NoisyExecutor,
    Request,
    RequestKey,
    ShotData,
    StatevectorExecutor,
    answered,
)
from qep_qiskit.execution.aer import AerExecutor, aer_noisy_executor, aer_sampler_executor, depolarizing_noise
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.measurement import measure, run_measurements
from qep_qiskit.network import chain
from qep_qiskit.outcomes import ExactMeans
from qep_qiskit.outcomes.known_states import VectorStates
from qep_qiskit.outcomes.states import CircuitStates
from qep_qiskit.preparation import AdiabaticPreparation

SIZE, SHOTS = 3, 40
NETWORK, WEIGHTS = random_network(chain(SIZE), np.random.default_rng(2))
PROGRAM = AdiabaticPreparation(total_time=1.0, steps=2).program(NETWORK.groups)
PREPARED = CircuitStates(
    program=PROGRAM, parameters=NETWORK.coefficients(WEIGHTS, NO_INPUTS) * np.array([[1.0], [1.1]])
)
NEGATIVE = np.full((2, 8), 0.125) + np.eye(2, 8) - np.eye(2, 8, 1)


class Altered:
    """An executor of a user, whose answers are not quite right."""

    backend_name = "the_backend"

    def __init__(self, inner, change):
        self.work, self.change = inner, change

    def submit(self, request):
        return self.work.submit(request)

    def collect(self, job_handle):
        return self.change(self.work.collect(job_handle))


def request(shots=SHOTS):
    measurements = tuple(GroupMeasurement(group=group, states=np.arange(2), shots=shots) for group in NETWORK.groups)
    return Request(key=RequestKey("test", 0), prepared=PREPARED, measurements=measurements)


def first(change):
    """Change the outcomes of the first readout."""
    return lambda data: replace(data, outcomes=(change(data.outcomes[0]), *data.outcomes[1:]))


def weights(change):
    return first(lambda found: replace(found, weights=change(found.weights)))


def put(value):
    def change(values):
        values = values.astype(np.result_type(values, type(value)))
        values[1, 3] = value
        return values

    return weights(change)


WRONG = {
    "something else": (lambda data: data.outcomes, SHOTS, "expected ShotData, got tuple"),
    "fewer readouts": (lambda data: ShotData(outcomes=data.outcomes[:1]), SHOTS, "circuits 'Z', 'X', 2 in all, got 1"),
    "more readouts": (lambda data: ShotData(outcomes=data.outcomes * 2), SHOTS, "2 in all, got 4"),
    "no outcomes": (first(lambda found: found.weights), SHOTS, "circuit 'Z': expected outcomes, got ndarray"),
    "fewer states": (weights(lambda found: found[:1]), SHOTS, r"circuit 'Z': .* shape \(2, 8\), got \(1, 8\)"),
    "a wider register": (weights(lambda found: np.hstack([found] * 2)), SHOTS, r"shape \(2, 8\), got \(2, 16\)"),
    "other shots": (first(lambda found: replace(found, shots=41)), SHOTS, "circuit 'Z': expected 40 shots, got 41"),
    "exact": (first(lambda found: replace(found, shots=None)), SHOTS, "expected 40 shots, got exact outcomes"),
    "shots": (first(lambda found: replace(found, shots=10)), None, "expected exact outcomes, got 10 shots"),
    "lost shots": (weights(lambda found: found - (found == found.max())), SHOTS, "counts that sum to 40, got 3"),
    "a negative count": (put(-3), SHOTS, "circuit 'Z': expected counts from 0 on, got -3"),
    "not a number": (put(np.nan), None, "circuit 'Z': expected finite numbers, got nan in state 1"),
    "infinite": (put(np.inf), None, "circuit 'Z': expected finite numbers, got inf in state 1"),
    "complex": (put(0.1j), None, "circuit 'Z': expected real numbers, got complex128"),
    "negative": (put(-0.2), None, "circuit 'Z': expected probabilities from 0 on, got -0.2"),
    "no distribution": (weights(lambda found: 2 * found), None, "expected probabilities that sum to 1, got 2 in state"),
    "a calibration": (lambda data: replace(data, calibration=data.outcomes[0]), SHOTS, "expected no calibration"),
    "means": (first(lambda found: ExactMeans(means=np.zeros((2, 1)))), None, r"shape \(2, 5\), got \(2, 1\)"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_was_not_asked_for_is_one_line(kind):
    change, shots, said = WRONG[kind]
    executor = CountingExecutor(inner=Altered(StatevectorExecutor(Seeds(0)), change))
    with pytest.raises(ResultError, match=said) as caught:
        answered(executor, request(shots))
    assert str(caught.value).startswith("the_backend: ")
    answered(Altered(StatevectorExecutor(Seeds(0)), lambda data: data), request(shots))


BITS = {
    "fewer shots": (lambda found: replace(found, bits=found.bits[:, 1:]), "expected 40 shots, got 39"),
    "a wider register": (lambda found: replace(found, num_qubits=4), "expected 3 bits a shot, got 4"),
    "more bytes": (lambda found: replace(found, bits=np.repeat(found.bits, 2, axis=2)), r"got \(2, 40, 2\)"),
    "bits beyond": (lambda found: replace(found, bits=found.bits + 64), "got bits beyond them"),
    "numbers": (lambda found: replace(found, bits=found.bits + 0.5), "bits in bytes .*, got float64"),
}


@pytest.mark.parametrize("kind", BITS)
def test_bits_too(kind):
    change, said = BITS[kind]
    with pytest.raises(ResultError, match=f"the_backend: circuit 'Z': .*{said}"):
        answered(Altered(aer_sampler_executor(Seeds(0)), first(change)), request())


def test_all_zeros_along_two_axes_are_results_that_are_not_there():
    """A sampler that takes a failed circuit for zeros; no state reads 0 along Z and along X in every shot."""

    def zeros(data):
        return ShotData(outcomes=tuple(replace(own, bits=np.zeros_like(own.bits)) for own in data.outcomes))

    def one_state(data):
        for own in data.outcomes:
            own.bits[1] = 0
        return data

    for change, shots in ((zeros, 60), (one_state, 120)):
        with pytest.raises(ResultError, match=r"circuits 'Z' and 'X' of state . read 0 in every bit"):
            answered(Altered(aer_sampler_executor(Seeds(0)), change), request(shots))
    answered(Altered(aer_sampler_executor(Seeds(0)), zeros), request(5))
    certain = VectorStates(vectors=np.eye(8)[:2] * [[1], [1]], energies=np.zeros(2), gaps=np.ones(2))
    answered(StatevectorExecutor(Seeds(0)), replace(request(500), prepared=certain))


def test_the_work_that_measures_goes_through_the_gate():
    work = measure(
        NETWORK.groups, PREPARED, shape=(1, 2), phases={0: [0, 1], 1: [0]}, shots=[10, 10], key=RequestKey("t", 0)
    )
    with pytest.raises(ResultError, match="the_backend: circuit 'Z': expected 10 shots, got 9"):
        run_measurements(work, Altered(StatevectorExecutor(Seeds(0)), first(lambda found: replace(found, shots=9))))


@pytest.mark.parametrize("shots", [None, 50])
def test_vectors_and_density_matrices_that_are_no_numbers(shots, monkeypatch):
    """Found before anything is drawn from them."""
    engine = StatevectorExecutor(Seeds(0))
    monkeypatch.setattr(engine, "vectors", lambda prepared: np.full((2, 8), np.nan))
    with pytest.raises(ResultError, match="circuit 'Z': expected finite numbers, got nan in state 0"):
        answered(engine, request(shots))
    monkeypatch.setattr(engine, "vectors", lambda prepared: np.full((1, 8), 8**-0.5))
    with pytest.raises(ResultError, match=r"state vectors: expected outcomes of shape \(2, 8\), got \(1, 8\)"):
        answered(engine, request(shots))
    noisy = noisy_executor()
    for bad, said in (
        (np.full((2, 8), np.nan), "expected finite numbers, got nan in state 0"),
        (NEGATIVE, "expected probabilities from 0 on, got -0.875"),
        (np.full((2, 4), 0.25), r"expected outcomes of shape \(2, 8\), got \(2, 4\)"),
    ):
        spoiled = NoisyExecutor(noisy._circuits.transpiled_program, lambda circuit, values, bad=bad: bad, Seeds(0))
        with pytest.raises(ResultError, match=f"circuit 'Z_basis': {said}"):
            answered(spoiled, request(shots))
    monkeypatch.setattr(
        noisy._distributions, "_run", lambda *_: np.full((2, 8), 0.125) + np.eye(2, 8) - np.eye(2, 8, 1)
    )
    with pytest.raises(ResultError, match=r"aer_simulator.*: circuit 'Z_basis': .* from 0 on, got -0\.875"):
        answered(noisy, request(shots))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda points: np.where(np.arange(points.shape[1])[:, None, None] == 3, np.nan, points),
            "expected finite numbers, got nan in",
        ),
        (lambda points: points[:, :-1], "expected 20 shots, got 19"),
        (lambda points: points[:, :, :-1], r"expected outcomes of shape \(2, 20, 3, 1\), got \(2, 20, 2, 1\)"),
        (lambda points: points + 1j, "expected real numbers, got complex128"),
    ],
    ids=["nan", "shots", "atoms", "complex"],
)
def test_points_of_atoms_too(change, said):
    hamiltonian = with_squared_error(three_oscillators())
    weights = hamiltonian.network.layout.initial(Seeds(0))
    estimator = GradientEstimator(
        hamiltonian=hamiltonian, preparation=GaussianPreparation(), contrast=Contrast(beta=0.1), shots=20
    )
    work = estimator.estimate(weights, NO_INPUTS, np.array([[0.3]]), RequestKey("test", 0))
    spoiled = Altered(CoordinateExecutor(Seeds(0)), first(lambda found: replace(found, points=change(found.points))))
    with pytest.raises(ResultError, match=f"^the_backend: circuit '.*': {said}"):
        run_measurements(work, spoiled)


def test_aer_that_fails_names_the_circuit(monkeypatch):
    for executor, name in ((AerExecutor(Seeds(0)), "program"), (noisy_executor(), "Z_basis")):
        simulator = getattr(executor, "_simulator", None) or executor._distributions._simulator
        monkeypatch.setattr(simulator, "run", lambda *_, run=simulator.run, **options: Failing(run(*_, **options)))
        with pytest.raises(
            ResultError, match=f"aer_simulator.*: circuit '{name}': Aer could not run it .ERROR: out of"
        ):
            answered(executor, request())


class Failing:
    def __init__(self, job):
        self.job = job

    def result(self):
        data = self.job.result().to_dict()
        odd_backends.failed(data, data["results"][-1])
        return Result.from_dict(data)


def noisy_executor():
    return aer_noisy_executor(Seeds(0), noise_model=depolarizing_noise(two_qubit=0.01))
