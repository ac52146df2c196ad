"""Keys of the section that says where circuits run."""

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
    """A simple noise model on Aer."""

    one_qubit: float = Field(default=0.0, ge=0, le=1)
    """Depolarising probability per one-qubit gate."""
    two_qubit: float = Field(default=0.0, ge=0, le=1)
    """Depolarising probability per two-qubit gate."""
    readout: float = Field(default=0.0, ge=0, le=0.5)
    """Probability that a bit is read wrongly."""


class MitigationConfig(Section):
    """What is done about errors of noisy backends."""

    readout: Literal["none", "calibrated", "twirled"] = "none"
    """``calibrated``: read all qubits 0 and all qubits 1, and take the errors found out of every mean. ``twirled``
    (TREX): flip qubits at random before every reading, and divide every mean by what it is where all qubits are 0;
    errors of different qubits may depend on each other."""
    calibration_shots: ShotsOrExact | None = None
    """Shots of each calibration circuit (two if calibrated, one if twirled), 4096 by default; they are counted, on a
    device they are in the job of the request that needs them first. ``exact`` for probabilities without noise."""
    calibrate_every: int | None = Field(default=None, gt=0)
    """Epochs that a calibration holds for, 5 by default; 1 for a new one every epoch. What a device drifts by in the
    meantime scales means by a fraction of its errors of reading; where an epoch is one step of four samples and 200
    shots, a calibration every epoch is a third of the price."""
    randomizations: int | None = Field(default=None, gt=0)
    """Most randomizations of a circuit where readings or gates are twirled, 128 by default; its shots are shared out
    among them."""
    noise_factors: list[int] = Field(default=[])
    """Zero-noise extrapolation: how often two-qubit gates run, such as ``[1, 3]``; odd and ascending from 1. Every
    circuit is measured at each factor with `measurement.shots`, and all are counted. Empty: off."""
    extrapolation: Literal["linear", "polynomial"] = "linear"
    """``linear``: the straight line of least squares; ``polynomial``: the one through all points, for three factors or
    more."""
    dynamical_decoupling: Literal["none", "XX", "XpXm", "XY4"] = "none"
    """Pulses on qubits that wait, on ``ibm_...``, ``fake_...`` and ``rehearse:...``. They help against noise that is
    slow; the noise of simulated devices has no memory, so there they can gain nothing, and they bring the noise of
    waiting in, which simulations without them leave out."""
    gate_twirling: bool = False
    """Random Pauli gates around two-qubit gates, on ``ibm_...``, ``fake_...`` and ``rehearse:...``. They make coherent
    errors stochastic; simulated devices have stochastic errors only, so there nothing is gained."""


class ExecutionConfig(Section):
    """Where circuits run."""

    backend: str = "aer"
    """``aer``; ``statevector``, the package's own fast ideal engine; ``fake_...``, the snapshot of a device, simulated
    on the qubits in use; ``rehearse:ibm_...``, the same with the calibration that a device of IBM's has when the run
    begins; ``ibm_...``, the device itself, for ``qep train`` and ``qep resume`` (all need qiskit-ibm-runtime); or
    ``package.module:factory``, a function or class that makes a `BackendV2` of any Qiskit provider. Where the jobs of
    such a backend can be retrieved by id they are kept in the ledger of the run folder, as those of IBM are. Installed
    packages add names of their own (CONTRIBUTING.md)."""
    backend_options: dict[str, Any] = Field(default={})
    """Keyword arguments of the factory of a backend ``package.module:factory``, or of an executor. They are kept in the
    run folder: let the factory read a token from the environment."""
    snapshot: str | None = None
    """The calibration that a rehearsal runs with. It is taken from the device when the run begins and kept in the run
    folder; leave it out."""
    instance: str | None = None
    """Name or CRN of the IBM Quantum instance that pays; none: that of the saved account."""
    wait_seconds: float | None = Field(default=None, gt=0)
    """How long to wait for one job of a device before leaving with exit code 3; the job goes on, and ``qep resume``
    collects it. None: as long as it takes."""
    mode: Literal["job", "batch", "session"] = "job"
    """How jobs are put together at IBM's service. ``job``: each queues on its own. ``batch``: what one command sends
    stays together, at no price. ``session``: the device is kept for the run and charged by the clock, also while
    nothing runs; not every plan has it."""
    rep_delay: float | None = Field(default=None, ge=0)
    """Seconds between executions on a device, which is most of what they cost; none: the device's own, 0.00025 on
    many. Shorter ones are cheaper, and reset the qubits less well."""
    fractional_gates: bool = False
    """Use `rzz` of any angle on a device that offers it: half the two-qubit gates of a ramp."""
    method: Literal["automatic", "statevector", "density_matrix", "matrix_product_state"] = "automatic"
    """Simulation method of Aer."""
    max_bond_dimension: int | None = Field(default=None, gt=0)
    """Largest bond dimension of a matrix product state; none: as large as the states ask for."""
    device: Literal["CPU", "GPU"] = "CPU"
    """Where Aer simulates."""
    measured_circuits: bool = False
    """Run a measured circuit per group, even where one evolution could serve all groups, or where density matrices give
    noisy probabilities (up to 10 qubits)."""
    noise: NoiseConfig | None = None
    """Noise on Aer."""
    mitigation: MitigationConfig = MitigationConfig()
    """What is done about errors of noisy backends."""
    max_qpu_seconds: float = Field(default=60.0, gt=0)
    """Most QPU seconds that a run may have on a device. A run that is estimated at more does not start, and one that
    comes to the limit stops before the job that would pass it; ``qep resume --max-qpu-seconds`` goes on."""

    @property
    def where(self) -> Backend:
        """The backend, by its name."""
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
        """Whether requests go to a device behind a service, whose jobs are kept in a ledger."""
        where = self.where
        return where.is_ibm or (where.is_of_provider and retrieval_of(self.provider_device(0)) is not None)

    def provider_device(self, num_qubits: int) -> BackendV2:
        """The backend of a provider, made once for the same factory and options.

        Args:
            num_qubits: Qubits that are needed.

        Raises:
            ConfigError: It cannot be made.
            ResourceError: It is too small.
        """
        made = provider_backend(self.where.device, self.backend_options)
        if made.num_qubits is not None and made.num_qubits < num_qubits:
            raise ResourceError(
                f"execution.backend: {self.backend} has {made.num_qubits} qubits, the network needs {num_qubits}"
            )
        return made

    def check_memory(self, num_qubits: int) -> None:
        """Refuse what cannot be simulated.

        Raises:
            ResourceError: It does not fit in memory.
        """
        if self.method == "density_matrix":
            require_memory(num_qubits, 2 * 16, "a density matrix simulation", bits_per_qubit=2)
        elif self.method != "matrix_product_state" and not (self.is_remote or self.where.is_own_executor):
            require_memory(num_qubits, 5 * 16, "a state vector simulation")
