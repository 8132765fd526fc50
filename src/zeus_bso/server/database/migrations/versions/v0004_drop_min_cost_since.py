"""A column of ``job`` that nothing reads any more goes.

``min_cost_since`` was the number of the decision since which the least cost counts. The trials say so themselves: a run
without a bound that converged begins anew. Going back, the column is filled from them.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import re
import sqlite3

import sqlalchemy as sa
from alembic import context, op

from zeus_bso.server.database.migrations import steps

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_OWNED = ("batch_size_state", "trial", "trial_report")
"""The tables whose rows belong to jobs, parents before children."""

_COLUMN = r"min_cost_since INTEGER(?: DEFAULT '?0'?)? NOT NULL"

_LATEST_WITHOUT_A_BOUND = """
UPDATE job SET min_cost_since = COALESCE((
    SELECT MAX(trial.decision) FROM trial
    WHERE trial.job_id = job.job_id AND trial.generation = job.generation
    AND trial.outcome = 'converged' AND trial.uncapped AND trial.reward IS NOT NULL
), 0)
"""


def upgrade() -> None:
    is_sqlite = op.get_context().dialect.name == "sqlite"
    if is_sqlite and not context.is_offline_mode() and sqlite3.sqlite_version_info < (3, 35):
        _make_again(op.get_bind())
    else:
        steps.drop_column("job", "min_cost_since")


def downgrade() -> None:
    steps.add_column("job", sa.Column("min_cost_since", sa.Integer(), nullable=False, server_default="0"))
    op.execute(_LATEST_WITHOUT_A_BOUND)
    # SQLite cannot take a default back; there it does no harm.
    if op.get_context().dialect.name != "sqlite":
        op.alter_column("job", "min_cost_since", existing_type=sa.Integer(), server_default=None)


def _make_again(connection: sa.Connection) -> None:
    """Make the table again without the column: an SQLite before 3.35 cannot drop one.

    What belongs to the jobs is deleted with the old table, and comes back too.
    """
    made = connection.scalar(sa.text("SELECT sql FROM sqlite_master WHERE name = 'job'"))
    # In the middle as it was made first, behind the last column if a downgrade has brought it back.
    made, found = re.subn(rf"\b{_COLUMN},|,\s*{_COLUMN}", "", made)
    if found != 1:
        raise RuntimeError("The table job was not made by zeus-bso: its column min_cost_since is another one.")
    kept = [column["name"] for column in sa.inspect(connection).get_columns("job")]
    columns = ", ".join(name for name in kept if name != "min_cost_since")
    for table in ("job", *_OWNED):
        connection.execute(sa.text(f"CREATE TEMPORARY TABLE kept_{table} AS SELECT * FROM {table}"))
    connection.execute(sa.text("DROP TABLE job"))
    connection.execute(sa.text(made))
    connection.execute(sa.text(f"INSERT INTO job ({columns}) SELECT {columns} FROM kept_job"))
    for table in _OWNED:
        connection.execute(sa.text(f"DELETE FROM {table}"))
        connection.execute(sa.text(f"INSERT INTO {table} SELECT * FROM kept_{table}"))
    for table in ("job", *_OWNED):
        connection.execute(sa.text(f"DROP TABLE kept_{table}"))
