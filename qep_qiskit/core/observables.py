"""Check operators that come from Python: every class of Qiskit's that is a sum of Pauli strings, Hermitian and finite.

No term is dropped because it is small: units are the user's, and only a coefficient that is exactly zero is no term.
Rounding errors are judged against the operator's own largest coefficient.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import Operator, Pauli, PauliList, SparseObservable, SparsePauliOp

from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.pauli_strings import PauliString

OperatorLike: TypeAlias = SparsePauliOp | SparseObservable | Pauli | PauliList | Operator
"""What is accepted where an operator is wanted; a `PauliList` is the sum of its strings."""

_REAL = 1e-12
"""Imaginary parts below this share of the largest coefficient are rounding."""
_OF_MATRIX = 1e-14
"""Coefficients of a dense matrix below this share of its largest entry are rounding."""


def hermitian(operator: OperatorLike, name: str = "operator") -> SparsePauliOp:
    """Return the same operator with real coefficients, every Pauli string once, in the order of first appearance.

    Args:
        operator: The operator.
        name: What it is, for messages.

    Returns:
        The sum without terms that are exactly zero; an empty sum is zero times the identity.

    Raises:
        NetworkError: It is of another class, no operator on qubits, not Hermitian, or a coefficient is not finite or is
            a parameter.
    """
    found = _as_sum(operator, name)
    merged: dict[str, complex] = {}
    for label, coefficient in zip(found.paulis.to_labels(), _numbers(found, name), strict=True):
        merged[label] = merged.get(label, 0.0) + coefficient
    largest = max(map(abs, merged.values()), default=0.0)
    for label, coefficient in merged.items():
        if abs(coefficient.imag) > _REAL * largest:
            raise NetworkError(
                f"{name}, term {label}: expected a real coefficient (Hermitian operator), got {coefficient}"
            )
    terms = [(label, value.real) for label, value in merged.items() if value.real != 0.0]
    return SparsePauliOp.from_list(terms or [("I" * found.num_qubits, 0.0)])


def pauli_strings(operator: OperatorLike, name: str = "operator") -> list[tuple[PauliString, float]]:
    """Return the Pauli strings and real coefficients of a Hermitian operator.

    Args:
        operator: The operator.
        name: What it is, for messages.

    Raises:
        NetworkError: As for `hermitian`.
    """
    terms = []
    for label, coefficient in hermitian(operator, name).to_list():
        factors = tuple((k, letter) for k, letter in enumerate(reversed(label)) if letter != "I")
        terms.append((PauliString(factors), float(coefficient.real)))
    return terms


def _as_sum(operator: OperatorLike, name: str) -> SparsePauliOp:
    if isinstance(operator, SparsePauliOp):
        return operator
    if isinstance(operator, Pauli | PauliList):
        return SparsePauliOp(operator)
    if isinstance(operator, SparseObservable):
        return SparsePauliOp.from_sparse_observable(operator)
    if isinstance(operator, Operator):
        return _of_matrix(operator, name)
    raise NetworkError(
        f"{name}: expected a SparsePauliOp, SparseObservable, Pauli, PauliList or Operator of Qiskit's, got "
        f"{type(operator).__name__}; text is read by parse_operator"
    )


def _of_matrix(operator: Operator, name: str) -> SparsePauliOp:
    """Return a dense matrix as a sum.

    Scale it to entries of about one first, because Qiskit's tolerance is absolute.
    """
    matrix = operator.data
    if not np.isfinite(matrix).all():
        raise NetworkError(f"{name}: expected a matrix of finite numbers, got {matrix[~np.isfinite(matrix)][0]}")
    largest = float(np.abs(matrix).max(initial=0.0))
    unit = 2.0 ** float(np.frexp(largest)[1] - 1)
    try:
        scaled = Operator(matrix / unit, input_dims=operator.input_dims(), output_dims=operator.output_dims())
        found = SparsePauliOp.from_operator(scaled, atol=_OF_MATRIX, rtol=0.0)
    except QiskitError as error:
        raise NetworkError(f"{name}: expected an operator on qubits ({error.message})") from None
    return SparsePauliOp(found.paulis, found.coeffs * unit)


def _numbers(operator: SparsePauliOp, name: str) -> Sequence[complex]:
    """Return the coefficients as finite numbers."""
    numbers = []
    for label, coefficient in zip(operator.paulis.to_labels(), operator.coeffs.tolist(), strict=True):
        numbers.append(_number(coefficient, f"{name}, term {label}"))
    return numbers


def _number(coefficient: Any, name: str) -> complex:
    try:
        number = complex(coefficient)
    except TypeError:
        raise NetworkError(
            f"{name}: expected a number as coefficient, got the parameter '{coefficient}'; bind it with "
            "assign_parameters, or give the term a weight of its own"
        ) from None
    if not np.isfinite(number):
        raise NetworkError(f"{name}: expected a finite coefficient, got {coefficient}")
    return number
