"""Keys that ``--set`` replaces: how they are read, and which of them a trained network takes."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any

from qep_qiskit.config.kinds import OneOf, models_of
from qep_qiskit.config.schema import Config
from qep_qiskit.config.section import Section
from qep_qiskit.core.errors import ConfigError


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


def parse_overrides(texts: Sequence[str]) -> list[tuple[list[str], Any]]:
    """Split several overrides, in the order in which they are assigned.

    Whole sections come first, then kinds and losses: they drop keys of the file, and none that is given beside them.

    Args:
        texts: Texts ``key.path=value``.
    """

    def place(override: tuple[list[str], Any]) -> int:
        keys, _ = override
        return 2 if len(keys) > 1 and keys[-1] not in ("kind", "loss") else len(keys) > 1

    return sorted(map(parse_override, texts), key=place)


def assign(content: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    """Set a key of a configuration given as dictionaries.

    Args:
        content: Sections and keys; changed in place.
        keys: Names of the sections and of the key.
        value: The value.

    Raises:
        ConfigError: A name before the last is that of a value.
    """
    section = content
    for depth, key in enumerate(keys[:-1]):
        if section.get(key) is None:  # an omitted section is None in the configuration of a run folder
            section[key] = {}
        section = section[key]
        if not isinstance(section, dict):
            raise ConfigError(f"--set {'.'.join(keys)}: {'.'.join(keys[: depth + 1])} is a value, not a section")
    _drop_idle_keys(section, keys, value)
    section[keys[-1]] = value


def _drop_idle_keys(section: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    """Remove keys that only the previous kind, optimiser or loss of a section has, or uses, after it was replaced."""
    if len(keys) != 2 or keys[0] not in Config.model_fields or section.get(keys[1]) == value:
        return
    field = Config.model_fields[keys[0]]
    idle = [
        key for model in models_of(field) if issubclass(model, Section) for key in model.idle_with(keys[1], str(value))
    ]
    kinds = [item for item in field.metadata if isinstance(item, OneOf)] if keys[1] == "kind" else []
    if kinds and value in kinds[0].registry.kinds:
        known = kinds[0].model_of({"kind": value}).model_fields
        idle += [key for key in section if key not in known]
    for key in idle:
        section.pop(key, None)
