"""Circuit layers that serve several changes of basis, with the basis as parameters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from qep_qiskit.core.operators import Basis, LocalBasis


def basis_layer(bases: Sequence[Basis]) -> tuple[QuantumCircuit, NDArray[np.float64]]:
    """Build one layer that rotates any of some bases to Z, with the angles ``basis`` as parameters.

    X needs ry(-pi/2) and Y needs rx(pi/2). Qubits that rotate in the same bases share a parameter; those that rotate in
    all or none have none. A basis that acts on several qubits has a layer of its own.

    Returns:
        The circuit, and the angles in radians, shape (bases, parameters).
    """
    letters = [basis.letters for basis in bases if isinstance(basis, LocalBasis)]
    if len(letters) < len(bases):
        circuit = QuantumCircuit(bases[0].num_qubits, name="own_basis")
        bases[0].append_to(circuit)
        return circuit, np.zeros((len(bases), 0))
    turns = {"X": ("ry", -np.pi / 2), "Y": ("rx", np.pi / 2)}
    wanted = {
        (qubit, letter): tuple(own[qubit] == letter for own in letters)
        for qubit in range(bases[0].num_qubits)
        for letter in turns
    }
    changing = list(dict.fromkeys((letter, on) for (_, letter), on in wanted.items() if any(on) and not all(on)))
    vector = ParameterVector("basis", len(changing))
    circuit = QuantumCircuit(bases[0].num_qubits, name="any_basis")
    for (qubit, letter), on in wanted.items():
        gate, angle = turns[letter]
        if any(on):
            getattr(circuit, gate)(angle if all(on) else vector[changing.index((letter, on))], qubit)
    angles = np.array([[turns[letter][1] * on[row] for letter, on in changing] for row in range(len(bases))])
    return circuit, angles.reshape(len(bases), len(changing))
