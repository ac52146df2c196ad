"""Grid over configuration keys: parses `--over`, and makes the configuration and the name of every point."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qep_qiskit.config import Config, build, load_config
from qep_qiskit.config.local_device import resolved_config
from qep_qiskit.config.overrides import parse_override
from qep_qiskit.core.errors import ConfigError, QepError
from qep_qiskit.report.tables import short_keys

_MOST_POINTS = 100_000
_LONGEST_VALUE = 32
_LONGEST_NAME = 150
_RANGE = re.compile(r"\s*(-?\d+)\s*:\s*(-?\d+)\s*(?::\s*(-?\d+)\s*)?")
_UNSAFE = re.compile(r"[^A-Za-z0-9.+_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A swept key and its values.

    Args:
        key: Dotted name of the key.
        texts: Its values as written by the user.
        values: Its parsed values.
    """

    key: str
    texts: tuple[str, ...]
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GridPoint:
    """One configuration of a grid.

    Args:
        name: Unique within the grid, valid as the name of a folder, and unchanged when the grid is extended.
        swept: Values of the swept keys.
        config: The complete configuration.
    """

    name: str
    swept: Mapping[str, Any]
    config: Config


def parse_axis(text: str) -> Axis:
    """Parse ``key.path=value,value,...`` into an axis.

    Values are read as by `--set`. ``a:b`` and ``a:b:step`` are ranges of integers from a to below b. A single list in
    brackets is the list of values; values that are lists themselves are written ``[[2, 1], [3, 1]]``.

    Raises:
        ConfigError: The text does not parse, has no values, or repeats a value.
    """
    key, equals, rest = text.partition("=")
    if not equals or not all(part.strip() for part in key.split(".")):
        raise ConfigError(
            f"--over {text}: expected key.path=value,value,... or a range a:b, such as measurement.shots=10,100 "
            "or seed=0:5"
        )
    key = ".".join(part.strip() for part in key.split("."))
    pieces = _split(rest)
    if len(pieces) == 1 and re.fullmatch(r"\[.*\]", pieces[0], flags=re.DOTALL):
        pieces = _split(pieces[0][1:-1])
    if not all(pieces):
        raise ConfigError(f"--over {text}: a value is empty; expected values between commas, such as {key}=1,2,3")
    texts = [value for piece in pieces for value in _expanded(text, piece)]
    values = [parse_override(f"{key}={value}")[1] for value in texts]
    twice = next((value for place, value in enumerate(values) if value in values[:place]), None)
    if twice is not None:
        raise ConfigError(f"--over {text}: the value {value_text(twice)} is there twice")
    return Axis(key=key, texts=tuple(texts), values=tuple(values))


def _split(text: str) -> list[str]:
    """Split a text at the commas outside of brackets and quotes."""
    pieces, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        depth += 0 if quote else (letter in "[{(") - (letter in "]})")
        if letter == "," and not quote and depth == 0:
            pieces.append("")
        else:
            pieces[-1] += letter
    return [piece.strip() for piece in pieces]


def _expanded(text: str, piece: str) -> list[str]:
    found = _RANGE.fullmatch(piece)
    if found is None:
        return [piece]
    first, end, step = (int(number) for number in (*found.group(1, 2), found.group(3) or "1"))
    numbers = range(first, end, step) if step else range(0)
    if not numbers:
        raise ConfigError(f"--over {text}: the range {piece} is empty; a:b goes from a to below b, a:b:step in steps")
    if len(numbers) > _MOST_POINTS:
        raise ConfigError(f"--over {text}: expected at most {_MOST_POINTS:,} points, got {len(numbers):,}")
    return [str(number) for number in numbers]


def grid(path: str | Path, overrides: Sequence[str], axes: Sequence[Axis]) -> list[GridPoint]:
    """Return every point of a grid with its checked configuration; the last key varies fastest.

    Args:
        path: Configuration file that all points share.
        overrides: ``key.path=value`` texts for all points.
        axes: The swept keys, at least one.

    Raises:
        ConfigError: A key is swept twice or both set and swept, there are too many points, or the configuration of a
            point is invalid; the message names the point.
    """
    _check_keys(overrides, axes)
    count = math.prod(len(axis.values) for axis in axes)
    if count > _MOST_POINTS:
        raise ConfigError(f"--over: expected at most {_MOST_POINTS:,} points in all, got {count:,}")
    load_config(path, overrides)
    short = short_keys([axis.key for axis in axes])
    choices = itertools.product(*(zip(axis.texts, axis.values, strict=True) for axis in axes))
    return [_point(path, overrides, axes, choice, short) for choice in choices]


def _point(
    path: str | Path,
    overrides: Sequence[str],
    axes: Sequence[Axis],
    choice: Sequence[tuple[str, Any]],
    short: Mapping[str, str],
) -> GridPoint:
    swept = {axis.key: value for axis, (_, value) in zip(axes, choice, strict=True)}
    texts = [f"{axis.key}={text}" for axis, (text, _) in zip(axes, choice, strict=True)]
    name = _name(short, swept)
    try:
        config = _settled(load_config(path, [*overrides, *texts]))
    except QepError as error:
        raise type(error)(f"point {name}: {error}") from error
    return GridPoint(name=name, swept=swept, config=config)


def _settled(config: Config) -> Config:
    """Return a configuration with its device data resolved, as the run folder of its point holds it."""
    if config.execution.where.is_rehearsal and config.execution.snapshot is None:
        raise ConfigError(
            f"execution.backend: '{config.execution.backend}' would have another calibration whenever the sweep goes "
            "on; use 'fake_...'"
        )
    return resolved_config(config)


def _check_keys(overrides: Sequence[str], axes: Sequence[Axis]) -> None:
    keys = [axis.key for axis in axes]
    for key, other in itertools.combinations(keys, 2):
        if key == other:
            raise ConfigError(f"--over {key}: is given twice; write all its values in one")
        if _inside(key, other) or _inside(other, key):
            raise ConfigError(f"--over {key} and --over {other}: one is a part of the other; sweep only one of them")
    for text in overrides:
        put = ".".join(parse_override(text)[0])
        if clash := next((key for key in keys if put == key or _inside(put, key)), None):
            raise ConfigError(f"--set {put}: is swept by --over {clash}; leave one of them out")


def _inside(key: str, section: str) -> bool:
    return key.startswith(section + ".")


def check_points(points: Sequence[GridPoint]) -> None:
    """Build the objects of all configurations before the sweep starts.

    Configurations that differ only by their seed are built once.

    Raises:
        QepError: An object cannot be built; the message names the point.
    """
    seen: set[str] = set()
    for point in points:
        content = json.dumps(point.config.resolved() | {"seed": None}, sort_keys=True)
        if content in seen:
            continue
        seen.add(content)
        try:
            experiment = build(point.config)
            experiment.trainer(experiment.callbacks(Path(point.name)))
        except QepError as error:
            raise type(error)(f"point {point.name}: {error}") from error


def value_text(value: Any) -> str:
    """Return a value as text: strings without quotes, all other values as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _name(short: Mapping[str, str], swept: Mapping[str, Any]) -> str:
    name = ",".join(f"{short[key]}={_file_text(value)}" for key, value in swept.items())
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}-{_mark(name)}"


def _file_text(value: Any) -> str:
    """Return a value as part of a file name; if characters were replaced, a mark keeps names distinct."""
    text = value_text(value)
    if text and len(text) <= _LONGEST_VALUE and not _UNSAFE.search(text):
        return text
    return f"{_UNSAFE.sub('-', text)[:_LONGEST_VALUE].strip('-')}-{_mark(text)}"


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
