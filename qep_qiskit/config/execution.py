"""Keys of the execution section: backend, noise and error mitigation."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator
from qiskit.providers import BackendV2

from qep_qiskit.config.backend import Backend
from qep_qiskit.config.kinds import refused
from qep_qiskit.config.named import provider_backend
from qep_qiskit.config.section import Section, ShotsOrExact
from qep_qiskit.core.errors import ConfigError, ResourceError
from qep_qiskit.core.memory import require_memory
from qep_qiskit.device.provider import retrieval_of


class NoiseConfig(Section):
    """A simple noise model for Aer."""

    one_qubit: float = Field(default=0.0, ge=0, le=1)
    """Depolarising probability per one-qubit gate."""
    two_qubit: float = Field(default=0.0, ge=0, le=1)
    """Depolarising probability per two-qubit gate."""
    readout: float = Field(default=0.0, ge=0, le=0.5)
    """Probability that a measured bit is flipped."""


class MitigationConfig(Section):
    """Mitigation of errors on noisy backends."""

    readout: Literal["none", "calibrated", "twirled"] = "none"
    """``calibrated``: measure all qubits in 0 and all qubits in 1, and correct every mean by the error rates found.
    ``twirled`` (TREX): flip qubits at random before every measurement, and divide every mean by its value for all
    qubits in 0; errors of different qubits may be correlated."""
    calibration_shots: ShotsOrExact | None = None
    """Shots of each calibration circuit (two if calibrated, one if twirled), 4096 by default. They are counted; on a
    device they are part of the job of the request that needs them first. ``exact`` for probabilities without noise."""
    calibrate_every: int | None = Field(default=None, gt=0)
    """Epochs for which a calibration is used, 5 by default; 1 for a new one every epoch. Drift of the device in the
    meantime scales means by a fraction of its readout errors. Where an epoch is one step of four samples and 200 shots,
    a calibration every epoch is a third of the cost."""
    randomizations: int | None = Field(default=None, gt=0)
    """Largest number of randomizations of a circuit where measurements or gates are twirled, 128 by default; the shots
    of the circuit are divided among them."""
    noise_factors: list[int] = Field(default=[])
    """Zero-noise extrapolation: how often two-qubit gates are executed, such as ``[1, 3]``; odd and ascending from 1.
    Every circuit is measured at each factor with `measurement.shots`, and all shots are counted. Empty: off."""
    extrapolation: Literal["linear", "polynomial"] = "linear"
    """``linear``: least-squares straight line; ``polynomial``: the polynomial through all points, for three factors or
    more."""
    dynamical_decoupling: Literal["none", "XX", "XpXm", "XY4"] = "none"
    """Pulses on idle qubits, on ``ibm_...``, ``fake_...`` and ``rehearse:...``. They reduce slow noise. The noise of
    simulated devices has no memory, so there they gain nothing, and they add the noise of idle times, which simulations
    without them omit."""
    gate_twirling: bool = False
    """Random Pauli gates around two-qubit gates, on ``ibm_...``, ``fake_...`` and ``rehearse:...``. They make coherent
    errors stochastic. Simulated devices have stochastic errors only, so there nothing is gained."""


class ExecutionConfig(Section):
    """Where circuits run."""

    backend: str = "aer"
    """``aer``; ``statevector``, the package's own fast ideal engine; ``fake_...``, the snapshot of a device, simulated
    on the qubits in use; ``rehearse:ibm_...``, the same with the calibration of an IBM device at the start of the run;
    ``ibm_...``, the device itself, for ``qep train`` and ``qep resume`` (all need qiskit-ibm-runtime); or
    ``package.module:factory``, a function or class that returns a `BackendV2` of any Qiskit provider. If the jobs of
    such a backend can be retrieved by id, they are stored in the ledger of the run folder, like those of IBM. Installed
    packages can add names (CONTRIBUTING.md)."""
    backend_options: dict[str, Any] = Field(default={})
    """Keyword arguments of the factory of a backend ``package.module:factory``, or of an executor. They are stored in
    the run folder: let the factory read a token from the environment."""
    snapshot: str | None = None
    """The calibration of a rehearsal. It is read from the device when the run starts and stored in the run folder;
    leave it out."""
    instance: str | None = None
    """Name or CRN of the IBM Quantum instance that is charged; none: that of the saved account."""
    wait_seconds: float | None = Field(default=None, gt=0)
    """Time to wait for one job of a device before the command exits with code 3; the job continues, and ``qep resume``
    collects it. None: no limit."""
    mode: Literal["job", "batch", "session"] = "job"
    """Execution mode of IBM's service. ``job``: each job is queued separately. ``batch``: the jobs of one command are
    scheduled together, at no extra cost. ``session``: the device is reserved for the run and charged by wall-clock
    time, also while idle; not available in every plan."""
    rep_delay: float | None = Field(default=None, ge=0)
    """Seconds between executions on a device, which dominate the cost; none: the default of the device, often 0.00025.
    Shorter delays are cheaper, and reset the qubits less well."""
    fractional_gates: bool = False
    """Use `rzz` gates of any angle on a device that offers them: a ramp then has half as many two-qubit gates."""
    method: Literal["automatic", "statevector", "density_matrix", "matrix_product_state"] = "automatic"
    """Simulation method of Aer."""
    max_bond_dimension: int | None = Field(default=None, gt=0)
    """Largest bond dimension of a matrix product state; none: no limit."""
    device: Literal["CPU", "GPU"] = "CPU"
    """Processor on which Aer simulates."""
    measured_circuits: bool = False
    """Run one measured circuit for every group, also where one evolution could serve all groups, or where density
    matrices give noisy probabilities (up to 10 qubits)."""
    noise: NoiseConfig | None = None
    """Noise model for Aer."""
    mitigation: MitigationConfig = MitigationConfig()
    """Error mitigation on noisy backends."""
    max_qpu_seconds: float = Field(default=60.0, gt=0)
    """Limit on the QPU seconds of a run on a device. A run with a larger estimate does not start; a run that reaches
    the limit stops before the job that would exceed it, and ``qep resume --max-qpu-seconds`` continues it."""

    @property
    def where(self) -> Backend:
        """The parsed backend."""
        return Backend.named(self.backend)

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
        return where.is_ibm or (where.is_of_provider and retrieval_of(self.provider_device(0)) is not None)

    def provider_device(self, num_qubits: int) -> BackendV2:
        """Return the backend of a provider; it is made once for each factory and options.

        Args:
            num_qubits: Number of qubits that are needed.

        Raises:
            ConfigError: The backend cannot be made.
            ResourceError: The backend has too few qubits.
        """
        made = provider_backend(self.where.device, self.backend_options)
        if made.num_qubits is not None and made.num_qubits < num_qubits:
            raise ResourceError(
                f"execution.backend: {self.backend} has {made.num_qubits} qubits, the network needs {num_qubits}"
            )
        return made

    def check_memory(self, num_qubits: int) -> None:
        """Check that a simulation fits in memory.

        Raises:
            ResourceError: It does not.
        """
        if self.method == "density_matrix":
            require_memory(num_qubits, 2 * 16, "a density matrix simulation", bits_per_qubit=2)
        elif self.method != "matrix_product_state" and not (self.is_remote or self.where.is_own_executor):
            require_memory(num_qubits, 5 * 16, "a state vector simulation")
