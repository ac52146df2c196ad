"""The device description of a local run: a snapshot from IBM's client, or the description of a live device.

A configuration that names a device is resolved before any object is built: the data that depend on the device's
calibration are written into it and stay the same for the whole run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from qiskit.providers import BackendV2
from qiskit.transpiler import Target

from qep_qiskit.config.execution import with_enough_qubits
from qep_qiskit.config.schema import Config
from qep_qiskit.config.section import keys
from qep_qiskit.core.errors import NEEDS_RUNTIME, ConfigError, ResourceError
from qep_qiskit.device.service import RemoteDevice
from qep_qiskit.execution.device_snapshot import description_of, device_of_description
from qep_qiskit.execution.on_device import fractional_device, is_fractional, offers_fractional_gates, plain_device


def resolved_config(config: Config) -> Config:
    """Return the configuration with all data that depend on a device.

    These are the calibration of a rehearsal and the graph of a native network.

    Raises:
        QepError: The device is not available.
    """
    with keys(config, "network", "execution"):
        config = _with_snapshot(config)
        return config.model_copy(update={"network": config.network.cut_from(partial(_target, config))})


def _with_snapshot(config: Config) -> Config:
    section = config.execution
    if not section.where.is_rehearsal:
        if section.snapshot is not None:
            raise ConfigError("execution.snapshot: goes with backend = 'rehearse:ibm_...' only; leave it out")
        return config
    if section.snapshot is not None:
        return config
    with _needing_the_client(section.backend):
        from qep_qiskit.device.ibm_login import device_snapshot

        snapshot = description_of(device_snapshot(section.where.device, section.instance))
    return config.model_copy(update={"execution": section.model_copy(update={"snapshot": snapshot})})


@contextmanager
def _needing_the_client(backend: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ConfigError(f"execution.backend: '{backend}' {NEEDS_RUNTIME}") from error


def _target(config: Config, num_qubits: int) -> Target:
    """Return the target of the device whose couplings form a native network."""
    section = config.execution
    if section.where.is_ibm:
        return live_device(config, num_qubits, fractional_gates=section.fractional_gates).backend.target
    if section.where.is_snapshot:
        return local_device(config, num_qubits).target
    if section.where.is_of_provider:
        return section.provider_device(num_qubits).target
    named = config.network.cut_from_device
    if named is not None:
        return _snapshot_of_network(named, num_qubits).target
    raise ConfigError(
        "network.graph: 'native' is cut from a device; expected network.device = 'fake_...', or execution.backend = "
        f"'fake_...', 'rehearse:ibm_...', 'ibm_...' or 'package.module:factory', got '{section.backend}'"
    )


def _snapshot_of_network(name: str, num_qubits: int) -> BackendV2:
    from qep_qiskit.execution import aer

    try:
        return plain_device(aer.fake_device(name, num_qubits))
    except (ConfigError, ResourceError) as error:
        raise type(error)(f"network.device{str(error).removeprefix('backend')}") from error


def live_device(config: Config, num_qubits: int, **options: Any) -> RemoteDevice:
    """Return a device of IBM's service.

    Args:
        config: The configuration.
        num_qubits: Number of qubits that are needed.
        options: More arguments of `IbmDevice`.

    Raises:
        ConfigError: qiskit-ibm-runtime is not installed.
        DeviceError: There is no account, no such instance or device, or no network.
        ResourceError: The device has too few qubits.
    """
    section = config.execution
    with _needing_the_client(section.backend):
        from qep_qiskit.device.ibm import IbmDevice
        from qep_qiskit.device.ibm_login import open_service

        service = open_service(section.instance)
        return IbmDevice(service, section.where.device, num_qubits=num_qubits, **options)


def local_device(config: Config, num_qubits: int) -> BackendV2:
    """Return the device that a local run simulates, with fractional gates if the configuration sets them.

    Raises:
        ConfigError: The device does not exist, or offers no fractional gates.
        ResourceError: The device has too few qubits.
    """
    section = config.execution
    device = whole_device(config, num_qubits)
    if not section.fractional_gates:
        return plain_device(device)
    if not (is_fractional(device) or offers_fractional_gates(device)):
        raise ConfigError(
            f"execution.fractional_gates: '{section.backend}' offers no rzz of any angle that works; leave it out, or "
            "use another backend"
        )
    return fractional_device(device)


def fractional_of(config: Config, whole: Callable[[], BackendV2]) -> BackendV2 | None:
    """Return the device with fractional gates if it offers them and the run does not use them, else None.

    Args:
        config: The resolved configuration.
        whole: Returns the device with all gates that it offers.
    """
    if config.execution.fractional_gates:
        return None
    device = whole()
    return fractional_device(device) if is_fractional(device) or offers_fractional_gates(device) else None


def whole_device(config: Config, num_qubits: int) -> BackendV2:
    """Return the device that `local_device` simulates, with all gates that it offers.

    Raises:
        ConfigError: The device does not exist.
        ResourceError: The device has too few qubits.
    """
    section = config.execution
    if section.snapshot is None:
        from qep_qiskit.execution import aer

        with keys(config, "execution"):
            return aer.fake_device(section.where.device, num_qubits)
    with keys(config, "execution"):
        device = device_of_description(section.snapshot)
    return with_enough_qubits(device, device.name, num_qubits)
