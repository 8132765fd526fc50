"""Bulkheads: work that may take long gets a share of the database's connections, and the rest stay free."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from zeus_bso.exceptions import DatabaseUnavailableError


class Bulkheads:
    """Lets a few pages and transfers at a time reach the database, so that reports, asks and probes need not wait.

    Args:
        connections: Number of connections of this process.
    """

    def __init__(self, connections: int) -> None:
        self.pages = Bulkhead(max(1, connections // 3), wait_s=10.0)
        self.transfers = Bulkhead(max(1, connections // 5), wait_s=60.0)


class Bulkhead:
    """Lets a number of requests in at a time.

    Args:
        places: The number.
        wait_s: How long another request waits for a place [s].
    """

    def __init__(self, places: int, wait_s: float) -> None:
        self._places = asyncio.Semaphore(places)
        self._wait_s = wait_s

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place and hold it.

        Raises:
            DatabaseUnavailableError: There was no place in time.
        """
        try:
            await asyncio.wait_for(self._places.acquire(), self._wait_s)
        except asyncio.TimeoutError:
            raise DatabaseUnavailableError("Too many requests of this kind wait already. Try again later.") from None
        try:
            yield
        finally:
            self._places.release()
