"""Find the unconnected parts of a register: Hamiltonians and programs that nothing couples across them.

States of such parts stay products of one another, whatever their number, so every part is solved, evolved and sampled
by itself, and the joint vector of all qubits is never formed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.program import CxLayer, Layer, LayerProgram

Qubits = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Component:
    """One part of a network that no term couples to the others.

    Args:
        qubits: Its qubits, in ascending order.
        groups: The groups of the network, cut to these qubits, which are numbered anew; groups may be empty.
        terms: Shape (terms of the part,), which terms of the network these are.
    """

    qubits: Qubits
    groups: tuple[CommutingGroup, ...]
    terms: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProgramComponent:
    """One part of a program that nothing couples to the others.

    Args:
        qubits: Its qubits, in ascending order.
        program: The program of these qubits alone, numbered anew; parts that do the same have equal programs.
        sources: Shape (parameters of the part,), which parameters of the whole these are.
    """

    qubits: Qubits
    program: LayerProgram
    sources: NDArray[np.int64]


@lru_cache(maxsize=64)
def components(groups: tuple[CommutingGroup, ...]) -> tuple[Component, ...]:
    """Return the unconnected parts of a network, which its terms determine, whatever their coefficients are.

    Args:
        groups: The commuting groups; those of bases that act on several qubits couple all of them.

    Example:
        >>> from qep_qiskit.core.components import components
        >>> groups = qep.IsingNetwork(graph=qep.from_edges(3, [(0, 2)]), outputs=(1,)).groups
        >>> [part.qubits for part in components(groups)]
        [(0, 2), (1,)]
    """
    parts = _connected(groups[0].num_qubits, _reaches(groups))
    return tuple(_component(groups, qubits) for qubits in parts)


def widest_component(groups: Sequence[CommutingGroup]) -> int:
    """Return the number of qubits of the widest part."""
    return max(len(part.qubits) for part in components(tuple(groups)))


@lru_cache(maxsize=32)
def program_components(program: LayerProgram) -> tuple[ProgramComponent, ...]:
    """Return the unconnected parts of a program."""
    pairs = [1 << c | 1 << t for layer in program.layers if isinstance(layer, CxLayer) for c, t in layer.pairs]
    used = {layer.group for layer in program.layers if isinstance(layer, Layer)}
    reaches = [*_reaches([program.groups[group] for group in sorted(used)]), *pairs]
    parts = _connected(program.num_qubits, reaches)
    if len(parts) == 1:
        sources = np.arange(program.num_parameters)
        return (ProgramComponent(qubits=parts[0], program=program, sources=sources),)
    return tuple(_program_component(program, qubits) for qubits in parts)


def cut_mask(mask: int, qubits: Sequence[int]) -> int:
    """Return the bits of some qubits of a mask, numbered anew in their order."""
    return sum((mask >> qubit & 1) << place for place, qubit in enumerate(qubits))


def cut_basis(basis: LocalBasis, qubits: Sequence[int]) -> LocalBasis:
    """Return the basis of some qubits, numbered anew in their order."""
    return LocalBasis("".join(basis.letters[qubit] for qubit in qubits))


def _reaches(groups: Sequence[CommutingGroup]) -> list[int]:
    """Return masks of qubits that terms, or a basis on several qubits, couple."""
    if all(group.basis.is_local for group in groups):  # also where there are no groups
        return [mask for group in groups for mask in group.masks]
    return [(1 << groups[0].num_qubits) - 1]


def _connected(num_qubits: int, reaches: Iterable[int]) -> tuple[Qubits, ...]:
    """Return the qubits of every connected part, in the order of their first qubits."""
    parts = [1 << qubit for qubit in range(num_qubits)]
    for reach in reaches:
        apart = [part for part in parts if not part & reach]
        joined = sum(part for part in parts if part & reach)
        parts = [*apart, joined] if joined else apart
    parts.sort(key=lambda part: part & -part)
    return tuple(tuple(qubit for qubit in range(num_qubits) if part >> qubit & 1) for part in parts)


def _component(groups: Sequence[CommutingGroup], qubits: Qubits) -> Component:
    if len(qubits) == groups[0].num_qubits:
        every = np.arange(sum(group.num_terms for group in groups))
        return Component(qubits=qubits, groups=tuple(groups), terms=every)
    own, terms, first = [], list[int](), 0
    for group in groups:
        kept = _terms_inside(group, qubits)
        own.append(_cut_group(group, qubits, kept))
        terms += [first + place for place in kept]
        first += group.num_terms
    return Component(qubits=qubits, groups=tuple(own), terms=np.array(terms, dtype=np.int64))


def _terms_inside(group: CommutingGroup, qubits: Qubits) -> list[int]:
    outside = ~sum(1 << qubit for qubit in qubits)
    return [place for place, mask in enumerate(group.masks) if not mask & outside]


def _cut_group(group: CommutingGroup, qubits: Qubits, kept: Sequence[int]) -> CommutingGroup:
    assert isinstance(group.basis, LocalBasis)
    masks = tuple(cut_mask(group.masks[place], qubits) for place in kept)
    return replace(group, basis=cut_basis(group.basis, qubits), masks=masks)


def _program_component(program: LayerProgram, qubits: Qubits) -> ProgramComponent:
    used = sorted({layer.group for layer in program.layers if isinstance(layer, Layer)})
    kept = {group: _terms_inside(program.groups[group], qubits) for group in used}
    layers = [_cut_layer(layer, qubits, kept) for layer in program.layers]
    read = [layer.source for layer in layers if isinstance(layer, Layer)]
    sources = np.unique(np.concatenate([np.array([-1]), *read]))[1:]
    own = LayerProgram(
        groups=tuple(_cut_group(program.groups[group], qubits, kept[group]) for group in used),
        initial=program.initial[list(qubits)],
        layers=tuple(_numbered_anew(layer, used, sources) for layer in layers if layer is not None),
        parameter_names=tuple(program.parameter_names[source] for source in sources.tolist()),
    )
    return ProgramComponent(qubits=qubits, program=own, sources=sources)


def _cut_layer(layer: Layer | CxLayer, qubits: Qubits, kept: Mapping[int, Sequence[int]]) -> Layer | CxLayer | None:
    """Return what a layer does on some qubits, with the numbers of the whole program; None where it does nothing."""
    if isinstance(layer, CxLayer):
        pairs = [(qubits.index(c), qubits.index(t)) for c, t in layer.pairs if c in qubits]
        return CxLayer(tuple(pairs)) if pairs else None
    terms = list(kept[layer.group])
    if not terms:
        return None
    return replace(layer, source=layer.source[terms], scale=layer.scale[terms], offset=layer.offset[terms])


def _numbered_anew(layer: Layer | CxLayer, groups: list[int], sources: NDArray[np.int64]) -> Layer | CxLayer:
    if isinstance(layer, CxLayer):
        return layer
    source = np.where(layer.source >= 0, np.searchsorted(sources, layer.source), -1)
    return replace(layer, group=groups.index(layer.group), source=source)
