"""Two columns get the names that the code has for them.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa

from zeus_bso.server.database.migrations import steps

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    steps.rename_column("job", "wide", "try_all_sizes", sa.Boolean())
    steps.rename_column("batch_size_state", "barren_in_row", "no_result_in_row", sa.Integer())


def downgrade() -> None:
    steps.rename_column("job", "try_all_sizes", "wide", sa.Boolean())
    steps.rename_column("batch_size_state", "no_result_in_row", "barren_in_row", sa.Integer())
