"""Expect a warning by its constant text and by the numbers of this time."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from qep_qiskit.core.errors import QepWarning


@contextmanager
def warns(
    category: type[QepWarning], text: str = "", *, detail: str = "", line_of: str | None = None
) -> Iterator[list[QepWarning]]:
    """Check that a warning in one line is given, of these patterns, and at a line of a file where one is named."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", QepWarning)
        given: list[QepWarning] = []
        yield given
    found = [item for item in caught if item.category is category]
    given += [item.message for item in found]  # type: ignore[misc]
    said = [(str(item.message), item.message.detail, item.filename) for item in found]  # type: ignore[union-attr]
    assert all("\n" not in words + numbers for words, numbers, _ in said)
    assert any(
        re.search(text, words) and re.search(detail, numbers) and line_of in (None, file)
        for words, numbers, file in said
    ), f"expected {category.__name__} '{text}' ({detail}), got {said or [str(item.message) for item in caught]}"
