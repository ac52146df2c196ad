"""Keys of shots and nudges, and the contrast and the rules of shots that they build."""

from __future__ import annotations

from typing import Annotated, Literal

from qep_qiskit.config.kinds import Known
from qep_qiskit.config.section import Section, Shots, ShotsOrExact, keys, parsed_shots, same_as
from qep_qiskit.core.errors import ConfigError, NoShotsWarning
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.core.warning_log import warn
from qep_qiskit.learning import (
    STENCILS,
    AdaptiveShots,
    Contrast,
    GradientEstimator,
    PilotSettings,
    Replication,
    ShotSchedule,
    first_beta,
)
from qep_qiskit.learning.contrast import CHEBYSHEV, HOLOMORPHIC, NUDGELESS, Beta
from qep_qiskit.learning.measurement_plans import Grouping
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.tasks import Dataset


class AdaptiveConfig(Section):
    """Adaptive shots: shots increase when the gradients of successive steps are dominated by their noise."""

    window: int = same_as(AdaptiveShots, "window")
    """Steps over which the products of successive gradients are averaged before shots may increase."""
    signal_to_noise: float = same_as(AdaptiveShots, "signal_to_noise")
    """Threshold of the mean product of successive gradients over the squared length due to shot noise alone; shots
    increase below it."""
    growth: float = same_as(AdaptiveShots, "growth")
    """Factor by which shots increase."""
    max_shots: int = same_as(AdaptiveShots, "max_shots")
    """Largest number of shots per batch."""


class MeasurementConfig(Section):
    """Number and allocation of shots."""

    shots: ShotsOrExact = 200
    """Shots per batch: per sample, phase and commuting group; ``exact`` for expectations without noise. With
    ``contrast.kind = "chebyshev"`` the mean over the phases."""
    test_shots: Shots | None = None
    """Shots per batch on the test set, for the initial and the final weights, and in predictions; `shots` by
    default."""
    allocation: Literal["equal", "optimal"] = "equal"
    """``optimal`` divides the same number of shots between the groups according to the variances of a pilot; `shots` is
    then the mean."""
    shots_by_error: bool = same_as(GradientEstimator, "shots_by_error")
    """Divide the shots of the phases of a contrast among the samples of a batch in proportion to their errors, where
    nudges are equal (`contrast.equal_nudges`); `shots` is then the mean. Samples that are right need few."""
    grouping: Grouping = same_as(GradientEstimator, "grouping")
    """Terms that share shots: the Hamiltonian's commuting groups; qubit-wise commuting groups of all Pauli strings; a
    small number of bases that cover every Pauli string of weights, cost and outputs (``cover``: a Pauli string is
    estimated in each basis that allows it, and the estimates are averaged); or none, each weight measured
    separately."""
    error_bars: Literal["propagated", "replicated"] = "propagated"
    """Origin of standard errors: ``propagated``, from the covariances of the shots through error signals and contrast;
    or ``replicated``, from the scatter of independent replicates of the step, without further assumptions."""
    replicates: int = same_as(Replication, "replicates")
    """Number of replicates into which the shots of a step are divided with ``error_bars = "replicated"``; the total
    stays the same, so `shots` must be a multiple."""
    remove_signal_bias: bool = same_as(Replication, "remove_signal_bias")
    """Subtract the bias of the gradient that noisy error signals cause, as estimated from three or more replicates. The
    variance grows by about a half with one output, and more with several. Useful where the metrics say
    ``signal_bias_resolved``."""
    adaptive: AdaptiveConfig | None = None
    """Increase the shots when the gradient is dominated by shot noise; `shots` is then the initial number."""

    @classmethod
    def idle_with(cls, key: str, value: str) -> tuple[str, ...]:
        """Return the keys that have no effect with other error bars."""
        return ("replicates", "remove_signal_bias") if key == "error_bars" and value != "replicated" else ()

    @property
    def batch_shots(self) -> int | None:
        """Shots per batch, None for exact expectations."""
        return parsed_shots(self.shots)

    def estimator_shots(self, *, has_shot_noise: bool) -> int | None:
        """Return the shots per batch, None for exact expectations.

        Args:
            has_shot_noise: Whether results of the network have shot noise; atoms in equilibrium are always exact.

        Raises:
            ConfigError: Shots are to be allocated, divided or to increase, and there is no shot noise.
        """
        if has_shot_noise:
            if self.shots_by_error and self.batch_shots is None:
                raise ConfigError(
                    "measurement.shots: measurement.shots_by_error divides shots among samples; expected a number of "
                    "shots, got 'exact'"
                )
            return self.batch_shots
        rules = {
            "adaptive": self.adaptive is not None,
            "allocation": self.allocation == "optimal",
            "shots_by_error": self.shots_by_error,
        }
        for key in (name for name, is_given in rules.items() if is_given):
            raise ConfigError(f"measurement.{key}: an elastic network is at rest and has no shot noise; leave it out")
        if "shots" in self.model_fields_set and self.batch_shots is not None:
            warn(
                NoShotsWarning,
                "measurement.shots: an elastic network is at rest and has no shot noise; shots do not apply",
            )
        return None

    def replication(self, shots: int | None) -> Replication | None:
        """Return how the shots of a step are split into replicates, or None.

        Args:
            shots: Shots per batch, None for exact expectations.

        Raises:
            ConfigError: There are no shots to split, they are not a multiple of the replicates, or there is no signal
                bias to remove.
        """
        if self.error_bars != "replicated":
            why = "goes with measurement.error_bars = 'replicated'"
            self.refuse_given(("replicates", "remove_signal_bias"), why, within="measurement.")
            return None
        if shots is None:
            raise ConfigError(
                "measurement.error_bars: 'replicated' splits shots; expected a number for measurement.shots"
            )
        replication = self.made(Replication)
        replication.share(shots)
        return replication


class PilotConfig(Section):
    """Pilot measurements of contrasts at several nudges, which determine the optimal nudge."""

    every: int = same_as(PilotSettings, "every")
    """Epochs between pilots; 0 for a single one at the start."""
    levels: int = same_as(PilotSettings, "levels")
    """Number of nudges of the first pilot, each twice the previous one; later pilots have three."""
    first_beta: float | None = same_as(PilotSettings, "first_beta")
    """Smallest nudge; by default a tenth of max|coefficient| / range(C)."""
    shots_factor: int = same_as(PilotSettings, "shots_factor")
    """Ratio of the shots of the first pilot to those of a step; later pilots have as many shots as a step."""


class ContrastConfig(Section):
    """Nudged phases of the gradient estimate."""

    kind: Annotated[str, Known(STENCILS, more=(CHEBYSHEV, *NUDGELESS))] = same_as(Contrast, "kind")
    """Stencil of nudged phases; ``chebyshev`` has the smallest bias, at more noise: it pays with many shots. Or,
    without measured nudges, the derivative at beta = 0: ``fluctuations``, covariances in Gibbs states
    (`preparation.kind = "thermal"`), for classical networks with shots or exact, for quantum networks exact only;
    ``linear_response`` of the free state, with `preparation.kind = "neural"` or ``"exact"``; ``holomorphic``, complex
    nudges on a circle, for exact states, ``thermal`` ones, oscillators and elastic networks."""
    beta: float | Literal["auto"] = same_as(Contrast, "beta")
    """Nudge strength beta; of either sign for ``one_sided``; with ``chebyshev`` half the width of the interval of the
    nodes. ``auto``: the optimal one for the given shots, determined
    by pilots."""
    order: Literal[4, 6, 8] | None = None
    """Number of nodes of ``kind = "chebyshev"``, by default 4; the bias is of this order in beta. At equal beta and
    total shots the variance is 11.4, 28.8 or 54 times that of two points at +-beta."""
    equal_nudges: bool = same_as(GradientEstimator, "equal_nudges")
    """Nudge all samples by the same energy: the nudge of a sample is divided by its largest coefficient, its contrast
    multiplied by it, and ``beta`` is that energy. Otherwise samples with small errors have small nudges, and their
    contrasts have as much shot noise as all others, although they hardly matter."""
    points: int = same_as(Contrast, "points")
    """Number of complex nudges of ``kind = "holomorphic"`` on their circle; the error falls as (radius / rho)^points,
    with rho the distance to the nearest exceptional point (`convergence_radius` in the metrics)."""
    radius: Beta | Literal["auto"] = "auto"
    """Radius of this circle. ``auto``: a small one, where truncation and rounding are about equal."""
    pilot: PilotConfig = PilotConfig()
    """Pilots, for ``beta = "auto"`` and ``allocation = "optimal"``."""

    @classmethod
    def idle_with(cls, key: str, value: str) -> tuple[str, ...]:
        """Return the keys that have no effect with a new kind."""
        if key != "kind":
            return ()
        names = [] if value == CHEBYSHEV else ["order"]
        names += [] if value == HOLOMORPHIC else ["points", "radius"]
        return tuple(names + (["beta", "equal_nudges", "pilot"] if value in NUDGELESS else []))

    def build(self, hamiltonian: NudgedHamiltonian, data: Dataset, seeds: Seeds) -> Contrast:
        """Return the contrast. With ``beta = "auto"`` its nudge is small until a pilot has chosen one.

        Raises:
            ConfigError: A key has no effect with this kind.
        """
        self.refuse_idle(
            dict.fromkeys(("points", "radius"), (self.kind == HOLOMORPHIC, "contrast.kind = 'holomorphic'"))
        )
        if self.kind in NUDGELESS:
            idle = () if self.beta == "auto" else ("beta",)  # `schedule` says what "auto" needs
            self.refuse_given((*idle, "equal_nudges", "pilot"), f"'{self.kind}' has no real nudges to measure")
        if self.kind == HOLOMORPHIC:
            radius = None if self.radius == "auto" else self.radius
            return Contrast(kind=self.kind, points=self.points, radius=radius, order=self.order or 0)
        beta = self.pilot.first_beta if self.beta == "auto" else self.beta
        if beta is None:
            weights = hamiltonian.network.layout.initial(seeds)
            beta = first_beta(hamiltonian, weights, data.inputs, data.targets, equal_nudges=self.equal_nudges)
        return Contrast(kind=self.kind, beta=beta, order=self.order or 0)

    def schedule(self, measurement: MeasurementConfig) -> ShotSchedule:
        """Return the rule that chooses nudge and shots during training.

        Raises:
            ConfigError: A choice depends on shot noise and there is none, or the choices contradict each other.
        """
        automatic, optimal = self.beta == "auto", measurement.allocation == "optimal"
        pilot_key = "contrast.beta = 'auto'" if automatic else "measurement.allocation = 'optimal'"
        adaptive = None
        if measurement.adaptive is not None:
            with keys(measurement, "adaptive"):
                adaptive = measurement.adaptive.made(AdaptiveShots)
        if self.kind in NUDGELESS and (automatic or optimal):
            raise ConfigError(
                f"contrast.kind: '{self.kind}' has no nudges, which {pilot_key} would choose by; leave it out"
            )
        with keys(self, "pilot"):
            pilot = self.pilot.made(PilotSettings)
        policy = ShotSchedule(auto_beta=automatic, optimal_split=optimal, adaptive=adaptive, pilot=pilot)
        if not policy.uses_pilots and self.kind not in NUDGELESS:
            why = "goes with contrast.beta = 'auto' or measurement.allocation = 'optimal'"
            self.pilot.refuse_given(PilotConfig.model_fields, why, within="contrast.pilot.")
        shots = measurement.batch_shots
        if policy.active and shots is None:
            key = pilot_key if policy.uses_pilots else "measurement.adaptive"
            raise ConfigError(f"measurement.shots: {key} weighs shot noise; expected a number of shots, got 'exact'")
        if optimal and measurement.grouping == "per_weight":
            raise ConfigError(
                "measurement.allocation: 'optimal' splits shots between shared batches; with grouping = 'per_weight' "
                "there are none, use 'equal'"
            )
        if adaptive is not None and shots is not None and adaptive.max_shots < shots:
            raise ConfigError(
                f"measurement.adaptive.max_shots: expected at least measurement.shots ({shots}), "
                f"got {adaptive.max_shots}"
            )
        return policy
