"""Writes about different jobs share a transaction: most of what a write costs are its round trips to the database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from zeus_bso.server.database.transactions import Work, WorkTogether, give_up

LARGEST_GROUP = 32
"""Largest number of writes in a group. The limit lets the first of them be answered soon."""

_LANES = 2
"""While the database works for one group, this process works for the other."""

_Results = Sequence[Any]


@dataclass(frozen=True, slots=True, eq=False)
class _Member:
    """A write that waits for its group."""

    job_id: str
    item: Any
    together: WorkTogether[Any, Any]
    result: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Groups:
    """Gathers the writes that wait while others run.

    A group is a first attempt, which waits for nothing: whatever is locked or fails in it runs again on its own. So no
    write fails because of another one.

    Args:
        transact: Runs work in a transaction, within a time that leaves enough for another attempt.
        connections: Number of connections of this process.
    """

    def __init__(self, transact: Callable[[Work[_Results]], Awaitable[_Results]], connections: int) -> None:
        self._transact = transact
        self._free_lanes = min(_LANES, connections)
        self._waiting: list[_Member] = []
        self._jobs: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def result(self, job_id: str, item: Any, together: WorkTogether[Any, Any], deadline: float) -> Any:
        """The result of a write, or its error. None: it was not done.

        Args:
            job_id: The job that it locks.
            item: What to write.
            together: What writes it with others.
            deadline: The point in time up to which to wait (``time.monotonic``).

        Raises:
            DatabaseUnavailableError: There is no result in time.
        """
        member = _Member(job_id, item, together)
        self._waiting.append(member)
        if self._free_lanes:
            self._free_lanes -= 1
            task = asyncio.ensure_future(self._run())
            self._tasks.add(task)  # the event loop keeps no task alive
            task.add_done_callback(self._tasks.discard)
        await asyncio.wait([member.result], timeout=max(0.0, deadline - time.monotonic()))
        if member.result.cancel():
            give_up()
        return member.result.result()

    async def _run(self) -> None:
        while group := self._next_group():
            jobs = {member.job_id for member in group}
            self._jobs |= jobs
            results = await self._results(group)
            self._jobs -= jobs
            for member, result in zip(group, results, strict=True):
                if not member.result.done():
                    member.result.set_result(result)
        self._free_lanes += 1

    async def _results(self, group: Sequence[_Member]) -> _Results:
        items = [member.item for member in group]
        try:
            return await self._transact(lambda connection: group[0].together(connection, items))
        except Exception:  # noqa: BLE001 - each member runs again on its own and meets its error there
            return [None] * len(group)

    def _next_group(self) -> list[_Member]:
        """The longest waiting writes, at most one of each job, and none of a job of the other group."""
        group: dict[str, _Member] = {}
        later = []
        for member in self._waiting:
            if member.result.done():  # nobody waits for it any more
                continue
            if len(group) == LARGEST_GROUP or member.job_id in group or member.job_id in self._jobs:
                later.append(member)
            else:
                group[member.job_id] = member
        self._waiting = later
        return list(group.values())
