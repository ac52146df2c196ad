"""Keys of shots and nudges: how many, how they are shared, split and chosen."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from qep_qiskit.config.kinds import Known
from qep_qiskit.config.section import Beta, Section, Shots, ShotsOrExact, parsed_shots
from qep_qiskit.learning import STENCILS
from qep_qiskit.learning.replicates import FEWEST_REPLICATES
from qep_qiskit.learning.shot_schedule import FEWEST_LEVELS, MOST_LEVELS


class AdaptiveConfig(Section):
    """Shots that are raised when gradients of successive steps, sunk into their noise, no longer point the same way."""

    window: int = Field(default=10, gt=1)
    """Steps over which the products of successive gradients are averaged before shots may be raised."""
    signal_to_noise: float = Field(default=0.0, ge=0)
    """Mean product of successive gradients over the squared length that shot noise alone gives, below which shots are
    raised."""
    growth: float = Field(default=2.0, gt=1)
    """Factor by which they are."""
    max_shots: Shots = 10_000
    """Shots per batch beyond which they are not."""


class MeasurementConfig(Section):
    """Shots."""

    shots: ShotsOrExact = 200
    """Shots per batch: per sample, phase and commuting group; ``exact`` for expectations without noise."""
    test_shots: Shots | None = None
    """Shots per batch on the test set, with the first and the final weights, and in predictions; `shots` by default."""
    allocation: Literal["equal", "optimal"] = "equal"
    """``optimal`` splits the same shots between the groups by a pilot's variances; `shots` is then the mean."""
    grouping: Literal["shared", "qubit_wise", "cover", "per_weight"] = "shared"
    """What shares its shots: the Hamiltonian's commuting groups; qubit-wise commuting groups found among all Pauli
    strings; few bases that read every Pauli string of weights, cost and outputs (``cover``: a Pauli string is read in
    each that can, and its estimates are averaged); or nothing, each weight measured on its own."""
    error_bars: Literal["propagated", "replicated"] = "propagated"
    """Where standard errors come from: the covariances of the shots, ``propagated`` through error signals and
    contrast; or the scatter of independent replicates of the step, ``replicated``, which takes nothing for granted."""
    replicates: int = Field(default=4, ge=FEWEST_REPLICATES)
    """Replicates that the shots of a step are split into with ``error_bars = "replicated"``; the same shots in all,
    so `shots` must be a multiple."""
    remove_signal_bias: bool = False
    """Take off what noisy error signals bias a gradient by, as the replicates (three or more) show it; the variance
    grows by about a half with one output, and more with several. Worth it where the metrics say
    ``signal_bias_resolved``."""
    adaptive: AdaptiveConfig | None = None
    """Raise the shots as the gradient sinks into their noise; `shots` is then the number to begin with."""

    @property
    def batch_shots(self) -> int | None:
        """Shots per batch, None for exact expectations."""
        return parsed_shots(self.shots)


class PilotConfig(Section):
    """Pilots, which measure contrasts at several nudges to find the best one."""

    every: int = Field(default=10, ge=0)
    """Epochs between pilots; 0 for one at the start only."""
    levels: int = Field(default=6, ge=FEWEST_LEVELS, le=MOST_LEVELS)
    """Nudges of the first pilot, each twice the one before; later pilots take three."""
    first_beta: Beta | None = None
    """The smallest of them; by default a tenth of max|coefficient| / range(C)."""
    shots_factor: int = Field(default=10, ge=1)
    """Shots of the first pilot over those of a step; later ones have as many as a step."""


class ContrastConfig(Section):
    """Nudges."""

    kind: Annotated[str, Known(STENCILS, more=("fluctuations",))] = "symmetric"
    """Stencil of nudged phases; or none, ``fluctuations``: covariances in Gibbs states (`preparation.kind =
    "thermal"`), of classical networks with shots or exact, of quantum networks exact only."""
    beta: float | Literal["auto"] = 0.3
    """Nudge strength; of either sign for ``one_sided``. ``auto``: the best one for the given shots, by pilots."""
    pilot: PilotConfig = PilotConfig()
    """Pilots, for ``beta = "auto"`` and ``allocation = "optimal"``."""
