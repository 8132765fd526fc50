"""Tables as CSV for spreadsheets and scripts, as RFC 4180 has it."""

from __future__ import annotations

import csv
import re
import sys
import unicodedata
from collections.abc import Iterable
from typing import IO, TypeVar

from pydantic import BaseModel

from zeus_bso.results.columns import Cell, cells, column_names

_Row = TypeVar("_Row", bound=BaseModel)

_FORMULA = re.compile(r"(^|[,;|\t\r\n])(?=\s*[=+\-@\uff0b\uff0d\uff1d\uff20])")
"""Where a spreadsheet may begin to read a formula: at the beginning of a text, and after each character at which it may
split the line, which depends on its country settings. The last four are full-width signs."""

_OBEYED = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Categories of characters that a terminal would obey instead of showing them, and of lone surrogates."""

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def print_csv(model: type[_Row], rows: Iterable[_Row]) -> None:
    """Print a table with a header."""
    write_csv(sys.stdout, model, rows)


def write_csv(file: IO[str], model: type[_Row], rows: Iterable[_Row]) -> None:
    """Write a table with a header: one column per field, numbers with all their digits, and empty cells for null.

    Args:
        file: Gets the text. It must not translate line ends.
        model: The type of the rows.
        rows: The rows.
    """
    writer = csv.writer(file)
    writer.writerow(column_names(model))
    writer.writerows(map(_written, cells(row)) for row in rows)


def harmless(text: str) -> str:
    """A text that no spreadsheet runs as a formula. An apostrophe before a sign makes it plain text."""
    shown = "".join(_REPLACEMENT if unicodedata.category(letter) in _OBEYED else letter for letter in text)
    return _FORMULA.sub(r"\1'", shown)


def _written(cell: Cell) -> str | int | float | None:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return harmless(cell) if isinstance(cell, str) else cell
