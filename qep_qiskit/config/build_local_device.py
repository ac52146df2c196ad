"""The device whose description a run works with: a snapshot that comes with IBM's client, or a live device's own.

A configuration that names a device is settled before anything is built from it: what depends on the device's
calibration is written into it, and stays there for as long as the run lives.
"""

from __future__ import annotations

from typing import TypeGuard

from qiskit.providers import BackendV2

from qep_qiskit.config.build_ising import graph_size
from qep_qiskit.config.schema import Config
from qep_qiskit.config.schema_network import IsingConfig, NetworkConfig
from qep_qiskit.errors import ConfigError
from qep_qiskit.execution.native import native_couplings, native_qubits

__all__ = ["is_native", "layout_of", "local_device", "settled"]


def settled(config: Config) -> Config:
    """The configuration with everything in it that is taken from a device: the graph of a native network.

    Raises:
        QepError: The device cannot be had.
    """
    return _with_native_graph(config)


def is_native(section: NetworkConfig) -> TypeGuard[IsingConfig]:
    """Whether the graph is cut from the device."""
    return isinstance(section, IsingConfig) and section.graph == "native"


def layout_of(config: Config) -> tuple[int, ...] | None:
    """The device's qubits under a native network, spin after spin; None where they are free to choose."""
    section = config.network
    return tuple(section.qubits or ()) if is_native(section) else None


def _with_native_graph(config: Config) -> Config:
    section = config.network
    if not is_native(section) or section.edges is not None:
        return config
    size = graph_size(section)
    if not config.execution.backend.startswith("fake_"):
        raise ConfigError(
            "network.graph: 'native' is cut from a device; expected execution.backend = 'fake_...', "
            f"'rehearse:ibm_...' or 'ibm_...', got '{config.execution.backend}'"
        )
    if section.qubits is not None and len(set(section.qubits)) != size:
        raise ConfigError(f"network.qubits: a qubit is named twice in {section.qubits}; keep one")
    target = local_device(config, size).target
    qubits = list(section.qubits or native_qubits(target, size))
    edges = [list(edge) for edge in native_couplings(target, qubits)]
    cut = section.model_copy(update={"num_spins": None, "qubits": qubits, "edges": edges})
    return config.model_copy(update={"network": cut})


def local_device(config: Config, num_qubits: int) -> BackendV2:
    """The device that a run on this machine simulates.

    Raises:
        ConfigError: It is not there.
        ResourceError: It is too small.
    """
    from qep_qiskit.execution import aer

    return aer.fake_device(config.execution.backend, num_qubits)
