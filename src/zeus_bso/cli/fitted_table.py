"""Tables that fit a terminal: the less important columns leave first, and no cell goes on in another line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from rich.cells import set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
"""Replaces a character that a terminal would execute instead of showing it."""

NOTHING = "-"
CUT_TO = 32
_CUT = "..."


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        title: Its header.
        right: Whether its cells are aligned to the right.
        drop: When it leaves if the terminal is too narrow: the lowest number first. 0: it stays.
        cut_beyond: On a terminal, cells of more characters are cut to ``CUT_TO``, so that one of them does not make
            every line too long. 0: they are whole.
    """

    title: str
    right: bool = False
    drop: int = 0
    cut_beyond: int = 0


class FittedTable:
    """Rows of plain cells, from which a table for any width is made.

    Args:
        columns: The columns, from left to right.
    """

    def __init__(self, *columns: Column) -> None:
        self._columns = columns
        self._rows: list[tuple[list[Text], str | None]] = []
        self._cuts = False

    def add_row(self, *cells: object, style: str | None = None) -> None:
        """Add a row. None is shown as a dash."""
        self._rows.append(([plain_text(NOTHING if cell is None else str(cell)) for cell in cells], style))

    def fitted(self, console: Console) -> Table:
        """The table with as many columns as fit. It may be wider than the console if no more columns can leave."""
        self._cuts = console.is_terminal
        kept = list(range(len(self._columns)))
        for leaving in sorted((index for index in kept if self._columns[index].drop), key=self._order):
            if self._width(kept) <= console.width:
                break
            kept.remove(leaving)
        table = self._table(kept)
        if self._width(kept) > console.width:
            table.width = self._width(kept)
        return table

    def _order(self, index: int) -> int:
        return self._columns[index].drop

    def _width(self, kept: list[int]) -> int:
        gaps = 2 * (len(kept) - 1)
        return gaps + sum(self._column_width(index) for index in kept)

    def _column_width(self, index: int) -> int:
        column = self._columns[index]
        longest = column.cut_beyond if self._cuts and column.cut_beyond else None
        widths = (cells[index].cell_len for cells, _ in self._rows)
        return max([len(column.title), *(width if longest is None or width <= longest else CUT_TO for width in widths)])

    def _table(self, kept: Iterable[int]) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        widths = {index: self._column_width(index) for index in kept}
        for index, width in widths.items():
            column = self._columns[index]
            justify: Literal["left", "right"] = "right" if column.right else "left"
            table.add_column(column.title, justify=justify, no_wrap=True, width=width)
        for cells, style in self._rows:
            table.add_row(*(_cut(cells[index], width) for index, width in widths.items()), style=style)
        return table


def _cut(cell: Text, width: int) -> Text:
    """A cell that is not wider than this. The mark of a cut is in ASCII, for terminals without Unicode."""
    return cell if cell.cell_len <= width else Text(set_cell_size(cell.plain, width - len(_CUT)) + _CUT)


def plain_text(text: str) -> Text:
    """A text without markup or control characters. A name or the message of an imported trial may contain anything."""
    return Text("".join(letter if letter.isprintable() or letter == "\n" else REPLACEMENT for letter in text))
