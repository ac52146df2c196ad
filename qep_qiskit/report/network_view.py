"""Data of the picture of a network: couplings, fields, biases and input weights, before and after training.

All are derived from the coefficients of the Hamiltonian, with the signs of the Ising network: a coupling J is minus the
coefficient of ZZ. A Pauli network of ZZ, X and Z is therefore drawn like the Ising network with the same Hamiltonian.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.continuous.grid_network import GridNetwork
from qep_qiskit.continuous.springs import SpringNetwork
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.learning.state import TrainingState
from qep_qiskit.network import IsingNetwork, Network, PauliNetwork, chain, from_edges
from qep_qiskit.report.network_values import NetworkView


def network_view(
    network: Network,
    state: TrainingState,
    input_names: tuple[str, ...],
) -> NetworkView | None:
    """Return couplings, fields and biases before and after training, for `network_picture`.

    Returns:
        None for a network with other Pauli strings than ZZ, X and Z, or with inputs on other terms than Z.
    """
    if isinstance(network, GridNetwork):
        network = network.atoms
    if isinstance(network, SpringNetwork):
        return _springs_view(network, state)
    if not isinstance(network, IsingNetwork | PauliNetwork):
        return None
    driven = _driven(network)
    shapes = {"".join(letter for _, letter in string.factors) for string in network.terms}
    if not shapes <= {"ZZ", "X", "Z"} or any(
        string.factors[0][1] != "Z" or len(string.factors) > 1 for string in driven
    ):
        return None
    spins = range(network.num_qubits)
    couplings = [string for string in network.terms if len(string.factors) == 2]
    fields, biases = ([PauliString.of(letter, spin) for spin in spins] for letter in "XZ")
    times = [_Strengths(network, weights) for weights in (state.initial_weights, state.weights)]
    edges = tuple((string.factors[0][0], string.factors[1][0]) for string in couplings)
    return NetworkView(
        positions=_positions(network, edges),
        edges=edges,
        roles=_roles(network, {string.max_qubit for string in driven}),
        couplings=np.stack([time.of(couplings) for time in times]),
        fields=np.stack([time.of(fields) for time in times]),
        biases=np.stack([time.of(biases) for time in times]),
        input_weights=np.stack([time.by_input(biases) for time in times]) if network.num_inputs else None,
        input_names=input_names,
    )


def _springs_view(network: SpringNetwork, state: TrainingState) -> NetworkView:
    """Return springs as edges, anchors as rings, and forces along the first axis as faces."""
    assert network.rest_positions is not None
    in_plane = network.dims >= 2 and len(np.unique(network.rest_positions[:, :2], axis=0)) == network.num_atoms
    times = [_of_springs(network, weights) for weights in (state.initial_weights, state.weights)]
    springs, anchors, forces = (np.stack(part) for part in zip(*times, strict=True))
    return NetworkView(
        positions=network.rest_positions[:, :2] if in_plane else network.graph.positions,
        edges=network.edges,
        roles=tuple(
            "input" if atom in network.clamped else "output" if atom in network.outputs else "hidden"
            for atom in range(network.num_atoms)
        ),
        couplings=springs,
        fields=anchors,
        biases=forces,
        site="atom",
        coupling_title="spring k",
        field_letter="a",
        bias_title="force f",
    )


def _of_springs(network: SpringNetwork, weights: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Return springs by edge, anchors by atom, and forces along the first axis by atom."""
    springs, anchors, forces = (weights[network.layout.slice_of(symbol)] for symbol in "kaf")
    by_atom = np.zeros((2, network.num_atoms))
    by_atom[0, list(network.anchored)] = anchors
    if len(forces):
        by_atom[1, network.coordinate_layout.moving] = forces[:: network.dims]
    return springs, by_atom[0], by_atom[1]


class _Strengths:
    """Minus the coefficients of Pauli strings: without inputs in the first row, then for each input."""

    def __init__(self, network: IsingNetwork | PauliNetwork, weights: NDArray) -> None:
        count = network.num_inputs
        inputs = np.concatenate([np.zeros((1, count)), np.eye(count)])
        table = -network.coefficients(weights, inputs)
        table[1:] -= table[0]
        self._columns = dict(zip(network.terms, table.T, strict=True))
        self._absent = np.zeros(1 + count)

    def of(self, terms: list[PauliString]) -> NDArray[np.float64]:
        """Return the strengths without inputs, shape (strings,); zero for Pauli strings that are absent."""
        return np.array([self._columns.get(string, self._absent)[0] for string in terms])

    def by_input(self, terms: list[PauliString]) -> NDArray[np.float64]:
        """Return the strengths for each input, shape (inputs, strings)."""
        return np.stack([self._columns.get(string, self._absent)[1:] for string in terms], axis=1)


def _driven(network: IsingNetwork | PauliNetwork) -> list[PauliString]:
    """Return the Pauli strings that an input multiplies, found at random weights, where no terms cancel."""
    strengths = _Strengths(network, np.sqrt(np.arange(network.layout.num_weights) + 2.0))
    table = strengths.by_input(list(network.terms))
    return [network.terms[index] for index in np.flatnonzero(np.any(table != 0.0, axis=0))]


def _positions(network: IsingNetwork | PauliNetwork, edges: tuple[tuple[int, int], ...]) -> NDArray[np.float64]:
    if isinstance(network, IsingNetwork):
        return network.graph.positions
    line = chain(network.num_qubits)
    return line.positions if set(edges) <= set(line.edges) else from_edges(network.num_qubits, edges).positions


def _roles(network: IsingNetwork | PauliNetwork, driven: set[int]) -> tuple[str, ...]:
    """Return the role of each spin: output, input where inputs act on some spins only, otherwise hidden."""
    special = driven if len(driven) < network.num_qubits else set()
    return tuple(
        "output" if spin in network.outputs else "input" if spin in special else "hidden"
        for spin in range(network.num_qubits)
    )
