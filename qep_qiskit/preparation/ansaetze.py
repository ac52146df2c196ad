"""The circuits a variational preparation can use, and the angles it starts from when it knows nothing better.

An ansatz is given the commuting groups and never the weights: its state may depend on the weights only through the
minimisation, or the contrast is no gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.ansatz import check_ansatz, hamiltonian_variational, hardware_efficient
from qep_qiskit.core.operators import CommutingGroup, PauliString
from qep_qiskit.core.program import LayerProgram
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.preparation.resolution import units_of

_RAMP_STEP = 0.6
_BREAKS_SYMMETRY = 0.01
_RESTART_STD = 0.5


class Ansatz(Protocol):
    """Gives a program whose parameters are gate angles in radians."""

    def __hash__(self) -> int:
        """Equal ansaetze share one program."""
        ...

    def program(self, groups: tuple[CommutingGroup, ...]) -> LayerProgram:
        """The program for Hamiltonians made of these groups."""
        ...

    def cold_start(
        self, groups: Sequence[CommutingGroup], coefficients: NDArray, restart: int, generator: np.random.Generator
    ) -> NDArray[np.float64]:
        """Angles to start from, shape (rows, parameters), for Hamiltonians (rows, terms); `restart` counts from 0."""
        ...


@lru_cache(maxsize=32)
def program_of(ansatz: Ansatz, groups: tuple[CommutingGroup, ...]) -> LayerProgram:
    """The program of an ansatz, made once and checked.

    Raises:
        AnsatzError: It has no free angle, or one that is named as a coefficient of the Hamiltonian.
    """
    program = ansatz.program(groups)
    check_ansatz(program, [str(string) for group in groups for string in group.terms])
    return program


@dataclass(frozen=True, slots=True)
class HamiltonianVariational:
    """The Hamiltonian's own gates, each with a free angle, layer after layer (`hamiltonian_variational`).

    It starts from a digitised ramp (Sack & Serbyn 2021, Quantum 5, 491), from where the ground state is near.

    Args:
        depth: Number of layers.

    Example:
        >>> groups = qep.IsingNetwork(graph=qep.chain(2), outputs=(1,)).groups
        >>> qep.HamiltonianVariational(depth=2).program(groups).num_parameters
        10
    """

    depth: int

    def program(self, groups: tuple[CommutingGroup, ...]) -> LayerProgram:
        """The program for these groups."""
        return hamiltonian_variational(groups, self.depth)

    def cold_start(
        self, groups: Sequence[CommutingGroup], coefficients: NDArray, restart: int, generator: np.random.Generator
    ) -> NDArray[np.float64]:
        """A linear ramp from the transverse field, and a little noise that breaks symmetries.

        Coefficients count in units of their root mean square, so that the start is the same in any unit of energy.
        """
        terms = [string for group in groups for string in group.terms]
        driver = np.array([_is_single_x(string) for string in terms], dtype=float)
        progress = ((np.arange(self.depth) + 0.5) / self.depth)[None, :, None]
        relative = coefficients / _typical_size(coefficients)[:, None]
        ramp = progress * relative[:, None, :] - (1.0 - progress) * driver
        angles = 2.0 * _RAMP_STEP * ramp.reshape(len(coefficients), -1)
        return angles + (_BREAKS_SYMMETRY + _RESTART_STD * restart) * generator.normal(size=angles.shape)


def _typical_size(coefficients: NDArray) -> NDArray[np.float64]:
    """Root mean square of the coefficients of every row that are not zero, by way of the largest: no square is lost."""
    units = units_of(coefficients)
    squares, counts = np.square(coefficients / units[:, None]).sum(axis=1), np.count_nonzero(coefficients, axis=1)
    return units * np.where(counts > 0, np.sqrt(squares / np.maximum(counts, 1)), 1.0)


def _is_single_x(string: PauliString) -> bool:
    return len(string.factors) == 1 and string.factors[0][1] == "X"


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

    depth: int
    entanglement: str = "reverse_linear"

    def program(self, groups: tuple[CommutingGroup, ...]) -> LayerProgram:
        """The program for these groups."""
        return hardware_efficient(groups[0].num_qubits, self.depth, self.entanglement)

    def cold_start(
        self, groups: Sequence[CommutingGroup], coefficients: NDArray, restart: int, generator: np.random.Generator
    ) -> NDArray[np.float64]:
        """Random angles."""
        return _random_angles(program_of(self, tuple(groups)), len(coefficients), generator)


@short_repr
@dataclass(frozen=True, slots=True)
class FixedAnsatz:
    """A program of the user's own, such as one read from an OpenQASM 3 file (`read_ansatz`).

    Args:
        given: The program.

    Example:
        >>> qep.FixedAnsatz(qep.hardware_efficient(2, depth=1)).given.num_parameters
        8
    """

    given: LayerProgram

    def program(self, groups: tuple[CommutingGroup, ...]) -> LayerProgram:
        """The program itself."""
        return self.given

    def cold_start(
        self, groups: Sequence[CommutingGroup], coefficients: NDArray, restart: int, generator: np.random.Generator
    ) -> NDArray[np.float64]:
        """Random angles."""
        return _random_angles(self.given, len(coefficients), generator)


def _random_angles(program: LayerProgram, rows: int, generator: np.random.Generator) -> NDArray[np.float64]:
    return generator.uniform(-np.pi, np.pi, size=(rows, program.num_parameters))
