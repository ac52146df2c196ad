"""The estimator that a kind of contrast needs."""

from __future__ import annotations

from qep_qiskit.learning.fluctuations import FluctuationEstimator
from qep_qiskit.learning.gradient import GradientEstimator
from qep_qiskit.learning.holomorphic import HolomorphicEstimator
from qep_qiskit.learning.linear_response import LinearResponseEstimator

_NUDGELESS = {kind.nudgeless: kind for kind in (FluctuationEstimator, LinearResponseEstimator, HolomorphicEstimator)}


def estimator_of(contrast_kind: str) -> type[GradientEstimator]:
    """Return the class of estimators for a kind of contrast.

    Args:
        contrast_kind: Kind of a `Contrast`.
    """
    return _NUDGELESS.get(contrast_kind, GradientEstimator)
