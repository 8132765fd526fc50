"""The surrogate policy: cost is smooth in the batch size, so each run teaches about its neighbours too.

Beliefs about the cost of every size (:mod:`.beliefs`) replace the rounds of exploration; the knowledge
gradient says which size is worth trying, and learning curves say early which run is not worth finishing. It draws no
random numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from zeus_bso.policy.generation import begin_generation, clear_failures, last_to_fail, no_size_converges, smallest_again
from zeus_bso.policy.retirement import after_stop, ended_by_script
from zeus_bso.policy.state import (
    Choice,
    ChoiceInput,
    Knobs,
    Lesson,
    Progress,
    Retirement,
    RunState,
    Sizes,
    SurrogateArmState,
    SurrogateState,
)
from zeus_bso.policy.stop import Verdict, target_reached
from zeus_bso.policy.stop import judge as judge_by_cost
from zeus_bso.policy.surrogate.beliefs import LogCost, beliefs_of, cost_per_epoch, warm_ups_of
from zeus_bso.policy.surrogate.curves import is_due, slowness
from zeus_bso.policy.surrogate.inherited import FirstRun, first_run
from zeus_bso.policy.surrogate.learning import (
    add_cost,
    add_epochs,
    add_epochs_noise,
    add_pace_change,
    add_success,
    counted_from,
    follow_drift,
    follow_jump,
    machine_change,
    on_another_machine,
    split_cost,
    without_drift,
)
from zeus_bso.policy.surrogate.selection import before_any_converged, most_worthwhile, second_look
from zeus_bso.protocol.words import INT32_MAX, Outcome, Stage, TrialType
from zeus_bso.units import counted, energy, plain

STOPPED_FACTOR = 1.5
"""A run that was stopped is guessed to have needed so many times what it was allowed."""

IDLE_POWER_SHARE = 0.6
"""A run that draws less of the greatest possible power leaves the device idle: a larger batch is the better guess."""

FIRST_JUDGED_EPOCH = 2
"""The first epoch warms up, and says nothing about how a run will go on."""

_SECOND_LOOK = "This batch size was not tried for long; it is looked at again, lest a wrong belief lasts."
_RETRY = "The run before did not converge; this one takes the best known batch size, without a cost bound."


def choose(choice_input: ChoiceInput) -> Choice:
    """Choose what the next recurrence runs.

    Before anything has converged: the live size nearest to the default. After a run that did not converge: the
    incumbent, without a bound. Else the size whose believed extra cost, less what its result is worth to the runs to
    come, is the least.
    """
    knobs, progress, sizes = choice_input.knobs, choice_input.progress, choice_input.sizes
    live = [size for size, state in sizes.items() if state.live]
    if not live and all(state.retired is Retirement.OOM for state in sizes.values()):
        return replace(smallest_again(progress, sizes), trial_type=TrialType.MAB)
    if not live:
        failed = last_to_fail(knobs, progress, sizes)
        progress, sizes = begin_generation(knobs, progress, sizes, failed=failed)
        live = [size for size, state in sizes.items() if state.live]
    message = no_size_converges(knobs) if progress.try_all_sizes and progress.min_cost is None else None
    beliefs = beliefs_of(knobs, progress, sizes)
    begun = _begun(progress, _with_incumbent(progress.surrogate, sizes, beliefs), choice_input.in_flight)
    state = begun.surrogate
    if state.incumbent is None:
        inherited = first_run_of(knobs, sizes)
        if inherited is not None:
            return _begin_as_ancestor(inherited, begun, sizes)
        first = before_any_converged(state, live, progress.round_start, choice_input.in_flight)
        return Choice(first, TrialType.MAB, begun, sizes, message=message)
    if progress.surrogate.retries_owed > 0:
        return Choice(state.incumbent, TrialType.MAB, begun, sizes, uncapped=True, message=_RETRY)
    batch_size = most_worthwhile(knobs, state, sizes, beliefs, choice_input.in_flight)
    if batch_size != state.incumbent:
        return Choice(batch_size, TrialType.MAB, begun, sizes, message=message)
    looked_at = second_look(knobs, state, sizes, beliefs, choice_input.in_flight)
    if looked_at is None:
        return Choice(batch_size, TrialType.MAB, begun, sizes, message=message)
    return _look_at(looked_at, begun, sizes)


def first_run_of(knobs: Knobs, sizes: Sizes) -> FirstRun | None:
    """What the job's ancestor says that it should run first; None: it has run, begun anew, or has no such ancestor."""
    if knobs.ancestor is None or not knobs.ancestor.advises:
        return None
    live = [size for size, state in sizes.items() if state.live]
    return first_run(knobs.ancestor, knobs.default_batch_size, tuple(sizes), live)


def _begin_as_ancestor(first: FirstRun, begun: Progress, sizes: Sizes) -> Choice:
    message = "The job with whose results this one began found this batch size the cheapest for the same task."
    return Choice(first.batch_size, TrialType.MAB, begun, sizes, epoch_bound=first.epoch_bound, message=message)


def is_exploring(knobs: Knobs, progress: Progress, sizes: Sizes) -> bool:
    """Whether another size than the best known is worth a try. Neither an owed retry nor a second look counts."""
    progress = replace(progress, surrogate=replace(progress.surrogate, retries_owed=0))
    choice = choose(ChoiceInput(knobs, progress, sizes))
    return choice.message != _SECOND_LOOK and choice.batch_size != incumbent_of(knobs, choice.progress, choice.sizes)


def _look_at(size: int, begun: Progress, sizes: Sizes) -> Choice:
    begun = replace(begun, surrogate=replace(begun.surrogate, looking_at=size))
    # Also where the look comes to no decision, the size is not due at once again.
    arm = replace(sizes[size].surrogate, seen=begun.surrogate.started)
    return Choice(
        size, TrialType.MAB, begun, {**sizes, size: replace(sizes[size], surrogate=arm)}, message=_SECOND_LOOK
    )


def _begun(progress: Progress, state: SurrogateState, in_flight: Mapping[int, int]) -> Progress:
    """The progress with one more recurrence, which may owe a retry to one that did not converge."""
    if state.looking_at is not None and not in_flight.get(state.looking_at):
        state = replace(state, looking_at=None)
    if state.retries_owed:
        return replace(progress, surrogate=replace(state, retries_owed=state.retries_owed - 1))
    return replace(progress, surrogate=replace(state, started=state.started + 1))


def cost_bound(knobs: Knobs, progress: Progress, *, uncapped: bool) -> float | None:
    """Cost at which a run is stopped [J]: ``beta_knob`` times the incumbent's believed cost; None: it is not."""
    believed = progress.surrogate.incumbent_cost
    if uncapped or knobs.beta_knob is None or believed is None:
        return None
    bound = knobs.beta_knob * believed
    return bound if math.isfinite(bound) else None


def judge(knobs: Knobs, progress: Progress, sizes: Sizes, run: RunState) -> Verdict:
    """Judge a report: by cost, target and epochs, and at a size that has not converged yet by its learning curve too.

    The run is stopped when what remains of it is expected to cost more than starting the incumbent afresh.
    """
    verdict = judge_by_cost(
        knobs.target,
        cost=run.cost,
        metric=run.metric,
        epoch=run.epoch,
        bound=cost_bound(knobs, progress, uncapped=run.uncapped),
        non_finite_before=run.non_finite_before,
        epoch_bound=run.epoch_bound,
        final=run.final,
    )
    state = progress.surrogate
    if verdict.outcome is not None or run.uncapped or state.incumbent is None or state.incumbent_cost is None:
        return verdict
    if not is_due(run.epoch_before, run.epoch):
        return verdict
    predicted = predicted_epochs(knobs, progress, sizes, run)
    if predicted is None:
        return verdict
    remaining = split_cost(run, 0.0).pace * (predicted - run.epoch)
    if remaining <= state.incumbent_cost:
        return verdict
    more, other = (plain(energy(cost)) for cost in (remaining, state.incumbent_cost))
    epochs = plain(counted(round(predicted), "epoch"))
    message = (
        f"Stopped: by its learning curve the run would need {epochs}, a cost of another {more}; "
        f"a whole run with {state.incumbent} is believed to cost {other}."
    )
    return replace(verdict, outcome=Outcome.CURVE_STOP, message=message)


def sizes_to_judge(knobs: Knobs, progress: Progress, run: RunState) -> tuple[int, ...]:
    """The sizes that :func:`judge` looks at; empty: by its learning curve the run is not judged now."""
    incumbent = progress.surrogate.incumbent
    if not knobs.curve_stop or run.uncapped or incumbent is None or run.batch_size == incumbent:
        return ()
    if run.epoch < FIRST_JUDGED_EPOCH or not run.epoch_before:
        return ()
    return (run.batch_size, incumbent) if is_due(run.epoch_before, run.epoch) else ()


def predicted_epochs(knobs: Knobs, progress: Progress, sizes: Sizes, run: RunState) -> float | None:
    """Epochs that a run is expected to need at least, by its learning curve; None: it is not judged by it."""
    incumbent = progress.surrogate.incumbent
    if not knobs.curve_stop or incumbent is None or run.batch_size == incumbent:
        return None
    if run.epoch < FIRST_JUDGED_EPOCH or len(run.curve) < FIRST_JUDGED_EPOCH or sizes[run.batch_size].converged:
        return None
    reference = sizes[incumbent].surrogate
    return slowness(knobs, reference.curve, run.curve) * math.exp(
        reference.mean_log_epochs + progress.surrogate.epochs_level
    )


def conclude(
    knobs: Knobs, progress: Progress, sizes: Sizes, run: RunState, outcome: Outcome, *, reward: float
) -> Lesson:
    """Learn from a trial of this generation that was decided; see :func:`learn_run`."""
    lesson = learn_run(knobs, progress, sizes, run, outcome, reward=reward)
    return replace(lesson, progress=recalibrated(knobs, lesson.progress, lesson.sizes))


def learn_run(
    knobs: Knobs, progress: Progress, sizes: Sizes, run: RunState, outcome: Outcome, *, reward: float
) -> Lesson:
    """Learn from a run, without working out the incumbent anew.

    When a run without a bound converges beyond the bound, costs have drifted if the run of a proven size before it was
    as dear, or if the machine has become slower. Then the sizes that the old bound retired come back. Half of a
    surprise in epochs is common to all sizes. One such run alone may be bad luck.

    Args:
        knobs: The job's knobs.
        progress: How far the job is.
        sizes: What is known about each size.
        run: The run, with its curve.
        outcome: What was decided.
        reward: The observation that its arm gets [-J].
    """
    state, before = progress.surrogate, sizes[run.batch_size].surrogate
    found = without_drift(state, split_cost(run, warm_ups_of(sizes).get(run.batch_size, 0.0)))
    sizes = {**sizes, run.batch_size: add_cost(sizes[run.batch_size], run, found, reward, state.started)}
    change = machine_change(state, before, found)
    state = _with_expense(add_pace_change(state, before, found), run, outcome)
    if outcome is Outcome.CONVERGED:
        bound = cost_bound(knobs, progress, uncapped=False)
        dear = run.uncapped and bound is not None and run.cost > bound
        slower = dear and change > 0.0
        drifted = slower or (dear and state.dear_before)
        least = progress.min_cost
        least = run.cost if run.uncapped or least is None else min(least, run.cost)
        state = replace(state, dear_before=dear and not drifted)
        if change < 0.0 or slower:
            sizes = on_another_machine(sizes, run, found, change)
            followed = state
        elif drifted:
            followed = follow_jump(state, before, found)
        else:
            state = add_epochs_noise(state, before, found.log_needed)
            followed = follow_drift(state, before, found)
        known = sizes[run.batch_size]
        arm, found = counted_from(followed, state, known.surrogate, found)
        learnt = add_success(knobs, followed, replace(known, surrogate=arm), run, found)
        state, sizes = followed, {**sizes, run.batch_size: learnt}
        if run.uncapped:
            sizes = clear_failures(sizes, lift=drifted)
        progress = replace(progress, stage=Stage.MAB, min_cost=least)
    else:
        idle = run.power_share is not None and run.power_share < IDLE_POWER_SHARE
        proven_and_dear = outcome is Outcome.COST_BOUND and sizes[run.batch_size].converged > 0
        state = replace(state, retries_owed=state.retries_owed + 1, dear_before=state.dear_before or proven_and_dear)
        if progress.stage is Stage.PRUNING:
            state = replace(state, larger_first=idle)
        arm = _after_stop(knobs, progress, sizes, run, outcome)
        learnt = replace(sizes[run.batch_size], surrogate=arm)
        by_script = ended_by_script(knobs, outcome, run.epoch)
        sizes = {**sizes, run.batch_size: after_stop(learnt, outcome, by_script=by_script)}
    return Lesson(replace(progress, surrogate=state), sizes, reward)


def incumbent_of(knobs: Knobs, progress: Progress, sizes: Sizes) -> int | None:
    """The live size of least believed cost among those that converged; None: there is none."""
    known = progress.surrogate.incumbent
    if known is not None and sizes[known].live:
        return known
    if not any(state.live and state.converged for state in sizes.values()):
        return None
    return recalibrated(knobs, progress, sizes).surrogate.incumbent


def recalibrated(knobs: Knobs, progress: Progress, sizes: Sizes) -> Progress:
    """The progress with the incumbent and its cost as they are believed by what is known about the sizes."""
    state = _with_incumbent(progress.surrogate, sizes, beliefs_of(knobs, progress, sizes))
    return replace(progress, surrogate=state)


def _with_incumbent(state: SurrogateState, sizes: Sizes, beliefs: Mapping[int, LogCost]) -> SurrogateState:
    proven = [size for size, known in sizes.items() if known.live and known.converged and size in beliefs]
    if not proven:
        return replace(state, incumbent=None, incumbent_cost=None)
    best = min(proven, key=lambda size: beliefs[size].mean)
    return replace(state, incumbent=best, incumbent_cost=math.exp(beliefs[best].mean))


def _with_expense(state: SurrogateState, run: RunState, outcome: Outcome) -> SurrogateState:
    """The state after a run was paid for; what a second look cost beyond a run of the incumbent is counted."""
    state = replace(state, spent=state.spent + run.cost)
    if run.batch_size != state.looking_at:
        return state
    extra = run.cost - (state.incumbent_cost or 0.0) if outcome is Outcome.CONVERGED else run.cost
    return replace(state, look_spent=state.look_spent + max(0.0, extra))


def _after_stop(knobs: Knobs, progress: Progress, sizes: Sizes, run: RunState, outcome: Outcome) -> SurrogateArmState:
    arm = sizes[run.batch_size].surrogate
    arm, state = replace(arm, stops=arm.stops + 1), progress.surrogate
    predicted = predicted_epochs(knobs, progress, sizes, run) if outcome is Outcome.CURVE_STOP else None
    if target_reached(knobs.target, run.metric):
        # Too dear to count as a success, but nothing has to be guessed.
        predicted = float(run.epoch)
    if predicted is None:
        believed = state.incumbent_cost or 0.0
        known = arm.cost_sum > 0.0
        bound = min((knobs.beta_knob or 1.0) * believed, 1e300)
        pace = cost_per_epoch(arm.cost_sum, arm.epoch_sum) * math.exp(state.pace_level) if known else math.inf
        allowed = bound / pace
        predicted = STOPPED_FACTOR * max(run.epoch, min(allowed, INT32_MAX), 1.0)
    log_epochs = math.log(min(max(1.0, predicted), INT32_MAX)) - state.epochs_level
    if sizes[run.batch_size].converged:
        return add_epochs(state, arm, log_epochs)
    # Of a size whose runs were not measured, nothing is guessed.
    return replace(arm, guess=log_epochs) if arm.epoch_sum else arm
