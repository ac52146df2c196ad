"""Register extension points: entries by kind, the package's own and those of other packages by entry points."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from qep_qiskit.core.errors import ConfigError

Entry = TypeVar("Entry")


class Registry(Generic[Entry]):
    """Entries of one extension point by kind.

    A kind that is not the package's own is looked for among the entry points of installed packages, and loaded only
    when it is named.

    Args:
        group: Entry points that add to it, such as ``qep_qiskit.preparations``.
        accepts: Whether something loaded is an entry.
        expected: What an entry is, in words for an error.
    """

    def __init__(self, group: str, accepts: Callable[[Any], bool], expected: str) -> None:
        self.group = group
        self._accepts = accepts
        self._expected = expected
        self._entries: dict[str, Entry] = {}
        self._unlisted: dict[str, Entry] = {}

    @property
    def entries(self) -> dict[str, Entry]:
        """Return the package's own entries, and those that were added or loaded, without unlisted ones."""
        return dict(self._entries)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return all kinds; nothing is loaded."""
        return tuple(dict.fromkeys([*self._entries, *(found.name for found in entry_points(group=self.group))]))

    def __contains__(self, kind: object) -> bool:
        """Return whether there is an entry of a kind; nothing is loaded."""
        return kind in self._entries or bool(entry_points(group=self.group, name=str(kind)))

    def add(self, kind: str, entry: Entry, *, listed: bool = True) -> Entry:
        """Add an entry in this process and return it.

        Args:
            kind: Its kind, the text that a configuration names.
            entry: The entry.
            listed: Whether messages and documents name the kind; one that no file can use is found, but not listed.

        Raises:
            ConfigError: It is not what this extension point takes.
        """
        if not self._accepts(entry):
            raise ConfigError(f"expected '{kind}' of {self.group} to be {self._expected}, got {entry!r}")
        (self._entries if listed else self._unlisted)[kind] = entry
        return entry

    def find(self, kind: str) -> Entry:
        """Return the entry of a kind.

        Raises:
            ConfigError: There is none, or it cannot be loaded.
        """
        if known := {**self._unlisted, **self._entries}.get(kind):
            return known
        for found in entry_points(group=self.group, name=kind):
            try:
                loaded = found.load()
            except Exception as error:  # another package's module may raise anything
                raise ConfigError(
                    f"cannot load '{kind}' from '{found.value}' ({type(error).__name__}: {error})"
                ) from error
            return self.add(kind, loaded)
        raise ConfigError(f"expected one of {', '.join(map(repr, self.kinds))}, got '{kind}'")
