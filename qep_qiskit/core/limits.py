"""Limits of arguments: each stands in the annotation of an argument, and nowhere else.

A class checks its fields with `check_limits` when it is built. Sections of a configuration take limits and defaults
from the annotations, so that a file is checked by the same limits before anything is built.

Example:
    >>> @dataclass(frozen=True)
    ... class Ramp:
    ...     steps: Count = 20
    ...     def __post_init__(self):
    ...         check_limits(self)
    >>> Ramp(steps=0)
    Traceback (most recent call last):
    qep_qiskit.core.errors.ConfigError: steps: expected at least 1, got 0
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, fields
from functools import cache
from inspect import Parameter, signature
from operator import ge, gt, le, lt
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le

from qep_qiskit.core.checks import MOST_SHOTS, finite_number, whole_number
from qep_qiskit.core.errors import ConfigError, QepError

Count = Annotated[int, Ge(1)]
"""A number of things, of which there is at least one."""

Index = Annotated[int, Ge(0)]
"""A number from zero."""

Positive = Annotated[float, Gt(0)]
"""A number above zero."""

NotNegative = Annotated[float, Ge(0)]
"""A number of zero or more."""

Fraction = Annotated[float, Ge(0), Le(1)]
"""A number from 0 to 1."""

Shots = Annotated[int, Ge(1), Le(MOST_SHOTS)]
"""Shots of a batch."""

LIMIT_WORDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
"""Kinds of limits in words that a number follows."""
_HOLDS: dict[str, Callable[[Any, Any], bool]] = {"ge": ge, "gt": gt, "le": le, "lt": lt}


def one_of(values: Iterable[Any]) -> str:
    """Return values in words, such as ``'a', 'b' or 'c'``."""
    *others, last = map(repr, values)
    return f"{', '.join(others)} or {last}" if others else last


def check_limits(holder: Any, *, error: type[QepError] = ConfigError) -> None:
    """Check every field of a dataclass that has limits, or is a number or one of several texts.

    Raises:
        QepError: A field is beyond its limits; the message begins with its name.
    """
    hints = _hints(holder.__class__)
    for field in fields(holder):
        check_value(field.name, getattr(holder, field.name), hints[field.name], error=error)


def check_value(name: str, value: Any, hint: Any, *, error: type[QepError] = ConfigError) -> None:
    """Check that a value is within the limits of an annotation; annotations of other kinds are not checked.

    Args:
        name: Name of the argument, for the message.
        value: The value.
        hint: Annotation: a number or a choice of texts, with or without limits, or None in its place.
        error: Class of the error.

    Raises:
        QepError: It is beyond them.
    """
    base, bounds = _parts(hint, value)
    if get_origin(base) is Literal and value not in get_args(base):
        raise error(f"{name}: expected {one_of(get_args(base))}, got {value!r}")
    if base is int:
        whole_number(name, value, bounds.get("ge"), error=error)
    if base is float:
        finite_number(name, value, error=error)
    for kind, bound in bounds.items():
        if not _HOLDS[kind](value, bound):
            raise error(f"{name}: expected {LIMIT_WORDS[kind]} {bound:g}, got {value}")


def default_and_limits(make: Callable[..., Any], name: str) -> dict[str, Any]:
    """Return the ``default`` of an argument unless it is required, and its limits ``ge``, ``gt``, ``le`` and ``lt``."""
    default = signature(make).parameters[name].default
    return ({} if default is Parameter.empty else {"default": default}) | _parts(_hints(make)[name], ...)[1]


@cache
def _hints(make: Any) -> dict[str, Any]:
    return get_type_hints(make, include_extras=True)


def _parts(hint: Any, value: Any) -> tuple[Any, dict[str, Any]]:
    """Return the type and the limits of an annotation, nothing where the value is None and may be."""
    if get_origin(hint) is Annotated:
        base, *limits = get_args(hint)
        return base, {kind: bound for limit in limits for kind, bound in asdict(limit).items()}
    options = get_args(hint)
    if get_origin(hint) is Literal or NoneType not in options:
        return hint, {}
    others = [option for option in options if option is not NoneType]
    return _parts(others[0], value) if value is not None and len(others) == 1 else (None, {})
