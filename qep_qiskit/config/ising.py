"""Quantum and classical Ising networks: their keys, and how the network follows from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator
from qiskit.transpiler import Target

from qep_qiskit.config.convolution import CONVOLUTION, FILTER_KEYS, ConvolutionKeys
from qep_qiskit.config.graph import GraphMaker, Pair, graph_makers, graph_values
from qep_qiskit.config.kinds import refused
from qep_qiskit.config.network_section import MOST_SPINS, last_spins
from qep_qiskit.config.weight_section import WeightBlockConfig, initialisation_of
from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import ConfigError, NetworkError, UnusedKeyWarning
from qep_qiskit.core.limits import Index
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.core.warning_log import warn
from qep_qiskit.execution.native import native_couplings, native_qubits
from qep_qiskit.network import (
    ANNEALER_GRAPHS,
    ISING_INITIALISATIONS,
    ClampedInputs,
    Graph,
    IsingNetwork,
    WeightInitialisation,
    annealer_graph,
    annealer_size,
    check_distance,
    from_edges,
    heavy_hex,
    heavy_hex_patch,
    square_patch,
)
from qep_qiskit.tasks import Task

_MAKERS: dict[str, GraphMaker] = {
    **graph_makers("num_spins"),
    "heavy_hex": (("distance",), heavy_hex),
    "square": (("num_spins",), square_patch),
    "native": (("qubits", "edges"), lambda qubits, edges: from_edges(len(qubits), edges)),
    **{name: (("cells",), partial(annealer_graph, name)) for name in ANNEALER_GRAPHS},
}
_GRAPH_KEYS = (
    "device",
    "num_spins",
    "shape",
    "layers",
    "distance",
    "cells",
    "qubits",
    "edges",
    "periodic",
    "image",
    *FILTER_KEYS,
)
_OR_SIZE = {"heavy_hex": "distance", "native": "qubits"}  # graphs whose size is either of two keys


class CouplingsConfig(WeightBlockConfig):
    """Couplings J."""

    defaults: ClassVar[WeightInitialisation] = ISING_INITIALISATIONS["couplings"]


class FieldsConfig(WeightBlockConfig):
    """Transverse fields h; not below 0.1 unless `minimum` is set."""

    defaults: ClassVar[WeightInitialisation] = ISING_INITIALISATIONS["fields"]


class BiasesConfig(WeightBlockConfig):
    """Longitudinal fields b, called biases; can be omitted."""

    defaults: ClassVar[WeightInitialisation] = ISING_INITIALISATIONS["biases"]

    enabled: bool = True
    """False omits the biases from the network."""

    @classmethod
    def _is_used(cls, data: Mapping[str, Any]) -> bool:
        return data.get("enabled") is not False


class CouplingInputsConfig(WeightBlockConfig):
    """Inputs on the couplings; without the section, couplings do not depend on inputs."""

    defaults: ClassVar[WeightInitialisation] = ISING_INITIALISATIONS["coupling_inputs"]

    enabled: bool = False
    """True makes every coupling J[j,k] + sum over inputs of V[a,j,k] x_a. A spin then responds to products of inputs:
    curved classes that fields W[a,k] x_a alone do not separate."""

    @classmethod
    def _is_used(cls, data: Mapping[str, Any]) -> bool:
        return data.get("enabled") is True


class InputsConfig(WeightBlockConfig):
    """How inputs enter the network."""

    defaults: ClassVar[WeightInitialisation] = ISING_INITIALISATIONS["inputs"]

    mode: Literal["clamped", "fields"] = "clamped"
    """``clamped``: inputs act through trainable weights W[a,k]; ``fields``: inputs are fixed fields on input spins."""
    spins: list[int] | None = Field(default=None, min_length=1)
    """Spins on which the inputs act; by default all (clamped), the first layer, or the first spins (fields)."""
    links: list[Pair] | None = Field(default=None, min_length=1)
    """Explicit (input, spin) pairs instead of all inputs to `spins`."""
    strength: float = 1.0
    """Factor on the input, for ``fields``."""

    @classmethod
    def _is_used(cls, data: Mapping[str, Any]) -> bool:
        return data.get("mode") != "fields"

    def as_fields(self, spins: list[int], count: int) -> ClampedInputs:
        """Return inputs that each are the field on a spin of its own.

        Args:
            spins: Spins that can take inputs.
            count: Number of inputs.

        Raises:
            ConfigError: A key does not go with fields.
            NetworkError: There is not one spin for each input.
        """
        for key in sorted(self.model_fields_set - {"mode", "spins", "strength"}):
            if getattr(self, key) is not None:
                raise ConfigError(f"inputs.{key}: does not go with mode = 'fields'; leave it out")
        chosen = spins if self.spins else spins[:count]
        if len(chosen) != count or len(set(chosen)) != count:
            raise NetworkError(
                f"inputs.spins: the task has {amount(count, 'input')}, each needs an input spin of its own; got "
                f"{chosen}"
            )
        return ClampedInputs.as_fields(chosen, self.strength)


class IsingKeys(ConvolutionKeys):
    """Keys shared by the quantum and the classical Ising network."""

    connection: ClassVar[str] = "add edges, or link inputs to its part of the graph"
    symmetry_breaker: ClassVar[str] = "[network.biases]"

    graph: Literal[
        "chain",
        "ring",
        "lattice",
        "complete",
        "layered",
        "heavy_hex",
        "square",
        "native",
        "chimera",
        "pegasus",
        "zephyr",
        "convolution",
        "edges",
    ] = "complete"
    """Name of the graph; each graph has its own keys below. ``heavy_hex`` and ``square`` are patches of the lattices of
    devices; ``native`` consists of couplings of the device itself (`execution.backend`), chosen for the smallest
    errors. On these graphs a device needs no swap gates. ``chimera``, ``pegasus`` and ``zephyr`` are graphs of D-Wave's
    annealers, without defects (they need ``qep_qiskit[ocean]``). ``convolution`` has filters with tied weights, average
    pooling and outputs; the inputs are the pixels of an image."""
    num_spins: int | None = Field(default=None, ge=1, le=MOST_SPINS)
    """Spins of a chain, ring, complete graph, edge list, or of a patch (heavy_hex, square, native)."""
    shape: Pair | None = None
    """Rows and columns of a lattice."""
    periodic: bool = False
    """Whether a lattice is periodic in both directions."""
    layers: list[int] | None = None
    """Spins per layer of a layered graph."""
    distance: int | None = Field(default=None, ge=1, le=25)
    """Code distance of a heavy-hex graph (odd), in place of `num_spins`."""
    cells: int | None = Field(default=None, ge=1, le=16)
    """Size of the graph of an annealer, as its maker counts it: 16 for a 2000Q (``chimera``, 8 spins a cell) and for an
    Advantage (``pegasus``, from 2)."""
    qubits: list[Index] | None = Field(default=None, min_length=1)
    """Physical qubits of a native graph, in the order of the spins, in place of `num_spins`."""
    device: str | None = None
    """Device snapshot whose couplings form a native graph where `execution.backend` simulates no device, such as
    ``mps``: the circuits of the device, without its noise."""
    edges: list[Pair] | None = None
    """Edge list. For a native graph it is filled in when the run starts."""
    outputs: list[int] | None = None
    """Output spins; by default the last layer, or as many of the last spins as there are targets, times `copies`."""
    couplings: CouplingsConfig = CouplingsConfig()
    """J, one per edge."""
    fields: FieldsConfig = FieldsConfig()
    """h, one per spin; at least 0.1 unless `minimum` is set. The classical network has none and ignores them."""
    biases: BiasesConfig = BiasesConfig()
    """b, one per spin."""
    inputs: InputsConfig = InputsConfig()
    """W, one per input and spin."""
    coupling_inputs: CouplingInputsConfig = CouplingInputsConfig()
    """V, one per input and edge, where `enabled`."""

    @field_validator("device")
    @classmethod
    def _is_snapshot(cls, name: str | None) -> str | None:
        if name is not None and not name.startswith("fake_"):
            raise refused(f"expected a device snapshot 'fake_...', got '{name}'")
        return name

    @property
    def device_qubits(self) -> tuple[int, ...] | None:
        """Physical qubits of a native graph, else None."""
        return tuple(self.qubits or ()) if self.graph == "native" else None

    @property
    def cut_from_device(self) -> str | None:
        """Name of the device snapshot of a native graph."""
        return self.device

    @property
    def qubits_ahead(self) -> int | None:
        """Number of spins of the graph.

        Raises:
            ConfigError: A key is missing, or does not apply to the graph.
        """
        self._graph_values()
        if self.shape is not None:
            return self.shape[0] * self.shape[1]
        if self.layers is not None:
            return sum(self.layers)
        if self.distance is not None:
            check_distance(self.distance)
            return (5 * self.distance**2 - 2 * self.distance - 1) // 2
        if self.cells is not None:
            return annealer_size(self.graph, self.cells)
        return self.num_spins if self.qubits is None else len(self.qubits)

    @property
    def may_fall_apart(self) -> bool:
        """Whether the graph is one of edges, which may leave parts unconnected."""
        return self.edges is not None

    def cut_from(self, device: Callable[[int], Target]) -> Self:
        """Return the section with the edges of a native graph.

        They are the couplings of the device between the given qubits, or those with the smallest errors.

        Raises:
            ConfigError: A qubit is named twice, or keys do not go together.
        """
        if self.graph != "native" or self.edges is not None:
            return self
        size = self.qubits_ahead or 0
        if self.qubits is not None and len(set(self.qubits)) != size:
            raise ConfigError(f"qubits: a qubit is named twice in {self.qubits}; keep one")
        target = device(size)
        qubits = list(self.qubits or native_qubits(target, size))
        edges = [list(edge) for edge in native_couplings(target, qubits)]
        return self.model_copy(update={"num_spins": None, "qubits": qubits, "edges": edges})

    def build(self, task: Task, seeds: Seeds, *, reads_spins: bool) -> IsingNetwork:
        """Return the network from its graph, weights and inputs."""
        values = self._graph_values()
        if self.graph == CONVOLUTION:
            return self._convolution(task)
        make = heavy_hex_patch if self.graph == "heavy_hex" and self.distance is None else _MAKERS[self.graph][1]
        graph = make(*values)
        return IsingNetwork(
            graph=graph,
            outputs=self._outputs(graph, task.train.num_targets),
            copies=self.copies,
            inputs=self._inputs(graph, task.train.num_inputs),
            couplings=initialisation_of(self, "couplings"),
            fields=self._fields(),
            biases=self._optional("biases"),
            coupling_inputs=self._optional("coupling_inputs"),
        )

    def _convolution(self, task: Task) -> IsingNetwork:
        """Return the network of filters over the pixels of an image."""
        plan = self.convolution(
            task,
            {
                "outputs": self.outputs is not None,
                "inputs.mode": self.inputs.mode != "clamped",
                "inputs.spins": self.inputs.spins is not None,
                "inputs.links": self.inputs.links is not None,
                "coupling_inputs": self.coupling_inputs.enabled,
            },
        )
        return plan.network(
            copies=self.copies,
            inputs=initialisation_of(self, "inputs"),
            couplings=initialisation_of(self, "couplings"),
            fields=self._fields(),
            biases=self._optional("biases"),
        )

    def _graph_values(self) -> list[Any]:
        """Return the values of the keys that the graph needs; where either of two sets its size, of the given one."""
        if self.graph == CONVOLUTION:
            given = [key for key in FILTER_KEYS if getattr(self, key) is not None]
            return graph_values(self, self.graph, ("image", *given), _GRAPH_KEYS)
        wanted, other = _MAKERS[self.graph][0], _OR_SIZE.get(self.graph)
        if other is not None and self.num_spins is not None:
            if getattr(self, other) is not None:
                raise ConfigError(f"{other}: num_spins is given too; leave one of them out")
            wanted = ("num_spins",)
        elif self.graph == "native" and self.edges is None:
            wanted = ("num_spins",) if self.qubits is None else ("qubits",)
        known = [key for key in _GRAPH_KEYS if key != "device" or self.graph != "native"]
        return graph_values(self, self.graph, wanted, known)

    def _fields(self) -> WeightInitialisation | None:
        """Return the transverse fields; None for a classical network."""
        start = initialisation_of(self, "fields")
        if not self.is_classical:
            return start
        if self.fields != type(self.fields)():
            warn(
                UnusedKeyWarning,
                "network.fields: a classical network has no transverse fields; the section is not used",
            )
        return None

    def _optional(self, name: str) -> WeightInitialisation | None:
        """Return a block that `enabled` switches; None where it is off."""
        block = getattr(self, name)
        if block.enabled:
            return initialisation_of(self, name)
        others = [key for key in block.model_fields_set - {"enabled"} if getattr(block, key) is not None]
        if others:
            raise ConfigError(
                f"{name}.{min(others)}: does not go with enabled = false; leave it out, or set enabled = true"
            )
        return None

    def _outputs(self, graph: Graph, targets: int) -> tuple[int, ...]:
        """Return the output spins: the given ones, the last layer, or one for each target, the last spins."""
        if self.outputs is not None:
            return tuple(self.outputs)
        return graph.layers[-1] if graph.layers else last_spins(max(1, targets), graph.num_spins, self.copies)

    def _inputs(self, graph: Graph, count: int) -> ClampedInputs | None:
        if count == 0:
            return None
        given = self.inputs
        spins = given.spins or list(graph.layers[0] if graph.layers else range(graph.num_spins))
        if given.mode == "fields":
            return given.as_fields(spins, count)
        start = initialisation_of(self, "inputs")
        if given.links is not None:
            return ClampedInputs(count=count, links=tuple((a, k) for a, k in given.links), start=start)
        if len(set(spins)) != len(spins):
            raise NetworkError(f"inputs.spins: a spin is named twice in {spins}; keep one")
        return ClampedInputs.all_to(count, spins, start)


class IsingConfig(IsingKeys):
    """The transverse-field Ising network."""

    kind: Literal["ising"] = "ising"


class ClassicalIsingConfig(IsingKeys):
    """The Ising network without transverse fields: classical spins +-1. It has the keys of the quantum network.

    The section `fields` is accepted and ignored with a warning, so that `kind` alone switches between the two networks.
    """

    is_classical: ClassVar[bool] = True

    kind: Literal["classical_ising"]
