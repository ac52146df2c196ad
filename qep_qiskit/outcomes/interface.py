"""Define the interface of outcomes: what one group gives in all states that were measured in it.

A kind of outcomes is one class with methods for its moments, its shot noise, its form in a checkpoint and its checks.
How outcomes are used afterwards is up to the code that requested them.
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
    """Hold means of a group's terms, and the covariance of these means.

    Args:
        means: Shape (measured, terms).
        covariance: Shape (measured, terms, terms), of the means (already divided by the shots). NaN where one shot
            gives no estimate; zero where exact.
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
        """Return means without noise."""
        return cls(means=means, covariance=no_covariance(means.shape), shots=None)


class ReadoutErrorModel(Protocol):
    """Readout errors that moments can be corrected for."""

    def signs(self) -> NDArray[np.float64] | None:
        """Return the values of the bits 0 and 1 of every qubit, shape (2, qubits); None where they are +1 and -1."""

    def factors(self, masks: Sequence[int]) -> NDArray[np.float64] | None:
        """Return the factors that products of Z are measured with, shape (masks,); None where there are none."""

    def arrays(self) -> dict[str, NDArray]:
        """Return the arrays that a checkpoint stores."""


class Outcomes(ABC):
    """Outcomes of one group, one row per measured state.

    Example:
        >>> group = qep.CommutingGroup(name="Z", basis=qep.LocalBasis("Z"), masks=(1,))
        >>> drawn = qep.Distribution(weights=np.array([[75, 25]]), shots=100)
        >>> exact = qep.ExactMeans(means=np.array([[0.5]]))
        >>> [(outcomes.shots, outcomes.moments(group).means.item()) for outcomes in (drawn, exact)]
        [(100, 0.5), (None, 0.5)]
    """

    __slots__ = ()

    mark: ClassVar[str] = ""
    """What tells packed outcomes of this kind from others: a key of their numbers. Empty where none are packed."""

    kinds: ClassVar[dict[str, type[Outcomes]]] = {}
    """Kinds that can be packed, by their marks."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.mark:
            Outcomes.kinds[cls.mark] = cls  # the last of a mark: slots make a class anew

    if TYPE_CHECKING:  # a field would take a property of a base class for its default

        @property
        def shots(self) -> int | None:
            """Shots of each measured state, or None where exact."""

    @property
    def is_exact(self) -> bool:
        """Return whether they have no shot noise."""
        return self.shots is None

    @abstractmethod
    def moments(self, group: Any, errors: ReadoutErrorModel | None = None) -> GroupMoments:
        """Return means of all terms of a group, with an unbiased estimate of their covariance.

        Args:
            group: The group that was measured.
            errors: Readout errors to correct, or None to take outcomes as they are.
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
        """Return the same outcomes in as few bytes as hold them."""
        return self

    def packed(self) -> tuple[dict[str, Any], NDArray]:
        """Return numbers that JSON can hold, among them one called `mark`, and an array."""
        raise NotImplementedError(f"{type(self).__name__} are exact, and are not kept")

    @classmethod
    def of_packed(cls, numbers: Mapping[str, Any], array: NDArray) -> Outcomes:
        """Return the inverse of `packed`.

        Args:
            numbers: The numbers.
            array: The array.
        """
        raise NotImplementedError


def unpacked(numbers: Mapping[str, Any], array: NDArray) -> Outcomes:
    """Return the inverse of `Outcomes.packed` for every kind.

    Raises:
        KeyError: There is no such kind.
    """
    mark = next((mark for mark in Outcomes.kinds if mark in numbers), "a mark of outcomes")
    return Outcomes.kinds[mark].of_packed(numbers, array)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExactMeans(Outcomes):
    """Hold exact expectations, where outcomes are too many to list.

    Args:
        means: Shape (measured, terms).

    Example:
        >>> group = qep.CommutingGroup(name="Z", basis=qep.LocalBasis("Z"), masks=(1,))
        >>> moments = qep.ExactMeans(means=np.array([[0.5]])).moments(group)
        >>> moments.means, moments.covariance
        (array([[0.5]]), array([[[0.]]]))
    """

    means: NDArray[np.float64]

    @property
    def shots(self) -> None:
        """Return None."""
        return

    def moments(self, group: Any, errors: ReadoutErrorModel | None = None) -> GroupMoments:
        """Return the means, without covariance; they have no readout errors."""
        return GroupMoments.exact(self.means)

    def check(self, measured: int, group: Any, num_qubits: int | None, name: str) -> None:
        """Check that there are real numbers, one for each term."""
        require_shape(self.means, (measured, group.num_terms), name)
        require_real(self.means, name)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampledMeans(ExactMeans):
    """Hold means of terms from Monte Carlo samples, and their covariance. No shots are counted.

    Args:
        means: Shape (measured, terms).
        covariance: Shape (measured, terms, terms), of the means.

    Example:
        >>> from qep_qiskit.outcomes.interface import SampledMeans
        >>> group = qep.CommutingGroup(name="Z", basis=qep.LocalBasis("Z"), masks=(1,))
        >>> means = SampledMeans(means=np.array([[0.5]]), covariance=np.array([[[0.01]]]))
        >>> means.shots, means.moments(group).covariance.item()
        (None, 0.01)
    """

    covariance: NDArray[np.float64]

    def moments(self, group: Any, errors: ReadoutErrorModel | None = None) -> GroupMoments:
        """Return the means and their covariance."""
        return GroupMoments(means=self.means, covariance=self.covariance, shots=None)
