"""What the surrogate policy learns from past runs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from zeus_bso.exceptions import RefusedRunsError
from zeus_bso.policy.retirement import after_failure
from zeus_bso.policy.state import Retirement
from zeus_bso.policy.surrogate import surrogate_algorithm
from zeus_bso.policy.surrogate.beliefs import beliefs_of
from zeus_bso.policy.surrogate.selection import candidates_of
from zeus_bso.protocol.job_spec import JobSpecFromClient
from zeus_bso.protocol.messages import AskForTrial, TrainingResult
from zeus_bso.protocol.past_runs import PastRun, PastRuns
from zeus_bso.protocol.words import FailReason
from zeus_bso.server.observations.models import KnownRuns, PastRunRecord
from zeus_bso.server.services import past_run_rules, trial_rules
from zeus_bso.server.services.recompute import recompute
from zeus_bso.simulator.job_in_memory import JobInMemory

SIZES = (8, 16, 32, 64, 128, 256, 512, 1024)
DEFAULT = 64
MAX_POWER_W = 300.0


def job_in_memory(**changes: Any) -> JobInMemory:
    spec = JobSpecFromClient(
        job_id="job",
        job_id_prefix="past",
        number_of_gpus=1,
        gpu_model="A100",
        batch_sizes=list(SIZES),
        default_batch_size=DEFAULT,
        target_metric=0.9,
        max_epochs=100,
        max_power=MAX_POWER_W,
        policy="surrogate",
    )
    return JobInMemory(spec.model_copy(update=changes))


def past_run(size: int, epochs: int | None = 10, **fields: Any) -> PastRun:
    """A run of 100 s and 20 kJ an epoch."""
    figures = {"time": 100.0 * epochs, "energy": 20_000.0 * epochs} if epochs else {}
    return PastRun(**{"run_id": f"{size}", "batch_size": size, "epochs": epochs, "reached": True, **figures, **fields})


def tell(job: JobInMemory, *runs: PastRun, mean_power: float | None = None) -> tuple[PastRunRecord, ...]:
    told = PastRuns(job_id="job", source="csv", runs=runs)
    taken = past_run_rules.take(job.load(), told, KnownRuns(mean_power=mean_power))
    job.save(taken.job)
    return taken.observations


def ask(job: JobInMemory) -> int:
    decision = trial_rules.ask(job.load(), AskForTrial(job_id="job"), np.random.default_rng(0))
    job.save(decision.job)
    return decision.trial.batch_size


def believed(job: JobInMemory) -> dict[int, float]:
    return {size: math.exp(belief.mean) for size, belief in _beliefs(job).items()}


def _beliefs(job: JobInMemory) -> Any:
    return beliefs_of(job.state.knobs, job.state.progress, job.states)


def test_a_past_run_teaches_what_a_run_of_the_job_teaches() -> None:
    told, ran = job_in_memory(), job_in_memory()
    tell(told, past_run(DEFAULT))
    asked = trial_rules.ask(ran.load(), AskForTrial(job_id="job"), np.random.default_rng(0))
    ran.save(asked.job)
    result = TrainingResult(
        job_id="job",
        batch_size=DEFAULT,
        trial_number=1,
        time=1000.0,
        energy=200_000.0,
        metric=0.95,
        current_epoch=10,
    )
    ran.save(trial_rules.report(ran.load(), ran.trials[1], result).job)

    mine, theirs = told.states[DEFAULT], ran.states[DEFAULT]
    assert believed(told) == pytest.approx(believed(ran))
    assert (mine.converged, mine.is_arm, mine.arm, mine.best_cost) == (
        theirs.converged,
        theirs.is_arm,
        theirs.arm,
        theirs.best_cost,
    )
    assert told.state.progress.min_cost == ran.state.progress.min_cost
    assert told.state.progress.stage is ran.state.progress.stage


def test_it_is_no_recurrence_and_nobody_pays_for_it() -> None:
    job = job_in_memory()
    tell(job, past_run(DEFAULT), past_run(512, 100, reached=False))

    state = job.state.progress.surrogate
    assert (state.started, state.spent, state.look_spent, state.retries_owed) == (0, 0.0, 0.0, 0)
    assert job.states[512].retired is Retirement.MISSED


def test_epochs_alone_move_the_belief_about_epochs_and_no_other() -> None:
    job = job_in_memory()
    tell(job, past_run(DEFAULT))
    before = _beliefs(job)
    states, progress = job.states, job.state.progress
    tell(job, PastRun(run_id="e", batch_size=256, epochs=90, reached=True))

    after = _beliefs(job)
    assert after[256].epochs.mean > before[256].epochs.mean + 0.5
    assert {size: belief.pace for size, belief in after.items()} == {size: b.pace for size, b in before.items()}
    assert replace(job.states[256], surrogate=states[256].surrogate) == states[256]
    assert job.state.progress.min_cost == progress.min_cost


def test_epochs_alone_without_any_cost_leave_the_default_first() -> None:
    job = job_in_memory()
    tell(job, *(PastRun(run_id=str(size), batch_size=size, epochs=10, reached=True) for size in (8, 1024)))

    assert _beliefs(job) == {}
    assert ask(job) == DEFAULT


def test_a_size_of_known_epochs_counts_as_tried() -> None:
    job = job_in_memory()
    tell(job, past_run(DEFAULT))
    assert 512 not in candidates_of(job.states)
    tell(job, PastRun(run_id="e", batch_size=512, epochs=10, reached=True))

    assert {512, 1024} <= set(candidates_of(job.states))


def test_a_size_that_fell_short_is_believed_to_need_more_epochs() -> None:
    job = job_in_memory()
    tell(job, past_run(DEFAULT))
    before = _beliefs(job)[256].epochs.mean
    tell(job, PastRun(run_id="e", batch_size=256, epochs=80, reached=False))

    assert _beliefs(job)[256].epochs.mean > before + 0.5
    assert job.states[256].live


def test_a_past_run_without_a_curve_leaves_the_reference_curve() -> None:
    job = job_in_memory()
    tell(job, past_run(DEFAULT, curve=((5, 0.5), (10, 0.95))))
    curve = job.states[DEFAULT].surrogate.curve
    tell(job, past_run(DEFAULT, 20, run_id="other"))

    assert curve
    assert job.states[DEFAULT].surrogate.curve == curve


def test_what_the_job_has_found_out_itself_stays() -> None:
    job = job_in_memory()
    job.states = after_failure(job.states, 512, FailReason.OOM)
    tell(job, past_run(DEFAULT), past_run(512, 5))

    assert job.states[512].retired is Retirement.OOM
    assert job.state.progress.surrogate.incumbent == DEFAULT


def test_a_run_that_converges_after_one_that_missed_brings_its_size_back() -> None:
    job = job_in_memory()
    tell(job, past_run(128, 100, reached=False, run_id="bad"), past_run(128, 10))

    assert job.states[128].live


@pytest.mark.parametrize(
    ("fields", "mean_power", "energy"),
    [({"energy": None}, 150.0, 150_000.0), ({"energy": None}, None, 0.7 * MAX_POWER_W * 1000.0)],
)
def test_energy_is_time_at_mean_power(fields: dict[str, Any], mean_power: float | None, energy: float) -> None:
    (record,) = tell(job_in_memory(), past_run(DEFAULT, **fields), mean_power=mean_power)

    assert record.estimated
    assert record.energy == pytest.approx(energy)


def test_time_is_energy_at_mean_power() -> None:
    (record,) = tell(job_in_memory(), past_run(DEFAULT, time=None), mean_power=100.0)

    assert record.estimated
    assert record.time == pytest.approx(2000.0)


def test_without_any_power_only_the_epochs_count() -> None:
    (record,) = tell(job_in_memory(max_power=0.0), past_run(DEFAULT, energy=None))

    assert (record.lesson.value, record.cost) == ("epochs", None)


@pytest.mark.parametrize("higher", [True, False])
def test_a_target_is_read_off_the_curve(higher: bool) -> None:
    sign = 1.0 if higher else -1.0
    job = job_in_memory(target_metric=sign * 0.9, higher_is_better_metric=higher)
    curve = tuple((epoch, sign * metric) for epoch, metric in ((2, 0.5), (4, 0.9), (8, 0.7), (10, 0.99)))
    (record,) = tell(job, past_run(DEFAULT, reached=False, curve=curve))

    assert (record.outcome.value, record.epochs) == ("converged", 4)
    assert record.time == pytest.approx(400.0)
    assert record.energy == pytest.approx(80_000.0)


def test_wrong_runs_leave_the_job_as_it_was() -> None:
    job = job_in_memory()
    state, states = job.state, job.states
    with pytest.raises(RefusedRunsError, match="batch size 17"):
        tell(job, past_run(DEFAULT), past_run(17))

    assert (job.state, job.states) == (state, states)


def test_another_eta_weighs_past_runs_and_trials_alike() -> None:
    job = job_in_memory(eta_knob=1.0)
    records = tell(job, past_run(DEFAULT), past_run(32, 5), past_run(16, 100, reached=False))
    fresh = job_in_memory(eta_knob=0.0)
    tell(fresh, past_run(DEFAULT), past_run(32, 5), past_run(16, 100, reached=False))
    changed = job.load().with_state(spec=job.state.spec.model_copy(update={"eta_knob": 0.0}))

    changed, _, again = recompute(changed, [], records)

    assert changed.state.progress.min_cost == fresh.state.progress.min_cost
    assert [record.cost for record in again] == pytest.approx([300_000.0, 150_000.0, 3_000_000.0])
    job.save(changed)
    assert believed(job) == pytest.approx(believed(fresh))
    assert job.state.progress.surrogate.spent == 0.0


def test_an_estimate_beyond_all_bounds_is_none() -> None:
    job = job_in_memory()
    (far,) = tell(job, past_run(DEFAULT, energy=None), mean_power=1e308)
    (none,) = tell(job, past_run(32, time=None), mean_power=1e-300)

    assert [(record.cost, record.estimated, record.lesson.value) for record in (far, none)] == [
        (None, False, "epochs")
    ] * 2


def run_own(job: JobInMemory, size: int, epochs: int = 10, pace: float = 20_000.0) -> None:
    """A run of the job itself that converges, at 100 s an epoch."""
    asked = trial_rules.ask(job.load(), AskForTrial(job_id="job"), np.random.default_rng(0))
    trial = replace(asked.trial, batch_size=size)
    job.save(asked.job.with_trial(trial))
    result = TrainingResult(
        job_id="job",
        batch_size=size,
        trial_number=trial.trial_number,
        time=100.0 * epochs,
        energy=pace * epochs,
        metric=0.95,
        current_epoch=epochs,
    )
    job.save(trial_rules.report(job.load(), trial, result).job)


def short_of_target(size: int, name: str, epochs: int = 30) -> PastRun:
    return past_run(size, epochs, reached=None, metric=0.85, run_id=name)


def test_runs_that_ended_before_max_epochs_without_the_target_retire_no_size() -> None:
    job = job_in_memory()
    tell(job, *(short_of_target(size, f"{size}-{turn}") for size in SIZES for turn in range(3)))

    assert all(state.live and state.missed_in_row == 0 for state in job.states.values())
    assert job.state.progress.generation == 1
    assert ask(job) == DEFAULT


def test_such_a_run_tells_the_cost_per_epoch_and_that_its_size_needs_more_epochs() -> None:
    job = job_in_memory()
    tell(job, past_run(DEFAULT), short_of_target(128, "far", 60), short_of_target(128, "near", 20))

    arm = job.states[128].surrogate
    assert arm.cost_sum / arm.epoch_sum == pytest.approx(25_000.0)
    assert math.exp(arm.guess or 0.0) == pytest.approx(90.0)


def test_past_misses_never_retire_a_size_that_has_converged_in_the_job() -> None:
    job = job_in_memory()
    run_own(job, DEFAULT)
    tell(job, *(past_run(DEFAULT, 100, reached=False, run_id=f"{turn}") for turn in range(3)))

    assert job.states[DEFAULT].live
    assert job.states[DEFAULT].missed_in_row == 0


def test_a_past_run_told_late_is_no_news_of_the_machine() -> None:
    job = job_in_memory()
    for turn in range(15):
        run_own(job, DEFAULT, pace=20_000.0 + turn % 3)
    before, cost, pace = job.state.progress.surrogate, believed(job)[DEFAULT], job.states[DEFAULT].surrogate.last_pace
    tell(job, past_run(DEFAULT, energy=2_000.0 * 10, time=10.0 * 10))

    after = job.state.progress.surrogate
    assert (after.pace_level, after.epochs_level, after.pace_ss) == (
        before.pace_level,
        before.epochs_level,
        before.pace_ss,
    )
    assert job.states[DEFAULT].surrogate.last_pace == pace
    assert believed(job)[DEFAULT] > 0.9 * cost


def test_runs_that_missed_cost_no_more_to_learn_than_others(monkeypatch: pytest.MonkeyPatch) -> None:
    worked_out = []

    def count(*arguments: Any) -> Any:
        worked_out.append(1)
        return beliefs_of(*arguments)

    monkeypatch.setattr(surrogate_algorithm, "beliefs_of", count)
    tell(job_in_memory(), *(past_run(256, 100, reached=False, run_id=f"{turn}") for turn in range(50)))

    assert len(worked_out) == 1


def test_costs_that_were_next_to_nothing_do_not_blow_up_under_another_eta() -> None:
    job = job_in_memory(eta_knob=1.0)
    record = replace(tell(job, past_run(DEFAULT))[0], energy=1e-300, cost=1e-300, time=1e15)
    arm = replace(job.states[DEFAULT].surrogate, cost_sum=1e15, warm_up=1.0, warm_up_runs=1)
    job.states = {**job.states, DEFAULT: replace(job.states[DEFAULT], surrogate=arm)}
    changed = job.load().with_state(spec=job.state.spec.model_copy(update={"eta_knob": 0.0}))

    changed, _, (again,) = recompute(changed, [], [record])
    job.save(changed)

    assert again.cost == pytest.approx(3e17)
    assert job.states[DEFAULT].surrogate.cost_sum == pytest.approx(3e17)
    assert job.state.progress.surrogate.incumbent_cost is not None
    assert math.isfinite(job.state.progress.surrogate.incumbent_cost)
