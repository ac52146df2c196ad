"""Sections that have one of several kinds, and keys whose value names an entry of a registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticCustomError, PydanticKnownError, core_schema

from qep_qiskit.config.section import Section
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.limits import one_of
from qep_qiskit.core.registry import Registry


def kind_of(model: type[BaseModel]) -> str | None:
    """Return the value of ``kind`` of a section, or None where it has none or several."""
    field = model.model_fields.get("kind")
    tags = get_args(field.annotation) if field is not None else ()
    return str(tags[0]) if len(tags) == 1 else None


def section_registry(name: str, base: type[Section], *sections: type[Section]) -> Registry[Any]:
    """Return the registry of the kinds of a section.

    Args:
        name: Plural for the group of entry points, such as ``preparations``.
        base: Base class of all sections in the registry.
        sections: The sections of this package.
    """

    def is_kind(entry: Any) -> bool:
        return isinstance(entry, type) and issubclass(entry, base) and kind_of(entry) is not None

    registry: Registry[Any] = Registry(
        f"qep_qiskit.{name}", is_kind, f"a subclass of {base.__name__} with one literal as its kind"
    )
    for section in sections:
        registry.add(str(kind_of(section)), section)
    return registry


def refused(reason: object) -> PydanticCustomError:
    """Return a validation error with a complete message."""
    return PydanticCustomError("refused", "{reason}", {"reason": str(reason)})


@dataclass(frozen=True)
class OneOf:
    """Annotation of a section whose `kind` selects its class in a registry.

    Args:
        registry: The classes by kind.
        default: Kind of a section without the key `kind`, or None where the key is required.
    """

    registry: Registry[Any]
    default: str | None = None

    def model_of(self, data: Mapping[str, Any]) -> type[Section]:
        """Return the class of a section given as a dictionary.

        Raises:
            ConfigError: No class has its kind.
        """
        return self.registry.find(str(data.get("kind", self.default)))

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return how pydantic validates and serialises the section."""

        def written(section: Section, info: Any) -> dict[str, Any]:
            return section.model_dump(mode=info.mode)

        serialization = core_schema.plain_serializer_function_ser_schema(written, info_arg=True)
        return core_schema.no_info_plain_validator_function(self._checked, serialization=serialization)

    def _checked(self, data: Any) -> Section:
        if isinstance(data, Section):
            return data
        if not isinstance(data, Mapping):
            raise PydanticKnownError("dict_type")
        if data.get("kind", self.default) is None:
            raise PydanticCustomError("kind_missing", "this key is missing")
        try:
            model = self.model_of(data)
        except ConfigError as error:
            raise PydanticCustomError("kind_unknown", "{reason}", {"reason": str(error)}) from None
        return model.model_validate(data)


@dataclass(frozen=True)
class Known:
    """Annotation of a text that names an entry of a registry.

    Args:
        registry: The entries.
        more: Other accepted names.
    """

    registry: Registry[Any]
    more: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the entries of this package."""
        return (*self.registry.entries, *self.more)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return how pydantic validates the text."""
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def _checked(self, name: str) -> str:
        if name in self.more:
            return name
        if name not in self.registry:
            raise refused(f"expected {one_of((*self.registry.kinds, *self.more))}, got '{name}'")
        try:
            self.registry.find(name)
        except ConfigError as error:
            raise refused(error) from None
        return name


def models_of(field: FieldInfo) -> list[type[BaseModel]]:
    """Return the section classes that a key accepts; of a registry, those of this package."""
    kinds = [item.registry for item in field.metadata if isinstance(item, OneOf)]
    if kinds:
        return list(kinds[0].entries.values())
    return _models_in(field.annotation)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]
