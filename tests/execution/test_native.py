"""Networks cut from a device's couplings: connected, of small errors, without what is broken, and free of swaps."""

import numpy as np
import pytest
from cases import random_network
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.transpiler import InstructionProperties

from qep_qiskit.core.errors import ResourceError
from qep_qiskit.core.program import lower
from qep_qiskit.execution import place
from qep_qiskit.execution.aer import fake_device
from qep_qiskit.execution.native import native_couplings, native_qubits
from qep_qiskit.network import from_edges, heavy_hex_patch, square_patch
from qep_qiskit.preparation import AdiabaticPreparation

pytest.importorskip("qiskit_ibm_runtime")

STEPS = 3


def two_qubit_gates(circuit):
    return sum(len(instruction.qubits) == 2 for instruction in circuit.data)


def ramp(graph):
    network, _ = random_network(graph, np.random.default_rng(1))
    return AdiabaticPreparation(total_time=1.5, steps=STEPS).program(network.groups)


def small_device(edges, broken=(), bad=()):
    """Six qubits with an error of 1 % on every coupling, 40 % on the bad ones and 100 % on the broken ones."""
    both = [list(edge) for edge in edges] + [list(edge[::-1]) for edge in edges]
    found = GenericBackendV2(6, basis_gates=["cz", "rz", "sx", "x"], coupling_map=both, noise_info=True, seed=3)
    for edge in map(tuple, both):
        pair = tuple(sorted(edge))
        error = 1.0 if pair in broken else 0.4 if pair in bad else 0.01
        found.target.update_instruction_properties("cz", edge, InstructionProperties(error=error))
    for qubit in range(6):
        found.target.update_instruction_properties("measure", (qubit,), InstructionProperties(error=0.02))
    return found.target


LADDER = [(0, 1), (1, 2), (3, 4), (4, 5), (0, 3), (1, 4), (2, 5)]


def test_squares_close_and_bad_couplings_are_left_out():
    assert native_qubits(small_device(LADDER), 4) in {(0, 1, 3, 4), (1, 2, 4, 5)}
    assert native_qubits(small_device(LADDER, bad=[(0, 3)]), 4) == (1, 2, 4, 5)
    assert native_qubits(small_device(LADDER, bad=[(2, 5)]), 4) == (0, 1, 3, 4)


def test_what_is_broken_is_no_coupling():
    target = small_device(LADDER, broken=[(0, 1), (1, 4)])
    assert native_couplings(target, [0, 1, 3, 4]) == ((0, 2), (2, 3))
    assert native_couplings(target, [4, 3, 0]) == ((0, 1), (1, 2))
    apart = small_device(LADDER, broken=[(1, 2), (4, 5)])
    assert native_qubits(apart, 4) == (0, 1, 3, 4)
    with pytest.raises(ResourceError, match="no 5 connected qubits that work"):
        native_qubits(apart, 5)


def test_a_qubit_that_cannot_be_read_is_no_part():
    target = small_device(LADDER)
    target.update_instruction_properties("measure", (4,), InstructionProperties(error=0.5))
    assert 4 not in native_qubits(target, 5)
    with pytest.raises(ResourceError, match="has no qubit 4 that works"):
        native_couplings(target, [1, 4])
    with pytest.raises(ResourceError, match="has no qubit 17 that works"):
        native_couplings(target, [1, 17])


@pytest.mark.deep(but=["4-fake_torino", "9-fake_nighthawk", "14-fake_miami"])
@pytest.mark.parametrize("name", ["fake_torino", "fake_fez", "fake_miami", "fake_nighthawk"])
@pytest.mark.parametrize("size", [4, 9, 14])
def test_native_networks_need_no_swap(name, size):
    """Two cz for every coupling of every layer, on the very qubits of the patch; second order: a layer more."""
    device = fake_device(name, size)
    qubits = native_qubits(device.target, size)
    edges = native_couplings(device.target, qubits)
    assert len(edges) >= size - 1
    program = ramp(from_edges(size, edges))
    for seed in (1, 2):
        transpiled_program = place(program, device, optimization_level=3, seed=seed, layout=qubits, synthesis=lower)
        assert transpiled_program.outputs == qubits
        assert two_qubit_gates(transpiled_program.circuit) == 2 * (STEPS + 1) * len(edges)


@pytest.mark.deep(but=["4-fake_fez-heavy_hex_patch", "9-fake_miami-square_patch", "14-fake_torino-heavy_hex_patch"])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("fake_torino", heavy_hex_patch),
        ("fake_fez", heavy_hex_patch),
        ("fake_miami", square_patch),
        ("fake_nighthawk", square_patch),
    ],
)
@pytest.mark.parametrize("size", [4, 9, 14])
def test_patches_of_its_lattice_are_found_on_a_device_without_a_swap(name, make, size):
    graph = make(size)
    device = fake_device(name, size)
    first, again = (place(ramp(graph), device, optimization_level=3, seed=1, synthesis=lower) for _ in range(2))
    assert two_qubit_gates(first.circuit) == 2 * (STEPS + 1) * len(graph.edges)
    assert first.outputs == again.outputs
