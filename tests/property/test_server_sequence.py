"""One seed and the same costs give the sequence of the reference algorithm, draw for draw, whatever restarts between.

``Expected`` below is the reference algorithm (Zeus, NSDI'23, section 4) written down once more, from its description
alone, for recurrences that run one after the other.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.support.jobs import Json, spec
from tests.support.server import Server
from tests.unit.policy.policy_job import fresh

from zeus_bso.policy.state import Knobs
from zeus_bso.protocol.words import FailReason

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
RECURRENCES = 45
ALL_SIZES = [8, 16, 32, 64, 128]


@dataclass(frozen=True)
class World:
    """A job, and what its runs would do.

    Attributes:
        knobs: The fields of the spec that steer.
        costs: What the runs of each size cost, in turn.
        converges: Whether they converge if they are let, in turn.
        cancelled: Recurrences that are cancelled by their user.
        restarts: Recurrences before which the server is closed and opened again.
    """

    knobs: Json
    costs: dict[int, list[float]]
    converges: dict[int, list[bool]]
    cancelled: frozenset[int]
    restarts: frozenset[int]

    def run(self, size: int, nth: int) -> tuple[float, bool]:
        """Cost and success of the nth run of a size."""
        return self.costs[size][nth % len(self.costs[size])], self.converges[size][nth % len(self.converges[size])]


@dataclass
class Arm:
    """What the algorithm keeps for each size."""

    rewards: list[float] = field(default_factory=list)
    converged: bool = False
    misses: int = 0
    retired: bool = False


class Expected:
    """The reference algorithm, written down once more."""

    def __init__(self, world: World) -> None:
        self.world, self.knobs = world, world.knobs
        self.rng = np.random.default_rng(self.knobs["mab_seed"])
        self.runs = dict.fromkeys(self.knobs["batch_sizes"], 0)
        self.step = 0
        self.sequence: list[tuple[int, str]] = []
        wide, start = False, self.knobs["default_batch_size"]
        while self.step < RECURRENCES:
            self.arms = {size: Arm() for size in self.knobs["batch_sizes"]}
            self.least: float | None = None
            self.bound_ends = 0
            self.tried: set[int] = set()
            self.generation(start, wide)
            wide, start = self.least is None, self.next_start()

    def next_start(self) -> int:
        """Where the next generation begins: not with the default if its own failure has ended this one."""
        default: int = self.knobs["default_batch_size"]
        outward = sorted(self.arms, key=lambda size: (max(size / default, default / size), size))
        proven = self.least is not None and self.in_bandit and default in self.survivors
        failed = self.arms[default].retired and (proven or self.tried == {default})
        return outward[1] if failed and len(outward) > 1 else default

    def generation(self, start: int, wide: bool) -> None:
        """Pruning, then the bandit, until no size is left."""
        sizes = list(self.knobs["batch_sizes"])
        self.in_bandit, self.survivors = False, set(sizes)
        # "the new one tries every size": a generation that is wide has a round in any case.
        for _ in range(max(self.knobs["num_pruning_rounds"], int(wide))):
            self.tried = set()
            survivors = self.round(sizes, start, wide)
            if not survivors:
                return
            self.survivors = set(survivors)
            sizes, start = sorted(survivors), min(survivors, key=lambda size: survivors[size])
        self.in_bandit, self.tried = True, set()
        self.bandit(sizes)

    def round(self, sizes: list[int], start: int, wide: bool) -> dict[int, float]:
        """Walk down, then up; a size that does not converge ends its direction, unless the generation is wide."""
        if wide:
            paths = [sorted(sizes, key=lambda size: (max(size / start, start / size), size))]
        else:
            paths = [[size for size in reversed(sizes) if size <= start], [size for size in sizes if size > start]]
        survivors: dict[int, float] = {}
        for path in paths:
            for size in path:
                self.tried.add(size)
                cost = self.recur(size, "Exploration")
                if cost is not None:
                    survivors[size] = cost
                elif not wide:
                    break
        return survivors

    def bandit(self, arms: list[int]) -> None:
        """Thompson sampling over the survivors."""
        while self.step < RECURRENCES:
            live = [size for size in arms if not self.arms[size].retired]
            if not live:
                return
            if self.bound_ends >= 2:
                seen = [size for size in live if self.arms[size].rewards]
                self.once(max(seen, key=lambda size: self.belief(size)[0]), "MAB", uncapped=True)
            else:
                self.once(self.choose(live), "MAB")

    def choose(self, live: list[int]) -> int:
        for size in self.rng.choice(live, len(live), replace=False):
            if len(self.arms[int(size)].rewards) < max(1, self.knobs["mab_num_explorations"]):
                return int(size)
        draws = []
        for size in live:
            mean, scale = self.belief(size)
            draws.append(self.rng.normal(mean, scale))
        return live[int(np.argmax(draws))]

    def belief(self, size: int) -> tuple[float, float]:
        rewards = np.array(self.arms[size].rewards[-self.knobs["window_size"] :])
        variance = float(rewards.var())
        if variance == 0:
            return float(rewards.mean()), 0.0
        p, prior = 1 / variance, self.knobs["mab_prior_precision"]
        precision = prior + len(rewards) * p
        return (prior * self.knobs["mab_prior_mean"] + p * rewards.sum()) / precision, 1 / np.sqrt(precision)

    def recur(self, size: int, kind: str) -> float | None:
        """Recur until a run of this size is not cancelled; its cost if it converged."""
        while self.step < RECURRENCES:
            ended, cost = self.once(size, kind)
            if ended:
                return cost
        return None

    def once(self, size: int, kind: str, uncapped: bool = False) -> tuple[bool, float | None]:
        """One recurrence: whether it was decided, and its cost if it converged."""
        self.sequence.append((size, kind))
        self.step += 1
        if self.step - 1 in self.world.cancelled:
            return False, None
        cost, succeeds = self.world.run(size, self.runs[size])
        self.runs[size] += 1
        arm, beta = self.arms[size], self.knobs["beta_knob"]
        bound = None if beta is None or self.least is None else beta * self.least
        over = bound is not None and cost > bound
        arm.rewards.append(-cost)
        if succeeds and (uncapped or not over):
            arm.converged, arm.misses, self.bound_ends = True, 0, 0
            self.least = cost if uncapped or self.least is None else min(self.least, cost)
            if uncapped:
                for other in self.arms.values():
                    other.misses = 0
                    other.retired &= not over
            return True, cost
        arm.misses += 1
        if kind == "MAB" and arm.converged:
            self.bound_ends = self.bound_ends + 1 if over and not uncapped else 0
        arm.retired = kind == "Exploration" or not arm.converged or arm.misses >= 2
        return True, None


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Worlds in which sizes differ, costs vary, drift and fail."""
    sizes = sorted(draw(st.sets(st.sampled_from(ALL_SIZES), min_size=1)))
    base = {size: draw(st.integers(100, 300)) for size in sizes}
    noise = draw(st.sampled_from([0, 10, 150]))
    knobs = {
        "batch_sizes": sizes,
        "default_batch_size": draw(st.sampled_from(sizes)),
        "mab_seed": draw(st.integers(0, 2**63 - 1)),
        "num_pruning_rounds": draw(st.integers(0, 3)),
        "mab_num_explorations": draw(st.integers(0, 3)),
        "beta_knob": draw(st.sampled_from([None, 1.3, 2.0])),
        "window_size": draw(st.sampled_from([0, 0, 1, 3])),
        "mab_prior_mean": draw(st.sampled_from([0.0, -200.0])),
        "mab_prior_precision": draw(st.sampled_from([0.0, 0.001, 1.0])),
    }
    runs = {size: draw(st.lists(st.integers(0, noise), min_size=1, max_size=5)) for size in sizes}
    whims = st.sampled_from(
        [[True], [True], [True], [False], [True, True, False], [True, False, False, True, True, True]]
    )
    return World(
        knobs=knobs,
        # A size's own fraction keeps costs of different sizes apart: a tie may fall either way.
        costs={
            size: [base[size] + extra + size / 1024 + nth / 2**20 for nth, extra in enumerate(runs[size])]
            for size in sizes
        },
        converges={size: draw(whims) for size in sizes},
        cancelled=frozenset(draw(st.sets(st.integers(0, RECURRENCES - 1), max_size=4))),
        restarts=frozenset(draw(st.sets(st.integers(0, RECURRENCES - 1), max_size=4))),
    )


def drifting(**knobs: object) -> World:
    """Four sizes in the bandit whose costs rise by 2.5 after their first three runs."""
    sizes = [8, 16, 32, 64]
    fixed = {
        "batch_sizes": sizes,
        "default_batch_size": 16,
        "mab_seed": 7,
        "num_pruning_rounds": 2,
        "mab_num_explorations": 2,
        "beta_knob": 2.0,
        "window_size": 0,
        "mab_prior_mean": 0.0,
        "mab_prior_precision": 0.0,
    }
    costs = {size: [100.0 + size / 8 + nth for nth in range(3)] + [250.0 + size / 8] * 50 for size in sizes}
    return World(fixed | knobs, costs, {size: [True] for size in sizes}, frozenset({5, 20}), frozenset({3, 12, 30}))


def turning() -> World:
    """Two sizes of which the cheaper over all its runs is the dearer in its latest."""
    knobs = drifting().knobs | {"batch_sizes": [8, 16], "default_batch_size": 8, "window_size": 1}
    costs = {8: [100.0], 16: [50.0, 120.0]}
    whims = {8: [True], 16: [True]}
    return World(knobs | {"mab_num_explorations": 0, "beta_knob": None}, costs, whims, frozenset(), frozenset())


def hard() -> World:
    """Only the largest of four sizes converges, which the first walk does not reach."""
    world = drifting()
    return World(world.knobs, world.costs, {size: [size == 64] for size in world.costs}, frozenset(), frozenset({4}))


def decided_without_a_server(world: World) -> list[tuple[int, str]]:
    """What the rules of the server decide in memory; they know no window there."""
    given = world.knobs
    names = ("num_pruning_rounds", "mab_num_explorations", "beta_knob", "mab_prior_mean", "mab_prior_precision")
    settings = {name: given[name] for name in names}
    knobs = Knobs(tuple(given["batch_sizes"]), given["default_batch_size"], max_epochs=10, **settings)
    job = fresh(knobs, seed=given["mab_seed"])
    runs = dict.fromkeys(given["batch_sizes"], 0)
    for step in range(RECURRENCES):
        run = job.ask()
        if step in world.cancelled:
            job.fail(run, FailReason.CANCELLED)
            continue
        cost, succeeds = world.run(run.batch_size, runs[run.batch_size])
        runs[run.batch_size] += 1
        assert job.report(run, cost, [(10, 1.0 if succeeds else 0.1)]) is not None
    return [(run.batch_size, run.trial_type.value) for run in job.asked]


numbers = itertools.count(1)


@pytest.fixture(scope="module")
def sequence_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that is restarted as the world has it."""
    server = Server(tmp_path_factory.mktemp("sequence") / "zeus-bso.db")
    server.start()
    with closing(server):
        yield server


def played(server: Server, world: World) -> list[tuple[int, str]]:
    """What the server gives to a client that plays the world."""
    job_id = f"job-{next(numbers)}"
    server.register(**spec(job_id=job_id) | world.knobs)
    runs = dict.fromkeys(world.knobs["batch_sizes"], 0)
    for step in range(RECURRENCES):
        if step in world.restarts:
            server.restart()
        trial = server.ask(job_id)
        if step in world.cancelled:
            server.end(trial, "cancelled")
            continue
        cost, succeeds = world.run(trial.batch_size, runs[trial.batch_size])
        runs[trial.batch_size] += 1
        server.report(trial, energy=cost, metric=1.0 if succeeds else 0.1, current_epoch=10)
    return [(view["batch_size"], view["type"]) for view in server.trials(job_id)]


@given(world=worlds())
@example(world=drifting())
@example(world=drifting(window_size=2))
@example(world=turning())
@example(world=hard())
@example(world=drifting(mab_num_explorations=0, num_pruning_rounds=1))
@example(world=drifting(beta_knob=None))
@settings(max_examples=400 if THOROUGH else 8)
@pytest.mark.timeout(3600 if THOROUGH else 300)
def test_the_sequence_of_a_server_is_the_one_of_the_text(sequence_server: Server, world: World) -> None:
    assert played(sequence_server, world) == Expected(world).sequence


@given(world=worlds())
@settings(max_examples=4000 if THOROUGH else 60)
def test_the_sequence_of_the_rules_is_the_one_of_the_text(world: World) -> None:
    whole = replace(world, knobs=world.knobs | {"window_size": 0})

    assert decided_without_a_server(whole) == Expected(whole).sequence


@given(world=worlds())
@settings(max_examples=50 if THOROUGH else 3)
@pytest.mark.timeout(3600 if THOROUGH else 300)
def test_restarts_make_no_difference(sequence_server: Server, world: World) -> None:
    never = World(world.knobs, world.costs, world.converges, world.cancelled, frozenset())
    often = World(world.knobs, world.costs, world.converges, world.cancelled, frozenset(range(0, RECURRENCES, 4)))

    assert played(sequence_server, often) == played(sequence_server, never)
