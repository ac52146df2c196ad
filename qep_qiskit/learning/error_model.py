"""How far a contrast is off, as a function of nudge and shots; and the best nudge and split of shots.

With D(beta) the contrast of order p (1 one-sided, 2 symmetric, 4 four-point), and m shots in each batch,

    D(beta) = g + c beta^p + ... ,    Var D = (sum_g S_g / share_g) / (m beta^2) + signals / m ,
    E|D - g|^2 = |c|^2 beta^(2p) + Var D .

With a(beta) = <dH/dw>_beta, c is a''/2 for one-sided and a'''/6 for symmetric contrasts, and V = 1 - <P>^2 gives
S = 2V and V/2: the best nudges are (8V/(m a''^2))^(1/4) and (9V/(m a'''^2))^(1/6). Everything is summed over the
weights that train: one nudge serves them all. The noise of error signals (losses on expectations) does not fall with
beta; in one-sided contrasts it is correlated with the free phase, which gives a part that goes as 1/beta.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar

from qep_qiskit.errors import ConfigError

__all__ = ["ErrorModel", "split_shots"]

_FOLDS_OF_BETA = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorModel:
    """Mean squared error of a gradient, summed over the weights that train.

    Args:
        order: Leading power p of beta in the bias.
        bias_squared: |c|^2, so that the bias is |c| beta^p; not negative.
        shot_variance: S_g for every group: beta^2 times shots times variance, at fixed error signals.
        signal_variance: Shots times the variance that error signals bring at any beta; it belongs to `signal_group`.
        cross_variance: beta times shots times the part that is correlated with a free phase (one-sided contrasts).
        gradient_squared: |g|^2, or zero where unknown.
        signal_group: The group that the outputs are read in.
        beta_scale: The nudge at which the model was measured; the search for the best one starts there.
        most_beta: The largest nudge that is known to hold, where stronger ones do not; None where there is no end.
    """

    order: int
    bias_squared: float
    shot_variance: tuple[float, ...]
    signal_variance: float = 0.0
    cross_variance: float = 0.0
    gradient_squared: float = 0.0
    signal_group: int = 0
    beta_scale: float = 0.1
    most_beta: float | None = None

    def record(self) -> dict[str, Any]:
        """Plain data, for checkpoints and reports."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> ErrorModel:
        """The inverse of `record`."""
        return cls(**{**record, "shot_variance": tuple(record["shot_variance"])})

    def bias(self, beta: float) -> float:
        """Length of the bias at a nudge."""
        return float(np.sqrt(self.bias_squared) * abs(beta) ** self.order)

    def group_variances(self, beta: float) -> NDArray[np.float64]:
        """Shots times variance that each group answers for at a nudge, shape (groups,)."""
        parts = np.array(self.shot_variance) / beta**2
        parts[self.signal_group] += self.signal_variance + self.cross_variance / beta
        return np.maximum(parts, 0.0)

    def variance(self, beta: float, shots: float, shares: NDArray | None = None) -> float:
        """Summed variance at a nudge.

        Args:
            beta: The nudge.
            shots: Shots per batch, the mean over groups.
            shares: Shape (groups,), shots of each group over that mean; equal by default.
        """
        parts = self.group_variances(beta)
        return float((parts / (1.0 if shares is None else shares)).sum() / shots)

    def error(self, beta: float, shots: float, shares: NDArray | None = None) -> float:
        """Root mean squared error, the length of the deviation from the true gradient."""
        return float(np.sqrt(self.bias(beta) ** 2 + self.variance(beta, shots, shares)))

    def best_beta(self, shots: float, shares: NDArray | None = None, *, sign: float = 1.0) -> float:
        """The nudge with the smallest error at given shots, positive unless a negative `sign` is asked for."""
        scale = np.log(self.beta_scale)
        most = np.inf if self.most_beta is None else np.log(self.most_beta)
        found = minimize_scalar(
            lambda x: np.log(self.error(sign * float(np.exp(x)), shots, shares)),
            bounds=(scale - _FOLDS_OF_BETA, min(scale + _FOLDS_OF_BETA, most)),
            method="bounded",
        )
        return sign * float(np.exp(found.x))

    def best_shares(self, beta: float, batches: NDArray) -> NDArray[np.float64]:
        """Shots of each group over the mean of all batches, with the least variance at equal cost.

        Args:
            beta: The nudge.
            batches: Shape (groups,), batches that each group takes in one gradient.
        """
        wanted = np.sqrt(self.group_variances(beta) / np.maximum(batches, 1))
        if not wanted.any():
            return np.ones(len(wanted))
        wanted = np.maximum(wanted, 0.05 * wanted.max())
        return wanted * batches.sum() / (wanted @ batches)

    def shots_for(self, error: float, shares: NDArray | None = None, *, sign: float = 1.0) -> tuple[float, float]:
        """Shots per batch and the nudge with which the error is reached most cheaply.

        Args:
            error: The root mean squared error to reach, in units of the gradient.
            shares: Shape (groups,), shots of each group over their mean; equal by default.
            sign: Of the nudge.

        Raises:
            ConfigError: It is out of reach for up to 1e12 shots.
        """
        if error <= 0:
            raise ConfigError(f"target error: expected a number above zero, got {error}")

        def excess(log_shots: float) -> float:
            shots = float(np.exp(log_shots))
            return float(np.log(self.error(self.best_beta(shots, shares, sign=sign), shots, shares) / error))

        low, high = 0.0, float(np.log(1e12))
        if excess(low) <= 0:
            return 1.0, self.best_beta(1.0, shares, sign=sign)
        if excess(high) > 0:
            raise ConfigError(
                f"target error: {error:.3g} is out of reach with 1e12 shots a batch; ask for a larger one"
            )
        shots = float(np.exp(brentq(excess, low, high, xtol=1e-4)))
        return shots, self.best_beta(shots, shares, sign=sign)


def split_shots(shots: int, shares: NDArray) -> tuple[int, ...]:
    """Whole shots for every group from the shots of an equal split; at least one each, two where there were two."""
    least = min(shots, 2)
    return tuple(max(least, round(shots * float(share))) for share in shares)
