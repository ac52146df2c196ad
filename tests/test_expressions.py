"""Sums of Pauli strings as text."""

import pytest

from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.network.expressions import parse_operator


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Z0 Z1", {"Z0 Z1": 1.0}),
        ("-X2", {"X2": -1.0}),
        ("0.2 - 0.08 Z0 Z1 + 0.5*X2", {"I": 0.2, "Z0 Z1": -0.08, "X2": 0.5}),
        ("1e-3 Z0 - 1E+2 * X1+Y2", {"Z0": 1e-3, "X1": -100.0, "Y2": 1.0}),
        (" .5 z1 x0\n+ 2. ", {"X0 Z1": 0.5, "I": 2.0}),
        ("+ 3 I - Z0", {"I": 3.0, "Z0": -1.0}),
        ("X0 + Y0 - 0.5 X0", {"X0": 0.5, "Y0": 1.0}),
        ("X0 + Y0 - X0", {"Y0": 1.0}),
        ("0", {}),
        ("1e-300 Z0", {"Z0": 1e-300}),
        ("Z0 + 0.5X1 - Z0*Z1 + 1E-3Y2Z3", {"Z0": 1.0, "X1": 0.5, "Z0 Z1": -1.0, "Y2 Z3": 1e-3}),
        ("I0 Z1", {"Z1": 1.0}),
        ("(-0.1+0j) [] +\n(0.17+0j) [Z0] + (1e-3-0j) [X0 X1]", {"I": -0.1, "Z0": 0.17, "X0 X1": 1e-3}),
        ("-0.24 [] - (-0.24) [Z0]", {"I": -0.24, "Z0": 0.24}),
        ("0.17 * Z(0) @ Z(1) - 0.5 * (X(0) @ Y(12)) + I(0)", {"Z0 Z1": 0.17, "X0 Y12": -0.5, "I": 1.0}),
        ("2.0 * PauliX(wires=[3])", {"X3": 2.0}),
    ],
)
def test_text_is_read(text, expected):
    found = parse_operator(text)
    assert {str(word): value for word, value in found.items()} == expected
    assert all(isinstance(word, PauliString) for word in found)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "got none"),
        ("Q0", "got 'Q0'"),
        ("0.5 X0 + 0.5 Q0", "'Q0'"),
        ("Z0 +", "got ''"),
        ("Z0 -- Z1", "got ''"),
        ("* Z0", "'* Z0'"),
        ("X1 + 2 *", "'2 *'"),
        ("2 3 Z0", "'3'"),
        ("Z0 Z-1", "'Z'"),
        ("X0 - Z1 Z1", "a qubit appears twice"),
        ("X\N{SUPERSCRIPT TWO}", "got 'X"),
        ("nan Z0", "'nan'"),
        ("X1 + 1e999 Z0", "expected finite numbers, got '1e999'"),
        ("Z0 + 0.5j X0", "expected real coefficients"),
        ("(1+2j) X0", "expected real coefficients"),
        ("1i X0", "expected real coefficients"),
        ("j X0", "expected real coefficients"),
        ("(0.5-2e-3j) [X0]", "expected real coefficients"),
        ("-1.05 * II + 0.39 * IZ", "the last letter is qubit 0"),
        ("0.5 * (X(0) + Y(1))", "multiply it out"),
        ("1.0 [0^ 1]", "fermions"),
        ("X0 @", "at the end of 'X0 @'"),
        ("Z('a')", "got 'Z('a')'"),
        ("(Z0 Z1", "got '(Z0'"),
    ],
)
def test_bad_text_is_one_line_that_shows_the_part(text, part):
    with pytest.raises(NetworkError) as caught:
        parse_operator(text)
    assert part in str(caught.value)
    assert f"'{text}'" in str(caught.value)
    assert "\n" not in str(caught.value)
