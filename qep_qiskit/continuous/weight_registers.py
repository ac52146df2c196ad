"""Weights that are quantum: each is a coordinate on a register of qubits, held by a spring, beside the spins.

    H = H(r) + beta C + sum_i p_i^2 / (2 mass) + sum_i (r_i - u_i)^2 / (2 epsilon)         (hbar = 1)

In every eigenstate the mean of the force on a coordinate vanishes (Ehrenfest), so that

    <r_i> - u_i + epsilon <dH/dw_i> = 0,

the equilibrium of the classical weights of agnostic equilibrium propagation, with means over spins and weights. It is
exact on a line; a grid adds what a state has at the edge of its box or beyond its largest momentum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qep_qiskit.continuous.position_grid import PositionGrid, grid_masks
from qep_qiskit.continuous.z_polynomials import ZPolynomial
from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.fourier import FourierBasis
from qep_qiskit.core.limits import Count, Positive, check_limits
from qep_qiskit.core.operators import CommutingGroup, LocalBasis, paulis_of
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation.spectra import lanczos

_ROUNDING = 1e-12


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WeightStates:
    """Eigenstates of spins and quantum weights, lowest first.

    Args:
        energies: Shape (states,).
        vectors: Shape (states, 2^qubits), registers on the lowest qubits, in the order of their weights.
        positions: Mean coordinates <r>, shape (states, weights on registers).
        forces: Mean derivatives <dH/dw>, shape (states, weights on registers).
    """

    energies: NDArray[np.float64]
    vectors: NDArray[np.complex128]
    positions: NDArray[np.float64]
    forces: NDArray[np.float64]


@short_repr
@dataclass(frozen=True, kw_only=True, eq=False)
class WeightRegisters:
    """A network of spins some of whose weights are coordinates on registers of qubits.

    Args:
        hamiltonian: Network and operator cost, of Pauli strings measured qubit by qubit, linear in the weights.
        weights: Values of all weights, shape (weights,); those on registers have their box around them.
        on_registers: Names of the weights on registers.
        epsilon: Compliance of the springs.
        mass: Mass of every coordinate, with hbar = 1.
        num_qubits: Qubits of a register.
        box: Length of the box of every coordinate.

    Raises:
        ConfigError: A number is out of range.
        NetworkError: A name is unknown, or the network or the cost is of another kind.

    Example:
        >>> network = qep.IsingNetwork(graph=qep.chain(2), outputs=(1,))
        >>> problem = qep.NudgedHamiltonian(network, qep.OperatorCost.squared_error([1], 2))
        >>> joint = qep.WeightRegisters(
        ...     hamiltonian=problem, weights=np.full(5, 0.5), on_registers=["J[0,1]"], epsilon=0.3, box=10.0
        ... )
        >>> states = joint.eigenstates([0.2], y=[1.0], count=3)
        >>> bool(np.abs(states.positions - 0.2 + 0.3 * states.forces).max() < 1e-10)
        True
    """

    hamiltonian: NudgedHamiltonian
    weights: NDArray[np.float64]
    on_registers: Sequence[str]
    epsilon: Positive
    mass: Positive = 1.0
    num_qubits: Count = 5
    box: Positive = 10.0

    def __post_init__(self) -> None:
        check_limits(self)
        for group in paulis_of(self.hamiltonian.groups):
            if not group.basis.is_local:
                raise NetworkError(
                    f"group {group.name}: weights on registers go with Pauli strings that are measured qubit by qubit"
                )
        if self.hamiltonian.cost.has_signals:
            raise NetworkError("cost: weights on registers take an operator cost, which needs no free phase")

    @cached_property
    def grid(self) -> PositionGrid:
        """The registers, one for each weight, on the lowest qubits."""
        centres = np.asarray(self.weights, dtype=float)[self._indices]
        return PositionGrid(
            num_qubits=self.num_qubits,
            boxes=(self.box,) * len(centres),
            centres=tuple(centres.tolist()),
            names=tuple(self.on_registers),
        )

    @property
    def _indices(self) -> list[int]:
        return [self.hamiltonian.network.layout.index_of(name) for name in self.on_registers]

    def eigenstates(
        self,
        controls: ArrayLike,
        *,
        x: ArrayLike = (),
        y: ArrayLike = (),
        beta: float = 0.0,
        count: int = 1,
    ) -> WeightStates:
        """Return the lowest eigenstates of spins and weights, by Lanczos.

        Args:
            controls: Where the springs are fixed, u, shape (weights on registers,).
            x: Inputs of one sample.
            y: Targets of one sample.
            beta: Nudge.
            count: Number of states.

        Raises:
            NetworkError: Coefficients of the network are not linear in the weights on registers.
        """
        inputs, targets = np.atleast_2d(np.asarray(x, dtype=float)), np.atleast_2d(np.asarray(y, dtype=float))
        groups, coefficients, constant = self._joint(np.asarray(controls, dtype=float), inputs, targets, beta)
        (energies,), (vectors,) = lanczos(groups, coefficients[None], np.zeros(count))
        return WeightStates(
            energies=energies + constant,
            vectors=vectors,
            positions=self._positions(vectors),
            forces=self._forces(vectors, inputs),
        )

    def _spins(self) -> tuple[CommutingGroup, ...]:
        """Groups of the spins, on the qubits above the registers."""
        below = self.grid.total_qubits
        return tuple(
            CommutingGroup(
                name=group.name,
                basis=LocalBasis("Z" * below + group.basis.letters),  # type: ignore[attr-defined]
                masks=tuple(mask << below for mask in group.masks),
            )
            for group in paulis_of(self.hamiltonian.groups)
        )

    def _slopes(self, inputs: NDArray) -> NDArray[np.float64]:
        """Derivatives of the coefficients by the weights on registers, shape (weights on registers, terms)."""
        jacobian = self.hamiltonian.jacobian(self.weights, inputs)
        dense = np.zeros((jacobian.num_weights, self.hamiltonian.num_terms))
        np.add.at(dense, (jacobian.weight, jacobian.term), jacobian.values[0])
        return dense[self._indices]

    def _joint(
        self, controls: NDArray, inputs: NDArray, targets: NDArray, beta: float
    ) -> tuple[tuple[CommutingGroup, ...], NDArray, float]:
        """Groups of H, their coefficients, and the constant part."""
        free, slopes = self.hamiltonian.free_coefficients(self.weights, inputs)[0], self._slopes(inputs)
        values = np.asarray(self.weights, dtype=float)[self._indices]
        without = np.array(self.weights, dtype=float)
        without[self._indices] = 0.0
        rest = self.hamiltonian.free_coefficients(without, inputs)[0]
        if np.abs(rest + values @ slopes - free).max(initial=0.0) > _ROUNDING * max(1.0, np.abs(free).max(initial=0.0)):
            raise NetworkError("weights on registers take coefficients that are linear in the weights")
        nudge, constants = self.hamiltonian.operator_nudge(targets)
        rest = rest + beta * nudge[0]
        parts: list[tuple[CommutingGroup, ZPolynomial]] = []
        for group, where in zip(self._spins(), self.hamiltonian.group_slices, strict=True):
            energy = ZPolynomial(dict(zip(group.masks, rest[where].tolist(), strict=True)))
            for place, slope in enumerate(slopes[:, where]):
                moved = ZPolynomial(dict(zip(group.masks, slope.tolist(), strict=True)))
                energy = energy + self.grid.position(place) * moved
            parts.append((group, energy))
        springs, kinetic = ZPolynomial({}), ZPolynomial({})
        for place, control in enumerate(controls.tolist()):
            stretched, wave = self.grid.position(place) + ZPolynomial({0: -control}), self.grid.wave_number(place)
            springs = springs + stretched * stretched * (0.5 / self.epsilon)
            kinetic = kinetic + wave * wave * (0.5 / self.mass)
        qubits = self.grid.total_qubits + self.hamiltonian.num_qubits
        parts.append((CommutingGroup(name="springs", basis=LocalBasis("Z" * qubits), masks=(1,)), springs))
        parts.append((CommutingGroup(name="p", basis=FourierBasis(qubits, self.grid.registers), masks=(1,)), kinetic))
        groups = tuple(
            CommutingGroup(name=group.name, basis=group.basis, masks=grid_masks([energy]), bounded=False)
            for group, energy in parts
        )
        coefficients = np.concatenate([[energy.terms[mask] for mask in energy.masks] for _, energy in parts])
        return groups, coefficients, sum(energy.constant for _, energy in parts) + beta * float(constants[0])

    def _positions(self, vectors: NDArray) -> NDArray[np.float64]:
        shape = (len(vectors), -1, *(self.grid.num_points,) * self.grid.num_coordinates)
        weight = (np.abs(vectors) ** 2).reshape(shape).sum(axis=1)
        found = []
        for place in range(self.grid.num_coordinates):
            axis = weight.ndim - 1 - place  # the first register is on the lowest qubits
            others = tuple(k for k in range(1, weight.ndim) if k != axis)
            found.append(weight.sum(axis=others) @ self.grid.positions(place))
        return np.array(found).T

    def _forces(self, vectors: NDArray, inputs: NDArray) -> NDArray[np.float64]:
        means = np.concatenate([group.expectations(vectors) for group in self._spins()], axis=1)
        return np.asarray(means @ self._slopes(inputs).T)
