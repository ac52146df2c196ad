"""Folded circuits: the same unitary from more gates, exactly more noise, and nothing that is taken out again."""

import numpy as np
import pytest
from cases import NO_INPUTS, random_network
from chi_square import LIMIT, counts_p_value
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import CZGate, ECRGate, Measure, RXXGate, RZGate, RZZGate, SXGate, XGate
from qiskit.quantum_info import Operator
from qiskit.transpiler import Target

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import (
    GroupMeasurement,
    Request,
    RequestKey,
    StatevectorExecutor,
    TranspiledProgram,
)
from qep_qiskit.execution.aer import aer_noisy_executor, aer_sampler_executor, depolarizing_noise, fake_device
from qep_qiskit.execution.circuits import MeasuredCircuits, transpile_on
from qep_qiskit.execution.device_snapshot import DeviceSnapshot
from qep_qiskit.execution.folding import folded
from qep_qiskit.network import chain
from qep_qiskit.outcomes.states import CircuitStates
from qep_qiskit.preparation import AdiabaticPreparation

FLIP, LOST = 0.04, 0.1


def device(gate):
    """Two qubits and any two-qubit gate."""
    target = Target(num_qubits=2)
    for single in (XGate(), SXGate(), RZGate(Parameter("a"))):
        target.add_instruction(single, {(0,): None, (1,): None})
    target.add_instruction(gate, {(0, 1): None})
    target.add_instruction(Measure(), {(0,): None, (1,): None})
    return DeviceSnapshot("made", target)


def placed_on(backend, gate):
    circuit = QuantumCircuit(2, global_phase=0.3)
    circuit.sx(0)
    circuit.append(gate, [0, 1])
    circuit.rz(0.4, 1)
    circuit.append(gate, [0, 1])
    return TranspiledProgram(circuit=circuit, outputs=(0, 1), backend=backend, device_qubits=(0, 1))


def ramped(rng, spins=2, steps=1, rows=1):
    network, _ = random_network(chain(spins), rng)
    coefficients = np.concatenate(
        [network.coefficients(random_network(chain(spins), rng)[1], NO_INPUTS) for _ in range(rows)]
    )
    program = AdiabaticPreparation(total_time=1.5, steps=steps).program(network.groups)
    return network.groups, CircuitStates(program=program, parameters=coefficients)


def run(executor, states, groups, *, shots, foldings=(1,)):
    measurements = tuple(
        GroupMeasurement(group=group, states=np.arange(states.num_states), shots=shots, folding=folding)
        for group in groups
        for folding in foldings
    )
    return executor.collect(
        executor.submit(Request(key=RequestKey("test", 0), prepared=states, measurements=measurements))
    ).outcomes


@pytest.mark.parametrize("times", [1, 3, 7])
@pytest.mark.parametrize("gate", [CZGate(), ECRGate(), RZZGate(0.7), RXXGate(0.7), RZZGate(Parameter("p"))])
def test_the_same_unitary_from_more_gates(gate, times):
    transpiled_program = placed_on(device(gate) if gate.name in ("cz", "ecr", "rzz") else None, gate)
    found = folded(transpiled_program, times)
    assert found.circuit.count_ops()[gate.name] == 2 * times
    bound = (c.assign_parameters([0.7] * c.num_parameters) for c in (transpiled_program.circuit, found.circuit))
    first, second = (Operator(c).data for c in bound)
    assert np.allclose(first, second, rtol=0, atol=1e-12)
    assert (found.outputs, found.backend) == (transpiled_program.outputs, transpiled_program.backend)


@pytest.mark.parametrize("gate", [CZGate(), ECRGate(), RZZGate(Parameter("p"))])
def test_a_device_takes_angles_as_they_are(gate):
    """No angle changes its sign: a device's rzz takes those of one sign only."""
    found = folded(placed_on(device(gate), gate), 5).circuit
    assert {tuple(step.operation.params) for step in found.data if step.operation.name == gate.name} == {
        tuple(gate.params)
    }
    assert set(found.count_ops()) <= {"sx", "rz", "x", "barrier", gate.name}


def test_a_gate_without_an_inverse_is_refused():
    with pytest.raises(ConfigError, match=r"noise_factors: made runs no inverse of its gate 'rxx'"):
        folded(placed_on(device(RXXGate(0.7)), RXXGate(0.7)), 3)


@pytest.mark.parametrize("name", ["fake_manila", "fake_torino"])
def test_nothing_is_taken_out_again(name, rng):
    pytest.importorskip("qiskit_ibm_runtime")
    groups, states = ramped(rng, spins=4, steps=3)
    circuits = MeasuredCircuits(transpile_on(fake_device(name, 4), Seeds(0), 3))
    native = "cz" if name == "fake_torino" else "cx"
    for group in groups:
        once, thrice = (circuits.of_group(states.program, group, times).count_ops()[native] for times in (1, 3))
        assert once > 3
        assert thrice == 3 * once


@pytest.mark.parametrize("times", [1, 3, 5])
def test_depolarised_means_shrink_by_a_power(times, rng):
    """One rzz that loses its state with a chance of 0.1: means of two-qubit words shrink by 0.9 each time it runs."""
    groups, states = ramped(rng)
    ideal = run(StatevectorExecutor(Seeds(0)), states, groups, shots=None, foldings=(times,))
    executor = aer_noisy_executor(Seeds(0), noise_model=depolarizing_noise(two_qubit=LOST))
    noisy = run(executor, states, groups, shots=None, foldings=(times,))
    gates = executor.circuit(states.program, groups[0]).count_ops()["rzz"]
    for group, expected, found in zip(groups, ideal, noisy, strict=True):
        shrunk = expected.moments(group).means * (1 - LOST) ** (gates * times)
        assert np.allclose(found.moments(group).means, shrunk, rtol=0, atol=1e-10)


def test_foldings_are_kept_apart_and_drawn_apart(rng):
    """An ideal circuit has the same distribution in every folding; the shots must be others."""
    groups, states = ramped(rng)
    noisy = aer_noisy_executor(Seeds(0), noise_model=depolarizing_noise(two_qubit=LOST))
    first, again = (run(noisy, states, groups, shots=None, foldings=(1, 3)) for _ in range(2))
    for one, two in zip(first, again, strict=True):
        assert np.array_equal(one.weights, two.weights)
    assert not np.allclose(first[0].weights, first[1].weights)
    for executor in (StatevectorExecutor(Seeds(0)), aer_noisy_executor(Seeds(0), noise_model=depolarizing_noise())):
        once, thrice = run(executor, states, groups[:1], shots=10_000, foldings=(1, 3))
        assert not np.array_equal(once.weights, thrice.weights)


def test_measured_circuits_agree_with_the_exact_distributions(rng):
    groups, states = ramped(rng, spins=3, steps=2, rows=2)
    noise = depolarizing_noise(one_qubit=0.003, two_qubit=FLIP, readout=0.02)
    exact = run(aer_noisy_executor(Seeds(0), noise_model=noise), states, groups, shots=None, foldings=(1, 3))
    sampled = run(aer_sampler_executor(Seeds(0), noise_model=noise), states, groups, shots=20_000, foldings=(1, 3))
    for probabilities, outcomes in zip(exact, sampled, strict=True):
        for row, bits in zip(probabilities.weights, outcomes.bits, strict=True):
            assert counts_p_value(np.bincount(bits[:, -1], minlength=8), row) > LIMIT
    once, thrice = sampled[:2]
    assert not np.array_equal(once.bits, thrice.bits)
