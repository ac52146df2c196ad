"""Minimisation of many smooth functions at once, by BFGS with a full inverse Hessian each.

All functions of a batch take their steps together: one call evaluates energies and gradients of every row that is not
finished. There are tens to hundreds of angles, and an energy costs far more than a product of such matrices, so a full
inverse Hessian is affordable. The one found for a free state is reused for its nudged states, and for the same state in
the next epoch. The line search meets the weak Wolfe conditions by bisection. Near the minimum, where differences of
energies are smaller than rounding errors, it uses the approximate Wolfe conditions (Hager & Zhang 2005, SIAM J. Optim.
16, 170).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_DECREASE, _CURVATURE = 1e-4, 0.9
_ROUNDING = 1e-14
_LONGEST_SEARCH = 30
_FIRST_STEP = 0.5

Objective = Callable[[NDArray, NDArray], tuple[NDArray, NDArray]]


@dataclass(slots=True, kw_only=True, eq=False)
class Descent:
    """State of a batch of minimisations: the accepted points, and the line search of every row.

    Args:
        points: Shape (rows, parameters), the points of lowest value.
        values: Shape (rows,), the function values there.
        gradients: Shape (rows, parameters), the gradients there.
        inverse_hessians: Shape (rows, parameters, parameters), the BFGS estimates.
        evaluations: Shape (rows,), number of evaluations.
        fresh: Shape (rows,), where no curvature was seen yet and the inverse Hessian is still the identity.
        direction: Shape (rows, parameters), the direction of the line search.
        slope: Shape (rows,), the slope along it.
        step: Shape (rows,), the step that is tried, in units of the direction.
        low: Shape (rows,), the longest step that was too short.
        high: Shape (rows,), the shortest step that was too long.
        tries: Shape (rows,), number of steps tried.
    """

    points: NDArray[np.float64]
    values: NDArray[np.float64]
    gradients: NDArray[np.float64]
    inverse_hessians: NDArray[np.float64]
    evaluations: NDArray[np.int64]
    fresh: NDArray[np.bool_]
    direction: NDArray[np.float64]
    slope: NDArray[np.float64]
    step: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    tries: NDArray[np.int64]

    @property
    def residuals(self) -> NDArray[np.float64]:
        """Norms of the gradients, shape (rows,)."""
        return _norm(self.gradients)


def descend(
    objective: Objective,
    points: NDArray,
    *,
    tolerance: float | NDArray,
    max_evaluations: int,
    inverse_hessians: NDArray | None = None,
) -> Descent:
    """Minimise a batch of functions by BFGS.

    Args:
        objective: Takes row numbers (some,) and their points (some, parameters); returns values (some,) and gradients.
        points: Shape (rows, parameters), the initial points.
        tolerance: A row has converged when the norm of its gradient is below; one number, or one per row.
        max_evaluations: Largest number of evaluations of every row.
        inverse_hessians: Shape (rows, parameters, parameters), initial estimates; NaN in rows without one.
    """
    count, size = points.shape
    tolerance = np.broadcast_to(tolerance, count)
    value, gradient = objective(np.arange(count), points)
    inverse, fresh = _known_or_identity(inverse_hessians, count, size)
    rows = Descent(
        points=points.copy(),
        values=value.copy(),
        gradients=gradient.copy(),
        inverse_hessians=inverse,
        evaluations=np.ones(count, dtype=np.int64),
        fresh=fresh,
        direction=np.zeros_like(points),
        slope=np.zeros(count),
        step=np.ones(count),
        low=np.zeros(count),
        high=np.full(count, np.inf),
        tries=np.zeros(count, dtype=np.int64),
    )
    active = np.flatnonzero((rows.residuals > tolerance) & (rows.evaluations < max_evaluations))
    _aim(rows, active)
    while active.size:
        trial = rows.points[active] + rows.step[active, None] * rows.direction[active]
        value, gradient = objective(active, trial)
        rows.evaluations[active] += 1
        accepted = _judge(rows, active, value, gradient)
        accepted_rows = active[accepted]
        _accept(rows, accepted_rows, trial[accepted], value[accepted], gradient[accepted])
        on_its_way = (_norm(rows.gradients[active]) > tolerance[active]) & (rows.evaluations[active] < max_evaluations)
        if len(accepted_rows) < len(active):
            on_its_way[~accepted] &= ~_turn_back_where_stuck(rows, active[~accepted])
        _aim(rows, accepted_rows)
        active = active[on_its_way]
    return rows


def _known_or_identity(known: NDArray | None, count: int, size: int) -> tuple[NDArray, NDArray[np.bool_]]:
    """Return the initial inverse Hessians, and the rows in which they are the identity."""
    inverse = np.tile(np.eye(size), (count, 1, 1))
    if known is None:
        return inverse, np.ones(count, dtype=bool)
    fresh = np.isnan(known[:, 0, 0])
    inverse[~fresh] = known[~fresh]
    return inverse, fresh


def _norm(gradients: NDArray) -> NDArray:
    return np.sqrt(np.einsum("rp,rp->r", gradients, gradients))


def _aim(rows: Descent, chosen: NDArray) -> None:
    """Set new directions, and the first steps along them."""
    gradient = rows.gradients[chosen]
    direction = -np.matmul(rows.inverse_hessians[chosen], gradient[:, :, None])[:, :, 0]
    slope = np.einsum("rp,rp->r", direction, gradient)
    uphill = slope >= 0
    if uphill.any():
        rows.inverse_hessians[chosen[uphill]] = np.eye(gradient.shape[1])
        rows.fresh[chosen[uphill]] = True
        direction[uphill] = -gradient[uphill]
        slope[uphill] = -np.einsum("rp,rp->r", gradient[uphill], gradient[uphill])
    length = np.sqrt(np.einsum("rp,rp->r", direction, direction))
    short = np.minimum(1.0, _FIRST_STEP / np.maximum(length, 1e-300))
    rows.direction[chosen], rows.slope[chosen] = direction, slope
    rows.step[chosen] = np.where(rows.fresh[chosen], short, 1.0)
    rows.low[chosen], rows.high[chosen], rows.tries[chosen] = 0.0, np.inf, 0


def _judge(rows: Descent, active: NDArray, value: NDArray, gradient: NDArray) -> NDArray[np.bool_]:
    """Return which trial points are accepted; for the others shrink the bracket and set the next step."""
    step, slope = rows.step[active], rows.slope[active]
    new_slope = np.einsum("rp,rp->r", gradient, rows.direction[active])
    rounding = _ROUNDING * (1.0 + np.abs(rows.values[active]))
    enough = value <= rows.values[active] + _DECREASE * step * slope
    nearly = (value <= rows.values[active] + rounding) & (new_slope <= (2 * _DECREASE - 1) * slope)
    descends = enough | nearly
    flat = new_slope >= _CURVATURE * slope
    accepted = descends & flat
    if not accepted.all():
        _shrink(rows, active, value, ~descends, descends & ~flat)
    return accepted


def _shrink(rows: Descent, active: NDArray, value: NDArray, too_long: NDArray, too_short: NDArray) -> None:
    """Narrow the brackets of rows whose step was too long or too short, and set their next steps."""
    step, slope = rows.step[active], rows.slope[active]
    rows.high[active[too_long]] = step[too_long]
    rows.low[active[too_short]] = step[too_short]
    low, high = rows.low[active], rows.high[active]
    between = np.where(np.isinf(high), 2.0 * step, (low + np.where(np.isinf(high), 0.0, high)) / 2.0)
    # Where the first trial overshoots, the minimum of the parabola through value and slope is a better guess.
    curvature = value - rows.values[active] - step * slope
    parabola = -slope * step**2 / (2.0 * np.maximum(curvature, 1e-300))
    guess = np.where(too_long & (low == 0.0), np.clip(parabola, 0.1 * step, 0.6 * step), between)
    rejected = too_long | too_short
    rows.step[active[rejected]] = guess[rejected]
    rows.tries[active[rejected]] += 1


def _accept(rows: Descent, accepted_rows: NDArray, point: NDArray, value: NDArray, gradient: NDArray) -> None:
    """Move to the accepted points, and update the inverse Hessians by the BFGS formula."""
    moved, turned = point - rows.points[accepted_rows], gradient - rows.gradients[accepted_rows]
    rows.points[accepted_rows], rows.values[accepted_rows], rows.gradients[accepted_rows] = point, value, gradient
    product = np.einsum("rp,rp->r", moved, turned)
    square = np.einsum("rp,rp->r", turned, turned)
    usable = product > 1e-12 * np.sqrt(square * np.einsum("rp,rp->r", moved, moved))
    chosen, s, y, rho = accepted_rows[usable], moved[usable], turned[usable], 1.0 / product[usable]
    first = rows.fresh[chosen]
    inverse = rows.inverse_hessians[chosen]
    if first.any():
        inverse[first] *= (product[usable] / square[usable])[first, None, None]
        rows.fresh[chosen] = False
    hy = np.matmul(inverse, y[:, :, None])[:, :, 0]
    scale = rho * (1.0 + rho * np.einsum("rp,rp->r", y, hy))
    cross = (rho[:, None] * hy)[:, :, None] * s[:, None, :]
    inverse += scale[:, None, None] * s[:, :, None] * s[:, None, :] - cross - cross.transpose(0, 2, 1)
    rows.inverse_hessians[chosen] = inverse


def _turn_back_where_stuck(rows: Descent, rejected: NDArray) -> NDArray[np.bool_]:
    """Restart long searches along the gradient; return True for rows that already searched along it."""
    exhausted = rows.tries[rejected] >= _LONGEST_SEARCH
    hopeless = exhausted & rows.fresh[rejected]
    again = rejected[exhausted & ~hopeless]
    rows.inverse_hessians[again] = np.eye(rows.points.shape[1])
    rows.fresh[again] = True
    if again.size:
        _aim(rows, again)
    return hopeless
