"""Marks the schema while a migration changes it.

The mark stands in place of the revision: ``0003>0004``, or ``base>0001``. If the migration is interrupted on a database
that commits each change of the schema by itself, the mark stays. No version of zeus-bso serves a schema with a mark,
and the next migration first finishes the interrupted one in its own direction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from alembic.runtime.migration import MigrationContext, RevisionStep
from sqlalchemy import Connection, text

from zeus_bso.server.database.revision import VERSION_TABLE

BASE = "base"
_TO = ">"

Steps = Callable[..., Iterable[RevisionStep]]


def ends_of(revision: str | None) -> tuple[str, str] | None:
    """The revisions between which a migration was interrupted, from and to. None if ``revision`` is no mark."""
    before, mark, after = (revision or "").partition(_TO)
    return (before, after) if mark else None


def is_upgrade(before: str, after: str) -> bool:
    """Whether a migration goes to a newer schema."""
    return before == BASE or before < after != BASE


def set_revision(connection: Connection, revision: str) -> None:
    """Write the revision of the schema, or a mark. The table of the revision must exist."""
    connection.execute(text(f"DELETE FROM {VERSION_TABLE}"))
    if revision != BASE:
        connection.execute(text(f"INSERT INTO {VERSION_TABLE} VALUES (:revision)"), {"revision": revision})


def marking(steps: Steps) -> Steps:
    """Surround each step of a migration with its mark."""

    def marked_steps(heads: Any, context: MigrationContext) -> Iterable[RevisionStep]:
        for step in steps(heads, context):
            _mark(step, context)
            yield step

    return marked_steps


def _mark(step: RevisionStep, context: MigrationContext) -> None:
    connection, migrate = context.connection, step.migration_fn
    assert connection is not None
    before, after = ("".join(revisions) or BASE for revisions in (step.from_revisions, step.to_revisions))

    def migrate_with_a_mark(**arguments: Any) -> None:
        # The first change of the schema commits the mark too. Alembic writes the new revision afterwards.
        set_revision(connection, f"{before}{_TO}{after}")
        migrate(**arguments)
        set_revision(connection, before)

    step.migration_fn = migrate_with_a_mark
