"""Short HTML tables for notebooks; every text is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_MOST_ROWS = 20


def html_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table of at most 20 rows, with a line that counts the others.

    Args:
        title: Line above it.
        columns: Headers; none for names and values.
        rows: Cells of each row; the first is aligned to the left.

    >>> html_table("<w>", (), [("J", 1)])
    '<table><caption>&lt;w&gt;</caption><tr><td style="text-align:left">J</td><td>1</td></tr></table>'
    """
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    left = ' style="text-align:left"'
    body = [
        "".join(f"<td{'' if index else left}>{escape(str(cell))}</td>" for index, cell in enumerate(row))
        for row in rows[:_MOST_ROWS]
    ]
    if len(rows) > _MOST_ROWS:
        body.append(f"<td{left}>and {len(rows) - _MOST_ROWS} more</td>")
    lines = [head, *body] if columns else body
    return f"<table><caption>{escape(title)}</caption>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
