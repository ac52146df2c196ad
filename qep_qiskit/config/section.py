"""What all sections of a configuration have in common."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from qep_qiskit.core.checks import MOST_SHOTS
from qep_qiskit.core.errors import QepError
from qep_qiskit.core.short_repr import with_fields
from qep_qiskit.learning.contrast import SMALLEST_BETA

Shots = Annotated[int, Field(gt=0, le=MOST_SHOTS)]
"""Shots of a batch."""

ShotsOrExact = Shots | Literal["exact"]
"""Shots of a batch, or expectations without noise."""


def parsed_shots(given: int | str) -> int | None:
    """What the package means by shots: a number, or None for exact expectations."""
    return given if isinstance(given, int) else None


Beta = Annotated[float, Field(ge=SMALLEST_BETA, le=1 / SMALLEST_BETA)]
"""Strength of a nudge: its powers stay numbers of double precision."""


class Section(BaseModel):
    """A section of the file; a key that is not listed is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True)

    def __repr__(self) -> str:
        """The keys that were given, in at most 200 characters."""
        given = {key: getattr(self, key) for key in type(self).model_fields if key in self.model_fields_set}
        return with_fields(type(self).__name__, given)


@contextmanager
def keys(holder: Section, *names: str) -> Iterator[None]:
    """Errors that name an argument name the key of that name: what is built from a section knows arguments only.

    Args:
        holder: The section that holds others.
        names: Keys of those, in the order in which an argument is looked for; an error that names none of their keys
            goes on as it is.
    """
    try:
        yield
    except QepError as error:
        argument = re.split(r"[.:]", str(error))[0]
        found = next((name for name in names if argument in type(getattr(holder, name)).model_fields), None)
        if found is not None:
            error.args = (f"{found}.{error}",)
        raise
