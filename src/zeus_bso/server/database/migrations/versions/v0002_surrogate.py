"""What the surrogate policy knows of jobs and batch sizes, and the options of a policy.

Null means that nothing is known yet, and that the options are the defaults; so existing rows stay as they are, and
existing jobs keep their policy. Going back, jobs of the surrogate policy become jobs of the ``zeus`` policy: an older
release knows no other. What the arms have observed stays.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from zeus_bso.server.database import types

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job", sa.Column("policy_options", types.Json(), nullable=True))
    op.add_column("job", sa.Column("surrogate", types.Json(), nullable=True))
    op.add_column("batch_size_state", sa.Column("surrogate", types.Json(), nullable=True))


def downgrade() -> None:
    op.execute("UPDATE job SET policy = 'zeus'")
    op.drop_column("batch_size_state", "surrogate")
    op.drop_column("job", "surrogate")
    op.drop_column("job", "policy_options")
