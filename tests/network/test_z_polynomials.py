"""Polynomials in Z multiply like their values."""

import pytest
from oscillator_cases import values_of

from qep_qiskit.continuous.z_polynomials import ZPolynomial


def test_products_of_polynomials_are_products_of_values(rng):
    one, other = (ZPolynomial({int(m): float(v) for m, v in enumerate(rng.normal(size=16))}) for _ in range(2))
    values = [values_of(p, 4) for p in (one, other)]
    assert values_of(one * other, 4) == pytest.approx(values[0] * values[1], abs=1e-12)
    assert values_of(one - other * 0.5, 4) == pytest.approx(values[0] - values[1] / 2, abs=1e-12)


def test_masks_leave_the_constant_out():
    polynomial = ZPolynomial({0: 2.0, 5: 1.0, 3: -1.0})
    assert (polynomial.constant, polynomial.masks) == (2.0, (3, 5))
    assert (polynomial * polynomial).constant == 6.0
