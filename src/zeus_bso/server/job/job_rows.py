"""Conversion of jobs between values and rows of their table. These functions name every column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zeus_bso.policy.state import Progress, SurrogateState
from zeus_bso.protocol.job_spec import MAX_BETA, MAX_FIGURE, JobSettings, JobSpecFromClient, PolicyOptions
from zeus_bso.protocol.words import EnergySource, Stage
from zeus_bso.server.database.documents import from_document, to_document
from zeus_bso.server.job import inheritance
from zeus_bso.server.job.commands import CreateJob, SaveProgress
from zeus_bso.server.job.models import JobState

Row = Mapping[Any, Any]

_POWER_SETTINGS = {"power_limit", "power_goal", "max_slowdown"}


def job_of(row: Row) -> JobState:
    """Convert a row to a job. The row has ``read_at`` in addition to the columns."""
    return JobState(
        spec=_spec_of(row),
        derived_id=row["derived_id"],
        progress=_progress_of(row),
        rng_state=row["rng_state"],
        last_trial_number=row["last_trial_number"],
        last_decision=row["last_decision"],
        longest_epoch_s=row["longest_epoch_s"],
        energy_source=EnergySource(row["energy_source"]) if row["energy_source"] else None,
        foreign_source_in_row=row["foreign_source_in_row"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        read_at=row["read_at"],
        inheritance=inheritance.from_document(row["inheritance"]),
    )


def new_job_values(command: CreateJob) -> dict[str, Any]:
    """The row of a new job, without its timestamps."""
    spec = command.spec
    fixed = {
        "job_id": spec.job_id,
        "job_id_prefix": spec.job_id_prefix,
        "derived_id": command.derived_id,
        "batch_sizes": list(spec.batch_sizes),
        "default_batch_size": spec.default_batch_size,
        "target_metric": spec.target_metric,
        "higher_is_better_metric": spec.higher_is_better_metric,
        "policy": spec.policy,
        "max_power": spec.max_power,
        "number_of_gpus": spec.number_of_gpus,
        "gpu_model": spec.gpu_model,
        "inheritance": inheritance.to_document(command.inheritance),
    }
    begun = SaveProgress(
        job_id=spec.job_id or "",
        progress=command.progress,
        rng_state=None,
        last_trial_number=command.last_trial_number,
        last_decision=0,
        longest_epoch_s=0.0,
        energy_source=None,
        foreign_source_in_row=0,
    )
    return fixed | settings_values(spec) | progress_values(begun)


def settings_values(settings: JobSettings) -> dict[str, Any]:
    """The columns of a job's settings."""
    return {
        "eta_knob": settings.eta_knob,
        "beta_knob": settings.beta_knob,
        "max_epochs": settings.max_epochs,
        "num_pruning_rounds": settings.num_pruning_rounds,
        "window_size": settings.window_size,
        "mab_prior_mean": settings.mab_prior_mean,
        "mab_prior_precision": settings.mab_prior_precision,
        "mab_num_explorations": settings.mab_num_explorations,
        "mab_seed": settings.mab_seed,
        "policy_options": settings.policy_options.model_dump(),
        "power_settings": settings.model_dump(include=_POWER_SETTINGS, exclude_defaults=True) or None,
    }


def progress_values(command: SaveProgress) -> dict[str, Any]:
    """The columns that requests change."""
    progress = command.progress
    return {
        "stage": progress.stage.value,
        "generation": progress.generation,
        "try_all_sizes": progress.try_all_sizes,
        "round": progress.round,
        "round_start": progress.round_start,
        "round_sizes": list(progress.round_sizes),
        "min_cost": progress.min_cost,
        "cost_bound_in_row": progress.cost_bound_in_row,
        "surrogate": to_document(progress.surrogate),
        "rng_state": command.rng_state,
        "last_trial_number": command.last_trial_number,
        "last_decision": command.last_decision,
        "longest_epoch_s": command.longest_epoch_s,
        "energy_source": command.energy_source.value if command.energy_source else None,
        "foreign_source_in_row": command.foreign_source_in_row,
    }


def _spec_of(row: Row) -> JobSpecFromClient:
    # What is stored was validated when it came, by older releases against wider bounds.
    return JobSpecFromClient.model_construct(
        job_id=row["job_id"],
        job_id_prefix=row["job_id_prefix"],
        batch_sizes=row["batch_sizes"],
        default_batch_size=row["default_batch_size"],
        eta_knob=row["eta_knob"],
        beta_knob=None if row["beta_knob"] is None else min(row["beta_knob"], MAX_BETA),
        target_metric=max(-MAX_FIGURE, min(row["target_metric"], MAX_FIGURE)),
        higher_is_better_metric=row["higher_is_better_metric"],
        max_epochs=row["max_epochs"],
        num_pruning_rounds=row["num_pruning_rounds"],
        window_size=row["window_size"],
        mab_prior_mean=row["mab_prior_mean"],
        mab_prior_precision=min(row["mab_prior_precision"], MAX_FIGURE),
        mab_num_explorations=row["mab_num_explorations"],
        mab_seed=row["mab_seed"],
        policy=row["policy"],
        policy_options=PolicyOptions.model_construct(**(row["policy_options"] or {})),
        **(row["power_settings"] or {}),
        max_power=row["max_power"],
        number_of_gpus=row["number_of_gpus"],
        gpu_model=row["gpu_model"],
    )


def _progress_of(row: Row) -> Progress:
    return Progress(
        stage=Stage(row["stage"]),
        generation=row["generation"],
        try_all_sizes=row["try_all_sizes"],
        round=row["round"],
        round_start=row["round_start"],
        round_sizes=tuple(row["round_sizes"]),
        min_cost=row["min_cost"],
        cost_bound_in_row=row["cost_bound_in_row"],
        surrogate=from_document(SurrogateState, row["surrogate"]),
    )
