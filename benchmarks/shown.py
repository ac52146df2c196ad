"""How a benchmark shows what it has found: a table for people, or the same as JSON for benchmarks/documented.py."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["parser_of", "show", "whole_numbers"]


def parser_of(description: str) -> argparse.ArgumentParser:
    """A parser of options that knows ``--json``.

    Args:
        description: The text of the benchmark's file.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def whole_numbers(text: str) -> tuple[int, ...]:
    """Return the numbers of a text such as ``4,8,12``, the type of an option.

    Args:
        text: Whole numbers above zero, with commas between them.
    """
    words = text.split(",")
    if not all(word.strip().isdecimal() and int(word) for word in words):
        raise argparse.ArgumentTypeError(f"expected whole numbers above zero, such as 4,8,12, got '{text}'")
    return tuple(map(int, words))


def show(
    table: Sequence[Sequence[str]], figures: Mapping[str, Any] | None = None, *, title: str = "", as_json: bool = False
) -> None:
    """Print what was found.

    Args:
        table: Rows of cells, the first of them the headers.
        figures: Numbers by name that texts quote.
        title: What was measured; for people only.
        as_json: Whether to print JSON.
    """
    figures = figures or {}
    if as_json:
        print(json.dumps({**figures, "table": [list(row) for row in table]}))
        return
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    if title:
        print(title)
    for row in table:
        print(
            "  ".join(
                [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
            )
        )
    for name, value in figures.items():
        print(f"{name}: {value}")
