"""What the surrogate keeps of costs per epoch: how much they vary, and what a change of the machine does to them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from tests.unit.policy.policy_job import Job, fresh

from zeus_bso.policy.state import Choice, Knobs
from zeus_bso.policy.surrogate.beliefs import beliefs_of, cost_per_epoch, pace_variance
from zeus_bso.policy.surrogate.learning import MEMORY_RUNS
from zeus_bso.protocol.words import Outcome, TrialType

EPOCHS = 4
SIZES = (16, 32, 64, 128)
COSTS = {16: 130.0, 32: 100.0, 64: 108.0, 128: 150.0}


def job_of(sizes: tuple[int, ...] = SIZES) -> Job:
    """A job before its first recurrence."""
    return fresh(Knobs(sizes, sizes[0], target_metric=1.0, max_epochs=50), policy="surrogate")


def recur(job: Job, factor: float = 1.0) -> Choice:
    """A recurrence on a machine that takes so many times the cost; stopped where the policy says so."""
    run = job.ask()
    for epoch in range(1, EPOCHS + 1):
        curve = [(each, each / EPOCHS) for each in range(1, epoch + 1)]
        if job.report(run, COSTS[run.batch_size] * factor * epoch / EPOCHS, curve) is not None:
            break
    return run


def paces(job: Job) -> dict[int, float]:
    """The cost per epoch as it is kept, of the sizes that have run."""
    known = {size: state.surrogate for size, state in job.sizes.items()}
    level = math.exp(job.progress.surrogate.pace_level)
    return {size: level * cost_per_epoch(arm.cost_sum, arm.epoch_sum) for size, arm in known.items() if arm.epoch_sum}


def test_the_noise_of_the_cost_per_epoch_is_learnt_from_its_changes() -> None:
    """Worked out by hand: half the squared change of the logarithm, pooled."""
    job = job_of((32,))
    for factor in (1.0, 1.2, 0.9):
        recur(job, factor)
    state = job.progress.surrogate

    assert state.pace_dof == 2
    assert state.pace_ss == pytest.approx((math.log(1.2) ** 2 + math.log(0.9 / 1.2) ** 2) / 2)


def test_on_a_shared_machine_the_noise_is_found() -> None:
    job, rng = job_of((32,)), np.random.default_rng(0)
    for _ in range(60):
        recur(job, math.exp(rng.normal(0.0, 0.2)))

    assert math.sqrt(pace_variance(job.progress.surrogate)) == pytest.approx(0.2, rel=0.25)


def test_only_runs_of_a_proven_size_tell_the_noise() -> None:
    """One that was stopped in its first epoch, while it compiled, is no measure."""
    job = job_of((32, 64))
    recur(job)
    stopped = Choice(64, TrialType.MAB, job.progress, job.sizes)
    job.running = [stopped]
    job.end(stopped, 400.0, Outcome.CURVE_STOP, curve=[(1, 0.1)])
    late = replace(stopped)
    job.running = [late]
    job.end(late, COSTS[64], curve=[(EPOCHS, 1.0)])

    assert job.progress.surrogate.pace_dof == 0


def test_a_machine_that_has_become_a_little_slower_is_followed() -> None:
    job = job_of((32,))
    for _ in range(10 * MEMORY_RUNS):
        recur(job)
    for _ in range(3 * MEMORY_RUNS):
        recur(job, 1.5)

    assert paces(job)[32] == pytest.approx(1.5 * COSTS[32] / EPOCHS, rel=0.06)
    assert math.sqrt(pace_variance(job.progress.surrogate)) < 0.1, "one change is no noise"


@pytest.mark.parametrize("factor", [0.3, 2.5, 10.0])
def test_another_machine_changes_the_cost_per_epoch_of_every_size_at_once(factor: float) -> None:
    job = job_of()
    for _ in range(40):
        recur(job)
    before, best = paces(job), job.progress.surrogate.incumbent
    # One run that differs may be bad luck.
    for _ in range(3):
        recur(job, factor)

    # The stopped run is part of what the next one is compared with.
    for size, pace in paces(job).items():
        assert pace == pytest.approx(factor * before[size], rel=0.2)
    ended = len(job.learnt)
    for _ in range(10):
        recur(job, factor)
    assert {outcome for _, outcome, _ in job.learnt[ended:]} == {Outcome.CONVERGED}
    assert job.progress.surrogate.incumbent == best


def test_a_first_epoch_that_cost_much_is_no_other_machine() -> None:
    """A run that was stopped while it compiled is no measure of the machine."""
    job = job_of()
    for _ in range(3):
        recur(job)
    stopped = replace(job.ask(), batch_size=128)
    job.running = [stopped]
    job.end(stopped, 400.0, Outcome.CURVE_STOP, curve=[(1, 0.1)])
    before = paces(job)
    late = replace(stopped, uncapped=False)
    job.running = [late]
    job.end(late, COSTS[128], curve=[(epoch, epoch / EPOCHS) for epoch in range(1, EPOCHS + 1)])

    assert {size: paces(job)[size] for size in before if size != 128} == {
        size: pace for size, pace in before.items() if size != 128
    }


def test_a_run_that_cost_nothing_leaves_the_cost_per_epoch_alone() -> None:
    job = job_of((32,))
    recur(job)
    before = beliefs_of(job.knobs, job.progress, job.sizes)[32].pace.mean
    job.end(job.ask(), 0.0, Outcome.DIVERGED, curve=[(50, None)])

    assert beliefs_of(job.knobs, job.progress, job.sizes)[32].pace.mean == pytest.approx(before)


def test_a_reading_that_is_wrong_by_far_leaves_all_figures_finite() -> None:
    job = job_of()
    for factor in (1.0, 1.0, 1.0, 1e30, 1.0, 1e-30, 1e30, 1e-30, 1.0, 1.0, 1.0, 1.0):
        recur(job, factor)
        for size in job.sizes.values():
            assert 0.0 <= size.surrogate.cost_sum <= 1e40
        assert math.isfinite(job.progress.surrogate.incumbent_cost or 0.0)


@pytest.mark.parametrize("seed", range(3))
def test_on_a_very_noisy_machine_no_size_comes_to_look_like_a_bargain(seed: int) -> None:
    job, rng = job_of(), np.random.default_rng(seed)
    for _ in range(200):
        recur(job, math.exp(rng.normal(0.0, 0.6)))

    assert min(paces(job).values()) > min(COSTS.values()) / EPOCHS / 4
    assert sum(outcome is Outcome.CONVERGED for _, outcome, _ in job.learnt[-50:]) > 35
