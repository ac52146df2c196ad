"""What one shared shot batch reads, of qubits or of atoms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Group(Protocol):
    """Terms that one shared shot batch reads together."""

    @property
    def name(self) -> str:
        """Short name."""
        ...

    @property
    def terms(self) -> tuple[Any, ...]:
        """The terms."""
        ...

    @property
    def num_terms(self) -> int:
        """Number of terms."""
        ...

    @property
    def bounded(self) -> bool:
        """Whether the spectra of its terms have an end."""
        ...

    @property
    def sites(self) -> tuple[tuple[int, ...], ...]:
        """Qubits or atoms whose outcomes give each term."""
        ...

    def picked(self, name: str, generators: Sequence[int]) -> Group:
        """Some of the terms, as a group of its own."""
        ...

    def ranges(self, coefficients: NDArray) -> NDArray[np.float64]:
        """Largest minus smallest eigenvalue of operators (operators, terms); NaN where the spectrum has no end."""
        ...
