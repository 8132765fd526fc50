"""What a job would run if it were asked now: the same choice as an ask makes, without consuming randomness."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from zeus_bso.common import TrialType
from zeus_bso.policy.mab import belief
from zeus_bso.policy.values import Choice, GaussianTsArmState, Knobs, Place, Progress, Sizes
from zeus_bso.policy.zeus import choose

_DRAWS = 200_000
"""Draws of the bandit in all, so that a thousand arms take no longer than ten."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What an ask would answer now.

    Attributes:
        choice: The choice; where chance has a part in it, one of those that are possible.
        chances: Probability of each batch size that may be given, the likeliest first; sums to 1.
        unproven: Arms of the bandit with too few observations for beliefs to decide; while there are any, one of them
            is given.
    """

    choice: Choice
    chances: Mapping[int, float]
    unproven: tuple[int, ...] = ()

    @property
    def certain(self) -> bool:
        """Whether chance has no part in it."""
        return len(self.chances) == 1


def foresee(
    knobs: Knobs,
    progress: Progress,
    sizes: Sizes,
    places: Iterable[Place],
    *,
    uncapped_open: bool = False,
    windows: Mapping[int, GaussianTsArmState] | None = None,
) -> Forecast:
    """Foresee the next choice; the arguments are those of :func:`~zeus_bso.policy.zeus.choose`.

    A job's own generator is not looked at: of a job with a seed the next draw is known, but its chances tell more about
    what it believes.
    """
    choice = choose(
        knobs,
        progress,
        sizes,
        places,
        rng=np.random.default_rng(0),
        uncapped_open=uncapped_open,
        windows=windows,
    )
    arms = {size: state for size, state in choice.sizes.items() if state.is_arm and state.live}
    if choice.trial_type is not TrialType.MAB or choice.uncapped or not arms:
        return Forecast(choice, {choice.batch_size: 1.0})
    wanted = max(1, knobs.mab_num_explorations)
    unproven = tuple(size for size, state in arms.items() if state.arm.num_observations < wanted)
    if unproven:
        return Forecast(choice, dict.fromkeys(unproven, 1 / len(unproven)), unproven)
    return Forecast(
        choice, _chances({size: (windows or {}).get(size, state.arm) for size, state in arms.items()}, knobs)
    )


def _chances(arms: Mapping[int, GaussianTsArmState], knobs: Knobs) -> dict[int, float]:
    """How often each arm's draw is the largest, from draws of a generator of its own."""
    beliefs = [belief(arm, knobs) for arm in arms.values()]
    means, scales = np.array([b.mean for b in beliefs]), np.array([b.scale for b in beliefs])
    draws = np.random.default_rng(0).normal(means, scales, size=(max(200, _DRAWS // len(arms)), len(arms)))
    shares = np.bincount(draws.argmax(axis=1), minlength=len(arms)) / len(draws)
    by_chance = sorted(zip(arms, shares.tolist(), strict=True), key=lambda pair: -pair[1])
    return {size: share for size, share in by_chance if share > 0}
