"""Solve the unconnected parts of a network one by one: the product of their states is that of the whole.

A network of ten unconnected groups of four spins costs ten diagonalisations of 16 levels, instead of one of 2^40.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.components import Component, components
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.outcomes.known_states import KnownStates
from qep_qiskit.outcomes.product_states import ProductStates
from qep_qiskit.preparation.interface import ConvergenceReport, HamiltonianFamily, PreparationResult, WarmStart


def family_of(part: Component, family: HamiltonianFamily) -> HamiltonianFamily:
    """Return the Hamiltonians of one part of a network."""
    return replace(family, groups=part.groups, free=family.free[:, part.terms], nudge=family.nudge[:, part.terms])


def prepare_parts(
    prepare: Callable[[HamiltonianFamily, WarmStart], PreparationResult], family: HamiltonianFamily, start: WarmStart
) -> PreparationResult:
    """Prepare the parts of a network one by one, and return their products.

    Args:
        prepare: Prepares states whose probabilities are known.
        family: The Hamiltonians of the network.
        start: Its free states are used again where they are products of the same parts.
    """
    parts = components(family.paulis)
    qubits = tuple(part.qubits for part in parts)
    known = start.free if isinstance(start.free, ProductStates) and start.free.qubits == qubits else None
    found = [
        prepare(family_of(part, family), WarmStart(free=None if known is None else known.parts[place]))
        for place, part in enumerate(parts)
    ]
    states = _product([result.states for result in found], qubits)
    free = [result.free for result in found if result.free is not None]
    return PreparationResult(
        states=states,
        report=_joined([result.report for result in found]),
        free=_product(free, qubits) if len(free) == len(parts) else None,
    )


def by_parts(
    groups: Sequence[CommutingGroup], shape: tuple[int, ...], values_of: Callable[[Component], NDArray]
) -> NDArray:
    """Return values of all terms, shape (..., terms), from those of every part.

    Args:
        groups: The groups of the network.
        shape: The axes before that of the terms.
        values_of: Returns the values of the terms of a part, shape (..., terms of the part).
    """
    parts = components(tuple(groups))
    values = [values_of(part) for part in parts]
    whole = np.empty((*shape, sum(group.num_terms for group in groups)), dtype=np.result_type(*values))
    for part, own in zip(parts, values, strict=True):
        whole[..., part.terms] = own
    return whole


def _product(states: Sequence[object], qubits: tuple[tuple[int, ...], ...]) -> ProductStates:
    known = tuple(own for own in states if isinstance(own, KnownStates))
    assert len(known) == len(qubits)
    return ProductStates(parts=known, qubits=qubits)


def _joined(reports: Sequence[ConvergenceReport]) -> ConvergenceReport:
    """Return the report of products: energies add, overlaps multiply, and the smallest gap is the gap."""
    return replace(
        reports[0],
        energies=np.sum([report.energies for report in reports], axis=0),
        gaps=np.min([report.gaps for report in reports], axis=0),
        overlaps=np.prod([report.overlaps for report in reports], axis=0),
    )
