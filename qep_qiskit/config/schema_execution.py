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

    readout: Literal["none", "calibrated"] = "none"
    """``calibrated``: read all qubits 0 and all qubits 1, and take the errors found out of every mean."""
    calibration_shots: Annotated[int, Field(gt=0)] | Literal["exact"] | None = None
    """Shots of each of the two calibration circuits, 4096 by default; they are counted, and taken anew every epoch.
    ``exact`` for probabilities without noise."""
    noise_factors: list[int] = Field(default=[])
    """Zero-noise extrapolation: how often two-qubit gates run, such as ``[1, 3]``; odd and ascending from 1. Every
    circuit is measured at each factor with `measurement.shots`, and all are counted. Empty: off."""
    extrapolation: Literal["linear", "polynomial"] = "linear"
    """``linear``: the straight line of least squares; ``polynomial``: the one through all points, for three factors or
    more."""


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
