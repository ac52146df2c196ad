"""Dataclasses that are stored as JSON, such as the parts of a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import NoneType
from typing import Any, Self, get_args, get_origin, get_type_hints

import numpy as np


class JsonRecord:
    """Base class of dataclasses of numbers, texts, tuples, arrays and other such dataclasses.

    Arrays become lists and are float64 again when they are read. Numbers are stored to the last bit.
    """

    __slots__ = ()

    def record(self) -> dict[str, Any]:
        """Return the fields as plain data for JSON."""
        plain: dict[str, Any] = _plain(self)
        return plain

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Return the object from what `record` gives, after JSON too."""
        kinds = get_type_hints(cls)
        return cls(**{name: _read(kinds[name], value) for name, value in record.items()})


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return value


def _read(kind: Any, value: Any) -> Any:
    """Return a value as the kind that its field is annotated with."""
    if value is None:
        return None
    kinds = [part for part in get_args(kind) if part is not NoneType]
    if NoneType in get_args(kind):
        return _read(kinds[0], value)
    if get_origin(kind) is np.ndarray:
        return np.array(value, dtype=float)
    if get_origin(kind) is tuple:
        return tuple(_read(kinds[0], item) for item in value)
    if get_origin(kind) is dict:
        return {kinds[0](name): item for name, item in value.items()}
    return kind.from_record(value) if isinstance(kind, type) and issubclass(kind, JsonRecord) else value
