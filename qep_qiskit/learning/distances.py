"""Distances of weights from the outputs and the inputs of a network, in terms of its Hamiltonian.

Two qubits are neighbours where a term of H acts on both. A weight is at the smallest distance of the qubits that its
dH/dw acts on.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import rustworkx as rx
from numpy.typing import NDArray

from qep_qiskit.learning.locality import locality
from qep_qiskit.network.nudge import NudgedHamiltonian


def distances_of_weights(hamiltonian: NudgedHamiltonian, sources: Iterable[int]) -> NDArray[np.float64]:
    """Return the smallest distance of every weight from some qubits, shape (weights,); infinite where none is reached.

    Args:
        hamiltonian: Network and cost.
        sources: The qubits from which distances are counted.
    """
    to_sources = _to_nearest(hamiltonian, list(sources))
    place = {name: index for index, name in enumerate(hamiltonian.network.layout.names)}
    found = np.full(len(place), np.inf)
    for part in locality(hamiltonian):
        index = place[part.weight]
        found[index] = min(found[index], to_sources[list(part.qubits)].min())
    return found


def qubits_of_outputs(hamiltonian: NudgedHamiltonian) -> list[int]:
    """Return the qubits on which the outputs, or the operator of the cost, act."""
    return _qubits(hamiltonian, hamiltonian.cost_terms)


def qubits_of_inputs(hamiltonian: NudgedHamiltonian, weights: NDArray, inputs: NDArray) -> list[int]:
    """Return the qubits of all terms whose coefficients depend on the inputs; none for a network without inputs.

    Args:
        hamiltonian: Network and cost.
        weights: Shape (weights,).
        inputs: Shape (samples, inputs).
    """
    change = hamiltonian.free_coefficients(weights, inputs) - hamiltonian.free_coefficients(weights, 0.0 * inputs)
    return _qubits(hamiltonian, np.flatnonzero(change.any(axis=0)))


def _qubits(hamiltonian: NudgedHamiltonian, terms: NDArray[np.int64]) -> list[int]:
    return sorted({qubit for term in terms for qubit, _ in hamiltonian.terms[term].factors})


def _to_nearest(hamiltonian: NudgedHamiltonian, sources: list[int]) -> NDArray[np.float64]:
    """Return the distance of every qubit from the nearest source, shape (qubits,)."""
    if not sources:
        return np.full(hamiltonian.num_qubits, np.inf)
    graph = rx.PyGraph(multigraph=False)
    graph.add_nodes_from(list(range(hamiltonian.num_qubits)))
    for term in hamiltonian.network_terms:
        first, *others = [qubit for qubit, _ in hamiltonian.terms[term].factors] or [0]
        # A star joins the qubits of a term at distance 2 through the first; every pair makes them neighbours.
        pairs = [(one, other) for one in (first, *others) for other in others if one < other]
        graph.add_edges_from_no_data(pairs)
    distances = rx.distance_matrix(graph, null_value=np.inf)
    return np.asarray(distances[:, sources].min(axis=1), dtype=np.float64)
