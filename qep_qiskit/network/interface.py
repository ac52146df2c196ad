"""What a network of qubits answers: the Protocol everything downstream is written against."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.groups import Group
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.network.linear_observables import LinearObservable
from qep_qiskit.network.weights import WeightLayout


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TermJacobian:
    """d(term coefficient)/d(weight) of a batch, by its non-zero entries.

    Args:
        weight: Shape (entries,), weight index of every entry.
        term: Shape (entries,), term index of every entry.
        values: Shape (samples, entries).
        num_weights: Number of weights.

    Example:
        >>> network = qep.IsingNetwork(graph=qep.chain(2), outputs=(1,))
        >>> jacobian = network.jacobian(network.layout.initial(qep.Seeds(0)), np.zeros((1, 0)))
        >>> jacobian.pull_back(np.array([[1.0, 2.0, 3.0, 4.0, 5.0]]))
        array([[-1., -4., -5., -2., -3.]])
    """

    weight: NDArray[np.int64]
    term: NDArray[np.int64]
    values: NDArray[np.float64]
    num_weights: int

    def pull_back(self, means: NDArray) -> NDArray:
        """From numbers per term to numbers per weight: shape (samples, terms) to (samples, weights)."""
        return self._collect(self.weight, self.values * means[:, self.term])

    def pull_back_variance(self, covariance: NDArray) -> NDArray:
        """Variances per weight, shape (samples, weights), from covariances (samples, terms, terms)."""
        left, right = self._pairs()
        products = self.values[:, left] * self.values[:, right]
        return self._collect(self.weight[left], products * covariance[:, self.term[left], self.term[right]])

    def _pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """All ordered pairs of entries that belong to one weight."""
        if len(np.unique(self.weight)) == len(self.weight):
            every = np.arange(len(self.weight))
            return every, every
        order = np.argsort(self.weight, kind="stable")
        sizes = np.unique(self.weight, return_counts=True)[1]
        starts = np.repeat(np.cumsum(sizes) - sizes, sizes**2)
        within = np.arange(int((sizes**2).sum())) - np.repeat(np.cumsum(sizes**2) - sizes**2, sizes**2)
        width = np.repeat(sizes, sizes**2)
        return order[starts + within // width], order[starts + within % width]

    def _collect(self, weight: NDArray[np.int64], values: NDArray) -> NDArray:
        summed = np.zeros((values.shape[0], self.num_weights))
        if len(np.unique(weight)) == len(weight):
            summed[:, weight] = values
        else:
            np.add.at(summed.T, weight, values.T)
        return summed


class Network(Protocol):
    """A trainable Hamiltonian H(w, x) as a sum of groups.

    A *term* is one generator of one group; terms are numbered group after group. Constants shift energies and nothing
    else, and are no terms.
    """

    @property
    def num_qubits(self) -> int:
        """Number of qubits; zero for positions, which are simulated without."""
        ...

    @property
    def num_inputs(self) -> int:
        """Length of the input vector x."""
        ...

    @property
    def outputs(self) -> tuple[int, ...]:
        """Spins or atoms that outputs are read from."""
        ...

    @property
    def output_observables(self) -> tuple[LinearObservable, ...]:
        """What is read there, one observable an output."""
        ...

    @property
    def output_squares(self) -> tuple[LinearObservable, ...]:
        """The squares of these observables."""
        ...

    @property
    def groups(self) -> tuple[Group, ...]:
        """Groups of H."""
        ...

    def groups_with(self, terms: Iterable[Any]) -> tuple[Group, ...]:
        """The groups, extended by what a cost needs."""
        ...

    @property
    def layout(self) -> WeightLayout:
        """Names, starting values and constraints of the weights."""
        ...

    def coefficients(self, weights: NDArray, inputs: NDArray) -> NDArray:
        """Coefficients of all terms: (weights,) and (samples, inputs) to (samples, terms)."""
        ...

    def jacobian(self, weights: NDArray, inputs: NDArray) -> TermJacobian:
        """Derivatives of the coefficients by the weights, for a batch."""
        ...

    def unreached_outputs(self) -> tuple[int, ...]:
        """Outputs that no chain of terms joins to any input; empty where there are no inputs."""
        ...
