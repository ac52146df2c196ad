"""Construction of the network of atoms and springs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.config.weight_section import initialisation_of
from qep_qiskit.continuous.springs import SpringNetwork
from qep_qiskit.core.errors import ConfigError, NetworkError
from qep_qiskit.network import Graph, WeightInitialisation, chain, complete, from_edges, lattice, layered, ring
from qep_qiskit.tasks import Task

if TYPE_CHECKING:
    from qep_qiskit.config.schema_springs import SpringsConfig


_GRAPH_KEYS: dict[str, tuple[str, ...]] = {
    "chain": ("num_atoms",),
    "ring": ("num_atoms",),
    "complete": ("num_atoms",),
    "lattice": ("shape",),
    "layered": ("layers",),
    "edges": ("num_atoms", "edges"),
}


def atom_count(section: SpringsConfig) -> int:
    """Return the number of atoms of a graph from its keys.

    Raises:
        ConfigError: A key is missing, or does not apply to the graph.
    """
    wanted = _GRAPH_KEYS[section.graph]
    for key in ("num_atoms", "shape", "layers", "edges"):
        given = getattr(section, key) is not None
        if key in wanted and not given:
            raise ConfigError(f"{key}: this key is missing; graph = '{section.graph}' needs it")
        if given and key not in wanted:
            raise ConfigError(f"{key}: does not go with graph = '{section.graph}'; leave it out")
    if section.periodic and section.graph != "lattice":
        raise ConfigError(f"periodic: does not go with graph = '{section.graph}'; leave it out")
    if section.shape is not None:
        return section.shape[0] * section.shape[1]
    return sum(section.layers) if section.layers is not None else int(section.num_atoms or 0)


def _graph(section: SpringsConfig) -> Graph:
    atom_count(section)
    makers: dict[str, Any] = {
        "chain": chain,
        "ring": ring,
        "complete": complete,
        "layered": layered,
        "edges": from_edges,
    }
    values: list[Any] = [getattr(section, key) for key in _GRAPH_KEYS[section.graph]]
    try:
        if section.graph == "lattice":
            return lattice(*values[0], periodic=section.periodic)
        return makers[section.graph](*values)
    except NetworkError as error:
        raise NetworkError(str(error).replace("num_spins", "num_atoms").replace("spin", "atom")) from None


def build_springs(section: SpringsConfig, task: Task) -> SpringNetwork:
    """Return the network, with as many inputs and outputs as the task has inputs and targets.

    Args:
        section: Keys of the network.
        task: The samples.

    Raises:
        ConfigError: Keys contradict each other.
        NetworkError: The network is not well defined.
    """
    graph, count = _graph(section), task.train.num_inputs
    rest_positions = _rest_positions(section, graph)
    clamped = _clamped(section, graph.num_spins, count)
    moving = [atom for atom in range(graph.num_spins) if atom not in clamped]
    anchored = section.anchored
    if anchored is None:
        anchored = [] if clamped else moving
    outputs = _outputs(section, moving, task.train.num_targets)
    return SpringNetwork(
        graph=graph,
        outputs=outputs,
        output_axes=_output_axes(section, len(outputs), task.train.num_targets),
        rest_positions=rest_positions,
        clamped=tuple(clamped),
        inputs=_inputs(section, clamped, count),
        springs=_positive("springs", initialisation_of(section, "springs")),
        anchored=tuple(anchored),
        anchors=_positive("anchors", initialisation_of(section, "anchors")),
        rest_lengths=_rest_lengths(section, graph, rest_positions, clamped),
        forces=None if section.forces is None else initialisation_of(section, "forces"),
        masses=_positive("masses", initialisation_of(section, "masses")),
        hbar=section.hbar,
    )


def _positive(key: str, start: WeightInitialisation) -> WeightInitialisation:
    """Return the initialisation if its given values are positive; the message is clearer than that of a bound."""
    values = list(start.values.values() if isinstance(start.values, Mapping) else start.values or ())
    for value in values if start.values is not None else [start.mean][: start.distribution == "constant"]:
        if not value > 0.0:
            raise ConfigError(f"{key}: expected positive numbers, got {value:g}")
    return start


def _rest_positions(section: SpringsConfig, graph: Graph) -> NDArray[np.float64]:
    given = section.rest_positions or ("origin" if section.dims == 1 else "graph")
    rest_positions = np.zeros((graph.num_spins, section.dims))
    if given == "graph":
        shown = min(2, section.dims)
        rest_positions[:, :shown] = graph.positions[:, :shown]
    elif given != "origin":
        if len(given) != graph.num_spins or any(len(point) != section.dims for point in given):
            raise ConfigError(
                f"rest_positions: expected {graph.num_spins} points of {section.dims} numbers, one an atom"
            )
        rest_positions[:] = given
    return rest_positions


def _clamped(section: SpringsConfig, num_atoms: int, count: int) -> list[int]:
    """Return the clamped atoms: the given ones, those that inputs displace, or as many of the first as inputs need."""
    if section.clamped is not None:
        return section.clamped
    if section.inputs is not None:
        return sorted({atom for atom, _ in section.inputs})
    needed = -(-count // section.dims)
    if needed >= num_atoms:
        raise NetworkError(
            f"clamped: {count} inputs hold {needed} atoms, and there are {num_atoms}; add atoms, one must move"
        )
    return list(range(needed))


def _inputs(section: SpringsConfig, clamped: list[int], count: int) -> tuple[tuple[int, int], ...]:
    pairs = section.inputs
    if pairs is None:
        pairs = [[atom, axis] for atom in clamped for axis in range(section.dims)][:count]
    if len(pairs) != count:
        key, what = ("inputs", "pairs") if section.inputs is not None else ("clamped", "coordinates of clamped atoms")
        raise NetworkError(f"{key}: the task has {count} inputs, got {len(pairs)} {what} for them")
    return tuple((atom, axis) for atom, axis in pairs)


def _outputs(section: SpringsConfig, moving: list[int], targets: int) -> tuple[int, ...]:
    """Return the output atoms: the given ones, or as many of the last moving atoms as there are targets."""
    if section.outputs is not None:
        return tuple(section.outputs)
    count = max(1, -(-targets // section.dims))
    if count > len(moving):
        raise NetworkError(f"outputs: the task has {targets} targets, and only {len(moving)} atoms move")
    return tuple(moving[-count:])


def _output_axes(section: SpringsConfig, atoms: int, targets: int) -> tuple[int, ...] | None:
    """Return the axes of the outputs: the given ones, or as many of the first as there are targets per atom.

    None for all.
    """
    if section.output_axes is not None:
        return tuple(section.output_axes)
    each, remainder = divmod(targets, atoms) if atoms else (0, 0)
    return tuple(range(each)) if remainder == 0 and 1 <= each < section.dims else None


def _rest_lengths(
    section: SpringsConfig, graph: Graph, rest_positions: NDArray, clamped: list[int]
) -> WeightInitialisation | None:
    given = section.rest_lengths
    if given is None:
        return None
    if not section.takes_rest_lengths:
        raise ConfigError(
            "rest_lengths: springs with rest lengths have no Gaussian ground state; leave the section out, or "
            "use kind = 'elastic'"
        )
    start = initialisation_of(section, "rest_lengths")
    if not given.natural or given.distribution is not None or given.mean is not None or isinstance(given.values, list):
        return start
    edges = [edge for edge in graph.edges if not set(clamped).issuperset(edge)]
    names = [f"l[{i},{j}]" for i, j in edges]
    lengths = [float(np.linalg.norm(rest_positions[i] - rest_positions[j])) for i, j in edges]
    named = start.values if isinstance(start.values, Mapping) else {}
    return replace(start, values={**dict(zip(names, lengths, strict=True)), **named})
