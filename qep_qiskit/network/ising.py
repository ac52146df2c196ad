"""The transverse-field Ising network (Scellier 2024, arXiv:2406.00879, sec. 4.1).

    H(w, x) = - sum_(j<k) J_jk Z_j Z_k - sum_k h_k X_k - sum_k (b_k + sum_a W_ak x_a) Z_k

With weights V, inputs act on the couplings too: J_jk becomes J_jk + sum_a V_ajk x_a, so that a spin responds to
products of inputs. The network has two commuting groups: all products of Z, and the transverse fields. Without the
fields it is the classical Ising network (sec. 2 of the same paper) with one group, and spins that are +1 or -1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from qiskit.quantum_info import SparsePauliOp

from qep_qiskit.core.checks import whole_number
from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.pauli_strings import PauliString, sparse_pauli_op
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.network.checks import check_copies, check_sites, one_input
from qep_qiskit.network.graphs import Graph
from qep_qiskit.network.interface import TermJacobian
from qep_qiskit.network.spin_network import SpinNetwork
from qep_qiskit.network.weights import WeightBlock, WeightInitialisation, WeightLayout

ISING_INITIALISATIONS: dict[str, WeightInitialisation] = {
    "couplings": WeightInitialisation(distribution="normal", std=0.3),
    "fields": WeightInitialisation(mean=1.0, minimum=0.1),
    "biases": WeightInitialisation(distribution="normal", std=0.1),
    "inputs": WeightInitialisation(distribution="normal", std=0.3),
    "coupling_inputs": WeightInitialisation(distribution="normal", std=0.1),
}
"""Default initial values of every block.

Fields have a lower bound: without it they tend to zero, where the network is classical and its gradient vanishes.
"""


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class ClampedInputs:
    """Inputs that enter the network as fields W_ak x_a on spins k, without qubits of their own.

    Args:
        count: Length of the input vector.
        links: (input, spin) pairs, each with one trainable weight ``W[a,k]``.
        start: Initial values and constraints of these weights.

    Example:
        >>> qep.ClampedInputs.all_to(1, range(2))
        ClampedInputs(count=1, links=((0, 0), (0, 1)), start=WeightInitialisation(...))
    """

    count: int
    links: tuple[tuple[int, int], ...]
    start: WeightInitialisation = field(default_factory=WeightInitialisation)

    @classmethod
    def all_to(cls, count: int, spins: Sequence[int], start: WeightInitialisation | None = None) -> ClampedInputs:
        """Return inputs in which every input acts on every given spin.

        Args:
            count: Number of inputs.
            spins: The spins.
            start: Initial values and constraints of the weights W.
        """
        links = tuple((a, k) for a in range(count) for k in spins)
        return cls(count=count, links=links, start=start or ISING_INITIALISATIONS["inputs"])

    @classmethod
    def as_fields(cls, spins: Sequence[int], strength: float = 1.0) -> ClampedInputs:
        """Return inputs in which input a is the fixed field strength * x_a on its own input spin; no W is trained.

        Args:
            spins: The input spins, one per input.
            strength: Field per unit of input, in energy.
        """
        links = tuple(enumerate(spins))
        return cls(count=len(spins), links=links, start=WeightInitialisation(mean=strength, frozen=True))


@short_repr
@dataclass(frozen=True, kw_only=True, eq=False)
class IsingNetwork(SpinNetwork):
    """A transverse-field Ising network on any graph (Scellier 2024, arXiv:2406.00879, sec. 4.1).

    Args:
        graph: Spins and couplings.
        outputs: Spins o whose <Z_o> are the outputs.
        inputs: Clamped inputs, or None for a network without.
        couplings: Initial values of J, one weight ``J[j,k]`` per edge.
        fields: Initial values of h, one weight ``h[k]`` per spin. The default has a lower bound of 0.1: at zero fields
            the network is classical and its gradient vanishes. None omits transverse fields: the classical network.
        biases: Initial values of b, one weight ``b[k]`` per spin; None omits biases.
        coupling_inputs: Initial values of V, one weight ``V[a,j,k]`` per input and edge, by which inputs act on the
            couplings; None omits them.
        ties: Weights that are one and the same: the name that takes their place, by their own name. Only weights of one
            block can be tied.
        copies: Number of successive output spins whose mean is one output.

    Raises:
        NetworkError: An output or input link names a spin out of range, or occurs twice, a tie names no weight, or the
            outputs are no multiple of their copies.

    Example:
        >>> network = qep.IsingNetwork(graph=qep.chain(2), outputs=(1,), inputs=qep.ClampedInputs.all_to(1, [0]))
        >>> network.layout.names
        ('J[0,1]', 'h[0]', 'h[1]', 'b[0]', 'b[1]', 'W[0,0]')
        >>> [group.name for group in network.groups]
        ['Z', 'X']
    """

    graph: Graph
    outputs: tuple[int, ...]
    inputs: ClampedInputs | None = None
    couplings: WeightInitialisation = ISING_INITIALISATIONS["couplings"]
    fields: WeightInitialisation | None = ISING_INITIALISATIONS["fields"]
    biases: WeightInitialisation | None = ISING_INITIALISATIONS["biases"]
    coupling_inputs: WeightInitialisation | None = None
    ties: Mapping[str, str] = field(default_factory=dict)
    copies: int = 1

    def __post_init__(self) -> None:
        links = () if self.inputs is None else self.inputs.links
        check_sites("outputs", self.outputs, self.num_qubits)
        check_sites("inputs", sorted({k for _, k in links}), self.num_qubits)
        if len(set(links)) != len(links):
            raise NetworkError("inputs: an input is linked to the same spin twice; keep one link")
        whole_number("inputs", self.num_inputs, 0, error=NetworkError)
        for a, _ in links:
            whole_number("inputs", a, error=NetworkError)
        if self.coupling_inputs is not None and not (self.num_inputs and self.graph.edges):
            raise NetworkError("coupling_inputs: expected inputs and couplings for them to act on; leave it out")
        if links and not all(0 <= a < self.num_inputs for a, _ in links):
            raise NetworkError(f"inputs: a link names an input out of range; there are {self.num_inputs}")
        check_copies(self.copies, len(self.outputs))
        unknown = [name for name in self.ties if name not in self._own_names]
        if unknown:
            raise NetworkError(f"ties: no weight {unknown[0]}")
        _ = self.layout  # checks the starts

    @property
    def num_qubits(self) -> int:
        """Number of spins, one qubit each."""
        return self.graph.num_spins

    @property
    def num_inputs(self) -> int:
        """Length of the input vector x."""
        return 0 if self.inputs is None else self.inputs.count

    @cached_property
    def layout(self) -> WeightLayout:
        """Weights in the order J, h, b, W, V; tied ones once."""
        return WeightLayout(
            tuple(
                WeightBlock(symbol=symbol, key=key, names=tuple(dict.fromkeys(map(self._tied, names))), start=start)
                for symbol, key, names, start in self._own_blocks
            )
        )

    @cached_property
    def _own_blocks(self) -> list[tuple[str, str, list[str], WeightInitialisation]]:
        """Return symbol, key, names and start of every block, before any weights are tied."""
        spins = range(self.num_qubits)
        blocks = [("J", "couplings", [f"J[{j},{k}]" for j, k in self.graph.edges], self.couplings)]
        if self.fields is not None:
            blocks.append(("h", "fields", [f"h[{k}]" for k in spins], self.fields))
        if self.biases is not None:
            blocks.append(("b", "biases", [f"b[{k}]" for k in spins], self.biases))
        if self.inputs is not None:
            blocks.append(("W", "inputs", [f"W[{a},{k}]" for a, k in self.inputs.links], self.inputs.start))
        if self.coupling_inputs is not None:
            names = [f"V[{a},{j},{k}]" for a, j, k in self._coupling_links()]
            blocks.append(("V", "coupling_inputs", names, self.coupling_inputs))
        return blocks

    @cached_property
    def _own_names(self) -> tuple[str, ...]:
        """Return the names of all weights before any are tied, in the order of `_entries`."""
        return tuple(name for _, _, names, _ in self._own_blocks for name in names)

    def _tied(self, name: str) -> str:
        return self.ties.get(name, name)

    @cached_property
    def _weight_of(self) -> NDArray[np.int64]:
        """Return the weight of every entry of `_entries`."""
        index = {name: place for place, name in enumerate(self.layout.names)}
        return np.array([index[self._tied(name)] for name in self._own_names], dtype=np.int64)

    @cached_property
    def groups(self) -> tuple[CommutingGroup, ...]:
        """The Z group (couplings, then spins with a bias or an input) and, with transverse fields, the X group."""
        driven = {k for _, k in self._links()} | (set(range(self.num_qubits)) if self.biases is not None else set())
        couplings = [1 << j | 1 << k for j, k in self.graph.edges]
        spins = CommutingGroup(
            name="Z",
            basis=LocalBasis("Z" * self.num_qubits),
            masks=(*couplings, *(1 << k for k in sorted(driven))),
        )
        if self.fields is None:
            return (spins,)
        masks = tuple(1 << k for k in range(self.num_qubits))
        return spins, CommutingGroup(name="X", basis=LocalBasis("X" * self.num_qubits), masks=masks)

    def _links(self) -> tuple[tuple[int, int], ...]:
        return () if self.inputs is None else self.inputs.links

    def _coupling_links(self) -> tuple[tuple[int, int, int], ...]:
        """Return the (input, spin, spin) of every V; all inputs act on all couplings."""
        if self.coupling_inputs is None:
            return ()
        return tuple((a, j, k) for a in range(self.num_inputs) for j, k in self.graph.edges)

    @cached_property
    def _entries(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the term that every weight multiplies, and the input that scales it (-1: none)."""
        term_of = {string: index for index, string in enumerate(self.terms)}
        spins = range(self.num_qubits)
        terms = [term_of[PauliString.of("Z", j, k)] for j, k in self.graph.edges]
        if self.fields is not None:
            terms += [term_of[PauliString.of("X", k)] for k in spins]
        if self.biases is not None:
            terms += [term_of[PauliString.of("Z", k)] for k in spins]
        scaled = [-1] * len(terms) + [a for a, _ in self._links()]
        terms += [term_of[PauliString.of("Z", k)] for _, k in self._links()]
        scaled += [a for a, _, _ in self._coupling_links()]
        terms += [term_of[PauliString.of("Z", j, k)] for _, j, k in self._coupling_links()]
        return np.array(terms, dtype=np.int64), np.array(scaled, dtype=np.int64)

    def jacobian(self, weights: NDArray, inputs: NDArray) -> TermJacobian:
        """Return d(coefficient)/d(weight): -1, or -x_a for ``W[a,k]`` and ``V[a,j,k]``."""
        terms, scaled = self._entries
        values = -np.ones((inputs.shape[0], len(terms)))
        by_input = scaled >= 0
        values[:, by_input] = -inputs[:, scaled[by_input]]
        return TermJacobian(weight=self._weight_of, term=terms, values=values, num_weights=self.layout.num_weights)

    def input_jacobian(self, weights: NDArray, inputs: NDArray) -> TermJacobian:
        """Return d(coefficient)/d(input): -W[a,k] of Z_k and -V[a,j,k] of Z_j Z_k, with inputs in the place of weights.

        Args:
            weights: Shape (weights,).
            inputs: Shape (samples, inputs).
        """
        terms, scaled = self._entries
        by_input = scaled >= 0
        values = np.broadcast_to(
            -np.asarray(weights)[self._weight_of[by_input]], (inputs.shape[0], int(by_input.sum()))
        )
        return TermJacobian(weight=scaled[by_input], term=terms[by_input], values=values, num_weights=self.num_inputs)

    def coefficients(self, weights: NDArray, inputs: NDArray) -> NDArray:
        """Return the coefficients of all terms, shape (samples, terms), in energy."""
        jacobian, samples, size = self.jacobian(weights, inputs), inputs.shape[0], len(self.terms)
        products = (jacobian.values * np.asarray(weights)[jacobian.weight]).T
        places = jacobian.term[:, None] + size * np.arange(samples)
        return np.bincount(places.ravel(), products.ravel(), samples * size).reshape(samples, size)

    def hamiltonian(self, weights: NDArray, x: NDArray | Sequence[float] | None = None) -> SparsePauliOp:
        """Return H(w, x) as a SparsePauliOp; spin k is qubit k.

        Args:
            weights: Shape (weights,).
            x: Shape (inputs,), the clamped inputs; may be omitted where there are none.
        """
        coefficients = self.coefficients(self.layout.checked(weights), one_input(x, self.num_inputs))[0]
        return sparse_pauli_op(zip(self.terms, coefficients, strict=True), self.num_qubits)

    def interaction(self, weight: int | str, x: NDArray | Sequence[float] | None = None) -> SparsePauliOp:
        """Return dH/dw of one weight.

        Args:
            weight: Index of the weight, or its name, such as ``"J[0,1]"``.
            x: Shape (inputs,), the clamped inputs; may be omitted where there are none.

        Raises:
            NetworkError: There is no weight of that name.
        """
        index = self.layout.index_of(weight)
        jacobian = self.jacobian(np.zeros(self.layout.num_weights), one_input(x, self.num_inputs))
        own = np.flatnonzero(jacobian.weight == index)
        pairs = [(self.terms[jacobian.term[entry]], float(jacobian.values[0, entry])) for entry in own]
        return sparse_pauli_op(pairs, self.num_qubits)

    def unreached_outputs(self) -> tuple[int, ...]:
        """Return the outputs that no path of couplings connects to any input."""
        if self.num_inputs == 0:
            return ()
        driven = [k for _, k in self._links()] + [k for _, *ends in self._coupling_links() for k in ends]
        reached = self.graph.reachable(driven)
        return tuple(spin for spin in self.outputs if spin not in reached)
