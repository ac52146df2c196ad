"""Weight blocks: names, initial values, bounds, and which weights are trained.

Initial values outside their bounds are rejected: no weight is moved to a bound before the first step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.checks import check_finite, finite_number, real_array
from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.limits import NotNegative, check_limits
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.core.short_repr import short_repr

Distribution = Literal["constant", "uniform", "normal"]

_NEVER = 8.0
"""Standard deviations beyond which normal numbers are ignored (probability 1e-15)."""


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class WeightInitialisation:
    """Initial values of the weights of a block, and their constraints.

    Args:
        distribution: ``constant`` (every weight is `mean`), ``uniform`` on [low, high], or ``normal``.
        mean: Value of ``constant``, mean of ``normal``.
        std: Standard deviation of ``normal``.
        low: Lower end of ``uniform``.
        high: Upper end of ``uniform``.
        values: Explicit values: a sequence for the whole block, or a mapping by weight name that overrides the
            distribution for those weights.
        frozen: True for the whole block, or the names of the weights that are not trained.
        minimum: Lower bound of every weight, or None.
        maximum: Upper bound of every weight, or None.
        truncate: Whether ``normal`` is restricted to the bounds (a truncated normal distribution).

    Raises:
        NetworkError: A number is not finite or out of order, or ``truncate`` is combined with another distribution.

    Example:
        >>> qep.WeightInitialisation(distribution="uniform", low=-0.5, high=0.5, minimum=-1.0).minimum
        -1.0
    """

    distribution: Distribution = "constant"
    mean: float = 0.0
    std: NotNegative = 0.1
    low: float = -0.1
    high: float = 0.1
    values: Sequence[float] | Mapping[str, float] | None = None
    frozen: bool | Sequence[str] = False
    minimum: float | None = None
    maximum: float | None = None
    truncate: bool = False

    def __post_init__(self) -> None:
        check_limits(self, error=NetworkError)
        if self.low > self.high:
            raise NetworkError(f"low: {self.low} is above high = {self.high}")
        if self.truncate and self.distribution != "normal":
            raise NetworkError(f"truncate: goes with distribution = 'normal', got '{self.distribution}'")

    @property
    def lower(self) -> float:
        """Lower bound; minus infinity where there is none."""
        return -np.inf if self.minimum is None else self.minimum

    @property
    def upper(self) -> float:
        """Upper bound; infinity where there is none."""
        return np.inf if self.maximum is None else self.maximum

    @property
    def may_leave_bounds(self) -> bool:
        """Whether a normal distribution extends beyond a bound."""
        reach = _NEVER * self.std
        return self.distribution == "normal" and not self.lower <= self.mean - reach <= self.mean + reach <= self.upper

    def draw(self, count: int, generator: np.random.Generator) -> NDArray[np.float64]:
        """Draw values from the distribution, shape (count,).

        Args:
            count: Number of values.
            generator: The random stream.
        """
        if self.distribution == "constant":
            return np.full(count, self.mean)
        if self.distribution == "uniform":
            return generator.uniform(self.low, self.high, count)
        if self.truncate and self.may_leave_bounds:
            return self._draw_within_bounds(count, generator)
        return generator.normal(self.mean, self.std, count)

    def _draw_within_bounds(self, count: int, generator: np.random.Generator) -> NDArray[np.float64]:
        from scipy.stats import truncnorm  # slow to import, and rarely needed

        low, high = ((bound - self.mean) / self.std for bound in (self.lower, self.upper))
        drawn = self.mean + self.std * truncnorm.rvs(low, high, size=count, random_state=generator)
        return np.clip(drawn, self.lower, self.upper)  # rounding may exceed a bound


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class WeightBlock:
    """Weights of one kind, such as all couplings.

    Args:
        symbol: ``J``, ``h``, ``b`` or ``W``.
        key: Config key of the block, for error messages.
        names: One name per weight.
        start: Initial values and constraints.

    Raises:
        NetworkError: A named or listed value does not fit the block, is not finite, or breaks a bound.

    Example:
        >>> layout = qep.IsingNetwork(graph=qep.chain(2), outputs=(1,)).layout
        >>> [block.symbol for block in layout.blocks]
        ['J', 'h', 'b']
    """

    symbol: str
    key: str
    names: tuple[str, ...]
    start: WeightInitialisation = field(default_factory=WeightInitialisation)

    def __post_init__(self) -> None:
        values, frozen = self.start.values, self.start.frozen
        named = [*(values if isinstance(values, Mapping) else ()), *(() if isinstance(frozen, bool) else frozen)]
        unknown = [name for name in named if name not in self.names]
        if unknown:
            raise NetworkError(f"{self.key}: no weight {unknown[0]}; there are {self._some_names()}")
        if values is not None and not isinstance(values, Mapping) and len(values) != len(self.names):
            raise NetworkError(
                f"{self.key}.values: expected {amount(len(self.names), 'number')} ({self._some_names()}), got "
                f"{len(values)}"
            )
        if not self.start.lower <= self.start.upper:
            raise NetworkError(f"{self.key}: minimum {self.start.lower} is above maximum {self.start.upper}")
        if values is not None:
            self._check_within("values", values.values() if isinstance(values, Mapping) else values)
        self._check_distribution()

    def _check_within(self, part: str, given: Iterable[float]) -> None:
        for value in given:
            if not (np.isfinite(value) and self.start.lower <= value <= self.start.upper):
                raise NetworkError(
                    f"{self.key}.{part}: {value} is not a number between minimum {self.start.lower} and maximum "
                    f"{self.start.upper}; give another, or set minimum or maximum"
                )

    def _check_distribution(self) -> None:
        """Check that all values that may be drawn lie within the bounds."""
        start = self.start
        if start.values is not None and len(start.values) == len(self.names):
            return
        if start.distribution == "uniform":
            self._check_within("low", [start.low])
            self._check_within("high", [start.high])
            return
        self._check_within("mean", [start.mean])
        if start.may_leave_bounds and not start.truncate:
            raise NetworkError(
                f"{self.key}: a normal distribution of mean {start.mean} and std {start.std} leaves minimum "
                f"{start.lower} and maximum {start.upper}; set truncate = true to draw within them, or a smaller std"
            )

    def _some_names(self) -> str:
        return ", ".join(self.names[:4]) + (", ..." if len(self.names) > 4 else "") if self.names else "none"

    def initial(self, seeds: Seeds) -> NDArray[np.float64]:
        """Return the initial values, shape (weights,), all within the bounds."""
        values = self.start.values
        if values is not None and not isinstance(values, Mapping):
            return np.array(values, dtype=float)
        drawn = self.start.draw(len(self.names), seeds.generator("weights", self.symbol))
        for name, value in (values or {}).items():
            drawn[self.names.index(name)] = value
        return drawn

    def trainable(self) -> NDArray[np.bool_]:
        """Return a mask of the weights that are trained, shape (weights,)."""
        frozen = self.start.frozen
        if isinstance(frozen, bool):
            return np.full(len(self.names), not frozen)
        return np.array([name not in frozen for name in self.names], dtype=bool)


def final_weights(named: Mapping[str, Any]) -> dict[str, float]:
    """Return numbers by name from such a mapping, or from the content of the file `weights.json` of a run.

    Args:
        named: By name a number, or a mapping with the number under ``end``.

    Raises:
        NetworkError: A value is not a finite number.
    """
    return {
        name: finite_number(f"weight {name}", value["end"] if isinstance(value, Mapping) and "end" in value else value)
        for name, value in named.items()
    }


@short_repr
@dataclass(frozen=True)
class WeightLayout:
    """All weights of a network as one vector, block after block.

    Example:
        >>> layout = qep.IsingNetwork(graph=qep.chain(2), outputs=(1,)).layout
        >>> layout.names
        ('J[0,1]', 'h[0]', 'h[1]', 'b[0]', 'b[1]')
        >>> layout.initial(qep.Seeds(0)).shape
        (5,)
    """

    blocks: tuple[WeightBlock, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of all weights, shape (weights,)."""
        return tuple(name for block in self.blocks for name in block.names)

    @cached_property
    def num_weights(self) -> int:
        """Number of weights."""
        return sum(len(block.names) for block in self.blocks)

    def checked(self, weights: Any) -> NDArray[np.float64]:
        """Return a weight vector as an array of shape (weights,), after checks of its shape and values.

        Raises:
            NetworkError: The vector has another shape, or a weight is not finite; the message names the weight.
        """
        vector = real_array("weights", weights, (self.num_weights,), f"({self.num_weights},)")
        check_finite(vector, lambda place: f"weight {self.names[place]}")
        return vector

    def check_within_bounds(self, weights: NDArray) -> None:
        """Check that a weight vector lies within the bounds, as training ensures.

        Raises:
            NetworkError: A weight is outside its bounds.
        """
        lower, upper = self.bounds()
        outside = np.flatnonzero((weights < lower) | (weights > upper))
        if outside.size:
            place = int(outside[0])
            raise NetworkError(
                f"weight {self.names[place]}: {weights[place]} is not a number between minimum {lower[place]} and "
                f"maximum {upper[place]}"
            )

    def initial(self, seeds: Seeds) -> NDArray[np.float64]:
        """Return the initial values, shape (weights,)."""
        return np.concatenate([block.initial(seeds) for block in self.blocks])

    def trainable(self) -> NDArray[np.bool_]:
        """Return a mask of the weights that are trained, shape (weights,), read-only."""
        return self._trainable

    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return lower and upper bounds, each of shape (weights,), read-only."""
        return self._bounds

    @cached_property
    def _trainable(self) -> NDArray[np.bool_]:
        return _read_only(np.concatenate([block.trainable() for block in self.blocks]))

    @cached_property
    def _bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        lower = np.concatenate([np.full(len(block.names), block.start.lower) for block in self.blocks])
        upper = np.concatenate([np.full(len(block.names), block.start.upper) for block in self.blocks])
        return _read_only(lower), _read_only(upper)

    def index_of(self, weight: int | str) -> int:
        """Return the index of a weight in the vector.

        Raises:
            NetworkError: There is no weight of that name.
        """
        if not isinstance(weight, str):
            return weight
        self._check_names([weight])
        return self.names.index(weight)

    def vector_of(self, named: Mapping[str, Any]) -> NDArray[np.float64]:
        """Return a weight vector from a mapping by name; omitted weights are zero.

        Args:
            named: Numbers by name, or the content of the file `weights.json` of a run, whose final weights are taken.

        Raises:
            NetworkError: There is no weight of some name, or a value is not a finite number.
        """
        self._check_names(named)
        found = final_weights(named)
        return self.checked([found.get(name, 0.0) for name in self.names])

    def _check_names(self, named: Iterable[str]) -> None:
        unknown = [name for name in named if name not in self.names]
        if unknown:
            raise NetworkError(f"no weight {unknown[0]}; there are {', '.join(self.names)}")

    @property
    def block_numbers(self) -> NDArray[np.int64]:
        """Return the block number of every weight, shape (weights,)."""
        return np.repeat(np.arange(len(self.blocks)), [len(block.names) for block in self.blocks])

    def slice_of(self, symbol: str) -> slice:
        """Return the slice of the block of a symbol in the vector."""
        start = 0
        for block in self.blocks:
            if block.symbol == symbol:
                return slice(start, start + len(block.names))
            start += len(block.names)
        return slice(start, start)


def _read_only(array: NDArray) -> NDArray:
    array.flags.writeable = False
    return array
