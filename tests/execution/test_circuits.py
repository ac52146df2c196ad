"""Measured circuits on every kind of backend and sampler against exact probabilities."""

import numpy as np
import pytest
from cases import NO_INPUTS, random_network
from chi_square import LIMIT, counts_p_value, mean_p_value, variance_p_value
from gate_binding import bind_gates
from qiskit.primitives import StatevectorSampler
from qiskit.providers.basic_provider import BasicSimulator
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import Operator, Statevector
from qiskit_aer.primitives import SamplerV2 as AerSamplerV2

from qep_qiskit.core.errors import ConfigError, ResourceError
from qep_qiskit.core.pauli_strings import PauliString, sparse_pauli_op
from qep_qiskit.core.program import to_circuit_per_gate
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import GroupMeasurement, Request, RequestKey, SamplerExecutor, measured_circuit
from qep_qiskit.execution.aer import AerExecutor, aer_sampler_executor, depolarizing_noise
from qep_qiskit.execution.circuits import gate_values
from qep_qiskit.network import chain
from qep_qiskit.network.cost import OperatorCost
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.outcomes.states import CircuitStates
from qep_qiskit.preparation import AdiabaticPreparation

pytestmark = pytest.mark.filterwarnings("ignore:Qiskit backend .* has no QubitProperties")

SIZE, SHOTS = 3, 8000


def generic(num_qubits=5):
    line = [[k, k + 1] for k in range(num_qubits - 1)] + [[k + 1, k] for k in range(num_qubits - 1)]
    return GenericBackendV2(num_qubits, coupling_map=line, noise_info=False, seed=1)


EXECUTORS = {
    "aer": lambda seeds: aer_sampler_executor(seeds),
    "aer density matrix": lambda seeds: aer_sampler_executor(seeds, method="density_matrix"),
    "aer mps": lambda seeds: aer_sampler_executor(seeds, method="matrix_product_state"),
    "aer vectors": AerExecutor,
    "generic backend": lambda seeds: SamplerExecutor(generic(), seeds, optimization_level=1),
    "basic simulator": lambda seeds: SamplerExecutor(BasicSimulator(), seeds, optimization_level=1),
    "statevector sampler": lambda seeds: SamplerExecutor(
        StatevectorSampler(seed=np.random.default_rng(seeds.root)), seeds
    ),
}
every_executor = pytest.mark.parametrize("name", EXECUTORS)
seeded_by_us = pytest.mark.parametrize("name", [name for name in EXECUTORS if name != "statevector sampler"])


@pytest.fixture
def problem(rng):
    """Groups Z, X and one with Y, and two ramped states."""
    network, weights = random_network(chain(SIZE), rng)
    cost = OperatorCost.from_operator(sparse_pauli_op([(PauliString.parse("Y0 Y1 Z2"), 0.7)], SIZE))
    hamiltonian = NudgedHamiltonian(network, cost)
    free = hamiltonian.free_coefficients(weights, NO_INPUTS)
    rows = np.concatenate([free, free + hamiltonian.operator_nudge(NO_INPUTS)[0]])
    program = AdiabaticPreparation(total_time=1.5, steps=3).program(hamiltonian.groups)
    return hamiltonian.groups, CircuitStates(program=program, parameters=rows)


def run(executor, prepared, measurements, step=0):
    request = Request(key=RequestKey("test", step), prepared=prepared, measurements=measurements)
    return executor.collect(executor.submit(request)).outcomes


def readouts_of(groups, states, shots):
    return tuple(GroupMeasurement(group=group, states=np.asarray(states), shots=shots) for group in groups)


def counts_of(outcomes):
    """Counts per bit string, shape (states, 2^N), of either kind of outcome."""
    if hasattr(outcomes, "weights"):
        return outcomes.weights
    return np.array([np.bincount(row[:, -1], minlength=1 << outcomes.num_qubits) for row in outcomes.bits])


@pytest.mark.deep(but=["aer", "aer vectors", "statevector sampler", "basic simulator"])
@every_executor
def test_shots_follow_the_exact_probabilities(name, problem):
    groups, prepared = problem
    exact = run(AerExecutor(Seeds(0)), prepared, readouts_of(groups, [1, 0], None))
    found = run(EXECUTORS[name](Seeds(3)), prepared, readouts_of(groups, [1, 0], SHOTS))
    for outcomes, probabilities in zip(found, exact, strict=True):
        for counts, row in zip(counts_of(outcomes), probabilities.weights, strict=True):
            assert counts.sum() == SHOTS
            assert counts_p_value(counts, row) > LIMIT


@every_executor
def test_one_shot(name, problem):
    groups, prepared = problem
    for outcomes in run(EXECUTORS[name](Seeds(3)), prepared, readouts_of(groups, [0, 1], 1)):
        assert outcomes.shots == 1
        assert counts_of(outcomes).sum(axis=1).tolist() == [1, 1]


@pytest.mark.deep(but=["aer density matrix", "aer vectors", "generic backend"])
@seeded_by_us
def test_one_seed_gives_one_result(name, problem):
    groups, prepared = problem
    results = [
        [
            counts_of(o).tolist()
            for o in run(EXECUTORS[name](Seeds(seed)), prepared, readouts_of(groups, [0], 500), step)
        ]
        for seed, step in ((3, 0), (3, 0), (4, 0), (3, 1))
    ]
    assert results[0] == results[1]
    assert results[0] != results[2]
    assert results[0] != results[3]


@pytest.mark.deep(but=["aer", "basic simulator"])
@every_executor
def test_equal_states_of_one_call_are_drawn_independently(name, problem):
    groups, prepared = problem
    same = CircuitStates(program=prepared.program, parameters=np.repeat(prepared.parameters[:1], 120, axis=0))
    outcomes = run(EXECUTORS[name](Seeds(5)), same, readouts_of(groups[:1], np.arange(120), 50))[0]
    means, exact = outcomes.moments(groups[0]).means, exact_moments(groups[0], prepared)
    differences = means[::2] - means[1::2]
    assert variance_p_value(differences, 2 * (1 - exact**2) / 50) > LIMIT
    assert mean_p_value(differences, 0.0 * exact) > LIMIT


def exact_moments(group, prepared):
    return run(AerExecutor(Seeds(0)), prepared, readouts_of([group], [0], None))[0].moments(group).means[0]


@pytest.mark.deep(but=["aer vectors", "basic simulator"])
@seeded_by_us
def test_steps_and_groups_are_drawn_independently(name, problem):
    groups, prepared = problem
    executor = EXECUTORS[name](Seeds(6))
    z, shots = groups[0], 40
    twin = type(z)(name="another", basis=z.basis, masks=z.masks)
    measurements = readouts_of((z, twin), [0], shots)
    found = [run(executor, prepared, measurements, step) for step in range(60)]
    means = np.array([[o.moments(z).means[0] for o in outcomes] for outcomes in found])
    variance = 2 * (1 - exact_moments(z, prepared) ** 2) / shots
    assert variance_p_value(means[:, 0] - means[:, 1], variance) > LIMIT
    assert variance_p_value(means[::2, 0] - means[1::2, 0], variance) > LIMIT


def test_measured_circuit_is_the_program_and_the_change_of_basis(problem):
    groups, prepared = problem
    program, values = to_circuit_per_gate(prepared.program), gate_values(prepared.program, prepared.parameters)[0]
    for group in groups:
        circuit = measured_circuit(program, group)
        assert circuit.num_clbits == SIZE
        bound = circuit.remove_final_measurements(inplace=False).assign_parameters(bindings(circuit, values))
        plain = program.assign_parameters(bindings(program, values))
        expected = group.basis.rotate(Statevector(plain).data)
        assert np.allclose(Statevector(bound).data, expected, rtol=0, atol=1e-10)


def bindings(circuit, values):
    return dict(zip(circuit.parameters, bind_gates(circuit, values[None])[0], strict=True))


def test_a_transpiled_circuit_is_bound_by_name(problem):
    groups, prepared = problem
    executor = SamplerExecutor(generic(SIZE), Seeds(0))
    circuit = executor.circuit(prepared.program, groups[0])
    assert executor.circuit(prepared.program, groups[0]) is circuit
    values = gate_values(prepared.program, prepared.parameters)[0]
    logical = measured_circuit(to_circuit_per_gate(prepared.program), groups[0])
    physical = Operator.from_circuit(
        circuit.assign_parameters(bindings(circuit, values)).remove_final_measurements(inplace=False)
    )
    plain = Operator(logical.assign_parameters(bindings(logical, values)).remove_final_measurements(inplace=False))
    assert np.abs(np.trace(plain.adjoint().data @ physical.data)) == pytest.approx(1 << SIZE, abs=1e-8)


def test_noise_pulls_the_means_towards_zero(problem):
    groups, prepared = problem
    exact = exact_moments(groups[0], prepared)
    largest = int(np.argmax(np.abs(exact)))
    noisy = aer_sampler_executor(Seeds(1), noise_model=depolarizing_noise(one_qubit=0.02, two_qubit=0.05, readout=0.05))
    found = run(noisy, prepared, readouts_of(groups[:1], [0], SHOTS))[0].moments(groups[0])
    sigma = np.sqrt(found.covariance[0, largest, largest])
    assert abs(found.means[0, largest]) < abs(exact[largest]) - 5 * sigma


def test_readout_noise_is_what_was_asked_for():
    network, _ = random_network(chain(1), np.random.default_rng(0))
    program = AdiabaticPreparation(total_time=1e-6, steps=1).program(network.groups)
    prepared = CircuitStates(program=program, parameters=np.zeros((1, len(network.terms))))
    noisy = aer_sampler_executor(Seeds(2), noise_model=depolarizing_noise(readout=0.1))
    counts = counts_of(run(noisy, prepared, readouts_of(network.groups[1:], [0], 20_000))[0])[0]
    assert counts_p_value(counts, [0.9, 0.1]) > LIMIT


def test_device_that_is_too_small(problem):
    groups, prepared = problem
    with pytest.raises(ResourceError, match="has 2 qubits, the network needs 3"):
        run(SamplerExecutor(generic(2), Seeds(0)), prepared, readouts_of(groups, [0], 10))


def test_exact_probabilities_need_an_ideal_simulator(problem):
    groups, prepared = problem
    with pytest.raises(ConfigError, match=r"measurement\.shots: 'exact' needs an ideal simulator"):
        run(aer_sampler_executor(Seeds(0)), prepared, readouts_of(groups, [0], None))


def test_a_sampler_that_repeats_itself_is_refused():
    """Trap 1 through the user's own sampler: an integer seed is used anew in every call."""
    for sampler in (StatevectorSampler(seed=5), AerSamplerV2(seed=5)):
        with pytest.raises(ConfigError, match="an integer seed makes every call repeat"):
            SamplerExecutor(sampler, Seeds(0))
    SamplerExecutor(StatevectorSampler(seed=np.random.default_rng(5)), Seeds(0))
