"""Construction of the preparation from its keys, for each kind of network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qep_qiskit.config.preparation_section import PreparationScene
from qep_qiskit.continuous.grid_energies import GridEnergies
from qep_qiskit.continuous.grid_network import GridNetwork
from qep_qiskit.continuous.on_grid import OnGrid
from qep_qiskit.continuous.oscillator_layers import OscillatorProduct
from qep_qiskit.continuous.springs import SpringNetwork
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.preparation import AnnealingPreparation, ExactSearch, Preparation

if TYPE_CHECKING:
    from qep_qiskit.config.schema import Config


def build_preparation(scene: PreparationScene) -> Preparation:
    """Return the preparation of states.

    Raises:
        ConfigError: The preparation is for another kind of network, or keys contradict each other.
        ResourceError: The preparation does not fit in memory.
    """
    network, section = scene.hamiltonian.network, scene.config.preparation
    if isinstance(network, SpringNetwork):
        return _classical_equilibrium(scene.config, network)
    if not isinstance(network, GridNetwork):
        return section.build(scene)
    rows = scene.hamiltonian.free_coefficients(network.layout.initial(scene.seeds), scene.inputs)
    driver = OscillatorProduct.like(GridEnergies.of(network.grid, scene.hamiltonian.groups, rows))
    return OnGrid(preparation=section.build_on_grid(scene, driver), grid=network.grid)


def _classical_equilibrium(config: Config, network: SpringNetwork) -> Preparation:
    """Return the preparation of Gaussian ground states, or of the equilibrium of an elastic network."""
    section, own = config.preparation, config.network.own_preparation
    if section.kind not in ("exact", own):
        raise ConfigError(
            f"preparation.kind: network.kind = '{config.network.kind}' takes 'exact' or '{own}', got '{section.kind}': "
            "there are no circuits for it"
        )
    if section.target_level != 0:
        raise ConfigError(f"preparation.level: atoms have their ground state only, got {section.target_level}")
    if config.measurement.grouping == "qubit_wise":
        raise ConfigError("measurement.grouping: 'qubit_wise' goes with Pauli strings; use 'shared' or 'per_weight'")
    return config.network.classical_equilibrium(network, **(section.classical_equilibrium_options or {}))


def has_certain_outcomes(preparation: Preparation) -> bool:
    """Return whether states are classical spin configurations, for which every shot gives the same result."""
    return isinstance(preparation, ExactSearch | AnnealingPreparation)
