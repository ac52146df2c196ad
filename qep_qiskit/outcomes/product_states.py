"""Hold states that are products of the states of unconnected parts, each of which is known by itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.components import cut_basis, cut_mask
from qep_qiskit.core.memory import require_memory
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.core.transforms import walsh_hadamard
from qep_qiskit.outcomes.bits import BitMemory
from qep_qiskit.outcomes.checks import num_bytes_of
from qep_qiskit.outcomes.interface import ExactMeans, Outcomes
from qep_qiskit.outcomes.known_states import KnownStates, VectorStates
from qep_qiskit.outcomes.matrix_product import local_basis_of
from qep_qiskit.outcomes.states import PreparedStates


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProductStates(PreparedStates):
    """Hold products of states of parts: means are products, and shots of the parts are independent.

    The vector of all qubits is never formed, so the register may be as wide as it likes.

    Args:
        parts: The states of each part, as many as there are products.
        qubits: The qubits of each part: its bit p is that of qubit ``qubits[p]``. Together they are 0 to N - 1.

    Example:
        >>> up = qep.VectorStates(vectors=np.array([[1.0, 0.0]]), energies=np.zeros(1), gaps=np.ones(1))
        >>> states = qep.ProductStates(parts=(up,) * 50, qubits=tuple((k,) for k in range(50)))
        >>> group = qep.CommutingGroup(name="Z", basis=qep.LocalBasis("Z" * 50), masks=(1, 1 << 49 | 1))
        >>> states.measured(group, np.array([0]), 100, np.random.default_rng(0)).moments(group).means
        array([[1., 1.]])
    """

    per_state: ClassVar[tuple[str, ...]] = ("parts",)

    parts: tuple[KnownStates, ...]
    qubits: tuple[tuple[int, ...], ...]

    @property
    def num_states(self) -> int:
        """Return the number of products."""
        return self.parts[0].num_states

    @property
    def num_qubits(self) -> int:
        """Return the number of qubits of all parts."""
        return sum(map(len, self.qubits))

    @property
    def vectors(self) -> NDArray:
        """Return the vectors of small registers with pure states, shape (states, 2^N), index bit k = qubit k.

        Raises:
            ResourceError: They do not fit in memory.
        """
        require_memory(self.num_qubits, 3 * 16 * self.num_states, "the joint vector of unconnected parts")
        found = np.ones((self.num_states, 1))
        for part in self.parts:
            assert isinstance(part, VectorStates)
            found = (part.vectors[:, :, None] * found[:, None, :]).reshape(self.num_states, -1)
        place_of = np.argsort([qubit for own in self.qubits for qubit in own])
        axes = [self.num_qubits - int(place) for place in place_of[::-1]]  # bit p of an index: the p-th axis from last
        grid = found.reshape(-1, *(2,) * self.num_qubits)
        return grid.transpose(0, *axes).reshape(self.num_states, -1)

    def rows(self, chosen: NDArray[np.int64]) -> ProductStates:
        """Return some of the states, with repeats."""
        return replace(self, parts=tuple(part.rows(chosen) for part in self.parts))

    def measured(
        self, group: CommutingGroup, rows: NDArray[np.int64], shots: int | None, generator: np.random.Generator | None
    ) -> Outcomes:
        """Draw shots of one part after the other from one stream, or compute exact means.

        Raises:
            ConfigError: The basis of the group couples qubits.
        """
        if shots is None:
            return ExactMeans(means=self._means(group, rows))
        assert generator is not None
        size = self.num_qubits
        found = np.zeros((len(rows), shots, num_bytes_of(size)), dtype=np.uint8)
        for part, qubits in zip(self.parts, self.qubits, strict=True):
            drawn = part.indices(_cut(group, qubits), rows, shots, generator)
            for place, qubit in enumerate(qubits):
                found[..., -1 - qubit // 8] |= ((drawn >> place & 1) << qubit % 8).astype(np.uint8)
        return BitMemory(bits=found, num_qubits=size)

    def _means(self, group: CommutingGroup, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return exact means of all terms, shape (measured, terms): products of those of the parts."""
        means = np.ones((len(rows), group.num_terms))
        for part, qubits in zip(self.parts, self.qubits, strict=True):
            masks = _cut_masks(group.masks, qubits)
            reached = np.flatnonzero(masks)
            if len(reached):
                table = walsh_hadamard(part.probabilities(_cut(group, qubits), rows))
                means[:, reached] *= table[:, masks[reached]]
        return means


@lru_cache(maxsize=1024)
def _cut_masks(masks: tuple[int, ...], qubits: tuple[int, ...]) -> NDArray[np.int64]:
    """Return what terms have of a part; cached, because every step of a training asks for all parts."""
    return np.array([cut_mask(mask, qubits) for mask in masks], dtype=np.int64)


@lru_cache(maxsize=1024)
def _cut(group: CommutingGroup, qubits: tuple[int, ...]) -> CommutingGroup:
    """Return the group of a part, whose basis is needed only; cached as the masks are."""
    basis = cut_basis(local_basis_of(group, "states of unconnected parts"), qubits)
    return CommutingGroup(name=group.name, basis=basis, masks=())
