"""Create the tables of jobs, batch size states, trials, reports, and traces of deleted jobs.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from zeus_bso.server.database import types
from zeus_bso.server.database.migrations import steps

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

loses = "all jobs, trials and reports"
"""What a downgrade loses."""

OPTIONS: dict[str, Any] = {
    f"{dialect}_{name}": value
    for dialect in ("mysql", "mariadb")
    for name, value in (("engine", "InnoDB"), ("charset", "utf8mb4"))
}


def upgrade() -> None:
    steps.create_table(
        "job",
        sa.Column("job_id", types.Identifier(), nullable=False),
        sa.Column("job_id_prefix", types.Identifier(), nullable=False),
        sa.Column("derived_id", sa.Boolean(), nullable=False),
        sa.Column("batch_sizes", types.Json(), nullable=False),
        sa.Column("default_batch_size", sa.Integer(), nullable=False),
        sa.Column("eta_knob", sa.Double(), nullable=False),
        sa.Column("beta_knob", sa.Double(), nullable=True),
        sa.Column("target_metric", sa.Double(), nullable=False),
        sa.Column("higher_is_better_metric", sa.Boolean(), nullable=False),
        sa.Column("max_epochs", sa.Integer(), nullable=False),
        sa.Column("num_pruning_rounds", sa.Integer(), nullable=False),
        sa.Column("window_size", sa.Integer(), nullable=False),
        sa.Column("mab_prior_mean", sa.Double(), nullable=False),
        sa.Column("mab_prior_precision", sa.Double(), nullable=False),
        sa.Column("mab_num_explorations", sa.Integer(), nullable=False),
        sa.Column("mab_seed", sa.BigInteger(), nullable=True),
        sa.Column("policy", sa.String(length=32), nullable=False),
        sa.Column("max_power", sa.Double(), nullable=False),
        sa.Column("number_of_gpus", sa.Integer(), nullable=False),
        sa.Column("gpu_model", types.Identifier(), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("wide", sa.Boolean(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("round_start", sa.Integer(), nullable=False),
        sa.Column("round_sizes", types.Json(), nullable=False),
        sa.Column("min_cost", sa.Double(), nullable=True),
        sa.Column("min_cost_since", sa.Integer(), nullable=False),
        sa.Column("cost_bound_in_row", sa.Integer(), nullable=False),
        sa.Column("rng_state", types.Json(), nullable=True),
        sa.Column("last_trial_number", sa.Integer(), nullable=False),
        sa.Column("last_decision", sa.Integer(), nullable=False),
        sa.Column("longest_epoch_s", sa.Double(), nullable=False),
        sa.Column("energy_source", sa.String(length=16), nullable=True),
        sa.Column("foreign_source_in_row", sa.Integer(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("updated_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("job_id"),
        **OPTIONS,
    )
    steps.create_table(
        "job_tombstone",
        sa.Column("job_id", types.Identifier(), nullable=False),
        sa.Column("last_trial_number", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("deleted_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("job_id"),
        **OPTIONS,
    )
    steps.create_table(
        "batch_size_state",
        sa.Column("job_id", types.Identifier(), nullable=False),
        sa.Column("batch_size", sa.Integer(), nullable=False),
        sa.Column("num_observations", sa.Integer(), nullable=False),
        sa.Column("reward_mean", sa.Double(), nullable=False),
        sa.Column("reward_m2", sa.Double(), nullable=False),
        sa.Column("is_arm", sa.Boolean(), nullable=False),
        sa.Column("converged", sa.Integer(), nullable=False),
        sa.Column("ever_converged", sa.Boolean(), nullable=False),
        sa.Column("best_cost", sa.Double(), nullable=True),
        sa.Column("missed_in_row", sa.Integer(), nullable=False),
        sa.Column("barren_in_row", sa.Integer(), nullable=False),
        sa.Column("oom_in_row", sa.Integer(), nullable=False),
        sa.Column("retired", sa.String(length=16), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["job.job_id"], name=op.f("fk_batch_size_state_job"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "batch_size"),
        **OPTIONS,
    )
    steps.create_table(
        "trial",
        sa.Column("job_id", types.Identifier(), nullable=False),
        sa.Column("trial_number", sa.Integer(), nullable=False),
        sa.Column("batch_size", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("round", sa.Integer(), nullable=True),
        sa.Column("uncapped", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("reason", sa.String(length=16), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("run_id", types.Identifier(), nullable=True),
        sa.Column("instance", types.Identifier(), nullable=True),
        sa.Column("heartbeat_s", sa.Double(), nullable=True),
        sa.Column("reported", sa.Boolean(), nullable=False),
        sa.Column("start_reported", sa.Boolean(), nullable=False),
        sa.Column("started_at", types.UtcDateTime(), nullable=False),
        sa.Column("last_report_at", types.UtcDateTime(), nullable=False),
        sa.Column("last_seen_at", types.UtcDateTime(), nullable=False),
        sa.Column("lease_expires_at", types.UtcDateTime(), nullable=False),
        sa.Column("ended_at", types.UtcDateTime(), nullable=True),
        sa.Column("current_epoch", sa.Integer(), nullable=False),
        sa.Column("time", sa.Double(), nullable=False),
        sa.Column("energy", sa.Double(), nullable=False),
        sa.Column("metric", sa.Double(), nullable=True),
        sa.Column("non_finite_in_row", sa.Integer(), nullable=False),
        sa.Column("target_reached", sa.Boolean(), nullable=False),
        sa.Column("energy_source", sa.String(length=16), nullable=True),
        sa.Column("wasted_time", sa.Double(), nullable=False),
        sa.Column("wasted_energy", sa.Double(), nullable=False),
        sa.Column("cost", sa.Double(), nullable=True),
        sa.Column("reward", sa.Double(), nullable=True),
        sa.Column("decision", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["job.job_id"], name=op.f("fk_trial_job"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "trial_number"),
        **OPTIONS,
    )
    steps.create_index(
        "ix_trial_job_id_batch_size_generation_decision", "trial", ["job_id", "batch_size", "generation", "decision"]
    )
    steps.create_index(
        "ix_trial_job_id_generation_round_trial_number", "trial", ["job_id", "generation", "round", "trial_number"]
    )
    steps.create_index("ix_trial_job_id_run_id_trial_number", "trial", ["job_id", "run_id", "trial_number"])
    steps.create_index("ix_trial_job_id_status_trial_number", "trial", ["job_id", "status", "trial_number"])
    steps.create_table(
        "trial_report",
        sa.Column("job_id", types.Identifier(), nullable=False),
        sa.Column("trial_number", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("time", sa.Double(), nullable=False),
        sa.Column("energy", sa.Double(), nullable=False),
        sa.Column("metric", sa.Double(), nullable=True),
        sa.Column("reported_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id", "trial_number"],
            ["trial.job_id", "trial.trial_number"],
            name=op.f("fk_trial_report_trial"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("job_id", "trial_number", "epoch"),
        **OPTIONS,
    )


def downgrade() -> None:
    steps.drop_table("trial_report")
    steps.drop_table("trial")
    steps.drop_table("batch_size_state")
    steps.drop_table("job_tombstone")
    steps.drop_table("job")
