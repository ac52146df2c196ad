"""Which Hamiltonians have a ground state of positive amplitudes, and after which rotations."""

import numpy as np
import pytest

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.network import commuting_groups
from qep_qiskit.preparation import dense_hamiltonians
from qep_qiskit.preparation.sign_rule import RealStrings


def strings_of(terms, num_qubits):
    """Groups of the terms, strings, and coefficients in their order."""
    groups = commuting_groups([PauliString.parse(text) for text in terms], num_qubits)
    order = [str(term) for group in groups for term in group.terms]
    return groups, RealStrings.of(groups), np.array([terms[text] for text in order])


POSITIVE = {
    "fields of both signs": {"X0": 0.7, "X1": -0.4, "X2": 1.1, "Z0 Z1": 0.9, "Z1 Z2": -0.3, "Z2": 0.5},
    "products of X": {"X0 X1": 0.7, "X1 X2": 0.2, "X0": -0.4, "X2": -0.1, "Z0 Z2": 1.0},
    "exchange": {"X0 X1": -0.5, "Y0 Y1": -0.5, "Z0 Z1": 0.8, "X1 X2": 0.6, "Y1 Y2": 0.6, "Z1 Z2": 0.2},
    "a bounded Z": {"X1": 0.8, "Z0 X1": 0.5, "X0": 0.3, "X2": 0.1},
}


@pytest.mark.parametrize("case", POSITIVE)
def test_no_element_is_positive_after_the_rotation(case):
    groups, strings, coefficients = strings_of(POSITIVE[case], 3)
    turned = coefficients * strings.turned(strings.rotation(coefficients, "here"))
    matrix = dense_hamiltonians(groups, turned[None])[0]
    assert np.abs(matrix.imag).max() < 1e-14
    off = matrix.real - np.diag(np.diag(matrix.real))
    assert off.max() <= 1e-14
    assert off.min() < -0.05


NOT = {
    "both signs": ({"Z0 X1 Z2": 0.8, "X1": 0.3}, "of sample 3 that flips X1 takes both signs"),
    "frustrated": ({"X0 X1": 1.0, "X1 X2": 1.0, "X0 X2": 1.0}, "no signs of X make all off-diagonal elements"),
    "imaginary": ({"Y0": 0.1, "X0": 1.0}, "'Y0' has an odd number of Y"),
}


@pytest.mark.parametrize("case", NOT)
def test_other_signs_are_refused(case):
    terms, message = NOT[case]
    with pytest.raises(ConfigError, match=message):
        RealStrings.rotation(*strings_of(terms, 3)[1:], "of sample 3")


def test_terms_are_their_matrix_elements():
    """Of every string <s|P|s'> with s' flipped; the ratios of a random state give (P psi)(s) / psi(s)."""
    terms = {"Z0 X1": 1.0, "Y0 Y1": 1.0, "Y0 Y1 X2": 1.0, "Y0 X1 Y2": 1.0, "Z2": 1.0, "Z1 X2": 1.0}
    groups, strings, coefficients = strings_of(terms, 3)
    for row in range(len(coefficients)):
        matrix = dense_hamiltonians(groups, np.eye(len(coefficients))[row][None])[0].real
        for state in range(8):
            spins = 1 - 2 * (state >> np.arange(3) & 1)
            other = state ^ sum(1 << int(k) for k in np.flatnonzero(strings.flips[strings.flip[row]]))
            element = strings.factors[row] * np.prod(spins[strings.signs[row]])
            assert matrix[state, other] == pytest.approx(element, abs=1e-12)
