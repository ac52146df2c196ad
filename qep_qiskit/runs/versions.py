"""Versions of the packages that wrote a folder, and of those that read it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from typing import Any

from qep_qiskit.core.errors import ConfigError, RunFolderError

_STAMPED = ("qep_qiskit", "qiskit", "qiskit-aer", "numpy", "scipy")
_OPTIONAL = ("qiskit-ibm-runtime", "scikit-learn", "jax", "torch", "physics-tenpy")
_OF_FORMATS = ("qep_qiskit", "qiskit")


def versions() -> dict[str, str]:
    """Return the versions of this package and of the packages that its numbers depend on."""
    return {name: metadata.version(name) for name in _STAMPED}


def installed_versions() -> dict[str, str | None]:
    """Return `versions` and those of optional packages, None for one that is missing."""
    return versions() | {name: installed_version(name) for name in _OPTIONAL}


def installed_version(package: str) -> str | None:
    """Return the version of a package, or None if it is missing."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def require_no_newer(stamps: object, where: str) -> None:
    """Check that a folder was not written by a newer version of this package, which may mean something else by it.

    Args:
        stamps: Versions in the folder; what has none is not refused here.
        where: The folder, for the message.

    Raises:
        RunFolderError: It was.
    """
    then = str(stamps.get("qep_qiskit", "")) if isinstance(stamps, Mapping) else ""
    now = metadata.version("qep_qiskit")
    if _numbers(then) > _numbers(now):
        raise RunFolderError(f"{where}: was written by qep_qiskit {then}, and this is {now}; use the newer version")


@contextmanager
def naming_versions(stamps: Mapping[str, Any]) -> Iterator[None]:
    """Add to an error over a folder which versions wrote and read it, where they differ."""
    try:
        yield
    except (RunFolderError, ConfigError) as error:
        now = versions()
        changed = [name for name in _OF_FORMATS if name in stamps and stamps[name] != now[name]]
        if not changed:
            raise
        found = ", ".join(f"{name} {stamps[name]} (this is {now[name]})" for name in changed)
        raise type(error)(f"{error}; the folder was written by {found}") from error


def requirement_of(package: str) -> tuple[str, str]:
    """Return the versions of another package that this one requires, and the extra that needs it, or empty texts."""
    for line in metadata.requires("qep_qiskit") or ():
        found = re.match(r"([\w-]+)\s*([^;]*)(?:;.*extra == [\"'](\w+))?", line)
        if found is not None and found[1] == package:
            return found[2].strip(), found[3] or ""
    return "", ""


def meets(version: str, wanted: str) -> bool:
    """Return whether a version is within bounds.

    Args:
        version: The version.
        wanted: Bounds such as ``<3,>=2.2``.
    """
    own = _numbers(version)
    bounds = [(kind, _numbers(number)) for kind, number in re.findall(r"(>=|<)\s*([\d.]+)", wanted)]
    return all(own >= bound if kind == ">=" else own < bound for kind, bound in bounds)


def _numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version, without final zeros."""
    found = re.match(r"\d+(\.\d+)*", version)
    numbers = [] if found is None else [int(number) for number in found[0].split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
