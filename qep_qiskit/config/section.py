"""Base class and common types of all sections of a configuration."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from qep_qiskit.core.errors import ConfigError, QepError
from qep_qiskit.core.limits import Shots, default_and_limits
from qep_qiskit.core.short_repr import with_fields

ShotsOrExact = Shots | Literal["exact"]
"""Shots of a batch, or expectations without noise."""


def parsed_shots(given: int | str) -> int | None:
    """Return shots as the package uses them: a number, or None for exact expectations."""
    return given if isinstance(given, int) else None


def same_as(make: Callable[..., Any], name: str, **other: Any) -> Any:
    """Return a field with the default and the limits of an argument of a class or function.

    Args:
        make: The class or function.
        name: Name of the argument.
        other: Arguments of `Field`, such as another default.
    """
    return Field(**default_and_limits(make, name) | other)


FILLED_IN = object()
"""Annotation of a key that is filled in when a configuration is read, and that no user gives."""

Made = TypeVar("Made")


class Section(BaseModel):
    """A section of the file; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True)

    def __repr__(self) -> str:
        """Return the given keys, in at most 200 characters."""
        given = {key: getattr(self, key) for key in type(self).model_fields if key in self.model_fields_set}
        return with_fields(type(self).__name__, given)

    @classmethod
    def keys_of_users(cls) -> list[str]:
        """Return the keys that a file can give, without those that are filled in."""
        return [key for key, field in cls.model_fields.items() if FILLED_IN not in field.metadata]

    def made(self, make: Callable[..., Made], **others: Any) -> Made:
        """Return an object whose arguments are keys of this section.

        An omitted key without a default leaves the argument at its default.

        Args:
            make: Class, or function, of the object.
            others: Arguments that are no keys, or have other values than the keys.
        """
        names = signature(make).parameters
        given = {key: getattr(self, key) for key in type(self).model_fields if key in names and key not in others}
        return make(**{key: value for key, value in given.items() if value is not None}, **others)

    @classmethod
    def idle_with(cls, key: str, value: str) -> tuple[str, ...]:
        """Return the keys that have no effect, or another meaning, once another key was replaced.

        ``--set`` drops what the file says of them.

        Args:
            key: The replaced key.
            value: Its new value.
        """
        return ()

    def refuse_given(self, names: Iterable[str], why: str, within: str = "") -> None:
        """Check that keys without any effect are not set.

        Args:
            names: Keys without effect.
            why: Reason, for the message.
            within: Dotted name of the section, where the caller does not add it.

        Raises:
            ConfigError: A key has another value than its default.
        """
        for name in names:
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ConfigError(f"{within}{name}: {why}; leave it out")

    def refuse_idle(self, goes_with: Mapping[str, tuple[bool, str]]) -> None:
        """Check that keys are set only where they have an effect.

        Args:
            goes_with: For each key, whether it has an effect, and what it goes with, for the message.

        Raises:
            ConfigError: A key has another value than its default, and no effect.
        """
        for name, (has_effect, what) in goes_with.items():
            if not has_effect:
                self.refuse_given([name], f"goes with {what}")


@contextmanager
def keys(holder: Section, *names: str) -> Iterator[None]:
    """Add the configuration key to errors that begin with the name of an argument.

    Objects that are built from a section know their arguments only, not the keys.

    Args:
        holder: Section that contains the others.
        names: Names of these sections, in the order in which an argument is searched; an error that names no key of
            theirs is not changed.
    """
    try:
        yield
    except QepError as error:
        argument = re.split(r"[.:]", str(error))[0]
        found = next((name for name in names if argument in type(getattr(holder, name)).model_fields), None)
        if found is not None:
            error.args = (f"{found}.{error}",)
        raise


def flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested sections with dotted keys.

    Args:
        content: Sections and keys.
        prefix: What stands before every key.
    """
    found: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
