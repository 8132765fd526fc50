"""Alembic's entry point. It runs the migrations on a given connection, or prints their SQL."""

from __future__ import annotations

from alembic import context

from zeus_bso.server.database.migrations.unfinished import marking
from zeus_bso.server.database.revision import VERSION_TABLE
from zeus_bso.server.database.schema import metadata

attributes = context.config.attributes

if context.is_offline_mode():
    context.configure(
        url=attributes["url"].render_as_string(hide_password=False),
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
    )
else:
    context.configure(
        connection=attributes["connection"],
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        render_as_batch=True,
    )
    if attributes["connection"].dialect.name in ("mysql", "mariadb"):
        # They commit each change of the schema by itself.
        migration = context.get_context()
        assert migration._migrations_fn is not None
        migration._migrations_fn = marking(migration._migrations_fn)

with context.begin_transaction():
    context.run_migrations()
