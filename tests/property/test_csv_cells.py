"""Whatever a text holds, a spreadsheet shows it as text, and a reader of CSV finds every cell where it belongs."""

from __future__ import annotations

import csv
import io
import re

from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel

from zeus_bso.cli.csv_output import harmless, write_csv

FORMULA_SIGNS = "=+-@\uff0b\uff0d\uff1d\uff20"
SEPARATORS = ",;|\t\r\n"
NASTY = st.text(st.sampled_from(f"{FORMULA_SIGNS}{SEPARATORS}' \"\\\u00a0ax1\x00\x1b\u202e\ud800")) | st.text()
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


class Row(BaseModel):
    text: str
    number: float
    count: int | None
    flag: bool


ROWS = st.builds(
    Row.model_construct, text=NASTY, number=FLOATS, count=st.none() | st.integers(-(2**31), 2**31), flag=st.booleans()
)


def written(rows: list[Row]) -> str:
    file = io.StringIO(newline="")
    write_csv(file, Row, rows)
    return file.getvalue()


@given(st.lists(ROWS, max_size=5))
def test_every_cell_is_found_again_and_numbers_are_whole(rows: list[Row]) -> None:
    header, *read = csv.reader(io.StringIO(written(rows), newline=""), strict=True)

    assert header == ["text", "number", "count", "flag"]
    assert [text for text, *_ in read] == [harmless(row.text) for row in rows]
    assert [float(number) for _, number, *_ in read] == [row.number for row in rows]
    assert [count for _, _, count, _ in read] == ["" if row.count is None else str(row.count) for row in rows]
    assert [flag for *_, flag in read] == ["true" if row.flag else "false" for row in rows]


@given(NASTY)
@example("=1+1")
@example(" =1+1")
@example("\u00a0@SUM(A1)")
@example("a;=HYPERLINK(1)")
@example("-2+3+cmd|' /C calc'!A0")
def test_no_part_of_a_text_is_a_formula_wherever_the_line_is_split(text: str) -> None:
    parts = re.split(f"[{SEPARATORS}]", harmless(text))

    assert [part for part in parts if part.strip()[:1] in tuple(FORMULA_SIGNS)] == []


@given(NASTY)
def test_nothing_but_apostrophes_is_added(text: str) -> None:
    shown = harmless(text)

    assert len(shown.replace("'", "")) == len(text.replace("'", ""))
    assert all(letter.isprintable() or letter.isspace() for letter in shown if ord(letter) < 0x250)


@given(st.text("abcdefghijklmnopqrstuvwxyzÄÖ漢0123456789_./ "))
def test_a_plain_text_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


@given(ROWS)
def test_lines_end_as_rfc_4180_has_it(row: Row) -> None:
    assert written([row]).count("\r\n") == 2
    assert not set("\x00\x1b") & set(written([row]))
