"""Network section of a configuration: atoms and springs, quantum or classical."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from qep_qiskit.config.build_springs import build_springs
from qep_qiskit.config.grid import GridConfig
from qep_qiskit.config.network_section import NetworkSection
from qep_qiskit.config.section import keys
from qep_qiskit.config.weight_section import WeightBlockConfig
from qep_qiskit.continuous.equilibrium import EquilibriumPreparation
from qep_qiskit.continuous.oscillators import GaussianPreparation
from qep_qiskit.continuous.springs import SPRING_INITIALISATIONS, SpringNetwork
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.memory import require_bytes
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.network import Network, WeightInitialisation
from qep_qiskit.preparation import Preparation
from qep_qiskit.tasks import Task

Pair = Annotated[list[int], Field(min_length=2, max_length=2)]

_MOST_ATOMS = 10_000
_MATRICES = 8  # stiffness, modes, and what diagonalisation needs, for the free phase and two nudged ones


class SpringConstantsConfig(WeightBlockConfig):
    """Spring constants between atoms; at least 0.001 unless `minimum` is set."""

    defaults: ClassVar[WeightInitialisation] = SPRING_INITIALISATIONS["springs"]


class AnchorsConfig(WeightBlockConfig):
    """Spring constants of anchors to fixed points; at least 0.001 unless `minimum` is set."""

    defaults: ClassVar[WeightInitialisation] = SPRING_INITIALISATIONS["anchors"]


class RestLengthsConfig(WeightBlockConfig):
    """Rest lengths; for ``elastic`` only, and not below zero unless `minimum` is set."""

    defaults: ClassVar[WeightInitialisation] = SPRING_INITIALISATIONS["rest_lengths"]

    natural: bool = True
    """Initialise with the distances between the rest positions of the atoms; `values` and `distribution` replace
    that."""

    @classmethod
    def _is_drawn(cls, data: Mapping[str, Any]) -> bool:
        given = any(data.get(name) is not None for name in ("distribution", "mean", "std", "low", "high"))
        return given or data.get("natural") is False or isinstance(data.get("values"), list)


class ForcesConfig(WeightBlockConfig):
    """Forces on moving atoms."""

    defaults: ClassVar[WeightInitialisation] = SPRING_INITIALISATIONS["forces"]


class MassesConfig(WeightBlockConfig):
    """Masses of moving atoms; at least 0.001 unless `minimum` is set."""

    defaults: ClassVar[WeightInitialisation] = SPRING_INITIALISATIONS["masses"]


class SpringsConfig(NetworkSection):
    """Atoms connected by springs; the quantum and the classical network have the same keys."""

    site: ClassVar[str] = "atom"
    connection: ClassVar[str] = "add springs that lead to a clamped atom"
    takes_rest_lengths: ClassVar[bool] = False

    graph: Literal["chain", "ring", "lattice", "complete", "layered", "edges"] = "complete"
    """Name of the graph of springs; each graph has its own keys below."""
    num_atoms: int | None = Field(default=None, ge=1, le=_MOST_ATOMS)
    """Atoms of a chain, ring, complete graph, or edge list, including clamped ones."""
    shape: Pair | None = None
    """Rows and columns of a lattice."""
    periodic: bool = False
    """Whether a lattice is periodic in both directions."""
    layers: list[int] | None = None
    """Atoms per layer of a layered graph."""
    edges: list[Pair] | None = None
    """Edge list."""
    dims: Literal[1, 2, 3] = 1
    """Number of space dimensions."""
    rest_positions: Literal["origin", "graph"] | list[list[float]] | None = None
    """Rest position of every atom: its anchor point, the position of a clamped atom, and the zero of displacements of
    outputs. The origin (default in one dimension), the drawing of the graph (default otherwise), or a point for each
    atom."""
    outputs: list[int] | None = None
    """Output atoms; by default as many of the last atoms as targets need."""
    output_axes: list[int] | None = None
    """Axes of the outputs of each atom; by default all, or as many of the first as there are targets for an atom."""
    clamped: list[int] | None = None
    """Atoms at fixed positions; by default as many of the first as inputs need."""
    inputs: list[Pair] | None = Field(default=None, min_length=1)
    """(atom, axis) that every input displaces; by default the clamped atoms in order, axis after axis."""
    anchored: list[int] | None = None
    """Atoms with an anchor at their rest position; by default all moving atoms, or none where some atoms are
    clamped."""
    springs: SpringConstantsConfig = SpringConstantsConfig()
    """k, one per spring; at least 0.001 unless `minimum` is set."""
    anchors: AnchorsConfig = AnchorsConfig()
    """a, one per anchored atom; at least 0.001 unless `minimum` is set."""
    rest_lengths: RestLengthsConfig | None = None
    """l, one per spring; without this section springs have no rest length."""
    forces: ForcesConfig | None = None
    """f, one per moving atom and axis; not trained unless `frozen` is false."""
    masses: MassesConfig = MassesConfig()
    """m, one per moving atom; not trained unless `frozen` is false."""
    hbar: float = Field(default=1.0, gt=0)
    """Reduced Planck constant hbar, for ``oscillators``."""
    grid: GridConfig | None = None
    """Position grid of ``oscillators`` on qubits, for circuits and state vectors; without this section they are
    simulated in space."""

    @property
    def is_in_space(self) -> bool:
        """True without a position grid."""
        return self.grid is None

    def build(self, task: Task, seeds: Seeds, *, reads_spins: bool) -> Network:
        """Return the network of atoms and springs, on qubit registers if there is a position grid.

        Args:
            task: The samples.
            seeds: Root of the random streams of the run.
            reads_spins: Not used.
        """
        atoms = build_springs(self, task)
        if self.grid is None:
            return atoms
        with keys(self, "grid"):
            return self.grid.build(atoms, task, seeds)


class OscillatorsConfig(SpringsConfig):
    """Quantum harmonic oscillators: atoms connected by springs without rest lengths."""

    own_preparation: ClassVar[str] = "gaussian"

    kind: Literal["oscillators"]

    def classical_equilibrium(self, network: SpringNetwork, **options: Any) -> Preparation:
        """Return the preparation of the Gaussian ground state.

        Raises:
            ResourceError: The stiffness matrix does not fit in memory.
        """
        size = len(network.coordinate_layout.moving_coordinates)
        require_bytes(_MATRICES * 8 * size**2, f"normal modes of {size} coordinates")
        return GaussianPreparation(hbar=network.hbar)


class ElasticConfig(SpringsConfig):
    """The classical elastic network, with the keys of the oscillators: atoms and springs in equilibrium."""

    own_preparation: ClassVar[str] = "equilibrium"
    takes_rest_lengths: ClassVar[bool] = True

    kind: Literal["elastic"]

    @property
    def has_shot_noise(self) -> bool:
        """False: the positions of atoms in equilibrium are exact."""
        return False

    def build(self, task: Task, seeds: Seeds, *, reads_spins: bool) -> Network:
        """Return the network in space.

        Args:
            task: The samples.
            seeds: Root of the random streams of the run.
            reads_spins: Not used.
        """
        if self.grid is not None:
            raise ConfigError("grid: goes with kind = 'oscillators'; leave it out")
        return super().build(task, seeds, reads_spins=reads_spins)

    def classical_equilibrium(self, network: SpringNetwork, **options: Any) -> Preparation:
        """Return the preparation of the equilibrium of all forces."""
        assert network.rest_positions is not None
        return EquilibriumPreparation(rest_positions=network.rest_positions, **options)
