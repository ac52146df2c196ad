"""Ramps: how a Hamiltonian is turned on over the steps of an adiabatic preparation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.limits import Count, Positive, check_limits

RampShape = Literal["linear", "cosine", "smoothstep"]

RAMPS: dict[str, Callable[[NDArray], NDArray]] = {
    "linear": lambda t: t,
    "cosine": lambda t: (1.0 - np.cos(np.pi * t)) / 2.0,
    "smoothstep": lambda t: t * t * (3.0 - 2.0 * t),
}


END_CURVATURES: dict[str, float | None] = {"linear": None, "cosine": np.pi**2 / 2.0, "smoothstep": 6.0}
"""Second derivative d2s/dx2 of every ramp at its ends, x = t / T; None for a ramp with a kink there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp:
    """Length, steps and shape of a ramp, and how a step is split.

    Args:
        total_time: T in hbar/energy.
        steps: Number of Trotter steps; dt = T / steps.
        order: 1 (group after group) or 2 (symmetric).
        ramp: ``"linear"``, ``"cosine"`` or ``"smoothstep"``.

    Raises:
        ConfigError: A number is out of range, or a name is unknown.
    """

    total_time: Positive = 6.0
    steps: Count = 20
    order: Literal[1, 2] = 2
    ramp: RampShape = "cosine"

    def __post_init__(self) -> None:
        check_limits(self)

    @property
    def time_step(self) -> float:
        """Time step dt = T / steps, in hbar/energy."""
        return self.total_time / self.steps

    def schedule(self) -> NDArray[np.float64]:
        """Return the ramp s at the middle of every step, shape (steps,)."""
        return RAMPS[self.ramp]((np.arange(self.steps) + 0.5) / self.steps)
