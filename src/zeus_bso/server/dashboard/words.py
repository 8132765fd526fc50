"""What a job will do next and why, in words. Pure: a forecast in, sentences out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zeus_bso.common import TrialType
from zeus_bso.policy.forecast import Forecast
from zeus_bso.policy.values import Knobs, Place, PlaceState, Progress
from zeus_bso.server.dashboard import formats


@dataclass(frozen=True, slots=True)
class NextRun:
    """What the next recurrence will run.

    Attributes:
        headline: The batch size, or the likely ones.
        reason: Why, in a sentence or two.
        chances: Batch sizes with their probabilities, the likeliest first.
    """

    headline: str
    reason: str
    chances: tuple[tuple[int, float], ...]


def next_run(knobs: Knobs, before: Progress, places: Sequence[Place], forecast: Forecast) -> NextRun:
    """Say what a job would run if it were asked now.

    Args:
        knobs: The job's knobs.
        before: How far the job is; the forecast may have begun a new round or generation.
        places: The places of the current round that are held or filled.
        forecast: What an ask would answer.
    """
    choice = forecast.choice
    chances = tuple(forecast.chances.items())
    size = formats.count(choice.batch_size)
    if choice.message:
        return NextRun(f"Batch size {size}", choice.message, chances)
    if choice.trial_type is TrialType.EXPLORATION:
        return NextRun(f"Explore batch size {size}", _exploration(knobs, before, forecast), chances)
    if choice.trial_type is TrialType.CONCURRENT:
        held = next((place.batch_size for place in places if place.state is PlaceState.OPEN), None)
        return NextRun(f"Batch size {size}", _concurrent(choice.batch_size, held, choice.progress.min_cost), chances)
    return _bandit(knobs, forecast, chances)


def _exploration(knobs: Knobs, before: Progress, forecast: Forecast) -> str:
    choice, progress = forecast.choice, forecast.choice.progress
    if progress.generation != before.generation:
        return "No batch size is left to give, so the job starts anew with all that fit into memory."
    of_rounds = f"round {progress.round} of {max(knobs.num_pruning_rounds, progress.round)}"
    if progress.wide:
        return f"Nothing converged before, so every batch size is tried, nearest to the default first ({of_rounds})."
    if choice.batch_size == progress.round_start:
        if progress.round == 1:
            return f"Pruning, {of_rounds}: it starts at the default batch size."
        return f"Pruning, {of_rounds}: it starts at the cheapest batch size of the round before."
    way = "down through smaller" if choice.batch_size < progress.round_start else "up through larger"
    return (
        f"Pruning, {of_rounds}: from {formats.count(progress.round_start)} it walks {way} batch sizes, "
        "until one does not converge."
    )


def _concurrent(batch_size: int, held: int | None, min_cost: float | None) -> str:
    if held is None:
        return "It is the best choice while the job waits for a result."
    if held == batch_size:
        return "It is being explored right now, and nothing has converged yet that could be run instead."
    cheapest = "the cheapest batch size so far" if min_cost is not None else "the nearest to the default"
    return f"While another run explores {formats.count(held)}, others use {cheapest}."


def _bandit(knobs: Knobs, forecast: Forecast, chances: tuple[tuple[int, float], ...]) -> NextRun:
    arms = len(chances)
    if forecast.unproven:
        wanted = max(1, knobs.mab_num_explorations)
        which = _either([formats.count(size) for size in sorted(forecast.unproven)])
        runs = f"{wanted} run{'s' if wanted > 1 else ''}"
        has = "it has" if arms == 1 else "they have"
        return NextRun(f"Batch size {which}", f"Beliefs decide once every size has {runs}; {has} fewer.", chances)
    size, share = chances[0]
    if forecast.certain or share >= 0.995:
        return NextRun(
            f"Batch size {formats.count(size)}",
            "It is believed to be the cheapest, and no other is likely enough to be cheaper to be worth a run.",
            chances,
        )
    other, rest = chances[1]
    return NextRun(
        f"{'Most likely' if share > 0.5 else 'Likely'} batch size {formats.count(size)}",
        f"Each run draws a cost from what is believed of each size and takes the lowest: {formats.count(size)} wins "
        f"{formats.percent(share)} of such draws, {formats.count(other)} wins {formats.percent(rest)}. "
        + ("The beliefs still overlap, so it keeps checking." if share < 0.9 else "It is nearly settled."),
        chances,
    )


def _either(words: Sequence[str]) -> str:
    if len(words) > 5:
        return f"{', '.join(words[:4])} or one of {len(words) - 4} others"
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
