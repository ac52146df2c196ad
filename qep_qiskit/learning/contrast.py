"""Contrasts: nudges to measure at, and finite-difference weights for the derivative by beta.

By equilibrium propagation d<C>/dw = d/dbeta <dH/dw>_beta at beta = 0 (Scellier 2024, arXiv:2406.00879, theorem 1). A
contrast is a finite-difference stencil for the right-hand side:

    one-sided    [<A>_beta - <A>_0] / beta                                   bias O(beta)
    symmetric    [<A>_beta - <A>_-beta] / (2 beta)                           bias O(beta^2)
    four-point   [8 (<A>_beta - <A>_-beta) - (<A>_2beta - <A>_-2beta)] / (12 beta)   bias O(beta^4)
    chebyshev    sum_i c_i <A>_(x_i beta),  sum_i c_i (x_i beta)^k = delta_k1        bias O(beta^n)

The x_i are the n = 4, 6 or 8 Chebyshev nodes in [-1, 1], with shots in proportion to |c_i|. At finite beta the
one-sided and the symmetric contrast are exact gradients of contrastive functions. In Gibbs states the derivative is
also a covariance in the free phase (`fluctuations`), and in eigenstates a linear response of the free state
(`linear_response`); both need no nudge. Complex nudges on a circle (`holomorphic`) exist for exact states only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.limits import check_limits
from qep_qiskit.core.registry import Registry

FLUCTUATIONS, LINEAR_RESPONSE, HOLOMORPHIC = "fluctuations", "linear_response", "holomorphic"
NUDGELESS = (FLUCTUATIONS, LINEAR_RESPONSE, HOLOMORPHIC)
"""Kinds of contrasts without nudged phases to measure."""

CHEBYSHEV = "chebyshev"
CHEBYSHEV_ORDERS = (4, 6, 8)
"""Numbers of Chebyshev nodes, which are the leading powers of beta in the bias."""

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
        splits_shots: Whether the shots of a group are split between the phases by the magnitudes of the weights, which
            gives the least variance for equal noise of all phases. Otherwise all phases have equal shots.

    Raises:
        ConfigError: The sums differ from zero and one.

    Example:
        >>> qep.Stencil(weights={0: -1.5, 1: 2.0, 2: -0.5}, order=2).is_one_sided
        True
    """

    weights: Mapping[float, float]
    order: int
    splits_shots: bool = False

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

    @property
    def shot_fractions(self) -> Mapping[float, float]:
        """Shots of every multiple of beta over the mean of all."""
        if not self.splits_shots:
            return dict.fromkeys(self.weights, 1.0)
        mean = sum(map(abs, self.weights.values())) / len(self.weights)
        return {multiple: abs(weight) / mean for multiple, weight in self.weights.items()}


def chebyshev(order: int) -> Stencil:
    """Return the stencil at the Chebyshev nodes cos((2 j - 1) pi / 2 n), j = 1 ... n.

    Its derivative is that of the interpolating polynomial: exact for polynomials in beta of degree n and below.

    Args:
        order: Number of nodes n, even.

    Example:
        >>> stencil = qep.learning.contrast.chebyshev(4)
        >>> [round(sum(c * x**k for x, c in stencil.weights.items()), 12) + 0.0 for k in range(5)]
        [0.0, 1.0, 0.0, 0.0, 0.0]
        >>> two_points = 1.0  # sum |c_i| of two points at +-1
        >>> round((sum(map(abs, stencil.weights.values())) / two_points) ** 2, 1)  # times the variance
        11.4
    """
    nodes = np.cos((2 * np.arange(1, order // 2 + 1) - 1) * np.pi / (2 * order))
    # Weights of x and -x are opposite, so the odd powers below n alone determine them: Lagrange polynomials in x^2.
    squares = nodes**2
    apart = squares[None, :] - squares[:, None]
    np.fill_diagonal(apart, 1.0)
    ratios = np.where(np.eye(len(nodes), dtype=bool), 1.0, squares[None, :] / apart)
    halves = ratios.prod(axis=1) / (2.0 * nodes)
    weights = dict(zip((-nodes).tolist(), (-halves).tolist(), strict=True))
    weights |= dict(zip(nodes[::-1].tolist(), halves[::-1].tolist(), strict=True))
    return Stencil(weights=weights, order=order, splits_shots=True)


_CHEBYSHEV = MappingProxyType({f"{CHEBYSHEV}_{order}": chebyshev(order) for order in CHEBYSHEV_ORDERS})

STENCILS: Registry[Stencil] = Registry(
    "qep_qiskit.contrasts", lambda entry: isinstance(entry, Stencil), "a Stencil of qep_qiskit.learning"
)
"""Stencils of the contrasts by kind."""
STENCILS.add("one_sided", Stencil(weights={0: -1.0, 1: 1.0}, order=1))
STENCILS.add("symmetric", Stencil(weights={-1: -0.5, 1: 0.5}, order=2))
STENCILS.add("four_point", Stencil(weights={-2: 1.0 / 12.0, -1: -8.0 / 12.0, 1: 8.0 / 12.0, 2: -1.0 / 12.0}, order=4))


def of_sign(name: str) -> tuple[str, float]:
    """Return a contrast's name and the sign of its nudge, from its name in a study; ``_negative`` is beta < 0.

    Raises:
        ConfigError: There is no such contrast, or ``_negative`` stands with a contrast that uses both signs.
    """
    kind = name.removesuffix(_OTHER_SIDE)
    if kind not in _CHEBYSHEV:
        STENCILS.find(kind)
    if kind != name and not Contrast.named(kind).is_one_sided:
        raise ConfigError(f"expected a one-sided contrast before '{_OTHER_SIDE}', got '{name}'")
    return kind, -1.0 if kind != name else 1.0


def study_names() -> tuple[str, ...]:
    """Return the names in a study of the package's contrasts; one-sided contrasts are listed with both signs."""
    own = tuple(
        name
        for kind, stencil in STENCILS.entries.items()
        for name in ((kind, kind + _OTHER_SIDE) if stencil.is_one_sided else (kind,))
    )
    return (*own, *_CHEBYSHEV)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Nudges and weights that estimate the derivative by beta.

    Args:
        kind: ``"one_sided"``, ``"symmetric"``, ``"four_point"``, another key of `STENCILS`, ``"chebyshev"``, or one of
            `NUDGELESS`: ``"fluctuations"``, ``"linear_response"`` or ``"holomorphic"``.
        beta: Nudge strength, in units of energy over units of the cost; with ``"chebyshev"`` the half-width of the
            interval of the nodes. It has either sign for one-sided stencils and is not used without nudged phases.
        order: Number of nodes of ``"chebyshev"``: 4 (the default), 6 or 8. Other kinds set it: it is the leading power
            of beta in the bias, and 0 where there is no nudge.
        points: Number of complex nudges of ``"holomorphic"`` on their circle.
        radius: Radius of this circle, or None for a small one: where truncation and rounding are about equal.

    Raises:
        ConfigError: The kind is unknown; the order does not belong to it; or beta is zero, not finite, outside 1e-100
            to 1e100 in magnitude, or negative with a contrast that uses both signs.

    Example:
        >>> contrast = qep.Contrast(kind="symmetric", beta=0.1)
        >>> contrast.betas, contrast.stencil
        (array([-0.1,  0.1]), array([-5.,  5.]))
        >>> qep.Contrast(kind="chebyshev", order=4, beta=1.0).betas.round(4)
        array([-0.9239, -0.3827,  0.3827,  0.9239])
    """

    kind: str = "symmetric"
    beta: float = 0.3
    order: int = 0
    points: Annotated[int, Ge(2), Le(1024)] = 8
    radius: Beta | None = None

    def __post_init__(self) -> None:
        self._check_order()
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
        check_limits(self)

    def _check_order(self) -> None:
        """Check the kind, and set its order."""
        if self.kind == CHEBYSHEV:
            object.__setattr__(self, "order", self.order or CHEBYSHEV_ORDERS[0])
            if self.order not in CHEBYSHEV_ORDERS:
                raise ConfigError(f"order: 'chebyshev' has 4, 6 or 8 nodes, got {self.order}")
            return
        if self.kind not in NUDGELESS and self.kind not in STENCILS:
            raise ConfigError(
                f"kind: expected one of {', '.join((*STENCILS.kinds, CHEBYSHEV, *NUDGELESS))}, got '{self.kind}'"
            )
        own = 0 if self.kind in NUDGELESS else self._stencil.order
        if self.order not in (0, own):
            raise ConfigError(f"order: goes with kind = 'chebyshev', not with '{self.kind}'; leave it out")
        object.__setattr__(self, "order", own)

    @classmethod
    def named(cls, name: str, beta: float = 1.0) -> Contrast:
        """Return a contrast from its `name`.

        Args:
            name: The name.
            beta: Nudge strength.
        """
        return (
            cls(kind=CHEBYSHEV, order=_CHEBYSHEV[name].order, beta=beta)
            if name in _CHEBYSHEV
            else cls(kind=name, beta=beta)
        )

    @property
    def name(self) -> str:
        """The kind, with the order of ``"chebyshev"``: ``"chebyshev_6"``."""
        return f"{CHEBYSHEV}_{self.order}" if self.kind == CHEBYSHEV else self.kind

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
    def _stencil(self) -> Stencil:
        return _CHEBYSHEV[self.name] if self.kind == CHEBYSHEV else STENCILS.find(self.kind)

    @property
    def shot_fractions(self) -> NDArray[np.float64]:
        """Shots of every phase over the mean of all, shape (phases,)."""
        if self.kind in NUDGELESS:
            return np.ones(1)
        fractions = self._stencil.shot_fractions.items()
        return np.array(
            [fraction for _, fraction in sorted((multiple * self.beta, own) for multiple, own in fractions)]
        )

    @property
    def noise(self) -> float:
        """Variance of the derivative for independent means of variance one at the mean number of shots."""
        return float(np.sum(self.stencil**2 / self.shot_fractions))

    def stencil_on(self, betas: NDArray) -> NDArray[np.float64]:
        """Return the stencil weights at given nudges, zero where the contrast does not use one; shape of `betas`."""
        weights = dict(self.phases)
        return np.array([weights.get(float(beta), 0.0) for beta in betas])

    @property
    def stencil(self) -> NDArray[np.float64]:
        """Weights of the means at `betas` in the derivative, shape (phases,)."""
        return np.array([weight for _, weight in self.phases])


def joint_phases(contrasts: Sequence[Contrast]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the nudges of several contrasts that are measured together, ascending, and their shots.

    Args:
        contrasts: The contrasts.

    Returns:
        Nudges, and the shots of each over those of a phase with an equal share, the most that a contrast asks for; both
        of shape (phases,).
    """
    betas = np.unique(np.concatenate([contrast.betas for contrast in contrasts]) + 0.0)
    fractions = np.zeros(len(betas))
    for contrast in contrasts:
        where = np.searchsorted(betas, contrast.betas)
        fractions[where] = np.maximum(fractions[where], contrast.shot_fractions)
    return betas, fractions
