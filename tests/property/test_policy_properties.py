"""What holds for the policy whatever happens to a job, under random lives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timezone
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.unit.policy.policy_job import Job, fresh, round_of

from zeus_bso.policy.retirement import after_failure, undo_failure
from zeus_bso.policy.state import Choice, Knobs, Progress, Retirement, Sizes, SizeState, SlotState
from zeus_bso.protocol.job_spec import JobSpecFromClient
from zeus_bso.protocol.words import FailReason, Outcome, Stage, TrialType
from zeus_bso.server.job.models import JobState

POOL = (1, 2, 3, 4, 6, 8, 9, 12, 16, 24, 32, 48, 64, 100, 128, 256, 1000, 1024)

PROPERTY = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])

POLICIES = pytest.mark.parametrize("policy", ["zeus", "surrogate"])

batch_sizes = st.lists(st.sampled_from(POOL), min_size=1, max_size=8, unique=True)
costs = st.floats(50.0, 150.0) | st.floats(0.5, 1e6) | st.sampled_from([1e24, 1e-300])


@st.composite
def jobs(draw: st.DrawFn) -> Knobs:
    sizes = draw(batch_sizes)
    return Knobs(
        batch_sizes=tuple(sorted(sizes)),
        default_batch_size=draw(st.sampled_from(sizes)),
        beta_knob=draw(st.sampled_from([2.0, 1.0, 0.5, None])),
        num_pruning_rounds=draw(st.integers(0, 3)),
        mab_prior_mean=draw(st.sampled_from([0.0, -100.0, 1e30])),
        mab_prior_precision=draw(st.sampled_from([0.0, 0.01, 1e308])),
        mab_num_explorations=draw(st.integers(0, 3)),
    )


ends = st.one_of(
    st.tuples(st.sampled_from(list(Outcome)), costs),
    st.tuples(st.just(Outcome.CONVERGED), costs),
    st.tuples(st.sampled_from(list(FailReason)), st.just(0.0)),
)
stories = st.lists(
    st.just("ask") | st.just("crashes") | st.tuples(st.integers(0, 5), ends) | st.integers(0, 3),
    min_size=30,
    max_size=60,
)
"""Asks; runs that crash three times; ends of the n-th open run; changes of num_pruning_rounds."""


def decide(job: Job, run: Choice, outcome: Outcome, cost: float) -> None:
    """A run ends at a cost, after some epochs; over its bound it ends there, whatever was meant."""
    bound = (
        job.policy.cost_bound(job.knobs, job.progress, uncapped=run.uncapped)
        if job.is_current_generation(run)
        else None
    )
    if bound is not None and cost > bound:
        outcome, cost = Outcome.COST_BOUND, bound * 1.01
    # A script that ends below max_epochs by itself says less about its size: that is another story.
    epochs = job.knobs.max_epochs if outcome is Outcome.TARGET_MISSED else 1 + int(cost) % job.knobs.max_epochs
    job.end(run, cost, outcome, curve=[(epochs, 0.25)])


def live(job: Job, story: Iterable[object]) -> Job:
    """Let a job live through a story."""
    for event in story:
        match event:
            case "ask":
                job.ask()
            case "crashes":
                for _ in range(3):
                    job.fail(job.ask(), FailReason.ERROR)
            case (int(which), (kind, float(cost))):
                if not job.running:
                    job.ask()
                run = job.running[which % len(job.running)]
                if isinstance(kind, Outcome):
                    decide(job, run, kind, cost)
                else:
                    assert isinstance(kind, FailReason)
                    job.fail(run, kind)
            case int(rounds):
                job.knobs = replace(job.knobs, num_pruning_rounds=rounds)
    return job


@POLICIES
@PROPERTY
@given(jobs(), stories)
def test_every_ask_gives_a_live_size_of_the_job_or_the_smallest_if_none_fits_into_memory(
    policy: str, knobs: Knobs, story: list[object]
) -> None:
    for choice in live(fresh(knobs, policy=policy), story).asked:
        assert choice.batch_size in knobs.batch_sizes
        if all(state.retired is Retirement.OOM for state in choice.sizes.values()):
            assert choice.batch_size == min(knobs.batch_sizes)
        else:
            state = choice.sizes[choice.batch_size]
            assert state.live
            assert state.is_arm or choice.trial_type is not TrialType.MAB or policy == "surrogate"


@PROPERTY
@given(jobs(), stories)
def test_at_no_time_are_two_places_of_a_round_open_and_none_is_given_twice(knobs: Knobs, story: list[object]) -> None:
    job = fresh(knobs)
    for event in story:
        live(job, [event])
        states = Counter(place.state for place in job.places())
        sizes = Counter(place.batch_size for place in job.places())
        assert states[SlotState.OPEN] <= 1
        assert max(sizes.values(), default=1) == 1


@POLICIES
@PROPERTY
@given(jobs(), stories)
def test_generations_and_rounds_only_rise_and_the_bandit_never_goes_back_to_pruning(
    policy: str, knobs: Knobs, story: list[object]
) -> None:
    stages = [Stage.PRUNING, Stage.MAB]
    job = live(fresh(knobs, policy=policy), story)
    steps = [(*round_of(choice.progress), stages.index(choice.progress.stage)) for choice in job.asked]

    assert steps == sorted(steps)


@POLICIES
@PROPERTY
@given(jobs(), stories)
def test_the_arms_of_a_generation_equal_a_recomputation_from_its_observations(
    policy: str, knobs: Knobs, story: list[object]
) -> None:
    job = live(fresh(knobs, policy=policy), story)

    for size, state in job.sizes.items():
        seen = [
            Fraction(conclusion.reward)
            for run, _, conclusion in job.learnt
            if run.batch_size == size and job.is_current_generation(run)
        ]
        assert state.arm.num_observations == len(seen)
        if seen:
            assert state.arm.reward_mean == pytest.approx(float(sum(seen) / len(seen)), rel=1e-9)


@POLICIES
@PROPERTY
@given(jobs(), stories)
def test_the_least_cost_is_that_of_the_trials_that_converged_in_this_generation_since_costs_last_drifted(
    policy: str, knobs: Knobs, story: list[object]
) -> None:
    job = live(fresh(knobs, policy=policy), story)
    costs: list[float] = []
    for run, outcome, conclusion in job.learnt:
        if job.is_current_generation(run) and outcome is Outcome.CONVERGED:
            costs = [*([] if run.uncapped else costs), -conclusion.reward]

    assert job.progress.min_cost == min(costs, default=None)


@PROPERTY
@given(jobs(), stories)
def test_a_run_without_a_bound_is_given_in_the_bandit_only_and_one_at_a_time(knobs: Knobs, story: list[object]) -> None:
    job = fresh(knobs)
    for event in story:
        live(job, [event])
        uncapped = [run for run in job.running if run.uncapped and job.is_current_generation(run)]
        assert len(uncapped) <= 1
        assert all(run.trial_type is TrialType.MAB for run in uncapped)


@POLICIES
@PROPERTY
@given(jobs(), stories)
def test_no_call_into_the_policy_changes_what_it_was_given(policy: str, knobs: Knobs, story: list[object]) -> None:
    job = live(fresh(knobs, checks_purity=True, policy=policy), story)

    assert job.knobs.batch_sizes == knobs.batch_sizes


@POLICIES
@PROPERTY
@given(jobs(), stories, st.integers(0, 2**63 - 1))
def test_the_same_seed_and_the_same_life_give_the_same_decisions(
    policy: str, knobs: Knobs, story: list[object], seed: int
) -> None:
    assert (
        live(fresh(knobs, seed=seed, policy=policy), story).asked
        == live(fresh(knobs, seed=seed, policy=policy), story).asked
    )


def knobs_of_a_registration(sizes: list[int], default: int) -> Knobs:
    """Knobs as the server makes them of a spec."""
    spec = JobSpecFromClient(
        job_id="job",
        job_id_prefix="job",
        batch_sizes=sizes,
        default_batch_size=default,
        max_power=100.0,
        number_of_gpus=1,
        gpu_model="model",
    )
    now = datetime.now(tz=timezone.utc)
    return JobState(
        spec=spec,
        derived_id=False,
        progress=Progress.begin((default,), default),
        rng_state=None,
        last_trial_number=0,
        last_decision=0,
        longest_epoch_s=0.0,
        energy_source=None,
        foreign_source_in_row=0,
        created_at=now,
        updated_at=now,
        read_at=now,
    ).knobs


@POLICIES
@PROPERTY
@given(batch_sizes.flatmap(lambda sizes: st.tuples(st.just(sizes), st.permutations(sizes))), stories, st.data())
def test_the_order_in_which_sizes_were_listed_changes_nothing(
    policy: str, listings: tuple[list[int], list[int]], story: list[object], data: st.DataObject
) -> None:
    listed, otherwise = listings
    default = data.draw(st.sampled_from(listed))
    lives = [
        live(fresh(knobs_of_a_registration(sizes, default), policy=policy), story) for sizes in (listed, otherwise)
    ]

    assert lives[0].asked == lives[1].asked


def pruning_by_the_text(knobs: Knobs, cost_of: dict[int, float | None]) -> tuple[list[int], list[int]]:
    """The walk of recurrences one after the other: sizes in order, and the arms."""
    sizes, default = list(knobs.batch_sizes), knobs.default_batch_size
    order: list[int] = []
    least: float | None = None
    for _ in range(knobs.num_pruning_rounds):
        converged: dict[int, float] = {}
        down = sorted((size for size in sizes if size <= default), reverse=True)
        up = sorted(size for size in sizes if size > default)
        for direction in (down, up):
            for size in direction:
                order.append(size)
                cost = cost_of[size]
                over = None not in (cost, least, knobs.beta_knob) and cost > knobs.beta_knob * least  # type: ignore[operator]
                if cost is None or over:
                    break
                converged[size] = cost
                least = cost if least is None else min(least, cost)
        if not converged:
            return order, []
        default = min(sorted(converged), key=lambda size: converged[size])
        sizes = sorted(converged)
    return order, sizes


def octaves(size: int, default: int) -> Fraction:
    """How far a size is from the default: the larger of the two over the smaller."""
    return max(Fraction(size, default), Fraction(default, size))


def run_alone(job: Job, cost_of: dict[int, float | None]) -> int:
    run = job.ask()
    cost = cost_of[run.batch_size]
    decide(job, run, Outcome.TARGET_MISSED if cost is None else Outcome.CONVERGED, 10.0 if cost is None else cost)
    return run.batch_size


@PROPERTY
@given(jobs(), st.data())
def test_recurrences_one_after_the_other_walk_as_the_text_says_and_reach_the_bandit(
    knobs: Knobs, data: st.DataObject
) -> None:
    knobs = replace(knobs, beta_knob=data.draw(st.sampled_from([None, 1.0, 2.0, 4.0])))
    cost_of = {size: data.draw(st.none() | st.integers(50, 400).map(float)) for size in knobs.batch_sizes}
    order, arms = pruning_by_the_text(knobs, cost_of)
    job = fresh(knobs)

    assert [run_alone(job, cost_of) for _ in order] == order
    choice = job.ask()
    if arms:
        assert (choice.trial_type, job.progress.generation) == (TrialType.MAB, 1)
        assert [size for size, state in job.sizes.items() if state.is_arm] == arms
    else:
        assert (job.progress.generation, job.progress.stage) == (2, Stage.PRUNING)


@PROPERTY
@given(jobs(), st.data())
def test_a_wide_generation_gives_every_size_outward_from_the_default_or_from_the_next_if_that_alone_failed(
    knobs: Knobs, data: st.DataObject
) -> None:
    cost_of = {size: data.draw(st.none() | st.integers(50, 90).map(float)) for size in knobs.batch_sizes}
    knobs = replace(knobs, beta_knob=2.0)
    job = fresh(knobs)
    while job.ask().progress.generation == 1:
        job.miss(job.running[0])
    job.fail(job.running[0], FailReason.CANCELLED)
    given = [run_alone(job, cost_of) for _ in knobs.batch_sizes]

    assert job.progress.generation == 2
    outward = sorted(knobs.batch_sizes, key=lambda size: (octaves(size, knobs.default_batch_size), size))
    pruned = [run for run in job.asked if run.progress.generation == 1 and run.trial_type is TrialType.EXPLORATION]
    if {run.batch_size for run in pruned} == {knobs.default_batch_size} and len(outward) > 1:
        outward.sort(key=lambda size, start=outward[1]: (octaves(size, start), size))  # type: ignore[misc]
    assert given == outward


@POLICIES
@PROPERTY
@given(jobs(), stories, st.data())
def test_after_whatever_happened_a_job_whose_sizes_converge_reaches_the_bandit(
    policy: str, knobs: Knobs, story: list[object], data: st.DataObject
) -> None:
    job = live(fresh(replace(knobs, beta_knob=None), policy=policy), story)
    cost_of: dict[int, float | None] = {size: data.draw(st.integers(50, 90)) * 1.0 for size in knobs.batch_sizes}
    for run in list(job.running):
        job.end(run, cost_of[run.batch_size] or 0.0)
    for _ in range(len(knobs.batch_sizes) * 4 + 2):
        run_alone(job, cost_of)

    assert job.progress.stage is Stage.MAB


@POLICIES
@PROPERTY
@given(jobs(), stories)
def test_a_job_in_which_every_run_misses_gives_every_size_that_fits_by_the_second_new_generation(
    policy: str, knobs: Knobs, story: list[object]
) -> None:
    job = live(fresh(knobs, policy=policy), story)
    for run in list(job.running):
        job.fail(run, FailReason.CANCELLED)
    fitting = {size for size, state in job.sizes.items() if state.retired is not Retirement.OOM}
    assume(fitting)
    nothing: dict[int, float | None] = dict.fromkeys(knobs.batch_sizes)
    generation, given = job.progress.generation, set[int]()
    while job.progress.generation <= generation + 2:
        given.add(run_alone(job, nothing))
        assert len(job.asked) < 1000

    assert given == fitting


@PROPERTY
@given(jobs(), st.data())
def test_a_run_that_returns_leaves_its_size_as_if_it_had_never_ended(knobs: Knobs, data: st.DataObject) -> None:
    size = data.draw(st.sampled_from(knobs.batch_sizes))
    reason = data.draw(st.sampled_from([FailReason.EXPIRED, FailReason.ERROR, FailReason.CANCELLED]))
    sizes: Sizes = {each: SizeState(each) for each in knobs.batch_sizes}
    for _ in range(data.draw(st.integers(0, 5))):
        sizes = after_failure(sizes, size, FailReason.ERROR)

    assert undo_failure(after_failure(sizes, size, reason), size, reason) == sizes
