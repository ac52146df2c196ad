"""Single precision: means to 1e-5, gradients to 1e-4 of their length, half the memory, probabilities in double."""

import numpy as np
import pytest

import qep_qiskit as qep
from qep_qiskit.core import memory
from qep_qiskit.core.arithmetic import Arithmetic
from qep_qiskit.core.errors import ConfigError, ResourceError
from qep_qiskit.evolution import evolve

SINGLE = Arithmetic(precision="single")
EXECUTORS = {"engine": qep.StatevectorExecutor, "Aer": qep.AerExecutor}


def network_of(num_spins):
    return qep.IsingNetwork(
        graph=qep.complete(num_spins), outputs=(0,), inputs=qep.ClampedInputs.all_to(1, range(num_spins))
    )


def batch(num_spins, rng, states=3, steps=20):
    """A ramp as long as those of the shipped configurations, with couplings of order one."""
    network = network_of(num_spins)
    coefficients = network.coefficients(rng.normal(size=network.layout.num_weights), rng.normal(size=(states, 1)))
    program = qep.AdiabaticPreparation(total_time=0.2 * steps, steps=steps).program(network.groups)
    return qep.CircuitStates(program=program, parameters=coefficients)


def measured(executor, states, shots=None):
    measurements = tuple(
        qep.GroupMeasurement(group=group, states=np.arange(states.num_states), shots=shots)
        for group in states.program.groups
    )
    request = qep.Request(key=qep.RequestKey("demo", 0), prepared=states, measurements=measurements)
    return executor.collect(executor.submit(request)), measurements


@pytest.mark.parametrize("name", EXECUTORS)
@pytest.mark.parametrize("num_spins", [2, 6, 9, 13])
def test_means_are_those_of_double_precision(name, num_spins, rng):
    states = batch(num_spins, rng)
    found = [measured(EXECUTORS[name](qep.Seeds(1), precision=precision), states) for precision in ("single", "double")]
    for place, measurement in enumerate(found[0][1]):
        single, double = (data.moments(place, measurement.group).means for data, _ in found)
        assert single.dtype == double.dtype == np.float64
        assert np.abs(single - double).max() < 1e-5
        assert single.tobytes() != double.tobytes()


@pytest.mark.parametrize("shots", [200])
def test_probabilities_and_cumulative_sums_are_double(shots, rng):
    """A cumulative sum of 2^14 single numbers is off by 1e-4 and more."""
    states = batch(14, rng, states=1, steps=2)
    vectors = qep.StatevectorExecutor(qep.Seeds(1), precision="single").vectors(states)
    known = qep.VectorStates(vectors=vectors, energies=np.zeros(1), gaps=np.ones(1))
    probabilities = known.probabilities(states.program.groups[0], np.array([0]))
    assert vectors.dtype == np.complex64
    assert probabilities.dtype == np.float64
    assert probabilities.sum() == pytest.approx(1.0, abs=1e-14)
    data, _ = measured(qep.StatevectorExecutor(qep.Seeds(1), precision="single"), states, shots)
    exact, _ = measured(qep.StatevectorExecutor(qep.Seeds(1)), states, shots)
    assert (data.outcomes[0].bits != exact.outcomes[0].bits).any(axis=-1).mean() < 0.02  # the same shots but for ties


def test_gradients_are_those_of_double_precision(rng):
    """With an exact loss at every phase; beta divides what single precision leaves."""
    network = network_of(5)
    cost = qep.LossOnExpectations.on_spins(network.outputs, network.num_qubits)
    estimator = qep.GradientEstimator(
        hamiltonian=qep.NudgedHamiltonian(network, cost),
        preparation=qep.AdiabaticPreparation(total_time=6.0, steps=40),
        contrast=qep.Contrast(beta=0.1),
        shots=None,
    )
    weights, inputs, targets = rng.normal(size=network.layout.num_weights), rng.normal(size=(4, 1)), np.ones((4, 1))

    def gradient(precision):
        work = estimator.estimate(weights, inputs, targets, qep.RequestKey("demo", 0))
        return qep.run_measurements(work, qep.StatevectorExecutor(qep.Seeds(0), precision=precision))[0].gradient

    single, double = gradient("single"), gradient("double")
    assert np.linalg.norm(single - double) < 1e-4 * np.linalg.norm(double)


def test_every_path_is_in_single_precision(rng, monkeypatch):
    states = batch(6, rng)
    expected = evolve(states.program, states.parameters)
    own = states.parameters + 0.3 * rng.normal(size=states.parameters.shape)
    for limit in (
        "phase_factors._TABLE_AMPLITUDES",
        "phase_factors._SIGNS_UP_TO_QUBITS",
        "states._TOGETHER_UP_TO_QUBITS",
    ):
        found = evolve(states.program, states.parameters, SINGLE)
        assert found.dtype == np.complex64
        assert np.abs(found - expected).max() < 1e-5
        assert np.abs(evolve(states.program, own, SINGLE) - evolve(states.program, own)).max() < 1e-5
        monkeypatch.setattr(f"qep_qiskit.evolution.{limit}", 0)


def test_memory_is_half(monkeypatch, rng):
    states = batch(3, rng, states=1)
    section = qep.from_file("configs/xor.toml", ["execution.precision=single"]).config.execution
    monkeypatch.setattr(memory, "_ALWAYS_FITS", 0)
    monkeypatch.setattr(memory, "available_bytes", lambda: 8 * 8 * (1 + 8))
    qep.set_jobs(1)
    evolve(states.program, states.parameters, SINGLE)
    with pytest.raises(ResourceError, match="at most 2 qubits"):
        evolve(states.program, states.parameters)
    qep.set_jobs(None)
    monkeypatch.setattr(memory, "available_bytes", lambda: 5 * 8 << 20)
    section.check_memory(20)
    with pytest.raises(ResourceError, match="at most 20 qubits"):
        section.check_memory(21)


@pytest.mark.parametrize("executor", EXECUTORS.values(), ids=EXECUTORS)
def test_no_other_precision(executor):
    with pytest.raises(ConfigError, match="precision: expected 'double' or 'single', got 'half'"):
        executor(qep.Seeds(0), precision="half")


@pytest.mark.parametrize(
    ("config", "change"),
    [
        ("moons", "preparation.kind=exact"),
        ("xor_noisy", "execution.backend=aer"),
        ("xor", "execution.measured_circuits=true"),
        ("thermal", "preparation.temperature=0.5"),
    ],
)
def test_where_no_state_vectors_are_simulated_it_is_refused(config, change):
    with pytest.raises(ConfigError, match=r"execution.precision: goes with .*; leave it out"):
        qep.from_file(f"configs/{config}.toml", [change, "execution.precision=single"])
