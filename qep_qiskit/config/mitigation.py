"""Keys of error mitigation, and what they build."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from qep_qiskit.config.section import Section, ShotsOrExact, parsed_shots, same_as
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.execution.sampler_options import DecouplingSequence, SamplerOptions
from qep_qiskit.measurement import Extrapolation, ReadoutMitigation


class MitigationConfig(Section):
    """Mitigation of errors on noisy backends."""

    readout: Literal["none", "calibrated", "twirled"] = "none"
    """``calibrated``: measure all qubits in 0 and all qubits in 1, and correct every mean by the error rates found.
    ``twirled`` (TREX): flip qubits at random before every measurement, and divide every mean by its value for all
    qubits in 0; errors of different qubits may be correlated."""
    calibration_shots: ShotsOrExact | None = None
    """Shots of each calibration circuit (two if calibrated, one if twirled), 4096 by default. They are counted; on a
    device they are part of the job of the request that needs them first. ``exact`` for probabilities without noise."""
    calibrate_every: int | None = same_as(ReadoutMitigation, "calibrate_every", default=None)
    """Epochs for which a calibration is used, 5 by default; 1 for a new one every epoch. Drift of the device in the
    meantime scales means by a fraction of its readout errors. Where an epoch is one step of four samples and 200 shots,
    a calibration every epoch is a third of the cost."""
    randomizations: int | None = same_as(ReadoutMitigation, "randomizations", default=None)
    """Largest number of randomizations of a circuit where measurements or gates are twirled, 128 by default; the shots
    of the circuit are divided among them."""
    noise_factors: list[int] = Field(default=[])
    """Zero-noise extrapolation: how often two-qubit gates are executed, such as ``[1, 3]``; odd and ascending from 1.
    Every circuit is measured at each factor with `measurement.shots`, and all shots are counted. Empty: off."""
    extrapolation: Literal["linear", "polynomial"] = same_as(Extrapolation, "extrapolation")
    """``linear``: least-squares straight line; ``polynomial``: the polynomial through all points, for three factors or
    more."""
    dynamical_decoupling: DecouplingSequence = same_as(SamplerOptions, "dynamical_decoupling")
    """Pulses on idle qubits, on ``ibm_...``, ``fake_...`` and ``rehearse:...``. They reduce slow noise. The noise of
    simulated devices has no memory, so there they gain nothing, and they add the noise of idle times, which simulations
    without them omit."""
    gate_twirling: bool = same_as(SamplerOptions, "gate_twirling")
    """Random Pauli gates around two-qubit gates, on ``ibm_...``, ``fake_...`` and ``rehearse:...``. They make coherent
    errors stochastic. Simulated devices have stochastic errors only, so there nothing is gained."""

    def readout_mitigation(self, *, has_noise: bool) -> ReadoutMitigation | None:
        """Return the mitigation of readout errors, or None.

        Args:
            has_noise: Whether measurements have errors.

        Raises:
            ConfigError: The backend has no readout errors, or a calibration key is set without a calibration.
        """
        twirls, measured = self.readout == "twirled" or self.gate_twirling, self.readout != "none"
        calibrated = (measured, "readout = 'calibrated' or 'twirled' only")
        self.refuse_idle(
            {
                "randomizations": (twirls, "readout = 'twirled' or gate_twirling = true"),
                "calibration_shots": calibrated,
                "calibrate_every": calibrated,
            }
        )
        if not measured:
            return None
        if not has_noise:
            raise ConfigError("readout: this backend has no errors of the readout; leave it out")
        given = {} if self.calibration_shots is None else {"calibration_shots": parsed_shots(self.calibration_shots)}
        return self.made(ReadoutMitigation, **given)

    def zero_noise_extrapolation(self, *, has_noise: bool) -> Extrapolation | None:
        """Return the zero-noise extrapolation, or None.

        Args:
            has_noise: Whether circuits have errors.

        Raises:
            ConfigError: The factors are not odd integers from 1 up, the backend has no noise, or the kind of
                extrapolation is set without factors.
        """
        if not self.noise_factors:
            self.refuse_given(["extrapolation"], "goes with noise_factors only")
            return None
        if not has_noise:
            raise ConfigError("noise_factors: this backend has no noise to extrapolate; leave it out")
        return self.made(Extrapolation, noise_factors=tuple(self.noise_factors))

    def sampler_options(self) -> SamplerOptions:
        """Return the options of IBM's sampler for the gates of circuits."""
        return self.made(SamplerOptions)
