"""Preparations on position grids, with a check that the states fit the grid."""

from __future__ import annotations

from dataclasses import dataclass

from qep_qiskit.continuous.grid_energies import GridEnergies, check_grid
from qep_qiskit.continuous.position_grid import PositionGrid
from qep_qiskit.core.errors import NetworkError, NudgeError
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.measurement import MeasurementCoroutine
from qep_qiskit.preparation.interface import HamiltonianFamily, Preparation, PreparationResult, WarmStart


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class OnGrid:
    """A preparation that rejects states near the boundaries of their boxes, or not resolved by the grid.

    Args:
        preparation: The preparation of the states.
        grid: The registers.
    """

    preparation: Preparation
    grid: PositionGrid

    def prepare(
        self, family: HamiltonianFamily, start: WarmStart
    ) -> MeasurementCoroutine[PreparationResult] | PreparationResult:
        """Check the Gaussian ground states of all samples and phases, then prepare the states.

        Raises:
            NetworkError: A free state does not fit the grid, or an energy has no minimum.
            NudgeError: Free states fit, but a nudged one does not.
        """
        check_grid(self.grid, GridEnergies.of(self.grid, family.paulis, family.free).gaussian_widths())
        nudged = GridEnergies.of(self.grid, family.paulis, family.rows()).gaussian_widths()
        try:
            check_grid(self.grid, nudged)
        except NetworkError as error:
            raise NudgeError(str(error)) from None
        return self.preparation.prepare(family, start)
