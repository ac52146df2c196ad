"""Keys of every block of weights, and the defaults of each block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import model_validator

from qep_qiskit.config.section import Section, keys, same_as
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.network import WeightInitialisation
from qep_qiskit.network.weights import Distribution

_KEYS_OF_DISTRIBUTION: dict[str, tuple[str, ...]] = {
    "constant": ("mean",),
    "normal": ("mean", "std"),
    "uniform": ("low", "high"),
}


class WeightBlockConfig(Section):
    """Initial values and constraints of a block of weights.

    Omitted keys are filled in with the defaults of the block when the section is read, so that a stored configuration
    contains them; keys of another distribution stay empty.
    """

    defaults: ClassVar[WeightInitialisation] = WeightInitialisation()

    distribution: Distribution | None = None
    """Distribution of the initial values."""
    mean: float | None = None
    """Value of ``constant``, mean of ``normal``."""
    std: float | None = same_as(WeightInitialisation, "std", default=None)
    """Standard deviation of ``normal``; 0.1 if no default is shown here."""
    low: float | None = None
    """Lower end of ``uniform``; -0.1 by default."""
    high: float | None = None
    """Upper end of ``uniform``; 0.1 by default."""
    truncate: bool | None = None
    """Draw ``normal`` only between `minimum` and `maximum`; otherwise a distribution that exceeds them is an error."""
    values: list[float] | dict[str, float] | None = None
    """Explicit initial values: a list for the whole block, or a table by weight name."""
    frozen: bool | list[str] | None = None
    """Whether the block is not trained, or the names of the weights that are not."""
    minimum: float | None = None
    """Lower bound; a lower initial value is an error."""
    maximum: float | None = None
    """Upper bound; a higher initial value is an error."""

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
        """Return whether the network has weights of this kind whose initial values come from this block."""
        return True

    @classmethod
    def _is_drawn(cls, data: Mapping[str, Any]) -> bool:
        """Return whether initial values are drawn from the distribution."""
        return True


def initialisation_of(network: Section, name: str) -> WeightInitialisation:
    """Return the initialisation of a block of weights of a network.

    Args:
        network: Section of the network.
        name: Name of the block, such as ``couplings``.

    Raises:
        QepError: A key does not apply to the distribution, or values are out of range.
    """
    section: WeightBlockConfig = getattr(network, name)
    distribution = section.distribution or section.defaults.distribution
    with keys(network, name):
        for key in ("mean", "std", "low", "high"):
            if getattr(section, key) is not None and key not in _KEYS_OF_DISTRIBUTION[distribution]:
                raise ConfigError(f"{key}: does not go with distribution = '{distribution}'; leave it out")
        return section.made(WeightInitialisation)
