"""The bandit: Gaussian Thompson sampling over the batch sizes that survived pruning."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from zeus_bso.policy.state import GaussianTsArmState, Knobs


@dataclass(frozen=True, slots=True)
class ArmBelief:
    """Posterior over an arm's mean reward.

    Attributes:
        mean: Posterior mean [-J].
        scale: Posterior standard deviation, ``1 / sqrt(precision)`` [J]; 0: certain.
    """

    mean: float
    scale: float


def belief(arm: GaussianTsArmState, knobs: Knobs) -> ArmBelief:
    """Posterior over an arm's mean reward, its reward variance taken as known.

    With n rewards of variance v, their precision is p = 1 / v, and

        posterior precision = prior_precision + n p
        posterior mean      = (prior_precision * prior_mean + p * sum) / posterior precision

    written here with the weights of data and prior, n p / (prior_precision + n p) and its complement, which stay finite
    when v is 0: the belief is then exactly the mean.

    Args:
        arm: The rewards to look at; at least one.
        knobs: For the prior.

    Source:
        Zeus (NSDI'23), algorithm 2.
    """
    variance_of_mean = arm.reward_variance / arm.num_observations
    ratio = knobs.mab_prior_precision * variance_of_mean
    weight = 1.0 / (1.0 + ratio)
    # Of each pair the form that neither cancels nor overflows.
    prior_weight = ratio * weight if ratio <= 1.0 else 1.0 - weight
    variance = variance_of_mean * weight if ratio <= 1.0 else prior_weight / knobs.mab_prior_precision
    return ArmBelief(weight * arm.reward_mean + prior_weight * knobs.mab_prior_mean, math.sqrt(variance))


@dataclass(frozen=True, slots=True)
class Mab:
    """The bandit over a set of arms.

    Attributes:
        arms: Rewards that each arm looks at, by batch size, ascending.
        num_observations: All observations of an arm, also those that fell out of its window.
        knobs: The job's knobs.
    """

    arms: Mapping[int, GaussianTsArmState]
    num_observations: Mapping[int, int]
    knobs: Knobs

    def decide(self, rng: np.random.Generator) -> int:
        """Choose an arm.

        Drawn in this order, whatever is decided: a random permutation of the arms, ascending; the first in it with
        fewer than ``mab_num_explorations`` observations is taken. Else one normal draw per arm, ascending; the largest
        wins.
        """
        sizes = list(self.arms)
        new = set(self.underexplored())
        for size in rng.choice(np.array(sizes), len(sizes), replace=False):
            if int(size) in new:
                return int(size)
        beliefs = {size: belief(arm, self.knobs) for size, arm in self.arms.items()}
        draws = {size: rng.normal(believed.mean, believed.scale) for size, believed in beliefs.items()}
        return max(draws, key=lambda size: draws[size])

    def underexplored(self) -> list[int]:
        """The arms with fewer than ``mab_num_explorations`` observations, or none at all."""
        wanted = max(1, self.knobs.mab_num_explorations)
        return [size for size in self.arms if self.num_observations[size] < wanted]

    def chances(self, draws: int = 4000) -> dict[int, float]:
        """About how probable it is that each arm wins a draw; every arm has been observed.

        Always of the same draws, so that the same beliefs give the same figures.
        """
        beliefs = [belief(arm, self.knobs) for arm in self.arms.values()]
        means, scales = np.array([each.mean for each in beliefs]), np.array([each.scale for each in beliefs])
        winners = np.random.default_rng(0).normal(means, scales, (draws, len(beliefs))).argmax(axis=1)
        won = np.bincount(winners, minlength=len(beliefs)) / draws
        return {size: float(chance) for size, chance in zip(self.arms, won, strict=True)}

    def best(self) -> int:
        """The arm with the best posterior mean; one without observations is the best only if none has any."""
        seen = {size: belief(arm, self.knobs).mean for size, arm in self.arms.items() if arm.num_observations}
        return max(seen, key=lambda size: seen[size]) if seen else min(self.arms)
