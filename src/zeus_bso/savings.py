"""The savings of a job against its default batch size, with their uncertainty. Pure: values in, values out.

Each run that converged delivered a trained model. A run of the default batch size would have delivered it too. So

    saved = converged runs * mean of the default's converged runs - everything that was used

*Everything* includes runs that were stopped or failed, and work that was discarded at a restart. They delivered no
model, so they count as pure cost. Exploration therefore either pays for itself or shows as a loss. The converged runs
of the default size save nothing, both by this formula and in fact. Nothing is compared with a guess: before the default
size has converged once, there is no figure.

Where the figure cannot be exact, it errs on the low side. Runs that fail for outside reasons (preempted, cancelled)
would have failed with the default size too, but they are charged all the same. Runs of the default size that were
stopped for their cost do not raise the baseline.

*Past runs* of the default size that converged are part of its mean, so a job that was told of some has a baseline from
its first run on. The job did not use what they used, so they appear nowhere else.

*Interval* (95 %). Noise is multiplicative, so the formula uses the log scale. Let CV_b be the coefficient of variation
among the n_b converged runs of size b. Then

    ss = sum of (n_b - 1) log(1 + CV_b^2)        dof = sum of (n_b - 1)
    s^2 = (4 * 0.3^2 + ss) / (4 + dof)           pooled over the job's sizes, with the prior of the surrogate policy

Suppose that N other runs had used the default size instead. Judged by n default runs, their use would lie within a
factor exp(+-q) of N times the mean, where

    q = t(0.975, 4 + dof) * s * sqrt(1 / n + 1 / N)

Here 1 / n stands for the uncertainty of the baseline and 1 / N for the chance in the runs that never happened. So one
default run is enough for a figure, but its interval is wide.

*Power limits.* A run at a power limit is compared at full power: its use is multiplied by what a unit of work needs at
full power, divided by what it needs at the limit, both as measured for its batch size. The formula then gives what the
choice of batch sizes has saved. What the runs used less in fact is what the limits have saved. The extra cost of
measuring the limits is charged to them. So a job whose default size is the best saves with limits too.

The formula applies to any quantity: energy in joules, time in seconds, or cost in joules.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

PRIOR_NOISE = 0.3
"""Prior standard deviation of the log of a run's cost, before any batch size has run twice."""

PRIOR_WEIGHT = 4
"""Weight of the prior, in degrees of freedom."""

_NORMAL_QUANTILE = NormalDist().inv_cdf(0.975)

JOULES_PER_KWH = 3.6e6


@dataclass(frozen=True, slots=True)
class Use:
    """Use of one quantity by the runs of one batch size.

    Attributes:
        converged: Number of runs that converged.
        total: Use of the converged runs.
        squares: Sum of the squares of their uses.
        lost: Use of everything else: stopped and failed runs, and work that was discarded at a restart.
    """

    converged: int = 0
    total: float = 0.0
    squares: float = 0.0
    lost: float = 0.0

    @classmethod
    def of(cls, runs: Iterable[EndedRun]) -> Use:
        """Sum up the use of ended runs."""
        converged, total, squares, lost = 0, 0.0, 0.0, 0.0
        for run in runs:
            lost += run.wasted
            if run.converged:
                converged += 1
                total += run.used
                squares += run.used * run.used
            else:
                lost += run.used
        return cls(converged, total, squares, lost)

    def times(self, factor: float) -> Use:
        """The use if each run had used so many times as much."""
        return Use(self.converged, factor * self.total, factor * factor * self.squares, factor * self.lost)

    def __add__(self, other: Use) -> Use:
        return Use(
            self.converged + other.converged,
            self.total + other.total,
            self.squares + other.squares,
            self.lost + other.lost,
        )


_NO_USE = Use()


@dataclass(frozen=True, slots=True)
class Saving:
    """The saving of one quantity.

    Attributes:
        saved: The amount saved against the default batch size. A negative amount is a loss so far.
        low: Lower end of its 95 % interval.
        high: Upper end of the interval.
        spent: Everything that was used.
        lost: The part of ``spent`` that delivered no model.
        per_default_run: Mean of the default's converged runs.
        fraction: ``saved`` as a fraction of what the default size would have used. 0 if that is almost nothing.
        by_limits: The part of ``saved`` that is due to power limits. The rest is due to the batch sizes.
    """

    saved: float
    low: float
    high: float
    spent: float
    lost: float
    per_default_run: float
    fraction: float
    by_limits: float = 0.0


@dataclass(frozen=True, slots=True)
class LimitedUse:
    """Use of one quantity by the runs of one batch size at one power limit.

    Attributes:
        batch_size: Batch size of the runs.
        use: Their use.
        full_power: How many times as much they would have used at full power.
        profiling: Extra use to measure power limits. It may be negative.
    """

    batch_size: int
    use: Use
    full_power: float = 1.0
    profiling: float = 0.0


@dataclass(frozen=True, slots=True)
class Noise:
    """The scatter among runs of one batch size, on the log scale.

    Attributes:
        scale: Standard deviation.
        dof: Degrees of freedom of the estimate.
    """

    scale: float
    dof: int


@dataclass(frozen=True, slots=True)
class EndedRun:
    """An ended run, for a saving over time.

    Attributes:
        batch_size: Batch size of the run.
        converged: Whether it converged.
        used: Use of the run.
        wasted: Use for work that was discarded at a restart.
        full_power: How many times as much it would have used at full power.
        profiling: Extra use to measure power limits. It may be negative.
    """

    batch_size: int
    converged: bool
    used: float
    wasted: float = 0.0
    full_power: float = 1.0
    profiling: float = 0.0


def saving(uses: Mapping[int, Use], default_batch_size: int, past: Use = _NO_USE) -> Saving | None:
    """The saving of a job in one quantity, with its interval.

    Args:
        uses: Use of the runs of each batch size.
        default_batch_size: The size to compare with.
        past: Use of past runs of that size, which are no runs of the job.

    Returns:
        The saving, or None if the default size has not converged yet, so that there is no baseline.
    """
    default = uses.get(default_batch_size, _NO_USE)
    baseline = past + default
    if not baseline.converged:
        return None
    others = sum((use for size, use in uses.items() if size != default_batch_size), _NO_USE)
    return _compare(baseline, default, others, noise({**uses, default_batch_size: baseline}.values()))


def saving_with_limits(uses: Iterable[LimitedUse], default_batch_size: int, past: Use = _NO_USE) -> Saving | None:
    """The saving of a job in one quantity, by its batch sizes and its power limits.

    Args:
        uses: Use of the runs of each batch size at each power limit.
        default_batch_size: The size to compare with.
        past: Use of past runs of that size, at full power.

    Returns:
        The saving, or None if the default size has not converged yet.
    """
    at_full_power: dict[int, Use] = {}
    used, profiling = Use(), 0.0
    for each in uses:
        before = at_full_power.get(each.batch_size, Use())
        at_full_power[each.batch_size] = before + each.use.times(each.full_power)
        used, profiling = used + each.use, profiling + each.profiling
    alone = saving(at_full_power, default_batch_size, past)
    return None if alone is None else _with_limits(alone, used, profiling)


def over_time(
    runs: Sequence[EndedRun], default_batch_size: int, after: Collection[int], past: Use = _NO_USE
) -> list[Saving] | None:
    """The savings after some of the runs, with the current baseline and noise.

    After the last run, the saving equals that of :func:`saving`.

    Args:
        runs: All ended runs, in the order in which they ended.
        default_batch_size: The size to compare with.
        after: Indexes of the runs after which to compute a saving, in ascending order.
        past: Use of past runs of the default size, at full power.

    Returns:
        One saving per index, or None if the default size has not converged yet.
    """
    at_full_power = [replace(run, used=run.full_power * run.used, wasted=run.full_power * run.wasted) for run in runs]
    of_sizes: dict[int, list[EndedRun]] = {}
    for run in at_full_power:
        of_sizes.setdefault(run.batch_size, []).append(run)
    uses = {size: Use.of(of_size) for size, of_size in of_sizes.items()}
    baseline = past + uses.get(default_batch_size, _NO_USE)
    if not baseline.converged:
        return None
    known = noise({**uses, default_batch_size: baseline}.values())
    savings, defaults, others, begin = [], Use(), Use(), 0
    used, profiling = Use(), 0.0
    for index in after:
        used += Use.of(runs[begin : index + 1])
        profiling += math.fsum(run.profiling for run in runs[begin : index + 1])
        since, begin = at_full_power[begin : index + 1], index + 1
        defaults += Use.of(run for run in since if run.batch_size == default_batch_size)
        others += Use.of(run for run in since if run.batch_size != default_batch_size)
        savings.append(_with_limits(_compare(baseline, defaults, others, known), used, profiling))
    return savings


def noise(uses: Iterable[Use]) -> Noise:
    """The noise of a job's runs, pooled over its batch sizes."""
    squares, dof = 0.0, 0
    for use in uses:
        if use.converged > 1 and use.squares > 0:
            free = use.converged - 1
            # Not mean ** 2, which underflows to 0 for tiny figures.
            variation = max(0.0, use.squares / use.total * use.converged / use.total - 1) * use.converged / free
            squares += free * math.log1p(variation)
            dof += free
    return Noise(math.sqrt((PRIOR_WEIGHT * PRIOR_NOISE**2 + squares) / (PRIOR_WEIGHT + dof)), PRIOR_WEIGHT + dof)


def spread(known: Noise, baseline_runs: int, other_runs: int) -> float:
    """By how much the logs of the means of two groups of runs may differ by chance (95 %): q of the formula above."""
    return t_quantile(known.dof) * known.scale * math.sqrt(1 / baseline_runs + 1 / other_runs)


def total(savings: Sequence[Saving]) -> Saving | None:
    """The saving of several jobs together. Jobs are independent, so their intervals add in quadrature.

    Returns:
        The sum, or None if there are no savings. Its ``per_default_run`` has no meaning and is 0.
    """
    if not savings:
        return None
    saved = math.fsum(each.saved for each in savings)
    spent = math.fsum(each.spent for each in savings)
    return Saving(
        saved=saved,
        low=saved - math.hypot(*(each.saved - each.low for each in savings)),
        high=saved + math.hypot(*(each.high - each.saved for each in savings)),
        spent=spent,
        lost=math.fsum(each.lost for each in savings),
        per_default_run=0.0,
        fraction=_fraction(saved, saved + spent),
        by_limits=math.fsum(each.by_limits for each in savings),
    )


def t_quantile(dof: int) -> float:
    """The 0.975 quantile of Student's t, by expansion around the normal one. Error below 0.3 % from 4 degrees on."""
    z = _NORMAL_QUANTILE
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + terms[0] / dof + terms[1] / dof**2 + terms[2] / dof**3


def _compare(baseline: Use, defaults: Use, others: Use, known: Noise) -> Saving:
    """Compare the runs of the default size, which save nothing, and the other runs with the baseline."""
    per_run = baseline.total / baseline.converged
    lost = defaults.lost + others.lost
    saved = others.converged * per_run - others.total - lost
    reach = spread(known, baseline.converged, others.converged) if others.converged else 0.0
    return Saving(
        saved=saved,
        low=saved + others.converged * per_run * math.expm1(-reach),
        high=saved + others.converged * per_run * math.expm1(reach),
        spent=defaults.total + others.total + lost,
        lost=lost,
        per_default_run=per_run,
        fraction=_fraction(saved, defaults.total + others.converged * per_run),
    )


def _with_limits(alone: Saving, used: Use, profiling: float) -> Saving:
    """A saving at full power, and what power limits have saved beyond it.

    Args:
        alone: The saving if all runs had trained at full power.
        used: Use of all runs in fact.
        profiling: Extra use to measure power limits.
    """
    spent = used.total + used.lost + profiling
    by_limits = alone.spent - spent
    # Without limits both are the same, apart from the order in which they were added up.
    if abs(by_limits) <= 1e-12 * alone.spent:
        return alone
    return replace(
        alone,
        saved=alone.saved + by_limits,
        low=alone.low + by_limits,
        high=alone.high + by_limits,
        spent=spent,
        lost=max(0.0, used.lost + profiling),
        fraction=_fraction(alone.saved + by_limits, alone.saved + alone.spent),
        by_limits=by_limits,
    )


def _fraction(part: float, whole: float) -> float:
    fraction = part / whole if whole > 0 else 0.0
    # Beside the tiniest of figures, anything is more than a number can hold.
    return fraction if math.isfinite(fraction) else 0.0
