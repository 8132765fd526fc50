"""What the surrogate policy keeps of a run: costs per epoch, epochs to the target, and how much both vary."""

from __future__ import annotations

import math
from dataclasses import replace

from zeus_bso.policy.beliefs import cost_per_epoch, pace_variance
from zeus_bso.policy.curves import blended
from zeus_bso.policy.retirement import after_success
from zeus_bso.policy.values import Knobs, Run, Sizes, SizeState, SurrogateArmState, SurrogateState

OTHER_MACHINE = 2.0
"""When the cost per epoch of a size changes by more than this factor, the machine is another one."""

OUTLIER_STDS = 4.0
"""But not where it varies so much from run to run that the change is within so many standard deviations."""

MEMORY_RUNS = 20
"""A size's mean follows its latest runs as if it rested on so many at most: what has drifted is unlearnt."""

OUTLIER_DOF = 10
"""And not before so many changes have told how much it varies."""

LARGEST_CHANGE = 1e6
"""No larger change of the cost per epoch is carried over from one size to the others: a reading was wrong."""


def paid(size: SizeState, run: Run, reward: float) -> SizeState:
    """Whatever came of it, a run tells what an epoch costs, unless its cost was not measured."""
    arm = size.surrogate
    if run.cost > 0.0:
        arm = _remembered(arm, (MEMORY_RUNS - 1) / MEMORY_RUNS) if arm.runs >= MEMORY_RUNS else arm
        last = _pace(run) if size.converged else None
        arm = replace(
            arm, cost_sum=arm.cost_sum + run.cost, epoch_sum=arm.epoch_sum + max(1, run.epoch), last_pace=last
        )
    return replace(size, arm=size.arm.observe(reward), surrogate=arm)


def _remembered(arm: SurrogateArmState, share: float) -> SurrogateArmState:
    """The arm with this share of the epochs that its cost per epoch rests on; the cost per epoch stays."""
    if not arm.epoch_sum:
        return arm
    kept = max(1, int(arm.epoch_sum * share))
    return replace(arm, cost_sum=arm.cost_sum / arm.epoch_sum * kept, epoch_sum=kept)


def doubted(sizes: Sizes, run: Run, before: SurrogateArmState, change: float) -> Sizes:
    """What was learnt before costs drifted weighs no more than one run, and is taken to have drifted half as far.

    That goes for epochs to the target: the size that showed the drift becomes the mean of one old run and the new one,
    half way between them; with the others moved as far, the order of the sizes stays until they are tried. If the
    machine is another one, the cost per epoch of all sizes changes as it does.

    Args:
        sizes: What is known about each size.
        run: The run that showed the drift.
        before: What was learnt about its size before it.
        change: Of :func:`machine_change`.
    """
    moved = (math.log(max(1, run.epoch)) - before.mean_log_epochs) / 2 if before.runs else 0.0
    after = {}
    for size, state in sizes.items():
        arm = state.surrogate
        own = size == run.batch_size
        if change and own:
            arm = replace(arm, cost_sum=run.cost, epoch_sum=max(1, run.epoch))
        elif change:
            arm = _remembered(arm, 1 / max(1, arm.runs))
            arm = replace(arm, cost_sum=arm.cost_sum * math.exp(change), last_pace=None)
        if arm.runs:
            arm = replace(arm, runs=1, mean_log_epochs=arm.mean_log_epochs + (0.0 if own else moved))
        after[size] = replace(state, surrogate=arm)
    return after


def machine_change(state: SurrogateState, before: SurrogateArmState, run: Run) -> float:
    """By how much the log cost per epoch of a proven size has changed; 0: no more than it does from run to run."""
    known = state.pace_dof >= OUTLIER_DOF and before.last_pace is not None
    if not known or not before.epoch_sum or before.cost_sum <= 0.0:
        return 0.0
    change = math.log(_pace(run) / cost_per_epoch(before.cost_sum, before.epoch_sum))
    usual = max(math.log(OTHER_MACHINE), OUTLIER_STDS * math.sqrt(pace_variance(state) * (1 + 1 / max(1, before.runs))))
    if abs(change) <= usual:
        return 0.0
    return min(max(change, -math.log(LARGEST_CHANGE)), math.log(LARGEST_CHANGE))


def _pace(run: Run) -> float:
    return cost_per_epoch(run.cost, max(1, run.epoch))


def with_pace_noise(state: SurrogateState, before: SurrogateArmState, run: Run) -> SurrogateState:
    """The state after one more change of a size's pace.

    Changes from run to run, not deviations from the mean: a machine that has become slower for good counts once.
    """
    if before.last_pace is None or run.cost <= 0.0:
        return state
    change = math.log(_pace(run) / before.last_pace)
    return replace(state, pace_ss=state.pace_ss + change**2 / 2, pace_dof=state.pace_dof + 1)


def success(
    knobs: Knobs, state: SurrogateState, size: SizeState, run: Run, *, noisy: bool
) -> tuple[SurrogateState, SizeState]:
    """What a converged run teaches of epochs to the target; ``noisy``: also of how much they vary."""
    arm = size.surrogate
    if not size.converged:
        arm = replace(arm, runs=0, mean_log_epochs=0.0, guess=None)
    log_epochs = math.log(max(1, run.epoch))
    deviation = log_epochs - arm.mean_log_epochs
    if arm.runs and noisy:
        state = replace(
            state,
            noise_ss=state.noise_ss + arm.runs / (arm.runs + 1) * deviation**2,
            noise_dof=state.noise_dof + 1,
        )
    arm = replace(observed(arm, log_epochs), last_pace=_pace(run), curve=blended(knobs, arm.curve, run.curve))
    return state, replace(after_success(size, run.cost), surrogate=arm, is_arm=True)


def observed(arm: SurrogateArmState, log_epochs: float) -> SurrogateArmState:
    """The arm after one more run of so many epochs."""
    count = min(arm.runs + 1, MEMORY_RUNS)
    return replace(arm, runs=count, mean_log_epochs=arm.mean_log_epochs + (log_epochs - arm.mean_log_epochs) / count)
