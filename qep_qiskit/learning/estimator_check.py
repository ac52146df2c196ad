"""What goes together in the estimate of a gradient: contrast, preparation, loss, shots and replicates."""

from __future__ import annotations

from collections.abc import Sequence

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.learning.contrast import FLUCTUATIONS, HOLOMORPHIC, LINEAR_RESPONSE, NUDGELESS, Contrast
from qep_qiskit.learning.replicates import Replication
from qep_qiskit.measurement import MeasurementPlan
from qep_qiskit.network.cost_interface import Cost
from qep_qiskit.preparation import Preparation
from qep_qiskit.preparation.linear_response import LinearlyResponding

_FEWEST_COUPLED = 2
_NEEDED = {
    FLUCTUATIONS: "a FluctuationEstimator",
    LINEAR_RESPONSE: "a LinearResponseEstimator",
    HOLOMORPHIC: "a HolomorphicEstimator",
}


def check_contrast(contrast: Contrast, preparation: Preparation, nudgeless: str | None) -> None:
    """Check that an estimator is made for the kind of contrast, and that the preparation has nudged states for it.

    Args:
        contrast: The contrast.
        preparation: The preparation.
        nudgeless: The kind without nudges that the estimator is made for, or None.

    Raises:
        ConfigError: They do not go together.
    """
    kind = contrast.kind
    if (kind if kind in NUDGELESS else None) != nudgeless:
        needed = kind if kind in NUDGELESS else nudgeless
        raise ConfigError(f"kind: '{needed}' needs {_NEEDED[str(needed)]}, which takes no other kind")
    if isinstance(preparation, LinearlyResponding) and kind != LINEAR_RESPONSE:
        raise ConfigError(
            f"kind: a neural state answers a nudge at beta = 0 only, by its linear response; expected "
            f"'{LINEAR_RESPONSE}', got '{kind}'"
        )


def check_coupled_samples(given: Sequence[int | None], replication: Replication | None) -> None:
    """Check that error bars of a loss of a batch can be had: samples are no independent repeats of it.

    Args:
        given: All numbers of shots, None where exact.
        replication: Split of the shots into replicates, or None.

    Raises:
        ConfigError: They cannot.
    """
    replicates = 1 if replication is None else replication.replicates
    fewest = min((shots for shots in given if shots is not None), default=None)
    if fewest is not None and fewest < _FEWEST_COUPLED * replicates:
        raise ConfigError(
            f"shots: a loss over a batch takes at least {_FEWEST_COUPLED} shots"
            f"{' in every replicate' if replicates > 1 else ''}, because the scatter over samples says nothing of "
            f"its error; got {fewest}"
        )
    if replication is not None and replication.remove_signal_bias:
        raise ConfigError(
            "remove_signal_bias: goes with a loss of single samples; with a loss over a batch leave it out"
        )


def check_split_shots(shots: Sequence[int | None], plan: MeasurementPlan, *, each_weight: bool) -> None:
    """Check shots that are given for every group.

    Args:
        shots: Shots of every group.
        plan: Measurement plan of outputs and cost.
        each_weight: Whether each weight is measured on its own.

    Raises:
        ConfigError: They do not fit the groups, or there are no shared groups.
    """
    if each_weight:
        raise ConfigError("measurement: with each weight measured on its own, give one number of shots for all")
    if len(shots) != len(plan.groups):
        names = ", ".join(group.name for group in plan.groups)
        raise ConfigError(f"measurement: expected shots for the groups {names}, got {amount(len(shots), 'number')}")


def check_shots_by_error(*, by_error: bool, equal_nudges: bool) -> None:
    """Check that samples differ in their noise where shots are divided by their errors.

    Args:
        by_error: Whether shots are divided among the samples of a batch by their errors.
        equal_nudges: Whether all samples are nudged by the same energy.

    Raises:
        ConfigError: They do not.
    """
    if by_error and not equal_nudges:
        raise ConfigError(
            "shots_by_error: without equal nudges the contrasts of all samples are equally noisy, whatever their "
            "errors; set contrast.equal_nudges = true or leave it out"
        )


def check_shots_of_sizes(shots: Sequence[int | None], contrast: Contrast, cost: Cost, *, equal_nudges: bool) -> None:
    """Check that the free shots show the noise that sizes of equal nudges and contrasts share.

    Args:
        shots: Shots of the groups, None where exact.
        contrast: The contrast.
        cost: The cost.
        equal_nudges: Whether all samples are nudged by the same energy.

    Raises:
        ConfigError: One shot shows none.
    """
    if equal_nudges and cost.has_signals and 0.0 in contrast.betas and 1 in shots:
        raise ConfigError(
            "shots: expected at least 2 with equal nudges in a contrast that has a free phase, because one shot does "
            "not show the noise that both share, got 1; use contrast.kind = 'symmetric' or more shots"
        )
