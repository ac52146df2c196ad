"""Compute-uncompute against overlaps of vectors, in probabilities and in shots."""

from dataclasses import replace

import numpy as np
import pytest
from chi_square import LIMIT, counts_p_value
from qiskit.quantum_info import Statevector
from reference import random_states

from qep_qiskit.ansatz import hamiltonian_variational, hardware_efficient, initial_state_measurement, overlap_program
from qep_qiskit.core.errors import AnsatzError
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.program import CxLayer, Layer, LayerProgram
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.evolution import evolve
from qep_qiskit.execution import GroupMeasurement, Request, RequestKey, StatevectorExecutor
from qep_qiskit.outcomes.states import CircuitStates

R = np.sqrt(0.5)
EIGENSTATES = {
    "Z0": (1, 0),
    "Z1": (0, 1j),
    "X0": (R, R),
    "X1": (-R, R),
    "Y0": (R, 1j * R),
    "Y1": (0.5 + 0.5j, 0.5 - 0.5j),
}
GROUPS = (
    CommutingGroup(name="Z", basis=LocalBasis("ZZZ"), masks=(0b011, 0b110, 0b001)),
    CommutingGroup(name="XYX", basis=LocalBasis("XYX"), masks=(0b001, 0b011, 0b100)),
)


def mixed_program(initial, rng):
    """Fixed and free angles in two groups, with CX gates between."""
    layers = []
    for group in (0, 1, 0, 1):
        source = rng.integers(-1, 5, 3)
        layers.append(Layer(group=group, source=source, scale=rng.normal(size=3), offset=rng.normal(size=3)))
    layers.insert(2, CxLayer(((0, 1), (1, 2))))
    names = tuple(f"p{i}" for i in range(5))
    return LayerProgram(groups=GROUPS, initial=initial, layers=tuple(layers), parameter_names=names)


def programs(rng):
    starts = [[EIGENSTATES[key] for key in keys] for keys in (("Y1", "X1", "Z1"), ("X0", "Y0", "Z0"))]
    mixed = [mixed_program(np.array(start, dtype=complex), rng) for start in starts]
    return [*mixed, hamiltonian_variational(GROUPS, 2), hardware_efficient(3, 2)]


def outcomes_of(program, both, shots):
    """Weights of the outcome that means the initial state, and of all outcomes."""
    reading = initial_state_measurement(program)
    request = Request(
        key=RequestKey("overlap", 0),
        prepared=CircuitStates(program=overlap_program(program), parameters=both),
        measurements=(GroupMeasurement(group=reading.group, states=np.arange(len(both)), shots=shots),),
    )
    executor = StatevectorExecutor(Seeds(4))
    weights = executor.collect(executor.submit(request)).outcomes[0].weights
    return weights[:, reading.outcome], weights


@pytest.mark.parametrize("which", range(4))
def test_probability_of_the_start_is_the_overlap_of_vectors(which, rng):
    program = programs(rng)[which]
    first, second = rng.normal(size=(2, 4, program.num_parameters))
    expected = np.abs(np.einsum("sx,sx->s", evolve(program, second).conj(), evolve(program, first))) ** 2
    found, _ = outcomes_of(program, np.hstack([first, second]), None)
    assert np.abs(found - expected).max() < 1e-10
    same, _ = outcomes_of(program, np.hstack([first, first]), None)
    assert np.abs(same - 1.0).max() < 1e-10


@pytest.mark.parametrize("which", range(4))
def test_shots_of_the_start_follow_the_overlap(which, rng):
    program = programs(rng)[which]
    first = rng.normal(size=(3, program.num_parameters))
    second = first + 0.2 * rng.normal(size=first.shape)
    expected = np.abs(np.einsum("sx,sx->s", evolve(program, second).conj(), evolve(program, first))) ** 2
    found, _ = outcomes_of(program, np.hstack([first, second]), 3000)
    for count, probability in zip(found, expected, strict=True):
        assert counts_p_value([count, 3000 - count], [probability, 1 - probability]) > LIMIT


def test_first_come_the_parameters_of_the_ket(rng):
    program = hamiltonian_variational(GROUPS, 1)
    both = overlap_program(program)
    assert both.num_parameters == 12
    assert (both.parameter_names[0], both.parameter_names[6]) == ("a l0 Z0 Z1", "b l0 Z0 Z1")
    parameters = rng.normal(size=(2, 6))
    forward = evolve(both, np.hstack([parameters, np.zeros((2, 6))]))
    assert np.abs(forward - evolve(program, parameters)).max() < 1e-10


@pytest.mark.parametrize("first", EIGENSTATES)
@pytest.mark.parametrize("second", EIGENSTATES)
def test_the_start_is_found_with_certainty(first, second):
    """The basis change of the circuits themselves, on every pair of eigenstates."""
    initial = np.array([EIGENSTATES[first], EIGENSTATES[second], EIGENSTATES["Z1"]], dtype=complex)
    program = replace(hamiltonian_variational(GROUPS, 1), initial=initial)
    reading = initial_state_measurement(program)
    assert reading.group.basis.letters == first[0] + second[0] + "Z"
    assert reading.outcome == int(first[1]) + 2 * int(second[1]) + 4
    assert reading.group.masks == (1, 2, 4)
    product = np.kron(initial[2], np.kron(initial[1], initial[0]))
    rotated = reading.group.basis.rotate(Statevector(product).data)
    assert abs(rotated[reading.outcome]) == pytest.approx(1.0, abs=1e-12)


def test_other_starts_are_refused(rng):
    program = replace(hardware_efficient(3, 1), initial=random_states(rng, 3, 2))
    with pytest.raises(AnsatzError, match=r"eigenstate of X, Y or Z, got qubit 0 in \(") as caught:
        initial_state_measurement(program)
    assert "\n" not in str(caught.value)
