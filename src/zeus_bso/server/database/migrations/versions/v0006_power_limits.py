"""Jobs have settings for power limits, trials the limit that they ran at, and batch sizes their power profiles.

Null means the defaults, so existing jobs leave the power limits alone. Going back, all this is lost.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from zeus_bso.server.database import types
from zeus_bso.server.database.migrations import steps

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

loses = "the settings for power limits, and what was measured at each power limit"
"""What a downgrade loses."""

OPTIONS: dict[str, Any] = {
    f"{dialect}_{name}": value
    for dialect in ("mysql", "mariadb")
    for name, value in (("engine", "InnoDB"), ("charset", "utf8mb4"))
}


def upgrade() -> None:
    steps.add_column("job", sa.Column("power_settings", types.Json(), nullable=True))
    steps.add_column("trial", sa.Column("power_limit", sa.Double(), nullable=True))
    for name in ("profiling_time", "profiling_energy"):
        steps.add_column("trial", sa.Column(name, sa.Double(), nullable=False, server_default=sa.text("0")))
    steps.create_table(
        "power_profile",
        sa.Column("job_id", types.Identifier(), nullable=False),
        sa.Column("batch_size", sa.Integer(), nullable=False),
        sa.Column("unit", sa.String(length=8), nullable=False),
        sa.Column("lowest", sa.Double(), nullable=False),
        sa.Column("highest", sa.Double(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.job_id"], name=op.f("fk_power_profile_job"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "batch_size"),
        **OPTIONS,
    )
    steps.create_table(
        "power_point",
        sa.Column("job_id", types.Identifier(), nullable=False),
        sa.Column("batch_size", sa.Integer(), nullable=False),
        sa.Column("power_limit", sa.Double(), nullable=False),
        sa.Column("power", sa.Double(), nullable=False),
        sa.Column("rate", sa.Double(), nullable=False),
        sa.Column("windows", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id", "batch_size"],
            ["power_profile.job_id", "power_profile.batch_size"],
            name=op.f("fk_power_point_power_profile"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("job_id", "batch_size", "power_limit"),
        **OPTIONS,
    )


def downgrade() -> None:
    steps.drop_table("power_point")
    steps.drop_table("power_profile")
    for name in ("profiling_energy", "profiling_time", "power_limit"):
        steps.drop_column("trial", name)
    steps.drop_column("job", "power_settings")
