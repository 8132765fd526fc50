from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pytest

from zeus_bso.policy.policy import policy_of
from zeus_bso.policy.retirement import after_failure
from zeus_bso.policy.state import (
    Choice,
    ChoiceInput,
    Knobs,
    Progress,
    RunState,
    Sizes,
    SizeState,
    SurrogateArmState,
    SurrogateState,
)
from zeus_bso.policy.surrogate.beliefs import beliefs_of, knowledge_gradient, noise_variance, pace_variance
from zeus_bso.policy.surrogate.learning import MEMORY_RUNS, split_cost
from zeus_bso.policy.surrogate.selection import HORIZON, REST_RUNS, most_worthwhile, rests
from zeus_bso.protocol.words import FailReason, Outcome, Stage

SIZES = (8, 16, 32, 64, 128, 256, 512)
POLICY = policy_of("surrogate")


@dataclass
class Job:
    """A job whose runs take so many epochs, at the same cost each.

    Attributes:
        epochs: Epochs to the target by size; a size without any never reaches it.
        cost_per_epoch: What an epoch costs at every size [J].
    """

    epochs: dict[int, int]
    knobs: Knobs = field(default_factory=lambda: Knobs(SIZES, 128, max_epochs=1000))
    open: list[Choice] = field(default_factory=list)
    cost_per_epoch: float = 100.0

    def __post_init__(self) -> None:
        self.progress = Progress.begin(self.knobs.batch_sizes, self.knobs.default_batch_size)
        self.sizes: Sizes = {size: SizeState(size) for size in self.knobs.batch_sizes}

    def ask(self) -> Choice:
        in_flight = {size: sum(choice.batch_size == size for choice in self.open) for size in self.sizes}
        choice_input = ChoiceInput(self.knobs, self.progress, self.sizes, in_flight=in_flight)
        choice = POLICY.choose(choice_input, np.random.default_rng())
        self.progress, self.sizes = choice.progress, choice.sizes
        self.open.append(choice)
        return choice

    def train(self, choice: Choice) -> Outcome:
        """Report every epoch, until a decision."""
        self.open.remove(choice)
        needed = self.epochs.get(choice.batch_size, 10**9)
        curve = []
        for epoch in range(1, self.knobs.max_epochs + 1):
            curve.append((epoch, min(0.5, 0.5 * epoch / needed)))
            run = RunState(
                batch_size=choice.batch_size,
                cost=self.cost_per_epoch * epoch,
                epoch=epoch,
                epoch_before=epoch - 1,
                metric=curve[-1][1],
                uncapped=choice.uncapped,
                curve=tuple(curve),
            )
            verdict = POLICY.judge(self.knobs, self.progress, self.sizes, run)
            if verdict.outcome is not None:
                concluded = POLICY.conclude(self.knobs, self.progress, self.sizes, run, verdict.outcome)
                self.progress, self.sizes = concluded.progress, concluded.sizes
                return verdict.outcome
        raise AssertionError("max_epochs ends a run")

    def recur(self, times: int = 1) -> list[tuple[int, Outcome]]:
        return [(choice.batch_size, self.train(choice)) for choice in (self.ask() for _ in range(times))]


def test_until_something_has_converged_sizes_are_tried_from_the_default_outward() -> None:
    job = Job({}, Knobs(SIZES, 128, max_epochs=3))

    assert [size for size, _ in job.recur(5)] == [128, 64, 256, 32, 512]
    assert job.progress.stage is Stage.PRUNING


def test_the_first_success_begins_the_stage_of_choosing() -> None:
    job = Job({128: 10})

    assert job.recur() == [(128, Outcome.CONVERGED)]
    assert job.progress.stage is Stage.MAB
    assert job.progress.surrogate.incumbent == 128
    assert job.progress.surrogate.incumbent_cost == pytest.approx(1000.0)


def test_the_next_size_lies_within_an_octave_of_what_was_tried() -> None:
    job = Job({128: 10})
    job.recur()

    assert job.ask().batch_size in (64, 128, 256)


def test_it_settles_on_the_cheapest_size() -> None:
    job = Job({8: 60, 16: 40, 32: 22, 64: 30, 128: 45, 256: 70, 512: 100})

    assert [size for size, _ in job.recur(30)][-10:] == [32] * 10


def test_recurrences_that_overlap_try_different_sizes() -> None:
    job = Job(dict.fromkeys(SIZES, 10))
    job.recur()

    assert len({job.ask().batch_size for _ in range(3)}) > 1


def test_a_run_that_failed_is_made_good_by_the_incumbent_without_a_bound() -> None:
    job = Job({128: 10})
    job.recur()
    while job.recur()[-1][1] is Outcome.CONVERGED:
        pass
    started = job.progress.surrogate.started

    retry = job.ask()

    assert (retry.batch_size, retry.uncapped) == (128, True)
    assert job.progress.surrogate.started == started
    assert job.progress.surrogate.retries_owed == 0


def test_a_hopeless_run_is_stopped_by_its_curve_before_the_bound() -> None:
    job = Job({128: 20, 64: 300})
    job.recur()
    choice = replace(job.ask(), batch_size=64)
    job.open = [choice]

    assert job.train(choice) is Outcome.CURVE_STOP
    assert job.sizes[64].surrogate.epoch_sum < 10
    assert job.sizes[64].live
    assert job.sizes[64].surrogate.guess is not None
    assert 64 not in {size for size, _ in job.recur(REST_RUNS)}


def test_a_size_whose_runs_are_stopped_again_and_again_is_never_taken_out() -> None:
    job = Job({128: 20, 64: 300})
    for stops in (1, 2, 3):
        job.recur()  # After a stop the best size is given, without a bound.
        job.open = [replace(job.ask(), batch_size=64)]

        assert job.train(job.open[0]) is Outcome.CURVE_STOP
        assert (job.sizes[64].live, job.sizes[64].surrogate.stops) == (True, stops)


def test_a_size_that_one_run_cannot_redeem_is_tried_for_what_a_series_may_tell() -> None:
    """One run at 64 took far more epochs than the best size takes, and one more would hardly change the belief."""
    knobs, sizes = Knobs((64, 128), 128), {64: SizeState(64), 128: SizeState(128)}
    for size, runs, epochs in ((64, 1, 28.0), (128, 20, 20.0)):
        arm = SurrogateArmState(
            runs=runs, mean_log_epochs=math.log(epochs), cost_sum=100 * runs * epochs, epoch_sum=int(runs * epochs)
        )
        sizes[size] = SizeState(size, surrogate=arm, converged=runs, is_arm=True)
    state = SurrogateState(started=90, incumbent=128, incumbent_cost=2000.0, noise_ss=1.5, noise_dof=40, pace_dof=100)
    beliefs = beliefs_of(knobs, replace(Progress.begin((64, 128), 128), surrogate=state), sizes)
    noises = noise_variance(state), pace_variance(state)
    mean, best = beliefs[64].mean, beliefs[128].mean
    single = knowledge_gradient(mean, best, beliefs[64].spread_after(1, *noises))

    assert HORIZON * state.started * single < math.exp(mean - best) - 1
    assert most_worthwhile(knobs, state, sizes, beliefs, {}) == 64


def test_a_size_rests_twice_as_long_after_each_further_stop() -> None:
    for stops, length in ((1, REST_RUNS), (2, 2 * REST_RUNS), (3, 4 * REST_RUNS)):
        size = SizeState(64, surrogate=SurrogateArmState(stops=stops, seen=10))

        assert rests(SurrogateState(started=10 + length - 1), size)
        assert not rests(SurrogateState(started=10 + length), size)


@pytest.mark.parametrize(("epochs", "extra"), [(30, 1000.0), (15, 0.0)])
def test_what_a_second_look_costs_beyond_a_run_of_the_incumbent_is_counted(epochs: int, extra: float) -> None:
    job = Job({128: 20, 64: epochs}, Knobs(SIZES, 128, max_epochs=1000, curve_stop=False))
    job.recur()
    look = replace(job.ask(), batch_size=64)
    job.open = [look]
    job.progress = replace(job.progress, surrogate=replace(job.progress.surrogate, looking_at=64))

    assert job.train(look) is Outcome.CONVERGED
    assert job.progress.surrogate.look_spent == pytest.approx(extra)
    assert job.progress.surrogate.spent == pytest.approx(2000.0 + 100.0 * epochs)


def test_the_curve_stop_can_be_turned_off() -> None:
    job = Job({128: 20, 64: 300}, Knobs(SIZES, 128, max_epochs=1000, curve_stop=False))
    job.recur()
    choice = replace(job.ask(), batch_size=64)
    job.open = [choice]

    assert job.train(choice) is Outcome.COST_BOUND
    assert job.sizes[64].surrogate.epoch_sum in (40, 41)


def test_a_proven_size_is_not_stopped_by_its_curve() -> None:
    job = Job({128: 20})
    job.recur(3)
    job.epochs = {128: 38}

    choice = replace(job.ask(), batch_size=128)
    job.open = [choice]

    assert job.train(choice) is Outcome.CONVERGED


def test_a_retired_size_is_no_candidate() -> None:
    job = Job({128: 10, 64: 10, 256: 10})
    job.recur()
    job.sizes = after_failure(job.sizes, 256, FailReason.OOM)

    sizes = [size for size, _ in job.recur(20)]

    assert max(sizes) <= 128


def test_without_beta_nothing_is_stopped_by_its_cost() -> None:
    job = Job({128: 10, 64: 95, 256: 95}, Knobs(SIZES, 128, max_epochs=100, beta_knob=None, curve_stop=False))

    outcomes = {outcome for _, outcome in job.recur(12)}

    assert Outcome.COST_BOUND not in outcomes
    assert POLICY.cost_bound(job.knobs, job.progress, uncapped=False) is None


def test_the_bound_follows_the_believed_cost_of_the_incumbent() -> None:
    job = Job({128: 10})
    job.recur()

    assert POLICY.cost_bound(job.knobs, job.progress, uncapped=False) == pytest.approx(2000.0)
    assert POLICY.cost_bound(job.knobs, job.progress, uncapped=True) is None


def test_when_costs_have_drifted_what_was_learnt_counts_for_little() -> None:
    job = Job(dict.fromkeys(SIZES, 20))
    job.recur(30)
    incumbent = job.progress.surrogate.incumbent
    assert incumbent is not None
    job.epochs = dict.fromkeys(SIZES, 50)

    outcomes = [outcome for _, outcome in job.recur(20)]

    assert outcomes[0] in (Outcome.COST_BOUND, Outcome.CURVE_STOP)
    assert outcomes[1] is Outcome.CONVERGED
    assert set(outcomes[-6:]) == {Outcome.CONVERGED}
    assert not any(first is second is Outcome.COST_BOUND for first, second in pairwise(outcomes))


def test_half_of_a_drift_is_taken_to_be_common_to_all_sizes() -> None:
    job = Job(dict.fromkeys(SIZES, 20))
    job.recur(30)
    before = job.progress.surrogate
    job.epochs = dict.fromkeys(SIZES, 50)

    (shown, retried) = (job.recur()[0], job.recur()[0])

    assert (shown[1], retried[1]) == (Outcome.COST_BOUND, Outcome.CONVERGED)
    after = job.progress.surrogate
    assert after.epochs_level - before.epochs_level == pytest.approx(math.log(50 / 20) / 2, abs=0.15)
    assert after.noise_dof == before.noise_dof


def test_one_dear_run_alone_is_bad_luck_and_says_nothing_of_the_other_sizes() -> None:
    job = Job(dict.fromkeys(SIZES, 20))
    job.recur(30)
    before, incumbent = job.progress.surrogate, job.progress.surrogate.incumbent
    assert incumbent is not None
    others = {size: state.surrogate for size, state in job.sizes.items() if size != incumbent}
    unlucky = replace(job.ask(), batch_size=incumbent, uncapped=True)
    job.open, job.epochs = [unlucky], dict.fromkeys(SIZES, 60)

    assert job.train(unlucky) is Outcome.CONVERGED
    assert {size: job.sizes[size].surrogate for size in others} == others
    assert job.progress.surrogate.epochs_level == pytest.approx(before.epochs_level, abs=0.05)
    assert job.progress.surrogate.noise_dof == before.noise_dof + 1


def test_where_two_runs_in_a_row_were_bad_luck_the_other_sizes_are_believed_as_before_within_a_few_runs() -> None:
    job = Job({size: 20 if size == 64 else 40 for size in SIZES})
    job.recur(40)
    before, sizes, usual = job.progress.surrogate, job.sizes, job.epochs
    job.epochs = dict.fromkeys(SIZES, 60)
    assert [job.recur()[0][1] for _ in range(2)] == [Outcome.COST_BOUND, Outcome.CONVERGED]
    job.epochs = usual
    assert job.progress.surrogate.epochs_level > before.epochs_level + 0.3
    believed = beliefs_of(job.knobs, replace(job.progress, surrogate=before), sizes)

    assert {size for size, _ in job.recur(12)} == {64}

    now = beliefs_of(job.knobs, job.progress, job.sizes)
    for size in (32, 128):
        assert now[size].epochs.mean == pytest.approx(believed[size].epochs.mean, abs=0.1)
        assert now[size].epochs.variance < 3 * believed[size].epochs.variance


def test_a_good_run_between_two_dear_ones_says_that_they_were_bad_luck() -> None:
    job = Job({size: 20 if size == 64 else 40 for size in SIZES})
    job.recur(40)
    before, usual = job.progress.surrogate, job.epochs
    for unlucky in (True, False, True):
        job.epochs = dict.fromkeys(SIZES, 60) if unlucky else usual
        job.open = [replace(job.ask(), batch_size=64, uncapped=True)]
        job.train(job.open[0])

    assert job.progress.surrogate.epochs_level == pytest.approx(before.epochs_level, abs=0.1)


def test_a_stop_of_a_size_that_has_never_converged_says_nothing_of_drift() -> None:
    job = Job({size: 20 if size == 64 else 40 for size in SIZES if size != 512})
    job.recur(40)
    before = job.progress.surrogate
    assert not job.sizes[512].converged
    job.open = [replace(job.ask(), batch_size=512)]
    job.knobs = replace(job.knobs, curve_stop=False)
    assert job.train(job.open[0]) is Outcome.COST_BOUND
    job.epochs = dict.fromkeys(SIZES, 60)
    job.open = [replace(job.ask(), batch_size=64, uncapped=True)]

    assert job.train(job.open[0]) is Outcome.CONVERGED
    assert job.progress.surrogate.epochs_level == pytest.approx(before.epochs_level, abs=0.1)


def test_a_slower_machine_is_known_at_once_where_a_run_without_a_bound_shows_it() -> None:
    job = Job({size: 20 if size == 64 else 40 for size in SIZES})
    job.recur(40)
    before, others = job.progress.surrogate, [size for size in SIZES if size != 64 and job.sizes[size].converged]
    job.cost_per_epoch *= 3
    job.open = [replace(job.ask(), batch_size=64, uncapped=True)]

    assert job.train(job.open[0]) is Outcome.CONVERGED
    beliefs = beliefs_of(job.knobs, job.progress, job.sizes)
    assert job.progress.surrogate.epochs_level == before.epochs_level
    assert math.exp(beliefs[64].mean) == pytest.approx(3 * (before.incumbent_cost or 0.0), rel=0.1)
    assert others
    for size in others:
        assert math.exp(beliefs[size].pace.mean) == pytest.approx(job.cost_per_epoch, rel=0.1)


def test_old_runs_are_unlearnt_slowly() -> None:
    job = Job({128: 20}, Knobs((128,), 128, max_epochs=1000))
    job.recur(200)
    job.epochs = {128: 30}

    job.recur(3 * MEMORY_RUNS)

    assert job.sizes[128].surrogate.runs == MEMORY_RUNS
    believed = beliefs_of(job.knobs, job.progress, job.sizes)[128]
    assert math.exp(believed.epochs.mean) == pytest.approx(30, rel=0.03)


def test_one_size_is_a_job_too() -> None:
    job = Job({128: 10}, Knobs((128,), 128, max_epochs=1000))

    assert job.recur(3) == [(128, Outcome.CONVERGED)] * 3


def test_it_draws_no_random_numbers() -> None:
    job, rng = Job({128: 10}), np.random.default_rng(1)
    job.recur(3)
    POLICY.choose(ChoiceInput(job.knobs, job.progress, job.sizes), rng)

    assert rng.random() == np.random.default_rng(1).random()


@pytest.mark.parametrize("warm_up", [0.0, 3.0, 10.0])
def test_a_first_epoch_that_costs_more_is_told_from_the_others(warm_up: float) -> None:
    run = RunState(batch_size=64, cost=100.0 * (warm_up + 7), epoch=7, first_cost=100.0 * (warm_up + 1))
    found = split_cost(run, 0.0)

    assert found.pace == pytest.approx(100.0)
    assert found.warm_up == pytest.approx(100.0 * warm_up)


def test_runs_that_overlap_before_anything_has_converged_spread_over_the_sizes() -> None:
    job = Job({64: 10})

    assert [job.ask().batch_size for _ in range(5)] == [128, 64, 256, 128, 32]


@pytest.mark.parametrize(("power_share", "then"), [(0.3, 256), (0.9, 64), (None, 64)])
def test_a_failed_run_that_left_the_device_idle_sends_the_job_to_larger_sizes(
    power_share: float | None, then: int
) -> None:
    job = Job({})
    choice = job.ask()
    job.open.remove(choice)
    run = RunState(choice.batch_size, 100.0, 1000, metric=0.1, power_share=power_share)
    concluded = POLICY.conclude(job.knobs, job.progress, job.sizes, run, Outcome.TARGET_MISSED)
    job.progress, job.sizes = concluded.progress, concluded.sizes

    assert job.ask().batch_size == then


def test_a_size_that_has_never_converged_has_one_open_trial_at_most() -> None:
    job = Job({128: 10})
    job.recur()
    asked = [job.ask().batch_size for _ in range(9)]

    assert all(asked.count(size) <= 1 for size in set(asked) - {128})
