"""Graphs of the couplers of D-Wave's annealers, without defects (needs dwave-networkx)."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from types import ModuleType

import numpy as np

from qep_qiskit.core.checks import whole_number
from qep_qiskit.core.errors import NetworkError, ResourceError
from qep_qiskit.network.graphs import Graph

_SIZES: dict[str, Callable[[int], int]] = {
    "chimera": lambda cells: 8 * cells**2,
    "pegasus": lambda cells: 8 * (cells - 1) * (3 * cells - 1),
    "zephyr": lambda cells: 16 * cells * (2 * cells + 1),
}
_LEAST = {"pegasus": 2}

ANNEALER_GRAPHS = tuple(_SIZES)
"""Names of the graphs."""


def annealer_size(name: str, cells: int) -> int:
    """Return the number of spins of a graph.

    Args:
        name: One of `ANNEALER_GRAPHS`.
        cells: Size as the maker counts it: 16 for the chip of a 2000Q (Chimera) and of an Advantage (Pegasus).

    Raises:
        NetworkError: The graph is not this small.
    """
    whole_number("cells", cells, error=NetworkError)
    least = _LEAST.get(name, 1)
    if cells < least:
        raise NetworkError(f"cells: graph = '{name}' begins at {least}, got {cells}")
    return _SIZES[name](cells)


def annealer_graph(name: str, cells: int) -> Graph:
    """Return the graph of an annealer; spins are its qubits in the order of their numbers, without gaps.

    Args:
        name: One of `ANNEALER_GRAPHS`.
        cells: Size as the maker counts it.

    Raises:
        NetworkError: The graph is not this small.
        ResourceError: dwave-networkx is not installed.
    """
    size, maker = annealer_size(name, cells), _require_maker(name)
    whole = getattr(maker, f"{name}_graph")(cells)
    places = getattr(maker, f"{name}_layout")(whole)
    qubits = sorted(whole)
    number = {qubit: spin for spin, qubit in enumerate(qubits)}
    pairs = (sorted((number[j], number[k])) for j, k in whole.edges)
    return Graph(
        num_spins=size,
        edges=tuple((j, k) for j, k in sorted(pairs)),
        positions=np.array([places[qubit] for qubit in qubits], dtype=float),
    )


def _require_maker(name: str) -> ModuleType:
    """Return dwave-networkx; it calls itself deprecated, in favour of a package that is not there yet."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            import dwave_networkx
    except ImportError:
        raise ResourceError(
            f"network.graph: '{name}' needs dwave-networkx; install with pip install 'qep_qiskit[ocean]'"
        ) from None
    module: ModuleType = dwave_networkx
    return module
