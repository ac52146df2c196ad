"""Loading of TOML files into checked configurations; every error is one line that names the key."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from qep_qiskit.config.kinds import OneOf, kind_of, models_of
from qep_qiskit.config.overrides import assign, parse_overrides
from qep_qiskit.config.schema import Config
from qep_qiskit.config.section import Section
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.limits import LIMIT_WORDS, one_of

_WITH_FILES = ("task", "network", "cost", "preparation", "callbacks")
"""Sections that name files, found beside the configuration."""


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read a configuration file.

    Args:
        path: A TOML file.
        overrides: ``key.path=value`` texts that replace or add keys; values are read as TOML, else as text.

    Raises:
        ConfigError: The file is missing or does not parse, or a key or value is invalid.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file; expected a configuration in TOML") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: is a folder; expected a configuration in TOML") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not valid TOML: {error}") from None
    for keys, value in parse_overrides(overrides):
        assign(content, keys, value)
    content.setdefault("name", path.stem)
    return with_files(check_config(content, str(path)), path.resolve().parent)


def with_files(config: Config, folder: Path) -> Config:
    """Return a configuration with what it takes from files that are not yet in it.

    Raises:
        ConfigError: A file is missing or cannot be read.
    """
    return config.model_copy(update={name: getattr(config, name).beside(folder) for name in _WITH_FILES})


def check_config(content: Mapping[str, Any], source: str) -> Config:
    """Validate a configuration given as dictionaries.

    Args:
        content: Sections and keys.
        source: Origin of the content, for messages.

    Raises:
        ConfigError: The first error, in one line.
    """
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{source}: {_explain(error, content)}") from None


def _explain(error: ValidationError, content: Mapping[str, Any]) -> str:
    """Return the most informative error of pydantic as one line: unknown keys first, then the deepest location."""
    problems = sorted(error.errors(), key=lambda found: (found["type"] != "extra_forbidden", -len(found["loc"])))
    problem = problems[0]
    key = ".".join(_without_tags(problem["loc"], content, absent=problem["type"] == "missing")) or "configuration"
    match problem["type"]:
        case "extra_forbidden":
            return f"{key}: {_unknown_key(problem['loc'], content)}"
        case "missing":
            return f"{key}: this key is missing"
        case "kind_unknown":
            return f"{key}.kind: {problem['msg']}"
        case "kind_missing":
            return f"{key}.kind: this key is missing; it says which {key} it is"
        case "model_type" | "model_attributes_type" | "dict_type" | "union_model_type":
            return f"{key}: expected a section of keys{_got(problem['input'])}"
        case "refused":
            return f"{key}: {problem['msg']}"
        case "too_short" | "too_long":
            return f"{key}: {_count_wanted(problem)}{_got(problem['input'])}"
    return f"{key}: {_expected(problems, problem)}{_got(problem['input'])}"


def _got(given: Any) -> str:
    return f", got {given!r}" if isinstance(given, str | int | float | bool | list) else ""


def _count_wanted(problem: ErrorDetails) -> str:
    """Return the required number of items of a list in words."""
    limits = problem["ctx"]
    wanted = limits.get("min_length", limits.get("max_length"))
    exactly = "at least " if "min_length" in limits and wanted == 1 else ""
    return f"expected {exactly}{wanted} {'item' if wanted == 1 else 'numbers'}"


_KINDS_OF_VALUES = {
    "bool_type": "true or false",
    "list_type": "a list",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "finite_number": "a finite number",
}
_KINDS_IN_UNIONS = _KINDS_OF_VALUES | {"int_type": "a number"}


def _expected(problems: Sequence[ErrorDetails], chosen: ErrorDetails) -> str:
    """Return what was expected; where several types are accepted, all of them."""
    here = [found for found in problems if found["input"] is chosen["input"]]
    kinds = [_KINDS_IN_UNIONS[found["type"]] for found in here if found["type"] in _KINDS_IN_UNIONS]
    if len(here) > 1 and len(kinds) == len(here):
        return f"expected {' or '.join(dict.fromkeys(kinds))}"
    if chosen["type"] in _KINDS_OF_VALUES:
        return f"expected {_KINDS_OF_VALUES[chosen['type']]}"
    for kind in LIMIT_WORDS.keys() & chosen.get("ctx", {}).keys():
        return f"expected {LIMIT_WORDS[kind]} {chosen['ctx'][kind]:g}"
    return chosen["msg"].replace("Input should be", "expected").replace("Value error, ", "").rstrip(".")


def _without_tags(location: Sequence[str | int], content: Mapping[str, Any], *, absent: bool) -> list[str]:
    """Return a location without the tags of unions that pydantic adds, which are not keys of the file.

    The last part may be a key that is `absent` and required.
    """
    found: list[str] = []
    here: Any = content
    for index, part in enumerate(location):
        if isinstance(here, Mapping) and part in here:
            here = here[part]
        elif isinstance(here, list) and isinstance(part, int):
            here = dict(enumerate(here)).get(part)
        elif not (absent and isinstance(here, Mapping) and index == len(location) - 1 and str(part).isidentifier()):
            continue
        found.append(str(part))
    return found


def _unknown_key(location: Sequence[str | int], content: Mapping[str, Any]) -> str:
    """Return the message for an unknown key: misspelt, or a key of another kind of its section."""
    key = str(location[-1])
    field, model, data = _place_of(location[:-1], content)
    kind = kind_of(model)
    others = [] if field is None or kind is None else [one for one in models_of(field) if key in one.model_fields]
    if others:
        other = "" if "kind" in data else f", or give kind = {one_of(map(kind_of, others))} beside it"
        return f"does not go with kind = '{kind}'; leave it out{other}"
    known = model.keys_of_users() if issubclass(model, Section) else list(model.model_fields)
    close = difflib.get_close_matches(key, known, n=1)
    if close:
        return f"unknown key; did you mean '{close[0]}'?"
    return f"unknown key; known here: {', '.join(known)}"


def _place_of(
    location: Sequence[str | int], content: Mapping[str, Any]
) -> tuple[FieldInfo | None, type[BaseModel], Mapping[str, Any]]:
    """Return the section at a location: its key, its class and its content."""
    field: FieldInfo | None = None
    model: type[BaseModel] = Config
    data: Any = content
    for part in location:
        if isinstance(data, list):
            data = data[int(part)]
        elif part in model.model_fields:
            field, data = model.model_fields[str(part)], data[part]
            model = _model_of(field, data)
    return field, model, data


def _model_of(field: FieldInfo, data: Any) -> type[BaseModel]:
    """Return the class of a section; if its kind is not known, the first class of the key."""
    kinds = [item for item in field.metadata if isinstance(item, OneOf)]
    if kinds and isinstance(data, Mapping):
        return kinds[0].model_of(data)
    return next(iter(models_of(field)), BaseModel)
