"""Keys that every block of weights has."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from qep_qiskit.config.section import Section

__all__ = ["StartConfig"]


class StartConfig(Section):
    """Starting values and constraints of a block of weights."""

    init: Literal["constant", "uniform", "normal"] | None = None
    """Distribution the weights are drawn from."""
    mean: float | None = None
    """Value of ``constant``, mean of ``normal``."""
    std: float | None = Field(default=None, ge=0)
    """Standard deviation of ``normal``."""
    low: float | None = None
    """Lower end of ``uniform``."""
    high: float | None = None
    """Upper end of ``uniform``."""
    values: list[float] | dict[str, float] | None = None
    """Explicit values: a list for the whole block, or a table by weight name."""
    frozen: bool | list[str] | None = None
    """Whether the block trains, or the names of the weights that do not."""
    min: float | None = None
    """Lower bound."""
    max: float | None = None
    """Upper bound."""
