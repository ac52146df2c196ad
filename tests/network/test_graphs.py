"""Graphs by name, of annealers, and patches that devices have: edges, degrees, positions, and errors of one line."""

import re
import sys

import numpy as np
import pytest
from cases import GRAPHS

from qep_qiskit.core.errors import NetworkError, ResourceError
from qep_qiskit.network import (
    Graph,
    annealer_graph,
    annealer_size,
    chain,
    complete,
    from_edges,
    heavy_hex,
    heavy_hex_patch,
    lattice,
    layered,
    ring,
    square_patch,
)


def degrees(graph):
    return np.bincount(np.ravel(graph.edges).astype(int), minlength=graph.num_spins)


@pytest.mark.parametrize("name", GRAPHS)
def test_edges_are_sorted_distinct_and_connected(name):
    graph = GRAPHS[name]
    assert all(0 <= j < k < graph.num_spins for j, k in graph.edges)
    assert len(set(graph.edges)) == len(graph.edges)
    assert all(type(spin) is int for edge in graph.edges for spin in edge)
    assert graph.reachable([0]) == set(range(graph.num_spins))


@pytest.mark.parametrize("name", GRAPHS)
def test_every_spin_has_a_place_of_its_own(name):
    graph = GRAPHS[name]
    assert graph.positions.shape == (graph.num_spins, 2)
    apart = np.linalg.norm(graph.positions[:, None] - graph.positions[None], axis=-1)
    assert (apart[~np.eye(graph.num_spins, dtype=bool)] > 0.02).all()


def test_chain_ring_and_complete():
    assert chain(4).edges == ((0, 1), (1, 2), (2, 3))
    assert set(ring(4).edges) == {*chain(4).edges, (0, 3)}
    assert complete(4).edges == ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
    assert chain(1).edges == complete(1).edges == ()


def test_lattice_counts_rows_first():
    assert set(lattice(2, 3).edges) == {(0, 1), (1, 2), (3, 4), (4, 5), (0, 3), (1, 4), (2, 5)}
    assert lattice(1, 4).edges == chain(4).edges
    assert np.array_equal(lattice(2, 3).positions, [[0, 0], [1, 0], [2, 0], [0, -1], [1, -1], [2, -1]])


@pytest.mark.parametrize(("rows", "columns"), [(3, 3), (3, 5), (4, 3)])
def test_periodic_lattice_gives_every_spin_four_neighbours(rows, columns):
    torus = lattice(rows, columns, periodic=True)
    assert len(torus.edges) == 2 * rows * columns
    assert (degrees(torus) == 4).all()
    for spin in range(rows * columns):
        row, column = divmod(spin, columns)
        right, below = row * columns + (column + 1) % columns, (row + 1) % rows * columns + column
        assert {tuple(sorted((spin, right))), tuple(sorted((spin, below)))} <= set(torus.edges)


def test_layers_are_complete_to_the_next():
    graph = layered([2, 3, 1])
    assert graph.layers == ((0, 1), (2, 3, 4), (5,))
    assert set(graph.edges) == {(j, k) for j in (0, 1) for k in (2, 3, 4)} | {(k, 5) for k in (2, 3, 4)}
    assert np.array_equal(graph.positions[:, 0], [0, 0, 1, 1, 1, 2])


@pytest.mark.parametrize("distance", [3, 5])
def test_heavy_hexagons(distance):
    graph = heavy_hex(distance)
    assert graph.num_spins == (5 * distance**2 - 2 * distance - 1) // 2
    assert degrees(graph).max() <= 3


def test_edge_list_is_sorted_and_kept_in_order():
    assert from_edges(4, [(3, 1), [0, 2]]).edges == ((1, 3), (0, 2))
    assert from_edges(3, []).edges == ()


def test_reachable_follows_edges():
    graph = from_edges(6, [(0, 1), (1, 2), (4, 5)])
    assert graph.reachable([2]) == {0, 1, 2}
    assert graph.reachable([3, 5]) == {3, 4, 5}
    assert graph.reachable([]) == set()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: chain(0), "at least 1 spin, got 0"),
        (lambda: complete(0), "at least 1 spin, got 0"),
        (lambda: from_edges(0, []), "at least 1 spin, got 0"),
        (lambda: ring(2), "a ring needs at least 3 spins, got 2"),
        (lambda: lattice(0, 3), r"sides of at least 1, got \[0, 3\]"),
        (lambda: lattice(2, 3, periodic=True), r"sides of at least 3, got \[2, 3\]"),
        (lambda: layered([3]), r"at least two layers .* got \[3\]"),
        (lambda: layered([3, 0]), r"at least two layers .* got \[3, 0\]"),
        (lambda: layered([]), "at least two layers"),
        (lambda: heavy_hex(4), "odd number of at least 3, got 4"),
        (lambda: heavy_hex(1), "odd number of at least 3, got 1"),
        (lambda: from_edges(3, [(0, 3)]), r"edge \[0, 3\] names a spin out of range; there are 3 spins, 0 to 2"),
        (lambda: from_edges(3, [(-1, 2)]), r"edge \[-1, 2\] names a spin out of range"),
        (lambda: from_edges(3, [(1, 1)]), r"edge \[1, 1\] joins a spin to itself"),
        (lambda: from_edges(3, [(0, 1), (1, 0)]), r"edge \[0, 1\] is given twice"),
        (lambda: from_edges(3, [(0, 1, 2)]), r"pairs of spins, got \[0, 1, 2\]"),
        (lambda: Graph(num_spins=2, edges=((0, 2),), positions=np.zeros((2, 2))), "out of range"),
    ],
)
def test_errors_are_one_line(make, words):
    with pytest.raises(NetworkError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)
    assert re.match(r"\w+: ", str(caught.value))


SIZES = (1, 2, 4, 7, 12, 13, 18, 31)


@pytest.mark.parametrize("make", [heavy_hex_patch, square_patch])
@pytest.mark.parametrize("size", SIZES)
def test_patches_are_connected_and_grow_by_adding_spins(make, size):
    graph, larger = make(size), make(size + 1)
    assert graph.num_spins == len(graph.positions) == size
    assert graph.reachable([0]) == set(range(size))
    assert set(graph.edges) == {edge for edge in larger.edges if edge[1] < size}
    lengths = [np.linalg.norm(graph.positions[j] - graph.positions[k]) for j, k in graph.edges]
    assert lengths == [1.0] * len(graph.edges)


def test_twelve_spins_are_a_hexagon_and_four_a_square():
    assert (degrees(heavy_hex_patch(12)) == 2).all()
    assert degrees(heavy_hex_patch(40)).max() == 3
    assert (degrees(square_patch(4)) == 2).all()
    assert set(square_patch(12).edges) >= {(0, 1), (1, 2), (2, 3), (0, 3)}
    assert len(square_patch(12).edges) == 16
    assert degrees(square_patch(40)).max() == 4


@pytest.mark.parametrize("make", [heavy_hex_patch, square_patch])
def test_no_spins(make):
    with pytest.raises(NetworkError, match="at least 1 spin"):
        make(0)


@pytest.mark.parametrize(
    ("name", "cells", "spins", "edges", "most"),
    [
        ("chimera", 1, 8, 16, 4),
        ("chimera", 3, 72, 192, 6),
        ("pegasus", 2, 40, 164, 13),
        ("pegasus", 4, 264, 1604, 15),
        ("zephyr", 1, 48, 280, 17),
        ("zephyr", 3, 336, 2808, 20),
    ],
)
def test_sizes_and_degrees(name, cells, spins, edges, most):
    pytest.importorskip("dwave_networkx")
    graph = annealer_graph(name, cells)
    degrees = np.bincount(np.ravel(graph.edges).astype(int), minlength=graph.num_spins)
    assert (graph.num_spins, len(graph.edges), degrees.max()) == (spins, edges, most)
    assert graph.reachable([0]) == set(range(spins))
    assert len(np.unique(graph.positions, axis=0)) == spins


@pytest.mark.parametrize(
    ("name", "cells", "spins"), [("chimera", 16, 2048), ("pegasus", 16, 5640), ("zephyr", 15, 7440)]
)
def test_sizes_of_whole_chips(name, cells, spins):
    assert annealer_size(name, cells) == spins


def test_a_graph_that_would_be_empty():
    with pytest.raises(NetworkError, match="cells: graph = 'pegasus' begins at 2, got 1"):
        annealer_graph("pegasus", 1)


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "dwave_networkx", None)
    with pytest.raises(ResourceError, match=r"network.graph: 'zephyr' needs dwave-networkx; .*qep_qiskit\[ocean\]"):
        annealer_graph("zephyr", 1)
