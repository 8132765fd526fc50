"""A job may begin with what another one has learnt, and know of past runs. A trial may have a bound on its epochs.

Existing jobs and trials have none of this. Going back, what was learnt from past runs stays.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from zeus_bso.server.database import types
from zeus_bso.server.database.migrations import steps

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

loses = "what jobs have taken over from other jobs, and the past runs that they were told of"
"""What a downgrade loses."""

OPTIONS: dict[str, Any] = {
    f"{dialect}_{name}": value
    for dialect in ("mysql", "mariadb")
    for name, value in (("engine", "InnoDB"), ("charset", "utf8mb4"))
}


def upgrade() -> None:
    steps.add_column("job", sa.Column("inheritance", types.Json(), nullable=True))
    steps.create_index("ix_job_job_id_prefix", "job", ["job_id_prefix"])
    steps.add_column("trial", sa.Column("epoch_bound", sa.Integer(), nullable=True))
    steps.create_table(
        "observation",
        sa.Column("job_id", types.Identifier(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("source", types.Identifier(), nullable=False),
        sa.Column("run_id", types.Identifier(), nullable=False),
        sa.Column("batch_size", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("lesson", sa.String(length=16), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("epochs", sa.Integer(), nullable=True),
        sa.Column("time", sa.Double(), nullable=True),
        sa.Column("energy", sa.Double(), nullable=True),
        sa.Column("estimated", sa.Boolean(), nullable=False),
        sa.Column("cost", sa.Double(), nullable=True),
        sa.Column("reward", sa.Double(), nullable=True),
        sa.Column("decision", sa.Integer(), nullable=True),
        sa.Column("curve", types.Json(), nullable=True),
        sa.Column("ended_at", types.UtcDateTime(), nullable=True),
        sa.Column("recorded_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.job_id"], name=op.f("fk_observation_job"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "number"),
        **OPTIONS,
    )
    steps.create_index("ix_observation_run", "observation", ["job_id", "source", "run_id"], unique=True)


def downgrade() -> None:
    steps.drop_table("observation")
    steps.drop_column("trial", "epoch_bound")
    steps.drop_index("ix_job_job_id_prefix", "job")
    steps.drop_column("job", "inheritance")
