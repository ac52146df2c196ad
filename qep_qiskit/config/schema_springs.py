"""The network section of a configuration: atoms and springs, quantum or classical."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from qep_qiskit.config.build_springs import build_springs
from qep_qiskit.config.network_section import NetworkSection
from qep_qiskit.config.schema_grid import GridConfig
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
    """Springs between atoms; at least 0.001 unless `minimum` says otherwise."""

    defaults: ClassVar[WeightInitialisation] = SPRING_INITIALISATIONS["springs"]


class AnchorsConfig(WeightBlockConfig):
    """Springs to fixed points; at least 0.001 unless `minimum` says otherwise."""

    defaults: ClassVar[WeightInitialisation] = SPRING_INITIALISATIONS["anchors"]


class RestLengthsConfig(WeightBlockConfig):
    """Rest lengths; for ``elastic`` only, and not below zero unless `minimum` says otherwise."""

    defaults: ClassVar[WeightInitialisation] = SPRING_INITIALISATIONS["rest_lengths"]

    natural: bool = True
    """Start at the distances between the rest positions of the atoms; `values` and `distribution` replace that."""

    @classmethod
    def _is_drawn(cls, data: Mapping[str, Any]) -> bool:
        given = any(data.get(name) is not None for name in ("distribution", "mean", "std", "low", "high"))
        return given or data.get("natural") is False or isinstance(data.get("values"), list)


class ForcesConfig(WeightBlockConfig):
    """Forces on atoms that move."""

    defaults: ClassVar[WeightInitialisation] = SPRING_INITIALISATIONS["forces"]


class MassesConfig(WeightBlockConfig):
    """Masses of atoms that move; at least 0.001 unless `minimum` says otherwise."""

    defaults: ClassVar[WeightInitialisation] = SPRING_INITIALISATIONS["masses"]


class SpringsConfig(NetworkSection):
    """Atoms joined by springs; the quantum and the classical network have the same keys."""

    site: ClassVar[str] = "atom"
    connection: ClassVar[str] = "add springs that lead to a clamped atom"
    takes_rest_lengths: ClassVar[bool] = False

    graph: Literal["chain", "ring", "lattice", "complete", "layered", "edges"] = "complete"
    """Name of the graph of springs; each takes its own keys below."""
    num_atoms: int | None = Field(default=None, ge=1, le=_MOST_ATOMS)
    """Atoms of a chain, ring, complete graph, or edge list; clamped ones included."""
    shape: Pair | None = None
    """Rows and columns of a lattice."""
    periodic: bool = False
    """Whether a lattice is closed in both directions."""
    layers: list[int] | None = None
    """Atoms per layer of a layered graph."""
    edges: list[Pair] | None = None
    """Edge list."""
    dims: Literal[1, 2, 3] = 1
    """Dimensions of space."""
    rest_positions: Literal["origin", "graph"] | list[list[float]] | None = None
    """The rest position of every atom, which anchors tie it to, clamped atoms are held at, and outputs count from:
    the origin (default on a line), the drawing of the graph (default else), or a point for each atom."""
    outputs: list[int] | None = None
    """Output atoms. By default as many of the last atoms as targets need."""
    output_axes: list[int] | None = None
    """Axes that are read at each; by default all, or as many of the first as there are targets for an atom."""
    clamped: list[int] | None = None
    """Atoms that are held; by default as many of the first as inputs need."""
    inputs: list[Pair] | None = Field(default=None, min_length=1)
    """(atom, axis) that every input displaces; by default the clamped atoms in order, axis after axis."""
    anchored: list[int] | None = None
    """Atoms tied to their rest position; by default all that move, or none where some are clamped."""
    springs: SpringConstantsConfig = SpringConstantsConfig()
    """k, one per spring; at least 0.001 unless `minimum` says otherwise."""
    anchors: AnchorsConfig = AnchorsConfig()
    """a, one per anchored atom; at least 0.001 unless `minimum` says otherwise."""
    rest_lengths: RestLengthsConfig | None = None
    """l, one per spring; without the section springs have none."""
    forces: ForcesConfig | None = None
    """f, one per moving atom and axis; does not train unless `frozen` says so."""
    masses: MassesConfig = MassesConfig()
    """m, one per moving atom; does not train unless `frozen` says so."""
    hbar: float = Field(default=1.0, gt=0)
    """Planck's constant over 2 pi, of ``oscillators``."""
    grid: GridConfig | None = None
    """Puts ``oscillators`` on qubits, for circuits and state vectors; without the section they stay in space."""

    @property
    def is_in_space(self) -> bool:
        """Without a grid."""
        return self.grid is None

    def build(self, task: Task, seeds: Seeds, *, reads_spins: bool) -> Network:
        """Atoms and springs, on registers where there is a grid."""
        atoms = build_springs(self, task)
        if self.grid is None:
            return atoms
        with keys(self, "grid"):
            return self.grid.build(atoms, task, seeds)


class OscillatorsConfig(SpringsConfig):
    """Quantum harmonic oscillators: atoms joined by springs without rest lengths."""

    own_preparation: ClassVar[str] = "gaussian"

    kind: Literal["oscillators"]

    def classical_equilibrium(self, network: SpringNetwork, **options: Any) -> Preparation:
        """The Gaussian ground state.

        Raises:
            ResourceError: The stiffness does not fit in memory.
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
        """Atoms are in equilibrium."""
        return False

    def build(self, task: Task, seeds: Seeds, *, reads_spins: bool) -> Network:
        """In space only."""
        if self.grid is not None:
            raise ConfigError("grid: goes with kind = 'oscillators'; leave it out")
        return super().build(task, seeds, reads_spins=reads_spins)

    def classical_equilibrium(self, network: SpringNetwork, **options: Any) -> Preparation:
        """The equilibrium of all forces."""
        assert network.rest_positions is not None
        return EquilibriumPreparation(rest_positions=network.rest_positions, **options)
