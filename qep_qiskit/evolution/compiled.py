"""The part of a program that does not depend on its parameters: the layers of every group, and the order of steps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache, reduce

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.operators import Basis, CommutingGroup, LocalBasis
from qep_qiskit.core.program import CxLayer, Layer, LayerProgram
from qep_qiskit.core.transforms import Block, kron_blocks

_KEPT_UP_TO_QUBITS = 14


@dataclass(frozen=True, eq=False)
class LayerStack:
    """All layers of one group.

    Args:
        group: The group.
        layers: The layers, in order.
    """

    group: CommutingGroup
    layers: tuple[Layer, ...]

    @cached_property
    def source(self) -> NDArray[np.int64]:
        """Index into the parameters of every angle, or -1 for a fixed angle, shape (layers, terms)."""
        return np.array([layer.source for layer in self.layers])

    @cached_property
    def scale(self) -> NDArray[np.float64]:
        """Factor on the parameter, zero for a fixed angle, shape (layers, terms); includes the signs of the group."""
        return self.group.in_frame(np.where(self.source >= 0, np.array([layer.scale for layer in self.layers]), 0.0))

    @cached_property
    def offset(self) -> NDArray[np.float64]:
        """Constant part of the angles in radians, shape (layers, terms); includes the signs of the group."""
        return self.group.in_frame(np.array([layer.offset for layer in self.layers]))

    @cached_property
    def free(self) -> NDArray[np.bool_]:
        """Which angles have a parameter, shape (layers, terms)."""
        return (self.source >= 0) & (self.scale != 0.0)

    @cached_property
    def enters_once(self) -> bool:
        """Whether every parameter sets at most one angle of this stack."""
        used = self.source[self.free]
        return len(np.unique(used)) == len(used)

    @cached_property
    def masks(self) -> NDArray[np.int64]:
        """Bit masks of the terms, bit k for qubit k, shape (terms,)."""
        return np.array(self.group.masks)

    @property
    def is_single(self) -> bool:
        """Whether all terms act on one qubit each."""
        return all(mask.bit_count() == 1 for mask in self.group.masks)

    def angles(self, parameters: NDArray) -> NDArray[np.float64]:
        """Angles of all layers in radians, shape (layers, terms, states), for parameters of shape (states, P)."""
        if not parameters.shape[1]:
            return np.repeat(self.offset[:, :, None], len(parameters), axis=2)
        return self.scale[:, :, None] * parameters.T[self.source] + self.offset[:, :, None]

    def add_chain_rule(self, gradient: NDArray, by_angle: NDArray) -> None:
        """Add the contribution of this stack's angles to a gradient with respect to the parameters.

        Args:
            gradient: Gradient with respect to the parameters, shape (states, P); changed in place.
            by_angle: Derivatives with respect to the angles, shape (layers, terms, states).
        """
        source, found = self.source[self.free], by_angle[self.free] * self.scale[self.free][:, None]
        if self.enters_once:
            gradient[:, source] += found.T
        else:
            np.add.at(gradient.T, source, found)

    def shared(self, same: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether all states share the angles of a term, shape (terms,); `same` states it for each parameter."""
        known = np.append(same, True)
        return (known[self.source] | (self.scale == 0.0)).all(axis=0)


@dataclass(frozen=True, slots=True, eq=False)
class Multiply:
    """An operation that multiplies states by the phases of a layer.

    Args:
        stack: Index of the layer's stack.
        layer: Index of the layer in the stack.
    """

    stack: int
    layer: int


@dataclass(frozen=True, slots=True, eq=False)
class Permute:
    """An operation that applies a layer of CX gates."""

    layer: CxLayer


@dataclass(frozen=True, eq=False)
class CompiledProgram:
    """A program ordered by its groups.

    Args:
        num_qubits: Number of qubits N.
        stacks: One for each group with layers.
        steps: Steps in the order of the program.
    """

    num_qubits: int
    stacks: tuple[LayerStack, ...]
    steps: tuple[Multiply | Permute, ...]

    @cached_property
    def fields(self) -> frozenset[int]:
        """Indices of stacks that rotate single qubits about X, where all others are diagonal; else empty."""
        kinds = {index: _letters(stack.group.basis) for index, stack in enumerate(self.stacks)}
        fields = frozenset(
            index for index, letters in kinds.items() if letters == {"X"} and self.stacks[index].is_single
        )
        others = [letters for index, letters in kinds.items() if index not in fields]
        ising = all(letters == {"Z"} for letters in others) and all(isinstance(step, Multiply) for step in self.steps)
        return fields if ising else frozenset()

    @property
    def computational(self) -> LocalBasis:
        """The computational basis, which final states are returned in."""
        return LocalBasis("Z" * self.num_qubits)

    def basis_of(self, step: Multiply | Permute) -> Basis:
        """The basis of a step."""
        return self.stacks[step.stack].group.basis if isinstance(step, Multiply) else self.computational

    @property
    def first_basis(self) -> LocalBasis:
        """The basis of the initial state: that of the first step if it acts on single qubits, else computational."""
        first = self.basis_of(self.steps[0]) if self.steps else self.computational
        return first if isinstance(first, LocalBasis) else self.computational

    @property
    def last_basis(self) -> Basis:
        """The basis of the last step."""
        return self.basis_of(self.steps[-1]) if self.steps else self.computational


@lru_cache(maxsize=64)
def compiled_program(program: LayerProgram) -> CompiledProgram:
    """Compile a program; cached, because a program runs many times."""
    used = sorted({layer.group for layer in program.layers if isinstance(layer, Layer)})
    found: dict[int, list[Layer]] = {group: [] for group in used}
    steps: list[Multiply | Permute] = []
    for layer in program.layers:
        if isinstance(layer, CxLayer):
            steps.append(Permute(layer))
        else:
            steps.append(Multiply(used.index(layer.group), len(found[layer.group])))
            found[layer.group].append(layer)
    stacks = tuple(LayerStack(program.groups[group], tuple(layers)) for group, layers in found.items())
    return CompiledProgram(num_qubits=program.num_qubits, stacks=stacks, steps=tuple(steps))


def _letters(basis: Basis) -> set[str]:
    return set(basis.letters) if isinstance(basis, LocalBasis) else {"several qubits"}


@lru_cache(maxsize=256)
def basis_change(before: LocalBasis, after: LocalBasis) -> tuple[Block, ...]:
    """Blocks of matrices that change vectors from one basis on single qubits to another."""
    back, forth = before.matrices(inverse=True), after.matrices()
    matrices: list[NDArray | None] = []
    for old, new, one, other in zip(back, forth, before.letters, after.letters, strict=True):
        if one == other:
            matrices.append(None)
        else:
            matrices.append(reduce(np.matmul, [m for m in (new, old) if m is not None]))
    return tuple(kron_blocks(matrices))


def sources_of(layer: CxLayer, num_qubits: int) -> NDArray[np.int64]:
    """Index that each amplitude comes from in a layer of CX gates, shape (2^N,); cached for narrow registers."""
    return _kept_sources(layer, num_qubits) if num_qubits <= _KEPT_UP_TO_QUBITS else layer.sources(num_qubits)


@lru_cache(maxsize=256)
def _kept_sources(layer: CxLayer, num_qubits: int) -> NDArray[np.int64]:
    return layer.sources(num_qubits)
