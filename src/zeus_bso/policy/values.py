"""The values that the policy reads and returns.

Everything is frozen: a function of this package returns new values and changes none. Costs and energies are joules,
times seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from zeus_bso.common import Stage, TrialType


class Retirement(str, Enum):
    """Why a batch size is not given any more."""

    MISSED = "unconverged"
    FAILURES = "failures"
    OOM = "oom"


@dataclass(frozen=True, slots=True)
class Knobs:
    """What a person set for the job.

    Attributes:
        batch_sizes: The sizes to choose from, ascending.
        default_batch_size: Where exploration starts.
        target_metric: Metric at which a run has converged.
        higher_is_better_metric: Whether the metric rises as the model improves.
        max_epochs: A run that has not converged by then has missed its target.
        beta_knob: Cost bound in units of the least cost; None: no bound.
        num_pruning_rounds: Rounds of exploration before the bandit.
        mab_prior_mean: Prior mean of an arm's reward.
        mab_prior_precision: Prior precision of an arm's reward.
        mab_num_explorations: Observations an arm needs before beliefs decide.
    """

    batch_sizes: tuple[int, ...]
    default_batch_size: int
    target_metric: float = 0.5
    higher_is_better_metric: bool = True
    max_epochs: int = 100
    beta_knob: float | None = 2.0
    num_pruning_rounds: int = 2
    mab_prior_mean: float = 0.0
    mab_prior_precision: float = 0.0
    mab_num_explorations: int = 2


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is in its generation.

    Attributes:
        stage: Pruning, then MAB.
        generation: Counts the fresh starts of the job.
        wide: Nothing converged in the generation before, so this one tries every size.
        round: Round of pruning, from 1.
        round_start: Batch size at which the round's walk starts.
        round_sizes: Batch sizes of the round, ascending.
        min_cost: Least cost of a converged trial [J]; None before the first.
        cost_bound_in_row: Cost-bound ends of proven sizes since the last other end: two are a sign of drift.
    """

    stage: Stage
    generation: int
    wide: bool
    round: int
    round_start: int
    round_sizes: tuple[int, ...]
    min_cost: float | None = None
    cost_bound_in_row: int = 0

    @classmethod
    def begin(
        cls, batch_sizes: tuple[int, ...], default_batch_size: int, *, generation: int = 1, wide: bool = False
    ) -> Progress:
        """The first round of a generation over all sizes, ascending."""
        return cls(
            stage=Stage.PRUNING,
            generation=generation,
            wide=wide,
            round=1,
            round_start=default_batch_size,
            round_sizes=batch_sizes,
        )


@dataclass(frozen=True, slots=True)
class GaussianTsArmState:
    """What an arm has seen: count, mean and sum of squared deviations of its rewards (= -cost).

    Updated in place of a history (Welford), so that an arm needs the same room after ten runs and after ten million.
    """

    num_observations: int = 0
    reward_mean: float = 0.0
    reward_m2: float = 0.0

    def observe(self, reward: float) -> GaussianTsArmState:
        """The state after one more reward."""
        count = self.num_observations + 1
        deviation = reward - self.reward_mean
        mean = self.reward_mean + deviation / count
        return GaussianTsArmState(count, mean, self.reward_m2 + deviation * (reward - mean))

    @property
    def reward_variance(self) -> float:
        """Population variance of the rewards [J^2]; 0 before the first."""
        return self.reward_m2 / self.num_observations if self.num_observations else 0.0


@dataclass(frozen=True, slots=True)
class SizeState:
    """What is known about one batch size.

    Attributes:
        batch_size: The size.
        arm: Its rewards in this generation.
        is_arm: It survived pruning.
        converged: Converged trials in this generation.
        ever_converged: It has converged in some generation.
        best_cost: Least cost of its converged trials in this generation [J].
        missed_in_row: Trials of a proven size that ended without converging, in a row.
        barren_in_row: Trials that ended without a result (error or expired), in a row.
        oom_in_row: Times in a row that memory ran out at this size or a smaller one; a result ends the row.
        retired: Why the size is not given any more; None: it is live.
    """

    batch_size: int
    arm: GaussianTsArmState = field(default_factory=GaussianTsArmState)
    is_arm: bool = False
    converged: int = 0
    ever_converged: bool = False
    best_cost: float | None = None
    missed_in_row: int = 0
    barren_in_row: int = 0
    oom_in_row: int = 0
    retired: Retirement | None = None

    @property
    def live(self) -> bool:
        """Whether the size may be given."""
        return self.retired is None


Sizes = Mapping[int, SizeState]
"""All batch sizes of a job by size, ascending."""


class PlaceState(str, Enum):
    """What became of a place in a round's walk."""

    OPEN = "open"
    CONVERGED = "converged"
    UNCONVERGED = "unconverged"


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the current round's walk that an Exploration trial holds or has filled.

    Attributes:
        batch_size: The size.
        state: Open while the trial runs.
        cost: The trial's cost [J], once it is decided.
    """

    batch_size: int
    state: PlaceState
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """What a recurrence is to run, and what the job looks like after this choice.

    Attributes:
        batch_size: The size to run.
        trial_type: What the trial is for.
        round: Round of pruning whose place an Exploration holds; None otherwise.
        uncapped: The run is not stopped by its cost.
        message: What a person should know about the choice.
        progress: The job's progress after the choice.
        sizes: The states of all sizes after the choice.
    """

    batch_size: int
    trial_type: TrialType
    progress: Progress
    sizes: Sizes
    round: int | None = None
    uncapped: bool = False
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What a decided trial taught.

    Attributes:
        progress: The job's progress after the trial.
        sizes: The states of all sizes after the trial.
        reward: The observation [-J].
        rebased: The least cost was replaced, since costs have drifted.
    """

    progress: Progress
    sizes: Sizes
    reward: float
    rebased: bool = False


def nearest(sizes: list[int], anchor: int) -> list[int]:
    """Sort sizes by their distance to the anchor in octaves, the smaller of two equally near ones first."""
    # The ratio, not its logarithm: rounded division gives equal ratios equal values, so that a tie stays one.
    return sorted(sizes, key=lambda size: (max(size, anchor) / min(size, anchor), size))
