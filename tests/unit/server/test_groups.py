"""Writes that wait share a transaction, and none depends on another one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection

from zeus_bso.exceptions import DatabaseUnavailableError
from zeus_bso.server.database.groups import LARGEST_GROUP, Groups

SOON_S = 30.0


class Recorded:
    """A database that only notes the groups that it is given.

    Attributes:
        groups: The items of each transaction.
    """

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def transact(self, work: Callable[[Connection], Sequence[Any]]) -> Sequence[Any]:
        await self.open.wait()
        return work(None)  # type: ignore[arg-type]

    def together(self, connection: Connection, items: Sequence[str]) -> Sequence[str | None]:
        self.groups.append(list(items))
        if "broken" in items:
            raise RuntimeError
        return [None if item == "locked" else f"done: {item}" for item in items]


def run(test: Callable[[Recorded], Coroutine[Any, Any, None]]) -> None:
    async def begun() -> None:
        await test(Recorded())

    asyncio.run(begun())


def _write(groups: Groups, database: Recorded, item: str, job_id: str | None = None) -> asyncio.Future[Any]:
    written = groups.result(job_id or item, item, database.together, time.monotonic() + SOON_S)
    return asyncio.ensure_future(written)


def test_what_waits_shares_a_transaction() -> None:
    async def test(database: Recorded) -> None:
        groups = Groups(database.transact, connections=1)
        items = [str(number) for number in range(LARGEST_GROUP + 3)]
        database.open.clear()
        first = _write(groups, database, "first")
        await asyncio.sleep(0.01)
        written = [_write(groups, database, item) for item in items]
        await asyncio.sleep(0.01)
        database.open.set()
        assert await first == "done: first"
        assert await asyncio.gather(*written) == [f"done: {item}" for item in items]
        assert database.groups == [["first"], items[:LARGEST_GROUP], items[LARGEST_GROUP:]]

    run(test)


def test_no_group_has_a_job_twice_nor_one_of_the_group_beside_it() -> None:
    async def test(database: Recorded) -> None:
        groups = Groups(database.transact, connections=2)
        database.open.clear()
        written = [_write(groups, database, item, job_id=item[0]) for item in ("a1", "a2", "b1", "b2", "a3")]
        await asyncio.sleep(0.01)
        database.open.set()
        await asyncio.gather(*written)
        assert sorted(map(sorted, database.groups)) == [["a1", "b1"], ["a2", "b2"], ["a3"]]

    run(test)


@pytest.mark.parametrize("broken", ["broken", "locked"])
def test_what_was_not_done_has_no_result(broken: str) -> None:
    async def test(database: Recorded) -> None:
        groups = Groups(database.transact, connections=1)
        written = [_write(groups, database, item) for item in (broken, "other")]
        other = None if broken == "broken" else "done: other"
        assert await asyncio.gather(*written) == [None, other]
        assert await _write(groups, database, "later") == "done: later"

    run(test)


def test_a_write_that_waits_too_long_is_given_up_and_never_done() -> None:
    async def test(database: Recorded) -> None:
        groups = Groups(database.transact, connections=1)
        database.open.clear()
        first = _write(groups, database, "first")
        await asyncio.sleep(0.01)
        with pytest.raises(DatabaseUnavailableError):
            await groups.result("late", "late", database.together, time.monotonic() + 0.01)
        database.open.set()
        assert await first == "done: first"
        assert await _write(groups, database, "later") == "done: later"
        assert database.groups == [["first"], ["later"]]

    run(test)
