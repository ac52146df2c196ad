"""Ideal Aer against independent matrix products, and its shots against exact probabilities."""

import numpy as np
import pytest
from cases import NO_INPUTS, SMALL_GRAPHS, random_network
from chi_square import LIMIT, counts_p_value
from reference import kron_of_qubits, sum_of_paulis, trotter_ramp

from qep_qiskit.core import memory
from qep_qiskit.core.errors import ResourceError
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import GroupMeasurement, Request, RequestKey
from qep_qiskit.execution.aer import AerExecutor, depolarizing_noise
from qep_qiskit.network import chain
from qep_qiskit.outcomes import Distribution
from qep_qiskit.outcomes.states import CircuitStates
from qep_qiskit.preparation import AdiabaticPreparation, ExactPreparation

RAMP = {"total_time": 2.0, "steps": 6}
HADAMARD = np.array([[1, 1], [1, -1]]) / np.sqrt(2)


def ramped(name, rng, num_states):
    network, weights = random_network(SMALL_GRAPHS[name], rng, num_inputs=1)
    coefficients = network.coefficients(weights, rng.normal(size=(num_states, 1)))
    program = AdiabaticPreparation(**RAMP).program(network.groups)
    return network, CircuitStates(program=program, parameters=coefficients)


def reference_state(network, row):
    cut, size = network.groups[0].num_terms, network.num_qubits
    z, x = (sum_of_paulis(g.terms, c, size) for g, c in zip(network.groups, np.split(row, [cut]), strict=True))
    driver = sum_of_paulis([f"X{k}" for k in range(size)], [-1.0] * size, size)
    return trotter_ramp([z, x], [0 * driver, driver], **RAMP)


def sampled(prepared, measurements, seed=0, step=0):
    executor = AerExecutor(Seeds(seed))
    request = Request(key=RequestKey("test", step), prepared=prepared, measurements=measurements)
    return executor.collect(executor.submit(request)).outcomes


@pytest.mark.parametrize("name", ["edges", "complete", "ring", "chain"])
def test_vectors_are_the_matrix_product(name, rng):
    network, prepared = ramped(name, rng, 3)
    vectors = AerExecutor(Seeds(0)).vectors(prepared)
    for row, vector in zip(prepared.parameters, vectors, strict=True):
        assert np.allclose(vector, reference_state(network, row), rtol=0, atol=1e-10)


def test_states_are_evolved_in_parts_where_many(monkeypatch, rng):
    _, prepared = ramped("edges", rng, 7)
    whole = AerExecutor(Seeds(0)).vectors(prepared)
    monkeypatch.setattr("qep_qiskit.execution.aer._AMPLITUDES_PER_CALL", 16)
    assert np.array_equal(AerExecutor(Seeds(0)).vectors(prepared), whole)


def test_two_programs_in_turn(rng):
    (_, first), (_, second) = ramped("edges", rng, 2), ramped("chain", rng, 2)
    executor = AerExecutor(Seeds(0))
    alone = [AerExecutor(Seeds(0)).vectors(prepared) for prepared in (first, second)]
    for expected, prepared in zip([*alone, *alone], (first, second, first, second), strict=True):
        assert np.array_equal(executor.vectors(prepared), expected)


def test_exact_probabilities_in_every_basis(rng):
    network, prepared = ramped("edges", rng, 2)
    measurements = tuple(GroupMeasurement(group=group, states=np.array([1, 0]), shots=None) for group in network.groups)
    z, x = sampled(prepared, measurements)
    for row, state in enumerate((1, 0)):
        vector = reference_state(network, prepared.parameters[state])
        rotated = kron_of_qubits([HADAMARD] * 3) @ vector
        assert np.allclose(z.weights[row], np.abs(vector) ** 2, rtol=0, atol=1e-10)
        assert np.allclose(x.weights[row], np.abs(rotated) ** 2, rtol=0, atol=1e-10)
    assert z.shots is None


@pytest.mark.parametrize("letters", ["ZZZ", "XXX", "YZX"])
def test_counts_follow_the_probabilities(letters, rng):
    _, prepared = ramped("edges", rng, 2)
    group = CommutingGroup(name=letters, basis=LocalBasis(letters), masks=(1, 2))
    counts = sampled(prepared, (GroupMeasurement(group=group, states=np.arange(2), shots=20_000),))[0]
    exact = sampled(prepared, (GroupMeasurement(group=group, states=np.arange(2), shots=None),))[0]
    assert isinstance(counts, Distribution)
    for found, probabilities in zip(counts.weights, exact.weights, strict=True):
        assert found.sum() == counts.shots == 20_000
        assert counts_p_value(found, probabilities) > LIMIT


def test_vectors_of_an_exact_solver_are_measured_too(rng):
    network, weights = random_network(chain(3), rng)
    states = ExactPreparation().solve(network.groups, network.coefficients(weights, NO_INPUTS))
    found = sampled(states, (GroupMeasurement(group=network.groups[0], states=np.array([0]), shots=None),))[0]
    assert np.allclose(found.weights[0], states.vectors[0] ** 2, rtol=0, atol=1e-12)


def test_what_does_not_fit_is_refused(monkeypatch, rng):
    network, weights = random_network(chain(30), rng)
    program = AdiabaticPreparation(steps=1).program(network.groups)
    prepared = CircuitStates(program=program, parameters=network.coefficients(weights, NO_INPUTS))
    monkeypatch.setattr(memory, "available_bytes", lambda: 1 << 30)
    with pytest.raises(ResourceError, match="a state vector simulation of 30 qubits"):
        AerExecutor(Seeds(0)).vectors(prepared)


def test_noise_model_names_the_gates_that_circuits_have():
    model = depolarizing_noise(one_qubit=0.01, two_qubit=0.02, readout=0.03)
    assert {"rx", "ry", "rz", "h", "rzz", "rxx", "cx"} <= set(model.noise_instructions)
    assert depolarizing_noise().is_ideal()
