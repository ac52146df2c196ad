"""Keys of the section that says where circuits run."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from qep_qiskit.config.section import Section

__all__ = ["ExecutionConfig", "MitigationConfig", "NoiseConfig"]


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
    calibration_shots: Annotated[int, Field(gt=0)] | Literal["exact"] | None = None
    """Shots of each calibration circuit (two if calibrated, one if twirled), 4096 by default; they are counted, and
    taken anew every epoch, on a device in the job of the first request. ``exact`` for probabilities without noise."""
    randomizations: int | None = Field(default=None, gt=0)
    """Most randomizations of a circuit where readings or gates are twirled, 128 by default; its shots are shared out
    among them."""
    dynamical_decoupling: Literal["none", "XX", "XpXm", "XY4"] = "none"
    """Pulses on qubits that wait, on ``ibm_...`` and ``fake_...``. They help against noise that is slow; the noise of
    snapshots has no memory, so there they can gain nothing, and they bring the noise of waiting in, which simulations
    without them leave out."""
    gate_twirling: bool = False
    """Random Pauli gates around two-qubit gates, on ``ibm_...`` and ``fake_...``. They make coherent errors stochastic;
    snapshots have stochastic errors only, so there nothing is gained."""


class ExecutionConfig(Section):
    """Where circuits run."""

    backend: str = "aer"
    """``aer``; ``statevector``, the package's own fast ideal engine; ``fake_...``, the snapshot of a device, simulated
    on the qubits in use; or ``ibm_...``, a device of IBM's, for ``qep train`` and ``qep resume`` (both need
    qiskit-ibm-runtime)."""
    instance: str | None = None
    """Name or CRN of the IBM Quantum instance that pays; none: that of the saved account."""
    wait_seconds: float | None = Field(default=None, gt=0)
    """How long to wait for one job of a device before leaving with exit code 3; the job goes on, and ``qep resume``
    collects it. None: as long as it takes."""
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
    """Most estimated QPU seconds that a run should have on a device. So far only `qep plan` judges by it: look at the
    plan before you train on `ibm_...`."""
