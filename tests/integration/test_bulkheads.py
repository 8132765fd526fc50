"""Pages and transfers that take long leave room for reports, asks and probes."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from zeus_bso.exceptions import DatabaseUnavailableError
from zeus_bso.server.app import create_app
from zeus_bso.server.bulkheads import Bulkhead
from zeus_bso.server.config import Settings
from zeus_bso.server.dependencies import Transactions

PATIENCE_S = 60


@asynccontextmanager
async def transactions_on(path: Path) -> AsyncIterator[Transactions]:
    app = create_app(Settings(database_url=f"sqlite:///{path}"))
    async with app.router.lifespan_context(app):
        yield app.state.transactions


class Holding:
    """Work that holds its connection until it is told to end."""

    def __init__(self) -> None:
        self.began = threading.Semaphore(0)
        self.ended = threading.Event()

    def __call__(self, _: object) -> io.BytesIO:
        self.began.release()
        assert self.ended.wait(PATIENCE_S)
        return io.BytesIO()


def test_slow_exports_and_pages_leave_room(tmp_path: Path) -> None:
    export, page = Holding(), Holding()

    async def run() -> None:
        async with transactions_on(tmp_path / "jobs.db") as tx:
            slow = [
                asyncio.ensure_future(call)
                for _ in range(5)
                for call in (tx.snapshot(export), tx.read(page, long=True))
            ]
            assert await asyncio.to_thread(export.began.acquire, timeout=PATIENCE_S)
            assert await asyncio.to_thread(page.began.acquire, timeout=PATIENCE_S)
            try:
                await asyncio.wait_for(tx.check(), PATIENCE_S)
                await asyncio.wait_for(tx.write(lambda unit: unit.service.find_job(""), job_id=""), PATIENCE_S)
            finally:
                for held in (export, page):
                    held.ended.set()
            assert len(await asyncio.gather(*slow)) == 10

    asyncio.run(run())


def test_who_gets_no_place_in_time_is_told(tmp_path: Path) -> None:
    bulkhead = Bulkhead(1, wait_s=0.01)

    async def run() -> None:
        async with bulkhead.place():
            with pytest.raises(DatabaseUnavailableError, match="Try again later"):
                async with bulkhead.place():
                    pass
        async with bulkhead.place():
            pass

    asyncio.run(run())
