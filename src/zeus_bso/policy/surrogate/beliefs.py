"""What the surrogate policy believes about the cost of every batch size.

A run costs a warm-up, and then a cost per epoch times a number of epochs. On a machine of its own the cost per epoch
hardly varies from run to run, so that one run tells it, also one that was stopped; the number of epochs varies, and is
learnt slowly. How much each varies is learnt too. Each of the two has a Gaussian process of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zeus_bso.policy.state import Knobs, Progress, Sizes, SurrogateArmState, SurrogateState
from zeus_bso.policy.surrogate.gaussian_process import CostBelief, Observation, posterior
from zeus_bso.policy.surrogate.inherited import epochs_hypotheses, pace_hypotheses

NOISE_PRIOR_STD = 0.25
"""Spread of log epochs-to-target from run to run, as it is believed before any is known."""

NOISE_PRIOR_DOF = 4
"""Weight of that belief, in observations."""

PACE_PRIOR_STD = 0.03
"""Spread of the log cost per epoch from run to run, as it is believed before any is known.

On a machine that is shared with others it turns out to be far larger.
"""

PACE_PRIOR_DOF = 4
"""Weight of that belief, in observations."""

LEAST_COST_J = 1e-9
"""Keeps the logarithm of a cost per epoch finite."""

DRIFT_DOUBT = 10.0
"""By how much the variance of a size's mean grows, in variances of a run, while log epochs drift by 1 without it."""

FADING_RUNS = 1000.0
"""After so many recurrences a guess has twice the variance."""


@dataclass(frozen=True, slots=True)
class LogCost:
    """Belief about the logarithm of a batch size's cost: its warm-up, the cost of an epoch, and how many it takes.

    Attributes:
        pace: Log cost per epoch [log J].
        epochs: Log epochs to the target.
        warm_up: Cost of the warm-up [J].
    """

    pace: CostBelief
    epochs: CostBelief
    warm_up: float = 0.0

    @property
    def mean(self) -> float:
        """Mean of the log cost [log J]."""
        training = self.pace.mean + self.epochs.mean
        return training - math.log(self.share)

    @property
    def variance(self) -> float:
        """Variance of the log cost."""
        return self.share**2 * (self.pace.variance + self.epochs.variance)

    @property
    def share(self) -> float:
        """Share of the cost that is not warm-up."""
        if self.warm_up <= 0.0:
            return 1.0
        return 1.0 / (1.0 + math.exp(min(math.log(self.warm_up) - self.pace.mean - self.epochs.mean, 700.0)))

    def spread_after(self, runs: int, noise: float, pace_noise: float, open_trials: int = 0) -> float:
        """Spread by which so many more runs are expected to move the mean.

        Args:
            runs: How many; at least 1.
            noise: Variance of one run's log epochs.
            pace_noise: Variance of its log cost per epoch.
            open_trials: Runs of this size that are under way; they count as if they were reported.
        """
        pace = _after_runs(self.pace.variance, pace_noise, open_trials)
        epochs = _after_runs(self.epochs.variance, noise, open_trials)
        return self.share * math.sqrt(pace**2 / (pace + pace_noise / runs) + epochs**2 / (epochs + noise / runs))


def beliefs_of(knobs: Knobs, progress: Progress, sizes: Sizes) -> dict[int, LogCost]:
    """Belief about the log cost of every size; empty before the first run has ended."""
    state = progress.surrogate
    noise, pace_noise = noise_variance(state), pace_variance(state)
    paces, epochs = {}, {}
    for size, known in sizes.items():
        arm = known.surrogate
        # A run that cost nothing was not measured.
        if arm.epoch_sum and arm.cost_sum > 0.0:
            pace = state.pace_level + math.log(cost_per_epoch(arm.cost_sum, arm.epoch_sum))
            paces[size] = Observation(pace, pace_noise / max(1, arm.runs))
        if arm.runs:
            epochs[size] = Observation(state.epochs_level + arm.mean_log_epochs, noise / runs_remembered(state, arm))
        elif arm.guess is not None:
            faded = noise * (1 + max(0, state.started - arm.seen) / FADING_RUNS)
            epochs[size] = Observation(state.epochs_level + arm.guess, faded)
    if not epochs or not paces:
        return {}
    every, default, ancestor = tuple(sizes), knobs.default_batch_size, knobs.ancestor
    pace_of = posterior(pace_hypotheses(ancestor, default, every), every, default, paces)
    epochs_of = posterior(epochs_hypotheses(ancestor, default, every), every, default, epochs)
    warm_ups = warm_ups_of(sizes)
    return {size: LogCost(pace_of[size], epochs_of[size], warm_ups.get(size, 0.0)) for size in sizes}


def warm_ups_of(sizes: Sizes, wanted: Sequence[int] = ()) -> dict[int, float]:
    """What the warm-up of each size, or of those wanted, is believed to cost [J]; empty: nothing.

    The mean over the job's runs, in which those of near sizes weigh more.
    """
    wanted = wanted or tuple(sizes)
    known = {size: state.surrogate for size, state in sizes.items() if state.surrogate.warm_up_runs}
    if not any(arm.warm_up > 0.0 for arm in known.values()):
        return {}
    apart = np.subtract.outer(np.log2(np.array(wanted)), np.log2(np.array(list(known))))
    weights = np.array([arm.warm_up_runs for arm in known.values()]) * (np.exp(-(apart**2)) + 1e-3)
    means = weights @ np.array([arm.warm_up for arm in known.values()]) / weights.sum(axis=1)
    return {size: max(0.0, float(mean)) for size, mean in zip(wanted, means, strict=True)}


def noise_variance(state: SurrogateState) -> float:
    """Variance of log epochs-to-target from run to run."""
    return (NOISE_PRIOR_DOF * NOISE_PRIOR_STD**2 + state.noise_ss) / (NOISE_PRIOR_DOF + state.noise_dof)


def pace_variance(state: SurrogateState) -> float:
    """Variance of the log cost per epoch from run to run."""
    return (PACE_PRIOR_DOF * PACE_PRIOR_STD**2 + state.pace_ss) / (PACE_PRIOR_DOF + state.pace_dof)


def runs_remembered(state: SurrogateState, arm: SurrogateArmState) -> float:
    """How many new runs the mean of a size's log epochs is worth: a steady drift is seldom alike at all sizes.

    Args:
        state: What is known about the job.
        arm: What is known about a size with at least one run.
    """
    return 1.0 / (1.0 / arm.runs + DRIFT_DOUBT * abs(state.epochs_moved - arm.moved))


def cost_per_epoch(cost_sum: float, epoch_sum: int) -> float:
    """Mean cost of an epoch, above 0 [J]."""
    return max(cost_sum / epoch_sum, LEAST_COST_J)


def knowledge_gradient(mean: float, best_other: float, spread: float) -> float:
    """By how much runs at a size are expected to lower the least believed log cost.

    Args:
        mean: Believed log cost of the size.
        best_other: Least believed log cost of the other sizes.
        spread: Spread by which the runs are expected to move the mean.

    Source:
        Frazier, Powell and Dayanik, The Knowledge-Gradient Policy for Correlated Normal Beliefs (2009).
    """
    if spread <= 0.0:
        return 0.0
    z = abs(mean - best_other) / spread
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return spread * max(0.0, density - z * math.erfc(z / math.sqrt(2)) / 2)


def _after_runs(variance: float, noise: float, runs: int) -> float:
    return variance * noise / (noise + runs * variance)
