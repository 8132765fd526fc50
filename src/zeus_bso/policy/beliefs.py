"""What the surrogate policy believes about the cost of every batch size.

A cost is a cost per epoch times a number of epochs. On a machine of its own the first hardly varies from run to run, so
that one run tells it, also one that was stopped; the second varies, and is learnt slowly. How much each varies is
learnt too. Each has a Gaussian process of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from zeus_bso.policy.gaussian_process import Belief, Kernel, Observed, posterior
from zeus_bso.policy.values import Knobs, Progress, Sizes, SurrogateState

NOISE_PRIOR_STD = 0.3
"""Spread of log epochs-to-target from run to run, as it is believed before any is known."""

NOISE_PRIOR_DOF = 4
"""Weight of that belief, in observations."""

PACE_PRIOR_STD = 0.03
"""Spread of the log cost per epoch from run to run, as it is believed before any is known.

Profiling of power limits is part of it. On a machine that is shared with others it turns out to be far larger.
"""

PACE_PRIOR_DOF = 4
"""Weight of that belief, in observations."""

PACE_KERNEL = Kernel(slope_std=0.5, curvature_std=0.15, wiggle_std=0.1)
EPOCHS_KERNEL = Kernel(slope_std=0.5, curvature_std=0.15, wiggle_std=0.2)

LEAST_COST_J = 1e-9
"""Keeps the logarithm of a cost per epoch finite."""


@dataclass(frozen=True, slots=True)
class LogCost:
    """Belief about the logarithm of a batch size's cost: of an epoch, and how many it takes.

    Attributes:
        pace: Log cost per epoch [log J].
        epochs: Log epochs to the target.
    """

    pace: Belief
    epochs: Belief

    @property
    def mean(self) -> float:
        """Mean of the log cost [log J]."""
        return self.pace.mean + self.epochs.mean

    @property
    def variance(self) -> float:
        """Variance of the log cost."""
        return self.pace.variance + self.epochs.variance

    def spread_after_run(self, noise: float, pace_noise: float, open_trials: int = 0) -> float:
        """Spread by which one more run is expected to move the mean.

        Args:
            noise: Variance of one run's log epochs.
            pace_noise: Variance of its log cost per epoch.
            open_trials: Runs of this size that are under way; they count as if they were reported.
        """
        pace = _after_runs(self.pace.variance, pace_noise, open_trials)
        epochs = _after_runs(self.epochs.variance, noise, open_trials)
        return math.sqrt(pace**2 / (pace + pace_noise) + epochs**2 / (epochs + noise))


def beliefs_of(knobs: Knobs, progress: Progress, sizes: Sizes) -> dict[int, LogCost]:
    """Belief about the log cost of every size; empty before the first run has ended."""
    noise, pace_noise = noise_variance(progress.surrogate), pace_variance(progress.surrogate)
    paces, epochs = {}, {}
    for size, known in sizes.items():
        arm = known.surrogate
        # A run that cost nothing was not measured.
        if not arm.epoch_sum or arm.cost_sum <= 0.0:
            continue
        paces[size] = Observed(math.log(cost_per_epoch(arm.cost_sum, arm.epoch_sum)), pace_noise / max(1, arm.runs))
        if arm.runs:
            epochs[size] = Observed(arm.mean_log_epochs, noise / arm.runs)
        elif arm.guess is not None:
            epochs[size] = Observed(arm.guess, noise)
    if not epochs:
        return {}
    pace_of = posterior(PACE_KERNEL, list(sizes), knobs.default_batch_size, paces)
    epochs_of = posterior(EPOCHS_KERNEL, list(sizes), knobs.default_batch_size, epochs)
    return {size: LogCost(pace_of[size], epochs_of[size]) for size in sizes}


def noise_variance(state: SurrogateState) -> float:
    """Variance of log epochs-to-target from run to run."""
    return (NOISE_PRIOR_DOF * NOISE_PRIOR_STD**2 + state.noise_ss) / (NOISE_PRIOR_DOF + state.noise_dof)


def pace_variance(state: SurrogateState) -> float:
    """Variance of the log cost per epoch from run to run."""
    return (PACE_PRIOR_DOF * PACE_PRIOR_STD**2 + state.pace_ss) / (PACE_PRIOR_DOF + state.pace_dof)


def cost_per_epoch(cost_sum: float, epoch_sum: int) -> float:
    """Mean cost of an epoch, above 0 [J]."""
    return max(cost_sum / epoch_sum, LEAST_COST_J)


def knowledge_gradient(mean: float, best_other: float, spread: float) -> float:
    """By how much one run at a size is expected to lower the least believed log cost.

    Args:
        mean: Believed log cost of the size.
        best_other: Least believed log cost of the other sizes.
        spread: Spread by which the run is expected to move the mean.

    Source:
        Frazier, Powell and Dayanik, The Knowledge-Gradient Policy for Correlated Normal Beliefs (2009).
    """
    if spread <= 0.0:
        return 0.0
    z = -abs(mean - best_other) / spread
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return spread * (density + z * math.erfc(-z / math.sqrt(2)) / 2)


def _after_runs(variance: float, noise: float, runs: int) -> float:
    return variance * noise / (noise + runs * variance)
