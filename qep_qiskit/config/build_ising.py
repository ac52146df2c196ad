"""Construction of quantum and classical Ising networks: graph, weights, and inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qiskit.transpiler import Target

from qep_qiskit.config.weight_section import initialisation_of
from qep_qiskit.core.errors import ConfigError, NetworkError, UnusedKeyWarning
from qep_qiskit.core.warning_log import warn
from qep_qiskit.execution.native import native_couplings, native_qubits
from qep_qiskit.network import (
    ClampedInputs,
    Graph,
    IsingNetwork,
    WeightInitialisation,
    chain,
    check_distance,
    complete,
    from_edges,
    heavy_hex,
    heavy_hex_patch,
    lattice,
    layered,
    ring,
    square_patch,
)
from qep_qiskit.tasks import Task

if TYPE_CHECKING:
    from qep_qiskit.config.schema_network import InputsConfig, IsingKeys


_GRAPH_KEYS: dict[str, tuple[str, ...]] = {
    "chain": ("num_spins",),
    "ring": ("num_spins",),
    "complete": ("num_spins",),
    "lattice": ("shape",),
    "layered": ("layers",),
    "heavy_hex": ("distance",),
    "square": ("num_spins",),
    "native": ("qubits", "edges"),
    "edges": ("num_spins", "edges"),
}


def graph_size(section: IsingKeys) -> int:
    """Return the number of spins of a graph from its keys.

    Raises:
        ConfigError: A key is missing, or does not apply to the graph.
    """
    wanted = _graph_keys(section)
    for key in ("num_spins", "shape", "layers", "distance", "qubits", "edges"):
        given = getattr(section, key) is not None
        if key in wanted and not given:
            raise ConfigError(f"{key}: this key is missing; graph = '{section.graph}' needs it")
        if given and key not in wanted:
            raise ConfigError(f"{key}: does not go with graph = '{section.graph}'; leave it out")
    if section.periodic and section.graph != "lattice":
        raise ConfigError(f"periodic: does not go with graph = '{section.graph}'; leave it out")
    if section.shape is not None:
        return section.shape[0] * section.shape[1]
    if section.layers is not None:
        return sum(section.layers)
    if section.distance is not None:
        check_distance(section.distance)
        return (5 * section.distance**2 - 2 * section.distance - 1) // 2
    if section.qubits is not None:
        return len(section.qubits)
    assert section.num_spins is not None
    return section.num_spins


def _graph_keys(section: IsingKeys) -> tuple[str, ...]:
    """Return the keys that a graph needs; where either of two keys sets its size, the given one."""
    other = {"heavy_hex": section.distance, "native": section.qubits}.get(section.graph)
    if other is not None and section.num_spins is not None:
        key = "distance" if section.graph == "heavy_hex" else "qubits"
        raise ConfigError(f"{key}: num_spins is given too; leave one of them out")
    if section.num_spins is not None and section.graph in ("heavy_hex", "native"):
        return ("num_spins",)
    if section.graph == "native" and section.edges is None:
        return ("num_spins",) if section.qubits is None else ("qubits",)
    return _GRAPH_KEYS[section.graph]


def build_graph(section: IsingKeys) -> Graph:
    """Return the graph from its name and keys; the edges of a native graph must be known."""
    size = graph_size(section)
    values: list[Any] = [getattr(section, key) for key in _graph_keys(section)]
    if section.graph == "native":
        assert section.edges is not None
        return from_edges(size, section.edges)
    if section.graph == "heavy_hex" and section.distance is None:
        return heavy_hex_patch(size)
    if section.graph == "lattice":
        return lattice(*values[0], periodic=section.periodic)
    makers: dict[str, Any] = {
        "chain": chain,
        "ring": ring,
        "complete": complete,
        "layered": layered,
        "heavy_hex": heavy_hex,
        "square": square_patch,
        "edges": from_edges,
    }
    return makers[section.graph](*values)


def cut_graph(section: IsingKeys, device: Callable[[int], Target]) -> dict[str, Any]:
    """Return the keys of a native graph: the couplings of the device between the qubits with the smallest errors.

    Args:
        section: Keys of the network.
        device: Returns the target of a device for a number of qubits.

    Raises:
        ConfigError: A qubit is named twice, or keys do not go together.
    """
    size = graph_size(section)
    if section.qubits is not None and len(set(section.qubits)) != size:
        raise ConfigError(f"qubits: a qubit is named twice in {section.qubits}; keep one")
    target = device(size)
    qubits = list(section.qubits or native_qubits(target, size))
    return {"num_spins": None, "qubits": qubits, "edges": [list(edge) for edge in native_couplings(target, qubits)]}


def _biases(network: IsingKeys) -> WeightInitialisation | None:
    section = network.biases
    if section.enabled:
        return initialisation_of(network, "biases")
    others = [name for name in section.model_fields_set - {"enabled"} if getattr(section, name) is not None]
    if others:
        raise ConfigError(f"biases.{min(others)}: does not go with enabled = false; leave it out")
    return None


def build_ising(section: IsingKeys, task: Task) -> IsingNetwork:
    """Return the network, with as many inputs and outputs as the task has inputs and targets.

    Args:
        section: Keys of the network.
        task: The samples.
    """
    graph = build_graph(section)
    return IsingNetwork(
        graph=graph,
        outputs=_outputs(section, graph, task.train.num_targets),
        inputs=_inputs(section, graph, task.train.num_inputs),
        couplings=initialisation_of(section, "couplings"),
        fields=_fields(section),
        biases=_biases(section),
    )


def _fields(section: IsingKeys) -> WeightInitialisation | None:
    """Return the transverse fields; None for a classical network."""
    start = initialisation_of(section, "fields")
    if not section.is_classical:
        return start
    if section.fields != type(section.fields)():
        warn(UnusedKeyWarning, "network.fields: a classical network has no transverse fields; the section is not used")
    return None


def _outputs(section: IsingKeys, graph: Graph, targets: int) -> tuple[int, ...]:
    """Return the output spins: the given ones, the last layer, or as many of the last spins as there are targets."""
    if section.outputs is not None:
        return tuple(section.outputs)
    if graph.layers:
        return graph.layers[-1]
    count = max(1, targets)
    if count > graph.num_spins:
        raise NetworkError(
            f"outputs: the task has {count} targets, each needs an output spin; there are {graph.num_spins} spins"
        )
    return tuple(range(graph.num_spins))[-count:]


def _inputs(section: IsingKeys, graph: Graph, count: int) -> ClampedInputs | None:
    if count == 0:
        return None
    given = section.inputs
    spins = given.spins or list(graph.layers[0] if graph.layers else range(graph.num_spins))
    if given.mode == "fields":
        return _field_inputs(given, spins, count)
    start = initialisation_of(section, "inputs")
    if given.links is not None:
        return ClampedInputs(count=count, links=tuple((a, k) for a, k in given.links), start=start)
    if len(set(spins)) != len(spins):
        raise NetworkError(f"inputs.spins: a spin is named twice in {spins}; keep one")
    return ClampedInputs.all_to(count, spins, start)


def _field_inputs(given: InputsConfig, spins: list[int], count: int) -> ClampedInputs:
    """Return inputs that each are the field on a spin of its own."""
    refused = sorted(given.model_fields_set - {"mode", "spins", "strength"})
    for name in refused:
        if getattr(given, name) is not None:
            raise ConfigError(f"inputs.{name}: does not go with mode = 'fields'; leave it out")
    chosen = spins if given.spins else spins[:count]
    if len(chosen) != count or len(set(chosen)) != count:
        raise NetworkError(
            f"inputs.spins: the task has {count} inputs, each needs an input spin of its own; got {chosen}"
        )
    return ClampedInputs.as_fields(chosen, given.strength)
