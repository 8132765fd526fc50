"""The real application over a real database, in this process: every request goes through its whole ASGI stack."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import Connection, make_url, text

from tests.support.jobs import Json, Trial, spec
from zeus_bso.server.app import create_app
from zeus_bso.server.config import Settings
from zeus_bso.server.database.transactions import Database
from zeus_bso.server.dependencies import Transactions

if find_spec("sniffio") is None:
    # httpx wants it at each request, and Python would look for it in every folder each time.
    sys.modules["sniffio"] = None  # type: ignore[assignment]

TABLES = ("observation", "trial_report", "trial", "batch_size_state", "job", "job_tombstone")

_SHIFTED = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', {}, :by)",
    "mysql": "{} + INTERVAL :by MICROSECOND",
    "postgresql": "{} + :by * INTERVAL '1 microsecond'",
}

_STAMPS = ("started_at", "last_report_at", "last_seen_at", "lease_expires_at", "ended_at")


class Server:
    """A server that is asked without a socket; the database outlives it, unless it lives in memory.

    Args:
        database: Its URL; or the path of an SQLite file. Migrated, unless it is SQLite.
        settings: Settings of the server, beside its database. Its dashboard keeps nothing, unless they say so.
    """

    def __init__(self, database: str | Path, **settings: Any) -> None:
        self.url = f"sqlite:///{database}" if isinstance(database, Path) else database
        self._settings = {"dashboard_cache_s": 0} | settings
        self._loop = asyncio.new_event_loop()
        self._app: FastAPI | None = None
        self._lifespan: AbstractAsyncContextManager[Any] | None = None
        self._client: httpx.AsyncClient | None = None

    @property
    def app(self) -> FastAPI:
        """The running application."""
        assert self._app is not None
        return self._app

    @property
    def path(self) -> Path:
        """The SQLite file."""
        return Path(str(make_url(self.url).database))

    def start(self) -> None:
        """Open the application."""
        self._app = create_app(Settings(database_url=self.url, **self._settings))
        self._lifespan = self._app.router.lifespan_context(self._app)
        self._loop.run_until_complete(self._lifespan.__aenter__())
        transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://server")

    def stop(self) -> None:
        """Close the application as a server does that is told to end."""
        assert self._client is not None
        assert self._lifespan is not None
        self._loop.run_until_complete(self._client.aclose())
        self._loop.run_until_complete(self._lifespan.__aexit__(None, None, None))
        self._app = None

    def restart(self, **settings: Any) -> None:
        """Close the application and open another one over the same database, with changed settings."""
        self.stop()
        self._settings |= settings
        self.start()

    def close(self) -> None:
        """Close everything."""
        if self._app is not None:
            self.stop()
        self._loop.close()

    def send(
        self,
        method: str,
        url: str,
        content: bytes | AsyncIterator[bytes] | None = None,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send raw bytes, without a Content-Type unless the headers have one."""
        assert self._client is not None
        request = self._client.request(method, url, content=content, params=params, headers=headers)
        return self._loop.run_until_complete(request)

    def call(self, method: str, url: str, body: object = None, **params: Any) -> httpx.Response:
        """Send a JSON body and query parameters; those that are None are left out."""
        query = {name: value for name, value in params.items() if value is not None}
        content = None if body is None else httpx.Request("POST", "http://x", json=body).content
        return self.send(method, url, content, params=query or None)

    def gather(self, requests: Iterable[tuple[str, str, object]]) -> list[httpx.Response]:
        """Send many requests at once, each ``(method, url with query, JSON body)``."""
        client = self._client
        assert client is not None

        async def together() -> list[httpx.Response]:
            calls = [client.request(method, url, json=body) for method, url, body in requests]
            return list(await asyncio.gather(*calls))

        return self._loop.run_until_complete(together())

    def register(self, **changes: Any) -> Json:
        """Register a job that is new or identical to one that exists."""
        return _answer(self.call("POST", "/jobs", spec(**changes)))

    def ask(self, job_id: str = "job", *, run_id: str | None = None) -> Trial:
        """Ask as a reference client does."""
        return Trial.of(_answer(self.call("GET", "/jobs/batch_size", job_id=job_id, run_id=run_id)))

    def offer(self, job_id: str = "job", **fields: Any) -> Json:
        """Ask as our client does."""
        return _answer(self.call("POST", "/api/v1/trials", {"job_id": job_id} | fields))

    def report(self, trial: Trial, **changes: Any) -> Json:
        """Report; by default epoch 1, 100 J, 10 s, and a metric that is short of the target."""
        return _answer(self.call("POST", "/report", trial.result(**changes)))

    def converge(self, trial: Trial, energy: float = 100.0, **changes: Any) -> Json:
        """Report that the target is reached; with ``eta_knob`` 1 the energy is the cost."""
        answer = self.report(trial, energy=energy, metric=1.0, **changes)
        assert answer["converged"], answer
        return answer

    def miss(self, trial: Trial, energy: float = 100.0) -> Json:
        """Report that ``max_epochs`` are over without the target."""
        answer = self.report(trial, energy=energy, metric=0.1, current_epoch=10)
        assert answer["outcome"] == "target-missed", answer
        return answer

    def end(self, trial: Trial, reason: str | None = None, **fields: Any) -> Json:
        """End a trial without a result."""
        given = {} if reason is None else {"reason": reason}
        return _answer(self.call("PATCH", "/trials", trial.body | given | fields))

    def beat(self, trial: Trial, **fields: Any) -> Json:
        """Send a heartbeat."""
        return _answer(self.call("POST", "/api/v1/trials/heartbeat", trial.body | fields))

    def change(self, job_id: str = "job", **settings: Any) -> Json:
        """Change settings of a job."""
        return _answer(self.call("PATCH", "/api/v1/jobs", settings, job_id=job_id))

    def reset(self, job_id: str = "job") -> Json:
        """Make a job start anew."""
        return _answer(self.call("POST", "/api/v1/jobs/reset", job_id=job_id))

    def delete(self, job_id: str = "job") -> Json:
        """Delete a job."""
        return _answer(self.call("DELETE", "/jobs", job_id=job_id))

    def job(self, job_id: str = "job") -> Json:
        """Show a job."""
        return _answer(self.call("GET", "/api/v1/job", job_id=job_id))

    def size(self, batch_size: int, job_id: str = "job") -> Json:
        """Show one batch size of a job."""
        found: Json = next(size for size in self.job(job_id)["batch_sizes"] if size["batch_size"] == batch_size)
        return found

    def trials(self, job_id: str = "job") -> list[Json]:
        """Show all trials of a job."""
        response = self.call("GET", "/api/v1/trials", job_id=job_id)
        assert response.status_code == 200, response.text
        found: list[Json] = response.json()
        return found

    def trial(self, trial: Trial) -> Json:
        """Show one trial."""
        return next(view for view in self.trials(trial.job_id) if view["trial_number"] == trial.trial_number)

    def sql(self, statement: str, **parameters: object) -> list[Json]:
        """Look into the database, or change it, behind the server's back."""

        def work(connection: Connection) -> list[Json]:
            result = connection.execute(text(statement), parameters)
            return [dict(row) for row in result.mappings()] if result.returns_rows else []

        # Looking needs no lock that something else may hold.
        transaction = self._database.read if statement.startswith("SELECT") else self._database.write
        return self._loop.run_until_complete(transaction(work))

    def wipe(self) -> None:
        """Forget all jobs, behind the server's back."""

        def work(connection: Connection) -> None:
            for name in ("job", "job_tombstone"):  # all else belongs to a job
                connection.exec_driver_sql(f"DELETE FROM {name}")

        self._loop.run_until_complete(self._database.write(work))

    def time_passes(self, seconds: float, job_id: str = "job") -> None:
        """Let a job's trials be older by so much, as if the database's clock had gone on."""
        shifted = _SHIFTED[make_url(self.url).get_backend_name()]
        columns = ", ".join(f"{name} = {shifted.format(name)}" for name in _STAMPS)
        by: object = f"{-seconds:.3f} seconds" if "sqlite" in self.url else -round(1e6 * seconds)
        self.sql(f"UPDATE trial SET {columns} WHERE job_id = :job_id", by=by, job_id=job_id)

    @property
    def _database(self) -> Database:
        # A database in memory can be reached through the server alone.
        transactions = self.app.state.transactions
        assert isinstance(transactions, Transactions)
        return transactions._database


def _answer(response: httpx.Response) -> Json:
    assert response.status_code in (200, 201), f"{response.status_code}: {response.text}"
    answer: Json = response.json()
    return answer
