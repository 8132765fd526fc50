"""The connections to a database server: one transaction runs on one connection, and ends in time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from zeus_bso.server.database.transactions import Work

T = TypeVar("T")

POOL_TIMEOUT_S = 2.5
"""How long a transaction waits for a connection [s]."""

PING_AFTER_S = 2.0
"""A connection that was idle for longer is asked whether it is alive before it is used [s]."""

PING_TIMEOUT_S = 1.0
"""How long such a connection has to answer before a new one takes its place [s]."""

_IDLE_SINCE = "zeus_bso_idle_since"


class Connections(Protocol):
    """A bounded number of connections."""

    async def transact(self, work: Work[T], deadline: float, *, isolation_level: str | None = None) -> T:
        """Run ``work`` in a transaction and commit it.

        Args:
            work: The work.
            deadline: When to give up (``time.monotonic``). The connection is given up too.
            isolation_level: The isolation level; None: READ COMMITTED.

        Raises:
            asyncio.TimeoutError: The database did not answer in time.
            sqlalchemy.exc.TimeoutError: All connections were in use for :data:`POOL_TIMEOUT_S`.
        """

    def distrust(self) -> None:
        """Let each connection show that it is alive before it is used again."""

    async def close(self) -> None:
        """Close all connections."""


class IdlePing:
    """Asks a connection that was idle whether it is alive. A network in between may have forgotten it without a word.

    Args:
        engine: The engine of the connections.
        answers: Tells whether a connection answers within :data:`PING_TIMEOUT_S`.
    """

    def __init__(self, engine: Engine, answers: Callable[[DBAPIConnection], bool]) -> None:
        self._answers = answers
        self._distrusted_at = -math.inf
        event.listen(engine, "checkin", _note_time)
        event.listen(engine, "checkout", self._ping)

    def distrust(self) -> None:
        """Ask each connection that was last used before now."""
        self._distrusted_at = time.monotonic()

    def _ping(self, connection: DBAPIConnection, record: ConnectionPoolEntry, fairy: PoolProxiedConnection) -> None:
        """Ask if need be.

        Raises:
            InvalidatePoolError: There is no answer. The pool then replaces all its connections.
        """
        idle_since = record.info.get(_IDLE_SINCE)
        now = time.monotonic()
        if idle_since is None or (now - idle_since < PING_AFTER_S and idle_since > self._distrusted_at):
            return
        if not self._answers(connection):
            raise InvalidatePoolError("An idle connection is dead.")


def _note_time(connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
    record.info[_IDLE_SINCE] = time.monotonic()
