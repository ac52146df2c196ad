"""Contrasts: at which nudges to measure, and how the means at them make a derivative by beta.

By equilibrium propagation d<C>/dw = d/dbeta <dH/dw>_beta at beta = 0 (Scellier 2024, theorem 1). A contrast is
a finite-difference stencil for the right-hand side:

    one-sided    [<A>_beta - <A>_0] / beta                                   bias O(beta)
    symmetric    [<A>_beta - <A>_-beta] / (2 beta)                           bias O(beta^2)
    four-point   [8 (<A>_beta - <A>_-beta) - (<A>_2beta - <A>_-2beta)] / (12 beta)   bias O(beta^4)

At finite beta the one-sided and the symmetric contrast are exact gradients of contrastive functions. In Gibbs states
the derivative is also a covariance of the free phase (`fluctuations`), which needs no nudge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.registry import Registry

_FLUCTUATIONS = "fluctuations"
_OTHER_SIDE = "_negative"
SMALLEST_BETA = 1e-100
"""Magnitude from which on powers of a nudge, and of its inverse, stay numbers of double precision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stencil:
    """A finite-difference stencil for the derivative by the nudge.

    Args:
        weights: Weight of the mean at every multiple of beta; their sum is zero, that of multiple * weight is one.
        order: Leading power of beta in the bias.

    Raises:
        ConfigError: The weights make no derivative.

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
        """Whether it looks to one side, so that the sign of beta means something."""
        return min(self.weights) >= 0


STENCILS: Registry[Stencil] = Registry(
    "qep_qiskit.contrasts", lambda entry: isinstance(entry, Stencil), "a Stencil of qep_qiskit.learning"
)
"""Contrasts of nudged phases by kind."""
STENCILS.add("one_sided", Stencil(weights={0: -1.0, 1: 1.0}, order=1))
STENCILS.add("symmetric", Stencil(weights={-1: -0.5, 1: 0.5}, order=2))
STENCILS.add("four_point", Stencil(weights={-2: 1.0 / 12.0, -1: -8.0 / 12.0, 1: 8.0 / 12.0, 2: -1.0 / 12.0}, order=4))


def of_sign(name: str) -> tuple[str, float]:
    """Kind and sign of the nudge of a contrast by its name in a study, where ``_negative`` is the other side.

    Raises:
        ConfigError: There is no such contrast, or it looks to both sides.
    """
    kind = name.removesuffix(_OTHER_SIDE)
    stencil = STENCILS.find(kind)
    if kind != name and not stencil.is_one_sided:
        raise ConfigError(f"expected a contrast that looks to one side before '{_OTHER_SIDE}', got '{name}'")
    return kind, -1.0 if kind != name else 1.0


def study_names() -> tuple[str, ...]:
    """The package's own contrasts by their names in a study, one-sided ones to both sides."""
    return tuple(
        name
        for kind, stencil in STENCILS.entries.items()
        for name in ((kind, kind + _OTHER_SIDE) if stencil.is_one_sided else (kind,))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """A stencil of nudged phases.

    Args:
        kind: ``"one_sided"``, ``"symmetric"``, ``"four_point"``, another of `STENCILS`, or ``"fluctuations"``.
        beta: Nudge strength, in 1/(units of the cost) times energy. Of either sign for one-sided stencils; not
            used by ``fluctuations``.

    Raises:
        ConfigError: beta is zero, not finite or of a size that no calculation bears, or is negative where the sign
            means nothing.

    Example:
        >>> contrast = qep.Contrast(kind="symmetric", beta=0.1)
        >>> contrast.betas, contrast.stencil
        (array([-0.1,  0.1]), array([-5.,  5.]))
    """

    kind: str = "symmetric"
    beta: float = 0.1

    def __post_init__(self) -> None:
        if self.kind != _FLUCTUATIONS and self.kind not in STENCILS:
            raise ConfigError(f"kind: expected one of {', '.join((*STENCILS.kinds, _FLUCTUATIONS))}, got '{self.kind}'")
        if self.beta == 0 or not np.isfinite(self.beta):
            raise ConfigError(f"beta: expected a number other than zero, got {self.beta}")
        if not SMALLEST_BETA <= abs(self.beta) <= 1.0 / SMALLEST_BETA:
            raise ConfigError(
                f"beta: expected a magnitude from {SMALLEST_BETA:g} to {1.0 / SMALLEST_BETA:g}, got {self.beta:g}"
            )
        if self.beta < 0 and not self.is_one_sided:
            raise ConfigError(
                f"beta: {self.kind} uses both signs, so beta must be positive, got {self.beta}; "
                "a negative beta goes with kind = 'one_sided'"
            )

    @property
    def is_one_sided(self) -> bool:
        """Whether beta may have either sign: all nudged phases are on one side of the free one."""
        return self.kind != _FLUCTUATIONS and self._stencil.is_one_sided

    @property
    def has_free_phase(self) -> bool:
        """Whether the free phase is one of its phases."""
        return bool((self.betas == 0.0).any())

    @property
    def phases(self) -> tuple[tuple[float, float], ...]:
        """(beta, stencil weight) of every phase, ordered by beta; the free phase has beta 0.

        Fluctuations have the free phase alone; what is read from it is no difference of means.
        """
        if self.kind == _FLUCTUATIONS:
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
        return 0 if self.kind == _FLUCTUATIONS else self._stencil.order

    @property
    def _stencil(self) -> Stencil:
        return STENCILS.find(self.kind)

    def stencil_on(self, betas: NDArray) -> NDArray[np.float64]:
        """The stencil on more phases than it needs, zero where it does not look; shape of `betas`."""
        weights = dict(self.phases)
        return np.array([weights.get(float(beta), 0.0) for beta in betas])

    @property
    def stencil(self) -> NDArray[np.float64]:
        """Weights with which means at `betas` make the derivative, shape (phases,)."""
        return np.array([weight for _, weight in self.phases])
