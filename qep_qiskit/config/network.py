"""The kinds of networks."""

from __future__ import annotations

from typing import Annotated

from qep_qiskit.config.ising import ClassicalIsingConfig, IsingConfig
from qep_qiskit.config.kinds import OneOf, section_registry
from qep_qiskit.config.network_section import NetworkSection
from qep_qiskit.config.own_network import OwnNetwork
from qep_qiskit.config.pauli import PauliConfig
from qep_qiskit.config.springs import ElasticConfig, OscillatorsConfig

NETWORKS = section_registry(
    "networks",
    NetworkSection,
    IsingConfig,
    ClassicalIsingConfig,
    PauliConfig,
    OscillatorsConfig,
    ElasticConfig,
    OwnNetwork,
)
"""Kinds of networks."""

NetworkConfig = Annotated[NetworkSection, OneOf(NETWORKS, default="ising")]
