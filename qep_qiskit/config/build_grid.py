"""Oscillators on qubits: the grid of a configuration, and preparations on it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.config.build_variational import build_variational
from qep_qiskit.config.schema import Config
from qep_qiskit.config.schema_grid import GridConfig
from qep_qiskit.config.schema_preparation import AdiabaticConfig, ExactConfig, HamiltonianAnsatz, VariationalConfig
from qep_qiskit.errors import ConfigError
from qep_qiskit.network import GridEnergies, GridNetwork, PositionGrid, SpringNetwork, check_grid, spread_of
from qep_qiskit.nudge import NudgedHamiltonian
from qep_qiskit.preparation import (
    ExactPreparation,
    OnGrid,
    OscillatorProduct,
    OscillatorVariational,
    Preparation,
    SplitOperatorPreparation,
)
from qep_qiskit.seeds import Seeds
from qep_qiskit.tasks import Task

__all__ = ["build_grid_network", "build_on_grid", "refuse_keys_of_oscillators"]

_OF_SPINS = ("driver_field", "driver_spread", "level")
_OF_OSCILLATORS = ("driver_stiffness", "start")


def build_grid_network(section: GridConfig, atoms: SpringNetwork, task: Task, seeds: Seeds) -> GridNetwork:
    """Atoms on registers; what is automatic follows from the starting weights and all samples.

    Raises:
        NetworkError: No grid of ten qubits a coordinate would do, or springs have rest lengths.
    """
    inputs = task.train.inputs if task.test is None else np.concatenate([task.train.inputs, task.test.inputs])
    spread = spread_of(atoms, atoms.layout.initial(seeds), inputs)
    grid = PositionGrid.around(
        spread,
        names=[atoms.frame.name(coordinate) for coordinate in atoms.frame.moving_coordinates],
        num_qubits=None if section.num_qubits == "auto" else section.num_qubits,
        box=None if section.box == "auto" else section.box,
        centre=None if section.centre == "auto" else section.centre,
    )
    check_grid(grid, spread)
    return GridNetwork(atoms=atoms, grid=grid)


def build_on_grid(
    config: Config, hamiltonian: NudgedHamiltonian, network: GridNetwork, inputs: NDArray, seeds: Seeds
) -> Preparation:
    """How states of oscillators on registers are reached; every state is checked against the grid.

    Args:
        config: The configuration.
        hamiltonian: Network and cost.
        network: The network.
        inputs: Shape (samples, inputs), of the training samples: the driver is like their ground states.
        seeds: Root of the random streams.

    Raises:
        ConfigError: A key is one of spins, or does not go with the others.
    """
    section = config.preparation
    rows = hamiltonian.free_coefficients(network.layout.initial(seeds), inputs)
    driver = OscillatorProduct.like(GridEnergies.of(network.grid, hamiltonian.groups, rows))
    if isinstance(section, AdiabaticConfig):
        found: Preparation = _split_operator(section, driver)
    elif isinstance(section, VariationalConfig):
        found = build_variational(config, section, hamiltonian, seeds)
        if isinstance(section.ansatz, HamiltonianAnsatz):
            found = replace(found, ansatz=OscillatorVariational(driver, section.ansatz.depth))
    elif not isinstance(section, ExactConfig):
        raise ConfigError(
            f"preparation.kind: '{section.kind}' is for spins; oscillators on a grid take 'exact', 'adiabatic' or "
            "'variational'"
        )
    else:
        assert isinstance(section, ExactConfig)
        found = ExactPreparation(level=section.level, solver=section.solver, tolerance=section.tolerance)
        found.check_level(hamiltonian.num_qubits)
    return OnGrid(preparation=found, grid=network.grid)


def _split_operator(section: AdiabaticConfig, driver: OscillatorProduct) -> SplitOperatorPreparation:
    """The ramp of a configuration."""
    hint = "oscillators on a grid have preparation.driver_stiffness, and reach their ground state"
    _refuse(section, _OF_SPINS, f"is for spins; {hint}")
    if section.driver_stiffness != "auto":
        driver = replace(driver, stiffness=(section.driver_stiffness,) * driver.grid.num_coordinates)
    return SplitOperatorPreparation(
        driver=driver,
        total_time=section.total_time,
        steps=section.steps,
        order=section.order,
        ramp=section.ramp,
        start=section.start,
    )


def refuse_keys_of_oscillators(section: AdiabaticConfig) -> None:
    """Keys that do nothing for spins.

    Raises:
        ConfigError: One is given.
    """
    _refuse(section, _OF_OSCILLATORS, "is for oscillators on a grid")


def _refuse(section: AdiabaticConfig, keys: tuple[str, ...], why: str) -> None:
    for key in keys:
        if getattr(section, key) != type(section).model_fields[key].default:
            raise ConfigError(f"preparation.{key}: {why}; leave it out")
