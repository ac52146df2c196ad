"""Construction of the executor of a configuration, with its error mitigation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qep_qiskit.config.backend import EXECUTORS
from qep_qiskit.config.local_device import live_device, local_device
from qep_qiskit.config.schema import Config
from qep_qiskit.config.section import keys
from qep_qiskit.continuous.executor import CoordinateExecutor
from qep_qiskit.core.errors import ConfigError, NoLedgerWarning
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.core.warning_log import warn
from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.device.provider import ProviderDevice
from qep_qiskit.device.remote import Pace, RemoteExecutor
from qep_qiskit.device.retries import RetryPolicy
from qep_qiskit.device.service import RemoteDevice
from qep_qiskit.execution import (
    Executor,
    JobHandle,
    Request,
    SamplerExecutor,
    ShotData,
    StatevectorExecutor,
    VectorExecutor,
)
from qep_qiskit.execution.circuits import transpile_on

_OPTIMIZATION = 3


def build_executor(config: Config, seeds: Seeds, num_qubits: int) -> Executor:
    """Return the executor of a run. Aer is imported only if it is used.

    Args:
        config: The configuration.
        seeds: Root of the random streams.
        num_qubits: Number of qubits of the network.

    Raises:
        ConfigError: Keys contradict each other, or name something that does not exist.
        ResourceError: The device has too few qubits.
    """
    section = config.execution
    where = section.where
    _refuse_contradictions(config)
    config.execution.sampler_options()
    if config.network.is_in_space:
        return CoordinateExecutor(seeds)
    if config.preparation.has_known_states:
        return VectorExecutor(seeds)
    if where.kind == "statevector":
        return StatevectorExecutor(seeds)
    if section.is_remote:
        _require_shots(config, num_qubits)
        return _OnlyWithLedger(section.backend)
    if where.is_of_provider:
        return _provider_executor(config, seeds, num_qubits)
    if where.is_own_executor:
        return _own_executor(config, seeds)
    from qep_qiskit.execution import aer

    with keys(config, "execution"):
        aer.require_device(section.device)
    if section.has_vectors:
        return aer.AerExecutor(seeds, device=section.device)
    _require_shots(config, num_qubits)
    if where.is_snapshot:
        return aer.device_executor(
            local_device(config, num_qubits),
            seeds,
            measured_circuits=section.measured_circuits,
            layout=config.network.device_qubits,
            options=config.execution.sampler_options(),
        )
    noise = None if section.noise is None else aer.depolarizing_noise(**section.noise.model_dump())
    if noise is not None and section.has_distributions(num_qubits):
        return aer.aer_noisy_executor(seeds, noise_model=noise, device=section.device)
    return aer.aer_sampler_executor(
        seeds,
        noise_model=noise,
        method=section.method,
        device=section.device,
        max_bond_dimension=section.max_bond_dimension,
    )


def _require_shots(config: Config, num_qubits: int) -> None:
    """Check that there are shots where the executor has no exact expectations."""
    if config.measurement.batch_shots is None:
        config.execution.require_exact("measurement.shots", num_qubits)


def _provider_executor(config: Config, seeds: Seeds, num_qubits: int) -> SamplerExecutor:
    """Return the executor of a backend whose jobs cannot be retrieved by id: simulators, and some providers."""
    _require_shots(config, num_qubits)
    device = config.execution.provider_device(num_qubits)
    warn(
        NoLedgerWarning,
        "execution.backend: jobs of this backend cannot be retrieved by id, so there is no ledger: what is under way "
        "when a run is killed is measured, and paid, again",
        detail=config.execution.backend,
    )
    place = transpile_on(device, seeds, _OPTIMIZATION, config.network.device_qubits)
    return SamplerExecutor(device, seeds, optimization_level=_OPTIMIZATION, place=place)


def _own_executor(config: Config, seeds: Seeds) -> Executor:
    """Return one of `EXECUTORS`.

    It raises an error itself for requests it does not support, such as exact expectations.
    """
    section = config.execution
    try:
        made = EXECUTORS.find(section.backend)(seeds, **section.backend_options)
    except Exception as error:  # a vendor may raise anything
        raise ConfigError(
            f"execution.backend: '{section.backend}' made no executor ({type(error).__name__}: "
            f"{' '.join(str(error).split())}); its arguments are the keys of execution.backend_options"
        ) from error
    if not all(callable(getattr(made, method, None)) for method in ("submit", "collect")):
        raise ConfigError(
            f"execution.backend: expected '{section.backend}' to make an executor, with submit and collect, got "
            f"{type(made).__name__}"
        )
    return made


def build_device(config: Config, num_qubits: int) -> RemoteDevice:
    """Log in and return the device of a configuration.

    Args:
        config: The configuration.
        num_qubits: Number of qubits that are needed.

    Raises:
        ConfigError: qiskit-ibm-runtime is not installed, or the backend of a provider cannot be made.
        DeviceError: There is no account, no such instance, or no network.
        ResourceError: A provider's device has too few qubits; a device of IBM is read later.
    """
    section = config.execution
    if section.where.is_of_provider:
        return ProviderDevice(config.execution.provider_device(num_qubits), section.backend)
    return live_device(
        config,
        num_qubits,
        mode=section.mode,
        most_seconds=section.max_qpu_seconds,
        rep_delay=section.rep_delay,
        fractional_gates=section.fractional_gates,
    )


def build_retry_policy(config: Config, pace: Pace | None = None) -> RetryPolicy:
    """Return how often and how long to retry calls of a service.

    Args:
        config: The configuration.
        pace: How far this process submits and waits; to the end of the run by default.
    """
    return RetryPolicy(wait=config.execution.wait_seconds if pace is None or pace.waits else 0.0)


def build_remote_executor(
    config: Config,
    seeds: Seeds,
    device: RemoteDevice,
    ledger: JobLedger,
    pace: Pace | None = None,
    max_qpu_seconds: float | None = None,
    **more: Any,
) -> RemoteExecutor:
    """Return the executor of a run on a device.

    Args:
        config: The configuration of the run.
        seeds: Root of the random streams of the run.
        device: The device.
        ledger: The ledger of the run's jobs.
        pace: How far this process submits and waits; to the end of the run by default.
        max_qpu_seconds: Limit on the QPU seconds of all jobs in the ledger; by default that of the configuration.
        more: More arguments of `RemoteExecutor`.
    """
    return RemoteExecutor(
        device,
        seeds,
        ledger,
        retries=build_retry_policy(config, pace),
        pace=pace,
        max_qpu_seconds=config.execution.max_qpu_seconds if max_qpu_seconds is None else max_qpu_seconds,
        layout=config.network.device_qubits,
        options=config.execution.sampler_options(),
        **more,
    )


@dataclass(frozen=True, slots=True)
class _OnlyWithLedger:
    """Executor for a device without a ledger, where jobs could be lost; it refuses every request."""

    backend: str

    def submit(self, request: Request) -> JobHandle:
        """Refuse the request.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(
            f"execution.backend: '{self.backend}' needs the folder of a run, which keeps its jobs: 'qep train' or 'qep "
            "submit' makes one, and 'gradient' and 'predict' take it; use backend = 'fake_...' here"
        )

    def collect(self, job_handle: JobHandle) -> ShotData:
        """Refuse to collect, because no request was sent."""
        raise NotImplementedError


def _refuse(key: str, why: str) -> None:
    raise ConfigError(f"execution.{key}: {why}")


def _refuse_contradictions(config: Config) -> None:
    section = config.execution
    if section.max_bond_dimension is not None and section.method != "matrix_product_state":
        _refuse(
            "max_bond_dimension",
            f"goes with method = 'matrix_product_state' only, got method = '{section.method}'; leave it out",
        )
    where = section.where
    if section.backend_options and not (where.is_of_provider or where.is_own_executor):
        _refuse(
            "backend_options",
            "goes with backend = 'package.module:factory', or an executor of a plug-in, only, got "
            f"'{section.backend}'; leave it out",
        )
    if section.instance is not None and not (where.is_ibm or where.is_rehearsal):
        _refuse("instance", f"goes with backend = 'ibm_...' only, got '{section.backend}'; leave it out")
    if section.wait_seconds is not None and not section.is_remote:
        _refuse("wait_seconds", f"goes with a device behind a service only, got '{section.backend}'; leave it out")
    if section.mode != "job" and not where.is_ibm:
        _refuse("mode", f"goes with backend = 'ibm_...' only, got '{section.backend}'; leave it out")
    if section.rep_delay is not None and not where.is_device:
        _refuse("rep_delay", f"goes with a device only, got '{section.backend}'; leave it out")
    if section.fractional_gates and not where.is_device:
        _refuse("fractional_gates", f"goes with a device only, got backend = '{section.backend}'; leave it out")
    if where.kind != "aer" and section.noise is not None:
        why = "is ideal" if where.kind == "statevector" else "brings the noise of its device"
        _refuse("noise", f"'{section.backend}' {why}; leave it out, or use backend = 'aer'")
    if config.network.is_in_space:
        _refuse_devices_for_atoms(config)
    elif config.preparation.has_known_states:
        _refuse_noise_on_exact(config)
    elif where.kind != "aer":
        _refuse_options_of_aer(config)


def _refuse_options_of_aer(config: Config) -> None:
    backend, section = config.execution.backend, config.execution
    keys = ["method", "device"] + (["measured_circuits"] if not section.where.is_snapshot else [])
    for key in keys:
        default: Any = type(section).model_fields[key].default
        if getattr(section, key) != default:
            _refuse(key, f"does not go with backend = '{backend}'; leave it out")


def _refuse_noise_on_exact(config: Config) -> None:
    if not config.execution.is_ideal:
        raise ConfigError(
            f"execution: {config.preparation.kind} states are sampled without circuits, so a noisy backend has no "
            "meaning; use preparation.kind = 'adiabatic'"
        )


def _refuse_devices_for_atoms(config: Config) -> None:
    if not config.execution.is_ideal:
        raise ConfigError(
            f"execution.backend: network.kind = '{config.network.kind}' runs no circuits, so a backend (got "
            f"'{config.execution.backend}') and noise have no meaning; leave the section out"
        )
