"""Sums of Pauli words as text, such as ``0.2 - 0.08 Z0 Z1 + 0.5 X2``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite

from qep_qiskit.errors import NetworkError
from qep_qiskit.operators import PauliWord

__all__ = ["WordSum", "format_operator", "parse_operator"]

WordSum = Mapping[PauliWord, float]
"""Real coefficients of Pauli words; the identity stands for a constant."""

_SIGN_OF_A_PART = re.compile(r"(?<!\d[eE])([+-])")
_PART = re.compile(r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)?(?:(?:^|\s*\*|\s|(?<=\d)$)\s*(?P<word>.*))?")
_IMAGINARY = re.compile(r"\d[ij]\b|\bj\b|[()]", flags=re.IGNORECASE)


def parse_operator(text: str) -> dict[PauliWord, float]:
    """Read a sum of Pauli words with real factors.

    A part is a word (``Z0 Z1``), a number in front of a word (``0.5 X0`` or ``0.5 * X0``), or a number alone, which is
    a constant; parts are joined by + and -. Words that come twice are added up.

    Args:
        text: Such as ``"0.2 - 0.08 Z0 Z1"``; qubits are counted from 0.

    Returns:
        Coefficients by word, in the order of the text; coefficients that add up to zero are left out.

    Raises:
        NetworkError: A part does not parse, or its factor is not real and finite; the message names the part.
    """
    text = " ".join(text.split())
    if _IMAGINARY.search(text):
        raise NetworkError(f"operator '{text}': expected real coefficients, for a Hermitian operator")
    pieces = [piece.strip() for piece in _SIGN_OF_A_PART.split(text)]
    pieces = ["+", *pieces] if pieces[0] else pieces[1:]
    total: dict[PauliWord, float] = {}
    for sign, part in zip(pieces[::2], pieces[1::2], strict=True):
        word, coefficient = _read(text, part)
        total[word] = total.get(word, 0.0) + (coefficient if sign == "+" else -coefficient)
    if not total:
        raise NetworkError(f"operator '{text}': expected words such as X0 or Z1 Z2, joined by + and -; got none")
    return {word: coefficient for word, coefficient in total.items() if coefficient != 0.0}


def format_operator(operator: WordSum) -> str:
    """The same as text: ``parse_operator(format_operator(operator))`` gives it back."""
    parts = [f"{'-' if value < 0 else '+'} {abs(value)!r} {word}" for word, value in operator.items()]
    return " ".join(parts).removeprefix("+ ") or "0.0 I"


def _read(text: str, part: str) -> tuple[PauliWord, float]:
    """One part, without its sign, as word and factor."""
    found = _PART.fullmatch(part)
    number, word = (found["number"], found["word"]) if found else (None, None)
    if not (number or word) or (part.endswith("*") or part.startswith("*")):
        raise NetworkError(
            f"operator '{text}': expected a word such as X0 or Z1 Z2, with or without a number in front, got '{part}'"
        )
    coefficient = float(number) if number else 1.0
    if not isfinite(coefficient):
        raise NetworkError(f"operator '{text}': expected finite numbers, got '{number}'")
    try:
        return PauliWord.parse(word or ""), coefficient
    except NetworkError as error:
        raise error if word == text else NetworkError(f"operator '{text}': {error}") from None
