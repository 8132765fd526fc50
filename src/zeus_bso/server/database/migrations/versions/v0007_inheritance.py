"""A job may begin with what another one has learnt, and its first trial then stops at a given epoch.

Null means that a job began by itself, and that a trial has no such bound. Going back, both are lost.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa

from zeus_bso.server.database import types
from zeus_bso.server.database.migrations import steps

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

loses = "what jobs have taken over from other jobs"
"""What a downgrade loses."""


def upgrade() -> None:
    steps.add_column("job", sa.Column("inheritance", types.Json(), nullable=True))
    steps.create_index("ix_job_job_id_prefix", "job", ["job_id_prefix"])
    steps.add_column("trial", sa.Column("epoch_bound", sa.Integer(), nullable=True))


def downgrade() -> None:
    steps.drop_column("trial", "epoch_bound")
    steps.drop_index("ix_job_job_id_prefix", "job")
    steps.drop_column("job", "inheritance")
