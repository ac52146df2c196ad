"""Networks of atoms and springs, quantum or classical: their keys, and how the network follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from qep_qiskit.config.graph import Pair, graph_makers, graph_values
from qep_qiskit.config.grid import GridConfig
from qep_qiskit.config.network_section import NetworkSection
from qep_qiskit.config.preparation_section import PreparationScene, PreparationSection
from qep_qiskit.config.section import keys, same_as
from qep_qiskit.config.weight_section import WeightBlockConfig, initialisation_of
from qep_qiskit.continuous.equilibrium import EquilibriumPreparation
from qep_qiskit.continuous.grid_energies import GridEnergies
from qep_qiskit.continuous.grid_network import GridNetwork
from qep_qiskit.continuous.on_grid import OnGrid
from qep_qiskit.continuous.oscillator_layers import OscillatorProduct
from qep_qiskit.continuous.oscillators import GaussianPreparation
from qep_qiskit.continuous.springs import SPRING_INITIALISATIONS, SpringNetwork
from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import ConfigError, NetworkError
from qep_qiskit.core.memory import require_bytes
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.network import Graph, Network, WeightInitialisation
from qep_qiskit.preparation import Preparation
from qep_qiskit.tasks import Task

_MOST_ATOMS = 10_000
_MATRICES = 8  # stiffness, modes, and what diagonalisation needs, for the free phase and two nudged ones
_MAKERS = graph_makers("num_atoms")
_GRAPH_KEYS = ("num_atoms", "shape", "layers", "edges", "periodic")


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
    own_preparation: ClassVar[str]
    """Kind of preparation of the atoms in space, besides ``exact``."""
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
    hbar: float = same_as(SpringNetwork, "hbar")
    """Reduced Planck constant hbar, for ``oscillators``."""
    grid: GridConfig | None = None
    """Position grid of ``oscillators`` on qubits, for circuits and state vectors; without this section they are
    simulated in space."""

    @property
    def is_in_space(self) -> bool:
        """True without a position grid."""
        return self.grid is None

    @property
    def is_on_grid(self) -> bool:
        """True with a position grid."""
        return self.grid is not None

    def build(self, task: Task, seeds: Seeds, *, reads_spins: bool) -> Network:
        """Return the network of atoms and springs, on qubit registers if there is a position grid."""
        atoms = self._atoms(task.train.num_inputs, task.train.num_targets)
        if self.grid is None:
            return atoms
        with keys(self, "grid"):
            return self.grid.build(atoms, task, seeds)

    def prepared(self, section: PreparationSection, scene: PreparationScene) -> Preparation:
        """Return the preparation of oscillators on qubit registers, or of atoms in space.

        Raises:
            ConfigError: The preparation is for another kind of network.
        """
        network = scene.hamiltonian.network
        if isinstance(network, GridNetwork):
            rows = scene.hamiltonian.free_coefficients(network.layout.initial(scene.seeds), scene.inputs)
            driver = OscillatorProduct.like(GridEnergies.of(network.grid, scene.hamiltonian.groups, rows))
            return OnGrid(preparation=section.build_on_grid(scene, driver), grid=network.grid)
        if section.kind not in ("exact", self.own_preparation):
            raise ConfigError(
                f"preparation.kind: network.kind = '{self.kind}' takes 'exact' or '{self.own_preparation}', got "
                f"'{section.kind}': there are no circuits for it"
            )
        if section.target_level != 0:
            raise ConfigError(f"preparation.level: atoms have their ground state only, got {section.target_level}")
        if scene.measurement.grouping == "qubit_wise":
            raise ConfigError(
                "measurement.grouping: 'qubit_wise' goes with Pauli strings; use 'shared' or 'per_weight'"
            )
        return self.classical_equilibrium(network, **section.classical_equilibrium_options)

    def classical_equilibrium(self, network: Any, **options: Any) -> Preparation:
        """Return the preparation of the atoms in space.

        Args:
            network: The network.
            options: Options of the preparation.
        """
        raise NotImplementedError

    def _atoms(self, inputs: int, targets: int) -> SpringNetwork:
        graph = self._graph()
        rest_positions = self._rest_positions(graph)
        clamped = self._clamped(graph.num_spins, inputs)
        moving = [atom for atom in range(graph.num_spins) if atom not in clamped]
        anchored = ([] if clamped else moving) if self.anchored is None else self.anchored
        outputs = self._outputs(moving, targets)
        return SpringNetwork(
            graph=graph,
            outputs=outputs,
            output_axes=self._output_axes(len(outputs), targets),
            rest_positions=rest_positions,
            clamped=tuple(clamped),
            inputs=self._inputs(clamped, inputs),
            springs=_positive("springs", initialisation_of(self, "springs")),
            anchored=tuple(anchored),
            anchors=_positive("anchors", initialisation_of(self, "anchors")),
            rest_lengths=self._rest_lengths(graph, rest_positions, clamped),
            forces=None if self.forces is None else initialisation_of(self, "forces"),
            masses=_positive("masses", initialisation_of(self, "masses")),
            hbar=self.hbar,
        )

    def _graph(self) -> Graph:
        wanted, make = _MAKERS[self.graph]
        values = graph_values(self, self.graph, wanted, _GRAPH_KEYS)
        try:
            return make(*values)
        except NetworkError as error:
            raise NetworkError(str(error).replace("num_spins", "num_atoms").replace("spin", "atom")) from None

    def _rest_positions(self, graph: Graph) -> NDArray[np.float64]:
        given = self.rest_positions or ("origin" if self.dims == 1 else "graph")
        rest_positions = np.zeros((graph.num_spins, self.dims))
        if given == "graph":
            shown = min(2, self.dims)
            rest_positions[:, :shown] = graph.positions[:, :shown]
        elif given != "origin":
            if len(given) != graph.num_spins or any(len(point) != self.dims for point in given):
                raise ConfigError(
                    f"rest_positions: expected {amount(graph.num_spins, 'point')} of {amount(self.dims, 'number')}, "
                    "one an atom"
                )
            rest_positions[:] = given
        return rest_positions

    def _clamped(self, num_atoms: int, count: int) -> list[int]:
        """Return the clamped atoms: the given ones, those that inputs displace, or as few of the first as hold them."""
        if self.clamped is not None:
            return self.clamped
        if self.inputs is not None:
            return sorted({atom for atom, _ in self.inputs})
        needed = -(-count // self.dims)
        if needed >= num_atoms:
            raise NetworkError(
                f"clamped: {amount(count, 'input')} would take {needed} of {amount(num_atoms, 'atom')}; add atoms, one "
                "must move"
            )
        return list(range(needed))

    def _inputs(self, clamped: list[int], count: int) -> tuple[tuple[int, int], ...]:
        pairs = self.inputs
        if pairs is None:
            pairs = [[atom, axis] for atom in clamped for axis in range(self.dims)][:count]
        if len(pairs) != count:
            key, what = ("inputs", "pairs") if self.inputs is not None else ("clamped", "coordinates of clamped atoms")
            raise NetworkError(f"{key}: the task has {amount(count, 'input')}, got {len(pairs)} {what} for them")
        return tuple((atom, axis) for atom, axis in pairs)

    def _outputs(self, moving: list[int], targets: int) -> tuple[int, ...]:
        """Return the output atoms: the given ones, or as many of the last moving atoms as there are targets."""
        if self.outputs is not None:
            return tuple(self.outputs)
        count = max(1, -(-targets // self.dims))
        if count > len(moving):
            raise NetworkError(
                f"outputs: the task has {amount(targets, 'target')}, more than {amount(len(moving), 'moving atom')} "
                "take"
            )
        return tuple(moving[-count:])

    def _output_axes(self, atoms: int, targets: int) -> tuple[int, ...] | None:
        """Return the axes of the outputs: the given ones, or as many of the first as there are targets per atom.

        None for all.
        """
        if self.output_axes is not None:
            return tuple(self.output_axes)
        each, remainder = divmod(targets, atoms) if atoms else (0, 0)
        return tuple(range(each)) if remainder == 0 and 1 <= each < self.dims else None

    def _rest_lengths(self, graph: Graph, rest_positions: NDArray, clamped: list[int]) -> WeightInitialisation | None:
        given = self.rest_lengths
        if given is None:
            return None
        if not self.takes_rest_lengths:
            raise ConfigError(
                "rest_lengths: springs with rest lengths have no Gaussian ground state; leave the section out, or "
                "use kind = 'elastic'"
            )
        start = initialisation_of(self, "rest_lengths")
        if given.distribution is not None:
            return start
        edges = [edge for edge in graph.edges if not set(clamped).issuperset(edge)]
        names = [f"l[{i},{j}]" for i, j in edges]
        lengths = [float(np.linalg.norm(rest_positions[i] - rest_positions[j])) for i, j in edges]
        named = start.values if isinstance(start.values, Mapping) else {}
        return replace(start, values={**dict(zip(names, lengths, strict=True)), **named})


def _positive(key: str, start: WeightInitialisation) -> WeightInitialisation:
    """Return the initialisation if its given values are positive; the message is clearer than that of a bound."""
    values = list(start.values.values() if isinstance(start.values, Mapping) else start.values or ())
    for value in values if start.values is not None else [start.mean][: start.distribution == "constant"]:
        if not value > 0.0:
            raise ConfigError(f"{key}: expected positive numbers, got {value:g}")
    return start


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
    has_shot_noise: ClassVar[bool] = False

    kind: Literal["elastic"]

    def build(self, task: Task, seeds: Seeds, *, reads_spins: bool) -> Network:
        """Return the network in space."""
        if self.grid is not None:
            raise ConfigError("grid: goes with kind = 'oscillators'; leave it out")
        return super().build(task, seeds, reads_spins=reads_spins)

    def classical_equilibrium(self, network: SpringNetwork, **options: Any) -> Preparation:
        """Return the preparation of the equilibrium of all forces."""
        assert network.rest_positions is not None
        return EquilibriumPreparation(rest_positions=network.rest_positions, **options)
