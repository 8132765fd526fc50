"""What the surrogate policy keeps of a run: costs per epoch, epochs to the target, and how much both vary."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from zeus_bso.policy.retirement import after_success
from zeus_bso.policy.state import Knobs, RunState, Sizes, SizeState, SurrogateArmState, SurrogateState
from zeus_bso.policy.surrogate.beliefs import cost_per_epoch, noise_variance, pace_variance, runs_remembered
from zeus_bso.policy.surrogate.curves import blended

OTHER_MACHINE = 2.0
"""When the cost per epoch of a size changes by more than this factor, the machine is another one."""

OUTLIER_STDS = 4.0
"""But not where it varies so much from run to run that the change is within so many standard deviations."""

MEMORY_RUNS = 20
"""A size's mean follows its latest runs as if it rested on so many at most: what has drifted is unlearnt."""

OUTLIER_DOF = 10
"""And not before so many changes have told how much it varies."""

TREND_SHARE = 0.1
"""What the latest run counts for in the running mean of surprises."""

TREND_STDS = 0.8
"""When the running mean is farther from 0, epochs drift steadily: by chance it is so far in one run of two thousand."""

TREND_GAIN = 0.6
"""Then their level follows each run by so much of what it was off."""

JUMP_GAIN = 0.5
"""The level of epochs moves by so much of a surprise that shows that costs have drifted."""

JUMP_TREND = 2 * TREND_STDS
"""Thereafter the running mean of surprises is taken to be so far from 0: the level follows the next few runs."""

PACE_DRIFT_STD, EPOCHS_DRIFT_STD = 0.015, 0.004
"""What all sizes drift by, in common, from run to run: standard deviations of log cost per epoch and log epochs."""

TELLING_RUNS = 2
"""A size tells of drift when it has run so often before."""

CLIPPED_STDS = 2.5
MOST_GAIN = 0.5
LARGEST_LEVEL = 50.0

LARGEST_CHANGE = 1e6
"""No larger change of the cost per epoch is carried over from one size to the others: a reading was wrong."""


@dataclass(frozen=True, slots=True)
class RunCost:
    """The parts of a run's cost.

    Attributes:
        warm_up: What its first part cost beyond as many later epochs [J]; None: it cannot be told.
        cost: Cost of the epochs without the warm-up [J].
        epochs: How many these are; where the first part can be told from the others, without it.
        log_needed: Logarithm of all epochs of the run.
    """

    warm_up: float | None
    cost: float
    epochs: int
    log_needed: float

    @property
    def pace(self) -> float:
        """Cost per epoch, above 0 [J]."""
        return cost_per_epoch(self.cost, self.epochs)


def split_cost(run: RunState, warm_up: float) -> RunCost:
    """The parts of a run's cost: its first report tells what is particular to the first part.

    Args:
        run: The run.
        warm_up: What the warm-up is believed to cost, for a run that has reported once only [J].
    """
    epochs, needed = run.epoch - run.first_epoch, math.log(max(1, run.epoch))
    if run.first_cost is None or epochs < 1 or not 0.0 <= run.first_cost < run.cost:
        return RunCost(None, run.cost - min(warm_up, run.cost / 2), max(1, run.epoch), needed)
    cost = run.cost - run.first_cost
    return RunCost(run.first_cost - run.first_epoch * cost / epochs, cost, epochs, needed)


def without_drift(state: SurrogateState, found: RunCost) -> RunCost:
    """The parts of a run's cost, counted from the level to which all costs have drifted."""
    cost = found.cost * math.exp(-state.pace_level)
    return replace(found, cost=cost, log_needed=found.log_needed - state.epochs_level)


def follow_drift(state: SurrogateState, before: SurrogateArmState, found: RunCost) -> SurrogateState:
    """The state after one more run of a size that is known: all costs are taken to drift a little as it does.

    The gain is that of a Kalman filter whose level moves so little from run to run that noise is most of a surprise.
    When run after run takes more epochs than believed, or fewer, the level follows faster.

    Source:
        Trigg and Leach, Exponential Smoothing with an Adaptive Response Rate (1967).
    """
    if before.runs < TELLING_RUNS or found.cost <= 0.0 or before.cost_sum <= 0.0:
        return state
    variance = pace_variance(state)
    # The mean of costs lies above the exponential of the mean logarithm.
    pace = math.log(found.pace / cost_per_epoch(before.cost_sum, before.epoch_sum)) + variance / 2
    state = replace(state, pace_level=_filtered_level(state.pace_level, pace, variance, PACE_DRIFT_STD))
    return _follow_epochs(state, before, found.log_needed - before.mean_log_epochs)


def _follow_epochs(state: SurrogateState, before: SurrogateArmState, surprise: float) -> SurrogateState:
    noise = noise_variance(state)
    off = surprise / math.sqrt(noise * (1 + 1 / runs_remembered(state, before)))
    trend = (1 - TREND_SHARE) * state.epochs_trend + TREND_SHARE * min(max(off, -CLIPPED_STDS), CLIPPED_STDS)
    if abs(trend) <= TREND_STDS:
        level = _filtered_level(state.epochs_level, surprise, noise, EPOCHS_DRIFT_STD)
        return replace(state, epochs_level=level, epochs_trend=trend)
    return replace(_with_level(state, state.epochs_level + TREND_GAIN * surprise), epochs_trend=trend)


def follow_jump(state: SurrogateState, before: SurrogateArmState, found: RunCost) -> SurrogateState:
    """The state after a run that showed that costs have drifted: half of its surprise is common to all sizes.

    The level follows the next runs as fast as it does a steady drift: if that was bad luck, it is back within a few.
    """
    if not before.runs:
        return state
    surprise = found.log_needed - before.mean_log_epochs
    state = _with_level(state, state.epochs_level + JUMP_GAIN * surprise)
    return replace(state, epochs_trend=math.copysign(JUMP_TREND, surprise))


def counted_from(
    after: SurrogateState, before: SurrogateState, arm: SurrogateArmState, found: RunCost
) -> tuple[SurrogateArmState, RunCost]:
    """The size and the run that have moved the level of epochs, counted from the new level.

    Only what the level leaves of a surprise is the size's own. The size is not the less known for what it has shown.
    """
    moved = after.epochs_moved - before.epochs_moved
    return replace(arm, moved=arm.moved + moved), replace(found, log_needed=found.log_needed - moved)


def _with_level(state: SurrogateState, level: float) -> SurrogateState:
    level = min(max(level, -LARGEST_LEVEL), LARGEST_LEVEL)
    return replace(state, epochs_level=level, epochs_moved=state.epochs_moved + level - state.epochs_level)


def _filtered_level(level: float, surprise: float, variance: float, drift_std: float) -> float:
    most = CLIPPED_STDS * math.sqrt(variance)
    gain = min(MOST_GAIN, drift_std / math.sqrt(variance))
    return min(max(level + gain * min(max(surprise, -most), most), -LARGEST_LEVEL), LARGEST_LEVEL)


def add_cost(size: SizeState, run: RunState, found: RunCost, reward: float, started: int) -> SizeState:
    """Whatever came of it, a run tells what an epoch costs, unless its cost was not measured.

    Args:
        size: What is known about its size.
        run: The run.
        found: The parts of its cost.
        reward: The observation that the arm gets [-J].
        started: Recurrences started so far.
    """
    arm = replace(size.surrogate, seen=started)
    if run.cost > 0.0:
        arm = _scale_history(arm, (MEMORY_RUNS - 1) / MEMORY_RUNS) if arm.runs >= MEMORY_RUNS else arm
        last = found.pace if size.converged else None
        arm = replace(arm, cost_sum=arm.cost_sum + found.cost, epoch_sum=arm.epoch_sum + found.epochs, last_pace=last)
        if found.warm_up is not None:
            runs = min(arm.warm_up_runs + 1, MEMORY_RUNS)
            arm = replace(arm, warm_up_runs=runs, warm_up=arm.warm_up + (found.warm_up - arm.warm_up) / runs)
    return replace(size, arm=size.arm.observe(reward), surrogate=arm)


def _scale_history(arm: SurrogateArmState, share: float) -> SurrogateArmState:
    """The arm with this share of the epochs that its cost per epoch rests on; the cost per epoch stays."""
    if not arm.epoch_sum:
        return arm
    kept = max(1, int(arm.epoch_sum * share))
    return replace(arm, cost_sum=arm.cost_sum / arm.epoch_sum * kept, epoch_sum=kept)


def on_another_machine(sizes: Sizes, run: RunState, found: RunCost, change: float) -> Sizes:
    """The cost per epoch of all sizes changes as the machine does, and what was learnt weighs no more than one run.

    Args:
        sizes: What is known about each size.
        run: The run that showed the change.
        found: The parts of its cost.
        change: Of :func:`machine_change`.
    """
    after = {}
    for size, state in sizes.items():
        arm = state.surrogate
        if size == run.batch_size:
            arm = replace(arm, cost_sum=found.cost, epoch_sum=found.epochs)
        else:
            arm = _scale_history(arm, 1 / max(1, arm.runs))
            arm = replace(arm, cost_sum=arm.cost_sum * math.exp(change), last_pace=None)
        after[size] = replace(state, surrogate=replace(arm, runs=min(arm.runs, 1)))
    return after


def machine_change(state: SurrogateState, before: SurrogateArmState, found: RunCost) -> float:
    """By how much the log cost per epoch of a proven size has changed; 0: no more than it does from run to run."""
    known = state.pace_dof >= OUTLIER_DOF and before.last_pace is not None
    if not known or not before.epoch_sum or before.cost_sum <= 0.0:
        return 0.0
    change = math.log(found.pace / cost_per_epoch(before.cost_sum, before.epoch_sum))
    usual = max(math.log(OTHER_MACHINE), OUTLIER_STDS * math.sqrt(pace_variance(state) * (1 + 1 / max(1, before.runs))))
    if abs(change) <= usual:
        return 0.0
    return min(max(change, -math.log(LARGEST_CHANGE)), math.log(LARGEST_CHANGE))


def add_pace_change(state: SurrogateState, before: SurrogateArmState, found: RunCost) -> SurrogateState:
    """The state after one more change of a size's pace.

    Changes from run to run, not deviations from the mean: a machine that has become slower for good counts once.
    """
    if before.last_pace is None or found.cost <= 0.0:
        return state
    change = math.log(found.pace / before.last_pace)
    return replace(state, pace_ss=state.pace_ss + change**2 / 2, pace_dof=state.pace_dof + 1)


def add_success(knobs: Knobs, state: SurrogateState, size: SizeState, run: RunState, found: RunCost) -> SizeState:
    """What a converged run teaches of epochs to the target at its size."""
    arm = size.surrogate
    arm = replace(
        add_epochs(state, arm, found.log_needed),
        guess=None,
        last_pace=found.pace,
        curve=blended(knobs, arm.curve, run.curve),
        stops=0,
    )
    return replace(after_success(size, run.cost), surrogate=arm, is_arm=True)


def add_epochs_noise(state: SurrogateState, before: SurrogateArmState, log_epochs: float) -> SurrogateState:
    """The state after one more converged run of a size, as far as it tells how much epochs vary."""
    if not before.runs:
        return state
    deviation, remembered = log_epochs - before.mean_log_epochs, runs_remembered(state, before)
    return replace(
        state,
        noise_ss=state.noise_ss + remembered / (remembered + 1) * deviation**2,
        noise_dof=state.noise_dof + 1,
    )


def add_epochs(state: SurrogateState, arm: SurrogateArmState, log_epochs: float) -> SurrogateArmState:
    """The arm after one more run of so many epochs."""
    remembered = round(runs_remembered(state, arm)) if arm.runs else 0
    count = min(remembered + 1, MEMORY_RUNS)
    mean = arm.mean_log_epochs + (log_epochs - arm.mean_log_epochs) / count
    return replace(arm, runs=count, mean_log_epochs=mean, moved=state.epochs_moved)
