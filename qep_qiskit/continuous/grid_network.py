"""Atoms and springs on registers of qubits: every coordinate that moves is a position grid.

Positions are measured together in the computational basis, momenta after a Fourier transform of every register. Terms
are products of Z in both bases. Coefficients, derivatives and constants are computed from those of the `SpringNetwork`,
term by term.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit.quantum_info import SparsePauliOp

from qep_qiskit.continuous.coordinate_terms import CoordinateTerm
from qep_qiskit.continuous.grid_terms import GridPart, grid_parts, position_polynomial
from qep_qiskit.continuous.position_grid import PositionGrid, grid_masks
from qep_qiskit.continuous.springs import SpringNetwork
from qep_qiskit.continuous.z_polynomials import ZPolynomial
from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.merging import merge_into_groups
from qep_qiskit.core.observables import hermitian
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.pauli_strings import PauliString, sparse_pauli_op
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.network.checks import one_input
from qep_qiskit.network.interface import TermJacobian, network_html
from qep_qiskit.network.linear_observables import LinearObservable
from qep_qiskit.network.weights import WeightLayout


@short_repr
@dataclass(frozen=True, kw_only=True, eq=False)
class GridNetwork:
    """A network of quantum harmonic oscillators on qubits (Scellier 2024, arXiv:2406.00879, sec. 4.2).

    Args:
        atoms: Atoms, springs, masses and inputs, without rest lengths.
        grid: One register per coordinate that moves, in the order of the atoms.

    Raises:
        NetworkError: Springs have rest lengths, or the grid has another number of registers.
    """

    atoms: SpringNetwork
    grid: PositionGrid

    _repr_html_ = network_html

    def __post_init__(self) -> None:
        moving = len(self.atoms.coordinate_layout.moving_coordinates)
        if self.grid.num_coordinates != moving:
            raise NetworkError(
                f"grid: expected {amount(moving, 'coordinate')}, as many as move, got {self.grid.num_coordinates}"
            )
        if self.atoms.rest_lengths is not None:
            raise NetworkError(
                "rest_lengths: a distance is no sum of few ZZ on a position grid; leave rest lengths out, or "
                "use network.kind = 'elastic'"
            )

    @property
    def num_qubits(self) -> int:
        """Number of qubits of all registers."""
        return self.grid.total_qubits

    @property
    def num_inputs(self) -> int:
        """Length of the input vector x."""
        return self.atoms.num_inputs

    @property
    def outputs(self) -> tuple[int, ...]:
        """Atoms whose displacements are the outputs."""
        return self.atoms.outputs

    @cached_property
    def output_observables(self) -> tuple[LinearObservable, ...]:
        """Displacements of the output atoms from their rest positions, as sums of Z."""
        return tuple(map(self._on_registers, self.atoms.output_observables))

    @cached_property
    def output_squares(self) -> tuple[LinearObservable, ...]:
        """Squares of the output displacements, as sums of ZZ and Z."""
        return tuple(map(self._on_registers, self.atoms.output_squares))

    def _on_registers(self, observable: LinearObservable) -> LinearObservable:
        """Return a sum of functions of positions as a sum of products of Z."""
        total = ZPolynomial({0: observable.constant})
        for string, coefficient in observable.terms:
            assert isinstance(string, CoordinateTerm)
            total = total + position_polynomial(self.atoms, self.grid, string) * coefficient
        return LinearObservable(
            terms=tuple((self.grid.position_basis.string(mask), total.terms[mask]) for mask in total.masks),
            constant=total.constant,
            num_qubits=self.num_qubits,
        )

    @property
    def layout(self) -> WeightLayout:
        """Weights of the atoms: springs, anchors, forces, masses."""
        return self.atoms.layout

    @cached_property
    def _terms(self) -> tuple[CoordinateTerm, ...]:
        return tuple(string for group in self.atoms.groups for string in group.terms)

    @cached_property
    def _parts(self) -> tuple[GridPart, ...]:
        return grid_parts(self.atoms, self.grid, self._terms)

    @cached_property
    def groups(self) -> tuple[CommutingGroup, ...]:
        """Groups of positions ``"r"`` and of momenta ``"p"``."""
        polynomials = [
            [part.polynomial for part in self._parts if part.of_momenta == of_momenta] for of_momenta in (False, True)
        ]
        return (
            CommutingGroup(name="r", basis=self.grid.position_basis, masks=grid_masks(polynomials[0]), bounded=False),
            CommutingGroup(name="p", basis=self.grid.momentum_basis, masks=grid_masks(polynomials[1]), bounded=False),
        )

    def groups_with(self, terms: Iterable[PauliString]) -> tuple[CommutingGroup, ...]:
        """Return the groups, extended by the terms that a cost needs."""
        return merge_into_groups(self.groups, terms, self.num_qubits)

    @cached_property
    def _table(self) -> _Table:
        """The terms that every part contributes to."""
        positions, momenta = self.groups
        index_of = {(False, mask): place for place, mask in enumerate(positions.masks)}
        index_of |= {(True, mask): positions.num_terms + place for place, mask in enumerate(momenta.masks)}
        rows = [
            (part.source, index_of[part.of_momenta, mask], part.clamped, part.power, part.polynomial.terms[mask])
            for part in self._parts
            for mask in part.polynomial.masks
        ]
        source, term, clamped, power, value = zip(*rows, strict=True)
        return _Table(
            source=np.array(source),
            term=np.array(term),
            clamped=np.array(clamped),
            power=np.array(power),
            value=np.array(value),
        )

    def _clamped(self, coefficients: NDArray) -> NDArray[np.float64]:
        """Return the positions of clamped coordinates, shape (samples, clamped), from their coefficients."""
        index = {string: place for place, string in enumerate(self._terms)}
        coordinate_layout = self.atoms.coordinate_layout
        terms = [
            CoordinateTerm.component(*divmod(int(number), coordinate_layout.dims))
            for number in coordinate_layout.clamped_coordinates
        ]
        return coefficients[:, [index[string] for string in terms]]

    def coefficients(self, weights: NDArray, inputs: NDArray) -> NDArray:
        """Return the coefficients of all terms, shape (samples, terms), in energy."""
        known = self.atoms.coefficients(weights, inputs)
        table = self._table
        full = np.zeros((len(inputs), sum(group.num_terms for group in self.groups)))
        np.add.at(full.T, table.term, (known[:, table.source] * table.values(self._clamped(known))).T)
        return full

    def jacobian(self, weights: NDArray, inputs: NDArray) -> TermJacobian:
        """Return d(coefficient)/d(weight): a weight multiplies a sum of terms, of positions or of momenta."""
        own = self.atoms.jacobian(weights, inputs)
        table = self._table
        entry, row = np.nonzero(own.term[:, None] == table.source[None, :])
        values = table.values(self._clamped(self.atoms.coefficients(weights, inputs)))
        pairs, which = np.unique(np.stack([own.weight[entry], table.term[row]]), axis=1, return_inverse=True)
        summed = np.zeros((pairs.shape[1], len(inputs)))
        np.add.at(summed, which.ravel(), (own.values[:, entry] * values[:, row]).T)
        return TermJacobian(weight=pairs[0], term=pairs[1], values=summed.T, num_weights=own.num_weights)

    def hamiltonian(self, weights: NDArray, x: NDArray | Sequence[float] | None = None) -> SparsePauliOp:
        """Return H(w, x) as a SparsePauliOp, constants included.

        The kinetic energy is computed by a matrix per register.

        Args:
            weights: Shape (weights,).
            x: Shape (inputs,), the clamped inputs; may be omitted where there are none.
        """
        inputs = one_input(x, self.num_inputs)
        weights = self.layout.checked(weights)
        terms = self.atoms.coefficients(weights, inputs)
        return self._operator(self.coefficients(weights, inputs)[0], self._constant(terms[0], self._clamped(terms)))

    def interaction(self, weight: int | str, x: NDArray | Sequence[float] | None = None) -> SparsePauliOp:
        """Return dH/dw of one weight, constants included; for a mass, at mass 1.

        Args:
            weight: Index of the weight, or its name.
            x: Shape (inputs,), the clamped inputs; may be omitted where there are none.

        Raises:
            NetworkError: There is no weight of that name.
        """
        inputs, number = one_input(x, self.num_inputs), self.layout.index_of(weight)
        ones = np.ones(self.layout.num_weights)
        known, own = self.atoms.jacobian(ones, inputs), self.jacobian(ones, inputs)
        terms, full = np.zeros(len(self._terms)), np.zeros(sum(group.num_terms for group in self.groups))
        np.add.at(terms, known.term[known.weight == number], known.values[0, known.weight == number])
        np.add.at(full, own.term[own.weight == number], own.values[0, own.weight == number])
        return self._operator(full, self._constant(terms, self._clamped(self.atoms.coefficients(ones, inputs))))

    def _constant(self, terms: NDArray, clamped: NDArray) -> float:
        """Return the constant of a sum of coordinate terms, of coefficients of shape (terms,)."""
        return float(
            sum(terms[part.source] * part.factor(clamped)[0] * part.polynomial.constant for part in self._parts)
        )

    def _operator(self, full: NDArray, constant: float) -> SparsePauliOp:
        positions, momenta = self.groups
        first, second = full[: positions.num_terms], full[positions.num_terms :]
        identity = sparse_pauli_op([(PauliString(()), constant)], self.num_qubits)
        return hermitian(positions.operator(first) + momenta.operator(second) + identity)

    def weights_from(self, named: Mapping[str, Any]) -> NDArray[np.float64]:
        """Return a weight vector from a mapping by name, as `SpringNetwork.weights_from`."""
        return self.atoms.weights_from(named)

    def unreached_outputs(self) -> tuple[int, ...]:
        """Return the outputs that no path of springs connects to an input; empty where there are no inputs."""
        return self.atoms.unreached_outputs()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Table:
    """Sums coefficient[term] += coefficient[source] * value * clamped^power over entries, all of shape (entries,)."""

    source: NDArray[np.int64]
    term: NDArray[np.int64]
    clamped: NDArray[np.int64]
    power: NDArray[np.int64]
    value: NDArray[np.float64]

    def values(self, clamped: NDArray) -> NDArray[np.float64]:
        """Return the factors of all entries, shape (samples, entries), for clamped coordinates (samples, clamped)."""
        if not clamped.shape[1]:
            return np.broadcast_to(self.value, (len(clamped), len(self.value)))
        return np.asarray(self.value * clamped[:, self.clamped] ** self.power)
