"""Schema migrations: Alembic versions that ship with the package, run without any configuration file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.server.database.engine import parse_url
from zeus_bso.server.database.sqlite import sqlite_engine, use_write_ahead_log, writing

VERSION_TABLE = "zeus_bso_schema_version"

T = TypeVar("T")


class SchemaError(ZeusBSOConfigError):
    """The database's schema is not the one that this version works with."""


def upgrade(url: str, revision: str = "head", *, sql: bool = False) -> None:
    """Bring the schema to a revision; with ``sql``, print the statements instead.

    The whole upgrade is one transaction under the write lock: of several servers that start together one migrates and
    the others find it done.
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
    revision = current(url)
    scripts = ScriptDirectory.from_config(_config())
    head = scripts.get_current_head()
    if revision == head:
        return
    if revision is None:
        raise SchemaError("The database has no schema yet. Run: zeus-bso db upgrade")
    if revision not in {script.revision for script in scripts.walk_revisions()}:
        raise SchemaError(
            f"The database's schema ({revision}) comes from another version of zeus-bso; this one knows it not. "
            "Run the version that made it, or a newer one."
        )
    raise SchemaError(
        f"The database's schema ({revision}) is older than this version's ({head}). Run: zeus-bso db upgrade"
    )


def _revision(connection: Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


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
    config.attributes["connection"] = connection
    action(config)


def _in_transaction(url: str, work: Callable[[Connection], T]) -> T:
    parsed = parse_url(url)
    engine = sqlite_engine(parsed)
    try:
        use_write_ahead_log(engine, Path(str(parsed.database)))
        with writing(engine).begin() as connection:
            return work(connection)
    finally:
        engine.dispose()
