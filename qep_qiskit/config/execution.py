"""Keys of the execution section: backend and noise, and what the backend can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field, field_validator, model_validator
from qiskit.providers import BackendV2

from qep_qiskit.config.backend import Backend
from qep_qiskit.config.kinds import refused
from qep_qiskit.config.mitigation import MitigationConfig
from qep_qiskit.config.named import provider_backend
from qep_qiskit.config.section import FILLED_IN, Section, keys, same_as
from qep_qiskit.core.amounts import amount
from qep_qiskit.core.arithmetic import Arithmetic, Precision
from qep_qiskit.core.errors import ConfigError, ResourceError
from qep_qiskit.core.jobs import Jobs
from qep_qiskit.core.limits import Count, Fraction, NotNegative, Positive
from qep_qiskit.core.memory import require_memory
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.device.provider import ProviderDevice, retrieval_of
from qep_qiskit.device.service import RemoteDevice
from qep_qiskit.evolution.density_matrices import DecoherenceRates
from qep_qiskit.evolution.evolving_state import BondLimits
from qep_qiskit.execution.matrix_products import MatrixProductExecutor
from qep_qiskit.execution.noisy import MOST_QUBITS
from qep_qiskit.execution.sampler_options import SamplerOptions
from qep_qiskit.measurement import Extrapolation, ReadoutMitigation

_KEYS_OF_AER: Final = ("noise", "method", "device", "measured_circuits")
"""Keys that Aer takes and the ideal engines do not."""


def with_enough_qubits(device: BackendV2, name: str, num_qubits: int) -> BackendV2:
    """Return a device if it has enough qubits.

    Args:
        device: The device.
        name: Its name, for the message.
        num_qubits: Number of qubits that are needed.

    Raises:
        ResourceError: It has too few qubits.
    """
    if device.num_qubits is not None and device.num_qubits < num_qubits:
        raise ResourceError(
            f"execution.backend: {name} has {amount(device.num_qubits, 'qubit')}, the network needs {num_qubits}"
        )
    return device


class NoiseConfig(Section):
    """A simple noise model: errors of gates and of the readout for Aer, or decoherence in the time of a ramp."""

    one_qubit: Fraction = 0.0
    """Depolarising probability per one-qubit gate."""
    two_qubit: Fraction = 0.0
    """Depolarising probability per two-qubit gate."""
    readout: float = Field(default=0.0, ge=0, le=0.5)
    """Probability that a measured bit is flipped."""
    dephasing_rate: float = same_as(DecoherenceRates, "dephasing")
    """Rate of dephasing of every qubit per unit of the time of an adiabatic ramp (energy, hbar = 1): coherences decay
    as exp(-rate t). Up to 10 qubits, by density matrices of this package."""
    relaxation_rate: float = same_as(DecoherenceRates, "relaxation")
    """Rate 1/T1 of relaxation of every qubit to 0 (spin up, Z = +1) per unit of the time of an adiabatic ramp."""

    @property
    def rates(self) -> DecoherenceRates:
        """Decoherence in the time of a ramp."""
        return DecoherenceRates(dephasing=self.dephasing_rate, relaxation=self.relaxation_rate)

    @property
    def of_gates(self) -> dict[str, float]:
        """Errors of gates and of the readout, by name."""
        return self.model_dump(include={"one_qubit", "two_qubit", "readout"})


class ExecutionConfig(Section):
    """Where circuits run."""

    backend: str = "statevector"
    """``statevector``, the package's own fast ideal engine; ``mps``, its matrix product states, for ideal circuits on
    registers too wide for vectors; ``aer``, the default where `noise`, `method`, `device` or `measured_circuits` is
    set; ``fake_...``, the snapshot of a device, simulated on the qubits in use; ``rehearse:ibm_...``, the same with the
    calibration of an IBM device at the start of the run;
    ``ibm_...``, the device itself, for ``qep train`` and ``qep resume`` (all need qiskit-ibm-runtime);
    ``ocean:...``, a sampler of D-Wave's Ocean tools for classical spins, with preparation.kind = 'annealer':
    ``simulated_annealing``, ``path_integral``, ``steepest_descent`` or ``exact`` on this machine, D-Wave's
    annealers as ``dwave`` or ``dwave:NAME``, or any sampler of dimod as ``package.module:factory`` (all need
    ``qep_qiskit[ocean]``); or
    ``package.module:factory``, a function or class that returns a `BackendV2` of any Qiskit provider, or a
    `RemoteDevice`. If the jobs of such a backend can be retrieved by id, they are stored in the ledger of the run
    folder, like those of IBM. Installed packages can add names (CONTRIBUTING.md)."""
    backend_options: dict[str, Any] = Field(default={})
    """Keyword arguments of the factory of a backend ``package.module:factory``, of a sampler of Ocean, or of an
    executor. They are stored in the run folder: let the factory read a token from the environment."""
    snapshot: Annotated[str | None, FILLED_IN] = None
    """The calibration of a rehearsal. It is read from the device when the run starts and stored in the run folder;
    leave it out."""
    instance: str | None = None
    """Name or CRN of the IBM Quantum instance that is charged; none: that of the saved account."""
    wait_seconds: Positive | None = None
    """Time to wait for one job of a device before the command exits with code 3; the job continues, and ``qep resume``
    collects it. None: no limit."""
    mode: Literal["job", "batch", "session"] = "job"
    """Execution mode of IBM's service. ``job``: each job is queued separately. ``batch``: the jobs of one command are
    scheduled together, at no extra cost. ``session``: the device is reserved for the run and charged by wall-clock
    time, also while idle; not available in every plan."""
    rep_delay: NotNegative | None = None
    """Seconds between executions on a device, which dominate the cost; none: the default of the device, often 0.00025.
    Shorter delays are cheaper, and reset the qubits less well."""
    fractional_gates: bool = False
    """Use `rzz` gates of any angle on a device that offers them: a ramp then has half as many two-qubit gates."""
    method: Literal["automatic", "statevector", "density_matrix", "matrix_product_state"] = "automatic"
    """Simulation method of Aer."""
    max_bond_dimension: Count | None = None
    """Largest bond dimension of a matrix product state; none: 64 for ``mps``, no limit for Aer."""
    truncation: float = same_as(BondLimits, "truncation")
    """Largest weight that one cut of a bond discards with ``mps``, unless the bond dimension demands more."""
    device: Literal["CPU", "GPU"] = "CPU"
    """Processor on which Aer simulates."""
    precision: Precision = "double"
    """Precision of simulated state vectors. ``single``: half the memory, about twice as fast with backend
    ``statevector``, means right to 1e-5; probabilities and their sums stay double. Exact states, Gibbs states and the
    search for variational angles are always double."""
    jobs: Jobs | None = None
    """Number of states that are computed at the same time, on threads or processes of this machine. By default one per
    core that the process may use, and one in the workers of ``--jobs``, which are on all cores already. No result
    depends on it."""
    measured_circuits: bool = False
    """Run one measured circuit for every group, also where one evolution could serve all groups, or where density
    matrices give noisy probabilities (up to 10 qubits)."""
    noise: NoiseConfig | None = None
    """Noise model for Aer."""
    mitigation: MitigationConfig = MitigationConfig()
    """Error mitigation on noisy backends."""
    max_qpu_seconds: Positive = 60.0
    """Limit on the QPU seconds of a run on a device. A run with a larger estimate does not start; a run that reaches
    the limit stops before the job that would exceed it, and ``qep resume --max-qpu-seconds`` continues it."""

    @property
    def where(self) -> Backend:
        """The parsed backend."""
        return Backend.named(self.backend)

    @model_validator(mode="before")
    @classmethod
    def _on_aer_where_its_keys_are_set(cls, given: Any) -> Any:
        """Add the backend ``aer`` where none is named and another key needs it."""
        if not isinstance(given, Mapping) or "backend" in given:
            return given
        needs_aer = any(key in given and given[key] != cls.model_fields[key].default for key in _KEYS_OF_AER)
        return {**given, "backend": "aer"} if needs_aer else given

    @field_validator("backend")
    @classmethod
    def _has_backend(cls, name: str) -> str:
        try:
            return Backend.named(name).name
        except ConfigError as error:
            raise refused(error) from None

    @property
    def is_remote(self) -> bool:
        """Whether requests go to a device behind a service, whose jobs are stored in a ledger."""
        where = self.where
        return where.is_ibm or (where.is_of_provider and self.provider_remote() is not None)

    @property
    def is_ideal(self) -> bool:
        """Whether circuits have no errors."""
        return self.where.kind in ("aer", "statevector", "mps") and self.noise is None

    @property
    def has_vectors(self) -> bool:
        """Whether ideal state vectors are known."""
        if self.where.kind == "statevector":
            return True
        return self.is_ideal and self.method in ("automatic", "statevector") and not self.measured_circuits

    def has_distributions(self, num_qubits: int) -> bool:
        """Return whether noisy probabilities come from density matrices.

        Raises:
            ConfigError: The options of the sampler contradict the backend.
        """
        wanted = self.method in ("automatic", "density_matrix") and not self.measured_circuits
        noisy = self.where.is_snapshot or (self.where.kind == "aer" and self.noise is not None)
        return wanted and noisy and num_qubits <= MOST_QUBITS and not self.sampler_options().changes_gates

    def require_exact(self, key: str, num_qubits: int) -> None:
        """Check that expectations without shot noise are available.

        Args:
            key: The key that requires exact expectations; the message names it.
            num_qubits: Number of qubits of the network.

        Raises:
            ConfigError: They are not.
        """
        if not (self.has_vectors or self.where.kind == "mps" or self.has_distributions(num_qubits)):
            raise ConfigError(
                f"{key}: 'exact' needs the ideal state vector, or noise on at most {MOST_QUBITS} qubits with "
                "method = 'automatic', both with measured_circuits = false; give a number of shots"
            )

    def sampler_options(self) -> SamplerOptions:
        """Return the options of IBM's sampler for the gates of circuits.

        Raises:
            ConfigError: The backend has no such sampler, or the gates cannot be twirled.
        """
        options = self.mitigation.sampler_options()
        if options.changes_gates and not self.where.is_device:
            key = "gate_twirling" if options.gate_twirling else "dynamical_decoupling"
            raise ConfigError(
                f"mitigation.{key}: needs a device, 'ibm_...', 'fake_...' or 'rehearse:ibm_...', got '{self.backend}'"
            )
        if options.gate_twirling and self.fractional_gates:
            raise ConfigError(
                "mitigation.gate_twirling: does not go with fractional_gates = true; switch one of them off"
            )
        return options

    def refuse_contradictions(self) -> None:
        """Check that every key that is set has an effect on this backend.

        Raises:
            ConfigError: A key has none.
        """
        where, got = self.where, f"only, got '{self.backend}'"
        takes_options = where.is_of_provider or where.is_own_executor or where.anneals_elsewhere
        is_live = where.is_ibm or where.is_rehearsal
        self.refuse_idle(
            {
                "precision": (
                    self.has_vectors,
                    f"simulations of state vectors without noise only, got '{self.backend}'",
                ),
                "max_bond_dimension": (
                    where.kind == "mps" or self.method == "matrix_product_state",
                    f"method = 'matrix_product_state' or backend = 'mps' only, got method = '{self.method}'",
                ),
                "truncation": (where.kind == "mps", f"backend = 'mps' {got}"),
                "backend_options": (
                    takes_options,
                    f"backend = 'package.module:factory', or an executor of a plug-in, {got}",
                ),
                "instance": (is_live, f"backend = 'ibm_...' {got}"),
                "wait_seconds": (self.wait_seconds is None or self.is_remote, f"a device behind a service {got}"),
                "mode": (where.is_ibm, f"backend = 'ibm_...' {got}"),
                "rep_delay": (where.is_device, f"a device {got}"),
                "fractional_gates": (where.is_device, f"a device {got}"),
            }
        )
        if where.kind != "aer" and self.noise is not None:
            why = "is ideal" if self.where.kind in ("statevector", "mps") else "brings the noise of its device"
            raise ConfigError(f"noise: '{self.backend}' {why}; leave it out, or use backend = 'aer'")

    @property
    def decoherence(self) -> DecoherenceRates | None:
        """Rates of decoherence in the time of a ramp; None where there is none.

        Raises:
            ConfigError: Other keys do not go with them.
        """
        if self.noise is None or not self.noise.rates.any:
            return None
        name = "dephasing_rate" if self.noise.dephasing_rate else "relaxation_rate"
        wrong = [key for key, value in self.noise.of_gates.items() if value]
        if wrong:
            raise ConfigError(
                f"noise.{name}: decoherence in the time of a ramp is simulated without errors of gates and readout, "
                f"got {wrong[0]}; set one of them to zero"
            )
        self.refuse_given(["measured_circuits", "device"], f"does not go with noise.{name}, simulated by matrices")
        if self.method not in ("automatic", "density_matrix"):
            raise ConfigError(
                f"method: noise.{name} is simulated by density matrices, got '{self.method}'; use 'automatic'"
            )
        if self.mitigation.noise_factors or self.mitigation.readout != "none":
            raise ConfigError(
                f"mitigation: readout and noise_factors act on errors of readout and gates, and noise.{name} makes "
                "neither; leave them out"
            )
        return self.noise.rates

    def mitigations(self, *, runs_circuits: bool) -> tuple[ReadoutMitigation | None, Extrapolation | None]:
        """Return the mitigation of readout errors, and the zero-noise extrapolation.

        Args:
            runs_circuits: Whether the backend is used; known states are sampled without it.

        Raises:
            ConfigError: The backend has no errors to mitigate, or keys do not go together.
        """
        has_noise = runs_circuits and not self.is_ideal
        with keys(self, "mitigation"):
            readout = self.mitigation.readout_mitigation(has_noise=has_noise)
            return readout, self.mitigation.zero_noise_extrapolation(has_noise=has_noise)

    @property
    def names_account(self) -> bool:
        """Whether folders of the run hold what belongs to an account, and are for their owner only."""
        return self.where.is_ibm or self.instance is not None or bool(self.backend_options)

    def provider_remote(self) -> RemoteDevice | None:
        """Return the device of a provider whose jobs are retrieved by id; None where they cannot be.

        Raises:
            ConfigError: The backend cannot be made.
        """
        made = provider_backend(self.where.device, self.backend_options)
        if isinstance(made, RemoteDevice):
            return made
        return ProviderDevice(made, self.backend) if retrieval_of(made) is not None else None

    def provider_device(self, num_qubits: int) -> BackendV2:
        """Return the backend of a provider; it is made once for each factory and options.

        Raises:
            ConfigError: The backend cannot be made.
            ResourceError: The backend has too few qubits.
        """
        found = provider_backend(self.where.device, self.backend_options)
        made = found.backend if isinstance(found, RemoteDevice) else found
        return with_enough_qubits(made, self.backend, num_qubits)

    def matrix_products(self, seeds: Seeds) -> MatrixProductExecutor:
        """Return the executor of the backend ``mps``."""
        return MatrixProductExecutor(seeds, self.made(BondLimits))

    def check_memory(self, num_qubits: int) -> None:
        """Check that a simulation fits in memory.

        Raises:
            ResourceError: It does not.
        """
        if self.where.kind == "mps":
            self.matrix_products(Seeds(0)).check_memory(num_qubits)
        elif self.method == "density_matrix":
            require_memory(num_qubits, 2 * 16, "a density matrix simulation", bits_per_qubit=2)
        elif self.method != "matrix_product_state" and not (self.is_remote or self.where.is_own_executor):
            size = Arithmetic(precision=self.precision).bytes_per_amplitude
            instead = "execution.backend = 'mps'"
            require_memory(num_qubits, 5 * size, "a state vector simulation", instead=instead)
