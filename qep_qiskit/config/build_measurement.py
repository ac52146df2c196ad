"""Construction of the contrast and of the rules that choose nudge and shots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qep_qiskit.config.section import keys
from qep_qiskit.core.errors import ConfigError, NoShotsWarning
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.core.warning_log import warn
from qep_qiskit.learning import AdaptiveShots, Contrast, PilotSettings, Replication, ShotSchedule, first_beta
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.tasks import Dataset

if TYPE_CHECKING:
    from qep_qiskit.config.schema import Config


def build_contrast(config: Config, hamiltonian: NudgedHamiltonian, data: Dataset, seeds: Seeds) -> Contrast:
    """Return the contrast. With ``beta = "auto"`` its nudge is small until a pilot has chosen one.

    Args:
        config: The configuration.
        hamiltonian: Network and cost.
        data: The training samples.
        seeds: Root of the random streams.
    """
    section = config.contrast
    if section.beta != "auto":
        return Contrast(kind=section.kind, beta=section.beta)
    if section.pilot.first_beta is not None:
        return Contrast(kind=section.kind, beta=section.pilot.first_beta)
    weights = hamiltonian.network.layout.initial(seeds)
    return Contrast(kind=section.kind, beta=first_beta(hamiltonian, weights, data.inputs, data.targets))


def build_policy(config: Config) -> ShotSchedule:
    """Return the rule that chooses nudge and shots during training.

    Raises:
        ConfigError: A choice depends on shot noise and there is none, or the choices contradict each other.
    """
    measurement, contrast = config.measurement, config.contrast
    adaptive = None
    if measurement.adaptive is not None:
        with keys(measurement, "adaptive"):
            adaptive = AdaptiveShots(**measurement.adaptive.model_dump())
    if contrast.kind == "fluctuations" and (contrast.beta == "auto" or measurement.allocation == "optimal"):
        key = "contrast.beta = 'auto'" if contrast.beta == "auto" else "measurement.allocation = 'optimal'"
        raise ConfigError(f"contrast.kind: 'fluctuations' have no nudges, which {key} would choose by; leave it out")
    with keys(contrast, "pilot"):
        pilot = PilotSettings(**contrast.pilot.model_dump())
    policy = ShotSchedule(
        auto_beta=contrast.beta == "auto",
        optimal_split=measurement.allocation == "optimal",
        adaptive=adaptive,
        pilot=pilot,
    )
    shots = measurement.batch_shots
    if policy.active and shots is None:
        key = "contrast.beta = 'auto'" if policy.auto_beta else "measurement.allocation = 'optimal'"
        key = key if policy.uses_pilots else "measurement.adaptive"
        raise ConfigError(f"measurement.shots: {key} weighs shot noise; expected a number of shots, got 'exact'")
    if policy.optimal_split and measurement.grouping == "per_weight":
        raise ConfigError(
            "measurement.allocation: 'optimal' splits shots between shared batches; with grouping = 'per_weight' "
            "there are none, use 'equal'"
        )
    if adaptive is not None and shots is not None and adaptive.max_shots < shots:
        raise ConfigError(
            f"measurement.adaptive.max_shots: expected at least measurement.shots ({measurement.shots}), "
            f"got {adaptive.max_shots}"
        )
    return policy


def build_replication(config: Config) -> Replication | None:
    """Return how the shots of a step are split into replicates, or None.

    Raises:
        ConfigError: There are no shots to split, they are not a multiple of the replicates, or there is no signal bias
            to remove.
    """
    measurement = config.measurement
    if measurement.error_bars != "replicated":
        if measurement.remove_signal_bias:
            raise ConfigError("measurement.remove_signal_bias: goes with measurement.error_bars = 'replicated'")
        return None
    shots = shots_of(config)
    if shots is None:
        raise ConfigError("measurement.error_bars: 'replicated' splits shots; expected a number for measurement.shots")
    replication = Replication(replicates=measurement.replicates, remove_signal_bias=measurement.remove_signal_bias)
    replication.share(shots)
    return replication


def shots_of(config: Config) -> int | None:
    """Return the shots per batch; None for exact expectations, which atoms in equilibrium always have."""
    section = config.measurement
    if not config.network.has_shot_noise:
        if section.adaptive is not None or section.allocation == "optimal":
            key = "adaptive" if section.adaptive is not None else "allocation"
            raise ConfigError(f"measurement.{key}: an elastic network is at rest and has no shot noise; leave it out")
        if "shots" in section.model_fields_set and section.batch_shots is not None:
            warn(
                NoShotsWarning,
                "measurement.shots: an elastic network is at rest and has no shot noise; shots do not apply",
            )
        return None
    return section.batch_shots
