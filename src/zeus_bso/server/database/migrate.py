"""Schema migrations. The package contains the Alembic versions and runs them without a configuration file."""

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
from sqlalchemy import URL, Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from zeus_bso.exceptions import DatabaseUnavailableError, ZeusBSOConfigError
from zeus_bso.server.database import restored
from zeus_bso.server.database.engine import parse_url
from zeus_bso.server.database.failures import describe
from zeus_bso.server.database.migrations.unfinished import BASE, ends_of, is_upgrade, set_revision
from zeus_bso.server.database.networked import networked_engine
from zeus_bso.server.database.revision import VERSION_TABLE, check_encoding, describe_older_schema
from zeus_bso.server.database.schema import metadata
from zeus_bso.server.database.sqlite import database_file, sqlite_engine, use_write_ahead_log, writing
from zeus_bso.server.database.write_queue_lock import WriteQueueLock

T = TypeVar("T")

_LOCK = "zeus_bso_migration"
_LOCK_KEY = 0x7A657573
_LOCK_WAIT_S = 300


class SchemaError(ZeusBSOConfigError):
    """This version does not work with the schema of the database."""


def upgrade(url: str, revision: str = "head", *, sql: bool = False) -> None:
    """Upgrade the schema to a revision. With ``sql``, print the statements instead.

    If several servers start together, one migrates. The others wait and find the schema up to date.
    """
    _run(url, lambda config: command.upgrade(config, revision, sql=sql), offline=sql)


def loss(url: str, revision: str) -> list[str]:
    """What a downgrade to ``revision`` loses of the jobs that the database has; empty if it loses nothing."""

    def find(connection: Connection) -> list[str]:
        scripts = ScriptDirectory.from_config(_config())
        present = _known_revision(connection, scripts)
        if present is None or not inspect(connection).has_table("job"):
            return []
        if connection.execute(text("SELECT 1 FROM job LIMIT 1")).first() is None:
            return []
        begun = ends_of(present)
        newer = begun[is_upgrade(*begun)] if begun else present
        steps = scripts.iterate_revisions(newer, revision, select_for_downgrade=True)
        return [found for step in steps if (found := getattr(step.module, "loses", None))]

    try:
        return _in_transaction(url, find)
    except CommandError as error:
        raise SchemaError(f"{error}") from error


def downgrade(url: str, revision: str, *, sql: bool = False) -> None:
    """Downgrade the schema to a revision (``base`` removes everything). With ``sql``, print the statements instead."""
    _run(url, lambda config: command.downgrade(config, revision, sql=sql), offline=sql)


def skip_numbers(url: str) -> None:
    """Skip trial numbers, because the database was set back to an older state (``restored.py``).

    The schema may be of any revision that this version knows, because a backup may be older than the server.

    Raises:
        SchemaError: The database has no such schema.
    """

    def skip(connection: Connection) -> None:
        if _known_revision(connection, ScriptDirectory.from_config(_config())) is None:
            raise SchemaError("The database has no schema, so there is nothing restored in it.")
        restored.skip_numbers(connection)

    _in_transaction(url, skip)


def current(url: str) -> str | None:
    """The revision of the schema, or None if the database has none of our tables."""
    return _in_transaction(url, _revision)


def check(url: str) -> None:
    """Check that this version works with the schema.

    Raises:
        SchemaError: It does not. The message says what to do.
    """
    _in_transaction(url, check_connection)


def upgrade_connection(connection: Connection) -> None:
    """Upgrade the schema to the latest revision, in a transaction that has already begun."""
    _act(_config(), connection, lambda config: command.upgrade(config, "head"))


def check_connection(connection: Connection) -> None:
    """Check the schema, in a transaction that has already begun.

    Raises:
        SchemaError: This version does not work with it. The message says what to do.
    """
    scripts = ScriptDirectory.from_config(_config())
    revision = _known_revision(connection, scripts)
    if revision == scripts.get_current_head():
        return
    if begun := ends_of(revision):
        raise SchemaError(
            f"A change of the database's schema from {begun[0]} to {begun[1]} was interrupted. Run: zeus-bso db upgrade"
        )
    if revision is None:
        raise SchemaError("The database has no schema yet. Run: zeus-bso db upgrade")
    raise SchemaError(describe_older_schema(revision))


def _revision(connection: Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


def _known_revision(connection: Connection, scripts: ScriptDirectory) -> str | None:
    revision = _revision(connection)
    known = {script.revision for script in scripts.walk_revisions()} | {BASE}
    if revision is not None and not known.issuperset(ends_of(revision) or [revision]):
        raise SchemaError(
            f"The database's schema ({revision}) is from another version of zeus-bso, and this one does not know it. "
            "Run the version that created it, or a newer one."
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
    found = _known_revision(connection, ScriptDirectory.from_config(config))
    _check_that_tables_are_ours(connection)
    config.attributes["connection"] = connection
    if begun := ends_of(found):
        before, after = begun
        set_revision(connection, before)
        (command.upgrade if is_upgrade(before, after) else command.downgrade)(config, after)
    action(config)


def _check_that_tables_are_ours(connection: Connection) -> None:
    """A migration takes tables that exist for its own, so it must not begin among those of another program."""
    existing = set(inspect(connection).get_table_names())
    if VERSION_TABLE not in existing and (strange := existing & set(metadata.tables)):
        raise SchemaError(
            f"The database already has a table '{min(strange)}', and zeus-bso did not create it. "
            "Give zeus-bso a database of its own."
        )


def _in_transaction(url: str, work: Callable[[Connection], T]) -> T:
    """Run work in one transaction, in only one process at a time.

    MySQL commits every change of the schema by itself. There only the lock keeps other processes out, and a mark in the
    table of the revision tells the next process what was interrupted (``migrations/unfinished.py``).
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _in_file(parsed, work)
    return asyncio.run(_in_server(parsed, work))


def _in_file(url: URL, work: Callable[[Connection], T]) -> T:
    engine = sqlite_engine(url)
    # SQLite itself waits for its lock for about a second only.
    turn = WriteQueueLock(database_file(url))
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
        check_encoding(connection)
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
            return work(connection)
        # MySQL warns about a table without a primary key.
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
        raise DatabaseUnavailableError(describe(error)) from error
    finally:
        await engine.dispose()
