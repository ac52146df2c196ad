"""From a TOML file to a checked configuration; every complaint is one line that names the key."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from qep_qiskit.config.schema import Config
from qep_qiskit.errors import ConfigError

__all__ = ["check_config", "load_config", "parse_override"]


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read a configuration file.

    Args:
        path: A TOML file.
        overrides: ``key.path=value`` texts that replace or add keys; values are read as TOML, else as text.

    Raises:
        ConfigError: The file is missing or does not parse, or a key or value cannot be used.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file; expected a configuration in TOML") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: is a folder; expected a configuration in TOML") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not valid TOML: {error}") from None
    for text in overrides:
        keys, value = parse_override(text)
        _assign(content, keys, value)
    config = check_config(content, str(path))
    return _with_absolute_paths(config, path.resolve().parent)


def check_config(content: Mapping[str, Any], source: str) -> Config:
    """Validate plain data.

    Args:
        content: Sections and keys.
        source: Where it came from, for messages.

    Raises:
        ConfigError: The first thing that is wrong, in one line.
    """
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{source}: {_explain(error, content)}") from None


def parse_override(text: str) -> tuple[list[str], Any]:
    """Split ``key.path=value``.

    Raises:
        ConfigError: There is no ``=``, or no key before it.
    """
    key, equals, value = text.partition("=")
    keys = [part.strip() for part in key.split(".")]
    if not equals or not all(keys):
        raise ConfigError(f"--set {text}: expected key.path=value, such as measurement.shots=100")
    try:
        return keys, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return keys, value.strip()


def _assign(content: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    for depth, key in enumerate(keys[:-1]):
        content = content.setdefault(key, {})
        if not isinstance(content, dict):
            raise ConfigError(f"--set {'.'.join(keys)}: {'.'.join(keys[: depth + 1])} is a value, not a section")
    content[keys[-1]] = value


def _explain(error: ValidationError, content: Mapping[str, Any]) -> str:
    """The most telling of pydantic's complaints as one line: unknown keys first."""
    problems = sorted(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    problem = problems[0]
    location = _without_tags(problem["loc"], content)
    key = ".".join(location)
    match problem["type"]:
        case "extra_forbidden":
            return f"{key}: unknown key{_suggestion(problem['loc'], content)}"
        case "missing":
            return f"{key}: this key is missing"
        case "union_tag_invalid":
            return f"{key}.kind: expected one of {problem['ctx']['expected_tags']}, got '{problem['ctx']['tag']}'"
        case "union_tag_not_found":
            return f"{key}.kind: this key is missing; it says which {key} it is"
    given = problem["input"]
    shown = f", got {given!r}" if isinstance(given, str | int | float | bool | list) else ""
    return f"{key}: {_lowered(problem['msg'])}{shown}"


def _lowered(message: str) -> str:
    return message.replace("Input should be", "expected").replace("Value error, ", "").rstrip(".")


def _without_tags(location: Sequence[str | int], content: Mapping[str, Any]) -> list[str]:
    """Drop what pydantic adds to a location: tags of unions, which are not keys of the file."""
    found: list[str] = []
    here: Any = content
    for index, part in enumerate(location):
        last = index == len(location) - 1
        if isinstance(here, Mapping) and part not in here and not last:
            continue
        if not isinstance(here, Mapping | list) and not last:
            break
        if not isinstance(here, Mapping | list) and last:
            break
        found.append(str(part))
        if isinstance(here, Mapping):
            here = here.get(str(part))
        elif isinstance(part, int) and isinstance(here, list):
            here = here[part]
    return found


def _suggestion(location: Sequence[str | int], content: Mapping[str, Any]) -> str:
    """The known keys next to a misspelt one."""
    known = _fields_at(Config, [str(part) for part in location[:-1]])
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known here: {', '.join(known)}" if known else ""


def _fields_at(model: type[BaseModel], path: Sequence[str]) -> list[str]:
    if not path:
        return list(model.model_fields)
    for candidate in _models_in(model.model_fields[path[0]].annotation if path[0] in model.model_fields else None):
        kind = candidate.model_fields.get("kind")
        tags = getattr(kind.annotation, "__args__", ()) if kind else ()
        rest = path[1:]
        if rest and rest[0] in tags:
            return _fields_at(candidate, rest[1:])
        if not (rest and tags and len(_models_in(model.model_fields[path[0]].annotation)) > 1):
            return _fields_at(candidate, rest)
    return []


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]


def _with_absolute_paths(config: Config, folder: Path) -> Config:
    """Files named in a configuration are looked for beside it."""
    if config.task.kind != "csv":
        return config
    task = config.task.model_copy(update={"file": str(folder / config.task.file)})
    return config.model_copy(update={"task": task})
