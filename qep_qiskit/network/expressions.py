"""Sums of Pauli strings as text, such as ``0.2 - 0.08 Z0 Z1 + 0.5 X2``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import isfinite

from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.pauli_strings import PauliString

TermSum = Mapping[PauliString, float]
"""Real coefficients of Pauli strings; the identity stands for a constant."""

_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_COMPLEX = rf"\(\s*(?P<real>[+-]?{_NUMBER})\s*(?:(?P<imaginary>[+-]\s*{_NUMBER})[ij]\s*)?\)"
_PART = re.compile(rf"(?:(?P<number>{_NUMBER})|{_COMPLEX})?\s*(?P<times>\*?)\s*(?P<word>.*)")
_FACTOR = re.compile(r"(?:Pauli)?(?P<letter>[IXYZ])(?:(?P<qubit>\d+)|\((?:wires=)?\[?(?P<wire>\d+)\]?\))", re.I | re.A)
_IDENTITY = re.compile(r"I(?![A-Z0-9(])", re.I)
_BETWEEN = re.compile(r"\s*[*@]?\s*")
_IMAGINARY = re.compile(r"\d[ij]\b|\bj\b", re.I)
_EXPONENT = re.compile(r"\d\.?e$", re.I)
_LABEL = re.compile(r"[IXYZ]{2,}", re.I)


def parse_operator(text: str) -> dict[PauliString, float]:
    """Parse a sum of Pauli strings with real factors.

    A part is a Pauli string (``Z0 Z1``), a number in front of a Pauli string (``0.5 X0`` or ``0.5 * X0``), or a number
    alone, which is a constant; parts are joined by + and -. Coefficients of repeated Pauli strings are added. The
    output formats of OpenFermion (``(0.5+0j) [X0 Z1]``) and PennyLane (``0.5 * (X(0) @ Z(1))``) are also accepted.

    Args:
        text: Such as ``"0.2 - 0.08 Z0 Z1"``; qubits are counted from 0.

    Returns:
        Coefficients by Pauli string, in the order of the text; coefficients that add up to exactly zero are omitted.

    Raises:
        NetworkError: A part does not parse, or its factor is not real and finite; the message names the part.

    Example:
        >>> {str(string): value for string, value in qep.parse_operator("0.5 Z0 Z1 - X0").items()}
        {'Z0 Z1': 0.5, 'X0': -1.0}
    """
    text = " ".join(text.split())
    total: dict[PauliString, float] = {}
    for sign, part in _parts(text):
        string, coefficient = _read(text, part)
        total[string] = total.get(string, 0.0) + (coefficient if sign == "+" else -coefficient)
    if not total:
        raise NetworkError(f"operator '{text}': expected words such as X0 or Z1 Z2, joined by + and -; got none")
    return {string: coefficient for string, coefficient in total.items() if coefficient != 0.0}


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Return signs and the text after them; signs in brackets and in exponents do not separate parts."""
    sign, start, depth = "+", 0, 0
    for place, letter in enumerate(text):
        depth += (letter in "([") - (letter in ")]")
        if letter in "+-" and depth <= 0 and not _EXPONENT.search(text[max(0, place - 3) : place]):
            if place > 0:
                yield sign, text[start:place].strip()
            sign, start = letter, place + 1
    if text:
        yield sign, text[start:].strip()


def _read(text: str, part: str) -> tuple[PauliString, float]:
    """Return one part, without its sign, as Pauli string and factor."""
    if _IMAGINARY.search(re.sub(_COMPLEX, "", part)):
        raise NetworkError(f"operator '{text}': expected real coefficients, for a Hermitian operator")
    found = _PART.fullmatch(part)
    assert found is not None
    number = found["number"] or found["real"]
    if not part or (found["times"] and not (number and found["word"])):
        raise NetworkError(
            f"operator '{text}': expected a word such as X0 or Z1 Z2, with or without a number in front, got '{part}'"
        )
    if found["imaginary"] and float(found["imaginary"].replace(" ", "")) != 0.0:
        raise NetworkError(f"operator '{text}': expected real coefficients, for a Hermitian operator, got '{part}'")
    coefficient = float(number) if number else 1.0
    if not isfinite(coefficient):
        raise NetworkError(f"operator '{text}': expected finite numbers, got '{number}'")
    return _string(text, found["word"]), coefficient


def _string(text: str, written: str) -> PauliString:
    """Return a product of factors, with or without brackets; an empty product is the identity."""
    inner = written[1:-1].strip() if written[:1] + written[-1:] in ("()", "[]") else written
    factors, place = [], 0
    while place < len(inner):
        found = _FACTOR.match(inner, place) or _IDENTITY.match(inner, place)
        if found is None:
            raise NetworkError(f"operator '{text}': {_wanted(inner[place:].split()[0], inner)}")
        if found.re is _FACTOR and found["letter"] not in "iI":
            factors.append(found["letter"] + (found["qubit"] or found["wire"]))
        joint = _BETWEEN.match(inner, found.end())
        assert joint is not None
        place = joint.end()
    if inner[-1:] in ("*", "@"):
        raise NetworkError(f"operator '{text}': expected a factor such as X0 at the end of '{written}'")
    try:
        return PauliString.parse(" ".join(factors))
    except NetworkError as error:
        raise NetworkError(f"operator '{text}': {error}") from None


def _wanted(got: str, string: str) -> str:
    """Return the message for text that is not a factor: what is expected, and how to write it."""
    expected = f"expected factors like X0 or Z12 joined by spaces, * or @, got '{got}'"
    if "^" in string:
        return f"{expected}: these are fermions; map them to qubits first (Jordan-Wigner, for one)"
    if _LABEL.fullmatch(got):
        return f"{expected}: write the qubit of every factor; of a label of Qiskit's the last letter is qubit 0"
    if "+" in string or "-" in string:
        return f"{expected}: a sum in brackets; multiply it out"
    return expected
