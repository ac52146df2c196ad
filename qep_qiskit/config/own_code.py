"""Base class of sections that name an object of the user, ``module:name``, and keep its source."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

from qep_qiskit.config.named import imported, is_named
from qep_qiskit.config.own_source import KeptSources, folder_of, sources_in
from qep_qiskit.config.section import FILLED_IN, Section
from qep_qiskit.core.errors import ConfigError


class OwnCode(Section):
    """A section that names an object of the user."""

    sources: Annotated[dict[str, str] | None, FILLED_IN] = None
    """Texts of the user's module and of all that it imports from the same folder, by file; filled in when the
    configuration is read, so that a run keeps them."""
    sources_folder: Annotated[str | None, FILLED_IN] = None
    """Folder of these files; filled in."""

    def keeping(self, key: str, text: str, folder: Path) -> Self:
        """Return the section with the sources of an object, unless it has them already or the object is installed.

        Args:
            key: Key of the name, for messages.
            text: The name; another text than ``module:name`` names nothing of the user.
            folder: Folder of the configuration.

        Raises:
            ConfigError: A file cannot be read.
        """
        module = text.partition(":")[0]
        place = folder_of(module, folder) if is_named(text) and self.sources is None else None
        if place is None:
            return self
        return self.model_copy(
            update={"sources": sources_in(key, module, place), "sources_folder": str(place)},
        )

    def own_object(self, key: str, text: str) -> Any:
        """Return the object of a name, from the sources that are kept.

        Args:
            key: Key of the name, for messages.
            text: The name.

        Raises:
            ConfigError: It is no ``module:name``, or cannot be imported.
        """
        if not is_named(text):
            raise ConfigError(f"{key}: expected module:name of your own, got '{text}'")
        if self.sources is None:
            return imported(key, text)
        kept = KeptSources(self.sources, Path(self.sources_folder or "."))
        kept.say_changed(key)
        return imported(key, text, kept)
