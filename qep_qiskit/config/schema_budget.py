"""Keys of shot-noise studies (`qep budget`)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from qep_qiskit.config.kinds import Known, refused
from qep_qiskit.config.schema_execution import MitigationConfig
from qep_qiskit.config.section import Beta, Section, Shots
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.learning import STENCILS, of_sign, study_names


class _OfStudy(Known):
    """A contrast by its name in a study, where one-sided ones may nudge to the other side."""

    @property
    def names(self) -> tuple[str, ...]:
        """The package's own names."""
        return study_names()

    def _checked(self, name: str) -> str:
        if name not in self.names:
            try:
                of_sign(name)
            except ConfigError as error:
                raise refused(error) from None
        return name


class TrainingStudyConfig(Section):
    """Loss and accuracy against shots spent (``--study training``)."""

    shots: list[Shots] = Field(default=[1, 10, 100], min_length=1)
    """Budgets: shots per batch, the same from the first step to the last."""
    seeds: int = Field(default=5, gt=0)
    """Runs of each budget, with the configuration's seed and those after it."""
    adaptive_from: list[Shots] = Field(default=[10])
    """Budgets that adapt: shots per batch to begin with, raised as `measurement.adaptive` says."""


class NamedMitigation(MitigationConfig):
    """What is switched on together; by default calibrated readout, `noise_factors = [1, 3]`, and both, one by one."""

    name: str
    """How figures and tables call it."""


class NoiseStudyConfig(Section):
    """The gradient study on a noisy device (``--study noise``)."""

    backend: str = "fake_manila"
    """Backend to compare with the ideal one; a noisy `execution` of the configuration goes before it."""
    calibration_shots: Shots = 4096
    """Shots of each calibration circuit, for mitigations that give none of their own."""
    mitigations: list[NamedMitigation] = Field(
        default=[
            NamedMitigation(name="readout", readout="calibrated"),
            NamedMitigation(name="zne", noise_factors=[1, 3]),
            NamedMitigation(name="readout and zne", readout="calibrated", noise_factors=[1, 3]),
        ]
    )
    """What to compare with the device as it is, each a table of keys of `execution.mitigation` and a name. Calibrations
    and folded circuits count in the shots."""


class BudgetConfig(Section):
    """What `qep budget` studies."""

    samples: int = Field(default=4, gt=0)
    """Training samples whose mean gradient is studied; all of them where there are fewer."""
    shots: list[Shots] = Field(default=[1, 10, 100, 1000, 10_000, 100_000], min_length=1)
    """Shots per batch."""
    betas: list[Beta] | None = Field(default=None, min_length=1)
    """Nudges; by default `num_betas` around the best ones that the pilots expect."""
    num_betas: int = Field(default=8, gt=1)
    """Number of nudges where they are not given."""
    contrasts: list[Annotated[str, _OfStudy(STENCILS)]] = Field(
        default=["one_sided", "one_sided_negative", "symmetric", "four_point"], min_length=1
    )
    """Contrasts; one with ``_negative`` behind the name of a one-sided one nudges to the other side."""
    signals: list[Literal["measured", "known"]] = Field(default=["measured"], min_length=1)
    """Whether error signals are measured with the same shots, as in training, or known exactly; or both."""
    repeats: int = Field(default=50, ge=2)
    """Estimates at every point."""
    pilot_shots: int = Field(default=10_000, ge=32)
    """Shots per batch of the pilots that the model curves come from."""
    reference: Literal["exact", "prepared"] = "exact"
    """What errors are counted from: the gradient of exact eigenstates (up to 14 spins), or that of the states as they
    are prepared."""
    comparison_shots: list[Shots] = Field(default=[100, 1000], min_length=1)
    """Shots per batch of the contrast with which other methods are compared at equal shots."""
    training: TrainingStudyConfig = TrainingStudyConfig()
    """Loss against shots."""
    noise: NoiseStudyConfig = NoiseStudyConfig()
    """Noise beyond shots."""
