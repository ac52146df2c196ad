"""A network of arbitrary Pauli strings: weights and inputs may multiply sums of Pauli strings.

    H(w, x) = sum_i  w_i x_a(i) O_i ,      w_i a weight or 1,  x_a(i) an input or 1,  O_i a sum of Pauli strings

There are no implicit signs: unlike in the Ising network, a plus in front of a Pauli string is a plus in H.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from qiskit.quantum_info import SparsePauliOp

from qep_qiskit.core.amounts import there_are
from qep_qiskit.core.checks import whole_number
from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.observables import OperatorLike, hermitian, pauli_strings
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.pauli_strings import PauliString, sparse_pauli_op
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.network.checks import check_copies, check_sites, one_input
from qep_qiskit.network.graphs import Graph
from qep_qiskit.network.grouping import commuting_groups
from qep_qiskit.network.interface import TermJacobian
from qep_qiskit.network.spin_network import SpinNetwork
from qep_qiskit.network.weights import WeightBlock, WeightInitialisation, WeightLayout

PAULI_INITIALISATION = WeightInitialisation(distribution="normal", std=0.3)
"""Default initial values of all weights."""


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Interaction:
    """A part of H: weight * x[input] * operator.

    Args:
        operator: A Hermitian operator of any of Qiskit's classes (`OperatorLike`), stored as a SparsePauliOp; one
            weight multiplies the sum of its Pauli strings.
        weight: Name of the weight, or None for a fixed part. Several interactions may have the same weight.
        input: Index of the clamped input that multiplies it, or None.

    Raises:
        NetworkError: The operator is not Hermitian or not finite, or the input is not a whole number.

    Example:
        >>> network = qep.PauliNetwork(interactions=(qep.Interaction(operator=SparsePauliOp("ZZ"), weight="J"),))
        >>> network.layout.names
        ('J',)
    """

    operator: OperatorLike
    weight: str | None = None
    input: int | None = None

    def __post_init__(self) -> None:
        name = "fixed operator" if self.weight is None else f"operator of weight '{self.weight}'"
        object.__setattr__(self, "operator", hermitian(self.operator, name))
        if self.input is not None:
            whole_number(f"{name}: input", self.input, 0, error=NetworkError)


@dataclass(frozen=True, slots=True, eq=False)
class _Entries:
    """The non-zero coefficients of all Pauli strings, of interactions with or without a weight.

    Args:
        weight: Shape (entries,), weight index; all zero without weights.
        term: Shape (entries,), term index, -1 for the identity.
        scale: Shape (entries,), input index, -1 for none.
        value: Shape (entries,), the coefficients.
    """

    weight: NDArray[np.int64]
    term: NDArray[np.int64]
    scale: NDArray[np.int64]
    value: NDArray[np.float64]

    def scaled(self, inputs: NDArray) -> NDArray[np.float64]:
        """Return the coefficients for every input, shape (samples, entries)."""
        values = np.tile(self.value, (len(inputs), 1))
        by_input = self.scale >= 0
        values[:, by_input] *= inputs[:, self.scale[by_input]]
        return values

    def where(self, chosen: NDArray[np.bool_]) -> _Entries:
        """Return some of the entries."""
        return _Entries(self.weight[chosen], self.term[chosen], self.scale[chosen], self.value[chosen])


@short_repr
@dataclass(frozen=True, kw_only=True, eq=False)
class PauliNetwork(SpinNetwork):
    """A trainable Hamiltonian given by Pauli strings.

    Weights are numbered in the order in which their names first appear.

    Args:
        interactions: The parts of H; all operators act on the same qubits, spin k is qubit k.
        outputs: Spins o whose <Z_o> are the outputs; may be empty where the cost has its own observables.
        num_inputs: Length of the input vector x.
        start: Initial values and constraints of all weights, by name where they differ.
        entangling: Whether groups may have changes of basis with two-qubit gates, see `commuting_groups`.
        copies: Number of successive output spins whose mean is one output.

    Raises:
        NetworkError: No weight is trained, operators differ in size or are not Hermitian, a weight multiplies only a
            constant, an input or an output is out of range, or the outputs are no multiple of their copies.

    Example:
        >>> network = qep.PauliNetwork.from_operators({"J": SparsePauliOp(["IZZ", "ZZI"])}, fixed=-SparsePauliOp("IXI"))
        >>> [[str(string) for string in group.terms] for group in network.groups]
        [['Z0 Z1', 'Z1 Z2'], ['X1']]
    """

    interactions: tuple[Interaction, ...]
    outputs: tuple[int, ...] = ()
    num_inputs: int = 0
    start: WeightInitialisation = PAULI_INITIALISATION
    entangling: bool = False
    copies: int = 1

    @classmethod
    def from_operators(
        cls,
        weighted: Mapping[str, OperatorLike],
        fixed: OperatorLike | None = None,
        *,
        outputs: Sequence[int] = (),
        start: WeightInitialisation = PAULI_INITIALISATION,
    ) -> PauliNetwork:
        """Return the network H = fixed + sum of weight * operator, without inputs.

        Args:
            weighted: One operator per weight name.
            fixed: The part without weights, or None.
            outputs: Output spins.
            start: Initial values and constraints of the weights.
        """
        parts = [Interaction(operator=operator, weight=name) for name, operator in weighted.items()]
        if fixed is not None:
            parts.append(Interaction(operator=fixed))
        return cls(interactions=tuple(parts), outputs=tuple(outputs), start=start)

    def __post_init__(self) -> None:
        if not self.interactions:
            raise NetworkError("terms: expected at least one term")
        sizes = {part.operator.num_qubits for part in self.interactions}
        if len(sizes) > 1:
            raise NetworkError(f"terms: operators act on {min(sizes)} and on {max(sizes)} qubits; expected one")
        check_sites("outputs", self.outputs, self.num_qubits)
        check_copies(self.copies, len(self.outputs))
        self._check_inputs()
        self._check_weights()
        _ = self.layout  # checks the start

    def _check_inputs(self) -> None:
        whole_number("num_inputs", self.num_inputs, 0, error=NetworkError)
        named = [part.input for part in self.interactions if part.input is not None]
        outside = [index for index in named if not 0 <= index < self.num_inputs]
        if outside:
            raise NetworkError(f"terms: input {outside[0]} is out of range; {there_are(self.num_inputs, 'input')}")

    def _check_weights(self) -> None:
        acting = {part.weight for part, terms in self._parts if any(string.factors for string, _ in terms)}
        if not self._names:
            raise NetworkError("terms: expected at least one term with a weight; nothing here trains")
        idle = [name for name in self._names if name not in acting]
        if idle:
            raise NetworkError(
                f"terms: weight '{idle[0]}' multiplies nothing but a constant, which changes no state; "
                "give it a Pauli string, or leave it out"
            )

    @cached_property
    def _parts(self) -> list[tuple[Interaction, list[tuple[PauliString, float]]]]:
        """Return every interaction with its Pauli strings and coefficients."""
        return [(part, pauli_strings(part.operator)) for part in self.interactions]

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(part.weight for part in self.interactions if part.weight is not None))

    @property
    def num_qubits(self) -> int:
        """Number of spins, one qubit each."""
        return int(self.interactions[0].operator.num_qubits)

    @cached_property
    def layout(self) -> WeightLayout:
        """Weights as one block ``w``."""
        return WeightLayout((WeightBlock(symbol="w", key="weights", names=self._names, start=self.start),))

    @cached_property
    def groups(self) -> tuple[CommutingGroup, ...]:
        """Commuting groups of all Pauli strings; each Pauli string is in one of them."""
        terms = (string for _, terms in self._parts for string, _ in terms)
        return commuting_groups(terms, self.num_qubits, entangling=self.entangling)

    def _entries(self, *, weighted: bool) -> _Entries:
        index = {string: position for position, string in enumerate(self.terms)}
        rows = [
            (
                self._names.index(part.weight) if part.weight is not None else 0,
                index.get(string, -1),
                -1 if part.input is None else part.input,
                value,
            )
            for part, terms in self._parts
            for string, value in terms
            if (part.weight is not None) == weighted
        ]
        weight, term, scale, value = zip(*rows, strict=True) if rows else ((), (), (), ())
        return _Entries(
            np.array(weight, dtype=np.int64),
            np.array(term, dtype=np.int64),
            np.array(scale, dtype=np.int64),
            np.array(value, dtype=np.float64),
        )

    @cached_property
    def _weighted(self) -> _Entries:
        return self._entries(weighted=True)

    @cached_property
    def _fixed(self) -> _Entries:
        return self._entries(weighted=False)

    @cached_property
    def _trained_terms(self) -> _Entries:
        return self._weighted.where(self._weighted.term >= 0)

    def jacobian(self, weights: NDArray, inputs: NDArray) -> TermJacobian:
        """Return d(coefficient)/d(weight): coefficients of the Pauli strings, times an input where there is one."""
        entries = self._trained_terms
        return TermJacobian(
            weight=entries.weight, term=entries.term, values=entries.scaled(inputs), num_weights=len(self._names)
        )

    def input_jacobian(self, weights: NDArray, inputs: NDArray) -> TermJacobian:
        """Return d(coefficient)/d(input): coefficients of the Pauli strings that an input multiplies, times the weight.

        Args:
            weights: Shape (weights,).
            inputs: Shape (samples, inputs).
        """
        weighted = self._weighted.where((self._weighted.term >= 0) & (self._weighted.scale >= 0))
        fixed = self._fixed.where((self._fixed.term >= 0) & (self._fixed.scale >= 0))
        values = np.concatenate([weighted.value * np.asarray(weights)[weighted.weight], fixed.value])
        return TermJacobian(
            weight=np.concatenate([weighted.scale, fixed.scale]),
            term=np.concatenate([weighted.term, fixed.term]),
            values=np.broadcast_to(values, (inputs.shape[0], len(values))),
            num_weights=self.num_inputs,
        )

    def coefficients(self, weights: NDArray, inputs: NDArray) -> NDArray:
        """Return the coefficients of all terms, shape (samples, terms), in energy."""
        return self._summed(weights, inputs)[:, :-1]

    def _summed(self, weights: NDArray, inputs: NDArray) -> NDArray[np.float64]:
        """Return the coefficients of all terms, and of the identity in the last column."""
        summed = np.zeros((inputs.shape[0], len(self.terms) + 1))
        weighted, fixed = self._weighted, self._fixed
        np.add.at(summed.T, weighted.term, (weighted.scaled(inputs) * weights[weighted.weight]).T)
        np.add.at(summed.T, fixed.term, fixed.scaled(inputs).T)
        return summed

    def hamiltonian(self, weights: NDArray, x: NDArray | Sequence[float] | None = None) -> SparsePauliOp:
        """Return H(w, x) as a SparsePauliOp, constants included; spin k is qubit k.

        Args:
            weights: Shape (weights,).
            x: Shape (inputs,), the clamped inputs; may be omitted where there are none.
        """
        summed = self._summed(self.layout.checked(weights), one_input(x, self.num_inputs))[0]
        return self._operator(summed)

    def interaction(self, weight: int | str, x: NDArray | Sequence[float] | None = None) -> SparsePauliOp:
        """Return dH/dw of one weight: the sum of all operators that it multiplies, constants included.

        Args:
            weight: Index of the weight, or its name.
            x: Shape (inputs,), the clamped inputs; may be omitted where there are none.

        Raises:
            NetworkError: There is no weight of that name.
        """
        entries = self._weighted
        own = entries.where(entries.weight == self.layout.index_of(weight))
        summed = np.zeros(len(self.terms) + 1)
        np.add.at(summed, own.term, own.scaled(one_input(x, self.num_inputs))[0])
        return self._operator(summed)

    def _operator(self, summed: NDArray) -> SparsePauliOp:
        pairs = zip((*self.terms, PauliString(())), summed.tolist(), strict=True)
        return sparse_pauli_op([pair for pair in pairs if pair[1] != 0.0], self.num_qubits)

    def unreached_outputs(self) -> tuple[int, ...]:
        """Return the outputs that no path of Pauli strings connects to any input."""
        if self.num_inputs == 0:
            return ()
        spins = [([qubit for qubit, _ in string.factors], part) for part, terms in self._parts for string, _ in terms]
        edges = {(string[0], other) for string, _ in spins for other in string[1:]}
        graph = Graph(num_spins=self.num_qubits, edges=tuple(edges), positions=np.zeros((self.num_qubits, 2)))
        reached = graph.reachable(spin for string, part in spins if part.input is not None for spin in string)
        return tuple(spin for spin in self.outputs if spin not in reached)
