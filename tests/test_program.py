"""Layer programs and their circuits against products of matrix exponentials."""

import numpy as np
import pytest
from qiskit.quantum_info import Operator, Statevector
from reference import kron_of_qubits, pauli_matrix, random_states, without_phase
from scipy.linalg import expm

from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.program import Layer, LayerProgram, lower, to_circuit_per_gate

SIZE = 3
GROUPS = (
    CommutingGroup(name="Z", basis=LocalBasis("ZZZ"), masks=(0b001, 0b110, 0b111)),
    CommutingGroup(name="X", basis=LocalBasis("XXX"), masks=(0b010, 0b101, 0b111)),
    CommutingGroup(name="YZX", basis=LocalBasis("YZX"), masks=(0b001, 0b011, 0b101, 0b111, 0b100)),
    CommutingGroup(name="YYX", basis=LocalBasis("YYX"), masks=(0b011, 0b110, 0b111)),
)
PLUS = np.full((SIZE, 2), np.sqrt(0.5), dtype=complex)


def random_layer(group, rng, num_parameters):
    count = GROUPS[group].num_terms
    return Layer(
        group=group,
        source=rng.integers(-1, num_parameters, count),
        scale=rng.normal(size=count),
        offset=rng.normal(size=count),
    )


def program_of(layers, initial=PLUS, num_parameters=12):
    names = tuple(f"p{i}" for i in range(num_parameters))
    return LayerProgram(groups=GROUPS, initial=initial, layers=tuple(layers), parameter_names=names)


def reference_state(layers, initial, parameters):
    state = kron_of_qubits(initial)
    for layer in layers:
        for a, word in enumerate(GROUPS[layer.group].terms):
            driven = parameters[layer.source[a]] * layer.scale[a] if layer.source[a] >= 0 else 0.0
            state = expm(-1j * (driven + layer.offset[a]) * pauli_matrix(word, SIZE)) @ state
    return state


def bound(circuit, values):
    return circuit.assign_parameters({p: values[p.index] for p in circuit.parameters})


@pytest.fixture
def random_program(rng):
    layers = [random_layer(group, rng, 12) for group in (0, 1, 2, 3, 0, 2, 1, 3)]
    initial = random_states(rng, SIZE, 2)
    return program_of(layers, initial), layers, initial


def test_circuit_is_the_product_of_exponentials(random_program, rng):
    program, layers, initial = random_program
    parameters = rng.normal(size=12)
    found = Statevector(bound(lower(program), parameters)).data
    expected = reference_state(layers, initial, parameters)
    assert np.allclose(without_phase(found), without_phase(expected), rtol=0, atol=1e-10)


def test_both_lowerings_are_the_same_unitary(random_program, rng):
    program, _, _ = random_program
    parameters = rng.normal(size=12)
    small = bound(lower(program), parameters)
    large = bound(to_circuit_per_gate(program), 2 * program.gate_angles(parameters))
    assert np.allclose(Operator(small).data, Operator(large).data, rtol=0, atol=1e-10)


@pytest.mark.parametrize("group", range(len(GROUPS)))
def test_every_word_of_a_layer_is_its_own_exponential(group, rng):
    layer = random_layer(group, rng, 12)
    parameters = rng.normal(size=12)
    found = Statevector(bound(lower(program_of([layer])), parameters)).data
    assert np.allclose(found, reference_state([layer], PLUS, parameters), rtol=0, atol=1e-10)


def test_parameters_keep_their_index_beyond_ten(random_program):
    circuit = lower(random_program[0])
    assert [p.name for p in circuit.parameters] == [f"p[{p.index}]" for p in circuit.parameters]
    assert [p.index for p in circuit.parameters] == sorted(p.index for p in circuit.parameters)
    gates = to_circuit_per_gate(random_program[0])
    assert [p.name for p in gates.parameters] == [f"g[{i}]" for i in range(gates.num_parameters)]


def test_gate_angles_of_a_batch(random_program, rng):
    program, _, _ = random_program
    parameters = rng.normal(size=(2, 5, 12))
    angles = program.gate_angles(parameters)
    assert angles.shape == (2, 5, sum(1 for _ in program.rotations()))
    assert np.allclose(angles[1, 3], program.gate_angles(parameters[1, 3]), rtol=0, atol=1e-12)


def test_neighbours_of_one_group_and_source_become_one_layer(rng):
    first, second, other = (random_layer(group, rng, 12) for group in (0, 0, 1))
    second = Layer(group=0, source=first.source, scale=second.scale, offset=second.offset)
    parameters = rng.normal(size=12)
    program = program_of([first, second, other, first])
    assert [layer.group for layer in program.layers] == [0, 1, 0]
    found = Statevector(bound(lower(program), parameters)).data
    expected = reference_state([first, second, other, first], PLUS, parameters)
    assert np.allclose(found, expected, rtol=0, atol=1e-10)


def test_neighbours_with_other_parameters_stay_apart(rng):
    first, second = random_layer(0, rng, 12), random_layer(0, rng, 12)
    second = Layer(group=0, source=(first.source + 2) % 12, scale=second.scale, offset=second.offset)
    assert len(program_of([first, second]).layers) == 2


def test_rotations_that_are_always_zero_are_left_out():
    nothing = Layer(group=0, source=np.array([-1, 2, 3]), scale=np.array([1.0, 0.0, 0.5]), offset=np.zeros(3))
    rotations = list(program_of([nothing]).rotations())
    assert [(str(word), source, scale) for _, word, source, scale, _ in rotations] == [("Z0 Z1 Z2", 3, 0.5)]


def test_angles_are_affine_in_the_parameters(rng):
    layer = random_layer(2, rng, 12)
    parameters = rng.normal(size=(4, 12))
    for row, angles in zip(parameters, layer.angles(parameters), strict=True):
        parts = zip(layer.source, layer.scale, layer.offset, strict=True)
        expected = [(row[source] * scale if source >= 0 else 0.0) + offset for source, scale, offset in parts]
        assert np.allclose(angles, expected, rtol=0, atol=1e-12)


R = np.sqrt(0.5)


@pytest.mark.parametrize(
    ("amplitudes", "gates"),
    [((1, 0), 0), ((0, 1), 1), ((R, R), 1), ((R, -R), 2), ((R, 1j * R), 2), ((0.6, 0.8), 2), ((0.8j, -0.6), 2)],
)
def test_initial_product_states(amplitudes, gates, rng):
    initial = np.array([(1, 0), amplitudes, (0, 1)], dtype=complex)
    circuit = lower(program_of([], initial))
    expected = kron_of_qubits(initial)
    assert np.allclose(without_phase(Statevector(circuit).data), without_phase(expected), rtol=0, atol=1e-10)
    assert circuit.size() <= gates + 1


def test_initial_states_near_a_basis_state_are_not_rounded_to_it():
    angle = 5e-7
    initial = np.array([(1, 0), (np.cos(angle), np.sin(angle)), (1, 0)], dtype=complex)
    found = without_phase(Statevector(lower(program_of([], initial))).data)
    assert np.allclose(found, kron_of_qubits(initial), rtol=0, atol=1e-10)


def test_program_without_rotations():
    program = program_of([])
    assert program.gate_angles(np.zeros((3, 12))).shape == (3, 0)
    assert to_circuit_per_gate(program).num_parameters == 0


@pytest.mark.parametrize("initial", [np.ones((SIZE, 2)), np.eye(2), np.full((2, 2), R)])
def test_initial_state_is_checked(initial):
    with pytest.raises(NetworkError, match="one normalised qubit state per qubit"):
        program_of([], np.asarray(initial, dtype=complex))
