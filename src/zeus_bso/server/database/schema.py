"""The tables.

No column ever holds an infinity or NaN: such a value is stored as null. Costs and energies are in joules, times in
seconds.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    text,
)

from zeus_bso.server.database.types import Identifier, Json, UtcDateTime

TABLE_OPTIONS: dict[str, Any] = {
    f"{dialect}_{name}": value
    for dialect in ("mysql", "mariadb")
    for name, value in (("engine", "InnoDB"), ("charset", "utf8mb4"))
}

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
    }
)

job = Table(
    "job",
    metadata,
    Column("job_id", Identifier, nullable=False),
    Column("job_id_prefix", Identifier, nullable=False),
    Column("derived_id", Boolean, nullable=False),
    Column("batch_sizes", Json, nullable=False),
    Column("default_batch_size", Integer, nullable=False),
    Column("eta_knob", Double, nullable=False),
    Column("beta_knob", Double),
    Column("target_metric", Double, nullable=False),
    Column("higher_is_better_metric", Boolean, nullable=False),
    Column("max_epochs", Integer, nullable=False),
    Column("num_pruning_rounds", Integer, nullable=False),
    Column("window_size", Integer, nullable=False),
    Column("mab_prior_mean", Double, nullable=False),
    Column("mab_prior_precision", Double, nullable=False),
    Column("mab_num_explorations", Integer, nullable=False),
    Column("mab_seed", BigInteger),
    Column("policy", String(32), nullable=False),
    Column("max_power", Double, nullable=False),
    Column("number_of_gpus", Integer, nullable=False),
    Column("gpu_model", Identifier, nullable=False),
    Column("stage", String(16), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("try_all_sizes", Boolean, nullable=False),
    Column("round", Integer, nullable=False),
    Column("round_start", Integer, nullable=False),
    Column("round_sizes", Json, nullable=False),
    Column("min_cost", Double),
    Column("cost_bound_in_row", Integer, nullable=False),
    Column("rng_state", Json),
    Column("last_trial_number", Integer, nullable=False),
    Column("last_decision", Integer, nullable=False),
    Column("longest_epoch_s", Double, nullable=False),
    Column("energy_source", String(16)),
    Column("foreign_source_in_row", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("policy_options", Json),
    Column("surrogate", Json),
    Column("power_settings", Json),
    Column("inheritance", Json),
    PrimaryKeyConstraint("job_id"),
    Index(None, "job_id_prefix"),
    **TABLE_OPTIONS,
)

UNFINISHED = "Importing"
"""The stage of a job whose import has not ended. Its row is a placeholder, and only the import itself sees it."""

ABANDONED_AFTER = timedelta(minutes=5)
"""An import of which nothing was heard for so long has lost its server."""

IS_WHOLE = job.c.stage != UNFINISHED
"""True of every job but those. Each query that finds jobs has this condition."""

batch_size_state = Table(
    "batch_size_state",
    metadata,
    Column("job_id", Identifier, nullable=False),
    Column("batch_size", Integer, nullable=False),
    Column("num_observations", Integer, nullable=False),
    Column("reward_mean", Double, nullable=False),
    Column("reward_m2", Double, nullable=False),
    Column("is_arm", Boolean, nullable=False),
    Column("converged", Integer, nullable=False),
    Column("ever_converged", Boolean, nullable=False),
    Column("best_cost", Double),
    Column("missed_in_row", Integer, nullable=False),
    Column("no_result_in_row", Integer, nullable=False),
    Column("oom_in_row", Integer, nullable=False),
    Column("retired", String(16)),
    Column("surrogate", Json),
    PrimaryKeyConstraint("job_id", "batch_size"),
    ForeignKeyConstraint(["job_id"], ["job.job_id"], ondelete="CASCADE"),
    **TABLE_OPTIONS,
)

trial = Table(
    "trial",
    metadata,
    Column("job_id", Identifier, nullable=False),
    Column("trial_number", Integer, nullable=False),
    Column("batch_size", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("type", String(16), nullable=False),
    Column("round", Integer),
    Column("uncapped", Boolean, nullable=False),
    Column("status", String(16), nullable=False),
    Column("outcome", String(16)),
    Column("reason", String(16)),
    Column("message", Text, nullable=False),
    Column("run_id", Identifier),
    Column("instance", Identifier),
    Column("heartbeat_s", Double),
    Column("reported", Boolean, nullable=False),
    Column("start_reported", Boolean, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("last_report_at", UtcDateTime, nullable=False),
    Column("last_seen_at", UtcDateTime, nullable=False),
    Column("lease_expires_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("current_epoch", Integer, nullable=False),
    Column("time", Double, nullable=False),
    Column("energy", Double, nullable=False),
    Column("metric", Double),
    Column("non_finite_in_row", Integer, nullable=False),
    Column("target_reached", Boolean, nullable=False),
    Column("energy_source", String(16)),
    Column("wasted_time", Double, nullable=False),
    Column("wasted_energy", Double, nullable=False),
    Column("cost", Double),
    Column("reward", Double),
    Column("decision", Integer),
    Column("power_limit", Double),
    Column("profiling_time", Double, nullable=False, server_default=text("0")),
    Column("profiling_energy", Double, nullable=False, server_default=text("0")),
    Column("epoch_bound", Integer),
    PrimaryKeyConstraint("job_id", "trial_number"),
    ForeignKeyConstraint(["job_id"], ["job.job_id"], ondelete="CASCADE"),
    Index(None, "job_id", "status", "trial_number"),
    Index(None, "job_id", "run_id", "trial_number"),
    Index(None, "job_id", "batch_size", "generation", "decision"),
    **TABLE_OPTIONS,
)

BY_ROUND = Index(None, trial.c.job_id, trial.c.generation, trial.c.round, trial.c.trial_number)
"""Finds the explorations of a round."""

trial_report = Table(
    "trial_report",
    metadata,
    Column("job_id", Identifier, nullable=False),
    Column("trial_number", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("time", Double, nullable=False),
    Column("energy", Double, nullable=False),
    Column("metric", Double),
    Column("reported_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("job_id", "trial_number", "epoch"),
    ForeignKeyConstraint(["job_id", "trial_number"], ["trial.job_id", "trial.trial_number"], ondelete="CASCADE"),
    **TABLE_OPTIONS,
)

power_profile = Table(
    "power_profile",
    metadata,
    Column("job_id", Identifier, nullable=False),
    Column("batch_size", Integer, nullable=False),
    Column("unit", String(8), nullable=False),
    Column("lowest", Double, nullable=False),
    Column("highest", Double, nullable=False),
    Column("revision", Integer, nullable=False),
    PrimaryKeyConstraint("job_id", "batch_size"),
    ForeignKeyConstraint(["job_id"], ["job.job_id"], ondelete="CASCADE"),
    **TABLE_OPTIONS,
)

power_point = Table(
    "power_point",
    metadata,
    Column("job_id", Identifier, nullable=False),
    Column("batch_size", Integer, nullable=False),
    Column("power_limit", Double, nullable=False),
    Column("power", Double, nullable=False),
    Column("rate", Double, nullable=False),
    Column("windows", Integer, nullable=False),
    PrimaryKeyConstraint("job_id", "batch_size", "power_limit"),
    ForeignKeyConstraint(
        ["job_id", "batch_size"], ["power_profile.job_id", "power_profile.batch_size"], ondelete="CASCADE"
    ),
    **TABLE_OPTIONS,
)

observation = Table(
    "observation",
    metadata,
    Column("job_id", Identifier, nullable=False),
    Column("number", Integer, nullable=False),
    Column("source", Identifier, nullable=False),
    Column("run_id", Identifier, nullable=False),
    Column("batch_size", Integer, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("lesson", String(16), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("epochs", Integer),
    Column("time", Double),
    Column("energy", Double),
    Column("estimated", Boolean, nullable=False),
    Column("cost", Double),
    Column("reward", Double),
    Column("decision", Integer),
    Column("curve", Json),
    Column("ended_at", UtcDateTime),
    Column("recorded_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("job_id", "number"),
    ForeignKeyConstraint(["job_id"], ["job.job_id"], ondelete="CASCADE"),
    Index("ix_observation_run", "job_id", "source", "run_id", unique=True),
    **TABLE_OPTIONS,
)

job_tombstone = Table(
    "job_tombstone",
    metadata,
    Column("job_id", Identifier, nullable=False),
    Column("last_trial_number", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("deleted_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("job_id"),
    **TABLE_OPTIONS,
)
"""What a deleted job leaves behind. A new job of the same id continues the trial numbers, so no late report hits it."""

EVERY_OTHER_JOB = ""
"""The id, which no job has, of the tombstone for all jobs that a database set back to an older state has lost."""
