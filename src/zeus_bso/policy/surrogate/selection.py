"""Which size the surrogate policy tries next: what a try may cost, against what its result is worth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from zeus_bso.policy.state import Knobs, Sizes, SizeState, SurrogateState, distance
from zeus_bso.policy.surrogate.beliefs import LogCost, knowledge_gradient, noise_variance, pace_variance

HORIZON = 1.5
"""A recurrence is believed to be followed by so many times the recurrences before it."""

SERIES = (1, 2, 4, 8)
"""A size that is well worth a series of runs, though not a single one, is tried too: so many are considered."""

FRONTIER_OCTAVES = 1.0
"""No size farther than this from all tried ones is tried, unless it stands next to one in the list."""

UNBOUNDED_RATIO = 3.0
"""Without a cost bound, or with a loose one, a bad choice is taken to cost at most so many times the best one."""

MOST_EXTRA = 3.0

REST_RUNS = 20
"""A size whose run was stopped rests for so many recurrences; for twice as many after each further stop."""

LONGEST_REST = 2**20

LOOK_SHARE = 0.001
"""Share of all that is spent that second looks may cost beyond runs of the incumbent."""

LEAST_PRICE = 0.05
"""A second look is taken to cost at least so much, in runs of the incumbent."""


def before_any_converged(state: SurrogateState, live: Sequence[int], start: int, in_flight: Mapping[int, int]) -> int:
    """The size to run while nothing has converged: the nearest to the start.

    Runs that overlap spread, since they may all fail for the same reason: an open run counts as much as an octave.
    """

    def rank(size: int) -> tuple[float, int, int]:
        running = in_flight.get(size, 0)
        return distance(size, start) * 2.0 ** min(running, 1000), running, -size if state.larger_first else size

    return min(live, key=rank)


def most_worthwhile(
    knobs: Knobs, state: SurrogateState, sizes: Sizes, beliefs: Mapping[int, LogCost], in_flight: Mapping[int, int]
) -> int:
    """The candidate whose believed extra cost, less what its result is worth to the runs to come, is the least.

    A result is worth the most that a run of any series is worth, since one run alone seldom overturns a belief.

    Source:
        Frazier and Powell, Paradoxes in Learning and the Marginal Value of Information (2010): the policy KG(*).
    """
    candidates = [
        size
        for size in candidates_of(sizes)
        if sizes[size].converged or not (in_flight.get(size) or rests(state, sizes[size]))
    ]
    # An incumbent whose runs cost nothing is known by its neighbours alone, and may have no candidate near it.
    candidates = candidates or [size for size in sizes if size == state.incumbent]
    noise, pace_noise = noise_variance(state), pace_variance(state)
    means = {size: beliefs[size].mean for size in candidates}
    cheapest, *rest = sorted(means.values())[:2]
    scores = {}
    for size in candidates:
        other = rest[0] if rest and means[size] == cheapest else cheapest
        gain = 0.0
        for runs in SERIES if rest else ():
            spread = beliefs[size].spread_after(runs, noise, pace_noise, in_flight.get(size, 0))
            gain = max(gain, knowledge_gradient(means[size], other, spread) / runs)
        scores[size] = price(knobs, beliefs[size], cheapest) - HORIZON * max(state.started, 1) * gain
    return min(scores, key=lambda size: scores[size])


def second_look(
    knobs: Knobs, state: SurrogateState, sizes: Sizes, beliefs: Mapping[int, LogCost], in_flight: Mapping[int, int]
) -> int | None:
    """The size that is due to be looked at again whatever is believed of it; None: there is no budget for any.

    Second looks cost at most a share of all that is spent. Of the candidates that can be afforded, the one is due that
    was not run for longest, measured by its price: so none can be starved.
    """
    incumbent, cost = state.incumbent, state.incumbent_cost
    if incumbent is None or not cost or state.looking_at is not None:
        return None
    budget = LOOK_SHARE * state.spent - state.look_spent
    candidates = [size for size in candidates_of(sizes) if size != incumbent]
    due = {}
    for size in candidates:
        if in_flight.get(size) or (not sizes[size].converged and rests(state, sizes[size])):
            continue
        extra = max(LEAST_PRICE, price(knobs, beliefs[size], math.log(cost)) - 1.0)
        owed = LOOK_SHARE * (state.started - sizes[size].surrogate.seen) / len(candidates)
        if extra <= owed and extra * cost <= budget:
            due[size] = owed / extra
    return max(due, key=lambda size: due[size]) if due else None


def price(knobs: Knobs, belief: LogCost, cheapest: float) -> float:
    """What a try is expected to cost, in runs of the cheapest size; at worst it is stopped, and made good by another.

    Args:
        knobs: The job's knobs.
        belief: What is believed about the size.
        cheapest: Log cost of the cheapest size [log J].
    """
    bound = min(knobs.beta_knob or UNBOUNDED_RATIO - 1, MOST_EXTRA)
    epoch = math.exp(min(belief.pace.mean - cheapest, 50.0)) + math.exp(min(-cheapest, 700.0)) * belief.warm_up
    return min(math.exp(min(belief.mean - cheapest, 50.0)), 1.0 + max(bound, epoch))


def rests(state: SurrogateState, size: SizeState) -> bool:
    """Whether the last run of a size was stopped so lately that it is not tried."""
    stops = size.surrogate.stops
    if not stops:
        return False
    return state.started - size.surrogate.seen < min(REST_RUNS * 2.0 ** min(stops - 1, 50), LONGEST_REST)


def candidates_of(sizes: Sizes) -> Sequence[int]:
    """Live sizes within an octave of a tried one, or between or next to tried ones in the list.

    A size counts as tried too if only the epochs of its runs are known.
    """
    tried = [size for size, state in sizes.items() if _is_tried(state)]
    known = [size for size, state in sizes.items() if state.live or _is_tried(state)]
    low, high = known.index(tried[0]), known.index(tried[-1])
    near = known[max(0, low - 1) : high + 2]
    reach = 2.0**FRONTIER_OCTAVES
    # Sizes ascend, so whatever lies between two tried ones is near.
    least, largest = min(near[0], tried[0] / reach), max(near[-1], tried[-1] * reach)
    return [size for size in known if sizes[size].live and least <= size <= largest]


def _is_tried(size: SizeState) -> bool:
    return bool(size.surrogate.epoch_sum or size.surrogate.runs)
