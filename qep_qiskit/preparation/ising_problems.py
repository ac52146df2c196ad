"""Classical Hamiltonians as fields and couplings, within the bounds and the precision of an annealer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from qep_qiskit.core.checks import finite_number
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.limits import check_limits
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.short_repr import short_repr

Bits = Annotated[int, Ge(2), Le(24)]
Range = Sequence[float]
_ROUNDING = 1e-9
_READS_AT_ONCE = 1 << 14
_MEANING = {
    "h_range": ("a field (bias, inputs and nudge of a spin)", "network.biases, network.inputs"),
    "j_range": ("a coupling", "network.couplings"),
}


@dataclass(frozen=True, slots=True, eq=False)
class IsingTerms:
    """Which terms of a Hamiltonian are fields, and which are couplings of two spins.

    Args:
        count: Number of spins.
        fields: Shape (fields,), the terms of one spin.
        places: Shape (fields,), the spin of each.
        couplings: Shape (couplings,), the terms of two spins.
        pairs: Shape (2, couplings), the spins of each.
    """

    count: int
    fields: NDArray[np.intp]
    places: NDArray[np.intp]
    couplings: NDArray[np.intp]
    pairs: NDArray[np.intc]

    @staticmethod
    @lru_cache(maxsize=8)
    def of(groups: tuple[CommutingGroup, ...]) -> IsingTerms:
        """Return the terms of classical groups.

        Raises:
            ConfigError: A term is not Z of a spin or of two.
        """
        strings = [string for group in groups for string in group.terms]
        for group in groups:
            if not group.is_classical:
                raise ConfigError(
                    f"annealers are for classical spins, and network or cost hold '{group.terms[0]}'; use "
                    "network.kind = 'classical_ising' and a cost of Z alone, or another preparation"
                )
        spins = [[spin for spin, _ in string.factors] for string in strings]
        long = next((string for string, where in zip(strings, spins, strict=True) if len(where) > 2), None)
        if long is not None:
            raise ConfigError(
                f"annealers take fields and couplings of two spins, and network or cost hold '{long}'; use "
                "preparation.kind = 'annealing', which takes any product of Z"
            )
        fields = [term for term, where in enumerate(spins) if len(where) == 1]
        couplings = [term for term, where in enumerate(spins) if len(where) == 2]
        return IsingTerms(
            count=groups[0].num_qubits,
            fields=np.array(fields, dtype=np.intp),
            places=np.array([spins[term][0] for term in fields], dtype=np.intp),
            couplings=np.array(couplings, dtype=np.intp),
            pairs=np.array([spins[term] for term in couplings], dtype=np.intc).reshape(-1, 2).T.copy(),
        )

    def split(self, rows: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the fields (rows, N) and the couplings (rows, couplings) of coefficients (rows, terms)."""
        fields = np.zeros((len(rows), self.count))
        fields[:, self.places] = rows[:, self.fields]
        return fields, rows[:, self.couplings]

    def energies(self, rows: NDArray, spins: NDArray[np.int8]) -> NDArray[np.float64]:
        """Return the energies of configurations at the Hamiltonian of their row.

        Args:
            rows: Shape (rows, terms), coefficients.
            spins: Shape (rows, reads, N).

        Returns:
            Shape (rows, reads).
        """
        fields, couplings = self.split(rows)
        found = np.empty(spins.shape[:2])
        for first in range(0, spins.shape[1], _READS_AT_ONCE):
            part = slice(first, first + _READS_AT_ONCE)
            for row, some in enumerate(spins[:, part]):
                products = some[:, self.pairs[0]] * some[:, self.pairs[1]]
                found[row, part] = some @ fields[row] + products @ couplings[row]
        return found


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class CouplerLimits:
    """What an annealer can set: bounds of fields and couplings, and their precision.

    Args:
        h_range: Lowest and highest field; None for no bounds.
        j_range: Lowest and highest coupling; None for no bounds.
        auto_scale: Divide all numbers of a problem beyond the bounds by the one factor with which it fits. It leaves
            the ground state as it is, and makes the energies smaller beside the temperature of the annealer.
        bits: Bits of a field and of a coupling, its sign included, over the range or, without bounds, over the largest
            of the problem; None for all that a double has.

    Raises:
        ConfigError: A range does not hold zero inside.

    Example:
        >>> limits = qep.CouplerLimits(j_range=(-1, 1), bits=3)  # -1, -2/3, -1/3, 0, ...
        >>> limits.applied(np.zeros((1, 2)), np.array([[0.4]]))[1].round(3)
        array([[0.333]])
    """

    h_range: Range | None = None
    j_range: Range | None = None
    auto_scale: bool = False
    bits: Bits | None = None

    def __post_init__(self) -> None:
        check_limits(self)
        for name, given in (("h_range", self.h_range), ("j_range", self.j_range)):
            if given is None:
                continue
            if len(given) != 2:
                raise ConfigError(f"{name}: expected the lowest and the highest value, got {list(given)}")
            low, high = (finite_number(name, value) for value in given)
            if not low < 0.0 < high:
                raise ConfigError(f"{name}: expected a number below zero and one above, got {list(given)}")
        if self.auto_scale and self.h_range is None and self.j_range is None:
            raise ConfigError("auto_scale: goes with h_range or j_range; leave it out")

    def applied(self, fields: NDArray, couplings: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what the annealer sets.

        Args:
            fields: Shape (problems, N).
            couplings: Shape (problems, couplings).

        Raises:
            ConfigError: A number is beyond its bounds, and `auto_scale` is not set.
        """
        given = (("h_range", fields, self.h_range), ("j_range", couplings, self.j_range))
        excess = np.max([_excess(values, bounds) for _, values, bounds in given], axis=0)
        if np.any(excess > 1.0 + _ROUNDING):
            if not self.auto_scale:
                self._refuse(given)
            factor = np.maximum(excess, 1.0)[:, None]
            fields, couplings = fields / factor, couplings / factor
        if self.bits is None:
            return fields, couplings
        return self._rounded(fields, self.h_range), self._rounded(couplings, self.j_range)

    def _refuse(self, given: Sequence[tuple[str, NDArray, Range | None]]) -> None:
        for name, values, bounds in given:
            if bounds is None or not np.any(_excess(values, bounds) > 1.0 + _ROUNDING):
                continue
            worst = values.flat[np.argmax(np.maximum(values / bounds[1], values / bounds[0]))]
            what, blocks = _MEANING[name]
            raise ConfigError(
                f"preparation.{name}: {what} of {worst:.4g} is beyond [{bounds[0]:g}, {bounds[1]:g}]; set auto_scale = "
                f"true, or bound the weights ({blocks})"
            )

    def _rounded(self, values: NDArray, bounds: Range | None) -> NDArray[np.float64]:
        assert self.bits is not None
        largest = np.abs(values).max(axis=1, initial=0.0)[:, None] if bounds is None else np.max(np.abs(bounds))
        step = np.maximum(largest, 1e-300) / (2 ** (self.bits - 1) - 1)
        levels = np.rint(values / step)
        if bounds is not None:
            levels = np.minimum(np.maximum(levels, np.ceil(bounds[0] / step)), np.floor(bounds[1] / step))
        return np.asarray(levels * step)


def _excess(values: NDArray, bounds: Range | None) -> NDArray[np.float64]:
    """Return, for every problem, its largest number in units of the bound on its side."""
    if bounds is None or values.shape[1] == 0:
        return np.zeros(len(values))
    return np.maximum(values / bounds[1], values / bounds[0]).max(axis=1)
