"""Load for server processes that ends when something has happened, however busy the machine is."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from benchmarks.load import Tally, drive_while

from tests.support.process import PATIENCE_S


async def drive_until(
    done: Callable[[Tally], bool],
    ports: list[int],
    jobs: list[str],
    connections: int,
    *,
    tally: Tally | None = None,
    pause_s: float = 0.0,
) -> Tally:
    """Send recurrences over so many connections, spread over ports and jobs, until something has happened.

    Args:
        done: Whether it has.
        ports: Those of the servers.
        jobs: Ids of the jobs.
        connections: Their number.
        tally: Where what is answered is counted.
        pause_s: Seconds of each connection between two requests.
    """
    found = Tally() if tally is None else tally
    deadline = time.monotonic() + PATIENCE_S

    def goes_on() -> bool:
        return not done(found) and time.monotonic() < deadline

    await drive_while(goes_on, found, ports, jobs, connections, pause_s=pause_s)
    assert done(found), f"what was waited for did not happen: {found.statuses}, {found.unexpected}"
    return found


def acknowledged(number: int) -> Callable[[Tally], bool]:
    """Whether so many reports were acknowledged."""
    return lambda tally: len(tally.acknowledged) >= number


def acknowledged_of(jobs: list[str]) -> Callable[[Tally], bool]:
    """Whether a report of each of these jobs was acknowledged."""
    return lambda tally: {job for job, _, _ in tally.acknowledged} == set(jobs)


async def drive_during(
    work: Callable[[Tally], object],
    ports: list[int],
    jobs: list[str],
    connections: int,
    *,
    before: int = 100,
    after: int = 100,
    pause_s: float = 0.0,
) -> Tally:
    """Send recurrences as :func:`drive_until` does, before, during and after some work.

    Args:
        work: It blocks, in a thread of its own; it may look at what is answered meanwhile.
        ports: Those of the servers.
        jobs: Ids of the jobs.
        connections: Their number.
        before: So many reports are acknowledged before it begins.
        after: And so many after its end.
        pause_s: Seconds of each connection between two requests.
    """
    tally, enough = Tally(), math.inf
    load = asyncio.create_task(
        drive_until(lambda _: len(tally.acknowledged) >= enough, ports, jobs, connections, tally=tally, pause_s=pause_s)
    )
    while len(tally.acknowledged) < before:
        assert not load.done(), f"the load has ended: {load.exception()}"
        await asyncio.sleep(0.005)
    await asyncio.to_thread(work, tally)
    enough = len(tally.acknowledged) + after
    return await load
