"""Graphs that a configuration names by keys, for networks of spins and of atoms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

from pydantic import Field

from qep_qiskit.config.network_section import NetworkSection
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.network import Graph, chain, complete, from_edges, lattice, layered, ring

Pair = Annotated[list[int], Field(min_length=2, max_length=2)]

GraphMaker = tuple[tuple[str, ...], Callable[..., Graph]]
"""Keys of a graph, and the function that takes their values."""


def graph_makers(size: str) -> dict[str, GraphMaker]:
    """Return the graphs that every network can have, by name."""
    return {
        "chain": ((size,), chain),
        "ring": ((size,), ring),
        "complete": ((size,), complete),
        "lattice": (("shape", "periodic"), lambda shape, periodic: lattice(*shape, periodic=periodic)),
        "layered": (("layers",), layered),
        "edges": ((size, "edges"), from_edges),
    }


def graph_values(section: NetworkSection, name: str, wanted: Sequence[str], known: Sequence[str]) -> list[object]:
    """Return the values of the keys of a graph.

    Args:
        section: Keys of the network.
        name: Name of the graph.
        wanted: Keys that the graph needs.
        known: Keys of all graphs of this network.

    Raises:
        ConfigError: A key is missing, or does not apply to the graph.
    """
    for key in known:
        value = getattr(section, key)
        if key in wanted and value is None:
            raise ConfigError(f"{key}: this key is missing; graph = '{name}' needs it")
        if key not in wanted and value not in (None, False):
            raise ConfigError(f"{key}: does not go with graph = '{name}'; leave it out")
    return [getattr(section, key) for key in wanted]
