"""Keys of shot-noise studies (`qep budget`)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from qep_qiskit.config.kinds import Known, refused
from qep_qiskit.config.mitigation import MitigationConfig
from qep_qiskit.config.section import Section, Shots
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.limits import Count, NotNegative, Positive
from qep_qiskit.learning import STENCILS, of_sign, study_names
from qep_qiskit.learning.contrast import Beta
from qep_qiskit.preparation.ramp import RampShape


class _OfStudy(Known):
    """Annotation of a contrast named in a study, where one-sided contrasts can have a negative nudge."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the contrasts of this package."""
        return study_names()

    def _checked(self, name: str) -> str:
        if name not in self.names:
            try:
                of_sign(name)
            except ConfigError as error:
                raise refused(error) from None
        return name


class TrainingStudyConfig(Section):
    """Study of loss and accuracy against the number of shots (``--study training``)."""

    shots: list[Shots] = Field(default=[1, 10, 100], min_length=1)
    """Fixed budgets: shots per batch, constant during the training."""
    seeds: Count = 5
    """Number of runs for each budget, with the seed of the configuration and the next ones."""
    adaptive_from: list[Shots] = Field(default=[10])
    """Adaptive budgets: initial shots per batch, which increase according to `measurement.adaptive`."""


class SizeStudyConfig(Section):
    """Study of gradients against the number of spins (``--study size``)."""

    networks: Count = 6
    """Random networks of every size, with the seed of the configuration and the next ones."""
    fewer_from: Count | None = None
    """Number of spins from which on only `fewer_networks` are drawn, because large networks cost most."""
    fewer_networks: Count | None = None
    """Random networks of these sizes; their means have wider error bars."""
    target_error: float = Field(default=0.1, gt=0, lt=1)
    """Error of the gradient, relative to its length, for which shots are counted."""

    def networks_of(self, spins: int) -> int:
        """Return how many networks of a size are drawn.

        Raises:
            ConfigError: One of two keys that go together is missing, or more networks are drawn instead of fewer.
        """
        if (self.fewer_from is None) != (self.fewer_networks is None):
            missing = "fewer_from" if self.fewer_from is None else "fewer_networks"
            raise ConfigError(
                f"budget.size.{missing}: expected a number, because fewer_from and fewer_networks go together; got none"
            )
        if self.fewer_from is None or self.fewer_networks is None:
            return self.networks
        if self.fewer_networks > self.networks:
            raise ConfigError(
                f"budget.size.fewer_networks: expected at most budget.size.networks = {self.networks}, got "
                f"{self.fewer_networks}"
            )
        if spins < self.fewer_from:
            return self.networks
        return self.fewer_networks


class RampStudyConfig(Section):
    """Study of the error that an adiabatic ramp adds to gradients (``--study ramp``)."""

    total_times: list[Positive] = Field(default=[4.0, 8.0, 16.0, 32.0, 64.0], min_length=1)
    """Total times T of the ramps, in 1/energy."""
    time_steps: list[Positive] = Field(default=[0.1], min_length=1)
    """Trotter steps dt, in 1/energy; a ramp has T / dt of them, rounded up."""
    ramps: list[RampShape] = Field(default=["linear", "cosine", "smoothstep"], min_length=1)
    """Schedules."""
    betas: list[Beta] = Field(default=[0.1, 0.01, 0.001], min_length=1)
    """Nudges of the contrast."""
    window: NotNegative = 4.0
    """Width of the window of total times around each T over which errors are averaged, in 1/energy. Excitations of both
    ends of a ramp interfere, so that errors oscillate with T: a window should be one period 2 pi / (mean gap) or
    more."""
    window_times: Count = 9
    """Total times in a window; four or more in a period."""
    dephasing_rates: list[NotNegative] = Field(default=[0.0], min_length=1)
    """Rates of dephasing during the ramp, in energy, as `execution.noise.dephasing_rate`. With rates above zero the
    study reports the best total time: short ramps excite, long ones lose coherence."""
    relaxation_rates: list[NotNegative] = Field(default=[0.0], min_length=1)
    """Rates of relaxation during the ramp, in energy, as `execution.noise.relaxation_rate`."""


class StepStudyConfig(Section):
    """Study of samples against shots in a step (``--study samples``)."""

    executions: Count = 60
    """Samples of a step times shots per batch, the same at every point."""
    shots: list[Shots] = Field(default=[1, 2, 5, 15, 60], min_length=2)
    """Shots per batch; each divides `executions`, and the quotient is the number of samples."""
    seeds: Count = 5
    """Number of training runs for each number of shots, with the seed of the configuration and the next ones."""
    epochs: Count = 1
    """Epochs of the runs with the fewest samples a step; the others have more, so that all spend equal shots."""


class NamedMitigation(MitigationConfig):
    """A combination of error mitigations.

    By default calibrated readout, `noise_factors = [1, 3]`, and both, one by one.
    """

    name: str
    """Name in figures and tables."""


class NoiseStudyConfig(Section):
    """Study of gradients on a noisy device (``--study noise``)."""

    backend: str = "fake_manila"
    """Noisy backend that is compared with the ideal one; a noisy `execution` of the configuration takes precedence."""
    calibration_shots: Shots = 4096
    """Shots of each calibration circuit, for mitigations that do not set their own."""
    mitigations: list[NamedMitigation] = Field(
        default=[
            NamedMitigation(name="readout", readout="calibrated"),
            NamedMitigation(name="zne", noise_factors=[1, 3]),
            NamedMitigation(name="readout and zne", readout="calibrated", noise_factors=[1, 3]),
        ]
    )
    """Mitigations that are compared with the device without mitigation, each a table of keys of `execution.mitigation`
    and a name. Calibrations and circuits with folded gates count in the shots."""


class BudgetConfig(Section):
    """Shot-noise studies of `qep budget`."""

    samples: Count = 4
    """Number of training samples whose mean gradient is studied; all samples if there are fewer."""
    shots: list[Shots] = Field(default=[1, 10, 100, 1000, 10_000, 100_000], min_length=1)
    """Shots per batch."""
    betas: list[Beta] | None = Field(default=None, min_length=1)
    """Nudges; by default `num_betas` values around the optimal ones that the pilots predict."""
    num_betas: int = Field(default=8, gt=1)
    """Number of nudges if `betas` is not given."""
    contrasts: list[Annotated[str, _OfStudy(STENCILS)]] = Field(
        default=["one_sided", "one_sided_negative", "symmetric", "four_point"], min_length=1
    )
    """Contrasts; the suffix ``_negative`` of a one-sided contrast selects a negative nudge."""
    signals: list[Literal["measured", "known"]] = Field(default=["measured"], min_length=1)
    """Whether error signals are measured with the same shots, as in training, or known exactly, or both."""
    repeats: int = Field(default=50, ge=2)
    """Number of estimates at every point."""
    pilot_shots: int = Field(default=10_000, ge=32)
    """Shots per batch of the pilots that determine the model curves."""
    reference: Literal["exact", "prepared"] = "exact"
    """Reference for errors: the gradient of exact eigenstates (up to 14 spins), or that of the states as they are
    prepared."""
    comparison_shots: list[Shots] = Field(default=[100, 1000], min_length=1)
    """Shots per batch of the contrast; other methods are compared with it at equal total shots."""
    size: SizeStudyConfig = SizeStudyConfig()
    """Study of size."""
    ramp: RampStudyConfig = RampStudyConfig()
    """Study of the ramp."""
    step: StepStudyConfig = StepStudyConfig()
    """Study of samples against shots."""
    training: TrainingStudyConfig = TrainingStudyConfig()
    """Study of loss against shots."""
    noise: NoiseStudyConfig = NoiseStudyConfig()
    """Study of device noise."""
