"""The network of a configuration, of any kind."""

from __future__ import annotations

from qep_qiskit.config.build_grid import build_grid_network
from qep_qiskit.config.build_ising import build_ising, graph_size
from qep_qiskit.config.build_pauli import build_pauli
from qep_qiskit.config.build_springs import atom_count, build_springs
from qep_qiskit.config.schema import Config, LossCost
from qep_qiskit.config.schema_network import NetworkConfig, PauliConfig, SpringsConfig
from qep_qiskit.errors import ConfigError
from qep_qiskit.network import GridNetwork, IsingNetwork, PauliNetwork, SpringNetwork
from qep_qiskit.seeds import Seeds
from qep_qiskit.tasks import Task

__all__ = ["AnyNetwork", "build_network", "num_spins"]

AnyNetwork = IsingNetwork | PauliNetwork | SpringNetwork | GridNetwork


def num_spins(section: NetworkConfig) -> int:
    """Spins or atoms of a network, from the keys alone.

    Raises:
        ConfigError: A key is missing, or does not go with the others.
    """
    if isinstance(section, SpringsConfig):
        return atom_count(section)
    return section.num_spins if isinstance(section, PauliConfig) else graph_size(section)


def build_network(config: Config, task: Task, seeds: Seeds) -> AnyNetwork:
    """The network, sized by the task's inputs and targets."""
    section = config.network
    if isinstance(section, SpringsConfig):
        atoms = build_springs(section, task)
        if section.grid is None:
            return atoms
        if section.kind == "elastic":
            raise ConfigError("network.grid: goes with kind = 'oscillators'; leave it out")
        return build_grid_network(section.grid, atoms, task, seeds)
    if isinstance(section, PauliConfig):
        own_outputs = isinstance(config.cost, LossCost) and config.cost.observables is not None
        return build_pauli(section, task, reads_spins=not own_outputs)
    return build_ising(section, task)
