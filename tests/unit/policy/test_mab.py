"""The bandit, draw for draw, against a second implementation of algorithm 2 of Zeus (NSDI'23)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
import pytest

from zeus_bso.policy.state import GaussianTsArmState, Knobs, Progress, Retirement, Sizes, SizeState
from zeus_bso.policy.zeus.mab import ArmBelief, Mab, belief
from zeus_bso.policy.zeus.zeus_algorithm import choose, conclude
from zeus_bso.protocol.words import Outcome, Stage, TrialType

ARMS = (8, 16, 32, 64, 128)
STEPS = 200


def arm_after(*rewards: float) -> GaussianTsArmState:
    arm = GaussianTsArmState()
    for reward in rewards:
        arm = arm.observe(reward)
    return arm


@dataclass
class BanditOfTheText:
    """Section 6 as it is written: whole histories, the variance of their latest rewards, precisions."""

    knobs: Knobs
    window_size: int
    rng: np.random.Generator
    rewards: dict[int, list[float]] = field(default_factory=lambda: {size: [] for size in ARMS})

    def ask(self, arms: Sequence[int]) -> int:
        permutation = self.rng.choice(list(arms), len(arms), replace=False)
        for size in permutation.tolist():
            seen = len(self.rewards[size])
            if seen == 0 or seen < self.knobs.mab_num_explorations:
                return int(size)
        draws = [self.rng.normal(*self.belief(size)) for size in sorted(arms)]
        return sorted(arms)[int(np.argmax(draws))]

    def belief(self, size: int) -> tuple[float, float]:
        history = self.rewards[size]
        latest = np.array(history[-self.window_size :] if self.window_size else history)
        if latest.min() == latest.max():
            return float(latest[0]), 0.0
        p = 1 / latest.var()
        precision = self.knobs.mab_prior_precision + len(latest) * p
        mean = (self.knobs.mab_prior_precision * self.knobs.mab_prior_mean + p * latest.sum()) / precision
        return float(mean), float(1 / np.sqrt(precision))


@dataclass
class JobOfTheServer:
    """The policy as the server runs it: frozen states, and a generator that passes through JSON between two asks."""

    knobs: Knobs
    window_size: int
    seed: int
    progress: Progress = field(default_factory=lambda: replace(Progress.begin(ARMS, 32), stage=Stage.MAB, min_cost=1.0))
    sizes: Sizes = field(
        default_factory=lambda: {size: SizeState(size, is_arm=True, converged=1, ever_converged=True) for size in ARMS}
    )
    latest: dict[int, list[float]] = field(default_factory=lambda: {size: [] for size in ARMS})
    stored: str | None = None

    def ask(self) -> int:
        rng = np.random.default_rng(self.seed)
        if self.stored is not None:
            rng.bit_generator.state = json.loads(self.stored)
        choice = choose(self.knobs, self.progress, self.sizes, (), rng=rng, windows=self.windows())
        self.progress, self.sizes = choice.progress, choice.sizes
        self.stored = json.dumps(rng.bit_generator.state)
        assert (choice.trial_type, choice.uncapped) == (TrialType.MAB, False)
        return choice.batch_size

    def learn(self, size: int, cost: float, outcome: Outcome = Outcome.CONVERGED) -> None:
        lesson = conclude(self.knobs, self.progress, self.sizes, batch_size=size, outcome=outcome, cost=cost)
        self.progress, self.sizes = lesson.progress, lesson.sizes
        self.latest[size].append(lesson.reward)

    def windows(self) -> Mapping[int, GaussianTsArmState] | None:
        if not self.window_size:
            return None
        return {
            size: arm_after(*rewards[-self.window_size :])
            for size, rewards in self.latest.items()
            if len(rewards) > self.window_size
        }


def knobs(**settings: object) -> Knobs:
    return replace(Knobs(ARMS, 32, beta_knob=None), **settings)  # type: ignore[arg-type]


def both_sequences(
    settings: Knobs, *, seed: int, window_size: int = 0, spread: float = 40.0, delay: int = 0
) -> tuple[list[int], list[int]]:
    """Choices of the server's job and of the text's bandit, whose runs end ``delay`` asks later, at the same costs."""
    world = np.random.default_rng(1000 + seed)
    job = JobOfTheServer(settings, window_size, seed)
    text = BanditOfTheText(settings, window_size, np.random.default_rng(seed))
    chosen, expected, running = list[int](), list[int](), list[int]()
    for _ in range(STEPS):
        chosen.append(job.ask())
        expected.append(text.ask(ARMS))
        if chosen[-1] != expected[-1]:
            break
        running.append(chosen[-1])
        if len(running) > delay:
            size = running.pop(0)
            cost = abs(300.0 + 0.5 * size + spread * world.normal()) + 1.0
            job.learn(size, cost)
            text.rewards[size].append(-cost)
    return chosen, expected


@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1])
@pytest.mark.parametrize("window_size", [0, 1, 5])
@pytest.mark.parametrize(("prior_mean", "prior_precision"), [(0.0, 0.0), (-350.0, 0.05), (1e5, 1e-6), (1e30, 1e-40)])
def test_every_decision_is_that_of_the_text(
    seed: int, window_size: int, prior_mean: float, prior_precision: float
) -> None:
    settings = knobs(mab_prior_mean=prior_mean, mab_prior_precision=prior_precision)
    chosen, expected = both_sequences(settings, seed=seed, window_size=window_size)

    assert chosen == expected


@pytest.mark.parametrize("num_explorations", [0, 1, 3, 10])
@pytest.mark.parametrize("window_size", [0, 2])
def test_every_decision_is_that_of_the_text_whatever_the_number_of_explorations(
    num_explorations: int, window_size: int
) -> None:
    settings = knobs(mab_num_explorations=num_explorations)
    chosen, expected = both_sequences(settings, seed=5, window_size=window_size)

    assert chosen == expected


@pytest.mark.parametrize("delay", [1, 3, 8])
def test_every_decision_is_that_of_the_text_while_other_runs_are_open(delay: int) -> None:
    chosen, expected = both_sequences(knobs(), seed=7, delay=delay)

    assert chosen == expected


def test_every_decision_is_that_of_the_text_when_costs_never_vary() -> None:
    chosen, expected = both_sequences(knobs(mab_prior_precision=1.0), seed=3, spread=0.0)

    assert chosen == expected
    assert set(chosen[20:]) == {8}


def test_the_sequences_compared_are_no_constants() -> None:
    chosen, _ = both_sequences(knobs(), seed=1)
    other, _ = both_sequences(knobs(), seed=2)

    assert len(chosen) == STEPS
    assert set(chosen) == set(ARMS)
    assert chosen != other


def test_failed_runs_are_observations_like_others() -> None:
    settings = knobs()
    job = JobOfTheServer(settings, 0, 11)
    text = BanditOfTheText(settings, 0, np.random.default_rng(11))
    world = np.random.default_rng(12)
    for step in range(STEPS):
        size = job.ask()
        assert size == text.ask(ARMS), f"step {step}"
        failed = step % 7 == 3 and job.sizes[size].missed_in_row == 0
        cost = 900.0 if failed else 300.0 + abs(100.0 * world.normal())
        job.learn(size, cost, Outcome.TARGET_MISSED if failed else Outcome.CONVERGED)
        text.rewards[size].append(-cost)


def test_a_retired_arm_is_neither_permuted_nor_drawn_for() -> None:
    settings = knobs()
    job = JobOfTheServer(settings, 0, 4)
    text = BanditOfTheText(settings, 0, np.random.default_rng(4))
    world = np.random.default_rng(5)
    job.sizes = {**job.sizes, 16: replace(job.sizes[16], retired=Retirement.MISSED)}
    live = [8, 32, 64, 128]
    for step in range(STEPS):
        size = job.ask()
        assert size == text.ask(live), f"step {step}"
        cost = 300.0 + abs(100.0 * world.normal())
        job.learn(size, cost)
        text.rewards[size].append(-cost)


def test_the_permutation_is_drawn_even_when_no_arm_is_left_to_explore() -> None:
    arms = {size: arm_after(-100.0, -100.0) for size in ARMS}
    rng, expected = np.random.default_rng(0), np.random.default_rng(0)
    Mab(arms, dict.fromkeys(ARMS, 2), knobs()).decide(rng)
    expected.choice(list(ARMS), len(ARMS), replace=False)
    expected.normal(size=len(ARMS))

    assert rng.bit_generator.state == expected.bit_generator.state


def test_exploring_draws_the_permutation_alone() -> None:
    arms = {size: arm_after(-100.0) for size in ARMS}
    rng, expected = np.random.default_rng(0), np.random.default_rng(0)
    chosen = Mab(arms, dict.fromkeys(ARMS, 1), knobs()).decide(rng)
    first = expected.choice(list(ARMS), len(ARMS), replace=False)[0]

    assert (chosen, rng.bit_generator.state) == (first, expected.bit_generator.state)


def test_an_arm_out_of_whose_window_rewards_fell_is_not_explored_again() -> None:
    arms = {size: arm_after(-100.0 if size == 8 else -200.0) for size in ARMS}

    assert Mab(arms, dict.fromkeys(ARMS, 2), knobs()).decide(np.random.default_rng(0)) == 8


def test_without_explorations_asked_for_an_arm_that_was_never_run_is_still_run_first() -> None:
    arms = {size: arm_after() if size == 64 else arm_after(-1.0) for size in ARMS}
    mab = Mab(arms, {size: arm.num_observations for size, arm in arms.items()}, knobs(mab_num_explorations=0))

    assert {mab.decide(np.random.default_rng(seed)) for seed in range(20)} == {64}


def test_of_equal_draws_the_smallest_size_wins() -> None:
    arms = {size: arm_after(-100.0, -100.0) for size in ARMS}

    assert Mab(arms, dict.fromkeys(ARMS, 2), knobs()).decide(np.random.default_rng(0)) == 8


def test_the_choice_is_a_plain_integer() -> None:
    explored = Mab({8: arm_after()}, {8: 0}, knobs()).decide(np.random.default_rng(0))
    drawn = Mab({8: arm_after(-1.0, -2.0)}, {8: 2}, knobs()).decide(np.random.default_rng(0))

    assert (type(explored), type(drawn)) == (int, int)


def test_the_best_arm_is_that_of_the_best_mean() -> None:
    arms = {8: arm_after(-300.0, -100.0), 16: arm_after(-190.0), 32: arm_after(-250.0, -240.0), 64: arm_after()}

    assert Mab(arms, {size: arm.num_observations for size, arm in arms.items()}, knobs()).best() == 16


def test_the_best_arm_is_judged_by_the_posterior_not_by_the_rewards_alone() -> None:
    arms = {8: arm_after(-100.0, -101.0), 16: arm_after(-10.0, -170.0)}
    believing = knobs(mab_prior_mean=-500.0, mab_prior_precision=1.0)

    assert Mab(arms, {8: 2, 16: 2}, knobs()).best() == 16
    assert Mab(arms, {8: 2, 16: 2}, believing).best() == 8


def exact_belief(rewards: Sequence[float], settings: Knobs) -> tuple[Fraction, Fraction]:
    """Mean and squared scale of the text's posterior, in rational numbers."""
    exact = [Fraction(reward) for reward in rewards]
    n, total = len(exact), sum(exact, Fraction(0))
    v = sum(((reward - total / n) ** 2 for reward in exact), Fraction(0)) / n
    if v == 0:
        return total / n, Fraction(0)
    prior_precision, prior_mean = Fraction(settings.mab_prior_precision), Fraction(settings.mab_prior_mean)
    precision = prior_precision + n / v
    return (prior_precision * prior_mean + total / v) / precision, 1 / precision


@pytest.mark.parametrize("prior_precision", [0.0, 5e-324, 1e-20, 1.0, 1e20, 1e300, 1.7e308])
@pytest.mark.parametrize("prior_mean", [0.0, 1e30, -123.0])
@pytest.mark.parametrize(
    "rewards",
    [
        pytest.param((-100.0,), id="one"),
        pytest.param((-100.0, -100.0, -100.0), id="v is 0"),
        pytest.param((0.0, 0.0), id="free"),
        pytest.param((-90.0, -110.0, -100.0), id="usual"),
        pytest.param((-1e24, -2e24, -1.5e24), id="huge"),
        pytest.param((-1e-300, -1e24), id="tiny and huge"),
        pytest.param((-100.0, -100.0 * (1 + 2**-52)), id="almost equal"),
        pytest.param((-1e-154, -3e-154), id="a variance near the least float"),
    ],
)
def test_the_belief_is_that_of_the_text_at_the_edges_of_numbers(
    rewards: tuple[float, ...], prior_mean: float, prior_precision: float
) -> None:
    settings = knobs(mab_prior_mean=prior_mean, mab_prior_precision=prior_precision)
    mean, variance = exact_belief(rewards, settings)
    with np.errstate(all="raise"):
        believed = belief(arm_after(*rewards), settings)

    # A weight or a variance may underflow: what is then missing is below these bounds.
    assert believed.mean == pytest.approx(float(mean), rel=1e-9, abs=1e-280)
    assert believed.scale == pytest.approx(math.sqrt(variance), rel=1e-9, abs=1e-161)


@pytest.mark.parametrize("prior_precision", [0.0, 1.0, 1.7e308])
def test_a_variance_too_small_for_a_float_counts_as_none(prior_precision: float) -> None:
    settings = knobs(mab_prior_mean=1e30, mab_prior_precision=prior_precision)

    believed = belief(arm_after(-1e-300, -3e-300), settings)

    assert believed.mean == pytest.approx(-2e-300, rel=1e-9, abs=0)
    assert believed.scale == 0


@pytest.mark.parametrize("prior_precision", [0.0, 1.0, 1e308])
def test_when_rewards_do_not_vary_the_belief_is_exactly_their_mean(prior_precision: float) -> None:
    settings = knobs(mab_prior_mean=1e30, mab_prior_precision=prior_precision)

    assert belief(arm_after(-0.1, -0.1, -0.1), settings) == ArmBelief(-0.1, 0.0)


def test_a_weak_prior_of_a_huge_mean_is_not_rounded_away() -> None:
    settings = knobs(mab_prior_mean=1e30, mab_prior_precision=1e-20)

    assert belief(arm_after(-1.0, -3.0), settings).mean == pytest.approx(5e9 - 2, rel=1e-12)


def test_an_overwhelming_prior_still_leaves_a_scale() -> None:
    settings = knobs(mab_prior_precision=1e308)

    assert belief(arm_after(-1.0, -30.0), settings).scale == pytest.approx(1e-154, rel=1e-9, abs=0)


@pytest.mark.parametrize("prior_precision", [0.0, 1e-20, 1.0, 1e308])
@pytest.mark.parametrize("prior_mean", [0.0, -1e30, 1e30])
def test_decisions_at_the_edges_of_numbers_warn_of_nothing(prior_mean: float, prior_precision: float) -> None:
    rewards = [(-1e24, -2e24), (-1e-300, -3e-300), (0.0, 0.0), (-1.0, -1e24), (-5.0, -5.0)]
    arms = {size: arm_after(*seen) for size, seen in zip(ARMS, rewards, strict=True)}
    mab = Mab(arms, dict.fromkeys(ARMS, 2), knobs(mab_prior_mean=prior_mean, mab_prior_precision=prior_precision))
    with np.errstate(all="raise"):
        chosen = {mab.decide(np.random.default_rng(seed)) for seed in range(10)} | {mab.best()}

    assert chosen <= set(ARMS)
