"""Give dataclasses a readable `repr`: their fields in at most 200 characters.

Whole arrays, tables and nested objects make thousands of characters, which are of no use in a debugger or a notebook.
Here an array is its shape, a long collection its length, and a long object its class.
"""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np

_LONGEST = 200
_LONGEST_PART = 50
_MOST_ELEMENTS = 4

Kind = TypeVar("Kind", bound=type)


def short_repr(kind: Kind) -> Kind:
    """Give a dataclass a `repr` of at most 200 characters; stands above its ``@dataclass``."""
    kind.__repr__ = _repr  # type: ignore[assignment]
    return kind


def _repr(self: Any) -> str:
    shown = {field.name: getattr(self, field.name) for field in fields(self) if field.repr}
    return with_fields(type(self).__name__, shown)


def with_fields(name: str, values: dict[str, Any]) -> str:
    """Return ``name(key=value, ...)`` with as many of the values as fit.

    Args:
        name: Of the class.
        values: Values by field.
    """
    text = f"{name}("
    for count, (key, value) in enumerate(values.items()):
        part = f"{', ' if count else ''}{key}={brief(value)}"
        if len(text) + len(part) + len(", ...)") > _LONGEST:
            return f"{text}{', ' if count else ''}...)"
        text += part
    return text + ")"


def brief(value: Any) -> str:
    """Return a value in few characters; a long one is its type and length.

    >>> brief(np.zeros((200, 3))), brief((1, 2)), brief(list(range(100)))
    ('<array of 200 x 3>', '(1, 2)', '<list of 100>')
    """
    name = type(value).__name__
    is_text, is_array = isinstance(value, str | bytes), isinstance(value, np.ndarray)
    if is_array:
        length = " x ".join(map(str, value.shape)) if value.size > _MOST_ELEMENTS else ""
        name = "array"
    else:
        length = str(len(value)) if isinstance(value, Sized) and not is_text else ""
    if length and (is_array or int(length) > _MOST_ELEMENTS):
        return f"<{name} of {length}>"
    text = " ".join(repr(value).split())
    if len(text) <= _LONGEST_PART:
        return text
    if is_text:
        return f"{text[: _LONGEST_PART - 4]}...{text[-1]}"
    return f"<{name} of {length}>" if length else f"{name}(...)"
