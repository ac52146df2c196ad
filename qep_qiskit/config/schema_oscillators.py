"""Keys of networks of oscillators: atoms and springs on a line."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from qep_qiskit.config.schema_grid import GridConfig
from qep_qiskit.config.schema_network import Pair, StartConfig
from qep_qiskit.config.section import Section

__all__ = ["AnchorsConfig", "ForcesConfig", "OscillatorsConfig"]


class AnchorsConfig(StartConfig):
    """Springs a to the places of atoms."""

    atoms: list[Annotated[int, Field(ge=0)]] = Field(default=[])
    """Anchored atoms."""


class ForcesConfig(StartConfig):
    """Constant forces f."""

    enabled: bool = False
    """True gives every atom that moves a force."""


class OscillatorsConfig(Section):
    """Quantum harmonic oscillators: atoms, springs, clamped atoms that inputs displace."""

    kind: Literal["oscillators"]
    graph: Literal["edges"] = "edges"
    """Springs are a list of edges."""
    num_atoms: int = Field(ge=1)
    """Number of atoms, clamped ones included."""
    edges: list[Pair]
    """Springs, as pairs of atoms."""
    clamped: list[Annotated[int, Field(ge=0)]] = Field(default=[])
    """Atoms that are held; the inputs displace them, in this order."""
    outputs: list[Annotated[int, Field(ge=0)]]
    """Atoms whose positions are the outputs."""
    springs: StartConfig = StartConfig()
    """k, one per spring; 1 by default, and at least 0.001."""
    anchors: AnchorsConfig = AnchorsConfig()
    """a, one per anchored atom; 0.5 by default."""
    forces: ForcesConfig = ForcesConfig()
    """f, one per atom that moves."""
    masses: StartConfig = StartConfig()
    """m, one per atom that moves; 1 and frozen by default."""
    hbar: float = Field(default=1.0, gt=0)
    """Planck's constant over 2 pi."""
    grid: GridConfig | None = None
    """Oscillators on qubits, for circuits and exact vectors; left out for `preparation.kind = "gaussian"`."""
