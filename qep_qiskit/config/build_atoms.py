"""How atoms in space are prepared and read, by a configuration."""

from __future__ import annotations

from qep_qiskit.config.build_executor import is_of_atoms
from qep_qiskit.config.schema import Config
from qep_qiskit.config.schema_preparation import EquilibriumConfig
from qep_qiskit.errors import ConfigError, NoShotsWarning
from qep_qiskit.memory import require_bytes
from qep_qiskit.network import SpringNetwork
from qep_qiskit.preparation import EquilibriumPreparation, GaussianPreparation, Preparation
from qep_qiskit.warning_log import warn

__all__ = ["build_atoms_at_rest", "shots_of"]

_MATRICES = 8  # stiffness, modes, and what diagonalisation needs, for the free phase and two nudged ones


def build_atoms_at_rest(config: Config, network: SpringNetwork) -> Preparation:
    """The Gaussian ground state of oscillators, or the equilibrium of an elastic network.

    Raises:
        ConfigError: The preparation is for another network, or keys do not go with atoms.
        ResourceError: The stiffness does not fit in memory.
    """
    kind, section = config.network.kind, config.preparation
    own = "gaussian" if kind == "oscillators" else "equilibrium"
    if section.kind not in ("exact", own):
        raise ConfigError(
            f"preparation.kind: network.kind = '{kind}' takes 'exact' or '{own}', got '{section.kind}': there are no "
            "circuits for it"
        )
    level = getattr(section, "level", 0)
    if level != 0:
        raise ConfigError(f"preparation.level: atoms have their ground state only, got {level}")
    if config.measurement.grouping == "qubit_wise":
        raise ConfigError("measurement.grouping: 'qubit_wise' goes with Pauli words; use 'shared' or 'per_weight'")
    if kind == "oscillators":
        size = len(network.frame.moving_coordinates)
        require_bytes(_MATRICES * 8 * size**2, f"normal modes of {size} coordinates")
        return GaussianPreparation(hbar=network.hbar)
    assert network.places is not None
    if isinstance(section, EquilibriumConfig):
        return EquilibriumPreparation(
            places=network.places, critical_point=section.critical_point, tolerance=section.tolerance
        )
    return EquilibriumPreparation(places=network.places)


def shots_of(config: Config) -> int | None:
    """Shots per batch, None for exact expectations, which is what atoms at rest have."""
    section = config.measurement
    if is_of_atoms(config) and config.network.kind == "elastic":
        if section.adaptive is not None or section.allocation == "optimal":
            key = "adaptive" if section.adaptive is not None else "allocation"
            raise ConfigError(f"measurement.{key}: an elastic network is at rest and has no shot noise; leave it out")
        if "shots" in section.model_fields_set and section.shots != "exact":
            warn(
                NoShotsWarning,
                "measurement.shots: an elastic network is at rest and has no shot noise; shots do not apply",
            )
        return None
    return None if section.shots == "exact" else section.shots
