"""Keys of the section that says how states are reached."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from qep_qiskit.config.section import Section, Shots

__all__ = [
    "AdiabaticConfig",
    "AnnealingConfig",
    "EquilibriumConfig",
    "ExactConfig",
    "FileAnsatz",
    "GaussianConfig",
    "HamiltonianAnsatz",
    "HardwareEfficientAnsatz",
    "PreparationConfig",
    "ThermalConfig",
    "VariationalConfig",
]


class ExactConfig(Section):
    """Exact eigenstates."""

    kind: Literal["exact"]
    level: int = Field(default=0, ge=0)
    """Which eigenstate of the free Hamiltonian, 0 for the ground state; nudged states follow it by their overlap."""
    solver: Literal["auto", "dense", "lanczos"] = "auto"
    """``auto``: dense up to 7 qubits."""
    tolerance: float = Field(default=0.0, ge=0)
    """Relative tolerance of Lanczos; 0 is machine precision."""


class AnnealingConfig(Section):
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


class ThermalConfig(Section):
    """Gibbs states: exact, of quantum networks up to about 10 qubits, of classical ones up to about 20 spins."""

    kind: Literal["thermal"]
    temperature: float = Field(gt=0)
    """T, in energy."""


class GaussianConfig(Section):
    """Exact Gaussian ground states of oscillators; ``exact`` means the same for them."""

    kind: Literal["gaussian"]
    level: Literal[0] = 0
    """The ground state."""


class EquilibriumConfig(Section):
    """Atoms of an elastic network at rest; ``exact`` means the same for it."""

    kind: Literal["equilibrium"]
    level: Literal[0] = 0
    """The ground state."""
    critical_point: Literal["minimum", "any"] = "minimum"
    """``any``: the critical point that a root search from the places of the atoms finds, stable or not."""
    tolerance: float | None = Field(default=None, gt=0)
    """Force, relative to the largest coefficient, at which atoms are at rest; by default 1e-10, or 3e-4 of the force of
    the nudge where that is less."""


class AdiabaticConfig(Section):
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
    driver_spread: float | None = Field(default=None, ge=0, lt=2)
    """Width of the driver's fields relative to their mean; by default 0 for the ground state, 0.5 above."""
    driver_stiffness: Annotated[float, Field(gt=0)] | Literal["auto"] = "auto"
    """Stiffness of the driver of oscillators on a grid, of all atoms; ``auto``: as wide as the ground states at the
    starting weights."""
    start: Literal["equilibrium", "origin"] = "equilibrium"
    """Where oscillators start: moved to the classical equilibrium of each state, or in the middle of their boxes."""
    level: int = Field(default=0, ge=0)
    """Which eigenstate, 0 for the ground state; reached from the driver's."""


class HamiltonianAnsatz(Section):
    """The Hamiltonian's own gates, layer after layer, each with a free angle."""

    kind: Literal["hamiltonian"]
    depth: int = Field(default=3, ge=1)
    """Number of layers; chains need about 0.75 N to N, complete graphs N/2 to 0.75 N."""


class HardwareEfficientAnsatz(Section):
    """RY, RZ and CX gates, as Qiskit's ``efficient_su2``."""

    kind: Literal["hardware_efficient"]
    depth: int = Field(default=2, ge=0)
    """Number of entangling layers; 0 is a product state."""
    entanglement: Literal["reverse_linear", "linear", "circular", "full", "pairwise"] = "reverse_linear"
    """Which qubits an entangling layer connects."""


class FileAnsatz(Section):
    """A circuit of the user's own, in OpenQASM 3 with ``input angle`` for every free angle, or in QPY."""

    kind: Literal["file"]
    file: str
    """Path of the file; relative paths start at the folder of the configuration."""
    text: str | None = None
    """Its content; filled in when the configuration is read, so that a run keeps the circuit it began with."""


AnsatzConfig = Annotated[HamiltonianAnsatz | HardwareEfficientAnsatz | FileAnsatz, Field(discriminator="kind")]


class VariationalConfig(Section):
    """Minima of the energy of an ansatz (VQE)."""

    kind: Literal["variational"]
    ansatz: AnsatzConfig = HamiltonianAnsatz(kind="hamiltonian")
    """The circuit."""
    level: int = Field(default=0, ge=0)
    """Which eigenstate, 0 for the ground state; higher ones by deflation of those below (VQD)."""
    energies: Literal["simulated", "sampled"] = "simulated"
    """``simulated``: exact energies and gradients from state vectors; ``sampled``: every energy is measured."""
    optimizer: str = "bfgs"
    """``bfgs`` (needs simulated energies), or an optimiser of qiskit-algorithms: ``spsa``, ``nft``, ``cobyla``, ..."""
    options: dict[str, bool | int | float | str] = Field(default={})
    """Options of an optimiser of qiskit-algorithms, such as ``maxiter``; of ``spsa`` ``resamplings`` too: directions of
    one iteration, all measured in one request, which is one job on a device."""
    shots: Shots | Literal["exact"] | None = None
    """Shots per batch of sampled energies; those of the measurement by default."""
    tolerance: float | None = Field(default=None, gt=0)
    """Norm of the energy's gradient below which a state is converged; by default, for simulated energies, 1e-4 of the
    largest coefficient, or 3e-4 of the force of the nudge where that is less; none for sampled ones."""
    max_evaluations: int = Field(default=3000, gt=0)
    """Of the energy, for every state; of ``bfgs``."""
    restarts: int = Field(default=1, ge=1)
    """Starts tried where nothing is known of a state; of simulated energies."""
    residual_directions: int = Field(default=4, ge=0)
    """Directions in which the slope of sampled energies is measured at the end: they tell whether nudged states have
    followed the nudge."""
    residual_shots: Shots | None = None
    """Shots per batch of these slopes; those of the energies by default."""
    on_unconverged: Literal["warn", "stop", "go_on"] = "warn"
    """What to do with states that are not converged."""


PreparationConfig = Annotated[
    ExactConfig
    | AnnealingConfig
    | ThermalConfig
    | AdiabaticConfig
    | VariationalConfig
    | GaussianConfig
    | EquilibriumConfig,
    Field(discriminator="kind"),
]
