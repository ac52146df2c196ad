"""Source files of a user: found beside the configuration, kept by the run, and imported from what is kept.

Kept files are the modules of a package of their own, whose name follows from their texts. Modules of the same name with
other texts therefore stay apart, and nothing is added to the search path of Python. A module among them imports the
others by their plain names, at any time.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from qep_qiskit.core.errors import ConfigError

_LOG = logging.getLogger(__name__)
_NEVER_KEPT = sys.stdlib_module_names | {__name__.partition(".")[0]}
_said: set[tuple[str, str, str]] = set()


def folder_of(module: str, folder: Path) -> Path | None:
    """Return the folder in which a module is found: the given one, or else the working directory.

    None means that it must be installed.
    """
    places = (place for place in (folder, Path.cwd()) if _file_of(module, place) is not None)
    return next((place.resolve() for place in places), None)


def sources_in(key: str, module: str, folder: Path) -> dict[str, str]:
    """Return the texts of a module and of all that it imports from its folder, by file names relative to the folder.

    Args:
        key: Key of the configuration, for messages.
        module: Dotted name of the module, which is there.
        folder: The folder.

    Raises:
        ConfigError: A file cannot be read.
    """
    found: dict[str, str] = {}
    waiting = [module]
    while waiting:
        parts = waiting.pop().split(".")
        for name in (".".join(parts[:count]) for count in range(1, len(parts) + 1)):
            file = _file_of(name, folder)
            if file is None or (relative := file.relative_to(folder).as_posix()) in found:
                continue
            found[relative] = _text_of(key, file)
            waiting += _imports(found[relative], name if file.name == "__init__.py" else name.rpartition(".")[0])
    return found


def _file_of(module: str, folder: Path) -> Path | None:
    path = folder.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _text_of(key: str, file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{key}: {file} cannot be read ({error})") from None


def _imports(text: str, package: str) -> Iterator[str]:
    """Return the modules that a text may import, within functions too, without those of Python and of this package."""
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError):
        return  # importing it says so
    for node in nodes:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level and package else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names = [".".join(filter(None, (base, alias.name))) for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.partition(".")[0] not in _NEVER_KEPT)


@dataclass(frozen=True, slots=True)
class KeptSources:
    """Files that a run keeps.

    Args:
        texts: Texts by file names relative to the folder.
        folder: Folder that they were read from.
    """

    texts: Mapping[str, str]
    folder: Path

    @property
    def package(self) -> str:
        """Name of the package that the files are the modules of."""
        content = json.dumps([str(self.folder), *sorted(self.texts.items())])
        return f"_qep_{hashlib.sha256(content.encode()).hexdigest()[:16]}"

    def module(self, name: str) -> ModuleType:
        """Import a module from the texts; the same texts are the same module.

        Imports of other modules are also searched in the folder, if it is still there, and in the working directory.

        Raises:
            Exception: Whatever the text raises.
        """
        _kept[self.package] = self
        if _FINDER not in sys.meta_path:
            sys.meta_path.insert(0, _FINDER)
        with searching(self.folder, Path.cwd()):
            return import_module(f"{self.package}.{name}")

    def file_of(self, module: str) -> str | None:
        """Return the file of a module, ``""`` for a folder without `__init__.py`, and None where there is neither."""
        path = module.replace(".", "/")
        named = next((file for file in (f"{path}.py", f"{path}/__init__.py") if file in self.texts), None)
        is_folder = not path or any(file.startswith(f"{path}/") for file in self.texts)
        return named if named is not None or not is_folder else ""

    def say_changed(self, key: str) -> None:
        """Log one line for each file that is no longer what is kept.

        Args:
            key: Key of the configuration.
        """
        for name, text in self.texts.items():
            file = self.folder / name
            if not file.is_file():
                continue
            now = file.read_text(encoding="utf-8", errors="replace")
            hashes = [hashlib.sha256(one.encode()).hexdigest()[:8] for one in (text, now)]
            if now != text and (said := (str(file), *hashes)) not in _said:
                _said.add(said)  # type: ignore[arg-type]
                line = "%s: %s has changed since the run began (%s, now %s); the run uses what it kept"
                _LOG.warning(line, key, file, *hashes)


_kept: dict[str, KeptSources] = {}


class _Finder(MetaPathFinder):
    """Finds the modules of kept files."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, name = fullname.partition(".")
        kept = _kept.get(package)
        file = None if kept is None else kept.file_of(name)
        if kept is None or file is None:
            return None
        is_package = not file or file.endswith("__init__.py")
        origin = str(kept.folder / file) if file else None
        return ModuleSpec(fullname, _KeptLoader(kept, file), origin=origin, is_package=is_package)


_FINDER = _Finder()


@dataclass(frozen=True, slots=True)
class _KeptLoader(Loader):
    """Runs a kept text; its imports find the other kept files first."""

    kept: KeptSources
    file: str

    def exec_module(self, module: ModuleType) -> None:
        if not self.file:
            return
        module.__file__ = str(self.kept.folder / self.file)
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": partial(_imported, self.kept)}
        code = compile(self.kept.texts[self.file], module.__file__, "exec", dont_inherit=True)
        exec(code, module.__dict__)


def _imported(
    kept: KeptSources,
    name: str,
    variables: Mapping[str, Any] | None = None,
    local: Mapping[str, Any] | None = None,
    names: Sequence[str] = (),
    level: int = 0,
) -> ModuleType:
    """Do what an import statement of a kept file says."""
    top = name.partition(".")[0]
    if level or kept.file_of(top) is None:
        return builtins.__import__(name, variables, local, names, level)
    found = builtins.__import__(f"{kept.package}.{name}", variables, local, names)
    return found if names else sys.modules[f"{kept.package}.{top}"]


@contextmanager
def searching(*folders: Path) -> Iterator[None]:
    """Search modules in some folders first, and leave the search path as it was."""
    before = sys.path.copy()
    sys.path[:0] = map(str, folders)
    try:
        yield
    finally:
        sys.path[:] = before
