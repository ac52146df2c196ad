"""Fractional gates: the same unitary whatever the angles, every rzz in its range, and half the two-qubit gates."""

from dataclasses import replace

import numpy as np
import pytest
from cases import random_network
from chi_square import LIMIT, counts_p_value
from ibm_requests import STATES, ramp_request
from planned_runs import Shelf
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import Operator, Statevector

from qep_qiskit.core.program import lower
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.device.pubs import DeviceCircuits
from qep_qiskit.execution import GroupMeasurement, Request, RequestKey, place
from qep_qiskit.execution.aer import AerExecutor, device_executor, fake_device
from qep_qiskit.execution.device_snapshot import description_of, device_of_description
from qep_qiskit.execution.fractional import FractionalProgram, bounds_rzz, in_range
from qep_qiskit.execution.on_device import fractional_device, is_fractional, offers_fractional_gates, plain_device
from qep_qiskit.execution.transpilation import TranspiledProgram, cut_to_active_qubits
from qep_qiskit.network import chain, ring
from qep_qiskit.outcomes.states import CircuitStates
from qep_qiskit.preparation import AdiabaticPreparation

pytest.importorskip("qiskit_ibm_runtime")

HALF = np.pi / 2
EDGES = [0.0, -0.0, 1e-15, -1e-15, HALF, -HALF, HALF + 1e-15, np.pi, -np.pi, 3 * HALF, 2 * np.pi, -5 * HALF]


def rzz(angle):
    circuit = QuantumCircuit(2)
    circuit.rzz(angle, 0, 1)
    return Operator(circuit).data


def same_up_to_a_phase(one, other):
    return abs(abs(np.vdot(one, other)) - np.linalg.norm(one) * np.linalg.norm(other)) < 1e-10


def test_every_angle_is_folded(rng):
    angles = np.array([*EDGES, *rng.uniform(-20, 20, 200)])
    sizes, signs, turns = in_range(angles)
    assert ((sizes >= 0) & (sizes <= HALF)).all()
    x, z = np.kron(np.eye(2), [[0, 1], [1, 0]]), np.diag([1, -1, -1, 1])
    for angle, size, sign, turn in zip(angles, sizes, signs, turns, strict=True):
        flip = np.linalg.matrix_power(x, sign)
        found = flip @ rzz(size) @ flip @ np.linalg.matrix_power(z, turn)
        assert same_up_to_a_phase(found, rzz(angle))


def test_rounding_does_not_turn_a_sign():
    """The same work on another machine finds the same signs where angles are zero, or a quarter turn."""
    for angle in (0.0, HALF, -HALF):
        near = angle + np.array([-2e-16, 0.0, 2e-16])
        assert all(len(set(found.tolist())) == 1 for found in in_range(near)[1:])


def circuit_of_all_kinds():
    """Multiples of either sign, sums, constants; a parameter that other gates have too."""
    p = ParameterVector("p", 4)
    circuit = QuantumCircuit(3)
    circuit.h([0, 1, 2])
    circuit.rzz(p[0] * 0.3, 0, 1)
    circuit.rzz(-p[0] * 0.5, 1, 2)
    circuit.rx(p[0], 0)
    circuit.rzz(p[1] + 0.4, 0, 2)
    circuit.rzz(p[2] * 2 - p[1], 1, 2)
    circuit.rzz(-1.1, 0, 1)
    circuit.ry(p[3], 2)
    circuit.rzz(p[0] * 0.7, 2, 0)
    return circuit


@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0, 30.0])
@pytest.mark.parametrize("signs", ["mixed", "equal"])
def test_a_fitted_circuit_is_the_same_unitary_for_all_its_bindings(scale, signs, rng):
    circuit = circuit_of_all_kinds()
    values = rng.normal(size=(7, 4)) * scale
    values = values if signs == "mixed" else np.abs(values) * np.array([1, -1, -1, 1])
    program = FractionalProgram(
        TranspiledProgram(circuit=circuit, outputs=(0, 1, 2), backend=None, device_qubits=(0, 1, 2))
    )
    fit, columns = program.fit([f"p[{index}]" for index in range(4)], values)
    fitted = program.fitted(fit).circuit
    assert program.fitted(fit).circuit is fitted
    for row in range(len(values)):
        bound = fitted.assign_parameters({found: columns[found.name][row] for found in fitted.parameters})
        angles = [step.operation.params[0] for step in bound.data if step.operation.name == "rzz"]
        assert len(angles) == 6
        assert all(0 <= angle <= HALF for angle in angles)
        expected = Operator(circuit.assign_parameters(values[row])).data
        assert same_up_to_a_phase(Operator(bound).data, expected)


def test_a_ramp_keeps_its_small_vector(rng):
    """A size for every coupling in place of its coefficient, however many layers there are; a sign where it differs."""
    network, _ = random_network(chain(3), rng)
    device = fractional_device(fake_device("fake_kingston", 3))
    sizes = []
    for steps in (2, 9):
        program = AdiabaticPreparation(total_time=1.0, steps=steps).program(network.groups)
        fractional = FractionalProgram(place(program, device, optimization_level=3, synthesis=lower))
        names = [f"p[{index}]" for index in range(program.num_parameters)]
        for mixed in (False, True):
            values = np.ones((4, program.num_parameters))
            values[0] = -1 if mixed else 1
            fit, _ = fractional.fit(names, values)
            sizes.append(fractional.fitted(fit).circuit.num_parameters - program.num_parameters)
    assert sizes == [0, 2, 0, 2]


def test_devices_that_have_fractional_gates():
    offers = {name: offers_fractional_gates(fake_device(name, 2)) for name in ("fake_torino", "fake_fez", "fake_miami")}
    assert offers == {"fake_torino": False, "fake_fez": True, "fake_miami": False}
    whole = fractional_device(fake_device("fake_fez", 2))
    assert is_fractional(whole)
    assert not offers_fractional_gates(whole)
    assert len(whole.target["rzz"]) == 254  # of 352: where the snapshot has no calibration there is no gate
    properties = fake_device("fake_fez", 2).properties().gate_property("rzz")
    for where, found in whole.target["rzz"].items():
        assert found.error == properties[where]["gate_error"][0] < 1
        assert found.duration == properties[where]["gate_length"][0]
    assert not is_fractional(plain_device(whole))
    kept = device_of_description(description_of(whole))
    assert kept.target.gate_has_angle_bounds("rzz")
    assert {where: repr(found) for where, found in kept.target["rzz"].items()} == {
        where: repr(found) for where, found in whole.target["rzz"].items()
    }


@pytest.mark.deep(but=["chain-1.5"])
@pytest.mark.parametrize("total_time", [1.5, 12.0])
@pytest.mark.parametrize("graph", [chain(3), ring(3)], ids=["chain", "ring"])
def test_pubs_prepare_the_states_and_stay_in_range(graph, total_time, rng):
    """In few long steps angles leave [-pi/2, pi/2]; a ring needs swaps."""
    network, weights = random_network(graph, rng)
    program = AdiabaticPreparation(total_time=total_time, steps=2).program(network.groups)
    rows = network.coefficients(3 * weights, np.zeros((1, 0))) * np.array([[1.0], [-1.0], [0.4]])
    prepared = CircuitStates(program=program, parameters=rows)
    measurements = tuple(GroupMeasurement(group=group, states=np.arange(3), shots=10) for group in network.groups)
    device = fractional_device(fake_device("fake_kingston", 3))
    circuits = DeviceCircuits(device, Seeds(1), Shelf())
    assert bounds_rzz(circuits.transpiled_program(program))
    (job,) = circuits.jobs_of_any_size(
        Request(key=RequestKey("train", 0), prepared=prepared, measurements=measurements)
    )
    (pub,) = job.pubs
    vectors = AerExecutor(Seeds(0)).vectors(prepared)
    flat = pub.values.reshape(-1, pub.values.shape[-1])
    for measurement, positions in zip(measurements, job.rows, strict=True):
        for state, row in enumerate(positions):
            bound = pub.circuit.assign_parameters(flat[row])
            angles = [step.operation.params[0] for step in bound.data if step.operation.name == "rzz"]
            assert all(0 <= angle <= HALF for angle in angles)
            expected = np.abs(measurement.group.basis.rotate(vectors[state][None])[0]) ** 2
            assert read(bound) == pytest.approx(expected, abs=1e-9)


def read(circuit):
    """Probabilities of what a circuit reads; only the qubits in use are simulated."""
    reads = {circuit.find_bit(s.clbits[0]).index: s.qubits[0] for s in circuit.data if s.operation.name == "measure"}
    bare = circuit.remove_final_measurements(inplace=False)
    used = sorted({bare.find_bit(q).index for step in bare.data for q in step.qubits if step.name != "barrier"})
    used = sorted({*used, *(circuit.find_bit(qubit).index for qubit in reads.values())})
    small = QuantumCircuit(len(used))
    for step in bare.data:
        if step.operation.name != "barrier":
            small.append(step.operation, [used.index(bare.find_bit(qubit).index) for qubit in step.qubits])
    return Statevector(small).probabilities([used.index(circuit.find_bit(reads[bit]).index) for bit in sorted(reads)])


@pytest.mark.deep
def test_a_state_runs_the_same_way_whatever_comes_with_it(rng):
    """States of other signs beside it change nothing: a run that goes on from a checkpoint meets other neighbours."""
    network, weights = random_network(chain(3), rng)
    program = AdiabaticPreparation(total_time=4.0, steps=6).program(network.groups)
    rows = network.coefficients(weights, np.zeros((1, 0))) * np.array([[1.0], [-1.0], [0.5]])
    device = fractional_device(fake_device("fake_kingston", 3))

    def run(states, shots):
        executor = device_executor(device, Seeds(2), measured_circuits=shots is not None)
        measurement = GroupMeasurement(group=network.groups[0], states=np.arange(len(states)), shots=shots)
        prepared = CircuitStates(program=program, parameters=rows[states])
        request = Request(key=RequestKey("train", 0), prepared=prepared, measurements=(measurement,))
        return executor.collect(executor.submit(request)).outcomes[0]

    together = run([0, 1, 2], None).weights
    assert np.abs(together[0] - together[1]).max() > 0.05
    for state in range(3):
        assert run([state], None).weights[0] == pytest.approx(together[state], rel=1e-12)
    for bits, expected in zip(run([0, 1, 2], 4000).bits[..., 0], together, strict=True):
        assert counts_p_value(np.bincount(bits, minlength=8), expected) > LIMIT


def test_fractional_gates_halve_the_two_qubit_gates(rng):
    network, _ = random_network(chain(4), rng)
    program = AdiabaticPreparation(total_time=1.5, steps=5).program(network.groups)
    plain = fake_device("fake_kingston", 4)
    gates = [
        sum(len(step.qubits) == 2 for step in place(program, device, optimization_level=3).circuit.data)
        for device in (plain, fractional_device(plain))
    ]
    assert gates == [2 * 6 * 3, 6 * 3]


def test_a_cut_device_keeps_the_range(rng):
    network, _ = random_network(chain(3), rng)
    program = AdiabaticPreparation(total_time=1.5, steps=2).program(network.groups)
    transpiled_program = place(program, fractional_device(fake_device("fake_kingston", 3)), optimization_level=3)
    assert bounds_rzz(cut_to_active_qubits(transpiled_program))
    assert not bounds_rzz(place(program, fake_device("fake_kingston", 3), optimization_level=3))


def test_resubmitted_work_is_the_same_job():
    device = fractional_device(fake_device("fake_kingston", 3))
    store = Shelf()
    first, again = (DeviceCircuits(device, Seeds(1), store).jobs_of_any_size(ramp_request())[0] for _ in range(2))
    assert first.circuit_digest() == again.circuit_digest()
    assert np.array_equal(first.pubs[0].values, again.pubs[0].values)
    assert first.num_circuits == 2 * STATES
    other = replace(ramp_request(), key=RequestKey("train", 1))
    assert DeviceCircuits(device, Seeds(1), store).jobs_of_any_size(other)[0].digest == first.digest
