"""Construction of the executor of a configuration, with its error mitigation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qep_qiskit.config.backend import EXECUTORS
from qep_qiskit.config.local_device import live_device, local_device
from qep_qiskit.config.named import called
from qep_qiskit.config.schema import Config
from qep_qiskit.continuous.executor import CoordinateExecutor
from qep_qiskit.core.errors import ConfigError, NoLedgerWarning
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.core.warning_log import warn
from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.device.remote import Pace, RemoteExecutor
from qep_qiskit.device.retries import RetryPolicy
from qep_qiskit.device.service import RemoteDevice
from qep_qiskit.evolution.density_matrices import DecoherenceRates
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
from qep_qiskit.execution.decoherence import DecoherenceExecutor, require_narrow

_OPTIMIZATION = 3


def build_executor(config: Config, seeds: Seeds, num_qubits: int) -> Executor:
    """Return the executor of a run. Aer is imported only if it is used.

    Raises:
        ConfigError: Keys contradict each other, or name something that does not exist.
        ResourceError: The device has too few qubits.
    """
    section = config.execution
    where = section.where
    _refuse_contradictions(config)
    section.sampler_options()
    if config.network.is_in_space:
        return CoordinateExecutor(seeds)
    if config.preparation.has_known_states:
        return VectorExecutor(seeds)
    if where.kind == "statevector":
        return StatevectorExecutor(seeds, precision=section.precision)
    if where.kind == "mps":
        return section.matrix_products(seeds)
    if section.is_remote:
        _require_shots(config, num_qubits)
        return _OnlyWithLedger(section.backend)
    if where.is_of_provider:
        return _provider_executor(config, seeds, num_qubits)
    if where.is_own_executor:
        return _own_executor(config, seeds)
    if section.decoherence is not None:
        return _decoherence_executor(config, section.decoherence, seeds, num_qubits)
    from qep_qiskit.execution import aer

    aer.require_device(section.device)
    if section.has_vectors:
        return aer.AerExecutor(seeds, device=section.device, precision=section.precision)
    _require_shots(config, num_qubits)
    if where.is_snapshot:
        return aer.device_executor(
            local_device(config, num_qubits),
            seeds,
            measured_circuits=section.measured_circuits,
            layout=config.network.device_qubits,
            options=section.sampler_options(),
        )
    noise = None if section.noise is None else aer.depolarizing_noise(**section.noise.of_gates)
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


def _decoherence_executor(
    config: Config, rates: DecoherenceRates, seeds: Seeds, num_qubits: int
) -> DecoherenceExecutor:
    """Return the executor of ramps with dephasing and relaxation."""
    if config.preparation.kind == "variational" or config.network.is_on_grid:
        what = "oscillators on a grid" if config.network.is_on_grid else f"'{config.preparation.kind}' states"
        raise ConfigError(
            "execution.noise: dephasing_rate and relaxation_rate are per unit of the time of a ramp of spins; expected "
            f"preparation.kind = 'adiabatic' of spins, got {what}; use one_qubit and two_qubit"
        )
    require_narrow(num_qubits)
    return DecoherenceExecutor(seeds, rates)


def _provider_executor(config: Config, seeds: Seeds, num_qubits: int) -> SamplerExecutor:
    """Return the executor of a backend whose jobs cannot be retrieved by id: simulators, and some providers."""
    _require_shots(config, num_qubits)
    device = config.execution.provider_device(num_qubits)
    _warn_of_no_ledger(config)
    place = transpile_on(device, seeds, _OPTIMIZATION, config.network.device_qubits)
    return SamplerExecutor(device, seeds, optimization_level=_OPTIMIZATION, place=place)


def _warn_of_no_ledger(config: Config) -> None:
    warn(
        NoLedgerWarning,
        "execution.backend: jobs of this backend cannot be retrieved by id, so there is no ledger: what is under way "
        "when a run is killed is measured, and paid, again",
        detail=config.execution.backend,
    )


def _own_executor(config: Config, seeds: Seeds) -> Executor:
    """Return one of `EXECUTORS`.

    It raises an error itself for requests it does not support, such as exact expectations.
    """
    section = config.execution
    made = called(EXECUTORS.find(section.backend), section.backend, "executor", seeds, **section.backend_options)
    if not all(callable(getattr(made, method, None)) for method in ("submit", "collect")):
        raise ConfigError(
            f"execution.backend: expected '{section.backend}' to make an executor, with submit and collect, got "
            f"{type(made).__name__}"
        )
    _warn_of_no_ledger(config)
    return made


def build_device(config: Config, num_qubits: int) -> RemoteDevice:
    """Log in and return the device of a configuration.

    Raises:
        ConfigError: qiskit-ibm-runtime is not installed, or the backend of a provider cannot be made.
        DeviceError: There is no account, no such instance, or no network.
        ResourceError: A provider's device has too few qubits; a device of IBM is read later.
    """
    section = config.execution
    if section.where.is_of_provider:
        remote = section.provider_remote()
        assert remote is not None
        return remote
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


def _refuse_contradictions(config: Config) -> None:
    section, where = config.execution, config.execution.where
    section.refuse_contradictions()
    if where.anneals and not config.preparation.anneals:
        raise ConfigError(
            f"execution.backend: '{section.backend}' anneals classical spins; set preparation.kind = 'annealer' and "
            f"network.kind = 'classical_ising', got preparation.kind = '{config.preparation.kind}'"
        )
    if config.runs_circuits and where.kind != "aer":
        ignored = ["method", "device"] + (["measured_circuits"] if not where.is_snapshot else [])
        section.refuse_given(ignored, f"does not go with backend = '{section.backend}'")
    if not config.runs_circuits:
        section.refuse_given(["precision"], f"goes with circuits; {config.preparation.kind} states are always double")
    if config.runs_circuits or section.is_ideal or where.anneals:
        return
    if config.network.is_in_space:
        raise ConfigError(
            f"execution.backend: network.kind = '{config.network.kind}' runs no circuits, so a backend (got "
            f"'{section.backend}') and noise have no meaning; leave the section out"
        )
    raise ConfigError(
        f"execution: {config.preparation.kind} states are sampled without circuits, so a noisy backend has no "
        "meaning; use preparation.kind = 'adiabatic'"
    )
