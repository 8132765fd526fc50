"""Past runs in a CSV file, however it is written."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from zeus_bso.cli.errors import CommandError
from zeus_bso.cli.importing.rows import FIELDS, SourceRun
from zeus_bso.cli.importing.written_figures import shown

LONGEST_LINE = 2**20
"""A line has at most so many characters."""

MOST_COLUMNS = 1000

_CHUNK_BYTES = 2**20
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_SEPARATORS = (",", ";", "\t")


class RowError(ValueError):
    """A line of the file cannot be read.

    Args:
        place: The line.
        message: What is wrong.
    """

    def __init__(self, place: str, message: str) -> None:
        super().__init__(message)
        self.place = place


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A CSV file that is being read.

    Attributes:
        names: Its columns.
        separator: What separates them.
        encoding: How its characters are encoded.
        lines: Its lines after the first.
        path: The file.
    """

    names: tuple[str, ...]
    separator: str
    encoding: str
    lines: _Lines
    path: Path

    @property
    def kind(self) -> str:
        """``csv``."""
        return "csv"

    @property
    def guessed(self) -> tuple[str, ...]:
        """All."""
        return FIELDS

    @property
    def where(self) -> str:
        """The path of the file."""
        return str(self.path)

    @property
    def decimal_comma(self) -> bool:
        """Whether numbers may have a decimal comma."""
        return self.separator == ";"

    def runs(self) -> Iterator[SourceRun | RowError]:
        """Its rows; of a row that cannot be read, what is wrong with it."""
        reader = csv.reader(self.lines, delimiter=self.separator, strict=True)
        while True:
            begin = self.lines.number + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield RowError(f"line {begin}", f"{error}")
                reader = csv.reader(self.lines, delimiter=self.separator, strict=True)
                continue
            if any(cell.strip() for cell in cells):
                yield self._run(f"line {begin}", cells)

    def notes(self) -> list[str]:
        """A word about an encoding that was guessed."""
        return [f"{self.path} is not in UTF-8; it was read as Latin-1."] if self.encoding == "latin-1" else []

    def _run(self, place: str, cells: list[str]) -> SourceRun | RowError:
        if len(cells) != len(self.names):
            return RowError(place, f"it has {len(cells)} cells, and the header has {len(self.names)}")
        return SourceRun(place, dict(zip(self.names, cells, strict=True)))


class _Lines(Iterator[str]):
    """The lines of a file, none of them endless.

    Attributes:
        number: Number of the last line that was read.
    """

    def __init__(self, file: IO[str]) -> None:
        self.number = 0
        self._file = file

    def __next__(self) -> str:
        line = self._file.readline(LONGEST_LINE)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) == LONGEST_LINE:
            raise CommandError(f"Line {self.number} is longer than {LONGEST_LINE} characters: is this a CSV file?")
        return line


@contextmanager
def opened(path: Path) -> Iterator[CsvFile]:
    """Open a CSV file: in UTF-8, UTF-16 or else Latin-1; with commas, semicolons or tabs.

    Raises:
        CommandError: It cannot be read, is empty, or has no proper header.
    """
    before = csv.field_size_limit(LONGEST_LINE)
    try:
        encoding = _encoding_of(path)
        # newline="": a line end within quotes belongs to its cell.
        with io.open(path, encoding=encoding, newline="") as file:  # noqa: UP020
            lines = _Lines(file)
            header = next(lines, "")
            separator = max(_SEPARATORS, key=header.count)
            yield CsvFile(_names(path, header, separator), separator, encoding, lines, path)
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} is not in {error.encoding} throughout: save it as UTF-8.") from None
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
    finally:
        csv.field_size_limit(before)


def _encoding_of(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(4)
        for mark, name in _BOMS:
            if start.startswith(mark):
                return name
        file.seek(0)
        decoder, is_utf8 = codecs.getincrementaldecoder("utf-8")(), True
        while chunk := file.read(_CHUNK_BYTES):
            if b"\0" in chunk:
                raise CommandError(f"{path} contains null characters: it is no text, or UTF-16 without a mark.")
            is_utf8 = is_utf8 and _decodes(decoder, chunk)
        return "utf-8" if is_utf8 and _decodes(decoder, b"", final=True) else "latin-1"


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _names(path: Path, header: str, separator: str) -> tuple[str, ...]:
    try:
        names = [name.strip() for name in next(csv.reader([header], delimiter=separator, strict=True), [])]
    except csv.Error as error:
        raise CommandError(f"{path}, line 1: {error}.") from None
    if not any(names):
        raise CommandError(f"{path} is empty: its first line must have the names of the columns.")
    if len(names) > MOST_COLUMNS:
        raise CommandError(f"{path} has more than {MOST_COLUMNS} columns.")
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise CommandError(f"{path} has two columns {shown(twice[0])}.")
    return tuple(names)
