"""Networks of spins: their terms are Pauli strings, and their outputs are Z of some spins, or means over copies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.merging import merge_into_groups
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.network.interface import network_html
from qep_qiskit.network.linear_observables import LinearObservable
from qep_qiskit.network.weights import WeightLayout


class SpinNetwork(ABC):
    """Base class of networks of spins, which have `outputs`, `groups` and a `layout`.

    So many successive output spins as there are `copies` are one output: the mean of their Z.
    """

    outputs: tuple[int, ...]
    copies: int

    _repr_html_ = network_html

    @property
    @abstractmethod
    def num_qubits(self) -> int:
        """Number of spins."""

    @property
    @abstractmethod
    def groups(self) -> tuple[CommutingGroup, ...]:
        """Commuting groups of the Hamiltonian."""

    @property
    @abstractmethod
    def layout(self) -> WeightLayout:
        """Names, bounds and initial values of the weights."""

    @cached_property
    def terms(self) -> tuple[PauliString, ...]:
        """The terms as Pauli strings, group after group."""
        return tuple(string for group in self.groups for string in group.terms)

    def groups_with(self, terms: Iterable[PauliString]) -> tuple[CommutingGroup, ...]:
        """Return the groups, extended by the terms that a cost needs."""
        return merge_into_groups(self.groups, terms, self.num_qubits)

    @property
    def copy_observables(self) -> tuple[LinearObservable, ...]:
        """Z of every output spin, copies apart."""
        return tuple(self._mean_of((spin,)) for spin in self.outputs)

    @property
    def output_observables(self) -> tuple[LinearObservable, ...]:
        """Z of the output spins, or the mean over their copies."""
        return tuple(self._mean_of(spins) for spins in self._copies_of_outputs())

    @property
    def output_squares(self) -> tuple[LinearObservable, ...]:
        """Squares of the output observables."""
        share = 1.0 / self.copies**2
        return tuple(
            LinearObservable(
                terms=tuple((PauliString.of("Z", *sorted(pair)), 2.0 * share) for pair in combinations(spins, 2)),
                constant=self.copies * share,
                num_qubits=self.num_qubits,
            )
            for spins in self._copies_of_outputs()
        )

    def _mean_of(self, spins: tuple[int, ...]) -> LinearObservable:
        terms = tuple((PauliString.of("Z", spin), 1.0 / len(spins)) for spin in spins)
        return LinearObservable(terms=terms, num_qubits=self.num_qubits)

    def _copies_of_outputs(self) -> list[tuple[int, ...]]:
        """Return the spins of every output."""
        return [self.outputs[first : first + self.copies] for first in range(0, len(self.outputs), self.copies)]

    def weights_from(self, named: Mapping[str, Any]) -> NDArray[np.float64]:
        """Return a weight vector from a mapping by name, as `WeightLayout.vector_of`; omitted weights are zero."""
        return self.layout.vector_of(named)
