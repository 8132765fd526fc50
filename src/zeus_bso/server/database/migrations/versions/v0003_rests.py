"""Sizes of the surrogate policy that a stop had retired may be tried again.

The policy comes to keep more in its documents: the warm-up of a size, how often in a row it was stopped, what second
looks have cost. What a document lacks is not known yet, so jobs go on with what they have learnt. From this release on
a run that was stopped by its cost or its learning curve lets its size rest and does not retire it; so the sizes that
were retired without having missed the target within ``max_epochs`` come back. Going back, they stay.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    job = sa.table("job", sa.column("job_id"), sa.column("policy"), sa.column("generation"))
    state = sa.table("batch_size_state", sa.column("job_id"), sa.column("batch_size"), sa.column("retired"))
    trial = sa.table(
        "trial", sa.column("job_id"), sa.column("batch_size"), sa.column("generation"), sa.column("outcome")
    )
    of_surrogate = sa.select(job.c.job_id).where(job.c.policy == "surrogate")
    missed = (
        sa.select(sa.literal(1))
        .select_from(trial.join(job, job.c.job_id == trial.c.job_id))
        .where(
            trial.c.job_id == state.c.job_id,
            trial.c.batch_size == state.c.batch_size,
            trial.c.generation == job.c.generation,
            trial.c.outcome.in_(["target-missed", "diverged"]),
        )
    )
    op.execute(
        sa.update(state)
        .where(
            state.c.retired == "unconverged",
            state.c.job_id.in_(of_surrogate),
            ~missed.correlate(state).exists(),
        )
        .values(retired=None)
    )


def downgrade() -> None:
    pass
