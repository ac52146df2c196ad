"""The nudged Hamiltonian H(w, x) + beta C(y) as coefficients of the terms of network and cost.

A `NudgedHamiltonian` contains the commuting groups of network and cost together, and converts weights, inputs and
nudges to coefficients of shape (samples, phases, terms). Other packages use a network and a cost only through it. A
*term* is one Pauli string, or one function of positions or momenta, of a group; terms are numbered group after group.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.checks import check_finite, real_array
from qep_qiskit.core.errors import DataError, NetworkError
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.network.cost_interface import Cost
from qep_qiskit.network.interface import Network, TermJacobian
from qep_qiskit.network.linear_observables import matrix_of
from qep_qiskit.network.output_map import OutputMap

_ROUNDING = 1e-12
"""Rounding error where coefficients cancel, relative to the largest one."""


@short_repr
@dataclass(frozen=True, eq=False)
class NudgedHamiltonian:
    """H(w, x) + beta C(y) as one sum of commuting groups.

    Args:
        network: The network, with H and its derivatives.
        cost: The cost, whose nudge is added to H.

    Raises:
        NetworkError: Cost and network differ in their number of qubits.

    Example:
        >>> network = qep.IsingNetwork(graph=qep.chain(2), outputs=(1,))
        >>> problem = qep.NudgedHamiltonian(network, qep.OperatorCost.squared_error([1], 2))
        >>> problem.num_qubits, problem.num_terms
        (2, 5)
    """

    network: Network
    cost: Cost

    def __post_init__(self) -> None:
        for size in self.cost.sizes:
            if size != self.network.num_qubits:
                raise NetworkError(f"cost acts on {amount(size, 'qubit')}, the network has {self.network.num_qubits}")

    def in_batches_of(self, size: int) -> NudgedHamiltonian:
        """Return the problem of several batches that follow each other; itself if the cost couples no samples.

        Args:
            size: Samples of a batch.
        """
        cost = self.cost.in_batches_of(size)
        return self if cost is self.cost else replace(self, cost=cost)

    def targets_of(self, inputs: NDArray, targets: NDArray) -> NDArray:
        """Return what the cost takes as targets of samples: their targets, or their inputs where it reads these.

        Args:
            inputs: Shape (samples, inputs).
            targets: Shape (samples, targets).
        """
        return inputs if self.cost.reads_inputs else targets

    @property
    def num_qubits(self) -> int:
        """Number of qubits."""
        return self.network.num_qubits

    @cached_property
    def groups(self) -> tuple[Any, ...]:
        """Groups of the network, extended by the terms that the cost needs."""
        return self.network.groups_with(self.cost.terms)

    @cached_property
    def terms(self) -> tuple[Any, ...]:
        """All terms, group after group."""
        return tuple(string for group in self.groups for string in group.terms)

    @property
    def num_terms(self) -> int:
        """Number of terms."""
        return len(self.terms)

    @cached_property
    def group_slices(self) -> tuple[slice, ...]:
        """For every group, the slice of its terms among all terms."""
        ends = np.cumsum([group.num_terms for group in self.groups]).tolist()
        return tuple(slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True))

    @cached_property
    def is_bounded(self) -> bool:
        """Whether all terms are bounded, so that there are states at every nudge."""
        return all(group.bounded for group in self.groups)

    @cached_property
    def is_classical(self) -> bool:
        """Whether network and cost contain products of Z only: spins are then +1 or -1."""
        return all(group.is_classical for group in self.groups)

    def _positions(self, terms: tuple[Any, ...]) -> NDArray[np.int64]:
        index = {string: position for position, string in enumerate(self.terms)}
        return np.array([index[string] for string in terms], dtype=np.int64)

    @cached_property
    def network_terms(self) -> NDArray[np.int64]:
        """Indices of the terms that weights and inputs multiply, which a gradient needs."""
        return self._positions(tuple(string for group in self.network.groups for string in group.terms))

    @cached_property
    def cost_terms(self) -> NDArray[np.int64]:
        """Indices of the terms of the cost."""
        return self._positions(self.cost.terms)

    @cached_property
    def cost_groups(self) -> tuple[int, ...]:
        """Indices of the groups that contain terms of the cost or of the outputs."""
        return self.groups_of(self.cost_terms)

    def groups_of(self, terms: NDArray[np.int64]) -> tuple[int, ...]:
        """Return the indices of the groups that contain any of the terms."""
        slices = enumerate(self.group_slices)
        return tuple(g for g, where in slices if np.any((terms >= where.start) & (terms < where.stop)))

    @cached_property
    def output_map(self) -> OutputMap | None:
        """Outputs as linear functions of all terms.

        For a cost without outputs they are those of the network (Z of its output spins, or positions of its output
        atoms), or None where the terms do not contain them.
        """
        own = self.cost.output_map()
        if own is not None:
            matrix, constants = own
            full = np.zeros((matrix.shape[0], self.num_terms))
            full[:, self.cost_terms] = matrix
            return OutputMap(full, constants, self.terms)
        observables, known = self.network.output_observables, set(self.terms)
        if not observables or any(string not in known for observable in observables for string, _ in observable.terms):
            return None
        return OutputMap(*matrix_of(observables, self.terms), self.terms)

    @cached_property
    def output_reach(self) -> NDArray[np.float64]:
        """Smallest and largest value of each output, shape (outputs, 2); infinite for positions of atoms."""
        if self.output_map is None:
            return np.zeros((0, 2))
        return self.output_map.reach(np.concatenate([np.full(group.num_terms, group.bounded) for group in self.groups]))

    @property
    def output_strings(self) -> NDArray[np.int64]:
        """Indices of the terms that outputs consist of."""
        return np.zeros(0, dtype=np.int64) if self.output_map is None else self.output_map.strings

    @cached_property
    def responding_terms(self) -> NDArray[np.int64]:
        """Indices of the trained terms that anticommute with an output; none where terms are not Pauli strings."""
        anticommuting = None if self.output_map is None else self.output_map.anticommuting
        if anticommuting is None:
            return np.zeros(0, dtype=np.int64)
        return np.intersect1d(np.flatnonzero(anticommuting.any(axis=0)), self.trained_terms)

    def means_of_single_terms(self, outputs: NDArray) -> tuple[NDArray, NDArray]:
        """Return <P> and c of outputs a + c P of one Pauli string, shapes (samples, outputs) and (outputs,).

        Both are 0 for other outputs.
        """
        if self.output_map is None:
            return np.zeros_like(outputs), np.zeros(outputs.shape[1])
        return self.output_map.means_of_single_terms(outputs)

    @cached_property
    def measured_terms(self) -> NDArray[np.int64]:
        """Indices of the terms that determine the cost and the outputs of a free state."""
        if self.output_map is None:
            return self.cost_terms
        return np.union1d(self.output_strings, self.cost_terms)

    @cached_property
    def trained_terms(self) -> NDArray[np.int64]:
        """Indices of the terms that weights multiply, in ascending order."""
        layout = self.network.layout
        found = self.jacobian(np.ones(layout.num_weights), np.zeros((1, self.network.num_inputs))).term
        return np.unique(found).astype(np.int64)

    def check_samples(self, inputs: NDArray, targets: NDArray) -> None:
        """Check that a batch has as many inputs as targets.

        Args:
            inputs: Shape (samples, inputs).
            targets: Shape (samples, targets).

        Raises:
            DataError: The numbers of rows differ.
        """
        if len(inputs) != len(targets):
            raise DataError(f"targets: expected one row for every sample, {len(inputs)} in all, got {len(targets)}")

    def free_coefficients(self, weights: NDArray, inputs: NDArray) -> NDArray:
        """Return the coefficients of H alone, shape (samples, terms), in energy.

        Args:
            weights: Shape (weights,).
            inputs: Shape (samples, inputs).

        Raises:
            DataError: The inputs do not fit the network, or are not finite.
            NetworkError: The weights do not fit the network, or a weight or a coefficient is not finite.
        """
        inputs = _rows("inputs", inputs, self.network.num_inputs)
        weights = self.network.layout.checked(weights)
        full = np.zeros((inputs.shape[0], self.num_terms))
        with np.errstate(all="ignore"):
            full[:, self.network_terms] = self.network.coefficients(weights, inputs)
        self._check_coefficients("H", full)
        return full

    def _check_coefficients(self, name: str, coefficients: NDArray) -> None:
        """Check that all coefficients (samples, terms) of an operator are finite."""

        def where(sample: int, term: int) -> str:
            return f"{name}: the coefficient of {self.terms[term]} for sample {sample}"

        check_finite(coefficients, where)

    def jacobian(self, weights: NDArray, inputs: NDArray) -> TermJacobian:
        """Return d(coefficient)/d(weight), with the term numbers of this object.

        Args:
            weights: Shape (weights,).
            inputs: Shape (samples, inputs).
        """
        own = self.network.jacobian(self.network.layout.checked(weights), inputs)
        return replace(own, term=self.network_terms[own.term])

    @cached_property
    def cost_terms_of_phases(self) -> NDArray[np.int64]:
        """Indices of the terms from which the reported cost is computed in the phases of a gradient.

        Empty for a cost with error signals, whose reported value is that of the free phase.
        """
        return self.cost_terms[:0] if self.cost.has_signals else self.cost_terms

    def outputs(self, means: NDArray) -> NDArray[np.float64]:
        """Return outputs (samples, outputs) from means (samples, terms); no columns for a network without outputs."""
        assert self.output_map is not None
        return np.asarray(means @ self.output_map.matrix.T + self.output_map.constants)

    def nudge(self, targets: NDArray, outputs: NDArray | None = None) -> NDArray:
        """Return the coefficients (samples, terms) of the nudge C that is added to H.

        Args:
            targets: Shape (samples, targets).
            outputs: Shape (samples, outputs), output expectations of the free phase; used for error signals only.

        Raises:
            DataError: The targets are not finite, or their number differs from that of the outputs that they belong to.
            NetworkError: A coefficient is not finite.
        """
        if not self.cost.has_signals:
            return self.operator_nudge(targets)[0]
        assert outputs is not None
        return self.signal_nudge(self.cost.signals(outputs, targets))

    def nudge_in_units(self, targets: NDArray) -> NDArray:
        """Return the nudge, shape (samples, terms); with error signals, that of unit signals, shape (1, terms).

        Signals have any signs, and outputs may share terms, as M and -M of two classes do. A term therefore has the sum
        of the magnitudes of its coefficients in all outputs, the most that unit signals give it.
        """
        if not self.cost.has_signals:
            return self.operator_nudge(targets)[0]
        assert self.output_map is not None
        return np.abs(self.output_map.matrix).sum(axis=0, keepdims=True)

    def nudge_slope(self, targets: NDArray, outputs: NDArray | None) -> NDArray | None:
        """Return the derivative of the nudge with respect to the means, shape (samples, terms, terms), or None.

        Args:
            targets: Shape (samples, targets).
            outputs: Shape (samples, outputs), output expectations of the free phase; used for error signals only.

        Raises:
            NetworkError: The cost couples samples, so that the nudge of one depends on the means of others.
        """
        if not self.cost.has_signals:
            return None
        if self.cost.couples_samples:
            raise NetworkError(
                "cost: this estimate propagates the shot noise of every sample alone; a loss over a batch goes with a "
                "contrast of nudged states"
            )
        assert self.output_map is not None
        assert outputs is not None
        matrix = self.output_map.matrix
        return np.asarray(matrix.T @ self.cost.curvature(outputs, targets) @ matrix)

    def operator_nudge(self, targets: NDArray) -> tuple[NDArray, NDArray]:
        """Return coefficients (samples, terms) and constants (samples,) of a cost without error signals.

        Raises:
            DataError: The targets are not finite, or their number differs from that of the outputs that they belong to.
            NetworkError: A coefficient is not finite, or the cost's function returns another shape.
        """
        targets = _rows("targets", targets, self.cost.num_targets)
        coefficients, constants = self.cost.observable(targets)
        rows, terms = targets.shape[0], len(self.cost.terms)
        full = np.zeros((rows, self.num_terms))
        full[:, self.cost_terms] = real_array("cost", coefficients, (rows, terms), "(samples, terms of the cost)")
        constants = real_array("cost: constants", constants, (rows,), "(samples,)")
        self._check_coefficients("cost", full)
        check_finite(constants, lambda sample: f"cost: the constant for sample {sample}")
        return full, constants

    def signal_nudge(self, signals: NDArray) -> NDArray:
        """Return the coefficients (samples, terms) of sum_o eps_o O_o, from error signals (samples, outputs).

        Raises:
            NetworkError: A coefficient is not finite.
        """
        assert self.output_map is not None
        nudge = signals @ self.output_map.matrix
        self._check_coefficients("nudge", nudge)
        return nudge

    def flip_symmetric(self, weights: NDArray, inputs: NDArray) -> NDArray[np.bool_]:
        """Return, per sample, whether H commutes with the flip of all spins (prod X) while an output changes sign.

        Then every output is zero by symmetry, and where couplings dominate the ground state is nearly twofold
        degenerate.

        Args:
            weights: Shape (weights,).
            inputs: Shape (samples, inputs).
        """
        odd = np.array([string.is_odd for string in self.terms])
        sees_it = bool(odd[self.cost_terms].any())
        sizes = np.abs(self.free_coefficients(weights, inputs))
        broken = np.any(sizes[:, odd] > _ROUNDING * sizes.max(axis=1, keepdims=True), axis=1)
        return ~broken if sees_it else np.zeros(inputs.shape[0], dtype=bool)


def _rows(name: str, values: NDArray, width: int | None) -> NDArray[np.float64]:
    """Return inputs or targets as an array with one finite row per sample; raise an error for others."""
    expected = "any number" if width is None else width
    rows = real_array(name, values, (None, width), f"(samples, {expected})", error=DataError)
    finite = np.isfinite(rows)
    if not finite.all():
        sample, column = np.argwhere(~finite)[0].tolist()
        raise DataError(f"{name}: expected finite numbers, got {rows[sample, column]} at {(sample, column)}")
    return rows
