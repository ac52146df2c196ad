"""Observables as linear combinations of terms, such as the outputs of networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.checks import finite_number
from qep_qiskit.core.observables import OperatorLike, pauli_strings
from qep_qiskit.core.short_repr import short_repr


class Term(Protocol):
    """Interface of a term of an operator, such as a Pauli string or a function of positions.

    Equal terms are equal as dictionary keys.
    """

    @property
    def is_identity(self) -> bool:
        """Whether the term is a constant."""

    @property
    def is_odd(self) -> bool:
        """Whether the flip of all spins changes the sign of the term."""

    def __hash__(self) -> int: ...


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinearObservable:
    """An observable of any network: a constant plus a linear combination of terms.

    Args:
        terms: (term, coefficient) pairs, each term once, no constants.
        constant: Coefficient of the identity.
        num_qubits: Number of qubits, zero for positions.

    Raises:
        NetworkError: A coefficient or the constant is not finite.

    Example:
        >>> qep.LinearObservable.of(SparsePauliOp(["IZ", "II"], [2.0, 0.5])).constant
        0.5
    """

    terms: tuple[tuple[Term, float], ...] = ()
    constant: float = 0.0
    num_qubits: int = 0

    def __post_init__(self) -> None:
        for term, coefficient in (*self.terms, ("the constant", self.constant)):
            finite_number(f"observable: coefficient of {term}", coefficient)

    @classmethod
    def of(cls, observable: OperatorLike | LinearObservable) -> LinearObservable:
        """Return the linear observable of an operator on qubits."""
        if isinstance(observable, LinearObservable):
            return observable
        pairs = pauli_strings(observable)
        return cls(
            terms=tuple((term, value) for term, value in pairs if not term.is_identity),
            constant=sum(value for term, value in pairs if term.is_identity),
            num_qubits=int(observable.num_qubits),
        )

    def row(self, terms: Sequence[Term]) -> NDArray[np.float64]:
        """Return the coefficients with respect to some terms, which contain all of the observable, shape (terms,)."""
        index = {term: place for place, term in enumerate(terms)}
        full = np.zeros(len(terms))
        for term, coefficient in self.terms:
            full[index[term]] = coefficient
        return full


def matrix_of(
    observables: Sequence[LinearObservable], terms: Sequence[Term]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return coefficients of the terms, shape (observables, terms), and constants, shape (observables,)."""
    rows = np.array([observable.row(terms) for observable in observables])
    return rows.reshape(len(observables), len(terms)), np.array([observable.constant for observable in observables])


def all_terms(observables: Sequence[LinearObservable]) -> tuple[Term, ...]:
    """Return the terms of some observables, each once."""
    return tuple(dict.fromkeys(term for observable in observables for term, _ in observable.terms))
