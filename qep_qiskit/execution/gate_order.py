"""Order of commuting two-qubit gates, so that a device runs as many as possible side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import rustworkx as rx
from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction

_AXIS = {"rz": "z", "rzz": "z", "rx": "x", "rxx": "x"}


def in_few_layers(circuit: QuantumCircuit) -> QuantumCircuit:
    """Return the circuit with the couplings of each layer in an order of small depth.

    Adjacent rotations about Z (or X) commute. Their couplings are ordered by the colours of an edge colouring; a
    bipartite graph, such as the heavy-hexagon lattice, needs as many colours as a qubit has couplings.
    """
    ordered = circuit.copy_empty_like()
    for axis, run in groupby(circuit.data, key=lambda step: _AXIS.get(step.operation.name)):
        for step in run if axis is None else _ordered(circuit, list(run)):
            ordered.append(step)
    return ordered


def _ordered(circuit: QuantumCircuit, steps: Sequence[CircuitInstruction]) -> Iterator[CircuitInstruction]:
    """Return couplings by colour, and then rotations of single qubits; both else in the order that they have."""
    couplings = [step for step in steps if len(step.qubits) == 2]
    places = [sorted(circuit.find_bit(qubit).index for qubit in step.qubits) for step in couplings]
    pairs = [(first, second) for first, second in places]
    colours = edge_colours(pairs, circuit.num_qubits)
    yield from (couplings[place] for place in sorted(range(len(couplings)), key=colours.__getitem__))
    yield from (step for step in steps if len(step.qubits) == 1)


def edge_colours(pairs: Sequence[tuple[int, int]], num_qubits: int) -> list[int]:
    """Return a colour for every edge such that edges of one colour do not meet; colours are numbered as they come."""
    if len(set(pairs)) < len(pairs):
        return list(range(len(pairs)))
    graph = rx.PyGraph()
    graph.add_nodes_from(range(num_qubits))
    graph.add_edges_from_no_data(list(pairs))
    colour = rx.graph_bipartite_edge_color if rx.is_bipartite(graph) else rx.graph_misra_gries_edge_color
    found = colour(graph)
    numbers: dict[int, int] = {}
    return [numbers.setdefault(found[edge], len(numbers)) for edge in range(len(pairs))]
