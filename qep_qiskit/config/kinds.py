"""Sections that are of one of several kinds, and keys that name an entry of a registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticCustomError, PydanticKnownError, core_schema

from qep_qiskit.config.section import Section
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.registry import Registry


def kind_of(model: type[BaseModel]) -> str | None:
    """The value of ``kind`` that stands for a section, or None where it has none or several."""
    field = model.model_fields.get("kind")
    tags = get_args(field.annotation) if field is not None else ()
    return str(tags[0]) if len(tags) == 1 else None


def section_registry(name: str, base: type[Section], *sections: type[Section]) -> Registry[Any]:
    """The registry of the kinds of a section.

    Args:
        name: Plural for the group of entry points, such as ``preparations``.
        base: Class of all sections in it.
        sections: Those of the package.
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
    """A complaint about a value, worded in full."""
    return PydanticCustomError("refused", "{reason}", {"reason": str(reason)})


@dataclass(frozen=True)
class OneOf:
    """Annotation of a section whose `kind` says which class of a registry it is.

    Args:
        registry: Its classes.
        default: Kind of a section that names none, or None where it has to.
    """

    registry: Registry[Any]
    default: str | None = None

    def model_of(self, data: Mapping[str, Any]) -> type[Section]:
        """The class of plain data.

        Raises:
            ConfigError: There is none of its kind.
        """
        return self.registry.find(str(data.get("kind", self.default)))

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """How pydantic checks and writes it."""

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
        more: Other names that will do.
    """

    registry: Registry[Any]
    more: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The package's own names."""
        return (*self.registry.entries, *self.more)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """How pydantic checks it."""
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def _checked(self, name: str) -> str:
        if name in self.more:
            return name
        if name not in self.registry:
            known = [repr(kind) for kind in (*self.registry.kinds, *self.more)]
            raise refused(f"expected {', '.join(known[:-1])} or {known[-1]}, got '{name}'")
        try:
            self.registry.find(name)
        except ConfigError as error:
            raise refused(error) from None
        return name


def models_of(field: FieldInfo) -> list[type[BaseModel]]:
    """The sections that a key can hold; those of the package where it is of one of several kinds."""
    kinds = [item.registry for item in field.metadata if isinstance(item, OneOf)]
    if kinds:
        return list(kinds[0].entries.values())
    return _models_in(field.annotation)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]
