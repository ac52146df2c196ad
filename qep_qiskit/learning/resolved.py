"""Whether a contrast is resolved: with too small a nudge, residuals of states or rounding hide it.

The gradient is then unknown and not zero: if nudged states stay at the free state, the contrast is exactly zero,
without noise.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from qep_qiskit.core.errors import UnresolvedContrastWarning
from qep_qiskit.core.warning_log import warn
from qep_qiskit.preparation import HamiltonianFamily
from qep_qiskit.preparation.resolution import Hidden

_GOOD = 0.01
_WORTH_SAYING = 1e-3


_ENOUGH = 0.25  # wanted standard error of the square of the part


def hidden_in(family: HamiltonianFamily, hidden: Hidden) -> Hidden:
    """Return the unknown part of a contrast, from residuals and rounding.

    Args:
        family: The Hamiltonians H + beta C. Energies of size sum |c| are rounded to eps sum |c|, so that the relative
            error of a nudge of size beta sum |c'| is about the ratio of the two.
        hidden: Part that residuals of iterative states leave unknown.

    Returns:
        The part with rounding added where that exceeds 1e-3; NaN where nothing is known.
    """
    free, nudge = np.abs(family.free).sum(), family.smallest_nudge * np.abs(family.nudge).sum()
    rounding = float(np.finfo(float).eps * free / nudge) if nudge > 0.0 else 0.0
    if rounding < _WORTH_SAYING:
        return hidden
    return replace(hidden, part=rounding if np.isnan(hidden.part) else hidden.part + rounding)


def warn_unresolved(hidden: Hidden, smallest: float) -> None:
    """Warn that a contrast is unknown, with the nudge that would resolve it, or that shots do not determine this.

    Args:
        hidden: Unknown part of the contrast.
        smallest: Smallest difference between the nudges of its phases.
    """
    unresolved = partial(warn, UnresolvedContrastWarning, of=1)
    detail = _what_is_hidden(hidden, smallest) if hidden.is_too_much else ""
    unresolved(
        "nudged states have not followed the nudge: their residuals, or rounding errors, hide the contrast, and the "
        "gradient is unknown, not zero. Give a larger contrast.beta, or a smaller preparation.tolerance (by default "
        "it follows beta); optimisers of sampled energies need more iterations (preparation.options)",
        detail=detail,
        affected=int(hidden.is_too_much and not hidden.is_random),
    )
    unresolved(
        "optimisers of sampled energies miss the minimum by more than the nudge moves it, in random directions: this "
        "averages out over many steps, but the error bars of a gradient do not include it. Raise preparation.shots or "
        "the iterations in preparation.options, or give a larger contrast.beta",
        detail=detail,
        affected=int(hidden.is_too_much and hidden.is_random),
        severity="warning",
    )
    unresolved(
        "it is unknown whether nudged states have followed the nudge: shot noise hides the slopes of sampled energies. "
        "Raise preparation.residual_shots (or residual_directions), or give a larger contrast.beta",
        detail=_what_would_tell(hidden) if hidden.is_undecided else "",
        affected=int(hidden.is_undecided),
        severity="note",
    )


def _what_is_hidden(hidden: Hidden, smallest: float) -> str:
    if hidden.square_error:
        lag = f"{hidden.lag:.0%} +- {hidden.lag_error:.0%}"
        return f"{hidden.part:.0%} +- {hidden.standard_error:.0%} of the contrast is unknown; {lag} of it lags behind"
    wanted = smallest * hidden.part / _GOOD
    return (
        f"{min(hidden.part, 1.0):.0%} of the contrast is unknown; phases that differ by {wanted:.1g} in beta instead "
        f"of {smallest:.1g} would determine it to 1 %"
    )


def _what_would_tell(hidden: Hidden) -> str:
    if not np.isfinite(hidden.square_error):
        return "the slopes of the cost are not known"
    times = max(2.0, hidden.square_error / _ENOUGH)
    return f"about {times:.0f} times the shots would decide it"
