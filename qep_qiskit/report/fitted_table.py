"""Tables that never crop a number: they wrap text, leave out named columns, or print each row as a block.

Every table of the command line is a `FittedTable`, which fits it to the width of the terminal. Columns that are aligned
to the right or not wrapped hold numbers and are shown whole; other columns break between words, and within a word only
if it is longer than a line.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD, Box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

from qep_qiskit.core.printable import printable

_AMPLE = 100_000  # columns of a terminal on which everything fits
_ASCII_HEAD = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)


class FittedTable(Table):
    """A table in the common style that fits into any terminal without cropping a number.

    Args:
        title: Line above it; text, not markup.
        note: Line below it, or None.
        optional: Headers of columns that may be left out, the first one first; a line below the table names them.
        plain: Without header and lines, for names and values.
    """

    def __init__(
        self, title: str | None = None, *, note: str | None = None, optional: Sequence[str] = (), plain: bool = False
    ) -> None:
        super().__init__(
            title=None if title is None else Text(printable(title), style="bold"),
            caption=None if note is None else Text(printable(note), style="dim"),
            box=None if plain else SIMPLE_HEAD,
            show_header=not plain,
            pad_edge=False,
        )
        self.optional = tuple(optional)

    @classmethod
    def of(
        cls,
        columns: Sequence[str],
        rows: Iterable[Sequence[RenderableType]],
        title: str | None = None,
        *,
        right: Collection[str] = (),
        **options: Any,
    ) -> FittedTable:
        """Return a table of rows.

        Args:
            columns: Headers.
            rows: The cells of each row.
            title: Line above the table, or None.
            right: Headers of the columns that are aligned to the right, those of numbers.
            **options: As in the constructor.
        """
        table = cls(title, **options)
        for name in columns:
            table.add_column(name, justify="right" if name in right else "left")
        for cells in rows:
            table.add_row(*cells)
        return table

    def add_column(self, header: RenderableType = "", *arguments: Any, **options: Any) -> None:
        """Add a column.

        Args:
            header: Text of the header, not markup.
            *arguments: As in `rich.table.Table.add_column`.
            **options: As in `rich.table.Table.add_column`.
        """
        super().add_column(_as_text(header), *arguments, **options)

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        """Add a row; its cells are text, not markup."""
        super().add_row(*map(_as_text, cells), **options)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table as it fits; called by rich."""
        if isinstance(self.title, Text):
            yield self.title
        omitted: list[str] = []
        chosen = self._fitting(console, options, omitted)
        if chosen is None:
            omitted = []
            yield from self._upright(options.max_width)
            yield Text()
        else:
            yield from chosen
        if isinstance(self.caption, Text):
            yield self.caption
        if omitted:
            yield Text(f"left out for lack of space: {', '.join(omitted)}", style="dim")

    def _fitting(self, console: Console, options: ConsoleOptions, omitted: list[str]) -> RenderResult | None:
        """Return the table with as many optional columns as fit side by side; None if the others do not fit."""
        columns = list(self.columns)
        for name in (None, *self.optional):
            if name is not None and any(_header(column) == name for column in columns):
                columns = [column for column in columns if _header(column) != name]
                omitted.append(name)
            natural = [_natural(column) for column in columns]
            box = self.box and (_ASCII_HEAD if options.ascii_only else self.box)
            roomy, dense = (self._with(columns, natural, box, dense=dense) for dense in (False, True))
            if _measured(roomy, console, options) <= options.max_width:
                return Table.__rich_console__(roomy, console, options)
            spacing = _measured(dense, console, options) - sum(natural)
            widths = _widths(columns, options.max_width - spacing)
            if widths is not None:
                return Table.__rich_console__(self._with(columns, widths, box, dense=True), console, options)
        return None

    def _with(self, columns: Sequence[Column], widths: Sequence[int], box: Box | None, *, dense: bool) -> Table:
        """Return a plain table of some columns with given widths, without title and note."""
        table = Table(box=box, show_header=self.show_header, pad_edge=False, collapse_padding=dense)
        for column, width in zip(columns, widths, strict=True):
            table.add_column(column.header, justify=column.justify, style=column.style, width=width, overflow="fold")
        cells = zip(*(column.cells for column in columns), strict=True)
        for row, texts in zip(self.rows, cells, strict=True):
            table.add_row(*map(_within, texts, widths), style=row.style)
        return table

    def _upright(self, width: int) -> Iterable[Text]:
        """Return one block for each row: a line or more for each cell, after its header."""
        names = [_header(column) for column in self.columns]
        label = max(map(cell_len, names), default=0)
        if not self.show_header:
            names, label = ["" for _ in names], 0
        for number, (row, cells) in enumerate(
            zip(self.rows, zip(*(column.cells for column in self.columns), strict=True), strict=True)
        ):
            if number:
                yield Text()
            for place, (name, cell) in enumerate(zip(names, map(_text, cells), strict=True)):
                indent = 0 if label or not place else 2
                yield from _labelled(name.ljust(label) if label else "", cell, indent, width, row.style or "")


def _measured(table: Table, console: Console, options: ConsoleOptions) -> int:
    """Return the width of a table without wrapping."""
    return Measurement.get(console, options.update_width(_AMPLE), table).maximum


def _within(cell: object, width: int) -> Text:
    """Return a cell in lines of limited length."""
    style = cell.style if isinstance(cell, Text) else ""
    return Text("\n".join(_broken(_text(cell), width)), style=style)


def _labelled(label: str, cell: str, indent: int, width: int, style: Any) -> Iterable[Text]:
    """Return a cell after its label, or below it if the line is too short."""
    available_width = width - len(label) - 2 if label else width - indent
    longest = max(map(cell_len, _parts(cell)), default=0)
    if label and longest > available_width:
        yield Text(label.rstrip(), style="dim")
        label, indent, available_width = "", 2, width - 2
    lead = len(label) + 2 if label else indent
    for number, line in enumerate(_broken(cell, max(available_width, 1))):
        front = label.ljust(lead) if number == 0 else " " * lead
        yield Text.assemble((front, "dim"), (line, style))


def _broken(text: str, width: int) -> list[str]:
    """Return lines of limited length, broken between words, and within a word only if it is longer than a line."""
    lines: list[str] = []
    for part in _parts(text):
        if lines and cell_len(lines[-1]) + 1 + cell_len(part) <= width:
            lines[-1] += f" {part}"
        else:
            lines += [part[start : start + width] for start in range(0, len(part), width)]
    return lines or [""]


def _parts(text: str) -> list[str]:
    """Return the parts that are not broken: words, a number with its error, and a word with the sign after it."""
    return [part for part in re.split(r"(?<!±)\s+(?!±|[+−]$)", text) if part]


def _widths(columns: Sequence[Column], available_width: int) -> list[int] | None:
    """Return column widths that fit, with headers broken before cells; None if the smallest widths do not fit."""
    widths = [_narrowest(column) for column in columns]
    spare = available_width - sum(widths)
    if spare < 0:
        return None
    for wanted in ([_of_cells(column) for column in columns], [_natural(column) for column in columns]):
        while spare and (short := [index for index, width in enumerate(widths) if width < wanted[index]]):
            widths[min(short, key=widths.__getitem__)] += 1
            spare -= 1
    return widths


def _narrowest(column: Column) -> int:
    """Return the width at which no number and no word is broken."""
    whole = column.no_wrap or (column.justify == "right" and column.overflow != "fold")
    cells = [_text(cell) for cell in column.cells]
    parts = cells if whole else [part for cell in cells for part in _parts(cell)]
    return max(map(cell_len, (*parts, *_header(column).split(), " ")))


def _of_cells(column: Column) -> int:
    """Return the width at which every cell is one line."""
    return max(cell_len(text) for text in (*map(_text, column.cells), " "))


def _natural(column: Column) -> int:
    """Return the width at which every cell and the header are one line."""
    return max(_of_cells(column), cell_len(_header(column)))


def _header(column: Column) -> str:
    return _text(column.header)


def _text(cell: object) -> str:
    return cell.plain if isinstance(cell, Text) else str(cell)


def _as_text(cell: object) -> Text:
    text = cell if isinstance(cell, Text) else Text("" if cell is None else str(cell))
    text.plain = printable(text.plain)
    return text
