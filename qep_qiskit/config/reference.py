"""Documentation of all configuration keys, made from the schema.

``python -m qep_qiskit.config.reference > docs/reference/configuration.md`` writes it; a test compares the two.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any, get_args

from annotated_types import BaseMetadata
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from qep_qiskit.config.kinds import Known, kind_of, models_of
from qep_qiskit.config.schema import Config
from qep_qiskit.config.weight_section import WeightBlockConfig

_HEAD = """\
# Configuration

A run is one TOML file. Every key is listed here with its default; a key that is not listed is an error.
`--set key.path=value` on the command line replaces or adds a key. This page is made from the schema:
`python -m qep_qiskit.config.reference > docs/reference/configuration.md`.
"""


def configuration_page() -> str:
    """Return the page in Markdown."""
    return "\n".join([_HEAD, *_section(Config, "")]).rstrip() + "\n"


def _section(model: type[BaseModel], path: str) -> Iterator[str]:
    """Return a heading, a table of the keys with values, and then the sections inside."""
    plain = {name: field for name, field in model.model_fields.items() if not models_of(field)}
    kind = kind_of(model)
    title = f"`[{path}]`" + (f' with `kind = "{kind}"`' if kind else "") if path else "Top level"
    yield f"## {title}\n"
    yield f"{_first_line(model)}\n"
    if plain:
        yield "| key | values | default | meaning |"
        yield "|---|---|---|---|"
        for name, field in plain.items():
            yield f"| `{name}` | {_values(field)} | {_default(model, name)} | {_text(field)} |"
        yield ""
    for name, field in model.model_fields.items():
        inner = f"{path}.{name}" if path else name
        for part in models_of(field):
            yield from _section(part, f"[{inner}]" if _is_list(field.annotation) else inner)


def _first_line(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0].replace("``", "`")


def _is_list(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) is list


def _values(field: FieldInfo) -> str:
    words = _known(field.metadata) or _type_words(field.annotation)
    return _with_limits(" or ".join(dict.fromkeys(words)), field.metadata)


def _known(metadata: Iterable[Any]) -> list[str]:
    """Return the names of the entries of a registry."""
    return [f"`{name}`" for item in metadata if isinstance(item, Known) for name in item.names]


def _with_limits(words: str, metadata: Iterable[Any]) -> str:
    inner = [part for item in metadata for part in (item.metadata if isinstance(item, FieldInfo) else [item])]
    limits = ", ".join(_limit(item) for item in inner if isinstance(item, BaseMetadata))
    return f"{words} ({limits})" if limits else words


def _limit(item: BaseMetadata) -> str:
    signs = {"Gt": ("gt", ">"), "Ge": ("ge", ">="), "Lt": ("lt", "<"), "Le": ("le", "<=")}
    signs |= {"MinLen": ("min_length", "items >="), "MaxLen": ("max_length", "items <=")}
    name, sign = signs[type(item).__name__]
    value = getattr(item, name)
    return f"{sign} {value:g}" if isinstance(value, int) and value >= 10**9 else f"{sign} {value}"


def _type_words(annotation: Any) -> Iterator[str]:
    names: dict[Any, str] = {Any: "any value", int: "whole number", float: "number", str: "text", bool: "true/false"}
    if annotation in names:
        yield names[annotation]
    elif isinstance(annotation, str):
        yield f"`{annotation}`"
    elif getattr(annotation, "__origin__", None) in (list, dict):
        inner = " or ".join(dict.fromkeys(_type_words(get_args(annotation)[-1])))
        yield f"list of ({inner})" if annotation.__origin__ is list else f"table of ({inner})"
    elif hasattr(annotation, "__metadata__"):
        words = _known(annotation.__metadata__) or _type_words(get_args(annotation)[0])
        yield _with_limits(" or ".join(words), annotation.__metadata__)
    elif annotation is not type(None):
        for part in get_args(annotation):
            if not isinstance(part, BaseMetadata | FieldInfo):
                yield from _type_words(part)


def _default(model: type[BaseModel], name: str) -> str:
    """Return the default of a key; for a block of weights that of the block."""
    default = getattr(model(), name) if issubclass(model, WeightBlockConfig) else model.model_fields[name].default
    if default is PydanticUndefined:
        return "required"
    if default is None:
        return "-"
    return f"`{default!r}`" if not isinstance(default, bool) else f"`{str(default).lower()}`"


def _text(field: FieldInfo) -> str:
    return " ".join((field.description or "").replace("``", "`").split())


if __name__ == "__main__":
    sys.stdout.write(configuration_page())
