"""Alembic's entry: run the migrations on the connection that it is handed, or print their SQL."""

from __future__ import annotations

from alembic import context

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

with context.begin_transaction():
    context.run_migrations()
