"""Sums of products of Z, as polynomials in the coordinates on registers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qep_qiskit.core.short_repr import short_repr


@short_repr
@dataclass(frozen=True, slots=True, eq=False)
class ZPolynomial:
    """A polynomial sum_m c_m prod_(k in m) Z_k, closed under sums and products because Z^2 = 1.

    Args:
        terms: Coefficient of every bit mask; mask 0 is the constant.
    """

    terms: Mapping[int, float]

    @property
    def constant(self) -> float:
        """Coefficient of the identity."""
        return self.terms.get(0, 0.0)

    @property
    def masks(self) -> tuple[int, ...]:
        """Masks of the terms that are not constant, in ascending order."""
        return tuple(sorted(mask for mask in self.terms if mask))

    def __add__(self, other: ZPolynomial) -> ZPolynomial:
        total = dict(self.terms)
        for mask, value in other.terms.items():
            total[mask] = total.get(mask, 0.0) + value
        return ZPolynomial(total)

    def __mul__(self, other: ZPolynomial | float) -> ZPolynomial:
        if not isinstance(other, ZPolynomial):
            return ZPolynomial({mask: value * other for mask, value in self.terms.items()})
        product: dict[int, float] = {}
        for mask, value in self.terms.items():
            for also, factor in other.terms.items():
                product[mask ^ also] = product.get(mask ^ also, 0.0) + value * factor
        return ZPolynomial(product)

    def __sub__(self, other: ZPolynomial) -> ZPolynomial:
        return self + other * -1.0
