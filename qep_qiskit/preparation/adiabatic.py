"""Adiabatic preparation: a Trotterised ramp from a product state, as one parametrised program.

    H(s) = (1 - s) H_driver + s (H + beta C),     H_driver = - sum_k f_k X_k,     s = ramp(t / T)

The schedule is evaluated at the middle of each step. The nudge is ramped together with H, because the state does not
follow a nudge that is switched on at the end. Ramps with zero slope at their end (cosine, smoothstep) cause far fewer
excitations than a linear one.

The k-th eigenstate is reached from the k-th state of the driver, a product of |+> and |->. Equal fields f_k make all
states above the driver's ground state degenerate, so excited states need fields that differ.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated

import numpy as np
from annotated_types import Ge, Lt
from numpy.typing import NDArray

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import CoarseTrotterWarning, ConfigError, ReversedDriverWarning
from qep_qiskit.core.limits import Index
from qep_qiskit.core.merging import merge_into_groups
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.core.program import Layer, LayerProgram
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.core.warning_log import warn
from qep_qiskit.outcomes.states import CircuitStates
from qep_qiskit.preparation.interface import (
    ConvergenceReport,
    HamiltonianFamily,
    PreparationResult,
    WarmStart,
    check_level,
)
from qep_qiskit.preparation.ramp import Ramp

_COARSE = 0.9
WIDEST_DRIVER = 2
"""Width of the driver\'s fields over their mean, at which a field would vanish."""
_GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0
_WIDTH_OF_EXCITED = 0.5


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class AdiabaticPreparation(Ramp):
    """Prepare eigenstates by a Trotterised adiabatic ramp from a product state.

    Args:
        total_time: T in 1/energy (hbar = 1).
        steps: Number of Trotter steps; dt = T / steps.
        order: 1 (group after group) or 2 (symmetric: half steps around the last group).
        ramp: ``"linear"``, ``"cosine"`` or ``"smoothstep"``.
        driver_field: Mean strength f of the driver, in energy; negative for a Hamiltonian whose fields along X have a
            plus sign. A ramp from fields of the other sign runs through a point without fields, where the gap closes.
        driver_width: Width of the driver's fields relative to their mean, in [0, 2): the fields are spread evenly over
            f (1 +- driver_width / 2) such that no two sums of them are equal. By default zero for the ground state, 0.5
            for excited states.
        level: Index of the eigenstate, 0 for the ground state.

    Raises:
        ConfigError: A number is out of range, or a name is unknown.

    Example:
        >>> ramp = qep.AdiabaticPreparation(total_time=4.0, steps=10)
        >>> ramp.program(qep.IsingNetwork(graph=qep.chain(2), outputs=(1,)).groups).num_parameters
        5
    """

    driver_field: float = 1.0
    driver_width: Annotated[float, Ge(0), Lt(WIDEST_DRIVER)] | None = None
    level: Index = 0

    def __post_init__(self) -> None:
        Ramp.__post_init__(self)
        if self.level > 0 and self.driver_width == 0:
            raise ConfigError(
                f"driver_width: level {self.level} needs driver fields that differ, because equal ones "
                "make all excited states of the driver degenerate; expected a number above zero, got 0"
            )
        if self.driver_field == 0:
            raise ConfigError(f"driver_field: expected a number other than zero, got {self.driver_field}")

    def driver_fields(self, num_qubits: int) -> NDArray[np.float64]:
        """Return the fields f_k of the driver, shape (qubits,)."""
        width = self.driver_width
        if width is None:
            width = _WIDTH_OF_EXCITED if self.level > 0 else 0.0
        # Multiples of the golden ratio modulo one are evenly spread, but 1 + 4 = 2 + 3; their exponentials have no
        # rational relations (Lindemann and Weierstrass).
        fractions = np.expm1((np.arange(num_qubits) + 1) * _GOLDEN % 1.0) / np.expm1(1.0)
        return self.driver_field * (1.0 + width * (fractions - 0.5))

    def program(self, groups: Sequence[CommutingGroup]) -> LayerProgram:
        """Return the program for these groups; its parameters are the coefficients of H + beta C."""
        return _program(self, tuple(groups))

    def prepare(self, family: HamiltonianFamily, start: WarmStart) -> PreparationResult:
        """Bind the program to the coefficients of all samples and phases, without measurements."""
        rows = family.rows()
        self._warn_if_coarse(family.paulis, rows)
        self._warn_if_reversed(family.paulis, rows)
        states = CircuitStates(program=self.program(family.paulis), parameters=rows)
        report = replace(ConvergenceReport.silent(family), lowest=self.level == 0)
        return PreparationResult(states=states, report=report)

    def _warn_if_coarse(self, groups: Sequence[CommutingGroup], coefficients: NDArray) -> None:
        strongest = float(np.abs(self.driver_fields(groups[0].num_qubits)).max())
        sizes = np.abs(coefficients)
        largest = max(strongest, float(sizes.max(initial=0.0)))
        affected = int((self.time_step * np.maximum(sizes.max(axis=1, initial=0.0), strongest) >= _COARSE).sum())
        where: object = "the driver"
        if affected and largest > strongest:
            where = [string for group in groups for string in group.terms][int(sizes.argmax() % sizes.shape[1])]
        warn(
            CoarseTrotterWarning,
            f"the Trotter step no longer resolves the coefficients (dt * coefficient should stay below {_COARSE}); use "
            "more preparation.steps, a shorter total_time, a smaller learning rate, or a bound on the weights",
            detail=f"dt = {self.time_step:.3g} and the coefficient {largest:.3g} of '{where}': "
            f"{self.time_step * largest:.2f}",
            affected=affected,
            of=len(coefficients),
        )

    def _warn_if_reversed(self, groups: Sequence[CommutingGroup], coefficients: NDArray) -> None:
        fields = coefficients[:, _fields_along_x(tuple(groups))]
        reversed_ = int((self.driver_field * fields.sum(axis=1) > 0).sum())
        warn(
            ReversedDriverWarning,
            f"the fields along X point against the driver -({self.driver_field:g}) sum X: the ramp runs through a "
            f"point without fields, where the gap closes; use preparation.driver_field = {-self.driver_field:g}, or "
            "reverse the sign of the fields; a minimum or maximum keeps it while they are trained",
            detail=f"in {reversed_} of {amount(len(coefficients), 'state')}",
            affected=reversed_,
            of=len(coefficients),
        )


@lru_cache(maxsize=32)
def _fields_along_x(groups: tuple[CommutingGroup, ...]) -> list[int]:
    """Return the positions of the terms that are one X, among the terms of all groups."""
    terms = [string for group in groups for string in group.terms]
    return [place for place, string in enumerate(terms) if string == PauliString.of("X", max(string.max_qubit, 0))]


@lru_cache(maxsize=32)
def _program(settings: AdiabaticPreparation, groups: tuple[CommutingGroup, ...]) -> LayerProgram:
    num_qubits = groups[0].num_qubits
    names = tuple(str(string) for group in groups for string in group.terms)
    driver_strings = [PauliString.of("X", k) for k in range(num_qubits)]
    driven = merge_into_groups(groups, driver_strings, num_qubits)
    templates = _group_templates(settings, groups, driven, set(driver_strings))
    sequence = _splitting(settings.order, len(driven))
    layers = [templates[g](s, part) for s in settings.schedule().tolist() for g, part in sequence]
    fields = settings.driver_fields(num_qubits)
    initial = np.full((num_qubits, 2), np.sqrt(0.5), dtype=complex)
    initial[:, 1] *= np.sign(fields)
    initial[flipped_spins(np.abs(fields), settings.level), 1] *= -1.0
    return LayerProgram(groups=driven, initial=initial, layers=tuple(layers), parameter_names=names)


def flipped_spins(fields: NDArray, level: int) -> list[int]:
    """Return the spins that point against their fields in the k-th lowest state of - sum_k f_k X_k, all f_k positive.

    Flipping spin k costs 2 f_k, so this is the k-th smallest sum of a subset of the fields. A heap of subsets finds it:
    each subset is followed by the one whose last member moves up by one, and the one that adds the next member.

    Args:
        fields: Shape (spins,), the fields f_k, positive, in energy.
        level: Index of the state, 0 for the ground state.

    Raises:
        ConfigError: There is no such level.
    """
    check_level(level, len(fields))
    order = np.argsort(fields).tolist()
    if level == 0:
        return []
    heap: list[tuple[float, tuple[int, ...]]] = [(float(fields[order[0]]), (0,))]
    for _ in range(level - 1):
        _push_followers(heap, *heapq.heappop(heap), fields[order])
    return [order[place] for place in heap[0][1]]


def _push_followers(
    heap: list[tuple[float, tuple[int, ...]]], total: float, subset: tuple[int, ...], fields: NDArray
) -> None:
    last = subset[-1]
    if last + 1 < len(fields):
        heapq.heappush(heap, (total + fields[last + 1], (*subset, last + 1)))
        heapq.heappush(heap, (total + fields[last + 1] - fields[last], (*subset[:-1], last + 1)))


def _group_templates(
    settings: AdiabaticPreparation,
    groups: tuple[CommutingGroup, ...],
    driven: tuple[CommutingGroup, ...],
    driver_strings: set[PauliString],
) -> list[Callable[[float, float], Layer]]:
    """Return, for every group, a function of (s, fraction of a step) that gives its layer."""
    fields = settings.driver_fields(groups[0].num_qubits)
    parameter_of = {string: i for i, string in enumerate(string for group in groups for string in group.terms)}

    def template(index: int, group: CommutingGroup) -> Callable[[float, float], Layer]:
        source = np.array([parameter_of.get(string, -1) for string in group.terms], dtype=np.int64)
        driver = np.array([-fields[string.max_qubit] * (string in driver_strings) for string in group.terms])
        dt = settings.time_step

        def layer(s: float, part: float) -> Layer:
            return Layer(
                group=index,
                source=source,
                scale=np.where(source >= 0, part * dt * s, 0.0),
                offset=part * dt * (1.0 - s) * driver,
                duration=dt if index == len(driven) - 1 else 0.0,  # the last group stands once in a step
            )

        return layer

    return [template(index, group) for index, group in enumerate(driven)]


def _splitting(order: int, num_groups: int) -> list[tuple[int, float]]:
    """Return (group, fraction of the step) in order, for a first- or second-order Trotter step."""
    if order == 1:
        return [(g, 1.0) for g in range(num_groups)]
    outer = [(g, 0.5) for g in range(num_groups - 1)]
    return [*outer, (num_groups - 1, 1.0), *reversed(outer)]
