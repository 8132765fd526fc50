"""Add columns for the surrogate policy's knowledge about jobs and batch sizes, and for the options of a policy.

Null means that nothing is known yet, and that the options have their defaults. So existing rows stay as they are, and
existing jobs keep their policy. A downgrade turns jobs of the policy ``surrogate`` into jobs of the policy ``zeus``,
because an older release knows no other. The observations of the arms stay.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from zeus_bso.server.database import types
from zeus_bso.server.database.migrations import steps

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

loses = "what the policy surrogate knows of each job, and the options of the policies"
"""What a downgrade loses."""


def upgrade() -> None:
    steps.add_column("job", sa.Column("policy_options", types.Json(), nullable=True))
    steps.add_column("job", sa.Column("surrogate", types.Json(), nullable=True))
    steps.add_column("batch_size_state", sa.Column("surrogate", types.Json(), nullable=True))


def downgrade() -> None:
    op.execute("UPDATE job SET policy = 'zeus'")
    steps.drop_column("batch_size_state", "surrogate")
    steps.drop_column("job", "surrogate")
    steps.drop_column("job", "policy_options")
