"""A value becomes a row, and the row the same value; every column of a table is named."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Table
from tests.support.jobs import spec

from zeus_bso.policy.state import GaussianTsArmState, Progress, Retirement, SizeState, SurrogateArmState, SurrogateState
from zeus_bso.protocol.job_spec import JobSpecFromClient
from zeus_bso.protocol.words import EnergySource, FailReason, Outcome, Stage, TrialStatus, TrialType
from zeus_bso.server.batch_size_state.commands import RecordReport
from zeus_bso.server.batch_size_state.models import Trial
from zeus_bso.server.batch_size_state.trial_rows import (
    new_trial_values,
    report_values,
    size_of,
    size_values,
    trial_of,
    trial_values,
)
from zeus_bso.server.database.schema import batch_size_state, job, trial, trial_report
from zeus_bso.server.job.commands import CreateJob, SaveProgress
from zeus_bso.server.job.job_rows import job_of, new_job_values, progress_values, settings_values

NOW = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=timezone.utc)
STAMPS = {"created_at": NOW, "updated_at": NOW, "read_at": NOW}

TRIAL = Trial(
    job_id="job",
    trial_number=1,
    batch_size=2,
    generation=3,
    type=TrialType.EXPLORATION,
    round=4,
    uncapped=True,
    status=TrialStatus.SUCCEEDED,
    outcome=Outcome.CURVE_STOP,
    reason=FailReason.OOM,
    message="message",
    run_id="run",
    instance="instance",
    heartbeat_s=5.5,
    reported=True,
    start_reported=True,
    started_at=NOW,
    last_report_at=NOW + timedelta(1),
    last_seen_at=NOW + timedelta(2),
    lease_expires_at=NOW + timedelta(3),
    ended_at=NOW + timedelta(4),
    current_epoch=6,
    time=7.5,
    energy=8.5,
    metric=9.5,
    non_finite_in_row=10,
    target_reached=True,
    energy_source=EnergySource.RAPL,
    wasted_time=11.5,
    wasted_energy=12.5,
    cost=13.5,
    reward=14.5,
    decision=15,
    power_limit=16.5,
    profiling_time=-17.5,
    profiling_energy=18.5,
    epoch_bound=19,
)
"""No two fields of one kind are equal, and none has its default."""

SIZE = SizeState(
    16,
    GaussianTsArmState(1, 2.0, 3.0),
    SurrogateArmState(runs=4, curve=((0.5, 1.0),)),
    is_arm=True,
    converged=5,
    ever_converged=True,
    best_cost=6.0,
    missed_in_row=7,
    no_result_in_row=8,
    oom_in_row=9,
    retired=Retirement.FAILURES,
)

PROGRESS = Progress(
    stage=Stage.MAB,
    generation=2,
    try_all_sizes=True,
    round=3,
    round_start=32,
    round_sizes=(16, 32),
    min_cost=4.0,
    cost_bound_in_row=5,
    surrogate=SurrogateState(noise_ss=6.0, incumbent=16),
)


def columns(table: Table) -> set[str]:
    return {column.name for column in table.columns}


def test_no_example_is_a_value_of_defaults_that_a_forgotten_column_would_give_back() -> None:
    for example in (TRIAL, SIZE):
        assert not [field.name for field in fields(example) if getattr(example, field.name) == field.default]


def test_a_trial_comes_back() -> None:
    row = new_trial_values(TRIAL)

    assert set(row) == columns(trial)
    assert trial_of(row) == TRIAL


def test_what_changes_in_a_trial_s_life_is_all_but_what_it_was_begun_with() -> None:
    begun_with = {"job_id", "trial_number", "batch_size", "generation", "round", "run_id", "started_at"}
    bounds = {"uncapped", "epoch_bound"}

    assert set(trial_values(TRIAL)) == columns(trial) - begun_with - bounds


def test_a_trial_without_what_may_be_missing_comes_back() -> None:
    missing = dict.fromkeys(("outcome", "reason", "energy_source", "round", "metric", "ended_at", "heartbeat_s"))
    bare: Trial = replace(TRIAL, **missing)  # type: ignore[arg-type]

    assert trial_of(new_trial_values(bare)) == bare


def test_a_batch_size_comes_back() -> None:
    row = {"job_id": "job", "batch_size": 16} | size_values(SIZE)

    assert set(row) == columns(batch_size_state)
    assert size_of(row) == SIZE


def test_a_report_has_every_column() -> None:
    report = RecordReport(job_id="job", trial_number=1, epoch=2, time=3.0, energy=4.0, metric=None, reported_at=NOW)

    assert set(report_values(report)) == columns(trial_report)


def new_job(**changes: Any) -> CreateJob:
    given: dict[str, Any] = {
        "window_size": 7,
        "mab_prior_mean": 8.0,
        "policy_options": {"curve_stop": False},
        "mab_seed": 2**62,
    }
    given |= {"power_limit": "optimize", "power_goal": "energy", "max_slowdown": 1.05}
    return CreateJob(
        spec=JobSpecFromClient.model_validate(spec(**given | changes)),
        derived_id=True,
        progress=PROGRESS,
        last_trial_number=9,
    )


def test_a_new_job_comes_back() -> None:
    command = new_job(policy="surrogate", beta_knob=None)
    row = new_job_values(command) | STAMPS
    found = job_of(row)

    assert set(row) == columns(job) | {"read_at"}
    assert (found.spec, found.derived_id, found.progress) == (command.spec, True, PROGRESS)
    assert (found.last_trial_number, found.last_decision, found.created_at) == (9, 0, NOW)


@pytest.mark.parametrize("limit", ["off", "optimize", 250.1])
def test_a_power_limit_is_a_word_or_watts(limit: str | float) -> None:
    row = new_job_values(new_job(power_limit=limit)) | STAMPS

    assert job_of(row).spec.power_limit == limit


def test_power_settings_that_are_the_defaults_are_not_stored() -> None:
    row = new_job_values(new_job(power_limit="off", power_goal=None, max_slowdown=None))

    assert row["power_settings"] is None


def test_what_changes_from_request_to_request_comes_back() -> None:
    command = SaveProgress(
        job_id="job",
        progress=PROGRESS,
        rng_state={"state": 1},
        last_trial_number=2,
        last_decision=3,
        longest_epoch_s=4.0,
        energy_source=EnergySource.POWER,
        foreign_source_in_row=5,
    )
    found = job_of(new_job_values(new_job()) | STAMPS | progress_values(command))

    assert found.progress == command.progress
    assert (found.rng_state, found.last_trial_number, found.last_decision) == ({"state": 1}, 2, 3)
    assert (found.longest_epoch_s, found.energy_source, found.foreign_source_in_row) == (4.0, EnergySource.POWER, 5)


def test_the_settings_and_the_progress_of_a_job_share_no_column() -> None:
    command = new_job()

    assert set(settings_values(command.spec)) < set(new_job_values(command))
    assert not set(settings_values(command.spec)) & {"min_cost", "stage", "rng_state"}
