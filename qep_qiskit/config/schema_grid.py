"""Keys of the position grid of oscillators on qubits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from qep_qiskit.config.section import Section

__all__ = ["GridConfig"]


class GridConfig(Section):
    """Oscillators on qubits: every coordinate that moves is a register, positions are points in a box."""

    num_qubits: Annotated[int, Field(ge=2, le=10)] | Literal["auto"] = "auto"
    """Qubits of a coordinate. ``auto``: the fewest that leave 4.5 standard deviations to all sides, at the starting
    weights and for all samples."""
    box: Annotated[float, Field(gt=0)] | Literal["auto"] = "auto"
    """Length of the boxes. ``auto``: as far from the walls as from the largest momentum, coordinate by coordinate."""
    centre: float | Literal["auto"] = "auto"
    """Middle of the boxes. ``auto``: of where each coordinate is in all samples."""
