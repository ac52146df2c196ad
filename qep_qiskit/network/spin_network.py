"""Networks of spins: their terms are Pauli strings, and their outputs are Z of some spins."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.merging import merge_into_groups
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.network.html_view import network_html
from qep_qiskit.network.linear_observables import LinearObservable
from qep_qiskit.network.weights import WeightLayout


class SpinNetwork(ABC):
    """Base class of networks of spins, which have `outputs`, `groups` and a `layout`."""

    outputs: tuple[int, ...]

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
    def output_observables(self) -> tuple[LinearObservable, ...]:
        """Z of the output spins."""
        strings = (PauliString.of("Z", spin) for spin in self.outputs)
        return tuple(LinearObservable(terms=((string, 1.0),), num_qubits=self.num_qubits) for string in strings)

    @property
    def output_squares(self) -> tuple[LinearObservable, ...]:
        """Squares of the output observables: Z^2 = 1."""
        return tuple(LinearObservable(constant=1.0, num_qubits=self.num_qubits) for _ in self.outputs)

    def weights_from(self, named: Mapping[str, Any]) -> NDArray[np.float64]:
        """Return a weight vector from a mapping by name, as `WeightLayout.vector_of`; omitted weights are zero."""
        return self.layout.vector_of(named)
