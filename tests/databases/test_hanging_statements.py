"""Statements that a database does not answer: the request gives up in time, and so does its connection."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import Connection, text

from zeus_bso.exceptions import DatabaseUnavailableError
from zeus_bso.server.database.engine import open_database
from zeus_bso.server.database.transactions import Database

SIZE = 2
HANGS_S = 600
PATIENCE_S = 30.0

pytestmark = pytest.mark.parametrize("kind", ["mariadb", "postgresql"])


def hang(connection: Connection) -> None:
    """Wait for an answer that comes far too late."""
    function = "pg_sleep" if connection.dialect.name == "postgresql" else "sleep"
    connection.execute(text(f"SELECT {function}({HANGS_S})"))


def one(connection: Connection) -> int:
    """Ask for a number."""
    found: int = connection.execute(text("SELECT 1")).scalar_one()
    return found


def opened(url: str, use: Callable[[Database], Awaitable[None]]) -> None:
    """Use a database and close it; its threads end."""

    async def using() -> None:
        database = open_database(url, pool_size=SIZE)
        await database.start()
        try:
            await use(database)
        finally:
            await database.close()

    before = set(threading.enumerate())
    asyncio.run(using())
    deadline = time.monotonic() + PATIENCE_S
    while (left := set(threading.enumerate()) - before) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert left == set()


def test_more_hanging_statements_than_connections_leave_none_in_use(database_url: str) -> None:
    async def use(database: Database) -> None:
        for _ in range(SIZE + 1):
            with pytest.raises(DatabaseUnavailableError, match="not available"):
                await database.write(hang, budget_s=0.2)
        assert await database.read(one) == 1

    opened(database_url, use)


def test_whoever_gets_no_connection_is_told_and_the_next_one_gets_it(database_url: str) -> None:
    async def use(database: Database) -> None:
        hanging = [asyncio.ensure_future(database.write(hang, budget_s=PATIENCE_S)) for _ in range(SIZE)]
        await asyncio.sleep(0.1)
        with pytest.raises(DatabaseUnavailableError, match="All database connections are in use"):
            await database.read(one)
        hanging[0].cancel()
        assert await database.read(one) == 1
        hanging[1].cancel()
        await asyncio.wait(hanging)

    opened(database_url, use)
