"""Lines of the CSV files of a trace folder, each knowing where it stands, so that what is wrong is found."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from zeus_bso.exceptions import ZeusBSOError

_T = TypeVar("_T")
Key = tuple[str, str, str]
"""Dataset, network, optimizer: what makes a workload."""


class TraceError(ZeusBSOError):
    """A trace folder cannot be read; the message names the file and the line."""


@dataclass(frozen=True, slots=True)
class TraceRow:
    """A line of a CSV file.

    Attributes:
        path: The file.
        line: Where the row ends in it, from 1.
        cells: Its cells by column.
    """

    path: Path
    line: int
    cells: Mapping[str, str]

    def get(self, column: str, read: Callable[[str], _T], what: str) -> _T:
        """Read a cell.

        Raises:
            TraceError: It is not ``what`` it should be.
        """
        try:
            return read(self.cells[column].strip())
        except (ValueError, OverflowError):
            raise self.error(f"{column} should be {what}, not {self.cells[column]!r}.") from None

    def error(self, message: str) -> TraceError:
        """An error that says where it is."""
        return TraceError(f"{self.path}, line {self.line}: {message}")

    @property
    def key(self) -> Key:
        """The row's workload."""
        return (self.cells["dataset"].strip(), self.cells["network"].strip(), self.cells["optimizer"].strip())

    @property
    def batch_size(self) -> int:
        """The row's batch size."""
        return self.get("batch_size", positive_int, "a positive integer")


def read_rows(path: Path, columns: tuple[str, ...]) -> Iterator[TraceRow]:
    """Read the rows of a file.

    Args:
        path: The file.
        columns: Columns that it must have; it may have more.

    Raises:
        TraceError: The file or a column is missing, or a row is too short.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            if missing:
                raise TraceError(f"{path}, line 1: the column {missing[0]} is missing.")
            for cells in reader:
                row = TraceRow(path, reader.line_num, cells)
                empty = [column for column in columns if not isinstance(cells.get(column), str)]
                if empty:
                    raise row.error(f"the row ends before the column {empty[0]}.")
                yield row
    except FileNotFoundError:
        raise TraceError(f"{path} is missing.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TraceError(f"{path} cannot be read: {error}") from error


def finite(text: str) -> float:
    """Read a number that is finite."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def positive(text: str) -> float:
    """Read a number above 0."""
    number = finite(text)
    if number <= 0:
        raise ValueError(text)
    return number


def positive_int(text: str) -> int:
    """Read a whole number above 0."""
    number = positive(text)
    if number != int(number):
        raise ValueError(text)
    return int(number)


def epoch(text: str) -> int | None:
    """Read an epoch; None: it is empty or ``nan``."""
    if not text or text.lower() in ("nan", "none", "null"):
        return None
    return positive_int(text)


def boolean(text: str) -> bool:
    """Read ``true`` or ``false``."""
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"
