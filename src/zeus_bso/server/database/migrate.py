"""Schema migrations: Alembic versions that ship with the package, run without any configuration file."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Connection, text
from sqlalchemy.exc import DBAPIError

from zeus_bso.exceptions import DatabaseUnavailableError, ZeusBSOConfigError
from zeus_bso.server.database.engine import parse_url
from zeus_bso.server.database.networked import networked_engine
from zeus_bso.server.database.revision import VERSION_TABLE
from zeus_bso.server.database.sqlite import database_file, sqlite_engine, use_write_ahead_log, writing
from zeus_bso.server.database.turn import Turn

T = TypeVar("T")

_LOCK = "zeus_bso_migration"
_LOCK_KEY = 0x7A657573
_LOCK_WAIT_S = 300


class SchemaError(ZeusBSOConfigError):
    """The database's schema is not the one that this version works with."""


def upgrade(url: str, revision: str = "head", *, sql: bool = False) -> None:
    """Bring the schema to a revision; with ``sql``, print the statements instead.

    Of several servers that start together one migrates, and the others wait and find it done.
    """
    _run(url, lambda config: command.upgrade(config, revision, sql=sql), offline=sql)


def downgrade(url: str, revision: str, *, sql: bool = False) -> None:
    """Take the schema back to a revision (``base``: to nothing); with ``sql``, print the statements instead."""
    _run(url, lambda config: command.downgrade(config, revision, sql=sql), offline=sql)


def current(url: str) -> str | None:
    """The revision of the schema; None: the database has none of our tables."""
    return _in_transaction(url, _revision)


def check(url: str) -> None:
    """Check that the schema is the one that this version works with.

    Raises:
        SchemaError: It is not; the message says what to do.
    """
    _in_transaction(url, check_connection)


def upgrade_connection(connection: Connection) -> None:
    """Bring the schema up to date, in a transaction that was begun."""
    _act(_config(), connection, lambda config: command.upgrade(config, "head"))


def check_connection(connection: Connection) -> None:
    """Check the schema, in a transaction that was begun.

    Raises:
        SchemaError: It is not the one that this version works with; the message says what to do.
    """
    scripts = ScriptDirectory.from_config(_config())
    revision = _known_revision(connection, scripts)
    head = scripts.get_current_head()
    if revision == head:
        return
    if revision is None:
        raise SchemaError("The database has no schema yet. Run: zeus-bso db upgrade")
    raise SchemaError(
        f"The database's schema ({revision}) is older than this version's ({head}). Run: zeus-bso db upgrade"
    )


def _revision(connection: Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


def _known_revision(connection: Connection, scripts: ScriptDirectory) -> str | None:
    revision = _revision(connection)
    if revision is not None and revision not in {script.revision for script in scripts.walk_revisions()}:
        raise SchemaError(
            f"The database's schema ({revision}) comes from another version of zeus-bso; this one does not know it. "
            "Run the version that made it, or a newer one."
        )
    return revision


def _config() -> Config:
    config = Config(stdout=sys.stdout)
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


def _run(url: str, action: Callable[[Config], None], *, offline: bool) -> None:
    config = _config()
    try:
        if offline:
            config.attributes["url"] = parse_url(url)
            action(config)
        else:
            _in_transaction(url, lambda connection: _act(config, connection, action))
    except CommandError as error:
        raise SchemaError(f"{error}") from error


def _act(config: Config, connection: Connection, action: Callable[[Config], None]) -> None:
    _known_revision(connection, ScriptDirectory.from_config(config))
    config.attributes["connection"] = connection
    action(config)


def _in_transaction(url: str, work: Callable[[Connection], T]) -> T:
    """Run work in one transaction, of all processes one at a time.

    MySQL commits every change of the schema by itself; there the lock alone keeps others out.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _in_file(parsed, work)
    return asyncio.run(_in_server(parsed, work))


def _in_file(url: URL, work: Callable[[Connection], T]) -> T:
    engine = sqlite_engine(url)
    # SQLite's own lock is waited for about a second only.
    turn = Turn(database_file(url))
    try:
        with turn:
            use_write_ahead_log(engine, database_file(url))
            with writing(engine).begin() as connection:
                return work(connection)
    finally:
        turn.close()
        engine.dispose()


async def _in_server(url: URL, work: Callable[[Connection], T]) -> T:
    engine = networked_engine(url)

    def locked(connection: Connection) -> T:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
            return work(connection)
        # MySQL warns that it names no primary keys.
        logging.getLogger("asyncmy").setLevel(logging.ERROR)
        got = connection.execute(text("SELECT get_lock(:name, :seconds)"), {"name": _LOCK, "seconds": _LOCK_WAIT_S})
        if got.scalar_one() != 1:
            raise SchemaError("Another process is migrating this database; try again when it has finished.")
        try:
            return work(connection)
        finally:
            connection.execute(text("SELECT release_lock(:name)"), {"name": _LOCK})

    try:
        async with engine.begin() as connection:
            return await connection.run_sync(locked)
    except (DBAPIError, OSError) as error:
        reason = next(iter(str(getattr(error, "orig", error)).splitlines()), "no answer")
        raise DatabaseUnavailableError(f"The database cannot be reached: {reason}") from error
    finally:
        await engine.dispose()
