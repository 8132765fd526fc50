"""The surrogate policy: what it gives, when it stops a run, what it learns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from tests.unit.policy.policy_job import MAB, Job, fresh

from zeus_bso.policy.state import Choice, Curve, Knobs, Retirement
from zeus_bso.policy.surrogate.beliefs import NOISE_PRIOR_DOF, NOISE_PRIOR_STD, beliefs_of, noise_variance
from zeus_bso.policy.surrogate.surrogate_algorithm import STOPPED_FACTOR, cost_bound, incumbent_of
from zeus_bso.protocol.words import FailReason, Outcome, Stage

SIZES = (8, 16, 32, 64, 128, 256, 512)
COSTS = {8: 210.0, 16: 150.0, 32: 104.0, 64: 97.0, 128: 118.0, 256: 190.0, 512: 400.0}


def job_of(sizes: tuple[int, ...] = SIZES, default: int = 32, **settings: object) -> Job:
    """A job before its first recurrence."""
    return fresh(replace(Knobs(sizes, default, target_metric=1.0, max_epochs=50), **settings), policy="surrogate")  # type: ignore[arg-type]


def curve_of(epochs: int) -> Curve:
    """A run that reaches the target after so many epochs, evenly."""
    return [(epoch, epoch / epochs) for epoch in range(1, epochs + 1)]


def converge(job: Job, cost: float = 100.0, epochs: int = 4) -> Choice:
    """A recurrence that converges."""
    run = job.ask()
    job.end(run, cost, curve=curve_of(epochs))
    return run


def recurrences(job: Job, count: int, costs: Mapping[int, float] = COSTS, factor: float = 1.0) -> list[int]:
    """So many recurrences one after the other, each of four epochs: the sizes that were given."""
    given = []
    for _ in range(count):
        run = job.ask()
        given.append(run.batch_size)
        job.end(run, costs[run.batch_size] * factor, curve=curve_of(4))
    return given


class TestWhatIsGiven:
    def test_the_first_run_takes_the_default(self) -> None:
        choice = job_of().ask()

        assert (choice.batch_size, choice.trial_type, choice.uncapped) == (32, MAB, False)

    def test_before_anything_has_converged_the_live_size_nearest_to_the_default_is_given_smaller_first(self) -> None:
        job = job_of()
        given = []
        for _ in SIZES:
            run = job.ask()
            given.append(run.batch_size)
            job.miss(run)

        assert given == [32, 16, 64, 8, 128, 256, 512]

    def test_no_size_farther_than_an_octave_from_the_tried_ones_is_tried_unless_it_is_next_in_the_list(self) -> None:
        sizes = (1, 2, 3, 4, 5, 6, 8, 12, 16, 100, 101, 4000)
        for default in sizes:
            rng = np.random.default_rng(default)
            tried: list[int] = []
            for size in recurrences(job_of(sizes, default), 25, {size: float(rng.uniform(50, 200)) for size in sizes}):
                at = sizes.index(size)
                near = any(max(size, other) / min(size, other) <= 2 for other in tried)
                within = any(index in range(len(sizes)) and sizes[index] in tried for index in (at - 1, at + 1))
                between = tried and min(tried) < size < max(tried)
                assert not tried or near or within or between
                tried.append(size)

    def test_costs_in_another_unit_change_nothing(self) -> None:
        rng = np.random.default_rng(1)
        for _ in range(10):
            costs = {size: float(rng.uniform(50, 250)) for size in SIZES}
            given = recurrences(job_of(), 25, costs)
            for factor in (10.0, 1e-3, 3.6e6):
                assert recurrences(job_of(), 25, costs, factor) == given

    def test_batch_sizes_in_another_unit_change_nothing(self) -> None:
        """Counted in tokens instead of sentences, say."""
        given = recurrences(job_of(), 25)
        thrice = recurrences(job_of(tuple(3 * size for size in SIZES), 96), 25, {3 * s: c for s, c in COSTS.items()})

        assert thrice == [3 * size for size in given]

    def test_the_job_is_in_pruning_until_a_size_has_converged(self) -> None:
        job = job_of()
        stages = [job.progress.stage]
        job.miss(job.ask())
        stages.append(job.progress.stage)
        converge(job)
        stages.append(job.progress.stage)

        assert stages == [Stage.PRUNING, Stage.PRUNING, Stage.MAB]


class TestRetries:
    def test_after_a_run_that_did_not_converge_the_best_size_is_given_without_a_bound(self) -> None:
        job = job_of()
        converge(job)
        job.miss(job.ask(), Outcome.COST_BOUND, 250.0)
        retry = job.ask()

        assert (retry.batch_size, retry.uncapped) == (32, True)
        assert retry.message is not None
        assert not job.ask().uncapped

    def test_a_retry_is_no_recurrence_of_its_own(self) -> None:
        job = job_of()
        converge(job)
        job.miss(job.ask(), Outcome.COST_BOUND, 250.0)
        started = job.progress.surrogate.started
        job.ask()

        assert job.progress.surrogate.started == started

    def test_each_of_several_runs_that_overlapped_is_owed_one(self) -> None:
        job = job_of()
        converge(job)
        for run in [job.ask() for _ in range(3)]:
            job.miss(run, Outcome.COST_BOUND, 250.0)

        assert [job.ask().uncapped for _ in range(4)] == [True, True, True, False]

    def test_before_there_is_a_best_size_the_next_one_answers_the_retry(self) -> None:
        job = job_of()
        job.miss(job.ask())
        job.miss(job.ask())
        converge(job)

        assert job.progress.surrogate.retries_owed == 0
        assert job.progress.surrogate.started == 1
        assert not job.ask().uncapped

    def test_a_run_that_ended_without_a_decision_is_owed_none(self) -> None:
        job = job_of()
        converge(job)
        for reason in FailReason:
            job.fail(job.ask(), reason)

        assert job.progress.surrogate.retries_owed == 0

    def test_a_run_of_an_older_generation_is_owed_none(self) -> None:
        job = job_of((16, 32))
        late, *others = [job.ask(), job.ask()]
        job.miss(others[0])
        job.miss(job.ask())
        assert job.ask().progress.generation == 2
        job.miss(late)

        assert job.progress.surrogate.retries_owed == 0

    def test_if_the_best_size_retires_meanwhile_the_next_best_is_given(self) -> None:
        job = job_of((16, 32, 64))
        recurrences(job, 6, {16: 120.0, 32: 100.0, 64: 180.0})
        job.miss(job.ask(), Outcome.COST_BOUND, 350.0)
        best = incumbent_of(job.knobs, job.progress, job.sizes)
        assert best is not None
        job.sizes = {**job.sizes, best: replace(job.sizes[best], retired=Retirement.FAILURES)}
        retry = job.ask()

        assert retry.uncapped
        assert retry.batch_size not in (best, None)
        assert job.sizes[retry.batch_size].converged

    def test_if_every_size_retires_a_new_generation_begins_and_nothing_is_owed(self) -> None:
        job = job_of((16, 32))
        converge(job)
        job.miss(job.ask(), Outcome.COST_BOUND, 250.0)
        job.sizes = {size: replace(state, retired=Retirement.FAILURES) for size, state in job.sizes.items()}
        choice = job.ask()

        assert (choice.batch_size, choice.uncapped, choice.progress.generation) == (32, False, 2)
        assert choice.progress.surrogate.retries_owed == 0

    def test_if_no_size_fits_into_memory_the_smallest_is_given(self) -> None:
        job = job_of()
        job.sizes = {size: replace(state, retired=Retirement.OOM) for size, state in job.sizes.items()}
        choice = job.ask()

        assert (choice.batch_size, choice.trial_type) == (8, MAB)
        assert choice.message is not None


class TestStops:
    def test_the_bound_is_the_best_size_s_believed_cost_times_beta(self) -> None:
        job = job_of(beta_knob=1.5)
        assert cost_bound(job.knobs, job.progress, uncapped=False) is None
        converge(job, 80.0)

        assert cost_bound(job.knobs, job.progress, uncapped=False) == pytest.approx(120.0)
        assert cost_bound(job.knobs, job.progress, uncapped=True) is None
        assert cost_bound(replace(job.knobs, beta_knob=None), job.progress, uncapped=False) is None

    def test_a_run_is_stopped_when_what_remains_would_cost_more_than_the_best_size_afresh(self) -> None:
        """Worked out by hand: 32 took 4 epochs and 100 J, a quarter of the way in each.

        A run of 10 J an epoch that has not come a quarter of the way after e epochs is e times as slow and would take
        4 e of them: 10 (4 e - e) J remain. Over 100 J that is at e = 4.
        """
        job = job_of()
        converge(job, 100.0, epochs=4)
        run = job.ask()
        curve: list[tuple[int, float | None]] = []
        outcomes = []
        while run in job.running:
            curve.append((len(curve) + 1, 0.1))
            outcomes.append(job.report(run, 10.0 * len(curve), curve))

        assert outcomes == [None, None, None, Outcome.CURVE_STOP]
        assert job.sizes[run.batch_size].surrogate.guess == pytest.approx(math.log(16.0))

    def test_a_run_without_a_bound_is_not_stopped_by_its_curve(self) -> None:
        job = job_of()
        converge(job)
        job.miss(job.ask(), Outcome.COST_BOUND, 250.0)
        retry = job.ask()

        assert retry.uncapped
        assert job.report(retry, 1e6, [(epoch, 0.1) for epoch in range(1, 40)]) is None


class TestWhatIsLearnt:
    def test_the_noise_is_pooled_from_the_second_success_of_a_size_on(self) -> None:
        job = job_of((32,))
        assert noise_variance(job.progress.surrogate) == pytest.approx(NOISE_PRIOR_STD**2)
        epochs = (4, 6, 5)
        for each in epochs:
            converge(job, 25.0 * each, epochs=each)
        logs = np.log(epochs)

        assert job.progress.surrogate.noise_dof == 2
        assert job.progress.surrogate.noise_ss == pytest.approx(float(np.sum((logs - logs.mean()) ** 2)))
        assert noise_variance(job.progress.surrogate) == pytest.approx(
            (NOISE_PRIOR_DOF * NOISE_PRIOR_STD**2 + job.progress.surrogate.noise_ss) / (NOISE_PRIOR_DOF + 2)
        )
        assert job.sizes[32].surrogate.mean_log_epochs == pytest.approx(float(logs.mean()))

    def test_a_stopped_run_of_a_new_size_is_a_guess_that_its_first_success_drops(self) -> None:
        job = job_of((32, 64), max_epochs=10)
        converge(job, 100.0, epochs=4)
        run = job.ask()
        assert run.batch_size == 64
        job.end(run, 210.0, Outcome.COST_BOUND, curve=curve_of(7)[:6])
        known = job.sizes[64].surrogate
        # Of its 35 J an epoch it was allowed 200 J.
        assert known.runs == 0
        assert known.guess == pytest.approx(math.log(STOPPED_FACTOR * max(6, 200 / 35)))
        assert (job.sizes[64].live, known.stops) == (True, 1)

        late = Choice(64, MAB, job.progress, job.sizes)
        job.running.append(late)
        job.end(late, 90.0, curve=curve_of(3))
        known = job.sizes[64].surrogate

        assert (known.runs, known.guess) == (1, None)
        assert known.mean_log_epochs == pytest.approx(math.log(3))
        assert known.stops == 0, "a late success ends the rest"
        assert job.progress.surrogate.noise_dof == 0

    @pytest.mark.parametrize("proven", [False, True])
    def test_a_run_that_reaches_its_target_over_the_bound_tells_its_epochs(self, proven: bool) -> None:
        job = job_of((32, 64))
        converge(job, 100.0, epochs=4)
        run = job.ask()
        assert run.batch_size == 64
        if proven:
            job.end(run, 90.0, curve=curve_of(4))
            run = Choice(64, MAB, job.progress, job.sizes)
            job.running.append(run)
        outcome = job.report(run, 250.0, curve_of(5))
        known = job.sizes[64].surrogate

        assert outcome is Outcome.COST_BOUND
        if proven:
            assert known.mean_log_epochs == pytest.approx((math.log(4) + math.log(5)) / 2)
        else:
            assert known.guess == pytest.approx(math.log(5))

    def test_a_stopped_run_of_a_proven_size_moves_its_mean_but_not_the_noise(self) -> None:
        job = job_of((32,))
        converge(job, 100.0, epochs=4)
        before = job.progress.surrogate
        job.end(job.ask(), 210.0, Outcome.COST_BOUND, curve=curve_of(9)[:8])
        known = job.sizes[32].surrogate

        assert known.runs == 2
        assert known.guess is None
        assert known.mean_log_epochs > math.log(4)
        assert (job.progress.surrogate.noise_ss, job.progress.surrogate.noise_dof) == (before.noise_ss, 0)

    @pytest.mark.parametrize("reason", list(FailReason))
    def test_a_run_without_a_decision_teaches_nothing_about_cost(self, reason: FailReason) -> None:
        job = job_of()
        converge(job)
        before = {size: state.surrogate for size, state in job.sizes.items()}
        job.fail(job.ask(), reason)

        assert {size: state.surrogate for size, state in job.sizes.items()} == before

    def test_a_run_that_cost_nothing_says_nothing_about_the_cost_of_its_size(self) -> None:
        job = job_of()
        converge(job)
        before = beliefs_of(job.knobs, job.progress, job.sizes)
        job.end(job.ask(), 0.0, Outcome.DIVERGED, curve=[(1, None)])

        assert beliefs_of(job.knobs, job.progress, job.sizes) == before

    def test_a_cost_of_less_than_any_figure_is_still_a_cost(self) -> None:
        job = job_of()
        converge(job, 1e-300)

        assert job.progress.surrogate.incumbent_cost is not None
        assert math.isfinite(job.progress.surrogate.incumbent_cost)
        assert job.ask().batch_size in SIZES

    def test_a_run_that_is_evaluated_every_second_epoch_has_a_reference_too(self) -> None:
        job = job_of()
        job.end(job.ask(), 100.0, curve=[(2, 0.5), (4, 1.0)])

        assert job.sizes[32].surrogate.curve == ((0.5, 2.0), (1.0, 4.0))
