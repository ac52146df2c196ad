"""Groups of bases on several qubits as layers, in exact states, in measured circuits and in jobs."""

import numpy as np
import pytest
from bases_cases import mixed_groups, program_in
from gate_binding import bind_gates
from planned_runs import Shelf
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import Statevector

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.program import lower, to_circuit_per_gate
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.device.pubs import DeviceCircuits
from qep_qiskit.evolution import energy_and_gradient, evolve
from qep_qiskit.execution import GroupMeasurement, Request, RequestKey, SamplerExecutor
from qep_qiskit.execution.aer import AerExecutor
from qep_qiskit.execution.circuits import gate_values, transpile_on
from qep_qiskit.measurement import ReadoutMitigation, measure, mitigated, run_measurements
from qep_qiskit.outcomes.known_states import VectorStates
from qep_qiskit.outcomes.states import CircuitStates
from qep_qiskit.preparation.matrix_free import MatrixFree
from qep_qiskit.preparation.spectra import dense_hamiltonians

every_kind = pytest.mark.parametrize("kind", ["Clifford", "Fourier"])


@pytest.fixture
def groups(kind, rng):
    return mixed_groups(rng, kind)


@pytest.fixture
def states(groups, rng):
    program = program_in(groups, rng)
    return CircuitStates(program=program, parameters=rng.normal(size=(3, program.num_parameters)))


def line():
    couplings = [[k, k + 1] for k in range(5)] + [[k + 1, k] for k in range(5)]
    return GenericBackendV2(6, coupling_map=couplings, noise_info=False, seed=5)


def probabilities(circuit):
    """Of what is read, bit k = classical bit k."""
    reads = [step for step in circuit.data if step.operation.name == "measure"]
    read = {circuit.find_bit(s.clbits[0]).index: circuit.find_bit(s.qubits[0]).index for s in reads}
    return Statevector(circuit.remove_final_measurements(inplace=False)).probabilities([read[k] for k in sorted(read)])


@every_kind
@pytest.mark.parametrize("shared", [True, False], ids=["shared angles", "own angles"])
def test_engine_equals_aer_and_the_lowered_circuits(states, shared):
    parameters = np.repeat(states.parameters[:1], 3, axis=0) if shared else states.parameters
    found = evolve(states.program, parameters)
    aer = AerExecutor(Seeds(0)).vectors(CircuitStates(program=states.program, parameters=parameters))
    phases = np.einsum("sx,sx->s", found.conj(), aer)  # a random product state is prepared up to its phase
    assert np.abs(found * phases[:, None] - aer).max() < 1e-10
    expected = Statevector(lower(states.program).assign_parameters(parameters[0])).data
    assert np.abs(aer[0] - expected).max() < 1e-10
    per_gate = to_circuit_per_gate(states.program)
    values = bind_gates(per_gate, gate_values(states.program, parameters[:1]))[0]
    assert np.abs(Statevector(per_gate.assign_parameters(values)).data - aer[0]).max() < 1e-10


@every_kind
def test_adjoint_gradient_equals_differences(states, groups, rng):
    coefficients = rng.normal(size=(3, sum(group.num_terms for group in groups)))
    energies, gradient = energy_and_gradient(states.program, states.parameters, groups, coefficients)
    vectors = evolve(states.program, states.parameters)
    matrices = dense_hamiltonians(groups, coefficients)
    assert energies == pytest.approx(np.einsum("sx,sxy,sy->s", vectors.conj(), matrices, vectors).real, abs=1e-10)
    step = 1e-5
    for index in range(states.program.num_parameters):
        shift = step * np.eye(states.program.num_parameters)[index]
        high, low = (
            energy_and_gradient(states.program, states.parameters + s, groups, coefficients)[0] for s in (shift, -shift)
        )
        assert (high - low) / (2 * step) == pytest.approx(gradient[:, index], abs=2e-8)


@every_kind
def test_hamiltonian_is_the_sum_of_the_groups_operators(groups, rng):
    sizes = [group.num_terms for group in groups]
    coefficients = rng.normal(size=sum(sizes))
    parts = np.split(coefficients, np.cumsum(sizes)[:-1])
    expected = sum(group.operator(part).to_matrix() for group, part in zip(groups, parts, strict=True))
    assert np.allclose(dense_hamiltonians(groups, coefficients[None])[0], expected, rtol=0, atol=1e-12)
    vector = rng.normal(size=16)
    assert np.allclose(
        MatrixFree.of(groups, coefficients[None]).apply(vector[None])[0], expected @ vector, rtol=0, atol=1e-12
    )


@every_kind
def test_placed_circuits_read_like_the_vectors(states, groups):
    """A basis with two-qubit gates is routed on from where the program ends."""
    vectors = evolve(states.program, states.parameters)
    for place in (transpile_on(None, Seeds(0), 1), transpile_on(line(), Seeds(0), 2)):
        transpiled_program = place(states.program)
        values = gate_values(states.program, states.parameters[:1])
        for group in groups:
            circuit = transpiled_program.measured(group)
            bound = circuit.assign_parameters(bind_gates(circuit, values)[0])
            expected = np.abs(group.basis.rotate(vectors[:1])[0]) ** 2
            assert probabilities(bound) == pytest.approx(expected, abs=1e-8)
    target = line().target
    assert all(
        target.instruction_supported(s.operation.name, [bound.find_bit(q).index for q in s.qubits])
        for s in bound.data
        if s.operation.name not in ("barrier", "measure")
    )


@pytest.mark.filterwarnings("ignore:Qiskit backend:UserWarning")
@every_kind
def test_executors_give_the_means_of_the_generators(states, groups):
    """Signs of generators and all: exact from vectors, within four sigmas from a sampler."""
    vectors = evolve(states.program, states.parameters)
    expected = np.concatenate([group.expectations(vectors) for group in groups], axis=1)
    found = {}
    for name, executor, shots in (
        ("vectors", AerExecutor(Seeds(0)), None),
        ("sampler", SamplerExecutor(line(), Seeds(3), optimization_level=1), 2000),
    ):
        key = RequestKey("train", 0)
        work = measure(groups, states, shape=(3, 1), phases={g: [0] for g in range(3)}, shots=[shots] * 3, key=key)
        found[name], _ = run_measurements(work, executor)
    assert found["vectors"].means[:, 0] == pytest.approx(expected, abs=1e-10)
    sigma = np.sqrt(np.maximum(np.diagonal(found["sampler"].covariance[:, 0], axis1=1, axis2=2), 1e-4))
    assert np.abs((found["sampler"].means[:, 0] - expected) / sigma).max() < 4.5


def test_covariances_carry_the_signs(rng):
    """Those of exact probabilities, drawn often, against <P_a P_b> - <P_a><P_b>."""
    group = mixed_groups(rng, "Clifford")[0]
    assert group.signs is not None
    state = rng.normal(size=(1, 16)) + 1j * rng.normal(size=(1, 16))
    state /= np.linalg.norm(state)
    shots = 400_000
    measurement = GroupMeasurement(group=group, states=np.array([0]), shots=shots)
    prepared = VectorStates(vectors=state, energies=np.zeros(1), gaps=np.ones(1))
    executor = AerExecutor(Seeds(1))
    request = Request(key=RequestKey("train", 0), prepared=prepared, measurements=(measurement,))
    found = executor.collect(executor.submit(request)).outcomes[0].moments(group)
    matrices = [group.operator(row).to_matrix() for row in np.eye(group.num_terms)]
    products = [[np.vdot(state[0], a @ b @ state[0]).real for b in matrices] for a in matrices]
    means = group.expectations(state)[0]
    assert found.covariance[0] * shots == pytest.approx(np.array(products) - np.outer(means, means), abs=0.02)


@every_kind
def test_a_job_has_a_pub_for_every_basis_of_its_own(states, groups):
    measurements = tuple(GroupMeasurement(group=group, states=np.array([0, 2]), shots=10) for group in groups)
    request = Request(key=RequestKey("train", 0), prepared=states, measurements=measurements)
    (job,) = DeviceCircuits(line(), Seeds(1), Shelf()).jobs_of_any_size(request)
    assert [pub.num_circuits for pub in job.pubs] == [2, 4]
    vectors = evolve(states.program, states.parameters)
    rows = [(pub.circuit, row) for pub in job.pubs for row in pub.values.reshape(-1, pub.values.shape[-1])]
    for measurement, own in zip(measurements, job.rows, strict=True):
        for state, row in zip(measurement.states, own, strict=True):
            circuit, values = rows[row]
            expected = np.abs(measurement.group.basis.rotate(vectors[state][None])[0]) ** 2
            assert probabilities(circuit.assign_parameters(values)) == pytest.approx(expected, abs=1e-8)


@every_kind
def test_readout_mitigation_says_that_it_knows_single_qubits_only(states, groups):
    phases = {g: [0] for g in range(3)}
    work = measure(groups, states, shape=(3, 1), phases=phases, shots=[100] * 3, key=RequestKey("train", 0))
    with pytest.raises(ConfigError, match=r"execution\.mitigation\.readout: the basis of group g0 has two-qubit gates"):
        run_measurements(mitigated(work, ReadoutMitigation()), AerExecutor(Seeds(0)))


@every_kind
def test_fingerprints_know_the_basis(states, rng, kind):
    again = program_in(mixed_groups(rng, kind), rng)
    assert again.fingerprint != states.program.fingerprint
