"""Network section of a configuration: quantum and classical Ising networks, and any Pauli Hamiltonian."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field
from qiskit.transpiler import Target

from qep_qiskit.config.build_ising import build_ising, cut_graph, graph_size
from qep_qiskit.config.build_pauli import build_pauli
from qep_qiskit.config.kinds import OneOf, section_registry
from qep_qiskit.config.network_section import NetworkSection
from qep_qiskit.config.schema_springs import ElasticConfig, OscillatorsConfig
from qep_qiskit.config.section import Section
from qep_qiskit.config.weight_section import WeightBlockConfig
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.network import ISING_INITIALISATIONS, PAULI_INITIALISATION, Network, WeightInitialisation
from qep_qiskit.tasks import Task

Pair = Annotated[list[int], Field(min_length=2, max_length=2)]

_MOST_SPINS = 1024


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


class PauliWeightsConfig(WeightBlockConfig):
    """All weights of a Pauli network."""

    defaults: ClassVar[WeightInitialisation] = PAULI_INITIALISATION


class IsingKeys(NetworkSection):
    """Keys shared by the quantum and the classical Ising network."""

    connection: ClassVar[str] = "add edges, or link inputs to its part of the graph"
    symmetry_breaker: ClassVar[str] = "[network.biases]"

    graph: Literal["chain", "ring", "lattice", "complete", "layered", "heavy_hex", "square", "native", "edges"] = (
        "complete"
    )
    """Name of the graph; each graph has its own keys below. ``heavy_hex`` and ``square`` are patches of the lattices of
    devices; ``native`` consists of couplings of the device itself (`execution.backend`), chosen for the smallest
    errors. On these graphs a device needs no swap gates."""
    num_spins: int | None = Field(default=None, ge=1, le=_MOST_SPINS)
    """Spins of a chain, ring, complete graph, edge list, or of a patch (heavy_hex, square, native)."""
    shape: Pair | None = None
    """Rows and columns of a lattice."""
    periodic: bool = False
    """Whether a lattice is periodic in both directions."""
    layers: list[int] | None = None
    """Spins per layer of a layered graph."""
    distance: int | None = Field(default=None, ge=1, le=25)
    """Code distance of a heavy-hex graph (odd), in place of `num_spins`."""
    qubits: list[Annotated[int, Field(ge=0)]] | None = Field(default=None, min_length=1)
    """Physical qubits of a native graph, in the order of the spins, in place of `num_spins`."""
    edges: list[Pair] | None = None
    """Edge list. For a native graph it is filled in when the run starts."""
    outputs: list[int] | None = None
    """Output spins; by default the last layer, or as many of the last spins as there are targets."""
    couplings: CouplingsConfig = CouplingsConfig()
    """J, one per edge."""
    fields: FieldsConfig = FieldsConfig()
    """h, one per spin; at least 0.1 unless `minimum` is set. The classical network has none and ignores them."""
    biases: BiasesConfig = BiasesConfig()
    """b, one per spin."""
    inputs: InputsConfig = InputsConfig()
    """W, one per input and spin."""

    @property
    def device_qubits(self) -> tuple[int, ...] | None:
        """Physical qubits of a native graph, else None."""
        return tuple(self.qubits or ()) if self.graph == "native" else None

    @property
    def qubits_ahead(self) -> int | None:
        """Number of spins of the graph."""
        return graph_size(self)

    def cut_from(self, device: Callable[[int], Target]) -> Self:
        """Return the section with the edges of a native graph."""
        if self.graph != "native" or self.edges is not None:
            return self
        return self.model_copy(update=cut_graph(self, device))

    def build(self, task: Task, seeds: Seeds, *, reads_spins: bool) -> Network:
        """Return the network from its graph, weights and inputs.

        Args:
            task: The samples.
            seeds: Root of the random streams of the run.
            reads_spins: Whether the cost uses the outputs of the network.
        """
        return build_ising(self, task)


class IsingConfig(IsingKeys):
    """The transverse-field Ising network."""

    kind: Literal["ising"] = "ising"


class ClassicalIsingConfig(IsingKeys):
    """The Ising network without transverse fields: classical spins +-1. It has the keys of the quantum network.

    The section `fields` is accepted and ignored with a warning, so that `kind` alone switches between the two networks.
    """

    is_classical: ClassVar[bool] = True

    kind: Literal["classical_ising"]


class PauliTermConfig(Section):
    """One term of H: weight * coefficient * input * operator; factors that are not given are 1."""

    pauli: str
    """The operator: a Pauli string such as ``Z0 X1``, or a sum of Pauli strings such as ``0.5 X0 - 0.5 Y0 Y1``. A ``?``
    in the place of a letter stands for X, Y and Z in turn, each Pauli string with a weight of its own: ``?0 ?1`` stands
    for nine Pauli strings."""
    weight: str | None = Field(default=None, min_length=1)
    """Name of the weight; none for a fixed term. Terms with the same weight are tied: it multiplies their sum."""
    coefficient: float = 1.0
    """Real factor."""
    input: int | None = Field(default=None, ge=0)
    """Index of the input that multiplies the term."""
    repeat: Literal["chain", "ring"] | None = None
    """Add copies of the operator, shifted by 1, 2, ... spins: ``chain`` as far as they fit, ``ring`` with periodic
    boundary. A copy that exists already is left out."""
    along: list[int] | None = Field(default=None, min_length=2)
    """Spins along which copies are shifted, in order; all by default."""
    tied: bool = True
    """False gives every copy of ``repeat`` a weight of its own, named by its spins as ``J[0,1]``; Pauli strings with
    ``?`` are named by their letters too, as ``K[X0 Z1]``."""


class PauliConfig(NetworkSection):
    """Any Hamiltonian of Pauli strings, H = sum of the terms, with the signs as written."""

    connection: ClassVar[str] = "add terms that join it to the spins with inputs"
    symmetry_breaker: ClassVar[str] = "terms such as Z0, with weights that start from"

    kind: Literal["pauli"]
    num_spins: int = Field(ge=1, le=_MOST_SPINS)
    """Number of spins, one qubit each."""
    outputs: list[int] | None = None
    """Output spins; by default as many of the last spins as there are targets, none with `cost.observables`."""
    terms: list[PauliTermConfig] = Field(min_length=1)
    """Terms of H."""
    grouping: Literal["qubit_wise", "commuting"] = "qubit_wise"
    """Pauli strings that share a group, a layer and shots: those that one rotation of every qubit makes diagonal; or
    all that commute, if that gives fewer groups. The latter need two-qubit gates before a measurement and around every
    layer."""
    weights: PauliWeightsConfig = PauliWeightsConfig()
    """All weights, numbered in the order of their first appearance; by default drawn from a normal distribution."""

    @property
    def qubits_ahead(self) -> int | None:
        """Number of spins, as given."""
        return self.num_spins

    def build(self, task: Task, seeds: Seeds, *, reads_spins: bool) -> Network:
        """Return the network from its terms and their copies.

        Args:
            task: The samples.
            seeds: Root of the random streams of the run.
            reads_spins: Whether the cost uses the outputs of the network.
        """
        return build_pauli(self, task, reads_spins=reads_spins)


NETWORKS = section_registry(
    "networks", NetworkSection, IsingConfig, ClassicalIsingConfig, PauliConfig, OscillatorsConfig, ElasticConfig
)
"""Kinds of networks."""

NetworkConfig = Annotated[NetworkSection, OneOf(NETWORKS, default="ising")]
