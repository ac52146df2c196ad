"""Mean squared error of a contrast as a function of nudge and shots, and the best nudge and allocation of shots.

With D(beta) the contrast of order p (1 one-sided, 2 symmetric, 4 four-point), g the gradient and m shots in each batch,

    D(beta) = g + c beta^p + ... ,    Var D = (sum_g S_g / fraction_g) / (m beta^2) + signals / m ,
    E|D - g|^2 = |c|^2 beta^(2p) + Var D .

With a(beta) = <dH/dw>_beta, c is a''/2 for one-sided and a'''/6 for symmetric contrasts, and V = 1 - <P>^2 gives
S = 2V and V/2: the best nudges are (8V/(m a''^2))^(1/4) and (9V/(m a'''^2))^(1/6). Errors are summed over the trainable
weights, because one nudge serves all of them. The noise of error signals (losses on expectations) does not fall with
beta; in one-sided contrasts it is correlated with the free phase, which gives a part proportional to 1/beta.

A pilot measures the bias beyond its leading order, with an uncertainty: the posterior of `bias_fit` replaces
|c|^2 beta^(2p), and the S_g measured at its nudges replace constants. The best nudge then has the least expected
logarithm of the error, and an error is stated with a confidence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.json_record import JsonRecord
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.learning.bias_fit import NODES, THREE, BiasCurve

_FOLDS_OF_BETA = 4.0
_SEARCHED = 161


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorModel(JsonRecord):
    """Mean squared error of a gradient, summed over the trainable weights.

    Args:
        order: Leading power p of beta in the bias.
        bias_squared: |c|^2, so that the bias is |c| beta^p; not negative.
        shot_variance: S_g of every group: beta^2 times shots times variance, at fixed error signals.
        signal_variance: Shots times the variance from error signals, at any beta; belongs to `signal_group`.
        cross_variance: beta times shots times the part correlated with a free phase (one-sided contrasts).
        gradient_squared: |g|^2, or zero where unknown.
        signal_group: Index of the group that measures the outputs.
        beta_scale: Nudge at which the model was measured; the search for the best nudge starts there.
        most_beta: Largest nudge that a pilot could measure, where stronger ones may have no equilibrium; None for no
            limit.
        curve: Posterior of the bias, which replaces `bias_squared`; None for the leading order alone.
        levels: Magnitudes of the nudges at which S_g was measured, ascending; empty where it is constant.
        level_variance: S_g of every group at each of these nudges.
        level_signals: Shots times the variance from error signals at each of these nudges, all parts together; empty
            where `signal_variance` and `cross_variance` hold at all nudges.
        variance_deviation: Relative standard deviation of the measured variances.

    Example:
        >>> model = qep.ErrorModel(order=2, bias_squared=1.0, shot_variance=(0.5,))
        >>> round(model.bias(0.1), 3), round(model.variance(0.1, shots=100), 3)
        (0.01, 0.5)
        >>> round(model.best_beta(shots=100), 3)
        0.368
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
    curve: BiasCurve | None = None
    levels: tuple[float, ...] = ()
    level_variance: tuple[tuple[float, ...], ...] = ()
    level_signals: tuple[float, ...] = ()
    variance_deviation: float = 0.0

    def bias(self, beta: float) -> float:
        """Return the root mean square length of the bias at a nudge."""
        return float(np.sqrt(self._bias_squares(beta).mean()))

    def _bias_squares(self, beta: NDArray | float) -> NDArray[np.float64]:
        """Equally likely values of the squared bias, shape (nodes, *shape of beta); one node without a posterior."""
        if self.curve is not None:
            return self.curve.at(beta, self.order)
        return self.bias_squared * np.abs(np.asarray(beta, dtype=float))[None] ** (2 * self.order)

    def group_variances(self, beta: float) -> NDArray[np.float64]:
        """Return shots times variance of every group at a nudge, shape (groups,)."""
        return self._variances(np.array([beta]))[0]

    def _variances(self, betas: NDArray) -> NDArray[np.float64]:
        """Shots times variance at several nudges, shape (nudges, groups)."""
        parts = np.broadcast_to(np.array(self.shot_variance), (len(betas), len(self.shot_variance))).copy()
        signals = self.signal_variance + self.cross_variance / betas
        if self.levels:
            x, known = np.log(np.abs(betas)), np.log(self.levels)
            parts = np.stack([np.interp(x, known, column) for column in np.array(self.level_variance).T], axis=1)
            signals = np.interp(x, known, self.level_signals) if self.level_signals else signals
        parts /= betas[:, None] ** 2
        parts[:, self.signal_group] += signals
        return np.maximum(parts, 0.0)

    def variance(self, beta: float, shots: float, shot_fractions: NDArray | None = None) -> float:
        """Return the summed variance of the gradient at a nudge.

        Args:
            beta: The nudge.
            shots: Shots per batch, the mean over groups.
            shot_fractions: Shots of each group over that mean, shape (groups,); equal by default.
        """
        return _by_shots(self.group_variances(beta), shots, shot_fractions)

    def error(self, beta: float, shots: float, shot_fractions: NDArray | None = None) -> float:
        """Return the root mean squared error: the length of the deviation from the true gradient.

        Args:
            beta: The nudge.
            shots: Shots per batch, the mean over groups.
            shot_fractions: Shots of each group over that mean, shape (groups,); equal by default.
        """
        return float(np.sqrt(self._squares(np.array([beta]), shots, shot_fractions).mean()))

    def error_quantile(
        self, beta: float, shots: float, shot_fractions: NDArray | None = None, *, confidence: float
    ) -> float:
        """Return the error that is not exceeded with a given probability.

        Bias and variance are uncertain, and so is the response to error signals: it is that of the contrast where there
        is no bias, but may differ by `order` times the bias, because the bias grows with a power of the signals.

        Args:
            beta: The nudge.
            shots: Shots per batch, the mean over groups.
            shot_fractions: Shots of each group over that mean, shape (groups,); equal by default.
            confidence: Probability that the error is not exceeded.
        """
        bias, parts = self._bias_squares(beta)[:, None, None], self._variances(np.array([beta]))[0]
        own = replace(self, signal_variance=0.0, cross_variance=0.0, level_signals=())._variances(np.array([beta]))[0]
        own, signals = (_by_shots(part, shots, shot_fractions) for part in (own, parts - own))
        share = np.sqrt(np.minimum(bias / self.gradient_squared, 1.0)) if self.gradient_squared > 0.0 else 0.0
        squares = bias + own * np.exp(self.variance_deviation * THREE)[:, None]
        squares = squares + signals * np.maximum(1.0 + self.order * share * THREE, 0.0)
        squares = np.sort(squares, axis=None)
        middles = (np.arange(len(squares)) + 0.5) / len(squares)
        return float(np.sqrt(np.interp(confidence, middles, squares)))

    def _squares(self, betas: NDArray, shots: float, shot_fractions: NDArray | None) -> NDArray[np.float64]:
        """Equally likely mean squared errors, shape (nodes, nudges)."""
        parts = self._variances(betas) / (1.0 if shot_fractions is None else shot_fractions) / shots
        return self._bias_squares(betas) + parts.sum(axis=1)

    def best_beta(self, shots: float, shot_fractions: NDArray | None = None, *, sign: float = 1.0) -> float:
        """Return the nudge with the smallest error at given shots.

        Where the bias has a posterior, it is the nudge with the least expected logarithm of the error.

        Args:
            shots: Shots per batch, the mean over groups.
            shot_fractions: Shots of each group over that mean, shape (groups,); equal by default.
            sign: Sign of the nudge.
        """
        return self._least(lambda betas: np.log(self._squares(betas, shots, shot_fractions)).mean(axis=0), sign)[0]

    def _least(self, objective: Callable[[NDArray], NDArray], sign: float) -> tuple[float, float]:
        """Nudge with the least value of a function of nudges, and that value."""
        scale = np.log(self.beta_scale)
        most = np.inf if self.most_beta is None else np.log(self.most_beta)
        if self.curve is not None:
            most = min(most, float(np.log(self.curve.betas[-1])))
        least = scale - _FOLDS_OF_BETA if not self.levels else float(np.log(self.levels[0])) - _FOLDS_OF_BETA
        ends = least, min(scale + _FOLDS_OF_BETA, most)
        grid = np.linspace(*ends, _SEARCHED)
        near = int(np.argmin(objective(sign * np.exp(grid))))
        found = minimize_scalar(
            lambda x: float(objective(sign * np.exp(np.array([x])))[0]),
            bounds=(grid[max(near - 1, 0)], grid[min(near + 1, _SEARCHED - 1)]),
            method="bounded",
        )
        return sign * float(np.exp(found.x)), float(found.fun)

    def best_shot_fractions(self, beta: float, batches: NDArray) -> NDArray[np.float64]:
        """Return the shots of each group over the mean of all batches that give the least variance at equal cost.

        Args:
            beta: The nudge.
            batches: Batches of each group in one gradient, shape (groups,).
        """
        wanted = np.sqrt(self.group_variances(beta) / np.maximum(batches, 1))
        if not wanted.any():
            return np.ones(len(wanted))
        wanted = np.maximum(wanted, 0.05 * wanted.max())
        return wanted * batches.sum() / (wanted @ batches)

    def shots_for(
        self, error: float, shot_fractions: NDArray | None = None, *, sign: float = 1.0, confidence: float | None = None
    ) -> tuple[float, float]:
        """Return the fewest shots per batch that reach an error, and the nudge for them.

        Args:
            error: Root mean squared error to reach, in units of the gradient.
            shot_fractions: Shots of each group over their mean, shape (groups,); equal by default.
            sign: Sign of the nudge.
            confidence: Probability that the error is not exceeded; None for the expected error.

        Raises:
            ConfigError: The error is not positive, or not reached with 1e12 shots.
        """
        if error <= 0:
            raise ConfigError(f"target error: expected a number above zero, got {error}")

        def least(log_shots: float) -> tuple[float, float]:
            def objective(betas: NDArray) -> NDArray:
                squares = self._squares(betas, float(np.exp(log_shots)), shot_fractions)
                return np.log(squares.mean(axis=0) if confidence is None else _quantile(squares, confidence))

            return self._least(objective, sign)

        def excess(log_shots: float) -> float:
            return 0.5 * least(log_shots)[1] - float(np.log(error))

        low, high = 0.0, float(np.log(1e12))
        if excess(low) <= 0:
            return 1.0, least(low)[0]
        if excess(high) > 0:
            raise ConfigError(f"target error: {error:.3g} is not reached with 1e12 shots a batch; choose a larger one")
        found = float(brentq(excess, low, high, xtol=1e-4))
        return float(np.exp(found)), least(found)[0]

    def shots_at(
        self, beta: float, error: float, shot_fractions: NDArray | None = None, *, confidence: float | None = None
    ) -> float:
        """Return the shots per batch with which a nudge reaches an error; infinite where its bias alone is larger.

        Args:
            beta: The nudge.
            error: Root mean squared error to reach, in units of the gradient.
            shot_fractions: Shots of each group over their mean, shape (groups,); equal by default.
            confidence: Probability that the error is not exceeded by the bias; None for the expected error.
        """
        squares = self._bias_squares(np.array([beta]))
        bias = squares.mean(axis=0) if confidence is None else _quantile(squares, confidence)
        left = error**2 - float(bias[0])
        return max(1.0, self.variance(beta, 1.0, shot_fractions) / left) if left > 0 else float("inf")


def _by_shots(group_variances: NDArray, shots: float, shot_fractions: NDArray | None) -> float:
    """Return the variance summed over groups, shape (groups,) for one shot, divided by the shots of each group."""
    return float((group_variances / (1.0 if shot_fractions is None else shot_fractions)).sum() / shots)


def _quantile(squares: NDArray, confidence: float) -> NDArray[np.float64]:
    """Quantile of equally likely values in ascending order, shape (nodes, ...)."""
    if len(squares) == 1:
        return squares[0]
    place = np.interp(confidence, NODES, np.arange(len(NODES)))
    low, part = int(place), place - int(place)
    return squares[low] * (1.0 - part) + squares[min(low + 1, len(NODES) - 1)] * part


def split_shots(shots: int, shot_fractions: NDArray) -> tuple[int, ...]:
    """Return whole shots for every group or phase; at least two each, or one where there is one shot.

    Args:
        shots: Shots of each in an equal split.
        shot_fractions: Shots of each over that number, shape (groups,) or (phases,).
    """
    least = min(shots, 2)
    return tuple(max(least, round(shots * float(share))) for share in shot_fractions)
