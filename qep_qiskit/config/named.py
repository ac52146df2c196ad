"""Objects named ``package.module:name`` in a configuration: backends of any provider, and user-defined losses."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from qiskit.providers import BackendV2

from qep_qiskit.config.own_source import module_of, searching
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.device.service import RemoteDevice

_KEY = "execution.backend"
_made: dict[str, BackendV2 | RemoteDevice] = {}


def is_named(text: str) -> bool:
    """Return whether a text has the form ``package.module:name``."""
    module, colon, name = text.partition(":")
    return bool(colon) and all(part.isidentifier() for part in module.split(".")) and name.isidentifier()


def imported(key: str, text: str, source: str | None = None, file: str = "") -> Any:
    """Import the object of a name, from a source text, the working directory or installed packages.

    Args:
        key: Key of the configuration, for messages.
        text: ``package.module:name``.
        source: Source text of the module; None to search it.
        file: File of the source text.

    Raises:
        ConfigError: The object cannot be imported.
    """
    module, _, name = text.partition(":")
    try:
        if source is not None:
            return getattr(module_of(module, source, Path(file)), name)
        with searching(Path.cwd()):
            return getattr(importlib.import_module(module), name)
    except Exception as error:  # a user's module may raise anything
        raise ConfigError(f"{key}: cannot import '{text}' ({type(error).__name__}: {error})") from error


def provider_backend(text: str, options: Mapping[str, Any]) -> BackendV2 | RemoteDevice:
    """Return the backend or device of a provider; it is made once for each factory and options.

    Args:
        text: ``package.module:factory``; the factory is a function or a class that returns a `BackendV2` or a
            `RemoteDevice`.
        options: Keyword arguments of the factory.

    Raises:
        ConfigError: The factory cannot be imported, raises an exception, or returns something else.
    """
    key = json.dumps([text, options], sort_keys=True)
    if key not in _made:
        _made[key] = _new_backend(text, options)
    return _made[key]


def _new_backend(text: str, options: Mapping[str, Any]) -> BackendV2 | RemoteDevice:
    factory = imported(_KEY, text)
    if not callable(factory):
        raise ConfigError(
            f"{_KEY}: expected '{text}' to be a function or class that makes a backend, got {type(factory).__name__}"
        )
    made = called(factory, text, "backend", **options)
    if not isinstance(made, BackendV2 | RemoteDevice):
        raise ConfigError(
            f"{_KEY}: expected '{text}' to return a BackendV2 of Qiskit or a RemoteDevice, got {type(made).__name__}"
        )
    return made


def called(factory: Callable[..., Any], text: str, what: str, *arguments: Any, **options: Any) -> Any:
    """Return what a factory of another package makes.

    Args:
        factory: The factory.
        text: Its name in the configuration, for messages.
        what: What it is to make, for messages.
        arguments: Positional arguments.
        options: Keyword arguments, the keys of ``execution.backend_options``.

    Raises:
        ConfigError: It raises an exception.
    """
    try:
        return factory(*arguments, **options)
    except Exception as error:  # a vendor may raise anything
        raise ConfigError(
            f"{_KEY}: '{text}' made no {what} ({type(error).__name__}: {' '.join(str(error).split())}); its arguments "
            "are the keys of execution.backend_options"
        ) from error
