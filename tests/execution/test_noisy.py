"""Exact noisy distributions against measured circuits with the same noise, and a cut device against the whole one."""

import numpy as np
import pytest
from cases import NO_INPUTS, random_network
from chi_square import LIMIT, counts_p_value, mean_p_value, variance_p_value
from gate_binding import bind_gates
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, ReadoutError, depolarizing_error
from qiskit_aer.primitives import SamplerV2

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.pauli_strings import PauliString, sparse_pauli_op
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import GroupMeasurement, NoisyExecutor, Request, RequestKey, SamplerExecutor
from qep_qiskit.execution.aer import (
    AerExecutor,
    aer_noisy_executor,
    aer_sampler_executor,
    depolarizing_noise,
    device_executor,
    fake_device,
)
from qep_qiskit.execution.circuits import gate_values
from qep_qiskit.network import chain, complete
from qep_qiskit.network.cost import OperatorCost
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.outcomes.states import CalibrationStates, CircuitStates
from qep_qiskit.preparation import AdiabaticPreparation

SIZE, SHOTS = 3, 20_000


def uneven_noise():
    """Gate errors, and readout errors that differ from qubit to qubit and between 0 and 1."""
    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(0.01, 1), ["rx", "rz", "h", "sdg", "x"])
    model.add_all_qubit_quantum_error(depolarizing_error(0.04, 2), ["rzz", "rxx", "cx"])
    model.add_all_qubit_readout_error(ReadoutError([[0.9, 0.1], [0.2, 0.8]]))
    model.add_readout_error(ReadoutError([[0.99, 0.01], [0.3, 0.7]]), [1])
    return model


UNEVEN_FLIPS = np.array([[0.1, 0.01, 0.1], [0.2, 0.3, 0.2]])


def ramped(graph, rng, steps=3):
    """Groups Z, X and one with Y, and two ramped states."""
    network, weights = random_network(graph, rng)
    cost = OperatorCost.from_operator(
        sparse_pauli_op([(PauliString.parse("Y0 Y1"), 0.7), (PauliString.parse(f"Z{graph.num_spins - 1}"), 0.5)], SIZE)
    )
    hamiltonian = NudgedHamiltonian(network, cost)
    free = hamiltonian.free_coefficients(weights, NO_INPUTS)
    rows = np.concatenate([free, free + hamiltonian.operator_nudge(NO_INPUTS)[0]])
    program = AdiabaticPreparation(total_time=1.5, steps=steps).program(hamiltonian.groups)
    return hamiltonian.groups, CircuitStates(program=program, parameters=rows)


@pytest.fixture
def problem(rng):
    return ramped(chain(SIZE), rng)


def run(executor, prepared, groups, states, shots, step=0):
    measurements = tuple(GroupMeasurement(group=group, states=np.asarray(states), shots=shots) for group in groups)
    request = Request(key=RequestKey("test", step), prepared=prepared, measurements=measurements)
    return executor.collect(executor.submit(request)).outcomes


def counts_of(outcomes):
    if hasattr(outcomes, "weights"):
        return outcomes.weights
    return np.array([np.bincount(row[:, -1], minlength=1 << outcomes.num_qubits) for row in outcomes.bits])


def assert_agree(exact, sampled):
    for probabilities, outcomes in zip(exact, sampled, strict=True):
        for row, counts in zip(probabilities.weights, counts_of(outcomes), strict=True):
            assert counts_p_value(counts, row) > LIMIT


def test_without_noise_the_distributions_are_ideal(problem):
    groups, prepared = problem
    found = run(aer_noisy_executor(Seeds(0), noise_model=NoiseModel()), prepared, groups, [1, 0, 1], None)
    for noisy_, ideal in zip(found, run(AerExecutor(Seeds(0)), prepared, groups, [1, 0, 1], None), strict=True):
        assert np.abs(noisy_.weights - ideal.weights).max() < 1e-10


@pytest.mark.parametrize("graph", [chain(SIZE), complete(SIZE)], ids=["chain", "complete"])
def test_measured_circuits_follow_the_distributions(graph, rng):
    groups, prepared = ramped(graph, rng)
    exact = run(aer_noisy_executor(Seeds(0), noise_model=uneven_noise()), prepared, groups, [0, 1], None)
    assert_agree(
        exact, run(aer_sampler_executor(Seeds(3), noise_model=uneven_noise()), prepared, groups, [0, 1], SHOTS)
    )


def test_shots_are_drawn_from_the_distributions(problem):
    groups, prepared = problem
    executor = aer_noisy_executor(Seeds(4), noise_model=uneven_noise())
    exact = run(executor, prepared, groups, [0, 1], None)
    assert_agree(exact, run(executor, prepared, groups, [0, 1], SHOTS))
    means = np.array(
        [run(executor, prepared, groups[:1], [0], 50, step)[0].moments(groups[0]).means[0] for step in range(400)]
    )
    expected = exact[0].moments(groups[0]).means[0]
    assert mean_p_value(means, expected, (1 - expected**2) / 50) > LIMIT
    assert variance_p_value(means, (1 - expected**2) / 50) > LIMIT


@pytest.mark.parametrize("make", [aer_noisy_executor, aer_sampler_executor])
def test_calibration_shows_the_readout_errors_of_every_qubit(make, problem):
    groups, prepared = problem
    noise = depolarizing_noise(one_qubit=0.0)
    noise.add_all_qubit_readout_error(ReadoutError([[0.9, 0.1], [0.2, 0.8]]))
    noise.add_readout_error(ReadoutError([[0.99, 0.01], [0.3, 0.7]]), [1])
    found = counts_of(
        run(make(Seeds(1), noise_model=noise), CalibrationStates(prepared.program), groups[:1], [0, 1], SHOTS)[0]
    )
    expected = np.array([np.kron(np.kron(*pair), last) for pair, last in readings()])
    for counts, row in zip(found, expected, strict=True):
        assert counts_p_value(counts, row) > LIMIT


def readings():
    """What qubits 2, 1, 0 read where all are 0, and where all are 1."""
    zero, one = ([np.array([1 - f, f]) for f in UNEVEN_FLIPS[0]], [np.array([f, 1 - f]) for f in UNEVEN_FLIPS[1]])
    return [((qubits[2], qubits[1]), qubits[0]) for qubits in (zero, one)]


def test_ideal_executors_calibrate_too(problem):
    groups, prepared = problem
    states = CalibrationStates(prepared.program)
    for executor in (AerExecutor(Seeds(0)), aer_sampler_executor(Seeds(0))):
        found = counts_of(run(executor, states, groups[:1], [0, 1], 10)[0])
        assert (found[0, 0], found[1, -1]) == (10, 10)


def counted(executor, monkeypatch):
    """Bindings that the executor simulates from now on."""
    simulated, inner = [], executor._distributions
    monkeypatch.setattr(executor, "_distributions", lambda c, v: simulated.append(len(v)) or inner(c, v))
    return simulated


def test_states_are_simulated_once(problem, monkeypatch):
    groups, prepared = problem
    executor = aer_noisy_executor(Seeds(4), noise_model=uneven_noise())
    simulated = counted(executor, monkeypatch)
    first = run(executor, prepared, groups[:2], [0, 0, 1], None)
    assert simulated == [2, 2]
    again = CircuitStates(program=prepared.program, parameters=prepared.parameters[::-1].copy())
    for one, other in zip(first, run(executor, again, groups[:2], [1, 1, 0], None, step=1), strict=True):
        assert np.array_equal(one.weights, other.weights)
    run(executor, prepared, groups, [1], 100, step=2)
    assert simulated == [2, 2, 1]
    calibration = CalibrationStates(prepared.program)
    for step in range(2):
        run(executor, calibration, groups[:1], [0, 1], 100, step=step)
    assert simulated == [2, 2, 1, 1, 1]


def test_what_is_kept_is_bounded_and_changes_nothing(problem):
    groups, prepared = problem
    executor = aer_noisy_executor(Seeds(4), noise_model=uneven_noise())
    forgetful = NoisyExecutor(executor._circuits.transpiled_program, executor._distributions, Seeds(4), kept_bytes=300)
    for step in range(3):
        found = [run(e, prepared, groups, [0, 1, 0], 100, step) for e in (executor, forgetful)]
        for one, other in zip(*found, strict=True):
            assert np.array_equal(one.weights, other.weights)
    assert forgetful._kept._bytes <= 300
    assert len(forgetful._kept._rows) == 2


def test_errors_of_several_bits_together_are_refused():
    model = NoiseModel()
    model.add_readout_error(ReadoutError(np.full((4, 4), 0.25)), [0, 1])
    with pytest.raises(ConfigError, match="flip several bits together"):
        aer_noisy_executor(Seeds(0), noise_model=model)


def on_the_whole_device(device, executor, prepared, group, shots):
    """The cut executor's own circuits with the numbers of the device, on its full noise model."""
    transpiled_program = executor.executor(prepared.program)._circuits.transpiled_program(prepared.program)
    small = executor.executor(prepared.program).circuit(prepared.program, group)
    circuit = QuantumCircuit(device.num_qubits, SIZE)
    for instruction in small.data:
        qubits = [transpiled_program.device_qubits[small.find_bit(qubit).index] for qubit in instruction.qubits]
        circuit.append(instruction.operation, qubits, [small.find_bit(bit).index for bit in instruction.clbits])
    values = bind_gates(circuit, gate_values(prepared.program, prepared.parameters))
    simulator = AerSimulator.from_backend(device)
    data = SamplerV2.from_backend(simulator, seed=11).run([(circuit, values)], shots=shots).result()[0].data.c
    return [np.bincount(row[:, -1], minlength=1 << SIZE) for row in data.array]


@pytest.mark.deep(but=["chain-fake_manila"])
@pytest.mark.parametrize("name", ["fake_manila", "fake_nairobi"])
@pytest.mark.parametrize("graph", [chain(SIZE), complete(SIZE)], ids=["chain", "complete"])
def test_a_cut_device_is_the_whole_device(name, graph, rng):
    pytest.importorskip("qiskit_ibm_runtime")
    groups, prepared = ramped(graph, rng)
    device = fake_device(name, SIZE)
    executor = device_executor(device, Seeds(2))
    for group, exact in zip(groups, run(executor, prepared, groups, [0, 1], None), strict=True):
        found = on_the_whole_device(device, executor, prepared, group, SHOTS)
        for counts, row in zip(found, exact.weights, strict=True):
            assert counts_p_value(counts, row) > LIMIT


def test_measured_circuits_of_a_cut_device(problem):
    pytest.importorskip("qiskit_ibm_runtime")
    groups, prepared = problem
    device = fake_device("fake_manila", SIZE)
    measured = device_executor(device, Seeds(2), measured_circuits=True)
    assert isinstance(measured.executor(prepared.program), SamplerExecutor)
    exact = run(device_executor(device, Seeds(2)), prepared, groups, [0, 1], None)
    assert_agree(exact, run(measured, prepared, groups, [0, 1], SHOTS))


def test_a_large_device_is_cut_to_the_program(problem):
    pytest.importorskip("qiskit_ibm_runtime")
    groups, prepared = problem
    executor = device_executor(fake_device("fake_torino", SIZE), Seeds(2))
    outcomes = run(executor, prepared, groups, [0, 1], None)
    transpiled_program = executor.executor(prepared.program)._circuits.transpiled_program(prepared.program)
    assert transpiled_program.circuit.num_qubits == len(transpiled_program.device_qubits) == SIZE
    assert max(transpiled_program.device_qubits) > SIZE
    ideal = run(AerExecutor(Seeds(0)), prepared, groups, [0, 1], None)
    for found, expected in zip(outcomes, ideal, strict=True):
        distance = np.abs(found.weights - expected.weights).sum(axis=1) / 2
        assert (distance > 0.005).all()
        assert (distance < 0.2).all()


def test_another_executor_finds_the_same_qubits_and_numbers(problem):
    pytest.importorskip("qiskit_ibm_runtime")
    groups, prepared = problem
    found = [
        run(device_executor(fake_device("fake_torino", SIZE), Seeds(2)), prepared, groups, [0, 1], 100)
        for _ in range(2)
    ]
    for one, other in zip(*found, strict=True):
        assert np.array_equal(one.weights, other.weights)
