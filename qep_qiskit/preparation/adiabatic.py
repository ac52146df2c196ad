"""Adiabatic preparation: a Trotterised ramp from a product state, as one parametrised program.

    H(s) = (1 - s) H_driver + s (H + beta C),     H_driver = - f sum_k X_k,     s = ramp(t / T)

The schedule is taken at the middle of each step, and the nudge is ramped along with the rest: a nudge that is
switched on at the end stalls. Ramps with zero slope at their end (cosine, smoothstep) lose far less to
excitations than a linear one.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.errors import CoarseTrotterWarning, ConfigError
from qep_qiskit.measurement import Measuring
from qep_qiskit.operators import CommutingGroup, PauliWord, merge_into_groups
from qep_qiskit.prepared import CircuitStates
from qep_qiskit.program import Layer, LayerProgram

__all__ = ["RAMPS", "AdiabaticPreparation"]

RAMPS: dict[str, Callable[[NDArray], NDArray]] = {
    "linear": lambda t: t,
    "cosine": lambda t: (1.0 - np.cos(np.pi * t)) / 2.0,
    "smoothstep": lambda t: t * t * (3.0 - 2.0 * t),
}

_COARSE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class AdiabaticPreparation:
    """A Trotter ramp.

    Args:
        total_time: T in 1/energy (hbar = 1).
        steps: Number of Trotter steps; dt = T / steps.
        order: 1 (group after group) or 2 (symmetric: half steps around the last group).
        ramp: ``"linear"``, ``"cosine"`` or ``"smoothstep"``.
        driver_field: Strength f of the driver, in energy.

    Raises:
        ConfigError: A number is not positive, or a name is unknown.
    """

    total_time: float = 6.0
    steps: int = 20
    order: Literal[1, 2] = 2
    ramp: Literal["linear", "cosine", "smoothstep"] = "cosine"
    driver_field: float = 1.0

    def __post_init__(self) -> None:
        for name in ("total_time", "steps", "driver_field"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"preparation.{name}: expected a positive number, got {getattr(self, name)}")
        if self.ramp not in RAMPS:
            raise ConfigError(f"preparation.ramp: expected one of {', '.join(RAMPS)}, got '{self.ramp}'")
        if self.order not in (1, 2):
            raise ConfigError(f"preparation.order: expected 1 or 2, got {self.order}")

    @property
    def time_step(self) -> float:
        """Dt = T / steps."""
        return self.total_time / self.steps

    def schedule(self) -> NDArray[np.float64]:
        """Ramp s at the middle of every step, shape (steps,)."""
        return RAMPS[self.ramp]((np.arange(self.steps) + 0.5) / self.steps)

    def program(self, groups: Sequence[CommutingGroup]) -> LayerProgram:
        """The template for a Hamiltonian made of these groups; its parameters are the coefficients."""
        return _program(self, tuple(groups))

    def prepare(self, groups: Sequence[CommutingGroup], coefficients: NDArray) -> Measuring[CircuitStates]:
        """Bind the template to coefficients, shape (states, terms); asks for no measurements."""
        yield from ()
        self._warn_if_coarse(groups, coefficients)
        return CircuitStates(program=self.program(groups), parameters=coefficients)

    def _warn_if_coarse(self, groups: Sequence[CommutingGroup], coefficients: NDArray) -> None:
        largest = np.append(np.abs(coefficients).max(axis=0), self.driver_field)
        worst = int(largest.argmax())
        if self.time_step * largest[worst] < _COARSE:
            return
        word = [*(str(word) for group in groups for word in group.words), "the driver"][worst]
        warnings.warn(
            f"the Trotter step dt = {self.time_step:.3g} no longer resolves the coefficient {largest[worst]:.3g} of "
            f"'{word}' (dt * coefficient = {self.time_step * largest[worst]:.2f}, should stay below {_COARSE}); use "
            "more preparation.steps, a shorter total_time, a smaller learning rate, or a bound on the weights",
            CoarseTrotterWarning,
            stacklevel=2,
        )


@lru_cache(maxsize=32)
def _program(settings: AdiabaticPreparation, groups: tuple[CommutingGroup, ...]) -> LayerProgram:
    num_qubits = groups[0].num_qubits
    names = tuple(str(word) for group in groups for word in group.words)
    driver_words = [PauliWord.of("X", k) for k in range(num_qubits)]
    driven = merge_into_groups(groups, driver_words, num_qubits)
    templates = _group_templates(settings, groups, driven, set(driver_words))
    sequence = _splitting(settings.order, len(driven))
    layers = [templates[g](s, part) for s in settings.schedule().tolist() for g, part in sequence]
    plus = np.full((num_qubits, 2), np.sqrt(0.5), dtype=complex)
    return LayerProgram(groups=driven, initial=plus, layers=tuple(layers), parameter_names=names)


def _group_templates(
    settings: AdiabaticPreparation,
    groups: tuple[CommutingGroup, ...],
    driven: tuple[CommutingGroup, ...],
    driver_words: set[PauliWord],
) -> list[Callable[[float, float], Layer]]:
    """For every group, a function of (s, part of a step) to its layer."""
    parameter_of = {word: i for i, word in enumerate(word for group in groups for word in group.words)}

    def template(index: int, group: CommutingGroup) -> Callable[[float, float], Layer]:
        source = np.array([parameter_of.get(word, -1) for word in group.words], dtype=np.int64)
        driver = np.array([-settings.driver_field * (word in driver_words) for word in group.words])
        dt = settings.time_step

        def layer(s: float, part: float) -> Layer:
            return Layer(
                group=index,
                source=source,
                scale=np.where(source >= 0, part * dt * s, 0.0),
                offset=part * dt * (1.0 - s) * driver,
            )

        return layer

    return [template(index, group) for index, group in enumerate(driven)]


def _splitting(order: int, num_groups: int) -> list[tuple[int, float]]:
    """(group, part of the step) in order: a plain product, or the symmetric one."""
    if order == 1:
        return [(g, 1.0) for g in range(num_groups)]
    outer = [(g, 0.5) for g in range(num_groups - 1)]
    return [*outer, (num_groups - 1, 1.0), *reversed(outer)]
