"""Ramps: how a Hamiltonian is turned on over the steps of an adiabatic preparation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.checks import finite_number, whole_number
from qep_qiskit.core.errors import ConfigError

RAMPS: dict[str, Callable[[NDArray], NDArray]] = {
    "linear": lambda t: t,
    "cosine": lambda t: (1.0 - np.cos(np.pi * t)) / 2.0,
    "smoothstep": lambda t: t * t * (3.0 - 2.0 * t),
}


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

    total_time: float = 6.0
    steps: int = 20
    order: Literal[1, 2] = 2
    ramp: Literal["linear", "cosine", "smoothstep"] = "cosine"

    def __post_init__(self) -> None:
        if not finite_number("total_time", self.total_time, error=ConfigError) > 0:
            raise ConfigError(f"total_time: expected a positive number, got {self.total_time}")
        whole_number("steps", self.steps, 1)
        if self.ramp not in RAMPS:
            raise ConfigError(f"ramp: expected one of {', '.join(RAMPS)}, got '{self.ramp}'")
        if self.order not in (1, 2):
            raise ConfigError(f"order: expected 1 or 2, got {self.order}")

    @property
    def time_step(self) -> float:
        """Time step dt = T / steps, in hbar/energy."""
        return self.total_time / self.steps

    def schedule(self) -> NDArray[np.float64]:
        """Return the ramp s at the middle of every step, shape (steps,)."""
        return RAMPS[self.ramp]((np.arange(self.steps) + 0.5) / self.steps)
