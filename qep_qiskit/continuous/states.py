"""States of atoms, and sampled positions or momenta as outcomes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.continuous.coordinates import CoordinateGroup
from qep_qiskit.core.errors import ResultError
from qep_qiskit.core.memory import require_bytes
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.outcomes import ExactMeans, GroupMoments, Outcomes, ReadoutErrorModel
from qep_qiskit.outcomes.checks import require_real, require_shape
from qep_qiskit.outcomes.states import PreparedStates


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CoordinateSamples(Outcomes):
    """Outcomes of measurements of atoms, shot by shot.

    Args:
        points: Shape (measured, shots, atoms, dims): positions, or momenta for a group of momenta.
    """

    mark: ClassVar[str] = "points"

    points: NDArray[np.float64]

    @property
    def shots(self) -> int:
        """Shots of each measured state."""
        return self.points.shape[1]

    def moments(self, group: CoordinateGroup, errors: ReadoutErrorModel | None = None) -> GroupMoments:
        """Return means and covariances of all terms, state by state, from deviations; there are no readout errors."""
        shots, size = self.shots, group.num_terms
        require_bytes(4 * 8 * len(self.points) * size**2, f"covariances of {size} terms in {len(self.points)} states")
        means, covariance = np.empty((len(self.points), size)), np.empty((len(self.points), size, size))
        divisor = shots * (shots - 1) if shots > 1 else np.nan
        for row, batch in enumerate(self.points):
            values = group.values(batch)
            means[row] = values.mean(axis=0)
            values -= means[row]
            covariance[row] = values.T @ values / divisor
        return GroupMoments(means=means, covariance=covariance, shots=shots)

    def check(self, measured: int, group: CoordinateGroup, num_qubits: int | None, name: str) -> None:
        """Check that the outcomes are real numbers, one vector per atom, of states without qubits."""
        if num_qubits is not None:
            raise ResultError(f"{name}: expected bits, got {type(self).__name__}")
        require_shape(self.points, (measured, self.shots, *group.point_shape), name)
        require_real(self.points, name)

    def packed(self) -> tuple[dict[str, Any], NDArray]:
        """Return the points as a checkpoint stores them."""
        return {"points": True}, self.points

    @classmethod
    def of_packed(cls, numbers: Mapping[str, Any], array: NDArray) -> CoordinateSamples:
        """Return outcomes from stored points; the inverse of `packed`."""
        return cls(points=array)


class PointStates(PreparedStates):
    """Base class of states of atoms."""

    __slots__ = ()

    @property
    def num_qubits(self) -> None:
        """None: atoms have no qubits."""
        return

    @abstractmethod
    def expectations(self, group: CoordinateGroup, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return exact means of all terms, shape (rows, terms).

        Args:
            group: The group to measure.
            rows: Indices of the states.
        """

    @abstractmethod
    def sampled(
        self, group: CoordinateGroup, rows: NDArray[np.int64], shots: int, generator: np.random.Generator
    ) -> NDArray[np.float64]:
        """Return positions, or momenta, shot by shot: shape (rows, shots, atoms, dims).

        Args:
            group: The group to measure.
            rows: Indices of the states.
            shots: Shots of each state.
            generator: The random stream.
        """

    def term_means(self, groups: Sequence[CoordinateGroup]) -> NDArray[np.float64]:
        """Return exact expectations of the terms of all groups, shape (states, terms)."""
        rows = np.arange(self.num_states)
        return np.concatenate([self.expectations(group, rows) for group in groups], axis=1)

    def measured(
        self, group: CoordinateGroup, rows: NDArray[np.int64], shots: int | None, generator: np.random.Generator | None
    ) -> Outcomes:
        """Return exact expectations, or sampled positions or momenta."""
        if shots is None:
            return ExactMeans(means=self.expectations(group, rows))
        assert generator is not None
        atoms, dims = group.point_shape
        require_bytes(8 * 3 * len(rows) * shots * atoms * dims, f"{shots} shots of {atoms} atoms")
        return CoordinateSamples(points=self.sampled(group, rows, shots, generator))


@short_repr
@dataclass(frozen=True, slots=True, eq=False)
class ClassicalPositions(PointStates):
    """Classical atoms in equilibrium.

    Args:
        points: Shape (states, atoms, dims), the positions.
    """

    is_certain: ClassVar[bool] = True
    per_state: ClassVar[tuple[str, ...]] = ("points",)

    points: NDArray[np.float64]

    def expectations(self, group: CoordinateGroup, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return all terms at the positions, shape (rows, terms); momenta are zero."""
        points = self.points[rows]
        return group.values(np.zeros_like(points) if group.of_momenta else points)

    def sampled(
        self, group: CoordinateGroup, rows: NDArray[np.int64], shots: int, generator: np.random.Generator
    ) -> NDArray[np.float64]:
        """Return the same point in every shot, shape (rows, shots, atoms, dims)."""
        points = self.points[rows][:, None]
        still = np.zeros_like(points) if group.of_momenta else points
        return np.broadcast_to(still, (len(rows), shots, *points.shape[2:]))
