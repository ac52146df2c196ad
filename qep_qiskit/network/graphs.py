"""Graphs of spins by name, with positions for drawing.

Spins are integers; an edge is a pair (j, k) with j < k. A layered graph also lists its layers, so that the first can
serve as inputs and the last as outputs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import rustworkx as rx
from numpy.typing import NDArray

from qep_qiskit.core.amounts import there_are
from qep_qiskit.core.checks import whole_number
from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.short_repr import short_repr

Edge = tuple[int, int]


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Graph:
    """Spins and the edges between them.

    Args:
        num_spins: Number of spins.
        edges: Pairs (j, k) with j < k, each once.
        positions: Shape (spins, 2), where to draw the spins.
        layers: For layered graphs, the spins of each layer; else empty.

    Raises:
        NetworkError: No spin; an edge out of range, from a spin to itself, or given twice.

    Example:
        >>> graph = qep.chain(3)
        >>> graph.num_spins, graph.edges
        (3, ((0, 1), (1, 2)))
    """

    num_spins: int
    edges: tuple[Edge, ...]
    positions: NDArray[np.float64]
    layers: tuple[tuple[int, ...], ...] = field(default=())

    def __post_init__(self) -> None:
        _check_size(self.num_spins)
        object.__setattr__(self, "edges", _checked_edges(self.edges, self.num_spins))

    def reachable(self, starts: Iterable[int]) -> set[int]:
        """Return the spins that a path of edges connects to any of the given ones, these included."""
        graph = _rustworkx(self.num_spins, self.edges)
        starting = set(starts)
        components = rx.connected_components(graph)
        return set().union(*(part for part in components if part & starting), starting)


def _check_size(num_spins: int) -> None:
    whole_number("num_spins", num_spins, error=NetworkError)
    if num_spins < 1:
        raise NetworkError(f"num_spins: expected at least 1 spin, got {num_spins}")


def _checked_edges(edges: Iterable[Sequence[int]], num_spins: int) -> tuple[Edge, ...]:
    seen: dict[Edge, None] = {}
    for edge in edges:
        if len(edge) != 2:
            raise NetworkError(f"edges: expected pairs of spins, got {list(edge)}")
        j, k = sorted(whole_number("edges", spin, error=NetworkError) for spin in edge)
        if j < 0 or k >= num_spins:
            raise NetworkError(
                f"edges: edge [{edge[0]}, {edge[1]}] names a spin out of range; {there_are(num_spins, 'spin')}"
            )
        if j == k:
            raise NetworkError(f"edges: edge [{j}, {k}] joins a spin to itself; use a bias instead")
        if (j, k) in seen:
            raise NetworkError(f"edges: edge [{j}, {k}] is given twice; keep one")
        seen[j, k] = None
    return tuple(seen)


def _rustworkx(num_spins: int, edges: Iterable[Edge]) -> rx.PyGraph:
    graph = rx.PyGraph(multigraph=False)
    graph.add_nodes_from(list(range(num_spins)))
    graph.add_edges_from_no_data(list(edges))
    return graph


def _circle(num_spins: int) -> NDArray[np.float64]:
    angles = np.pi / 2 - 2 * np.pi * np.arange(num_spins) / num_spins
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _layout_positions(num_spins: int, edges: Iterable[Edge]) -> NDArray[np.float64]:
    """Return positions that follow graph distances: classical scaling, refined by a spring layout."""
    graph = _rustworkx(num_spins, edges)
    distances = rx.distance_matrix(graph, null_value=np.inf)
    finite = distances[np.isfinite(distances)].max() + 1.0
    squares = np.where(np.isfinite(distances), distances, finite) ** 2
    centred = squares - squares.mean(axis=0) - squares.mean(axis=1)[:, None] + squares.mean()
    sizes, vectors = np.linalg.eigh(-centred / 2.0)
    start = (vectors * np.sqrt(np.maximum(sizes, 0.0)))[:, [-1, -2 if num_spins > 1 else -1]]
    start = start / max(float(np.abs(start).max()), 1e-12)
    layout = rx.spring_layout(
        graph, pos=dict(enumerate(start.tolist())), seed=11, num_iter=60, k=1.2 / np.sqrt(num_spins)
    )
    return np.array([layout[spin] for spin in range(num_spins)], dtype=float)


def chain(num_spins: int) -> Graph:
    """Return an open chain with edges (k, k+1).

    Example:
        >>> qep.chain(3).edges
        ((0, 1), (1, 2))
    """
    _check_size(num_spins)
    positions = np.stack([np.arange(num_spins, dtype=float), np.zeros(num_spins)], axis=1)
    return Graph(num_spins=num_spins, edges=tuple((k, k + 1) for k in range(num_spins - 1)), positions=positions)


def ring(num_spins: int) -> Graph:
    """Return a closed chain of at least three spins.

    Raises:
        NetworkError: Fewer than three spins.

    Example:
        >>> qep.ring(4).edges
        ((0, 1), (1, 2), (2, 3), (0, 3))
    """
    _check_size(num_spins)
    if num_spins < 3:
        raise NetworkError(f"num_spins: a ring needs at least 3 spins, got {num_spins}")
    edges = (*((k, k + 1) for k in range(num_spins - 1)), (0, num_spins - 1))
    return Graph(num_spins=num_spins, edges=edges, positions=_circle(num_spins))


def complete(num_spins: int) -> Graph:
    """Return the graph with an edge between every pair of spins.

    Example:
        >>> qep.complete(3).edges
        ((0, 1), (0, 2), (1, 2))
    """
    _check_size(num_spins)
    edges = tuple((j, k) for j in range(num_spins) for k in range(j + 1, num_spins))
    return Graph(num_spins=num_spins, edges=edges, positions=_circle(num_spins))


def lattice(rows: int, columns: int, *, periodic: bool = False) -> Graph:
    """Return a rectangular lattice; spin = row * columns + column.

    Args:
        rows: Number of rows.
        columns: Number of columns.
        periodic: Whether opposite sides are joined.

    Raises:
        NetworkError: A side shorter than 1, or a periodic side shorter than 3.

    Example:
        >>> qep.lattice(2, 2).edges
        ((0, 1), (2, 3), (0, 2), (1, 3))
    """
    for side in (rows, columns):
        whole_number("shape", side, error=NetworkError)
    if rows < 1 or columns < 1 or (periodic and min(rows, columns) < 3):
        least = 3 if periodic else 1
        raise NetworkError(f"shape: expected sides of at least {least}, got [{rows}, {columns}]")
    index = np.arange(rows * columns).reshape(rows, columns)
    pairs = [*zip(index[:, :-1].flat, index[:, 1:].flat, strict=True)]
    pairs += zip(index[:-1].flat, index[1:].flat, strict=True)
    if periodic:
        pairs += zip(index[:, 0], index[:, -1], strict=True)
        pairs += zip(index[0], index[-1], strict=True)
    row, column = np.divmod(np.arange(rows * columns), columns)
    positions = np.stack([column, -row], axis=1).astype(float)
    edges = tuple((int(j), int(k)) for j, k in pairs)
    return Graph(num_spins=rows * columns, edges=edges, positions=positions)


def layered(layers: Sequence[int]) -> Graph:
    """Return layers of spins, each fully connected to the next: inputs, hidden layers, outputs.

    Raises:
        NetworkError: Fewer than two layers, or an empty layer.

    Example:
        >>> qep.layered([2, 1]).edges
        ((0, 2), (1, 2))
    """
    for size in layers:
        whole_number("layers", size, error=NetworkError)
    if len(layers) < 2 or min(layers) < 1:
        raise NetworkError(f"layers: expected at least two layers of one spin or more, got {list(layers)}")
    starts = np.concatenate([[0], np.cumsum(layers)])
    spins = tuple(tuple(range(int(a), int(b))) for a, b in itertools.pairwise(starts))
    edges = tuple((j, k) for left, right in itertools.pairwise(spins) for j in left for k in right)
    positions = np.concatenate(
        [[(depth, (len(layer) - 1) / 2 - i) for i in range(len(layer))] for depth, layer in enumerate(spins)]
    )
    return Graph(num_spins=int(starts[-1]), edges=edges, positions=positions, layers=spins)


def check_distance(distance: int) -> None:
    """Check the code distance of a heavy-hexagon lattice.

    Raises:
        NetworkError: It is not an odd number of at least 3.
    """
    whole_number("distance", distance, error=NetworkError)
    if distance < 3 or distance % 2 == 0:
        raise NetworkError(f"distance: expected an odd number of at least 3, got {distance}")


def heavy_hex(distance: int) -> Graph:
    """Return the heavy-hexagon lattice of an odd code distance, the connectivity of many IBM devices.

    Raises:
        NetworkError: The distance is not an odd number of at least 3.

    Example:
        >>> qep.heavy_hex(3).num_spins
        19
    """
    check_distance(distance)
    graph = rx.generators.heavy_hex_graph(distance)
    edges = tuple((min(j, k), max(j, k)) for j, k in graph.edge_list())
    return Graph(num_spins=graph.num_nodes(), edges=edges, positions=_layout_positions(graph.num_nodes(), edges))


def from_edges(num_spins: int, edges: Iterable[Sequence[int]]) -> Graph:
    """Return a graph from an explicit edge list.

    Args:
        num_spins: Number of spins.
        edges: Pairs of spins, in any order.

    Example:
        >>> qep.from_edges(3, [(0, 2), (1, 2)]).num_spins
        3
    """
    _check_size(num_spins)
    checked = _checked_edges(edges, num_spins)
    return Graph(num_spins=num_spins, edges=checked, positions=_layout_positions(num_spins, checked))
