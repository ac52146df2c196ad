"""Programs whose parameters are weights, or that have none, are no ansatz."""

import numpy as np
import pytest

from qep_qiskit.ansatz import check_ansatz, hamiltonian_variational, hardware_efficient
from qep_qiskit.core.errors import AnsatzError
from qep_qiskit.core.program import LayerProgram
from qep_qiskit.network import IsingNetwork, chain
from qep_qiskit.preparation import AdiabaticPreparation

NETWORK = IsingNetwork(graph=chain(3), outputs=(2,))
WORDS = [str(word) for group in NETWORK.groups for word in group.terms]
RESERVED = [*WORDS, *(name for block in NETWORK.layout.blocks for name in block.names)]


def named(name):
    program = hardware_efficient(3, 0)
    return LayerProgram(
        groups=program.groups,
        initial=program.initial,
        layers=program.layers,
        parameter_names=(name, *program.parameter_names[1:]),
    )


def test_families_pass():
    check_ansatz(hamiltonian_variational(NETWORK.groups, 2), RESERVED)
    check_ansatz(hardware_efficient(3, 2), RESERVED)


def test_a_ramp_of_the_hamiltonian_is_refused():
    """Its parameters are the coefficients, so its gates contain the weights."""
    with pytest.raises(AnsatzError, match="free angles only, got the parameter 'Z0 Z1'") as caught:
        check_ansatz(AdiabaticPreparation(steps=3).program(NETWORK.groups), WORDS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["J[0,1]", "J_0_1", "J01", "h_2", "b[1]", "X0", "Z0_Z1"])
def test_names_of_weights_are_refused_whatever_their_punctuation(name):
    with pytest.raises(AnsatzError, match="named as"):
        check_ansatz(named(name), RESERVED)


@pytest.mark.parametrize("name", ["theta_0", "l0 Z0 Z1", "j_0_1", "J_0_9", "h"])
def test_other_names_pass(name):
    check_ansatz(named(name), RESERVED)


def test_no_parameters():
    zero = np.tile(np.array([1.0, 0.0], dtype=complex), (3, 1))
    program = LayerProgram(groups=NETWORK.groups, initial=zero, layers=(), parameter_names=())
    with pytest.raises(AnsatzError, match="expected at least one free angle, got none"):
        check_ansatz(program, RESERVED)
