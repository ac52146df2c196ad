"""Observables as sums of words, and the outputs of networks among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.checks import finite_number
from qep_qiskit.observables import OperatorLike, pauli_words
from qep_qiskit.operators import PauliWord
from qep_qiskit.short_repr import short_repr

__all__ = ["LinearForm", "Word", "all_words", "spin_outputs", "spin_squares"]


class Word(Protocol):
    """What a term is a multiple of, such as a Pauli word or a function of positions; equal words are equal keys."""

    @property
    def is_identity(self) -> bool:
        """Whether it is a constant."""
        ...

    @property
    def is_odd(self) -> bool:
        """Whether the flip of all spins changes its sign."""
        ...

    def __hash__(self) -> int: ...


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinearForm:
    """An observable of any network: a constant and a sum of words with coefficients.

    Args:
        terms: (word, coefficient) pairs, each word once, none of them a constant.
        constant: What is added.
        num_qubits: Number of qubits, zero for positions.

    Raises:
        NetworkError: A coefficient or the constant is not finite.
    """

    terms: tuple[tuple[Word, float], ...] = ()
    constant: float = 0.0
    num_qubits: int = 0

    def __post_init__(self) -> None:
        for word, coefficient in (*self.terms, ("the constant", self.constant)):
            finite_number(f"observable: coefficient of {word}", coefficient)

    @classmethod
    def of(cls, observable: OperatorLike | LinearForm) -> LinearForm:
        """The same of an operator on qubits."""
        if isinstance(observable, LinearForm):
            return observable
        pairs = pauli_words(observable)
        return cls(
            terms=tuple((word, value) for word, value in pairs if not word.is_identity),
            constant=sum(value for word, value in pairs if word.is_identity),
            num_qubits=int(observable.num_qubits),
        )

    def row(self, words: Sequence[Word]) -> NDArray[np.float64]:
        """Coefficients of some words, which hold those of the form, shape (words,)."""
        index = {word: place for place, word in enumerate(words)}
        spread = np.zeros(len(words))
        for word, coefficient in self.terms:
            spread[index[word]] = coefficient
        return spread


def all_words(forms: Sequence[LinearForm]) -> tuple[Word, ...]:
    """The words of some forms, each once."""
    return tuple(dict.fromkeys(word for form in forms for word, _ in form.terms))


def spin_outputs(outputs: Sequence[int], num_qubits: int) -> tuple[LinearForm, ...]:
    """Z of every output spin."""
    return tuple(LinearForm(terms=((PauliWord.of("Z", spin), 1.0),), num_qubits=num_qubits) for spin in outputs)


def spin_squares(outputs: Sequence[int], num_qubits: int) -> tuple[LinearForm, ...]:
    """Their squares: one."""
    return tuple(LinearForm(constant=1.0, num_qubits=num_qubits) for _ in outputs)
