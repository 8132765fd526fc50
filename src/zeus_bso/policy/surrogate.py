"""The surrogate policy: cost is smooth in the batch size, so each run teaches about its neighbours too.

Beliefs about the cost of every size (:mod:`zeus_bso.policy.beliefs`) replace the rounds of exploration; the knowledge
gradient says which size is worth trying, and learning curves say early which run is not worth finishing. It draws no
random numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from zeus_bso.common import INT32_MAX, Outcome, Stage, TrialType
from zeus_bso.policy.beliefs import (
    LogCost,
    beliefs_of,
    cost_per_epoch,
    knowledge_gradient,
    noise_variance,
    pace_variance,
)
from zeus_bso.policy.curves import is_due, slowness
from zeus_bso.policy.early_stop import Verdict
from zeus_bso.policy.early_stop import judge as judge_by_cost
from zeus_bso.policy.generation import begin_generation, forgive, no_size_converges, smallest_again
from zeus_bso.policy.learning import doubted, machine_change, observed, paid, success, with_pace_noise
from zeus_bso.policy.retirement import after_miss
from zeus_bso.policy.values import (
    Choice,
    Conclusion,
    Knobs,
    Progress,
    Retirement,
    Run,
    Situation,
    Sizes,
    SurrogateArmState,
    SurrogateState,
    nearest,
)

HORIZON = 2.0
"""A recurrence is believed to be followed by so many times the recurrences before it."""

FRONTIER_OCTAVES = 1.0
"""No size farther than this from all tried ones is tried, unless it stands next to one in the list."""

UNBOUNDED_RATIO = 3.0
"""Without a cost bound, a bad choice is taken to cost at most so many times the best one."""

STOPPED_FACTOR = 1.5
"""A run that was stopped is guessed to have needed so many times what it was allowed."""

_RETRY = "The run before did not converge; this one takes the best known batch size, without a cost bound."


def choose(situation: Situation) -> Choice:
    """Choose what the next recurrence runs.

    Before anything has converged: the live size nearest to the default. After a run that did not converge: the
    incumbent, without a bound. Else the size whose believed extra cost, less what its result is worth to the runs to
    come, is the least.
    """
    knobs, progress, sizes = situation.knobs, situation.progress, situation.sizes
    live = [size for size, state in sizes.items() if state.live]
    if not live and all(state.retired is Retirement.OOM for state in sizes.values()):
        return replace(smallest_again(progress, sizes), trial_type=TrialType.MAB)
    if not live:
        progress, sizes = begin_generation(knobs, progress, sizes)
        live = [size for size, state in sizes.items() if state.live]
    message = no_size_converges(knobs) if progress.wide and progress.min_cost is None else None
    beliefs = beliefs_of(knobs, progress, sizes)
    state = _with_incumbent(progress.surrogate, sizes, beliefs)
    retry = state.retries_owed > 0
    if retry:
        begun = replace(progress, surrogate=replace(state, retries_owed=state.retries_owed - 1))
    else:
        begun = replace(progress, surrogate=replace(state, started=state.started + 1))
    if state.incumbent is None:
        return Choice(nearest(live, knobs.default_batch_size)[0], TrialType.MAB, begun, sizes, message=message)
    if retry:
        return Choice(state.incumbent, TrialType.MAB, begun, sizes, uncapped=True, message=_RETRY)
    batch_size = _most_worthwhile(knobs, state, sizes, beliefs, situation.in_flight)
    return Choice(batch_size, TrialType.MAB, begun, sizes, message=message)


def cost_bound(knobs: Knobs, progress: Progress, *, uncapped: bool) -> float | None:
    """Cost at which a run is stopped [J]: ``beta_knob`` times the incumbent's believed cost; None: it is not."""
    believed = progress.surrogate.incumbent_cost
    if uncapped or knobs.beta_knob is None or believed is None:
        return None
    bound = knobs.beta_knob * believed
    return bound if math.isfinite(bound) else None


def judge(knobs: Knobs, progress: Progress, sizes: Sizes, run: Run) -> Verdict:
    """Judge a report: by cost, target and epochs, and at a size that has not converged yet by its learning curve too.

    The run is stopped when what remains of it is expected to cost more than starting the incumbent afresh.
    """
    verdict = judge_by_cost(
        knobs,
        cost=run.cost,
        metric=run.metric,
        epoch=run.epoch,
        bound=cost_bound(knobs, progress, uncapped=run.uncapped),
        non_finite_before=run.non_finite_before,
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
    remaining = run.cost / max(1, run.epoch) * (predicted - run.epoch)
    if remaining <= state.incumbent_cost:
        return verdict
    message = (
        f"Stopped: by its learning curve the run would need {predicted:.3g} epochs, another {remaining:.6g} J, "
        f"and a run with batch size {state.incumbent} costs {state.incumbent_cost:.6g} J."
    )
    return replace(verdict, outcome=Outcome.CURVE_STOP, message=message)


def sizes_to_judge(knobs: Knobs, progress: Progress, run: Run) -> tuple[int, ...]:
    """The sizes that :func:`judge` looks at; empty: by its learning curve the run is not judged now."""
    incumbent = progress.surrogate.incumbent
    if not knobs.curve_stop or run.uncapped or incumbent is None or run.batch_size == incumbent:
        return ()
    return (run.batch_size, incumbent) if is_due(run.epoch_before, run.epoch) else ()


def predicted_epochs(knobs: Knobs, progress: Progress, sizes: Sizes, run: Run) -> float | None:
    """Epochs that a run is expected to need at least, by its learning curve; None: it is not judged by it."""
    incumbent = progress.surrogate.incumbent
    if not knobs.curve_stop or incumbent is None or run.batch_size == incumbent or sizes[run.batch_size].converged:
        return None
    reference = sizes[incumbent].surrogate
    return slowness(knobs, reference.curve, run.curve) * math.exp(reference.mean_log_epochs)


def conclude(
    knobs: Knobs, progress: Progress, sizes: Sizes, run: Run, outcome: Outcome, *, reward: float
) -> Conclusion:
    """Learn from a trial of this generation that was decided.

    When a run without a bound converges at a cost beyond the bound, costs have drifted: what was learnt of all sizes
    counts for little from then on, and those that the old bound retired come back. What was learnt counts for little
    too when epochs suddenly cost far less.

    Args:
        knobs: The job's knobs.
        progress: How far the job is.
        sizes: What is known about each size.
        run: The run, with its curve.
        outcome: What was decided.
        reward: The observation that its arm gets [-J].
    """
    before = sizes[run.batch_size].surrogate
    sizes = {**sizes, run.batch_size: paid(sizes[run.batch_size], run, reward)}
    rebased, state = False, with_pace_noise(progress.surrogate, before, run)
    if outcome is Outcome.CONVERGED:
        bound = cost_bound(knobs, progress, uncapped=False)
        dearer = run.uncapped and bound is not None and run.cost > bound
        change = machine_change(progress.surrogate, before, run)
        drifted = dearer or change < 0.0
        if drifted:
            sizes = doubted(sizes, run, before, change)
        least = progress.min_cost
        rebased = run.uncapped and least is not None and run.cost > least
        least = run.cost if rebased or least is None else min(least, run.cost)
        state, learnt = success(knobs, state, sizes[run.batch_size], run, noisy=not drifted)
        sizes = {**sizes, run.batch_size: learnt}
        if run.uncapped:
            sizes = forgive(sizes, lift=dearer)
        progress = replace(progress, stage=Stage.MAB, min_cost=least)
    else:
        state = replace(state, retries_owed=state.retries_owed + 1)
        arm = _after_stop(knobs, progress, sizes, run, outcome)
        learnt = replace(sizes[run.batch_size], surrogate=arm)
        sizes = {**sizes, run.batch_size: after_miss(learnt, progress.stage)}
    progress = recalibrated(knobs, replace(progress, surrogate=state), sizes)
    return Conclusion(progress, sizes, reward, rebased)


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


def _most_worthwhile(
    knobs: Knobs, state: SurrogateState, sizes: Sizes, beliefs: Mapping[int, LogCost], in_flight: Mapping[int, int]
) -> int:
    noise, pace_noise = noise_variance(state), pace_variance(state)
    candidates = _candidates(sizes)
    means = {size: beliefs[size].mean for size, known in sizes.items() if known.live}
    cheapest, *rest = sorted(means.values())[:2]
    cap = UNBOUNDED_RATIO if knobs.beta_knob is None else 1 + knobs.beta_knob
    scores = {}
    for size in candidates:
        spread = beliefs[size].spread_after_run(noise, pace_noise, in_flight.get(size, 0))
        other = rest[0] if rest and means[size] == cheapest else cheapest
        gain = knowledge_gradient(means[size], other, spread) if rest else 0.0
        ratio = min(math.exp(min(means[size] - cheapest, 700.0)), cap)
        scores[size] = ratio - HORIZON * max(state.started, 1) * gain
    return min(scores, key=lambda size: scores[size])


def _candidates(sizes: Sizes) -> list[int]:
    """Live sizes within an octave of a tried one, or between or next to tried ones in the list."""
    tried = [size for size, state in sizes.items() if state.surrogate.epoch_sum]
    known = [size for size, state in sizes.items() if state.live or state.surrogate.epoch_sum]
    low, high = known.index(tried[0]), known.index(tried[-1])
    near = known[max(0, low - 1) : high + 2]
    reach = 2.0**FRONTIER_OCTAVES
    # Sizes ascend, so whatever lies between two tried ones is near.
    least, largest = min(near[0], tried[0] / reach), max(near[-1], tried[-1] * reach)
    return [size for size in known if sizes[size].live and least <= size <= largest]


def _after_stop(knobs: Knobs, progress: Progress, sizes: Sizes, run: Run, outcome: Outcome) -> SurrogateArmState:
    arm = sizes[run.batch_size].surrogate
    predicted = predicted_epochs(knobs, progress, sizes, run) if outcome is Outcome.CURVE_STOP else None
    if predicted is None:
        believed = progress.surrogate.incumbent_cost or 0.0
        known = arm.cost_sum > 0.0
        allowed = (knobs.beta_knob or 1.0) * believed / cost_per_epoch(arm.cost_sum, arm.epoch_sum) if known else 0.0
        predicted = STOPPED_FACTOR * max(run.epoch, allowed, 1.0)
    log_epochs = math.log(min(max(1.0, predicted), INT32_MAX))
    return observed(arm, log_epochs) if sizes[run.batch_size].converged else replace(arm, guess=log_epochs)
