"""Contrasts: nudges to measure at, and finite-difference weights for the derivative by beta.

By equilibrium propagation d<C>/dw = d/dbeta <dH/dw>_beta at beta = 0 (Scellier 2024, arXiv:2406.00879, theorem 1). A
contrast is a finite-difference stencil for the right-hand side:

    one-sided    [<A>_beta - <A>_0] / beta                                   bias O(beta)
    symmetric    [<A>_beta - <A>_-beta] / (2 beta)                           bias O(beta^2)
    four-point   [8 (<A>_beta - <A>_-beta) - (<A>_2beta - <A>_-2beta)] / (12 beta)   bias O(beta^4)

At finite beta the one-sided and the symmetric contrast are exact gradients of contrastive functions. In Gibbs states
the derivative is also a covariance in the free phase (`fluctuations`), and in eigenstates a linear response of the free
state (`linear_response`); both need no nudge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.registry import Registry

FLUCTUATIONS, LINEAR_RESPONSE = "fluctuations", "linear_response"
NUDGELESS = (FLUCTUATIONS, LINEAR_RESPONSE)
"""Kinds of contrasts without nudged phases."""

_OTHER_SIDE = "_negative"
SMALLEST_BETA = 1e-100
"""Smallest allowed |beta|; its inverse is the largest. Powers of such nudges stay finite in double precision."""

Beta = Annotated[float, Ge(SMALLEST_BETA), Le(1 / SMALLEST_BETA)]
"""A nudge strength above zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stencil:
    """Finite-difference stencil for the derivative by the nudge beta.

    Args:
        weights: Weight of the mean at every multiple of beta. The weights sum to zero, and the products of multiple and
            weight sum to one.
        order: Leading power of beta in the bias.

    Raises:
        ConfigError: The sums differ from zero and one.

    Example:
        >>> qep.Stencil(weights={0: -1.5, 1: 2.0, 2: -0.5}, order=2).is_one_sided
        True
    """

    weights: Mapping[float, float]
    order: int

    def __post_init__(self) -> None:
        moments = [sum(weight * multiple**power for multiple, weight in self.weights.items()) for power in (0, 1)]
        if not np.allclose(moments, [0.0, 1.0], rtol=0.0, atol=1e-12):
            raise ConfigError(
                f"stencil: expected weights with the sum 0, and 1 times the multiples, got {dict(self.weights)}"
            )

    @property
    def is_one_sided(self) -> bool:
        """Whether no multiple is negative, so that beta may have either sign."""
        return min(self.weights) >= 0


STENCILS: Registry[Stencil] = Registry(
    "qep_qiskit.contrasts", lambda entry: isinstance(entry, Stencil), "a Stencil of qep_qiskit.learning"
)
"""Stencils of the contrasts by kind."""
STENCILS.add("one_sided", Stencil(weights={0: -1.0, 1: 1.0}, order=1))
STENCILS.add("symmetric", Stencil(weights={-1: -0.5, 1: 0.5}, order=2))
STENCILS.add("four_point", Stencil(weights={-2: 1.0 / 12.0, -1: -8.0 / 12.0, 1: 8.0 / 12.0, 2: -1.0 / 12.0}, order=4))


def of_sign(name: str) -> tuple[str, float]:
    """Return kind and sign of the nudge of a contrast from its name in a study; the suffix ``_negative`` is beta < 0.

    Raises:
        ConfigError: There is no such contrast, or ``_negative`` stands with a contrast that uses both signs.
    """
    kind = name.removesuffix(_OTHER_SIDE)
    stencil = STENCILS.find(kind)
    if kind != name and not stencil.is_one_sided:
        raise ConfigError(f"expected a one-sided contrast before '{_OTHER_SIDE}', got '{name}'")
    return kind, -1.0 if kind != name else 1.0


def study_names() -> tuple[str, ...]:
    """Return the names in a study of the package's contrasts; one-sided contrasts are listed with both signs."""
    return tuple(
        name
        for kind, stencil in STENCILS.entries.items()
        for name in ((kind, kind + _OTHER_SIDE) if stencil.is_one_sided else (kind,))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Nudges and weights that estimate the derivative by beta.

    Args:
        kind: ``"one_sided"``, ``"symmetric"``, ``"four_point"``, another key of `STENCILS`, or one of `NUDGELESS`:
            ``"fluctuations"`` or ``"linear_response"``.
        beta: Nudge strength, in units of energy over units of the cost. It has either sign for one-sided stencils and
            is not used without nudged phases.

    Raises:
        ConfigError: The kind is unknown; or beta is zero, not finite, outside 1e-100 to 1e100 in magnitude, or negative
            with a contrast that uses both signs.

    Example:
        >>> contrast = qep.Contrast(kind="symmetric", beta=0.1)
        >>> contrast.betas, contrast.stencil
        (array([-0.1,  0.1]), array([-5.,  5.]))
    """

    kind: str = "symmetric"
    beta: float = 0.3

    def __post_init__(self) -> None:
        if self.kind not in NUDGELESS and self.kind not in STENCILS:
            raise ConfigError(f"kind: expected one of {', '.join((*STENCILS.kinds, *NUDGELESS))}, got '{self.kind}'")
        if self.beta == 0 or not np.isfinite(self.beta):
            raise ConfigError(f"beta: expected a number other than zero, got {self.beta}")
        if not SMALLEST_BETA <= abs(self.beta) <= 1.0 / SMALLEST_BETA:
            raise ConfigError(
                f"beta: expected a magnitude from {SMALLEST_BETA:g} to {1.0 / SMALLEST_BETA:g}, got {self.beta:g}"
            )
        if self.beta < 0 and not self.is_one_sided:
            raise ConfigError(
                f"beta: {self.kind} uses both signs, so beta must be positive, got {self.beta}; "
                "use kind = 'one_sided' for a negative beta"
            )

    @property
    def is_one_sided(self) -> bool:
        """Whether all nudges have one sign, so that beta may be negative."""
        return self.kind not in NUDGELESS and self._stencil.is_one_sided

    @property
    def has_free_phase(self) -> bool:
        """Whether the free phase is one of the phases."""
        return bool((self.betas == 0.0).any())

    @property
    def phases(self) -> tuple[tuple[float, float], ...]:
        """Pairs (beta, stencil weight) of all phases, ordered by beta; the free phase has beta 0.

        Kinds without nudged phases have the free phase only, with weight zero.
        """
        if self.kind in NUDGELESS:
            return ((0.0, 0.0),)
        stencil = self._stencil.weights.items()
        return tuple(sorted((multiple * self.beta, weight / self.beta) for multiple, weight in stencil))

    @property
    def betas(self) -> NDArray[np.float64]:
        """Nudges of all phases, shape (phases,)."""
        return np.array([beta for beta, _ in self.phases])

    @property
    def order(self) -> int:
        """Leading power of beta in the bias: 1, 2 or 4; 0 where there is no nudge."""
        return 0 if self.kind in NUDGELESS else self._stencil.order

    @property
    def _stencil(self) -> Stencil:
        return STENCILS.find(self.kind)

    def stencil_on(self, betas: NDArray) -> NDArray[np.float64]:
        """Return the stencil weights at given nudges, zero where the contrast does not use one; shape of `betas`."""
        weights = dict(self.phases)
        return np.array([weights.get(float(beta), 0.0) for beta in betas])

    @property
    def stencil(self) -> NDArray[np.float64]:
        """Weights of the means at `betas` in the derivative, shape (phases,)."""
        return np.array([weight for _, weight in self.phases])
