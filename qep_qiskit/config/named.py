"""Objects named ``package.module:name`` in a configuration: backends of any provider, and what users write."""

from __future__ import annotations

import difflib
import importlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from qiskit.providers import BackendV2

from qep_qiskit.config.own_source import KeptSources, searching
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.device.service import RemoteDevice

_KEY = "execution.backend"
_made: dict[str, BackendV2 | RemoteDevice] = {}


def is_named(text: str) -> bool:
    """Return whether a text has the form ``package.module:name``."""
    module, colon, name = text.partition(":")
    return bool(colon) and all(part.isidentifier() for part in module.split(".")) and name.isidentifier()


def imported(key: str, text: str, kept: KeptSources | None = None) -> Any:
    """Import the object of a name, from kept sources, the working directory or installed packages.

    Args:
        key: Key of the configuration, for messages.
        text: ``package.module:name``.
        kept: Sources that have the module; None to search it.

    Raises:
        ConfigError: The object cannot be imported.
    """
    place, _, name = text.partition(":")
    try:
        if kept is not None:
            module = kept.module(place)
        else:
            with searching(Path.cwd()):
                module = importlib.import_module(place)
    except (Exception, SystemExit) as error:  # a user's module may raise anything
        raise ConfigError(f"{key}: cannot import '{text}' ({_words(error, kept)}){_where(error, place)}") from error
    if not hasattr(module, name):
        close = difflib.get_close_matches(name, [known for known in vars(module) if not known.startswith("_")], n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        raise ConfigError(f"{key}: cannot import '{text}' (the module has no '{name}'){hint}")
    return getattr(module, name)


def _words(error: BaseException, kept: KeptSources | None) -> str:
    words = " ".join(f"{type(error).__name__}: {error}".split())
    return words if kept is None else words.replace(f"{kept.package}.", "")


def _where(error: BaseException, module: str) -> str:
    if not isinstance(error, ModuleNotFoundError) or error.name not in (module, module.partition(".")[0]):
        return ""
    return "; it is searched beside the configuration, in the working directory and among installed packages"


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


def called(
    factory: Callable[..., Any],
    text: str,
    what: str,
    *arguments: Any,
    key: str = _KEY,
    options_key: str = "execution.backend_options",
    **options: Any,
) -> Any:
    """Return what a factory of another package, or of a user, makes.

    Args:
        factory: The factory.
        text: Its name in the configuration, for messages.
        what: What it is to make, for messages.
        arguments: Positional arguments.
        key: Key of the factory.
        options_key: Key of its options.
        options: Keyword arguments, from there.

    Raises:
        ConfigError: It raises an exception.
    """
    try:
        return factory(*arguments, **options)
    except Exception as error:  # a vendor may raise anything
        raise ConfigError(
            f"{key}: '{text}' made no {what} ({type(error).__name__}: {' '.join(str(error).split())}); its arguments "
            f"are the keys of {options_key}"
        ) from error
