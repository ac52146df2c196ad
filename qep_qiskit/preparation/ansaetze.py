"""Circuits for variational preparation, and the angles that the minimisation starts from.

An ansatz depends on the commuting groups and never on the weights: its state may depend on the weights only through the
minimisation. Otherwise the contrast is not a gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.ansatz import Entanglement, check_ansatz, hamiltonian_variational, hardware_efficient
from qep_qiskit.core.limits import Count, Index, check_limits
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.program import LayerProgram
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.preparation.resolution import units_of

_RAMP_STEP = 0.6
_BREAKS_SYMMETRY = 0.01
_RESTART_STD = 0.5


class Ansatz(Protocol):
    """Interface of an ansatz: a program whose parameters are gate angles in radians.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)  # which also gives a hash
        ... class Rotations:
        ...     def program(self, groups):
        ...         return qep.hardware_efficient(groups[0].num_qubits, depth=0)
        ...
        ...     def cold_start(self, groups, coefficients, restart, generator):
        ...         return generator.normal(0.0, 0.1, (len(coefficients), self.program(groups).num_parameters))
        ...
        >>> qep.VariationalPreparation(ansatz=Rotations(), seeds=qep.Seeds(0)).ansatz
        Rotations()
    """

    def __hash__(self) -> int:
        """Return a hash such that equal ansaetze share one cached program."""

    def program(self, groups: tuple[CommutingGroup, ...]) -> LayerProgram:
        """Return the program for Hamiltonians made of these groups."""

    def cold_start(
        self, groups: Sequence[CommutingGroup], coefficients: NDArray, restart: int, generator: np.random.Generator
    ) -> NDArray[np.float64]:
        """Return initial angles in radians, shape (rows, parameters).

        Args:
            groups: The commuting groups of the Hamiltonians.
            coefficients: Shape (rows, terms), the Hamiltonians in energy.
            restart: Number of the restart, from 0.
            generator: The random stream.
        """


@lru_cache(maxsize=32)
def program_of(ansatz: Ansatz, groups: tuple[CommutingGroup, ...]) -> LayerProgram:
    """Return the program of an ansatz, built once and checked.

    Raises:
        AnsatzError: The program has no free angle, or one that is named like a coefficient of the Hamiltonian.
    """
    program = ansatz.program(groups)
    check_ansatz(program, [str(string) for group in groups for string in group.terms])
    return program


@dataclass(frozen=True, slots=True)
class HamiltonianVariational:
    """The gates of the Hamiltonian itself, each with a free angle, layer after layer (`hamiltonian_variational`).

    The initial angles follow a digitised ramp (Sack & Serbyn 2021, Quantum 5, 491), which gives a state near the ground
    state.

    Args:
        depth: Number of layers.

    Example:
        >>> groups = qep.IsingNetwork(graph=qep.chain(2), outputs=(1,)).groups
        >>> qep.HamiltonianVariational(depth=2).program(groups).num_parameters
        10
    """

    depth: Count = 3

    def __post_init__(self) -> None:
        check_limits(self)

    def program(self, groups: tuple[CommutingGroup, ...]) -> LayerProgram:
        """Return the program for these groups."""
        return hamiltonian_variational(groups, self.depth)

    def cold_start(
        self, groups: Sequence[CommutingGroup], coefficients: NDArray, restart: int, generator: np.random.Generator
    ) -> NDArray[np.float64]:
        """Return the angles of a linear ramp from the transverse field, with noise that grows with every restart.

        Coefficients are divided by their root mean square, so that the angles do not depend on the unit of energy.
        """
        terms = [string for group in groups for string in group.terms]
        driver = np.array([[letter for _, letter in string.factors] == ["X"] for string in terms], dtype=float)
        progress = ((np.arange(self.depth) + 0.5) / self.depth)[None, :, None]
        relative = coefficients / _typical_size(coefficients)[:, None]
        ramp = progress * relative[:, None, :] - (1.0 - progress) * driver
        angles = 2.0 * _RAMP_STEP * ramp.reshape(len(coefficients), -1)
        return angles + (_BREAKS_SYMMETRY + _RESTART_STD * restart) * generator.normal(size=angles.shape)


def _typical_size(coefficients: NDArray) -> NDArray[np.float64]:
    """Return the root mean square of the non-zero coefficients of every row, scaled to avoid underflow."""
    units = units_of(coefficients)
    squares, counts = np.square(coefficients / units[:, None]).sum(axis=1), np.count_nonzero(coefficients, axis=1)
    return units * np.where(counts > 0, np.sqrt(squares / np.maximum(counts, 1)), 1.0)


@dataclass(frozen=True, slots=True)
class HardwareEfficient:
    """RY, RZ and CX gates, as Qiskit's ``efficient_su2``; depth 0 is a product state.

    Args:
        depth: Number of entangling layers.
        entanglement: As in Qiskit: ``"reverse_linear"``, ``"linear"``, ``"circular"``, ``"full"`` or ``"pairwise"``.

    Example:
        >>> groups = qep.IsingNetwork(graph=qep.chain(2), outputs=(1,)).groups
        >>> qep.HardwareEfficient(depth=1).program(groups).num_parameters
        8
    """

    depth: Index = 2
    entanglement: Entanglement = "reverse_linear"

    def program(self, groups: tuple[CommutingGroup, ...]) -> LayerProgram:
        """Return the program for these groups."""
        return hardware_efficient(groups[0].num_qubits, self.depth, self.entanglement)

    def cold_start(
        self, groups: Sequence[CommutingGroup], coefficients: NDArray, restart: int, generator: np.random.Generator
    ) -> NDArray[np.float64]:
        """Return uniformly random angles in [-pi, pi), shape (rows, parameters)."""
        return _random_angles(program_of(self, tuple(groups)), len(coefficients), generator)


@short_repr
@dataclass(frozen=True, slots=True)
class FixedAnsatz:
    """A program given by the user, such as one read from an OpenQASM 3 file (`read_ansatz`).

    Args:
        given: The program.

    Example:
        >>> qep.FixedAnsatz(qep.hardware_efficient(2, depth=1)).given.num_parameters
        8
    """

    given: LayerProgram

    def program(self, groups: tuple[CommutingGroup, ...]) -> LayerProgram:
        """Return the given program."""
        return self.given

    def cold_start(
        self, groups: Sequence[CommutingGroup], coefficients: NDArray, restart: int, generator: np.random.Generator
    ) -> NDArray[np.float64]:
        """Return uniformly random angles in [-pi, pi), shape (rows, parameters)."""
        return _random_angles(self.given, len(coefficients), generator)


def _random_angles(program: LayerProgram, rows: int, generator: np.random.Generator) -> NDArray[np.float64]:
    return generator.uniform(-np.pi, np.pi, size=(rows, program.num_parameters))
