"""Graphs by name: edges, layers, positions, and errors of one line."""

import re

import numpy as np
import pytest
from cases import GRAPHS

from qep_qiskit.core.errors import NetworkError
from qep_qiskit.network import Graph, chain, complete, from_edges, heavy_hex, lattice, layered, ring


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
