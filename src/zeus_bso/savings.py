"""What a job has saved against its default batch size, and how sure that is. Pure: values in, values out.

A recurrence that converged delivered a trained model; a run of the default batch size would have delivered it too. So

    saved = converged runs * mean of the default's converged runs - everything that was used

and *everything* is meant: runs that were stopped or failed delivered nothing and count as pure cost, and so does work
that was discarded at a restart. Exploration thus pays for itself or shows as a loss. The default's own converged runs
save nothing, by this formula and in truth. Nothing is compared with a guess: before the default size has converged once
there is no figure.

The figure errs on the careful side where it cannot be exact. Runs that fail for outside reasons (preempted, cancelled)
would have failed with the default too, but are charged all the same; default runs that were stopped for their cost do
not raise the baseline.

*Interval* (95 %). Noise is multiplicative, so it lives on the log scale. With CV_b the coefficient of variation among
the n_b converged runs of size b,

    ss = sum of (n_b - 1) log(1 + CV_b^2)        dof = sum of (n_b - 1)
    s^2 = (4 * 0.3^2 + ss) / (4 + dof)           pooled over the job's sizes, with the prior of the surrogate policy

Against n default runs, what N other converged runs would have used lies within a factor exp(+-q) of N times the mean,

    q = t(0.975, 4 + dof) * s * sqrt(1 / n + 1 / N)

where 1 / n stands for the baseline's own uncertainty and 1 / N for the chance in the runs that never happened. So one
default run suffices for a figure, with an interval as wide as it deserves.

Quantities are summed as they come: joules, seconds, or costs in joules.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

PRIOR_NOISE = 0.3
"""Standard deviation of the log of a run's cost, as believed before any was repeated."""

PRIOR_WEIGHT = 4
"""The prior counts as so many degrees of freedom."""

_NORMAL_QUANTILE = NormalDist().inv_cdf(0.975)

JOULES_PER_KWH = 3.6e6


@dataclass(frozen=True, slots=True)
class Use:
    """What the runs of one batch size used of one quantity.

    Attributes:
        converged: Runs that converged.
        total: What they used.
        squares: Sum of the squares of what each of them used.
        lost: What everything else used: stopped and failed runs, and work that was discarded at a restart.
    """

    converged: int = 0
    total: float = 0.0
    squares: float = 0.0
    lost: float = 0.0

    @classmethod
    def of(cls, runs: Iterable[Run]) -> Use:
        """What some ended runs used."""
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

    def __add__(self, other: Use) -> Use:
        return Use(
            self.converged + other.converged,
            self.total + other.total,
            self.squares + other.squares,
            self.lost + other.lost,
        )


@dataclass(frozen=True, slots=True)
class Saving:
    """What was saved of one quantity.

    Attributes:
        saved: Against the default batch size; negative: it was a loss so far.
        low: Lower end of its 95 % interval.
        high: Upper end.
        spent: Everything that was used.
        lost: The part of it that delivered nothing.
        per_default_run: Mean of the default's converged runs.
        fraction: ``saved`` as a fraction of what the default size would have used; 0 where that is nothing.
    """

    saved: float
    low: float
    high: float
    spent: float
    lost: float
    per_default_run: float
    fraction: float


@dataclass(frozen=True, slots=True)
class Noise:
    """How much runs of one batch size differ, on the log scale.

    Attributes:
        scale: Standard deviation.
        dof: Degrees of freedom behind it.
    """

    scale: float
    dof: int


@dataclass(frozen=True, slots=True)
class Run:
    """An ended run, for a saving over time.

    Attributes:
        batch_size: Its batch size.
        converged: It converged.
        used: What it used.
        wasted: What it had used for work that was discarded at a restart.
    """

    batch_size: int
    converged: bool
    used: float
    wasted: float = 0.0


def saving(uses: Mapping[int, Use], default_batch_size: int) -> Saving | None:
    """What a job has saved of one quantity, with its interval.

    Args:
        uses: What the runs of each batch size used.
        default_batch_size: The size to compare with.

    Returns:
        The saving; None: the default size has not converged yet, so that there is nothing to compare with.
    """
    default = uses.get(default_batch_size, Use())
    if not default.converged:
        return None
    others = sum((use for size, use in uses.items() if size != default_batch_size), Use())
    return _compare(default, default, others, noise(uses.values()))


def over_time(runs: Sequence[Run], default_batch_size: int, after: Collection[int]) -> list[Saving] | None:
    """What had been saved after some of the runs, in the light of today's baseline and noise.

    After the last run it is what :func:`saving` says of all.

    Args:
        runs: All ended runs, in the order in which they ended.
        default_batch_size: The size to compare with.
        after: Indexes of the runs after which to compare, ascending.

    Returns:
        One saving per index; None: the default size has not converged yet.
    """
    of_sizes: dict[int, list[Run]] = {}
    for run in runs:
        of_sizes.setdefault(run.batch_size, []).append(run)
    uses = {size: Use.of(of_size) for size, of_size in of_sizes.items()}
    default = uses.get(default_batch_size, Use())
    if not default.converged:
        return None
    known = noise(uses.values())
    savings, defaults, others, begin = [], Use(), Use(), 0
    for index in after:
        since, begin = runs[begin : index + 1], index + 1
        defaults += Use.of(run for run in since if run.batch_size == default_batch_size)
        others += Use.of(run for run in since if run.batch_size != default_batch_size)
        savings.append(_compare(default, defaults, others, known))
    return savings


def noise(uses: Iterable[Use]) -> Noise:
    """The noise of a job's runs, pooled over its batch sizes."""
    squares, dof = 0.0, 0
    for use in uses:
        if use.converged > 1 and use.squares > 0:
            free = use.converged - 1
            # Not mean ** 2, which is 0 for tiny figures.
            variation = max(0.0, use.squares / use.total * use.converged / use.total - 1) * use.converged / free
            squares += free * math.log1p(variation)
            dof += free
    return Noise(math.sqrt((PRIOR_WEIGHT * PRIOR_NOISE**2 + squares) / (PRIOR_WEIGHT + dof)), PRIOR_WEIGHT + dof)


def total(savings: Sequence[Saving]) -> Saving | None:
    """What several jobs have saved together; they are independent, so their intervals add in quadrature.

    Returns:
        The sum, whose ``per_default_run`` means nothing and is 0; None: there are none.
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
    )


def t_quantile(dof: int) -> float:
    """The 0.975 quantile of Student's t, by its expansion about the normal one; within 0.3 % from 4 degrees on."""
    z = _NORMAL_QUANTILE
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + terms[0] / dof + terms[1] / dof**2 + terms[2] / dof**3


def _compare(baseline: Use, defaults: Use, others: Use, known: Noise) -> Saving:
    """Compare runs with the baseline: ``defaults``, which save nothing, and ``others``."""
    per_run = baseline.total / baseline.converged
    lost = defaults.lost + others.lost
    saved = others.converged * per_run - others.total - lost
    spread = 0.0
    if others.converged:
        spread = t_quantile(known.dof) * known.scale * math.sqrt(1 / baseline.converged + 1 / others.converged)
    return Saving(
        saved=saved,
        low=saved + others.converged * per_run * math.expm1(-spread),
        high=saved + others.converged * per_run * math.expm1(spread),
        spent=defaults.total + others.total + lost,
        lost=lost,
        per_default_run=per_run,
        fraction=_fraction(saved, defaults.total + others.converged * per_run),
    )


def _fraction(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 0.0
