"""What the surrogate policy keeps of a run: costs per epoch, epochs to the target, and how much both vary."""

from __future__ import annotations

import math
from dataclasses import replace

from zeus_bso.policy.beliefs import cost_per_epoch, pace_variance
from zeus_bso.policy.curves import blended
from zeus_bso.policy.retirement import after_success
from zeus_bso.policy.values import Knobs, Run, Sizes, SizeState, SurrogateArmState, SurrogateState

FASTER = 2.0
"""When the epochs of a run cost less than those before by more than this factor, the machine is another one."""

OUTLIER_STDS = 3.0
"""But not while the cost per epoch varies so much that it is within so many standard deviations."""

MEMORY_RUNS = 20
"""A size's mean follows its latest runs as if it rested on so many at most: what has drifted is unlearnt."""

LARGEST_CHANGE = 1e6
"""No larger change of the cost per epoch is carried over from one size to the others: a reading was wrong."""


def paid(size: SizeState, run: Run, reward: float) -> SizeState:
    """Whatever came of it, a run tells what an epoch costs, unless its cost was not measured."""
    arm = size.surrogate
    if run.cost > 0.0:
        arm = _remembered(arm, (MEMORY_RUNS - 1) / MEMORY_RUNS) if arm.runs >= MEMORY_RUNS else arm
        arm = replace(arm, cost_sum=arm.cost_sum + run.cost, epoch_sum=arm.epoch_sum + max(1, run.epoch))
    return replace(size, arm=size.arm.observe(reward), surrogate=arm)


def _remembered(arm: SurrogateArmState, share: float) -> SurrogateArmState:
    """The arm with this share of the epochs that its cost per epoch rests on; the cost per epoch stays."""
    if not arm.epoch_sum:
        return arm
    kept = max(1, int(arm.epoch_sum * share))
    return replace(arm, cost_sum=arm.cost_sum / arm.epoch_sum * kept, epoch_sum=kept)


def doubted(sizes: Sizes, run: Run, before: SurrogateArmState) -> Sizes:
    """What was learnt before costs drifted weighs no more than one run, and is taken to have drifted half as far.

    That goes for epochs to the target: the size that showed the drift becomes the mean of one old run and the new one,
    half way between them; with the others moved as far, the order of the sizes stays until they are tried. A change of
    the cost per epoch is the machine's, and so it is carried over to the other sizes as it is.

    Args:
        sizes: What is known about each size.
        run: The run that showed the drift.
        before: What was learnt about its size before it.
    """
    epoch = max(1, run.epoch)
    moved = (math.log(epoch) - before.mean_log_epochs) / 2 if before.runs else 0.0
    dearer = min(max(math.exp(_pace_deviation(before, run)), 1 / LARGEST_CHANGE), LARGEST_CHANGE)
    after = {}
    for size, state in sizes.items():
        arm = state.surrogate
        if size == run.batch_size:
            arm = replace(arm, cost_sum=run.cost, epoch_sum=epoch, runs=min(arm.runs, 1))
        else:
            arm = _remembered(arm, 1 / max(1, arm.runs))
            arm = replace(arm, cost_sum=arm.cost_sum * dearer, last_pace=None)
            if arm.runs:
                arm = replace(arm, runs=1, mean_log_epochs=arm.mean_log_epochs + moved)
        after[size] = replace(state, surrogate=arm)
    return after


def has_sped_up(state: SurrogateState, before: SurrogateArmState, run: Run) -> bool:
    """Whether the epochs of a proven size have become so cheap that the machine must be another one."""
    usual = max(math.log(FASTER), OUTLIER_STDS * math.sqrt(pace_variance(state)))
    return before.last_pace is not None and _pace_deviation(before, run) < -usual


def _pace(run: Run) -> float:
    return cost_per_epoch(run.cost, max(1, run.epoch))


def _pace_deviation(before: SurrogateArmState, run: Run) -> float:
    """By how much the log cost per epoch of a run lies above that of the runs of its size before it."""
    if not before.epoch_sum or before.cost_sum <= 0.0:
        return 0.0
    return math.log(_pace(run) / cost_per_epoch(before.cost_sum, before.epoch_sum))


def with_pace_noise(state: SurrogateState, before: SurrogateArmState, run: Run) -> SurrogateState:
    """The state after one more change of a size's pace.

    Changes from run to run, not deviations from the mean: a machine that has become slower for good counts once.
    """
    if before.last_pace is None:
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
