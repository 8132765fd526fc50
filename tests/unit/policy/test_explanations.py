"""What is said about the next run is what the next run gets."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from tests.property.test_policy_properties import POLICIES, PROPERTY, jobs, live, stories
from tests.unit.policy.policy_job import Job, a_run_of, fresh, playing, pruning

from zeus_bso.policy.explanation import WITHIN_95_PERCENT
from zeus_bso.policy.state import GaussianTsArmState, Knobs, Retirement
from zeus_bso.policy.zeus.mab import Mab, belief
from zeus_bso.protocol.words import Outcome


def said(job: Job) -> str:
    return job.policy.explain(job.choice_input()).sentence


@POLICIES
@PROPERTY
@given(jobs(), stories)
def test_the_size_that_is_named_is_given_next(policy: str, knobs: Knobs, story: list[object]) -> None:
    job = live(fresh(knobs, policy=policy), story)
    explained = job.policy.explain(job.choice_input())
    choice = job.ask()

    assert explained.batch_size in (None, choice.batch_size)
    assert explained.batch_size is not None or policy == "zeus"
    assert explained.batch_size is None or str(explained.batch_size) in explained.sentence
    assert explained.sentence.endswith(".")


@POLICIES
@PROPERTY
@given(jobs(), stories)
def test_chances_are_given_where_chance_decides_and_sum_to_one(policy: str, knobs: Knobs, story: list[object]) -> None:
    job = live(fresh(knobs, policy=policy), story)
    explained = job.policy.explain(job.choice_input())
    chances = list(explained.chances.values())

    assert bool(chances) == (explained.batch_size is None)
    assert not chances or sum(chances) == pytest.approx(1.0)
    assert chances == sorted(chances, reverse=True)
    assert explained.batch_size is not None or explained.chances[job.ask().batch_size] >= 0


@POLICIES
@PROPERTY
@given(jobs(), stories)
def test_beliefs_are_finite_and_lie_in_their_intervals(policy: str, knobs: Knobs, story: list[object]) -> None:
    job = live(fresh(knobs, policy=policy), story)

    for believed in job.policy.believed(job.knobs, job.progress, job.sizes).values():
        assert believed.low <= believed.cost <= believed.high
        assert math.isfinite(believed.high)


@POLICIES
@PROPERTY
@given(jobs(), stories)
def test_the_best_size_is_live_and_has_converged(policy: str, knobs: Knobs, story: list[object]) -> None:
    job = live(fresh(knobs, policy=policy), story)
    best = job.policy.best(job.knobs, job.progress, job.sizes)
    proven = [size for size, state in job.sizes.items() if state.live and state.converged]

    if policy == "surrogate":
        assert (best is None) == (not proven)
    assert best is None or job.sizes[best].live


def test_an_exploration_is_told_with_its_round() -> None:
    assert said(pruning()) == ("The next run explores 32, in round 1 of 2, which begins at 32 and goes down, then up.")


def test_a_run_beside_an_exploration_is_told_as_such() -> None:
    job = pruning()
    job.ask()

    assert said(job) == "The next run takes 32 beside the run that explores 32."


def test_an_arm_with_too_few_runs_is_told() -> None:
    job = playing(mab_num_explorations=3)
    assert "too few runs to be judged: 8, 16, 32, 64." in said(job)
    for size in (8, 16, 64):
        job.end(a_run_of(job, size), 100.0)

    assert said(job) == "The next run takes 32, which has had too few runs to be judged."


def test_the_chances_of_the_arms_are_those_of_the_draws() -> None:
    knobs = Knobs((8, 16, 32), 8)
    arms = {8: GaussianTsArmState(4, -100.0, 400.0), 16: GaussianTsArmState(4, -105.0, 400.0)}
    arms[32] = GaussianTsArmState(4, -300.0, 1.0)
    chances = Mab(arms, dict.fromkeys(arms, 4), knobs).chances()
    first, second = belief(arms[8], knobs), belief(arms[16], knobs)
    wins = 0.5 * math.erfc(-(first.mean - second.mean) / math.hypot(first.scale, second.scale) / math.sqrt(2))

    assert chances[8] == pytest.approx(wins, abs=0.03)
    assert chances[32] == 0.0
    assert sum(chances.values()) == pytest.approx(1.0)


def test_chances_are_told_the_likeliest_first() -> None:
    job = playing()

    assert (
        said(job)
        == "The next run's size is drawn, the likelier the better it seems, with a chance of about: 32 (100 %)."
    )


def test_a_suspicion_of_drift_is_told() -> None:
    job = playing()
    for size in (32, 64):
        job.miss(a_run_of(job, size), Outcome.COST_BOUND, 201.0)

    assert said(job) == (
        "The next run takes 16, the best by the mean of its costs. The last runs were stopped by their cost; this one "
        "runs without a bound, to see whether costs have changed."
    )


def test_a_size_that_has_converged_but_is_not_given_again_is_not_denied() -> None:
    job = fresh(Knobs((32, 64), 32), policy="surrogate")
    job.end(a_run_of(job, 32), 100.0)
    job.sizes = {**job.sizes, 32: replace(job.sizes[32], retired=Retirement.FAILURES)}

    assert said(job).endswith("no batch size that is still given has converged.")


def test_the_surrogate_says_what_it_believes() -> None:
    job = fresh(Knobs((32, 64), 32), policy="surrogate")
    assert said(job) == "The next run tries 32, the default: no batch size has converged yet."
    job.end(job.ask(), 100.0, curve=[(4, 0.5)])
    assert said(job).startswith("The next run explores 64: it is believed to cost ")
    assert "the best known, 32, 100 J" in said(job)


def test_before_a_run_has_converged_the_surrogate_says_that_it_goes_outwards() -> None:
    job = fresh(Knobs((32, 64), 32), policy="surrogate")
    job.miss(job.ask(), Outcome.TARGET_MISSED, 100.0)

    assert said(job).startswith("The next run tries 64, going outwards from the default: no batch size has converged")


def test_of_an_only_batch_size_no_other_is_told() -> None:
    job = fresh(Knobs((32,), 32), policy="surrogate")
    job.end(job.ask(), 100.0, curve=[(4, 0.5)])

    assert said(job).startswith("The next run takes 32, the only batch size: it is believed to cost ")


def test_an_interval_of_the_surrogate_is_lognormal_and_one_of_the_bandit_normal() -> None:
    job = fresh(Knobs((16, 32, 64), 32), policy="surrogate")
    job.end(job.ask(), 100.0, curve=[(4, 0.5)])
    ours = job.policy.believed(job.knobs, job.progress, job.sizes)[32]
    assert ours.cost / ours.low == pytest.approx(ours.high / ours.cost)

    bandit = playing()
    bandit.end(a_run_of(bandit, 32), 130.0)
    theirs = bandit.policy.believed(bandit.knobs, bandit.progress, bandit.sizes)[32]
    assert theirs.cost == pytest.approx(110.0)
    assert theirs.high - theirs.cost == pytest.approx(WITHIN_95_PERCENT * float(np.std([100, 100, 130])) / math.sqrt(3))
    assert theirs.cost - theirs.low == pytest.approx(theirs.high - theirs.cost)
