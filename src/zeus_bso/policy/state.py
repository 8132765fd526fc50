"""The values that the policy reads and returns.

Everything is frozen: a function of this package returns new values and changes none. Costs and energies are joules,
times seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from zeus_bso.policy.ancestor import Ancestor
from zeus_bso.protocol.words import Stage, TrialType


class Retirement(str, Enum):
    """Why a batch size is not given any more."""

    MISSED = "unconverged"
    FAILURES = "failures"
    OOM = "oom"


@dataclass(frozen=True, slots=True)
class Target:
    """What a run is to reach, and by when.

    Attributes:
        metric: The validation metric at which it has converged.
        higher_is_better: Whether the metric rises as the model improves.
        max_epochs: Epochs after which it has missed its target.
    """

    metric: float
    higher_is_better: bool
    max_epochs: int


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
        curve_stop: The surrogate also stops a run whose learning curve says that it would cost too much.
        ancestor: The job whose beliefs the surrogate begins with; None: it knows nothing.
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
    curve_stop: bool = True
    ancestor: Ancestor | None = None

    @property
    def target(self) -> Target:
        """What each run is to reach."""
        return Target(self.target_metric, self.higher_is_better_metric, self.max_epochs)


@dataclass(frozen=True, slots=True)
class SurrogateState:
    """What the surrogate policy knows about a job as a whole.

    Attributes:
        noise_ss: Pooled sum of squared deviations of log epochs-to-target.
        noise_dof: Its degrees of freedom.
        pace_ss: Pooled sum of squared changes of the log cost per epoch from one run of a size to its next, halved.
        pace_dof: How many changes.
        started: Recurrences started, without the retries.
        retries_owed: Runs that ended without converging and have not been made good yet.
        incumbent: The live size of least believed cost among those that converged; None: there is none.
        incumbent_cost: Its believed cost [J].
        spent: Cost of all runs that were decided [J].
        look_spent: What second looks have cost beyond runs of the incumbent [J].
        looking_at: The size that a second look is under way at; None: there is none.
        pace_level: By how much the log cost per epoch of all sizes has drifted; what a size keeps is counted from it.
        epochs_level: The same for log epochs-to-target.
        epochs_trend: Running mean of how far runs of known sizes took more epochs than believed [standard deviations].
        epochs_moved: How far the level of log epochs has moved in all because they drifted steadily, or jumped.
        dear_before: Whether the latest run of a size that had converged before cost more than the bound.
        larger_first: Before anything has converged, of two equally near sizes the larger one is tried first.
    """

    noise_ss: float = 0.0
    noise_dof: int = 0
    pace_ss: float = 0.0
    pace_dof: int = 0
    started: int = 0
    retries_owed: int = 0
    incumbent: int | None = None
    incumbent_cost: float | None = None
    spent: float = 0.0
    look_spent: float = 0.0
    looking_at: int | None = None
    pace_level: float = 0.0
    epochs_level: float = 0.0
    epochs_trend: float = 0.0
    epochs_moved: float = 0.0
    dear_before: bool = False
    larger_first: bool = False


@dataclass(frozen=True, slots=True)
class SurrogateArmState:
    """What the surrogate policy has learnt about one batch size.

    Attributes:
        runs: Runs that the mean rests on; no more than the policy remembers.
        mean_log_epochs: Mean of the logarithm of epochs-to-target.
        moved: ``epochs_moved`` of the job at the latest of these runs.
        guess: Logarithm of epochs-to-target, guessed after a run that was stopped; None once a run has converged.
        cost_sum: Cost of the runs that are remembered [J].
        epoch_sum: Their epochs.
        last_pace: Cost per epoch of its latest run since it has converged [J]; None: there is none to compare with.
        curve: Reference learning curve: metric levels, each with the epoch at which it is passed.
        warm_up_runs: Runs that the mean warm-up rests on; no more than the policy remembers.
        warm_up: What the first part of a run costs beyond as many later epochs, mean [J].
        stops: Runs in a row that were stopped, or that diverged.
        seen: Recurrences that had started when it was last decided, or looked at again.
    """

    runs: int = 0
    mean_log_epochs: float = 0.0
    moved: float = 0.0
    guess: float | None = None
    cost_sum: float = 0.0
    epoch_sum: int = 0
    last_pace: float | None = None
    curve: tuple[tuple[float, float], ...] = ()
    warm_up_runs: int = 0
    warm_up: float = 0.0
    stops: int = 0
    seen: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is in its generation.

    Attributes:
        stage: Pruning, then MAB.
        generation: Counts the fresh starts of the job.
        try_all_sizes: Nothing converged in the generation before, so this one tries every size.
        round: Round of pruning, from 1.
        round_start: Batch size at which the round's walk starts.
        round_sizes: Batch sizes of the round, ascending.
        min_cost: Least cost of a converged trial [J]; None before the first.
        cost_bound_in_row: Cost-bound ends of proven sizes since the last other end: two are a sign of drift.
        surrogate: What the surrogate policy knows about the job as a whole.
    """

    stage: Stage
    generation: int
    try_all_sizes: bool
    round: int
    round_start: int
    round_sizes: tuple[int, ...]
    min_cost: float | None = None
    cost_bound_in_row: int = 0
    surrogate: SurrogateState = field(default_factory=SurrogateState)

    @classmethod
    def begin(
        cls, batch_sizes: tuple[int, ...], default_batch_size: int, *, generation: int = 1, try_all_sizes: bool = False
    ) -> Progress:
        """The first round of a generation over all sizes, ascending."""
        return cls(
            stage=Stage.PRUNING,
            generation=generation,
            try_all_sizes=try_all_sizes,
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
        surrogate: What the surrogate policy has learnt about it in this generation.
        is_arm: It survived pruning.
        converged: Converged trials in this generation.
        ever_converged: It has converged in some generation.
        best_cost: Least cost of its converged trials in this generation [J].
        missed_in_row: Trials that were decided without converging, in a row.
        no_result_in_row: Trials that ended without a result (error or expired), in a row.
        oom_in_row: Times in a row that memory ran out at this size or a smaller one; a result ends the row.
        retired: Why the size is not given any more; None: it is live.
    """

    batch_size: int
    arm: GaussianTsArmState = field(default_factory=GaussianTsArmState)
    surrogate: SurrogateArmState = field(default_factory=SurrogateArmState)
    is_arm: bool = False
    converged: int = 0
    ever_converged: bool = False
    best_cost: float | None = None
    missed_in_row: int = 0
    no_result_in_row: int = 0
    oom_in_row: int = 0
    retired: Retirement | None = None

    @property
    def live(self) -> bool:
        """Whether the size may be given."""
        return self.retired is None


Sizes = Mapping[int, SizeState]
"""All batch sizes of a job by size, ascending."""


class SlotState(str, Enum):
    """What became of a place in a round's walk."""

    OPEN = "open"
    CONVERGED = "converged"
    UNCONVERGED = "unconverged"


@dataclass(frozen=True, slots=True)
class RoundSlot:
    """A slot in the current round's walk that an Exploration trial holds or has filled.

    Attributes:
        batch_size: The size.
        state: Open while the trial runs.
        cost: The trial's cost [J], once it is decided.
    """

    batch_size: int
    state: SlotState
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class ChoiceInput:
    """What a policy looks at when it chooses.

    Attributes:
        knobs: The job's knobs.
        progress: How far the job is.
        sizes: What is known about each size.
        slots: The places of the current round that are held or filled.
        in_flight: Open trials of this generation by batch size.
        uncapped_open: A trial without a cost bound runs already, so drift needs no second one.
        windows: The latest rewards of each arm, when the job looks at a window only.
    """

    knobs: Knobs
    progress: Progress
    sizes: Sizes
    slots: Sequence[RoundSlot] = ()
    in_flight: Mapping[int, int] = field(default_factory=dict)
    uncapped_open: bool = False
    windows: Mapping[int, GaussianTsArmState] | None = None


Curve = Sequence[tuple[int, float | None]]
"""A run's evaluations in order: epoch and metric; None: the metric was not finite."""


@dataclass(frozen=True, slots=True)
class RunState:
    """A run, as its latest report tells.

    Attributes:
        batch_size: Its batch size.
        cost: Its cost so far [J].
        epoch: Epochs trained so far.
        epoch_before: Epochs trained at the report before.
        metric: Its latest metric; None: it was not finite.
        non_finite_before: Metrics in a row before this one that were not finite.
        uncapped: It is not stopped by its cost.
        final: The script has ended by itself.
        epoch_bound: It is stopped after so many epochs; None: it is not.
        first_epoch: Epochs trained at its first report.
        first_cost: Its cost at its first report [J]; None: it is not known.
        power_share: Its mean power as a share of the greatest possible; None: it is not known.
        curve: Its evaluations up to this one; empty where the policy does not ask for them.
    """

    batch_size: int
    cost: float
    epoch: int
    epoch_before: int = 0
    metric: float | None = None
    non_finite_before: int = 0
    uncapped: bool = False
    final: bool = False
    epoch_bound: int | None = None
    first_epoch: int = 1
    first_cost: float | None = None
    power_share: float | None = None
    curve: Curve = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """What a recurrence is to run, and what the job looks like after this choice.

    Attributes:
        batch_size: The size to run.
        trial_type: What the trial is for.
        round: Round of pruning whose place an Exploration holds; None otherwise.
        uncapped: The run is not stopped by its cost.
        epoch_bound: The run is stopped after so many epochs; None: it is not.
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
    epoch_bound: int | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a decided trial taught.

    Attributes:
        progress: The job's progress after the trial.
        sizes: The states of all sizes after the trial.
        reward: The observation [-J].
    """

    progress: Progress
    sizes: Sizes
    reward: float


def nearest(sizes: list[int], anchor: int) -> list[int]:
    """Sort sizes by their distance to the anchor in octaves, the smaller of two equally near ones first."""
    return sorted(sizes, key=lambda size: (distance(size, anchor), size))


def distance(size: int, anchor: int) -> float:
    """The ratio of two sizes, 1 or more."""
    # Not its logarithm: rounded division gives equal ratios equal values, so that a tie stays one.
    return max(size, anchor) / min(size, anchor)
