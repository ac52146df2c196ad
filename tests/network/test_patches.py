"""Patches of lattices: connected, of the right degrees, and the same ones that devices have."""

import numpy as np
import pytest

from qep_qiskit.core.errors import NetworkError
from qep_qiskit.network import heavy_hex_patch, square_patch

SIZES = (1, 2, 4, 7, 12, 13, 18, 31)


def degrees(graph):
    return np.bincount(np.ravel(graph.edges).astype(int), minlength=graph.num_spins)


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
