"""A job that moves from database to database stays the same job."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from tests.support.databases import DatabaseServers, look
from tests.support.exports import export, lines_of, lived, rows, send
from tests.support.server import Server

from zeus_bso.server.database import migrate
from zeus_bso.server.database.engine import open_database
from zeus_bso.server.transfer import importing, staging


@pytest.mark.parametrize("policy", ["zeus", "surrogate"])
def test_a_job_comes_back_the_same_from_a_journey_through_all_databases(
    databases: DatabaseServers, tmp_path: Path, policy: str
) -> None:
    with ExitStack() as stack:
        first, *others = (
            _server(stack, kind, databases, tmp_path) for kind in ("sqlite", "postgresql", "mariadb", "sqlite")
        )
        file = lived(first, policy=policy)
        for server in others:
            assert send(server, file).status_code == 201
            assert export(server) == file
        assert (others[-1].job(), others[-1].trials()) == (first.job(), first.trials())


def _server(stack: ExitStack, kind: str, databases: DatabaseServers, folder: Path) -> Server:
    url = stack.enter_context(databases.fresh(kind, folder))
    migrate.upgrade(url)
    return _started(stack, url)


def _started(stack: ExitStack, url: str) -> Server:
    server = Server(url)
    server.start()
    stack.callback(server.close)
    return server


@pytest.mark.parametrize("kind", ["mariadb", "postgresql"])
def test_an_export_sees_one_state_and_leaves_its_connection_as_it_was(database_url: str) -> None:
    database = open_database(database_url, pool_size=1)

    def isolation(connection: Connection) -> str:
        return connection.get_isolation_level()

    async def three() -> list[str]:
        try:
            await database.start()
            before = await database.read(isolation)
            return [before, await database.snapshot(isolation, budget_s=10), await database.read(isolation)]
        finally:
            await database.close()

    assert asyncio.run(three()) == ["READ COMMITTED", "REPEATABLE READ", "READ COMMITTED"]


@pytest.mark.parametrize("kind", ["postgresql"])
def test_tables_that_an_import_has_filled_are_analysed(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL keeps a plan that it has made for a nearly empty table, such as that of a foreign key."""
    monkeypatch.setattr(staging, "PART", 3)
    monkeypatch.setattr(importing, "PART", 3)
    with ExitStack() as stack:
        server = _started(stack, database_url)
        file = lived(server)
        server.wipe()
        for table in ("trial", "trial_report"):
            server.sql(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")

        assert send(server, file).status_code == 201
        counted = server.sql("SELECT relname, reltuples FROM pg_class WHERE relname IN ('trial', 'trial_report')")
        found = {row["relname"]: row["reltuples"] for row in counted}
        assert found == {"trial": 8, "trial_report": len(rows(lines_of(file), "trial_report"))}


@pytest.mark.parametrize("kind", ["postgresql"])
def test_a_server_that_may_not_analyse_imports_all_the_same(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "PART", 3)
    monkeypatch.setattr(importing, "PART", 3)
    role = f"zeus_bso_test_{uuid.uuid4().hex[:12]}"
    look(database_url, lambda connection: connection.execute(text(f"CREATE ROLE {role}")))
    try:
        look(
            database_url,
            lambda connection: connection.execute(text(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")),
        )
        with ExitStack() as stack:
            server = _started(stack, f"{database_url}?options=-crole%3D{role}")
            file = lived(server)
            for replace in (True, False):
                assert send(server, file, replace=replace, **({} if replace else {"as": "copy"})).status_code == 201
            assert export(server) == file
    finally:
        look(database_url, lambda connection: connection.execute(text(f"DROP OWNED BY {role}")))
        look(database_url, lambda connection: connection.execute(text(f"DROP ROLE {role}")))
