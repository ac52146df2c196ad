"""Keys of the preparation section; each kind builds its preparation."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from qep_qiskit.config.annealer import AnnealerConfig
from qep_qiskit.config.dmrg import DmrgConfig
from qep_qiskit.config.execution import ExecutionConfig
from qep_qiskit.config.kinds import OneOf, section_registry
from qep_qiskit.config.neural import NeuralConfig
from qep_qiskit.config.preparation_section import PreparationScene, PreparationSection
from qep_qiskit.config.section import same_as
from qep_qiskit.config.variational import VariationalConfig
from qep_qiskit.continuous.equilibrium import EquilibriumPreparation
from qep_qiskit.continuous.oscillator_layers import OscillatorProduct
from qep_qiskit.continuous.split_operator import SplitOperatorPreparation
from qep_qiskit.core.errors import ConfigError, ResourceError
from qep_qiskit.core.limits import Positive
from qep_qiskit.core.memory import require_memory
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import (
    AdiabaticPreparation,
    AnnealingPreparation,
    ExactPreparation,
    Preparation,
    ThermalPreparation,
    check_level,
    exact_preparation,
)
from qep_qiskit.preparation.classical import require_search
from qep_qiskit.preparation.ramp import RampShape

_OF_SPINS = ("driver_field", "driver_width", "level")
_OF_OSCILLATORS = ("driver_stiffness", "start")


class ExactConfig(PreparationSection):
    """Exact eigenstates."""

    has_known_states: ClassVar[bool] = True

    kind: Literal["exact"]
    level: int = same_as(ExactPreparation, "level")
    """Index of the eigenstate of the free Hamiltonian, 0 for the ground state; nudged states are identified with it by
    their overlap."""
    solver: Literal["auto", "dense", "lanczos", "components"] = same_as(ExactPreparation, "solver")
    """``auto``: dense diagonalisation up to 7 qubits; above that each part of the network that nothing couples to the
    others by itself, and Lanczos for what is wider than 7 qubits. ``components``: parts by themselves up to 7 qubits,
    too."""
    tolerance: float = same_as(ExactPreparation, "tolerance")
    """Relative tolerance of Lanczos; 0 is machine precision."""

    def splits_components(self, execution: ExecutionConfig) -> bool:
        """Return whether unconnected parts are solved one by one: ground states by a solver that is free to."""
        return self.solver in ("auto", "components") and self.level == 0

    def check_memory(self, num_qubits: int, execution: ExecutionConfig, *, is_classical: bool) -> None:
        """Check that the vectors of Lanczos, or the energies of all states of classical spins, fit in memory."""
        if is_classical:
            require_search(num_qubits)
        else:
            require_memory(num_qubits, 16 * 26, "exact preparation", instead="preparation.kind = 'dmrg'")

    def build(self, scene: PreparationScene) -> Preparation:
        """Return the preparation by diagonalisation, or by a search over classical spins."""
        size = scene.hamiltonian.num_qubits
        check_level(self.level, size)
        found = self.made(exact_preparation, groups=scene.hamiltonian.groups)
        if isinstance(found, ExactPreparation):
            found.check_level(size)
        return found

    def build_on_grid(self, scene: PreparationScene, driver: OscillatorProduct) -> Preparation:
        """Return the preparation by diagonalisation."""
        found = self.made(ExactPreparation)
        found.check_level(scene.hamiltonian.num_qubits)
        return found


class AnnealingConfig(PreparationSection):
    """Ground states of classical spins by simulated annealing."""

    has_known_states: ClassVar[bool] = True

    kind: Literal["annealing"]
    sweeps: int = same_as(AnnealingPreparation, "sweeps")
    """Sweeps over all spins in one run."""
    restarts: int = same_as(AnnealingPreparation, "restarts")
    """Number of runs for every state; the lowest energy is kept."""
    reheat: float = same_as(AnnealingPreparation, "reheat")
    """Temperature at which nudged states start from the free state: 1 is the first temperature, 0 the last, with a
    geometric scale in between."""
    hot_temperature: float | None = same_as(AnnealingPreparation, "hot_temperature")
    """First temperature, in energy; by default twice the largest energy of a single spin flip, averaged over the
    spins."""
    cold_temperature: float | None = same_as(AnnealingPreparation, "cold_temperature")
    """Last temperature; by default 1/40 of the default first temperature."""

    def build(self, scene: PreparationScene) -> Preparation:
        """Return simulated annealing, for classical networks."""
        groups = scene.hamiltonian.groups
        quantum = next((string for group in groups if not group.is_classical for string in group.terms), None)
        if quantum is not None:
            raise ConfigError(
                f"preparation.kind: 'annealing' is for classical spins, and network or cost hold '{quantum}'; use "
                "network.kind = 'classical_ising' and a cost of Z alone, or another preparation"
            )
        return self.made(AnnealingPreparation, seeds=scene.seeds)


class ThermalConfig(PreparationSection):
    """Gibbs states: exact, for quantum networks up to about 10 qubits and classical ones up to about 20 spins.

    The numbers are those of the largest part of a network that nothing couples to the others.
    """

    has_known_states: ClassVar[bool] = True

    kind: Literal["thermal"]
    temperature: float = same_as(ThermalPreparation, "temperature")
    """Temperature T, in energy (k_B = 1)."""

    @property
    def state_temperature(self) -> float | None:
        """Temperature T, in energy."""
        return self.temperature

    def splits_components(self, execution: ExecutionConfig) -> bool:
        """Return that unconnected parts are diagonalised one by one."""
        return True

    def check_memory(self, num_qubits: int, execution: ExecutionConfig, *, is_classical: bool) -> None:
        """Check that density matrices, or the probabilities of classical spins, fit in memory."""
        bits = 1 if is_classical else 2
        require_memory(num_qubits, 16 * 8, "simulating Gibbs states", bits_per_qubit=bits)

    def build(self, scene: PreparationScene) -> Preparation:
        """Return the preparation from the spectrum."""
        return ThermalPreparation(self.temperature)

    def counterpart(self, hamiltonian: NudgedHamiltonian) -> Preparation:
        """Return the preparation of the same Gibbs states."""
        return ThermalPreparation(self.temperature)


class _AtomsConfig(PreparationSection):
    """Base class of preparations that exist for atoms in space only."""

    def build(self, scene: PreparationScene) -> Preparation:
        """Refuse networks of qubits."""
        raise self._refusal("springs;")

    def build_on_grid(self, scene: PreparationScene, driver: OscillatorProduct) -> Preparation:
        """Refuse oscillators on registers."""
        raise self._refusal("atoms in space; leave network.grid out, or")

    def _refusal(self, where: str) -> ConfigError:
        return ConfigError(
            f"preparation.kind: '{self.kind}' goes with networks of {where} use 'exact', 'adiabatic' or 'variational'"
        )


class GaussianConfig(_AtomsConfig):
    """Exact Gaussian ground states of oscillators; ``exact`` is the same for them."""

    kind: Literal["gaussian"]
    level: Literal[0] = 0
    """The ground state."""


class EquilibriumConfig(_AtomsConfig):
    """Equilibrium of the atoms of an elastic network; ``exact`` is the same for it."""

    kind: Literal["equilibrium"]
    level: Literal[0] = 0
    """The ground state."""
    critical_point: Literal["minimum", "any"] = same_as(EquilibriumPreparation, "critical_point")
    """``any``: the critical point that a root search from the rest positions of the atoms finds, stable or not."""
    tolerance: float | None = same_as(EquilibriumPreparation, "tolerance")
    """Force, relative to the largest coefficient, below which atoms are in equilibrium; by default 1e-10, or 3e-4 of
    the force of the nudge if that is smaller."""

    @property
    def classical_equilibrium_options(self) -> dict[str, Any]:
        """Options of the root search."""
        return {"critical_point": self.critical_point, "tolerance": self.tolerance}


class AdiabaticConfig(PreparationSection):
    """Adiabatic Trotter evolution."""

    kind: Literal["adiabatic"] = "adiabatic"
    total_time: float = same_as(AdiabaticPreparation, "total_time")
    """Duration T of the ramp, in 1/energy (hbar = 1)."""
    steps: int = same_as(AdiabaticPreparation, "steps")
    """Number of Trotter steps."""
    order: Literal[1, 2] = same_as(AdiabaticPreparation, "order")
    """Order of the Trotter splitting."""
    ramp: RampShape = same_as(AdiabaticPreparation, "ramp")
    """Schedule of the ramp."""
    driver_field: float = same_as(AdiabaticPreparation, "driver_field")
    """Mean strength f of the driver -f sum X; must be negative where H has +X, otherwise the gap closes during the
    ramp."""
    driver_width: float | None = same_as(AdiabaticPreparation, "driver_width")
    """Range of the driver's fields, largest minus smallest, relative to their mean; by default 0 for the ground state,
    0.5 for excited states."""
    driver_stiffness: Positive | Literal["auto"] = "auto"
    """Stiffness of the driver of oscillators on a grid, for all atoms; ``auto``: with the width of the ground states at
    the initial weights."""
    start: Literal["equilibrium", "origin"] = same_as(SplitOperatorPreparation, "start")
    """Initial position of oscillators: the classical equilibrium of each state, or the centre of the boxes."""
    level: int = same_as(AdiabaticPreparation, "level")
    """Index of the eigenstate, 0 for the ground state; the ramp starts in the driver's eigenstate of the same index."""

    def splits_components(self, execution: ExecutionConfig) -> bool:
        """Return whether unconnected parts are evolved one by one, which the engine does."""
        return execution.where.kind == "statevector"

    def check_memory(self, num_qubits: int, execution: ExecutionConfig, *, is_classical: bool) -> None:
        """Check that the states of the execution fit in memory; Aer's are joint vectors of all qubits."""
        try:
            super().check_memory(num_qubits, execution, is_classical=is_classical)
        except ResourceError as error:
            if execution.where.kind != "aer":
                raise
            noisy = ", without execution.noise," if execution.noise is not None else ""
            raise ResourceError(
                f"{error}; execution.backend = 'statevector'{noisy} evolves parts of a network that no term couples "
                "one by one"
            ) from None

    def build(self, scene: PreparationScene) -> Preparation:
        """Return an adiabatic ramp from the driver of spins."""
        check_level(self.level, scene.hamiltonian.num_qubits)
        self.refuse_given(_OF_OSCILLATORS, "is for oscillators on a grid")
        return self.made(AdiabaticPreparation)

    def build_on_grid(self, scene: PreparationScene, driver: OscillatorProduct) -> Preparation:
        """Return an adiabatic ramp from the driver of oscillators."""
        hint = "oscillators on a grid have preparation.driver_stiffness, and reach their ground state"
        self.refuse_given(_OF_SPINS, f"is for spins; {hint}")
        if self.driver_stiffness != "auto":
            driver = replace(driver, stiffness=(self.driver_stiffness,) * driver.grid.num_coordinates)
        return self.made(SplitOperatorPreparation, driver=driver)


PREPARATIONS = section_registry(
    "preparations",
    PreparationSection,
    ExactConfig,
    DmrgConfig,
    AnnealingConfig,
    AnnealerConfig,
    ThermalConfig,
    AdiabaticConfig,
    VariationalConfig,
    NeuralConfig,
    GaussianConfig,
    EquilibriumConfig,
)
"""Kinds of preparations."""

PreparationConfig = Annotated[PreparationSection, OneOf(PREPARATIONS, default="adiabatic")]
