"""How the columns of a table become inputs: numbers as they are, texts one-hot, missing values as means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import DataError
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.tasks.csv_format import RECOGNISED, CsvFormat

_MOST_NAMES_SHOWN = 20
_MOST_LETTERS_SHOWN = 40
_MISSING_TEXTS = frozenset({"", "?", ".", "na", "n/a", "nan", "null"})

Missing = Literal["error", "drop", "mean"]
"""What is done with missing values."""


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnEncoding:
    """The input columns of a table, with all that is needed to read further rows like the first.

    Args:
        names: Names of the columns; numbers as texts where the file has no header.
        categories: For each column its categories, one input each; () for a column of numbers.
        means: Mean of each input over the training rows, in the units of the table, for missing values; () where
            missing values are not replaced.
        missing: What is done with rows that lack a value.
        format: The format of the file as it was set; with decimal commas that were recognised.
        width: Number of columns of the file.
    """

    names: tuple[str, ...]
    categories: tuple[tuple[str, ...], ...]
    means: tuple[float, ...] = ()
    missing: Missing = "error"
    format: CsvFormat = RECOGNISED
    width: int

    @property
    def input_names(self) -> tuple[str, ...]:
        """Name of each input: the column, or ``column=category``."""
        pairs = zip(self.names, self.categories, strict=True)
        return tuple(name for column, found in pairs for name in ([f"{column}={one}" for one in found] or [column]))

    def encode(self, columns: Sequence[Sequence[Any]], place: Callable[[int, str], str]) -> np.ndarray:
        """Return the inputs of rows.

        Args:
            columns: For each column its values: numbers, or texts of a column of categories; None where one is missing.
            place: Returns where a cell stands, from the index of its row and the name of its column, for errors.

        Returns:
            float64 array of shape (rows, inputs); nan where a value is missing.

        Raises:
            DataError: A text is not one of the categories.
        """
        parts = []
        for name, categories, cells in zip(self.names, self.categories, columns, strict=True):
            if categories:
                for index, cell in enumerate(cells):
                    if cell is not None and cell not in categories:
                        raise DataError(
                            f"{place(index, name)}: expected one of the categories {listing(categories)}, "
                            f"got {shortened(str(cell))}"
                        )
                part = np.array([[np.nan if cell is None else cell == one for one in categories] for cell in cells])
            else:
                part = np.array(cells, dtype=np.float64)[:, np.newaxis]
            parts.append(part.reshape(len(cells), -1).astype(np.float64))
        return np.hstack(parts)

    def rows(self, rows: np.ndarray) -> np.ndarray:
        """Return the inputs of rows in memory, shape (rows, inputs), with means for missing values.

        Args:
            rows: Values in the order of `names`, shape (rows, columns), texts for columns of categories; None or nan
                where one is missing.

        Raises:
            DataError: A value is not a number, not one of the categories, or missing.
        """
        if rows.ndim != 2 or rows.shape[1] != len(self.names):
            raise DataError(
                f"inputs: expected rows of the {amount(len(self.names), 'column')} {listing(self.names)}, got an "
                f"array of shape {rows.shape}"
            )
        known = [
            [_value(cell, index, name, is_text=bool(found)) for index, cell in enumerate(rows[:, column])]
            for column, (name, found) in enumerate(zip(self.names, self.categories, strict=True))
        ]
        encoded = self.encode(known, _place)
        if self.means:
            return np.where(np.isnan(encoded), self.means, encoded)
        return encoded

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON; floats are exact after a round trip."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ColumnEncoding:
        """Build the encoding from the values of `to_dict`."""
        lists = {name: tuple(values[name]) for name in ("names", "means")}
        categories = tuple(map(tuple, values["categories"]))
        return cls(**{**values, **lists, "categories": categories, "format": CsvFormat(**values["format"])})


def is_missing(text: str) -> bool:
    """Return whether a text stands for a missing value."""
    return text.casefold() in _MISSING_TEXTS


def shortened(cell: str) -> str:
    """Return a text in quotes, cut after 40 letters."""
    return repr(cell if len(cell) <= _MOST_LETTERS_SHOWN else cell[:_MOST_LETTERS_SHOWN] + "...")


def listing(names: Iterable[str]) -> str:
    """Return names in quotes, at most 20."""
    shown = [shortened(name) for name in names]
    num_hidden = len(shown) - _MOST_NAMES_SHOWN
    return ", ".join(shown[:_MOST_NAMES_SHOWN]) + (f" and {num_hidden} more" if num_hidden > 0 else "")


def _place(index: int, name: str) -> str:
    return f"inputs: row {index}, column {name!r}"


def _value(cell: Any, index: int, name: str, *, is_text: bool) -> Any:
    if cell is None or cell != cell or (isinstance(cell, str) and is_missing(cell)):
        return None
    if is_text:
        return str(cell)
    try:
        return float(cell)
    except (TypeError, ValueError):
        raise DataError(f"{_place(index, name)}: expected a number, got {shortened(str(cell))}") from None
