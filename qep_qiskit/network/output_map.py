"""How the outputs of a network depend on the terms of its Hamiltonian: linearly, and by what does not commute."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.pauli_strings import PauliString


@dataclass(frozen=True, eq=False)
class OutputMap:
    """Outputs as linear functions of terms.

    Args:
        matrix: Coefficients, shape (outputs, terms).
        constants: Shape (outputs,).
        terms: The terms.
    """

    matrix: NDArray[np.float64]
    constants: NDArray[np.float64]
    terms: tuple[Any, ...]

    @cached_property
    def strings(self) -> NDArray[np.int64]:
        """Indices of the terms that outputs consist of."""
        return np.flatnonzero(np.any(self.matrix != 0.0, axis=0))

    def reach(self, bounded: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the smallest and the largest value of each output, shape (outputs, 2).

        Args:
            bounded: Whether terms lie between -1 and 1, shape (terms,); outputs that hold others are unbounded.
        """
        sizes = np.abs(self.matrix)[:, bounded].sum(axis=1)
        sizes[np.any(self.matrix[:, ~bounded] != 0.0, axis=1)] = np.inf
        return np.stack([self.constants - sizes, self.constants + sizes], axis=1)

    @cached_property
    def anticommuting(self) -> NDArray[np.bool_] | None:
        """Whether terms anticommute with the strings of the outputs, shape (strings, terms).

        None where terms are not Pauli strings.
        """
        terms = self.terms
        if not all(isinstance(w, PauliString) and all(p != "P" for _, p in w.factors) for w in terms):
            return None
        return np.array([[not terms[shown].commutes_with(one) for one in terms] for shown in self.strings])

    @cached_property
    def moved(self) -> NDArray[np.bool_]:
        """Whether terms do not commute with outputs, or may not, shape (terms, outputs)."""
        if self.anticommuting is None:
            return np.ones(self.matrix.T.shape, dtype=bool)
        return np.asarray(((self.matrix[:, self.strings] != 0.0) @ self.anticommuting).T)

    def means_of_single_terms(self, outputs: NDArray) -> tuple[NDArray, NDArray]:
        """Return <P> and c of outputs a + c P of one Pauli string, shapes (samples, outputs) and (outputs,).

        Both are 0 for other outputs.
        """
        single, sizes = self._single_terms
        return np.divide(outputs - self.constants, sizes, out=np.zeros_like(outputs), where=single), sizes

    @cached_property
    def _single_terms(self) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Which outputs are a + c P of one Pauli string, and c, or 0 for others; each of shape (outputs,)."""
        pauli = np.array([isinstance(string, PauliString) for string in self.terms])
        single = (np.count_nonzero(self.matrix, axis=1) == 1) & (self.matrix[:, pauli] != 0.0).any(axis=1)
        return single, np.where(single, self.matrix.sum(axis=1), 0.0)
