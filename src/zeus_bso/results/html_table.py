"""Small HTML tables for notebooks. They hold no scripts and no styles, and every text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

ROWS = 20
"""A table shows at most so many rows."""


def html_table(sentences: Iterable[str], columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Sentences, and a table below them.

    Args:
        sentences: Plain texts, one paragraph each.
        columns: The heads of the columns.
        rows: The cells. None is shown as a dash.
    """
    heads = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    said = "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences if sentence)
    return f"{said}<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def count_of(shown: int, total: int, what: str) -> str:
    """A sentence with the number of rows, and where the others are.

    Args:
        shown: How many rows the table shows.
        total: How many there are.
        what: What a row is, in the singular.
    """
    if shown == total:
        return f"{total} {what}{'' if total == 1 else 's'}"
    return f"{shown} of {total} {what}s; to_dataframe() has all."


def _cell(value: object) -> str:
    return f"<td>{escape('–' if value is None else str(value))}</td>"  # noqa: RUF001
