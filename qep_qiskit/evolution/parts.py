"""Evolve the unconnected parts of a program one by one, without the joint vector of all qubits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.arithmetic import DOUBLE, Arithmetic
from qep_qiskit.core.components import ProgramComponent, program_components
from qep_qiskit.core.program import LayerProgram
from qep_qiskit.evolution.states import evolve
from qep_qiskit.outcomes.known_states import VectorStates
from qep_qiskit.outcomes.product_states import ProductStates


def evolve_parts(program: LayerProgram, parameters: NDArray, arithmetic: Arithmetic = DOUBLE) -> ProductStates:
    """Compute the final states of a program as products of those of its unconnected parts.

    Parts whose programs are equal, and differ in their parameters only, are evolved as one batch.

    Args:
        program: The layers.
        parameters: Shape (states, parameters).
        arithmetic: Array library and precision of the states.

    Raises:
        ResourceError: The states of the widest part do not fit in memory.
    """
    parts, count = program_components(program), len(parameters)
    alike: dict[LayerProgram, list[ProgramComponent]] = {}
    for part in parts:
        alike.setdefault(part.program, []).append(part)
    vectors: dict[tuple[int, ...], NDArray] = {}
    for own, places in alike.items():
        rows = np.concatenate([parameters[:, part.sources] for part in places])
        found = evolve(own, rows, arithmetic)
        vectors |= {part.qubits: found[k * count : (k + 1) * count] for k, part in enumerate(places)}
    unknown = np.full(count, np.nan)
    return ProductStates(
        parts=tuple(VectorStates(vectors=vectors[part.qubits], energies=unknown, gaps=unknown) for part in parts),
        qubits=tuple(part.qubits for part in parts),
    )
