"""Programs on part of a device: the same unitary, the same qubits in every group, the device's own errors."""

import numpy as np
import pytest
from cases import random_network
from gate_binding import bind_gates
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import Statevector
from qiskit.transpiler import InstructionProperties

from qep_qiskit.core.errors import ResourceError
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.program import to_circuit_per_gate
from qep_qiskit.execution import cut_to_active_qubits, place
from qep_qiskit.execution.circuits import gate_values
from qep_qiskit.network import chain, complete, from_edges
from qep_qiskit.preparation import AdiabaticPreparation

GRAPHS = {"chain": chain(4), "complete": complete(4), "apart": from_edges(4, [(0, 3), (1, 2)]), "single": chain(1)}
every_graph = pytest.mark.parametrize("name", GRAPHS)


def device(num_qubits=7):
    """A line of qubits, each with errors of its own."""
    line = [[k, k + 1] for k in range(num_qubits - 1)] + [[k + 1, k] for k in range(num_qubits - 1)]
    return GenericBackendV2(num_qubits, coupling_map=line, noise_info=True, seed=5)


def ramp(name, rng):
    network, weights = random_network(GRAPHS[name], rng)
    program = AdiabaticPreparation(total_time=1.5, steps=3).program(network.groups)
    return network.groups, program, gate_values(program, network.coefficients(weights, np.zeros((1, 0))))


def bound(circuit, values):
    return circuit.assign_parameters(dict(zip(circuit.parameters, bind_gates(circuit, values)[0], strict=True)))


def probabilities(circuit):
    """Of what is read, from the gates and measurements of a circuit."""
    bare = circuit.remove_final_measurements(inplace=False)
    read = {circuit.find_bit(i.clbits[0]).index: circuit.find_bit(i.qubits[0]).index for i in measurements(circuit)}
    return Statevector(bare).probabilities([read[bit] for bit in sorted(read)])


def measurements(circuit):
    return [instruction for instruction in circuit.data if instruction.operation.name == "measure"]


def read_qubits(circuit):
    return [circuit.find_bit(instruction.qubits[0]).index for instruction in measurements(circuit)]


def two_qubit_gates(circuit):
    return sum(len(instruction.qubits) == 2 for instruction in circuit.data if instruction.operation.name != "barrier")


@every_graph
@pytest.mark.parametrize("level", [1, 3])
def test_a_placed_program_reads_like_the_program(name, level, rng):
    groups, program, values = ramp(name, rng)
    plain = bound(to_circuit_per_gate(program), values)
    for transpiled_program in (
        place(program, None),
        cut_to_active_qubits(place(program, device(), optimization_level=level)),
    ):
        for group in groups:
            rotated = group.basis.rotate(Statevector(plain).data)
            found = probabilities(bound(transpiled_program.measured(group), values))
            assert np.allclose(found, np.abs(rotated) ** 2, rtol=0, atol=1e-9)


@every_graph
def test_all_groups_and_the_calibration_read_the_same_qubits(name, rng):
    groups, program, _ = ramp(name, rng)
    odd = CommutingGroup(name="Y", basis=LocalBasis("Y" * program.num_qubits), masks=(1,))
    for transpiled_program in (
        place(program, device()),
        cut_to_active_qubits(place(program, device(), optimization_level=3)),
    ):
        circuits = [transpiled_program.measured(group) for group in (*groups, odd)]
        assert {tuple(read_qubits(c)) for c in (*circuits, *transpiled_program.calibration())} == {
            transpiled_program.outputs
        }
        assert {two_qubit_gates(c) for c in circuits} == {two_qubit_gates(transpiled_program.circuit)}


@every_graph
def test_calibration_reads_all_0_and_all_1(name, rng):
    _, program, _ = ramp(name, rng)
    zeros, ones = cut_to_active_qubits(place(program, device(), optimization_level=3)).calibration()
    assert probabilities(zeros)[0] == pytest.approx(1.0)
    assert probabilities(ones)[-1] == pytest.approx(1.0)


@every_graph
def test_a_cut_device_has_the_errors_of_its_qubits(name, rng):
    _, program, _ = ramp(name, rng)
    whole = device()
    cut = cut_to_active_qubits(place(program, whole, optimization_level=3))
    assert len(cut.device_qubits) == cut.circuit.num_qubits == cut.backend.num_qubits
    for name in cut.backend.target.operation_names:
        for where, found in cut.backend.target[name].items():
            on_device = tuple(cut.device_qubits[qubit] for qubit in where)
            assert found == whole.target[name][on_device]
    kept = {tuple(cut.device_qubits[q] for q in edge) for edge in (cut.backend.coupling_map or [])}
    assert kept == {e for e in whole.coupling_map.get_edges() if set(e) <= set(cut.device_qubits)}
    for place_, qubit in enumerate(cut.device_qubits):
        found, expected = cut.backend.target.qubit_properties[place_], whole.target.qubit_properties[qubit]
        assert (found.t1, found.t2, found.frequency) == (expected.t1, expected.t2, expected.frequency)


def test_a_chain_takes_no_swaps_and_avoids_the_worst_coupling(rng):
    """Three spins on a line of four qubits: the end with the bad gate is left out."""
    whole = device(4)
    for edge in ((0, 1), (1, 0)):
        whole.target.update_instruction_properties("cx", edge, InstructionProperties(error=0.4))
    network, _ = random_network(chain(3), rng)
    program = AdiabaticPreparation(steps=4).program(network.groups)
    cut = cut_to_active_qubits(place(program, whole, optimization_level=3))
    assert cut.device_qubits == (1, 2, 3)
    assert two_qubit_gates(cut.circuit) == 2 * 2 * (4 + 1)  # two couplings, two CX each, half steps at the ends


def test_a_device_that_is_too_small(rng):
    _, program, _ = ramp("chain", rng)
    with pytest.raises(ResourceError, match="has 3 qubits, the network needs 4"):
        place(program, device(3))
