"""The overlap of two states of one program, as one program: prepare the first, invert the second.

|<psi(b)|psi(a)>|^2 = |<0| U(b)^dagger U(a) |0>|^2 ,      |0> the initial product state of the program
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from qep_qiskit.ansatz.pauli_states import pauli_state
from qep_qiskit.core.errors import AnsatzError
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.program import CxLayer, Layer, LayerProgram


@dataclass(frozen=True, slots=True)
class InitialStateMeasurement:
    """The measurement of the probability of a program's initial product state.

    Args:
        group: Commuting group of the measurement basis, with one member for each qubit.
        outcome: The bit string of the initial state, bit k = qubit k.
    """

    group: CommutingGroup
    outcome: int


def overlap_program(program: LayerProgram) -> LayerProgram:
    """Build U(b)^dagger U(a) on the initial state of a program U.

    The probability of `initial_state_measurement`'s outcome is |<psi(b)|psi(a)>|^2.

    Args:
        program: The program, with P parameters.

    Returns:
        A program with 2 P parameters: first a, then b, each in the order of the given program.
    """
    backward = [_undone(layer, program.num_parameters) for layer in reversed(program.layers)]
    names = tuple(f"{side} {name}" for side in "ab" for name in program.parameter_names)
    return replace(program, layers=(*program.layers, *backward), parameter_names=names)


def _undone(layer: Layer | CxLayer, shift: int) -> Layer | CxLayer:
    """The inverse of a layer, with its parameter indices increased by `shift`."""
    if isinstance(layer, CxLayer):
        return layer.inverse
    source = np.where(layer.source >= 0, layer.source + shift, layer.source)
    return replace(layer, source=source, scale=-layer.scale, offset=-layer.offset)


def initial_state_measurement(program: LayerProgram) -> InitialStateMeasurement:
    """Return the measurement of a program's initial state.

    Raises:
        AnsatzError: The initial state of a qubit is not an eigenstate of X, Y or Z.
    """
    found = []
    for qubit, amplitudes in enumerate(program.initial):
        key = pauli_state(amplitudes)
        if key is None:
            raise AnsatzError(
                f"overlap: expected every qubit to start in an eigenstate of X, Y or Z, got qubit {qubit} in "
                f"({amplitudes[0]:.4g}, {amplitudes[1]:.4g}); start from |0> and make this state by a layer"
            )
        found.append(key)
    letters = "".join(letter for letter, _ in found)
    masks = tuple(1 << qubit for qubit in range(program.num_qubits))
    group = CommutingGroup(name="initial", basis=LocalBasis(letters), masks=masks)
    return InitialStateMeasurement(group=group, outcome=sum(bit << qubit for qubit, (_, bit) in enumerate(found)))
