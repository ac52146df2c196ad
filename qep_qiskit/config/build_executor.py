"""Where the requests of a configuration run, and what is done about errors there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qep_qiskit.config.backend import EXECUTORS
from qep_qiskit.config.build_local_device import live_device, local_device
from qep_qiskit.config.section import keys, parsed_shots
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
from qep_qiskit.execution.noisy import MOST_QUBITS
from qep_qiskit.execution.sampler_options import SamplerOptions
from qep_qiskit.measurement import Extrapolation, ReadoutMitigation

if TYPE_CHECKING:
    from qep_qiskit.config.schema import Config


_OPTIMIZATION = 3
_RANDOMIZATIONS, _CALIBRATE_EVERY = 128, 5


def build_executor(config: Config, seeds: Seeds, num_qubits: int) -> Executor:
    """Where requests run; Aer is imported only when it is needed.

    Raises:
        ConfigError: Keys contradict each other, or name what is not there.
        ResourceError: The device is too small.
    """
    section = config.execution
    where = section.where
    _refuse_contradictions(config)
    build_sampler_options(config)
    if config.network.is_in_space:
        return CoordinateExecutor(seeds)
    if config.preparation.has_known_states:
        return VectorExecutor(seeds)
    if where.kind == "statevector":
        return StatevectorExecutor(seeds)
    if section.is_remote:
        if config.measurement.batch_shots is None:
            require_exact(config, num_qubits, "measurement.shots")
        return _OnlyWithLedger(section.backend)
    if where.is_of_provider:
        return _provider_executor(config, seeds, num_qubits)
    if where.is_own_executor:
        return _own_executor(config, seeds)
    from qep_qiskit.execution import aer

    with keys(config, "execution"):
        aer.require_device(section.device)
    if _has_vectors(config):
        return aer.AerExecutor(seeds, device=section.device)
    if config.measurement.batch_shots is None:
        require_exact(config, num_qubits, "measurement.shots")
    if where.is_snapshot:
        return aer.device_executor(
            local_device(config, num_qubits),
            seeds,
            measured_circuits=section.measured_circuits,
            layout=config.network.device_qubits,
            options=build_sampler_options(config),
        )
    noise = None if section.noise is None else aer.depolarizing_noise(**section.noise.model_dump())
    if noise is not None and _has_distributions(config, num_qubits):
        return aer.aer_noisy_executor(seeds, noise_model=noise, device=section.device)
    return aer.aer_sampler_executor(
        seeds,
        noise_model=noise,
        method=section.method,
        device=section.device,
        max_bond_dimension=section.max_bond_dimension,
    )


def _provider_executor(config: Config, seeds: Seeds, num_qubits: int) -> SamplerExecutor:
    """A backend whose jobs cannot be retrieved: simulators, and providers that offer no way to."""
    if config.measurement.batch_shots is None:
        require_exact(config, num_qubits, "measurement.shots")
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
    """One of `EXECUTORS`; what it cannot do, such as exact expectations, it says when it is asked."""
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
    """Log in and find the device of a configuration.

    Raises:
        ConfigError: qiskit-ibm-runtime is not installed, or a provider's backend cannot be made.
        DeviceError: There is no account, no such instance or device, or no network.
        ResourceError: The device is too small.
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
    """How long to wait for a service."""
    return RetryPolicy(wait=config.execution.wait_seconds if pace is None or pace.waits else 0.0)


def build_remote_executor(
    config: Config,
    seeds: Seeds,
    device: RemoteDevice,
    ledger: JobLedger,
    pace: Pace | None = None,
    max_qpu_seconds: float | None = None,
) -> RemoteExecutor:
    """Where the requests of a run on a device go.

    Args:
        config: Of the run.
        seeds: Of the run.
        device: The device.
        ledger: Of the run.
        pace: How far this process goes; to the end by default.
        max_qpu_seconds: Most that all jobs of the ledger may take; that of the configuration by default.
    """
    return RemoteExecutor(
        device,
        seeds,
        ledger,
        retries=build_retry_policy(config, pace),
        pace=pace,
        max_qpu_seconds=config.execution.max_qpu_seconds if max_qpu_seconds is None else max_qpu_seconds,
        layout=config.network.device_qubits,
        options=build_sampler_options(config),
    )


@dataclass(frozen=True, slots=True)
class _OnlyWithLedger:
    """Stands for a device where there is no ledger, and so nothing that would keep a job from being lost."""

    backend: str

    def submit(self, request: Request) -> JobHandle:
        """Nothing is sent.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(
            f"execution.backend: '{self.backend}' needs the folder of a run, which keeps its jobs: 'qep train' or 'qep "
            "submit' makes one, and 'gradient' and 'predict' take it; use backend = 'fake_...' here"
        )

    def collect(self, job_handle: JobHandle) -> ShotData:
        """Nothing was sent."""
        raise NotImplementedError


def build_mitigation(config: Config) -> ReadoutMitigation | None:
    """How readout errors are taken out.

    Raises:
        ConfigError: There are none on this backend, or there is no calibration to set anything for.
    """
    section = config.execution.mitigation
    if section.randomizations is not None and section.readout != "twirled" and not section.gate_twirling:
        _refuse("mitigation.randomizations", "goes with readout = 'twirled' or gate_twirling = true; leave it out")
    if section.readout == "none":
        for key in ("calibration_shots", "calibrate_every"):
            if getattr(section, key) is not None:
                _refuse(f"mitigation.{key}", "goes with readout = 'calibrated' or 'twirled' only; leave it out")
        return None
    if config.preparation.has_known_states or config.network.is_in_space or _is_ideal(config):
        _refuse("mitigation.readout", "this backend has no errors of the readout; leave it out")
    shots = 4096 if section.calibration_shots is None else section.calibration_shots
    return ReadoutMitigation(
        calibration_shots=parsed_shots(shots),
        kind=section.readout,
        randomizations=section.randomizations or _RANDOMIZATIONS,
        calibrate_every=section.calibrate_every or _CALIBRATE_EVERY,
    )


def build_sampler_options(config: Config) -> SamplerOptions:
    """What IBM's sampler does to the gates of circuits.

    Raises:
        ConfigError: This backend has no such sampler, or the gates cannot be twirled.
    """
    section = config.execution.mitigation
    with keys(config.execution, "mitigation"):
        options = SamplerOptions(
            dynamical_decoupling=section.dynamical_decoupling,
            gate_twirling=section.gate_twirling,
            randomizations=section.randomizations or _RANDOMIZATIONS,
        )
    if options.changes_gates and not config.execution.where.is_device:
        key = "gate_twirling" if options.gate_twirling else "dynamical_decoupling"
        _refuse(
            f"mitigation.{key}",
            f"needs a device, 'ibm_...', 'fake_...' or 'rehearse:ibm_...', got '{config.execution.backend}'",
        )
    if options.gate_twirling and config.execution.fractional_gates:
        _refuse("mitigation.gate_twirling", "does not go with fractional_gates = true; switch one of them off")
    return options


def build_extrapolation(config: Config) -> Extrapolation | None:
    """How means are extrapolated to gates without noise.

    Raises:
        ConfigError: The factors are not odd numbers from 1 up, there is no noise on this backend, or there is nothing
            to choose the extrapolation for.
    """
    section = config.execution.mitigation
    if not section.noise_factors:
        if section.extrapolation != "linear":
            _refuse("mitigation.extrapolation", "goes with noise_factors only; leave it out")
        return None
    if config.preparation.has_known_states or config.network.is_in_space or _is_ideal(config):
        _refuse("mitigation.noise_factors", "this backend has no noise to extrapolate; leave it out")
    with keys(config, "execution"), keys(config.execution, "mitigation"):
        return Extrapolation(noise_factors=tuple(section.noise_factors), kind=section.extrapolation)


def _is_ideal(config: Config) -> bool:
    return config.execution.where.kind in ("aer", "statevector") and config.execution.noise is None


def _has_vectors(config: Config) -> bool:
    """Whether ideal state vectors are known."""
    section = config.execution
    if section.where.kind == "statevector":
        return True
    return _is_ideal(config) and section.method in ("automatic", "statevector") and not section.measured_circuits


def _has_distributions(config: Config, num_qubits: int) -> bool:
    """Whether noisy probabilities come from density matrices."""
    section = config.execution
    wanted = section.method in ("automatic", "density_matrix") and not section.measured_circuits
    wanted = wanted and not build_sampler_options(config).changes_gates
    noisy = section.where.is_snapshot or (section.where.kind == "aer" and section.noise is not None)
    return wanted and noisy and num_qubits <= MOST_QUBITS


def require_exact(config: Config, num_qubits: int, key: str) -> None:
    """Check that requests run where expectations without shot noise are known.

    Raises:
        ConfigError: They do not; the message names the key that asks for them.
    """
    if not (_has_vectors(config) or _has_distributions(config, num_qubits)):
        raise ConfigError(
            f"{key}: 'exact' needs the ideal state vector, or noise on at most {MOST_QUBITS} qubits with "
            "method = 'automatic', both with measured_circuits = false; give a number of shots"
        )


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
    if not _is_ideal(config):
        raise ConfigError(
            f"execution: {config.preparation.kind} states are sampled without circuits, so a noisy backend has no "
            "meaning; use preparation.kind = 'adiabatic'"
        )


def _refuse_devices_for_atoms(config: Config) -> None:
    if not _is_ideal(config):
        raise ConfigError(
            f"execution.backend: network.kind = '{config.network.kind}' runs no circuits, so a backend (got "
            f"'{config.execution.backend}') and noise have no meaning; leave the section out"
        )
