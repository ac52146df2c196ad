"""Define the interface of a group: what one shared shot batch measures, of qubits or of atoms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray


class Group(Protocol):
    """Terms that one shared shot batch measures together."""

    @property
    def name(self) -> str:
        """Return a short name."""

    @property
    def terms(self) -> tuple[Any, ...]:
        """Return the terms."""

    @property
    def num_terms(self) -> int:
        """Return the number of terms."""

    @property
    def bounded(self) -> bool:
        """Return whether the spectra of the terms are bounded."""

    @property
    def sites(self) -> tuple[tuple[int, ...], ...]:
        """Return the qubits or atoms whose outcomes give each term."""

    def picked(self, name: str, terms: Sequence[int]) -> Group:
        """Return some of the terms as a group of its own."""

    def ranges(self, coefficients: NDArray) -> NDArray[np.float64]:
        """Return largest minus smallest eigenvalue of operators, shape (operators, terms) of coefficients.

        NaN where the spectrum is not bounded.
        """


AnyGroup = TypeVar("AnyGroup", bound=Group)


def blocks_of(groups: Sequence[AnyGroup], per_term: NDArray) -> Iterator[tuple[AnyGroup, NDArray]]:
    """Return pairs of every group and its part of an array.

    Args:
        groups: Groups.
        per_term: Shape (..., terms), terms numbered group after group.
    """
    end = 0
    for group in groups:
        start, end = end, end + group.num_terms
        yield group, per_term[..., start:end]
