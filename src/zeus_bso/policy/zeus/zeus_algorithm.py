"""The reference algorithm: prune, then play the bandit; follow drift; never get stuck.

Source:
    Zeus (NSDI'23), sections 4.3 to 4.5.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from zeus_bso.policy.generation import begin_generation, clear_failures, last_to_fail, no_size_converges, smallest_again
from zeus_bso.policy.retirement import after_miss, after_success, ended_by_script
from zeus_bso.policy.state import (
    Choice,
    GaussianTsArmState,
    Knobs,
    Lesson,
    Progress,
    Retirement,
    RoundSlot,
    Sizes,
    nearest,
)
from zeus_bso.policy.stop import cost_bound
from zeus_bso.policy.zeus.explorer import Explore, Explorer, ExplorerDecision, RoundOver, Wait
from zeus_bso.policy.zeus.mab import Mab
from zeus_bso.protocol.words import Outcome, Stage, TrialType

DRIFT_SIGNS = 2
"""Cost-bound ends of proven sizes in a row after which the bound itself is doubted."""

_DRIFT_SUSPECTED = (
    "The last runs were stopped by their cost; this one runs without a bound, to see whether costs have changed."
)

LARGEST_OBSERVED = 1e100
"""No bound is taken to cost more [J], so that the square of a deviation is a number."""


def choose(
    knobs: Knobs,
    progress: Progress,
    sizes: Sizes,
    places: Collection[RoundSlot],
    *,
    rng: np.random.Generator,
    uncapped_open: bool = False,
    windows: Mapping[int, GaussianTsArmState] | None = None,
) -> Choice:
    """Choose what the next recurrence runs.

    Args:
        knobs: The job's knobs.
        progress: How far the job is.
        sizes: What is known about each size.
        places: The places of the current round that are held or filled.
        rng: Drawn from in stage MAB only, in the order that :meth:`Mab.decide` says.
        uncapped_open: A trial without a cost bound runs already, so drift needs no second one.
        windows: The latest rewards of each arm, when the job looks at a window only.

    Returns:
        The choice, with the job's state after it: a round, the stage or the generation may have ended.
    """
    for _ in range(8):
        message = no_size_converges(knobs) if progress.try_all_sizes and progress.min_cost is None else None
        live = [size for size, state in sizes.items() if state.live]
        if not live and all(state.retired is Retirement.OOM for state in sizes.values()):
            return smallest_again(progress, sizes)
        if not live or (progress.stage is Stage.MAB and not any(sizes[size].is_arm for size in live)):
            failed = last_to_fail(knobs, progress, sizes, places)
            progress, sizes, places = *begin_generation(knobs, progress, sizes, failed=failed), ()
        elif progress.stage is Stage.MAB:
            return _play(knobs, progress, sizes, rng, uncapped_open, windows, message)
        elif progress.round > max(knobs.num_pruning_rounds, int(progress.try_all_sizes)):  # Trying all takes a round.
            progress, sizes = _begin_bandit(progress, sizes, progress.round_sizes)
        else:
            step = _explore(progress, sizes, places)
            if isinstance(step, Explore):
                number = progress.round
                return Choice(step.batch_size, TrialType.EXPLORATION, progress, sizes, round=number, message=message)
            if isinstance(step, Wait):
                other = _meanwhile(knobs, sizes, step.under_exploration)
                return Choice(other, TrialType.CONCURRENT, progress, sizes, message=message)
            progress, sizes, places = *_end_round(knobs, progress, sizes, places, step), ()
    raise AssertionError("a new generation always has a size to give")


def _explore(progress: Progress, sizes: Sizes, places: Collection[RoundSlot]) -> ExplorerDecision:
    explorer = Explorer(progress.round_sizes, progress.round_start, progress.try_all_sizes)
    retired = {size: state.retired for size, state in sizes.items() if state.retired is not None}
    return explorer.decide(places, retired)


def conclude(
    knobs: Knobs,
    progress: Progress,
    sizes: Sizes,
    *,
    batch_size: int,
    outcome: Outcome,
    cost: float,
    epochs: int | None = None,
    uncapped: bool = False,
) -> Lesson:
    """Learn from a trial of this generation that was decided.

    A converged trial may set the least cost. When an uncapped one converges, its cost replaces the least cost and
    failures start to count anew; if it converged over the bound, costs have drifted, and the sizes that the old bound
    retired come back.

    Args:
        knobs: The job's knobs.
        progress: How far the job is.
        sizes: What is known about each size.
        batch_size: The trial's size.
        outcome: What was decided.
        cost: What the trial cost [J].
        epochs: Epochs it trained; None: as many as its outcome needs.
        uncapped: It ran without a cost bound.
    """
    bound = cost_bound(knobs, progress.min_cost, uncapped=False)
    reward = -observed_cost(knobs, outcome, cost, epochs, progress.min_cost)
    state = replace(sizes[batch_size], arm=sizes[batch_size].arm.observe(reward))
    if outcome is Outcome.CONVERGED:
        sizes = {**sizes, batch_size: after_success(state, cost)}
        if uncapped:
            sizes = clear_failures(sizes, lift=bound is not None and cost > bound)
        least = cost if uncapped or progress.min_cost is None else min(progress.min_cost, cost)
        return Lesson(replace(progress, min_cost=least, cost_bound_in_row=0), sizes, reward)
    signs = progress.cost_bound_in_row
    if state.converged and progress.stage is Stage.MAB:
        signs = signs + 1 if outcome is Outcome.COST_BOUND else 0
    by_script = ended_by_script(knobs, outcome, epochs)
    sizes = {**sizes, batch_size: after_miss(state, progress.stage, by_script=by_script)}
    return Lesson(replace(progress, cost_bound_in_row=signs), sizes, reward)


def _end_round(
    knobs: Knobs, progress: Progress, sizes: Sizes, places: Collection[RoundSlot], ended: RoundOver
) -> tuple[Progress, Sizes]:
    if ended.cheapest is None:
        failed = last_to_fail(knobs, progress, sizes, places)
        return begin_generation(knobs, progress, sizes, failed=failed)
    if progress.round >= knobs.num_pruning_rounds:
        return _begin_bandit(progress, sizes, ended.survivors)
    number = progress.round + 1
    return replace(progress, round=number, round_start=ended.cheapest, round_sizes=ended.survivors), sizes


def _begin_bandit(progress: Progress, sizes: Sizes, survivors: tuple[int, ...]) -> tuple[Progress, Sizes]:
    arms = {size: replace(sizes[size], is_arm=True, missed_in_row=0) for size in survivors}
    return replace(progress, stage=Stage.MAB), {**sizes, **arms}


def _play(
    knobs: Knobs,
    progress: Progress,
    sizes: Sizes,
    rng: np.random.Generator,
    uncapped_open: bool,
    windows: Mapping[int, GaussianTsArmState] | None,
    message: str | None,
) -> Choice:
    arms = {size: state for size, state in sizes.items() if state.is_arm and state.live}
    mab = Mab(
        arms={size: (windows or {}).get(size, state.arm) for size, state in arms.items()},
        num_observations={size: state.arm.num_observations for size, state in arms.items()},
        knobs=knobs,
    )
    if progress.cost_bound_in_row >= DRIFT_SIGNS and not uncapped_open:
        return Choice(mab.best(), TrialType.MAB, progress, sizes, uncapped=True, message=_DRIFT_SUSPECTED)
    return Choice(mab.decide(rng), TrialType.MAB, progress, sizes, message=message)


def _meanwhile(knobs: Knobs, sizes: Sizes, under_exploration: int) -> int:
    costs = {size: state.best_cost for size, state in sizes.items() if state.live and state.best_cost is not None}
    if costs:
        return min(costs, key=lambda size: costs[size])
    if sizes[under_exploration].live:
        return under_exploration
    return nearest([size for size, state in sizes.items() if state.live], knobs.default_batch_size)[0]


def observed_cost(knobs: Knobs, outcome: Outcome, cost: float, epochs: int | None, min_cost: float | None) -> float:
    """What a decided trial is observed to cost [J].

    A run that diverged, or that its script ended before ``max_epochs``, was cut short: what it spent says little, and a
    bargain it was not. It counts as one at the cost bound at least.
    """
    if min_cost is None or not (outcome is Outcome.DIVERGED or ended_by_script(knobs, outcome, epochs)):
        return cost
    return max(cost, min(cost_bound(knobs, min_cost, uncapped=False) or min_cost, LARGEST_OBSERVED))
