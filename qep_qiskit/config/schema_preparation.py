"""Keys of the section that says how states are reached; each kind builds its preparation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from qep_qiskit.config.kinds import OneOf, section_registry
from qep_qiskit.config.preparation_section import PreparationScene, PreparationSection, refuse_given
from qep_qiskit.config.schema_variational import VariationalConfig
from qep_qiskit.continuous.oscillator_layers import OscillatorProduct
from qep_qiskit.continuous.split_operator import SplitOperatorPreparation
from qep_qiskit.core.errors import ConfigError
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
from qep_qiskit.preparation.adiabatic import WIDEST_DRIVER

if TYPE_CHECKING:
    from qep_qiskit.config.schema import Config


_OF_SPINS = ("driver_field", "driver_width", "level")
_OF_OSCILLATORS = ("driver_stiffness", "start")


class ExactConfig(PreparationSection):
    """Exact eigenstates."""

    kind: Literal["exact"]
    level: int = Field(default=0, ge=0)
    """Which eigenstate of the free Hamiltonian, 0 for the ground state; nudged states follow it by their overlap."""
    solver: Literal["auto", "dense", "lanczos"] = "auto"
    """``auto``: dense up to 7 qubits."""
    tolerance: float = Field(default=0.0, ge=0)
    """Relative tolerance of Lanczos; 0 is machine precision."""

    @property
    def has_known_states(self) -> bool:
        """They are solved for."""
        return True

    @property
    def classical_equilibrium_options(self) -> dict[str, Any] | None:
        """What atoms at rest are is exact."""
        return {}

    def check_memory(self, config: Config, num_qubits: int) -> None:
        """Vectors of Lanczos; classical spins are searched."""
        if not config.network.is_classical:
            require_memory(num_qubits, 16 * 26, "exact preparation")

    def build(self, scene: PreparationScene) -> Preparation:
        """By diagonalisation, or a search of classical spins."""
        size = scene.hamiltonian.num_qubits
        check_level(self.level, size)
        found = exact_preparation(
            scene.hamiltonian.groups, level=self.level, solver=self.solver, tolerance=self.tolerance
        )
        if isinstance(found, ExactPreparation):
            found.check_level(size)
        return found

    def build_on_grid(self, scene: PreparationScene, driver: OscillatorProduct) -> Preparation:
        """By diagonalisation."""
        found = ExactPreparation(level=self.level, solver=self.solver, tolerance=self.tolerance)
        found.check_level(scene.hamiltonian.num_qubits)
        return found


class AnnealingConfig(PreparationSection):
    """Ground states of classical spins by simulated annealing."""

    kind: Literal["annealing"]
    sweeps: int = Field(default=100, ge=1)
    """Visits of every spin in one run."""
    restarts: int = Field(default=8, ge=1)
    """Runs for every state; the lowest is kept."""
    reheat: float = Field(default=0.5, ge=0, le=1)
    """Where nudged states begin, from the free one: 1 is the first temperature, 0 the last, in equal ratios between."""
    hot_temperature: float | None = Field(default=None, gt=0)
    """First temperature, in energy; by default twice what turning a spin over can cost at most, on average over
    spins."""
    cold_temperature: float | None = Field(default=None, gt=0)
    """Last temperature; by default 1/40 of the default of the first."""

    @property
    def has_known_states(self) -> bool:
        """They are found by a search."""
        return True

    def check_memory(self, config: Config, num_qubits: int) -> None:
        """There are no vectors."""

    def build(self, scene: PreparationScene) -> Preparation:
        """Where everything is classical."""
        groups = scene.hamiltonian.groups
        quantum = next((string for group in groups if not group.is_classical for string in group.terms), None)
        if quantum is not None:
            raise ConfigError(
                f"preparation.kind: 'annealing' is for classical spins, and network or cost hold '{quantum}'; use "
                "network.kind = 'classical_ising' and a cost of Z alone, or another preparation"
            )
        return AnnealingPreparation(
            seeds=scene.seeds,
            sweeps=self.sweeps,
            restarts=self.restarts,
            reheat=self.reheat,
            hot_temperature=self.hot_temperature,
            cold_temperature=self.cold_temperature,
        )


class ThermalConfig(PreparationSection):
    """Gibbs states: exact, of quantum networks up to about 10 qubits, of classical ones up to about 20 spins."""

    kind: Literal["thermal"]
    temperature: float = Field(gt=0)
    """T, in energy."""

    @property
    def has_known_states(self) -> bool:
        """They are summed."""
        return True

    @property
    def state_temperature(self) -> float | None:
        """T."""
        return self.temperature

    def check_memory(self, config: Config, num_qubits: int) -> None:
        """Density matrices; of classical spins probabilities."""
        bits = 1 if config.network.is_classical else 2
        require_memory(num_qubits, 16 * 8, "simulating Gibbs states", bits_per_qubit=bits)

    def build(self, scene: PreparationScene) -> Preparation:
        """By the spectrum."""
        return ThermalPreparation(self.temperature)

    def counterpart(self, hamiltonian: NudgedHamiltonian) -> Preparation:
        """The same states."""
        return ThermalPreparation(self.temperature)


class _AtomsConfig(PreparationSection):
    """Preparations of atoms in space alone."""

    def build(self, scene: PreparationScene) -> Preparation:
        """Qubits are none."""
        raise self._refusal("springs;")

    def build_on_grid(self, scene: PreparationScene, driver: OscillatorProduct) -> Preparation:
        """Nor are registers."""
        raise self._refusal("atoms in space; leave network.grid out, or")

    def _refusal(self, where: str) -> ConfigError:
        return ConfigError(
            f"preparation.kind: '{self.kind}' goes with networks of {where} use 'exact', 'adiabatic' or 'variational'"
        )


class GaussianConfig(_AtomsConfig):
    """Exact Gaussian ground states of oscillators; ``exact`` means the same for them."""

    kind: Literal["gaussian"]
    level: Literal[0] = 0
    """The ground state."""

    @property
    def classical_equilibrium_options(self) -> dict[str, Any] | None:
        """None to choose."""
        return {}


class EquilibriumConfig(_AtomsConfig):
    """Atoms of an elastic network at rest; ``exact`` means the same for it."""

    kind: Literal["equilibrium"]
    level: Literal[0] = 0
    """The ground state."""
    critical_point: Literal["minimum", "any"] = "minimum"
    """``any``: the critical point that a root search from the rest positions of the atoms finds, stable or not."""
    tolerance: float | None = Field(default=None, gt=0)
    """Force, relative to the largest coefficient, at which atoms are at rest; by default 1e-10, or 3e-4 of the force of
    the nudge where that is less."""

    @property
    def classical_equilibrium_options(self) -> dict[str, Any] | None:
        """How a root is searched."""
        return {"critical_point": self.critical_point, "tolerance": self.tolerance}


class AdiabaticConfig(PreparationSection):
    """Adiabatic Trotter evolution."""

    kind: Literal["adiabatic"]
    total_time: float = Field(default=6.0, gt=0)
    """T, in 1/energy."""
    steps: int = Field(default=20, gt=0)
    """Trotter steps."""
    order: Literal[1, 2] = 2
    """Order of the splitting."""
    ramp: Literal["linear", "cosine", "smoothstep"] = "cosine"
    """Schedule."""
    driver_field: float = 1.0
    """Mean strength f of the driver -f sum X; negative where H has +X, or the gap closes on the way."""
    driver_width: float | None = Field(default=None, ge=0, lt=WIDEST_DRIVER)
    """Width of the driver's fields relative to their mean; by default 0 for the ground state, 0.5 above."""
    driver_stiffness: Annotated[float, Field(gt=0)] | Literal["auto"] = "auto"
    """Stiffness of the driver of oscillators on a grid, of all atoms; ``auto``: as wide as the ground states at the
    starting weights."""
    start: Literal["equilibrium", "origin"] = "equilibrium"
    """Where oscillators start: moved to the classical equilibrium of each state, or in the middle of their boxes."""
    level: int = Field(default=0, ge=0)
    """Which eigenstate, 0 for the ground state; reached from the driver's."""

    def build(self, scene: PreparationScene) -> Preparation:
        """A ramp from the driver of spins."""
        check_level(self.level, scene.hamiltonian.num_qubits)
        refuse_given(self, _OF_OSCILLATORS, "is for oscillators on a grid")
        return AdiabaticPreparation(
            total_time=self.total_time,
            steps=self.steps,
            order=self.order,
            ramp=self.ramp,
            driver_field=self.driver_field,
            driver_width=self.driver_width,
            level=self.level,
        )

    def build_on_grid(self, scene: PreparationScene, driver: OscillatorProduct) -> Preparation:
        """A ramp from the driver of oscillators."""
        hint = "oscillators on a grid have preparation.driver_stiffness, and reach their ground state"
        refuse_given(self, _OF_SPINS, f"is for spins; {hint}")
        if self.driver_stiffness != "auto":
            driver = replace(driver, stiffness=(self.driver_stiffness,) * driver.grid.num_coordinates)
        return SplitOperatorPreparation(
            driver=driver,
            total_time=self.total_time,
            steps=self.steps,
            order=self.order,
            ramp=self.ramp,
            start=self.start,
        )


PREPARATIONS = section_registry(
    "preparations",
    PreparationSection,
    ExactConfig,
    AnnealingConfig,
    ThermalConfig,
    AdiabaticConfig,
    VariationalConfig,
    GaussianConfig,
    EquilibriumConfig,
)
"""Kinds of preparations."""

PreparationConfig = Annotated[PreparationSection, OneOf(PREPARATIONS)]
