"""Keys that every block of weights has, and the defaults of each block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from qep_qiskit.config.section import Section, keys
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.network import WeightInitialisation

_KEYS_OF_DISTRIBUTION: dict[str, tuple[str, ...]] = {
    "constant": ("mean",),
    "normal": ("mean", "std"),
    "uniform": ("low", "high"),
}


class WeightBlockConfig(Section):
    """Starting values and constraints of a block of weights.

    Keys that are left out are filled in with the block's defaults when the section is read, so that a stored
    configuration shows them; keys of another distribution stay empty.
    """

    defaults: ClassVar[WeightInitialisation] = WeightInitialisation()

    distribution: Literal["constant", "uniform", "normal"] | None = None
    """Distribution the weights are drawn from."""
    mean: float | None = None
    """Value of ``constant``, mean of ``normal``."""
    std: float | None = Field(default=None, ge=0)
    """Standard deviation of ``normal``; 0.1 where none is shown here."""
    low: float | None = None
    """Lower end of ``uniform``; -0.1 by default."""
    high: float | None = None
    """Upper end of ``uniform``; 0.1 by default."""
    truncate: bool | None = None
    """Draw ``normal`` within `minimum` and `maximum` only; without it a distribution that leaves them is refused."""
    values: list[float] | dict[str, float] | None = None
    """Explicit values: a list for the whole block, or a table by weight name."""
    frozen: bool | list[str] | None = None
    """Whether the block stays as it is, or the names of the weights that do."""
    minimum: float | None = None
    """Lower bound; a start below is refused."""
    maximum: float | None = None
    """Upper bound; a start above is refused."""

    @model_validator(mode="before")
    @classmethod
    def _with_defaults(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or not cls._is_used(data):
            return data
        names = ["frozen", "truncate", "minimum", "maximum"]
        if cls._is_drawn(data):
            distribution = data.get("distribution") or cls.defaults.distribution
            names += ["distribution", *_KEYS_OF_DISTRIBUTION.get(str(distribution), ())]
        return {**data, **{name: getattr(cls.defaults, name) for name in names if data.get(name) is None}}

    @classmethod
    def _is_used(cls, data: Mapping[str, Any]) -> bool:
        """Whether the network has weights of this kind that are started here."""
        return True

    @classmethod
    def _is_drawn(cls, data: Mapping[str, Any]) -> bool:
        """Whether the distribution decides where they start."""
        return True


def initialisation_of(network: Section, name: str) -> WeightInitialisation:
    """The start that a block of weights of a network has.

    Raises:
        QepError: A key does not go with the distribution, or values are out of order.
    """
    section: WeightBlockConfig = getattr(network, name)
    distribution = section.distribution or section.defaults.distribution
    with keys(network, name):
        for key in ("mean", "std", "low", "high"):
            if getattr(section, key) is not None and key not in _KEYS_OF_DISTRIBUTION[distribution]:
                raise ConfigError(f"{key}: does not go with distribution = '{distribution}'; leave it out")
        given = {field.name: getattr(section, field.name) for field in fields(WeightInitialisation)}
        return WeightInitialisation(**{key: value for key, value in given.items() if value is not None})
