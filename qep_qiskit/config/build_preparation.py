"""How states are reached: from the keys of the preparation to its object."""

from __future__ import annotations

from numpy.typing import NDArray

from qep_qiskit.config.build_atoms import build_atoms_at_rest
from qep_qiskit.config.build_executor import is_remote
from qep_qiskit.config.build_grid import build_on_grid, refuse_keys_of_oscillators
from qep_qiskit.config.build_variational import build_variational
from qep_qiskit.config.schema import Config
from qep_qiskit.config.schema_preparation import (
    AdiabaticConfig,
    AnnealingConfig,
    EquilibriumConfig,
    GaussianConfig,
    ThermalConfig,
    VariationalConfig,
)
from qep_qiskit.errors import ConfigError
from qep_qiskit.memory import require_memory
from qep_qiskit.network import GridNetwork, SpringNetwork
from qep_qiskit.nudge import NudgedHamiltonian
from qep_qiskit.preparation import (
    AdiabaticPreparation,
    AnnealingPreparation,
    ExactPreparation,
    ExactSearch,
    Preparation,
    ThermalPreparation,
    check_level,
    exact_preparation,
)
from qep_qiskit.seeds import Seeds

__all__ = [
    "build_preparation",
    "check_memory",
    "exact_counterpart",
    "has_certain_outcomes",
    "level_of",
    "temperature_of",
]


def build_preparation(config: Config, hamiltonian: NudgedHamiltonian, inputs: NDArray, seeds: Seeds) -> Preparation:
    """How states are reached; `inputs` are those of the training samples."""
    section, network = config.preparation, hamiltonian.network
    if isinstance(network, SpringNetwork):
        return build_atoms_at_rest(config, network)
    if isinstance(section, GaussianConfig | EquilibriumConfig):
        where = "atoms in space; leave network.grid out, or" if isinstance(network, GridNetwork) else "springs;"
        raise ConfigError(
            f"preparation.kind: '{section.kind}' goes with networks of {where} use 'exact', 'adiabatic' or "
            "'variational'"
        )
    if isinstance(network, GridNetwork):
        return build_on_grid(config, hamiltonian, network, inputs, seeds)
    if isinstance(section, AnnealingConfig):
        return _annealing(section, hamiltonian, seeds)
    if isinstance(section, ThermalConfig):
        return ThermalPreparation(section.temperature)
    check_level(section.level, hamiltonian.num_qubits)
    if isinstance(section, VariationalConfig):
        return build_variational(config, section, hamiltonian, seeds)
    if isinstance(section, AdiabaticConfig):
        refuse_keys_of_oscillators(section)
        return AdiabaticPreparation(
            total_time=section.total_time,
            steps=section.steps,
            order=section.order,
            ramp=section.ramp,
            driver_field=section.driver_field,
            driver_spread=section.driver_spread,
            level=section.level,
        )
    preparation = exact_preparation(
        hamiltonian.groups, level=section.level, solver=section.solver, tolerance=section.tolerance
    )
    if isinstance(preparation, ExactPreparation):
        preparation.check_level(hamiltonian.num_qubits)
    return preparation


def _annealing(section: AnnealingConfig, hamiltonian: NudgedHamiltonian, seeds: Seeds) -> AnnealingPreparation:
    """Simulated annealing, where everything is classical."""
    quantum = next((word for group in hamiltonian.groups if not group.is_classical for word in group.words), None)
    if quantum is not None:
        raise ConfigError(
            f"preparation.kind: 'annealing' is for classical spins, and network or cost hold '{quantum}'; use "
            "network.kind = 'classical_ising' and a cost of Z alone, or another preparation"
        )
    return AnnealingPreparation(
        seeds=seeds,
        sweeps=section.sweeps,
        restarts=section.restarts,
        reheat=section.reheat,
        hot=section.hot_temperature,
        cold=section.cold_temperature,
    )


def has_certain_outcomes(preparation: Preparation) -> bool:
    """Whether states are classical spins, of which every shot reads the same."""
    return isinstance(preparation, ExactSearch | AnnealingPreparation)


def level_of(config: Config) -> int:
    """Which eigenstate is prepared; preparations that know no other prepare the ground state."""
    return getattr(config.preparation, "level", 0)


def temperature_of(config: Config) -> float | None:
    """Of Gibbs states; None where eigenstates are prepared."""
    return config.preparation.temperature if isinstance(config.preparation, ThermalConfig) else None


def exact_counterpart(config: Config, hamiltonian: NudgedHamiltonian) -> Preparation:
    """The states that a preparation is after, exactly."""
    temperature = temperature_of(config)
    if temperature is not None:
        return ThermalPreparation(temperature)
    return exact_preparation(hamiltonian.groups, level=level_of(config))


def check_memory(config: Config, num_qubits: int) -> None:
    """Refuse what cannot be simulated before anything is built; preparations look again when they know more.

    Raises:
        ResourceError: It does not fit in memory.
    """
    classical = config.network.kind == "classical_ising"
    if config.preparation.kind == "annealing":
        return
    if config.preparation.kind == "thermal":
        bits = 1 if classical else 2
        require_memory(num_qubits, 16 * 8, "simulating Gibbs states", bits_per_qubit=bits)
        return
    if config.preparation.kind == "exact":
        if not classical:
            require_memory(num_qubits, 16 * 26, "exact preparation")
        return
    if config.preparation.kind == "variational" and config.preparation.energies == "simulated":
        require_memory(num_qubits, 16 * 6, "simulating the energies")
    if config.execution.method == "density_matrix":
        require_memory(num_qubits, 2 * 16, "a density matrix simulation", bits_per_qubit=2)
    elif config.execution.method != "matrix_product_state" and not is_remote(config):
        require_memory(num_qubits, 5 * 16, "a state vector simulation")
