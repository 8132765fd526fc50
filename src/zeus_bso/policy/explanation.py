"""What a job would do next, and what it believes: said in words and figures, for people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from zeus_bso.policy.state import Choice, ChoiceInput, Knobs, Progress, Sizes, SlotState
from zeus_bso.policy.surrogate import surrogate_algorithm
from zeus_bso.policy.surrogate.beliefs import beliefs_of
from zeus_bso.policy.zeus import zeus_algorithm
from zeus_bso.policy.zeus.mab import Mab, belief
from zeus_bso.protocol.words import Stage, TrialType
from zeus_bso.units import energy, percent, plain

WITHIN_95_PERCENT = 1.959963984540054
"""Standard deviations to either side of a mean that hold 95 % of a normal distribution."""

_LARGEST_LOG = 700.0
"""The exponential of more is no double any more."""

_LIKELIEST_SHOWN = 4


@dataclass(frozen=True, slots=True)
class BelievedCost:
    """What a run of a batch size is believed to cost on average [J], with a 95 % interval."""

    cost: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the next ask would be given.

    Attributes:
        batch_size: The size; None: chance decides.
        sentence: The size, or the chances of each, and why.
        chances: Probability of each size where chance decides, the likeliest first.
    """

    batch_size: int | None
    sentence: str
    chances: Mapping[int, float] = field(default_factory=dict)


def arms_believed(knobs: Knobs, sizes: Sizes) -> dict[int, BelievedCost]:
    """The bandit's beliefs about the sizes that it has observations of: normal, and never below nothing."""
    believed = {}
    for size, state in sizes.items():
        if state.arm.num_observations:
            arm = belief(state.arm, knobs)
            cost, reach = -arm.mean, WITHIN_95_PERCENT * arm.scale
            believed[size] = BelievedCost(cost, min(cost, max(0.0, cost - reach)), cost + reach)
    return believed


def best_arm(knobs: Knobs, progress: Progress, sizes: Sizes) -> int | None:
    """The live arm of the best mean reward; before there are arms the cheapest live size that converged."""
    if progress.stage is Stage.MAB:
        arms = {size: state.arm for size, state in sizes.items() if state.is_arm and state.live}
        means = {size: belief(arm, knobs).mean for size, arm in arms.items() if arm.num_observations}
        if means:
            return max(means, key=lambda size: means[size])
    costs = {size: state.best_cost for size, state in sizes.items() if state.live and state.best_cost is not None}
    return min(costs, key=lambda size: costs[size]) if costs else None


def surrogate_believed(knobs: Knobs, progress: Progress, sizes: Sizes) -> dict[int, BelievedCost]:
    """The surrogate's beliefs about all sizes, lognormal; empty before the first run has ended."""
    believed = {}
    for size, log in beliefs_of(knobs, progress, sizes).items():
        reach = WITHIN_95_PERCENT * math.sqrt(log.variance)
        believed[size] = BelievedCost(_exp(log.mean), _exp(log.mean - reach), _exp(log.mean + reach))
    return believed


def explain_zeus(choice_input: ChoiceInput) -> Explanation:
    """Say what the reference algorithm would do next."""
    # In Pruning no number is drawn; in the bandit the draw is thrown away.
    choice = zeus_algorithm.choose(
        choice_input.knobs,
        choice_input.progress,
        choice_input.sizes,
        choice_input.slots,
        rng=np.random.default_rng(0),
        uncapped_open=choice_input.uncapped_open,
        windows=choice_input.windows,
    )
    size = choice.batch_size
    if choice.trial_type is TrialType.EXPLORATION:
        rounds = max(choice_input.knobs.num_pruning_rounds, 1)
        walk = f"round {choice.round} of {rounds}, which begins at {choice.progress.round_start}"
        return _explain_choice(choice, f"The next run explores {size}, in {walk} and goes down, then up.")
    if choice.trial_type is TrialType.CONCURRENT:
        held = [place.batch_size for place in choice_input.slots if place.state is SlotState.OPEN]
        beside = f" beside the run that explores {held[0]}" if held else ""
        return _explain_choice(choice, f"The next run takes {size}{beside}.")
    if choice.uncapped:
        return _explain_choice(choice, f"The next run takes {size}, the best by the mean of its costs.")
    arms = {each: state for each, state in choice.sizes.items() if state.is_arm and state.live}
    if len(arms) < 2:
        return _explain_choice(choice, f"The next run takes {size}, the only batch size left.")
    windows = choice_input.windows or {}
    mab = Mab(
        arms={each: windows.get(each, state.arm) for each, state in arms.items()},
        num_observations={each: state.arm.num_observations for each, state in arms.items()},
        knobs=choice_input.knobs,
    )
    new = mab.underexplored()
    if len(new) == 1:
        return _explain_choice(choice, f"The next run takes {new[0]}, which has had too few runs to be judged.")
    chances = dict.fromkeys(new, 1 / len(new)) if new else mab.chances()
    by_chance = dict(sorted(chances.items(), key=lambda pair: -pair[1]))
    return Explanation(None, " ".join(filter(None, [_chances(by_chance, new), choice.message])), by_chance)


def explain_surrogate(choice_input: ChoiceInput) -> Explanation:
    """Say what the surrogate policy would do next."""
    choice = surrogate_algorithm.choose(choice_input)
    knobs, size = choice_input.knobs, choice.batch_size
    best = surrogate_algorithm.incumbent_of(knobs, choice.progress, choice.sizes)
    is_inherited = best is None and surrogate_algorithm.first_run_of(knobs, choice.sizes) is not None
    is_retry = best is not None and choice.uncapped
    if not choice.sizes[size].live or is_inherited or is_retry:
        sentence = f"The next run takes {size}."
    elif best is None:
        sentence = _while_none_is_proven(knobs, choice)
    else:
        sentence = _by_belief(choice, best, surrogate_believed(knobs, choice.progress, choice.sizes))
    return _explain_choice(choice, sentence)


def _while_none_is_proven(knobs: Knobs, choice: Choice) -> str:
    near = "the default" if choice.batch_size == knobs.default_batch_size else "going outwards from the default"
    any_converged = any(state.converged for state in choice.sizes.values())
    why = "that is still given has converged" if any_converged else "has converged yet"
    return f"The next run tries {choice.batch_size}, {near}: no batch size {why}."


def _by_belief(choice: Choice, best: int, believed: Mapping[int, BelievedCost]) -> str:
    size = choice.batch_size
    cost = f"it is believed to cost {_figure(believed[size])}"
    if size != best:
        return (
            f"The next run explores {size}: {cost}, the best known, {best}, {_figure(believed[best])}; what its result "
            "teaches is worth the risk."
        )
    if len(choice.sizes) == 1:
        return f"The next run takes {size}, the only batch size: {cost}."
    return (
        f"The next run takes {size}, the best known: {cost}, and no other batch size promises more than its try would "
        "cost."
    )


def _explain_choice(choice: Choice, sentence: str) -> Explanation:
    return Explanation(choice.batch_size, f"{sentence} {choice.message}" if choice.message else sentence)


def _chances(chances: Mapping[int, float], new: list[int]) -> str:
    if new:
        sizes = ", ".join(map(str, new[:_LIKELIEST_SHOWN]))
        more = f" and {len(new) - _LIKELIEST_SHOWN} more" if len(new) > _LIKELIEST_SHOWN else ""
        return f"The next run takes one of the batch sizes that have had too few runs to be judged: {sizes}{more}."
    likeliest = list(chances)[:_LIKELIEST_SHOWN]
    shown = ", ".join(f"{size} ({plain(percent(chances[size]))})" for size in likeliest if chances[size] >= 0.005)
    return f"The next run's size is drawn, the likelier the better it seems, with a chance of about: {shown}."


def _figure(believed: BelievedCost) -> str:
    cost, low, high = (plain(energy(each)) for each in (believed.cost, believed.low, believed.high))
    return f"{cost} ({low} to {high})"


def _exp(log: float) -> float:
    return math.exp(min(log, _LARGEST_LOG))
