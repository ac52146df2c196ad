"""Text from elsewhere, such as names in files and messages of a service, as it may be shown on a terminal."""

from __future__ import annotations

import unicodedata

_KEPT = "\n\t"
_HARMFUL = ("Cc", "Cf", "Cs", "Zl", "Zp")  # controls, invisible marks that turn the direction, halves, line ends


def printable(text: str) -> str:
    """Return a text with a question mark in place of every character that would control a terminal."""
    return "".join(
        character if character in _KEPT or unicodedata.category(character) not in _HARMFUL else "?"
        for character in text
    )
