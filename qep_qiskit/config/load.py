"""From a TOML file to a checked configuration; every complaint is one line that names the key."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from qep_qiskit.ansatz import ansatz_text
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
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
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
    content.setdefault("name", path.stem)
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


def with_overrides(config: Config, overrides: Sequence[str], section: str) -> Config:
    """A checked configuration with keys of one section replaced.

    Raises:
        ConfigError: A key is of another section, or something is wrong with it.
    """
    content = config.resolved()
    for text in overrides:
        keys, value = parse_override(text)
        if keys[0] != section:
            raise ConfigError(
                f"--set {text}: a run folder keeps its own configuration; only keys of {section} can be set for it"
            )
        _assign(content, keys, value)
    return check_config(content, "--set")


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
    section = content
    for depth, key in enumerate(keys[:-1]):
        section = section.setdefault(key, {})
        if not isinstance(section, dict):
            raise ConfigError(f"--set {'.'.join(keys)}: {'.'.join(keys[: depth + 1])} is a value, not a section")
    _drop_keys_of_another_kind(section, keys, value)
    section[keys[-1]] = value


def _drop_keys_of_another_kind(section: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    """With another kind of task, cost or preparation, the keys that only the old kind knows go."""
    if len(keys) != 2 or keys[1] != "kind" or keys[0] not in Config.model_fields or section.get("kind") == value:
        return
    kinds = {_kind_of(model): model for model in _models_in(Config.model_fields[keys[0]].annotation)}
    if len(kinds) > 1 and value in kinds:
        for key in [key for key in section if key not in kinds[value].model_fields]:
            del section[key]


def _kind_of(model: type[BaseModel]) -> str | None:
    """The value of ``kind`` that stands for a model."""
    kind = model.model_fields.get("kind")
    return None if kind is None else next(iter(getattr(kind.annotation, "__args__", ())), None)


def _explain(error: ValidationError, content: Mapping[str, Any]) -> str:
    """The most telling of pydantic's complaints as one line: unknown keys first, then the deepest."""
    problems = sorted(error.errors(), key=lambda found: (found["type"] != "extra_forbidden", -len(found["loc"])))
    problem = problems[0]
    key = ".".join(_without_tags(problem["loc"], content, absent=problem["type"] == "missing")) or "configuration"
    match problem["type"]:
        case "extra_forbidden":
            return f"{key}: {_unknown_key(problem['loc'], content)}"
        case "missing":
            return f"{key}: this key is missing"
        case "union_tag_invalid":
            return f"{key}.kind: expected one of {problem['ctx']['expected_tags']}, got '{problem['ctx']['tag']}'"
        case "union_tag_not_found":
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
    """How many items a list should have, in plain words."""
    limits = problem["ctx"]
    wanted = limits.get("min_length", limits.get("max_length"))
    exactly = "at least " if "min_length" in limits and wanted == 1 else ""
    return f"expected {exactly}{wanted} {'item' if wanted == 1 else 'numbers'}"


_KINDS_OF_VALUES = {
    "bool_type": "true or false",
    "list_type": "a list",
    "finite_number": "a finite number",
}
_LIMITS = {
    "less_than_equal": ("less than or equal to", "le"),
    "greater_than_equal": ("greater than or equal to", "ge"),
}
_KINDS_IN_UNIONS = _KINDS_OF_VALUES | {"int_type": "a number", "float_type": "a number", "string_type": "text"}


def _expected(problems: Sequence[ErrorDetails], chosen: ErrorDetails) -> str:
    """What was expected; where several kinds of values would do at one place, all of them."""
    here = [found for found in problems if found["input"] is chosen["input"]]
    kinds = [_KINDS_IN_UNIONS[found["type"]] for found in here if found["type"] in _KINDS_IN_UNIONS]
    if len(here) > 1 and len(kinds) == len(here):
        return f"expected {' or '.join(dict.fromkeys(kinds))}"
    if chosen["type"] in _KINDS_OF_VALUES:
        return f"expected {_KINDS_OF_VALUES[chosen['type']]}"
    if chosen["type"] in _LIMITS:
        words, name = _LIMITS[chosen["type"]]
        return f"expected {words} {chosen['ctx'][name]:g}"
    return chosen["msg"].replace("Input should be", "expected").replace("Value error, ", "").rstrip(".")


def _without_tags(location: Sequence[str | int], content: Mapping[str, Any], *, absent: bool) -> list[str]:
    """Drop what pydantic adds to a location: tags of unions, which are not keys of the file.

    The last part may be a key that is `absent`, and is wanted.
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
    """Say of a key that it is misspelt, or belongs to another kind of its section."""
    section = str(location[0])
    if len(location) == 3 and section in Config.model_fields:
        others = [
            _kind_of(model)
            for model in _models_in(Config.model_fields[section].annotation)
            if _kind_of(model) != location[1] and location[2] in model.model_fields
        ]
        if others:
            return f"does not go with kind = '{location[1]}'; leave it out"
    return f"unknown key{_suggestion(location, content)}"


def _suggestion(location: Sequence[str | int], content: Mapping[str, Any]) -> str:
    """The known keys next to a misspelt one."""
    known = _fields_at(Config, [str(part) for part in location[:-1]])
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known here: {', '.join(known)}" if known else ""


def _fields_at(model: type[BaseModel], path: Sequence[str]) -> list[str]:
    """Keys known at a location; tags of unions and numbers of list items are passed over."""
    if not path:
        return list(model.model_fields)
    if path[0] not in model.model_fields:
        return _fields_at(model, path[1:])
    candidates = _models_in(model.model_fields[path[0]].annotation)
    tagged = [candidate for candidate in candidates if len(path) > 1 and _kind_of(candidate) == path[1]]
    for candidate in tagged or candidates[:1]:
        return _fields_at(candidate, path[2:] if tagged else path[1:])
    return []


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]


def _with_absolute_paths(config: Config, folder: Path) -> Config:
    """Files named in a configuration are looked for beside it; an ansatz is read in."""
    if config.task.kind == "csv":
        task = config.task.model_copy(update={"file": str(folder / config.task.file)})
        config = config.model_copy(update={"task": task})
    if config.preparation.kind == "variational" and config.preparation.ansatz.kind == "file":
        file = folder / config.preparation.ansatz.file
        ansatz = config.preparation.ansatz.model_copy(update={"file": str(file), "text": ansatz_text(file)})
        preparation = config.preparation.model_copy(update={"ansatz": ansatz})
        config = config.model_copy(update={"preparation": preparation})
    return config
