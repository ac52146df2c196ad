"""Graphs of annealers: sizes and degrees that their makers publish, and one clear line without the library."""

import sys

import numpy as np
import pytest

from qep_qiskit.core.errors import NetworkError, ResourceError
from qep_qiskit.network import annealer_graph, annealer_size


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
