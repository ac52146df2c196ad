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
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from annotated_types import BaseMetadata, Ge, Gt, Le, Lt

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

_WORDS: dict[type[Any], str] = {Ge: "at least", Gt: "more than", Le: "at most", Lt: "less than"}


def limit_words(limit: BaseMetadata) -> str:
    """Return a limit in words, such as ``at least 1``."""
    (bound,) = asdict(limit).values()  # type: ignore[call-overload]
    return f"{_WORDS[type(limit)]} {bound:g}"


def one_of(values: Iterable[Any]) -> str:
    """Return values in words, such as ``'a', 'b' or 'c'``."""
    *others, last = map(repr, values)
    return f"{', '.join(others)} or {last}" if others else last


def check_limits(holder: Any, *, error: type[QepError] = ConfigError) -> None:
    """Check every field of a dataclass that has limits, or is a number or one of several texts.

    Args:
        holder: The dataclass.
        error: Class of the error.

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
    base, limits = _parts(hint, value)
    if get_origin(base) is Literal and value not in get_args(base):
        raise error(f"{name}: expected {one_of(get_args(base))}, got {value!r}")
    if base is int:
        whole_number(name, value, next((limit.ge for limit in limits if isinstance(limit, Ge)), None), error=error)  # type: ignore[arg-type]
    if base is float:
        finite_number(name, value, error=error)
    for limit in limits:
        ((kind, bound),) = asdict(limit).items()  # type: ignore[call-overload]
        if not {"ge": value >= bound, "gt": value > bound, "le": value <= bound, "lt": value < bound}[kind]:
            raise error(f"{name}: expected {limit_words(limit)}, got {value}")


def default_and_limits(make: Callable[..., Any], name: str) -> tuple[Any, tuple[BaseMetadata, ...]]:
    """Return the default and the limits of an argument; the default is `Parameter.empty` where it is required.

    Args:
        make: A class or function.
        name: Name of the argument.
    """
    return signature(make).parameters[name].default, _parts(_hints(make)[name], Parameter.empty)[1]


@cache
def _hints(make: Any) -> dict[str, Any]:
    return get_type_hints(make, include_extras=True)


def _parts(hint: Any, value: Any) -> tuple[Any, tuple[BaseMetadata, ...]]:
    """Return the type and the limits of an annotation, nothing where the value is None and may be."""
    if get_origin(hint) is Annotated:
        base, *found = get_args(hint)
        return base, tuple(limit for limit in found if isinstance(limit, BaseMetadata))
    if get_origin(hint) is Literal:
        return hint, ()
    options = get_args(hint)
    if NoneType not in options:
        return (None if options else hint), ()
    others = [option for option in options if option is not NoneType]
    return _parts(others[0], value) if value is not None and len(others) == 1 else (None, ())
