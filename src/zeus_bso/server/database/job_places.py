"""Connections for the writes of one job: few at a time, so that a locked job leaves the others to other jobs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from zeus_bso.server.database.transactions import give_up

_PLACES = 2
"""One write runs, and the next one waits for its lock in the database, where it loses no time. More would only wait."""


class JobPlaces:
    """Lets a few writes of each job have a connection at a time.

    Args:
        connections: Number of connections of this process.
    """

    def __init__(self, connections: int) -> None:
        self._places = min(_PLACES, max(1, connections - 1))
        # A job is forgotten when none of its writes runs or waits.
        self._jobs: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    def is_wanted(self, job_id: str) -> bool:
        """Whether a write of this job runs or waits here."""
        return job_id in self._jobs

    @asynccontextmanager
    async def place(self, job_id: str, deadline: float) -> AsyncIterator[None]:
        """Wait for a place and hold it.

        Args:
            job_id: The job.
            deadline: The point in time up to which to wait (``time.monotonic``).

        Raises:
            DatabaseUnavailableError: There was no place in time.
        """
        places = self._jobs.setdefault(job_id, asyncio.Semaphore(self._places))
        if places.locked():
            try:
                await asyncio.wait_for(places.acquire(), max(0.0, deadline - time.monotonic()))
            except asyncio.TimeoutError:
                give_up()
        else:
            await places.acquire()
        try:
            yield
        finally:
            places.release()
