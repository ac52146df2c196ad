"""Ramps with dephasing and relaxation: the definitions, the master equation, Aer, and what is refused."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer import AerSimulator
from qiskit_aer.noise import amplitude_damping_error, phase_damping_error
from reference import fitted_slope, lindblad, pauli_matrix

import qep_qiskit as qep
from qep_qiskit.core.errors import ConfigError, ResourceError
from qep_qiskit.core.program import LayerProgram
from qep_qiskit.evolution import evolve
from qep_qiskit.evolution.density_matrices import evolve_densities
from qep_qiskit.execution.noisy import MOST_QUBITS
from qep_qiskit.network.pauli import PauliNetwork

RATES = qep.DecoherenceRates(dephasing=0.07, relaxation=0.11)
TIME = 2.0
GROUPS = qep.IsingNetwork(graph=qep.chain(2), outputs=(1,)).groups


def ramp(steps, **options):
    return qep.AdiabaticPreparation(total_time=TIME, steps=steps, **options)


def idle(time, qubits):
    """A program of no rotation in which time passes."""
    groups = qep.IsingNetwork(graph=qep.chain(len(qubits)), outputs=(0,)).groups
    group = groups[0]
    nothing = np.zeros(group.num_terms)
    layer = qep.Layer(group=0, source=np.full(group.num_terms, -1), scale=nothing, offset=nothing, duration=time)
    return LayerProgram(groups=groups, initial=np.array(qubits, dtype=complex), layers=(layer,), parameter_names=())


def test_coherences_and_populations_decay_by_their_rates():
    qubit = np.array([0.6, 0.8j])
    (found,) = evolve_densities(idle(3.0, [qubit, [0.0, 1.0]]), np.zeros((1, 0)), RATES)
    one = np.array([[1 - 0.64 * np.exp(-0.33), -0.48j * np.exp(-0.21 - 0.165)], [0, 0.64 * np.exp(-0.33)]])
    one[1, 0] = one[0, 1].conj()
    other = np.diag([1 - np.exp(-0.33), np.exp(-0.33)])
    np.testing.assert_allclose(found, np.kron(other, one), atol=1e-14)


@pytest.mark.parametrize("options", [{}, {"order": 1, "ramp": "linear"}])
def test_without_rates_it_is_the_pure_ramp(options):
    program = ramp(9, **options).program(GROUPS)
    rows = np.random.default_rng(1).normal(size=(3, program.num_parameters))
    vectors = evolve(program, rows)
    found = evolve_densities(program, rows, qep.DecoherenceRates())
    np.testing.assert_allclose(found, vectors[:, :, None] * vectors[:, None].conj(), atol=1e-12)


@pytest.mark.parametrize("order", [1, 2])
def test_steps_converge_to_the_master_equation(order):
    terms = [term for group in GROUPS for term in group.terms]
    coefficients = np.random.default_rng(2).normal(size=len(terms))
    exact = lindblad(terms, coefficients, RATES, total_time=TIME)
    steps = np.array([16, 32, 64])
    errors = []
    for count in steps:
        program = ramp(int(count), order=order).program(GROUPS)
        errors.append(np.abs(evolve_densities(program, coefficients[None], RATES)[0] - exact).max())
    assert fitted_slope(steps, errors) == pytest.approx(-order, abs=0.05)
    assert errors[-1] < (2e-2 if order == 1 else 1e-3)


def test_bases_of_several_letters():
    network = PauliNetwork.from_operators({name: SparsePauliOp(name) for name in ("XX", "ZY", "IZ", "XI")})
    terms = [term for group in network.groups for term in group.terms]
    coefficients = np.linspace(0.3, -0.9, len(terms))
    exact = lindblad(terms, coefficients, RATES, total_time=TIME)
    program = ramp(200).program(network.groups)
    np.testing.assert_allclose(evolve_densities(program, coefficients[None], RATES)[0], exact, atol=2e-4)


def aer_density(program, parameters, rates):
    """The same channels in the same circuit, on Aer."""
    circuit = QuantumCircuit(program.num_qubits)
    circuit.h(range(program.num_qubits))
    for layer in program.layers:
        parts = 2 if layer.duration else 1
        for part in range(parts):
            for _, string, source, scale, offset in program.rotations_of(layer):
                angle = 2 * (offset + (scale * parameters[source] if source >= 0 else 0.0)) / parts
                letters = "".join(letter for _, letter in string.factors).lower()
                getattr(circuit, f"r{letters}")(angle, *(qubit for qubit, _ in string.factors))
            if layer.duration and part == 0:
                kept = np.exp(-2 * rates.dephasing * layer.duration)
                damped = amplitude_damping_error(1 - np.exp(-rates.relaxation * layer.duration))
                channel = damped.compose(phase_damping_error(1 - kept)).to_instruction()
                for qubit in range(program.num_qubits):
                    circuit.append(channel, [qubit])
    circuit.save_density_matrix()
    return np.asarray(AerSimulator(method="density_matrix").run(circuit).result().data()["density_matrix"])


def test_aer_agrees_on_the_same_circuit():
    groups = qep.IsingNetwork(graph=qep.complete(3), outputs=(2,)).groups
    program = ramp(5, ramp="smoothstep").program(groups)
    row = np.random.default_rng(3).normal(size=program.num_parameters)
    np.testing.assert_allclose(
        evolve_densities(program, row[None], RATES)[0], aer_density(program, row, RATES), atol=1e-8
    )


def test_means_of_groups_are_those_of_the_density_matrix():
    program = ramp(6).program(GROUPS)
    states = qep.CircuitStates(program=program, parameters=np.random.default_rng(4).normal(size=(2, 5)))
    executor = qep.DecoherenceExecutor(qep.Seeds(0), RATES)
    matrices = executor.density_matrices(states)
    for index, group in enumerate(GROUPS):
        measurements = (qep.GroupMeasurement(group=group, states=np.arange(2), shots=None),)
        request = qep.Request(key=qep.RequestKey("test", index), prepared=states, measurements=measurements)
        found = executor.collect(executor.submit(request)).moments(0, group).means
        wanted = [[np.trace(rho @ pauli_matrix(str(term), 2)).real for term in group.terms] for rho in matrices]
        np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_what_is_refused():
    executor = qep.DecoherenceExecutor(qep.Seeds(0), RATES)
    states = qep.CircuitStates(program=qep.hardware_efficient(2, depth=1), parameters=np.zeros((1, 8)))
    with pytest.raises(ConfigError, match="no time passes in these circuits; use"):
        executor.density_matrices(states)
    wide = qep.IsingNetwork(graph=qep.chain(MOST_QUBITS + 1), outputs=(0,))
    program = ramp(1).program(wide.groups)
    states = qep.CircuitStates(program=program, parameters=np.zeros((1, program.num_parameters)))
    with pytest.raises(ResourceError, match="at most 10 qubits, got 11"):
        executor.density_matrices(states)
    with pytest.raises(ConfigError, match="dephasing: expected at least 0, got -1"):
        qep.DecoherenceRates(dephasing=-1.0)
