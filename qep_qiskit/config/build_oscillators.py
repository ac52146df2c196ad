"""The oscillators of a configuration: atoms and springs, on qubits where there is a grid."""

from __future__ import annotations

from qep_qiskit.config.build_grid import build_grid_network
from qep_qiskit.config.build_ising import start_of
from qep_qiskit.config.schema_oscillators import OscillatorsConfig
from qep_qiskit.errors import ConfigError
from qep_qiskit.network import GridNetwork, SpringNetwork, Start, from_edges
from qep_qiskit.seeds import Seeds
from qep_qiskit.tasks import Task

__all__ = ["build_oscillators"]

_SOFTEST = 1e-3


def build_oscillators(section: OscillatorsConfig, task: Task, seeds: Seeds) -> SpringNetwork | GridNetwork:
    """The network, sized by the task's inputs.

    Raises:
        ConfigError: The task has other than one input per clamped atom, or a key does not go with another.
        NetworkError: An atom is out of range or free to drift, or no grid would do.
    """
    count = task.train.num_inputs
    if count > len(section.clamped):
        raise ConfigError(
            f"network.clamped: the task has {count} inputs, each displaces a clamped atom; there are "
            f"{len(section.clamped)}"
        )
    one = Start(mean=1.0, minimum=_SOFTEST)
    frozen = Start(mean=1.0, minimum=_SOFTEST, frozen=True)
    atoms = SpringNetwork(
        graph=from_edges(section.num_atoms, [(i, j) for i, j in section.edges]),
        outputs=tuple(section.outputs),
        clamped=tuple(section.clamped),
        inputs=tuple((atom, 0) for atom in section.clamped[:count]),
        springs=start_of("network.springs", section.springs, one),
        anchored=tuple(section.anchors.atoms),
        anchors=start_of("network.anchors", section.anchors, Start(mean=0.5, minimum=_SOFTEST)),
        forces=start_of("network.forces", section.forces, Start()) if section.forces.enabled else None,
        masses=start_of("network.masses", section.masses, frozen),
        hbar=section.hbar,
    )
    return atoms if section.grid is None else build_grid_network(section.grid, atoms, task, seeds)
