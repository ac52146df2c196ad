"""Source files of a user: found beside the configuration, kept by the run, and imported from what is kept."""

from __future__ import annotations

import hashlib
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from qep_qiskit.core.errors import ConfigError

_LOG = logging.getLogger(__name__)


def file_of(module: str, folder: Path) -> Path | None:
    """Return the file of a module in a folder, or else in the working directory; None for installed packages.

    Args:
        module: Dotted name of the module.
        folder: Folder of the configuration.
    """
    name = Path(*module.split(".")).with_suffix(".py")
    found = (place / name for place in (folder, Path.cwd()) if (place / name).is_file())
    return next((path.resolve() for path in found), None)


def source_of(key: str, file: Path) -> str:
    """Return the content of a source file.

    Args:
        key: Key of the configuration, for messages.
        file: The file.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{key}: {file} cannot be read ({error})") from None


def module_of(name: str, source: str, file: Path) -> ModuleType:
    """Return the module of a source text; the same text is one module.

    Modules of the same name with other sources stay apart. Imports in the text are also searched in the folder of the
    file, if it is still there, and in the working directory.

    Args:
        name: Dotted name of the module.
        source: The text.
        file: The file that it was read from.

    Raises:
        Exception: Whatever the text raises.
    """
    unique = f"_qep_{name.replace('.', '_')}_{hashlib.sha256(source.encode()).hexdigest()[:16]}"
    if unique in sys.modules:
        return sys.modules[unique]
    module = ModuleType(unique)
    module.__file__ = str(file)
    sys.modules[unique] = module  # dataclasses look their module up
    try:
        with searching(file.parent, Path.cwd()):
            exec(compile(source, str(file), "exec"), module.__dict__)
    except BaseException:
        del sys.modules[unique]
        raise
    return module


@contextmanager
def searching(*folders: Path) -> Iterator[None]:
    """Search modules in some folders first, and leave the search path as it was."""
    before = sys.path.copy()
    sys.path[:0] = map(str, folders)
    try:
        yield
    finally:
        sys.path[:] = before


def say_changed(key: str, source: str, file: Path) -> None:
    """Log one line where a file is no longer what a run has kept.

    Args:
        key: Key of the configuration.
        source: The text that is kept.
        file: The file that it was read from.
    """
    if not file.is_file():
        return
    now = file.read_text(encoding="utf-8", errors="replace")
    if now != source:
        hashes = [hashlib.sha256(text.encode()).hexdigest()[:8] for text in (source, now)]
        text = "%s: %s has changed since the run began (%s, now %s); the run uses what it kept"
        _LOG.warning(text, key, file, *hashes)
