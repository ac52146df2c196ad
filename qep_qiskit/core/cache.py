"""Cache of things that are made once, such as the circuits of programs."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)
Made = TypeVar("Made")


class Cache(dict[Key, Made]):
    """Things by what they are made of.

    Args:
        most: Number of things in the cache; one more empties it first.
    """

    def __init__(self, most: int | None = None) -> None:
        super().__init__()
        self._most = most

    def of(self, key: Key, make: Callable[[], Made]) -> Made:
        """Return what is cached under a key, made where there is nothing yet."""
        if key not in self:
            if self._most is not None and len(self) >= self._most:
                self.clear()
            self[key] = make()
        return self[key]
