"""Example configurations that ship with the package, and copies of them with other keys."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from qep_qiskit.config.load import check_config
from qep_qiskit.config.overrides import assign, parse_override
from qep_qiskit.core.errors import ConfigError

_PACKAGE: Final = Path(__file__).parents[1]
_FIRST: Final = ("xor", "iris")
_KINDS: Final = {
    "task": "task.kind",
    "network": "network.kind",
    "preparation": "preparation.kind",
    "backend": "execution.backend",
    "contrast": "contrast.kind",
}
"""Options that pick an example, the most important first, and the key that each of them sets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One configuration with the files that it names, all of which are copied into one folder.

    Args:
        name: Name of the file without its ending.
        text: The file, as it is copied.
        purpose: What it shows: its comment up to the first full stop or colon.
        reaches: What it was measured to reach.
        files: Contents of the files that it names, by name.
    """

    name: str
    text: str
    purpose: str
    reaches: str
    files: Mapping[str, bytes]

    @property
    def kinds(self) -> dict[str, str]:
        """Kinds of task, network, preparation and contrast, and the backend; defaults are filled in."""
        config = check_config(tomllib.loads(self.text), self.name)
        states = (config.network.kind, config.preparation.kind, config.execution.backend)
        kinds = (config.task.kind, *states, config.contrast.kind)
        return dict(zip(_KINDS, kinds, strict=True))

    def with_keys(self, overrides: Sequence[str]) -> str:
        """Return the text with other values of some keys; its comments are kept.

        Args:
            overrides: ``key.path=value`` texts.

        Raises:
            ConfigError: A key or value is invalid.
        """
        if not overrides:
            return self.text
        import tomlkit  # takes a while, and most copies are as they ship

        document = tomlkit.parse(self.text)
        for override in overrides:
            assign(document, *parse_override(override))
        check_config(document.unwrap(), f"{self.name}.toml")
        return tomlkit.dumps(document)


@cache
def examples() -> tuple[Example, ...]:
    """Return all examples, those to begin with first."""
    folder = _PACKAGE / "examples"  # in a wheel; a checkout has them at its top
    folder = folder if folder.is_dir() else _PACKAGE.parent / "configs"
    found = [_example(path) for path in sorted(folder.glob("*.toml"))]
    return tuple(sorted(found, key=lambda one: _FIRST.index(one.name) if one.name in _FIRST else len(_FIRST)))


def example_for(name: str | None, kinds: Mapping[str, str]) -> tuple[Example, list[str]]:
    """Return an example by name, or the one that is nearest to some kinds, and the keys that make it fit.

    Args:
        name: Name of an example, or None.
        kinds: Wanted kinds by option: "task", "network", "preparation", "backend", "contrast".

    Raises:
        ConfigError: There is no such example, or none with this task.
    """
    if name is None:
        wanted = {"network": "ising", "contrast": "symmetric", **kinds}
        chosen = max(examples(), key=lambda one: [wanted.get(option) in (None, one.kinds[option]) for option in _KINDS])
        if kinds.get("task", chosen.kinds["task"]) != chosen.kinds["task"]:
            known = sorted({one.kinds["task"] for one in examples()})
            raise ConfigError(f"--task: expected one of {', '.join(known)}, got '{kinds['task']}'")
    else:
        by_name = {one.name: one for one in examples()}
        if name not in by_name:
            raise ConfigError(f"NAME: there is no example '{name}'; there are {', '.join(by_name)}")
        chosen = by_name[name]
    own = chosen.kinds
    return chosen, [f"{_KINDS[option]}={kind!r}" for option, kind in kinds.items() if own[option] != kind]


def _example(path: Path) -> Example:
    text = re.sub(r" \[= \S+ \S+\]", "", path.read_text(encoding="utf-8"))  # where a number of a comment comes from
    comment = " ".join(re.match(r"(?:#.*\n)*", text)[0].replace("#", "").split())  # type: ignore[index]
    what, _, reaches = comment.partition(" Reaches: ")
    named = list(_named_files(tomllib.loads(text)))
    for name in named:
        text = text.replace(f'"{name}"', f'"{Path(name).name}"')
    return Example(
        name=path.stem,
        text=text,
        purpose=re.split(r"[.:?] ", what)[0].rstrip("."),
        reaches=reaches.rstrip("."),
        files={Path(name).name: _beside(path, name).read_bytes() for name in named},
    )


def _beside(path: Path, name: str) -> Path:
    """Return the path of a file that an example names; a wheel has all of them in one folder."""
    beside = path.parent / name
    return beside if beside.is_file() else path.parent / beside.name


def _named_files(content: Mapping[str, Any]) -> Iterator[str]:
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _named_files(value)
        elif key in ("file", "test_file"):
            yield value
