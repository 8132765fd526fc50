"""The statements that databases are sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import Engine, event


class Sent(NamedTuple):
    """A statement with its parameters."""

    text: str
    parameters: Any


@contextmanager
def sent_statements() -> Iterator[list[Sent]]:
    """Every statement that is sent to any database meanwhile."""
    seen: list[Sent] = []

    def note(connection: object, cursor: object, statement: str, parameters: Any, *_: object) -> None:
        seen.append(Sent(statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)
