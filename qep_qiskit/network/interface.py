"""Interface of networks, which all other packages use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.groups import Group
from qep_qiskit.core.html_table import html_table
from qep_qiskit.core.rows import take_rows
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.network.linear_observables import LinearObservable
from qep_qiskit.network.weights import WeightLayout


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TermJacobian:
    """Derivatives d(term coefficient)/d(weight) of a batch, stored by their non-zero entries.

    Args:
        weight: Shape (entries,), weight index of every entry.
        term: Shape (entries,), term index of every entry.
        values: Shape (samples, entries), the derivatives.
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

    def rows(self, rows: slice) -> TermJacobian:
        """Return the derivatives of some samples."""
        return take_rows(self, rows, "values")

    def pull_back(self, means: NDArray) -> NDArray:
        """Return numbers per weight (samples, weights) from numbers per term (samples, terms), by the chain rule."""
        return self._collect(self.weight, self.values * means[:, self.term])

    def pull_back_variance(self, covariance: NDArray) -> NDArray:
        """Return variances per weight, shape (samples, weights), from covariances (samples, terms, terms)."""
        left, right = self._pairs()
        products = self.values[:, left] * self.values[:, right]
        return self._collect(self.weight[left], products * covariance[:, self.term[left], self.term[right]])

    def _pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return all ordered pairs of entries that belong to one weight."""
        if _all_different(self.weight):
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
        if _all_different(weight):
            summed[:, weight] = values
        else:
            np.add.at(summed.T, weight, values.T)
        return summed


def _all_different(weight: NDArray[np.int64]) -> bool:
    return bool(np.bincount(weight).max(initial=0) <= 1)


class Network(Protocol):
    """Interface of a trainable Hamiltonian H(w, x), a sum of commuting groups.

    A *term* is one Pauli string, or one function of positions or momenta, of a group; terms are numbered group after
    group. Constants shift energies only and are not terms.

    Example:
        >>> def largest_coefficient(network: qep.Network, seeds: qep.Seeds) -> float:
        ...     weights = network.layout.initial(seeds)
        ...     return float(np.abs(network.coefficients(weights, np.zeros((1, network.num_inputs)))).max())
        ...
        >>> largest_coefficient(qep.IsingNetwork(graph=qep.chain(2), outputs=(1,)), qep.Seeds(0))
        1.0
    """

    @property
    def num_qubits(self) -> int:
        """Number of qubits; zero for classical positions, which need no qubits."""

    @property
    def num_inputs(self) -> int:
        """Length of the input vector x."""

    @property
    def outputs(self) -> tuple[int, ...]:
        """Spins or atoms whose observables are the outputs."""

    @property
    def output_observables(self) -> tuple[LinearObservable, ...]:
        """Observables of the outputs, one per output."""

    @property
    def output_squares(self) -> tuple[LinearObservable, ...]:
        """Squares of the output observables."""

    @property
    def groups(self) -> tuple[Group, ...]:
        """Groups of H."""

    def groups_with(self, terms: Iterable[Any]) -> tuple[Group, ...]:
        """Return the groups, extended by the terms that a cost needs."""

    @property
    def layout(self) -> WeightLayout:
        """Names, initial values and constraints of the weights."""

    def coefficients(self, weights: NDArray, inputs: NDArray) -> NDArray:
        """Return the coefficients of all terms, shape (samples, terms), in energy.

        Args:
            weights: Shape (weights,).
            inputs: Shape (samples, inputs).
        """

    def jacobian(self, weights: NDArray, inputs: NDArray) -> TermJacobian:
        """Return the derivatives of the coefficients with respect to the weights, for a batch.

        Args:
            weights: Shape (weights,).
            inputs: Shape (samples, inputs).
        """

    def unreached_outputs(self) -> tuple[int, ...]:
        """Return the outputs that no path of terms connects to any input; empty where there are no inputs."""


def network_html(network: Any) -> str:
    """Return a short table of a network: its size, weights and groups; the ``_repr_html_`` of networks.

    Args:
        network: A `Network`.
    """
    layout = network.layout
    trained = f"{layout.num_weights}, {int(layout.trainable().sum())} of them trained"
    counts = {"qubits": network.num_qubits, "inputs": network.num_inputs, "outputs": _listed(network.outputs)}
    blocks = {f"weights {block.symbol}": _listed(block.names) for block in layout.blocks if block.names}
    groups = {f"group {group.name}": amount(len(group.terms), "term") for group in network.groups}
    return html_table(type(network).__name__, (), [*(counts | {"weights": trained} | blocks | groups).items()])


def _listed(names: tuple[Any, ...]) -> str:
    return ", ".join(map(str, names if len(names) <= 4 else (*names[:3], "...", names[-1]))) or "none"
