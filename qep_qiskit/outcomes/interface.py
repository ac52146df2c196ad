"""What comes of a measurement: the outcomes of one group, of all states that were measured in it.

A kind of outcomes is one class. It knows its moments, whether it has shot noise, how a checkpoint holds it, and what is
wrong with it. What is to be done with outcomes is not in them: the work that asked for them knows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.outcomes.checks import require_real, require_shape
from qep_qiskit.outcomes.covariances import no_covariance


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupMoments:
    """Means of a group's generators, and the covariance of these means.

    Args:
        means: Shape (measured, generators).
        covariance: Shape (measured, generators, generators), of the means (already divided by the shots).
            NaN where one shot gives no estimate; zero where exact.
        shots: Shots per state, or None where exact.

    Example:
        >>> group = qep.CommutingGroup(name="Z", basis=qep.LocalBasis("Z"), masks=(1,))
        >>> qep.Distribution(weights=np.array([[75, 25]]), shots=100).moments(group).covariance.round(6)
        array([[[0.007576]]])
    """

    means: NDArray[np.float64]
    covariance: NDArray[np.float64]
    shots: int | None

    @classmethod
    def exact(cls, means: NDArray) -> GroupMoments:
        """Means without noise."""
        return cls(means=means, covariance=no_covariance(means.shape), shots=None)


class ReadoutErrorModel(Protocol):
    """What is known of errors of the reading, and can be taken out of moments."""

    def signs(self) -> NDArray[np.float64] | None:
        """What a read bit counts, for the bits 0 and 1 of every qubit (2, qubits); None where it counts +1 and -1."""
        ...

    def factors(self, masks: Sequence[int]) -> NDArray[np.float64] | None:
        """What products of Z are read with, shape (masks,); None where they are read as they are."""
        ...

    def arrays(self) -> dict[str, NDArray]:
        """What a checkpoint keeps."""
        ...


class Outcomes(ABC):
    """Outcomes of one group, one row per measured state."""

    __slots__ = ()

    mark: ClassVar[str] = ""
    """What tells packed outcomes of this kind from others: a key of their numbers. Empty where none are packed."""

    if TYPE_CHECKING:  # a field would take a property of a base class for its default

        @property
        def shots(self) -> int | None:
            """Shots of each measured state, or None where exact."""

    @property
    def is_exact(self) -> bool:
        """Whether they have no shot noise."""
        return self.shots is None

    @abstractmethod
    def moments(self, group: Any, errors: ReadoutErrorModel | None = None) -> GroupMoments:
        """Means of all generators of a group, with an unbiased estimate of their covariance.

        Args:
            group: The group that was measured.
            errors: Errors of the reading to take out, or None to take outcomes as they are.
        """

    @abstractmethod
    def check(self, measured: int, group: Any, num_qubits: int | None, name: str) -> None:
        """Check that these are outcomes of such a measurement.

        Args:
            measured: States that were measured.
            group: The group.
            num_qubits: Qubits of the states; None for atoms in space.
            name: Circuit and backend.

        Raises:
            ResultError: They are not.
        """

    def compact(self) -> Self:
        """The same in as few bytes as hold them."""
        return self

    def packed(self) -> tuple[dict[str, Any], NDArray]:
        """Numbers that JSON can hold, among them one called `mark`, and an array."""
        raise NotImplementedError(f"{type(self).__name__} are exact, and are not kept")

    @classmethod
    def of_packed(cls, numbers: Mapping[str, Any], array: NDArray) -> Outcomes:
        """The inverse of `packed`."""
        raise NotImplementedError


def unpacked(numbers: Mapping[str, Any], array: NDArray) -> Outcomes:
    """The inverse of `Outcomes.packed` for every kind there is.

    Raises:
        KeyError: There is no such kind.
    """
    kinds = {kind.mark: kind for kind in _kinds()}  # the last: slots make a class anew
    mark = next((mark for mark in kinds if mark in numbers), "a mark of outcomes")
    return kinds[mark].of_packed(numbers, array)


def _kinds() -> list[type[Outcomes]]:
    """All kinds that can be packed, in the order in which they were defined."""
    found: list[type[Outcomes]] = list(Outcomes.__subclasses__())
    for kind in found:
        found += kind.__subclasses__()
    return [kind for kind in found if kind.mark]


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExactMeans(Outcomes):
    """Exact expectations, where outcomes are too many to list.

    Args:
        means: Shape (measured, generators).
    """

    means: NDArray[np.float64]

    @property
    def shots(self) -> None:
        """None."""
        return

    def moments(self, group: Any, errors: ReadoutErrorModel | None = None) -> GroupMoments:
        """What they are."""
        return GroupMoments.exact(self.means)

    def check(self, measured: int, group: Any, num_qubits: int | None, name: str) -> None:
        """Real numbers, one for each generator."""
        require_shape(self.means, (measured, group.num_terms), name)
        require_real(self.means, name)
