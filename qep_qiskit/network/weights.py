"""Weight blocks: names, starting values, bounds, and which weights train."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.errors import NetworkError
from qep_qiskit.seeds import Seeds

__all__ = ["Start", "WeightBlock", "WeightLayout"]

Distribution = Literal["constant", "uniform", "normal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Where the weights of a block start, and how they may move.

    Args:
        distribution: ``constant`` (every weight is `mean`), ``uniform`` on [low, high], or ``normal``.
        mean: Value of ``constant``, mean of ``normal``.
        std: Standard deviation of ``normal``.
        low: Lower end of ``uniform``.
        high: Upper end of ``uniform``.
        values: Explicit values: a sequence for the whole block, or a mapping by weight name that
            overrides the distribution for those.
        frozen: True for the whole block, or the names of the weights that do not train.
        minimum: Lower bound of every weight, or None.
        maximum: Upper bound of every weight, or None.
    """

    distribution: Distribution = "constant"
    mean: float = 0.0
    std: float = 0.1
    low: float = -0.1
    high: float = 0.1
    values: Sequence[float] | Mapping[str, float] | None = None
    frozen: bool | Sequence[str] = False
    minimum: float | None = None
    maximum: float | None = None

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise NetworkError(f"start of weights: low {self.low} is above high {self.high}")

    def draw(self, count: int, generator: np.random.Generator) -> NDArray[np.float64]:
        """Draw `count` values from the distribution."""
        draws: dict[str, Callable[[], NDArray[np.float64]]] = {
            "constant": lambda: np.full(count, self.mean),
            "uniform": lambda: generator.uniform(self.low, self.high, count),
            "normal": lambda: generator.normal(self.mean, self.std, count),
        }
        return draws[self.distribution]()


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightBlock:
    """Weights of one kind, such as all couplings.

    Args:
        symbol: ``J``, ``h``, ``b`` or ``W``.
        key: Config key of the block, for error messages.
        names: One name per weight.
        start: Starting values and constraints.

    Raises:
        NetworkError: A named or listed value does not fit the block, is not finite, or breaks a bound.
    """

    symbol: str
    key: str
    names: tuple[str, ...]
    start: Start = field(default_factory=Start)

    def __post_init__(self) -> None:
        values, frozen = self.start.values, self.start.frozen
        named = [*(values if isinstance(values, Mapping) else ()), *(() if isinstance(frozen, bool) else frozen)]
        unknown = [name for name in named if name not in self.names]
        if unknown:
            raise NetworkError(f"{self.key}: no weight {unknown[0]}; there are {self._some_names()}")
        if values is not None and not isinstance(values, Mapping) and len(values) != len(self.names):
            raise NetworkError(
                f"{self.key}.values: expected {len(self.names)} numbers ({self._some_names()}), got {len(values)}"
            )
        if self.lower > self.upper:
            raise NetworkError(f"{self.key}: min {self.lower} is above max {self.upper}")
        given = list(values.values() if isinstance(values, Mapping) else values or ())
        outside = [value for value in given if not (np.isfinite(value) and self.lower <= value <= self.upper)]
        if outside:
            raise NetworkError(
                f"{self.key}.values: {outside[0]} is not a number between min {self.lower} and max {self.upper}"
            )

    def _some_names(self) -> str:
        return ", ".join(self.names[:4]) + (", ..." if len(self.names) > 4 else "") if self.names else "none"

    @property
    def lower(self) -> float:
        """Lower bound."""
        return -np.inf if self.start.minimum is None else self.start.minimum

    @property
    def upper(self) -> float:
        """Upper bound."""
        return np.inf if self.start.maximum is None else self.start.maximum

    def initial(self, seeds: Seeds) -> NDArray[np.float64]:
        """Starting values, shape (weights,); drawn values are clipped to the bounds."""
        values = self.start.values
        if values is not None and not isinstance(values, Mapping):
            return np.array(values, dtype=float)
        drawn = self.start.draw(len(self.names), seeds.generator("weights", self.symbol))
        drawn = np.clip(drawn, self.lower, self.upper)
        for name, value in (values or {}).items():
            drawn[self.names.index(name)] = value
        return drawn

    def trainable(self) -> NDArray[np.bool_]:
        """Mask of the weights that train, shape (weights,)."""
        frozen = self.start.frozen
        if isinstance(frozen, bool):
            return np.full(len(self.names), not frozen)
        return np.array([name not in frozen for name in self.names], dtype=bool)


@dataclass(frozen=True, slots=True)
class WeightLayout:
    """All weights of a network as one vector, block after block."""

    blocks: tuple[WeightBlock, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all weights, shape (weights,)."""
        return tuple(name for block in self.blocks for name in block.names)

    @property
    def num_weights(self) -> int:
        """Number of weights."""
        return sum(len(block.names) for block in self.blocks)

    def initial(self, seeds: Seeds) -> NDArray[np.float64]:
        """Starting values, shape (weights,)."""
        return np.concatenate([block.initial(seeds) for block in self.blocks])

    def trainable(self) -> NDArray[np.bool_]:
        """Mask of the weights that train, shape (weights,)."""
        return np.concatenate([block.trainable() for block in self.blocks])

    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower and upper bounds, each of shape (weights,)."""
        lower = np.concatenate([np.full(len(block.names), block.lower) for block in self.blocks])
        upper = np.concatenate([np.full(len(block.names), block.upper) for block in self.blocks])
        return lower, upper

    def index_of(self, weight: int | str) -> int:
        """Where a weight stands in the vector.

        Raises:
            NetworkError: There is no weight of that name.
        """
        if not isinstance(weight, str):
            return weight
        self._check_names([weight])
        return self.names.index(weight)

    def vector_of(self, named: Mapping[str, float]) -> NDArray[np.float64]:
        """A weight vector from a mapping by name; names left out are zero.

        Raises:
            NetworkError: There is no weight of some name.
        """
        self._check_names(named)
        return np.array([named.get(name, 0.0) for name in self.names])

    def _check_names(self, named: Iterable[str]) -> None:
        unknown = [name for name in named if name not in self.names]
        if unknown:
            raise NetworkError(f"no weight {unknown[0]}; there are {', '.join(self.names)}")

    def slice_of(self, symbol: str) -> slice:
        """Where the block of a symbol stands in the vector."""
        start = 0
        for block in self.blocks:
            if block.symbol == symbol:
                return slice(start, start + len(block.names))
            start += len(block.names)
        return slice(start, start)
