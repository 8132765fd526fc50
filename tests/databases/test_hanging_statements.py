"""Statements that a database does not answer: the request gives up in time, and so does its connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from sqlalchemy import Connection, text

from zeus_bso.exceptions import DatabaseUnavailableError
from zeus_bso.server.database.engine import open_database
from zeus_bso.server.database.transactions import Database, Work

SIZE = 2
HANGS_S = 600
PATIENCE_S = 120.0

pytestmark = pytest.mark.parametrize("kind", ["mariadb", "postgresql"])


def test_more_hanging_statements_than_connections_leave_none_in_use(database_url: str) -> None:
    async def use(database: Database) -> None:
        for _ in range(SIZE + 1):
            with pytest.raises(DatabaseUnavailableError):
                await database.write(hanging([]), budget_s=0.2)
        assert await answer_of(database) == 1

    with_database(database_url, use)


def test_whoever_gets_no_connection_is_told_and_the_next_one_gets_it(database_url: str) -> None:
    async def use(database: Database) -> None:
        begun: list[Connection] = []
        tasks = [asyncio.ensure_future(database.write(hanging(begun), budget_s=HANGS_S)) for _ in range(SIZE)]
        while len(begun) < SIZE:
            await asyncio.sleep(0.01)
        with pytest.raises(DatabaseUnavailableError, match="All database connections are in use"):
            await database.read(one)
        tasks[0].cancel()
        assert await answer_of(database) == 1
        tasks[1].cancel()
        await asyncio.wait(tasks)

    with_database(database_url, use)


def with_database(url: str, use: Callable[[Database], Awaitable[None]]) -> None:
    async def opened() -> None:
        database = open_database(url, pool_size=SIZE)
        await database.start()
        try:
            await use(database)
        finally:
            await database.close()

    asyncio.run(opened())


def hanging(begun: list[Connection]) -> Work[None]:
    """Work that waits for an answer that comes far too late, and notes that it has a connection."""

    def hang(connection: Connection) -> None:
        begun.append(connection)
        function = "pg_sleep" if connection.dialect.name == "postgresql" else "sleep"
        connection.execute(text(f"SELECT {function}({HANGS_S})"))

    return hang


def one(connection: Connection) -> int:
    found: int = connection.execute(text("SELECT 1")).scalar_one()
    return found


async def answer_of(database: Database) -> int:
    """What the database answers, once connections that were given up have been closed."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with suppress(DatabaseUnavailableError):
            return await database.read(one)
    return await database.read(one)
