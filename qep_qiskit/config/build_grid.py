"""Oscillators on qubits: the grid of a configuration, and preparations on it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.config.schema_grid import GridConfig
from qep_qiskit.config.schema_preparation import AdiabaticConfig
from qep_qiskit.errors import ConfigError
from qep_qiskit.network import GridEnergies, GridNetwork, PositionGrid, SpringNetwork, spread_of
from qep_qiskit.nudge import NudgedHamiltonian
from qep_qiskit.preparation import (
    OscillatorProduct,
    SplitOperatorPreparation,
)
from qep_qiskit.seeds import Seeds
from qep_qiskit.tasks import Task

__all__ = ["build_grid_network", "grid_driver", "oscillator_ansatz", "split_operator"]

_OF_SPINS = ("driver_field", "driver_spread", "level")


def build_grid_network(section: GridConfig, atoms: SpringNetwork, task: Task, seeds: Seeds) -> GridNetwork:
    """Atoms on registers; what is automatic follows from the starting weights and all samples.

    Raises:
        NetworkError: No grid of ten qubits a coordinate would do, or springs have rest lengths.
    """
    inputs = np.concatenate([task.train.inputs, task.test.inputs]) if task.test is not None else task.train.inputs
    spread = spread_of(atoms, atoms.layout.initial(seeds), inputs)
    grid = PositionGrid.around(
        spread, num_qubits=_given(section.num_qubits), box=_given(section.box), centre=_given(section.centre)
    )
    return GridNetwork(atoms=atoms, grid=grid)


def _given(value: float | str) -> float | None:
    return None if isinstance(value, str) else value


def grid_driver(
    hamiltonian: NudgedHamiltonian, weights: NDArray, inputs: NDArray, stiffness: float | str
) -> OscillatorProduct:
    """The independent oscillators that circuits start from.

    Args:
        hamiltonian: On a grid.
        weights: Shape (weights,), starting values.
        inputs: Shape (samples, inputs).
        stiffness: Of all of them, or ``"auto"``: as wide as the ground states at the starting weights.
    """
    network = hamiltonian.network
    assert isinstance(network, GridNetwork)
    rows = hamiltonian.free_coefficients(weights, inputs)
    driver = OscillatorProduct.like(GridEnergies.of(network.grid, hamiltonian.groups, rows))
    if isinstance(stiffness, str):
        return driver
    return OscillatorProduct(
        grid=driver.grid, stiffness=(stiffness,) * driver.grid.num_coordinates, kinetic=driver.kinetic
    )


def split_operator(section: AdiabaticConfig, driver: OscillatorProduct) -> SplitOperatorPreparation:
    """The ramp of a configuration.

    Raises:
        ConfigError: A key is one of spins.
    """
    for key in _OF_SPINS:
        if getattr(section, key) != type(section).model_fields[key].default:
            raise ConfigError(
                f"preparation.{key}: is for spins; oscillators on a grid are driven by preparation.driver_stiffness "
                "and reach their ground state; leave it out"
            )
    return SplitOperatorPreparation(
        driver=driver,
        total_time=section.total_time,
        steps=section.steps,
        order=section.order,
        ramp=section.ramp,
        start=section.start,
    )
