"""The network section of a configuration: one of several kinds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Tag

from qep_qiskit.config.schema_network import ClassicalIsingConfig, IsingConfig, PauliConfig
from qep_qiskit.config.schema_oscillators import OscillatorsConfig

__all__ = ["NetworkConfig"]


def _kind(section: Any) -> str:
    """The tag of a network section; without one it is the Ising network."""
    given = section.get("kind", "ising") if isinstance(section, Mapping) else getattr(section, "kind", "ising")
    return str(given)


NetworkConfig = Annotated[
    Annotated[IsingConfig, Tag("ising")]
    | Annotated[ClassicalIsingConfig, Tag("classical_ising")]
    | Annotated[PauliConfig, Tag("pauli")]
    | Annotated[OscillatorsConfig, Tag("oscillators")],
    Discriminator(_kind),
]
