"""Keys of the position grid of oscillators on qubits."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from qep_qiskit.config.section import Section
from qep_qiskit.continuous.grid_energies import check_grid
from qep_qiskit.continuous.grid_network import GridNetwork
from qep_qiskit.continuous.oscillators import variance_of
from qep_qiskit.continuous.position_grid import FEWEST_QUBITS, MOST_QUBITS, PositionGrid
from qep_qiskit.continuous.springs import SpringNetwork
from qep_qiskit.core.limits import Positive
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.tasks import Task


class GridConfig(Section):
    """Oscillators on qubits: every moving coordinate is a register, and its positions are grid points in a box."""

    num_qubits: Annotated[int, Field(ge=FEWEST_QUBITS, le=MOST_QUBITS)] | Literal["auto"] = "auto"
    """Qubits of a coordinate. ``auto``: the smallest number with a margin of 4.5 standard deviations on all sides, at
    the initial weights and for all samples."""
    box: Positive | Literal["auto"] = "auto"
    """Length of the boxes. ``auto``: for each coordinate the length with equal margins, in standard deviations, in
    position and in momentum."""
    centre: float | Literal["auto"] = "auto"
    """Centre of the boxes. ``auto``: for each coordinate the middle of the range of its mean positions over all
    samples."""

    def build(self, atoms: SpringNetwork, task: Task, seeds: Seeds) -> GridNetwork:
        """Return the network of oscillators on qubit registers.

        Automatic values follow from the initial weights and all samples.

        Raises:
            NetworkError: Ten qubits per coordinate do not suffice, or springs have rest lengths.
        """
        inputs = task.train.inputs if task.test is None else np.concatenate([task.train.inputs, task.test.inputs])
        variance = variance_of(atoms, atoms.layout.initial(seeds), inputs)
        layout = atoms.coordinate_layout
        grid = PositionGrid.around(
            variance,
            names=[layout.name(coordinate) for coordinate in layout.moving_coordinates],
            **{key: value for key, value in self.model_dump().items() if value != "auto"},
        )
        check_grid(grid, variance)
        return GridNetwork(atoms=atoms, grid=grid)
