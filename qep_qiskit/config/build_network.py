"""The network of a configuration, of any kind."""

from __future__ import annotations

from qep_qiskit.config.build_ising import build_ising, graph_size
from qep_qiskit.config.build_oscillators import build_oscillators
from qep_qiskit.config.build_pauli import build_pauli
from qep_qiskit.config.schema import Config, LossCost
from qep_qiskit.config.schema_network import PauliConfig
from qep_qiskit.config.schema_networks import NetworkConfig
from qep_qiskit.config.schema_oscillators import OscillatorsConfig
from qep_qiskit.network import Network
from qep_qiskit.seeds import Seeds
from qep_qiskit.tasks import Task

__all__ = ["build_network", "num_spins"]


def num_spins(section: NetworkConfig) -> int:
    """Spins of a network, from the keys alone; zero for oscillators, whose grid may follow from the samples.

    Raises:
        ConfigError: A key is missing, or does not go with the others.
    """
    if isinstance(section, OscillatorsConfig):
        return 0
    return section.num_spins if isinstance(section, PauliConfig) else graph_size(section)


def build_network(config: Config, task: Task, seeds: Seeds) -> Network:
    """The network, sized by the task's inputs and targets."""
    section = config.network
    if isinstance(section, OscillatorsConfig):
        return build_oscillators(section, task, seeds)
    if isinstance(section, PauliConfig):
        own_outputs = isinstance(config.cost, LossCost) and config.cost.observables is not None
        return build_pauli(section, task, reads_spins=not own_outputs)
    return build_ising(section, task)
