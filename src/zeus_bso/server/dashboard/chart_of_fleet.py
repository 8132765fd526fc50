"""The savings of all jobs over time, stacked by GPU model."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import accumulate
from typing import Any

from zeus_bso import units
from zeus_bso.server.dashboard.all_jobs import ReachableJobs
from zeus_bso.server.dashboard.charts import MUTED, Chart, EnergyUnit, axis, literal
from zeus_bso.server.dashboard.palette import STEPS, variable
from zeus_bso.server.overview.models import DayUse
from zeus_bso.server.overview.overview import DAYS

MODELS_SHOWN = 6
OTHERS = "others"
DAYS_NAMED = 14
LONGEST_NAME = 34
"""So many characters of a model fit into the legend on a phone."""


def fleet_savings_chart(reachable: ReachableJobs, used: Mapping[str, Sequence[DayUse]], today: date) -> Chart:
    """Energy saved by all jobs up to each of the latest days, stacked by GPU model.

    Each day counts against the present baselines: a run that converged saves what a run with the job's default batch
    size uses, less its own energy. So the last day has the saving of all jobs together.

    Args:
        reachable: The jobs.
        used: What the trials of each job used on each of the latest days.
        today: The last day.
    """
    saved = _saved_by_model(reachable, used, today)
    if not saved:
        return Chart("Not enough data yet: no job has a converged run with its default batch size.")
    days = [today - timedelta(days=DAYS - 1 - place) for place in range(DAYS)]
    first = min((place for sums in saved.values() for place, amount in enumerate(sums) if amount), default=0)
    shown = slice(max(0, first - 1), None)
    unit = EnergyUnit.of([sums[-1] for sums in saved.values()])
    total = sum(sums[-1] for sums in saved.values())
    return Chart(
        summary=_summary(total, {model: sums[-1] for model, sums in saved.items()}),
        data=[
            {
                "type": "bar",
                "name": literal(textwrap.shorten(model, LONGEST_NAME, placeholder="…")),
                "x": [day.isoformat() for day in days[shown]],
                "y": [unit(amount) for amount in sums[shown]],
                "hovertext": [_told(day, model, amount) for day, amount in zip(days[shown], sums[shown], strict=True)],
                "hovertemplate": "%{hovertext}<extra></extra>",
                "marker": {"color": _colour(place, len(saved), model), "line": {"width": 0}},
            }
            for place, (model, sums) in enumerate(saved.items())
        ],
        layout={
            "barmode": "relative",
            "bargap": 0.08,
            "showlegend": True,
            "xaxis": _days_axis(days[shown]),
            "yaxis": axis(f"energy saved ({unit.name})", zeroline=True),
        },
    )


def _told(day: date, model: str, amount: float) -> str:
    said = f"{units.energy(abs(amount))} {'lost' if amount < 0 else 'saved'} so far"
    return f"{day:%Y-%m-%d}, {literal(model)}<br>{said}"


def _days_axis(days: Sequence[date]) -> dict[str, Any]:
    """An axis of days. Few of them are all named, since their hours would say nothing."""
    if len(days) > DAYS_NAMED:
        return axis("", type="date")
    names = [f"{day:%b} {day.day}" for day in days]
    return axis("", type="date", tickvals=[day.isoformat() for day in days], ticktext=names)


def _summary(total: float, saved: Mapping[str, float]) -> str:
    if total < 0:
        return f"So far all jobs together have used {units.energy(-total)} more than with their default batch sizes."
    largest = max(saved, key=lambda model: saved[model])
    on_it = f", {units.energy(saved[largest])} of it on {largest}" if len(saved) > 1 else ""
    return f"All jobs together: {units.energy(total)} saved so far{on_it}."


def _saved_by_model(
    reachable: ReachableJobs, used: Mapping[str, Sequence[DayUse]], today: date
) -> dict[str, list[float]]:
    """The energy saved up to the end of each day [J], by GPU model, the model that saved most first."""
    by_day: dict[str, defaultdict[int, float]] = {}
    for line in reachable.lines:
        energy = line.totals.energy
        if energy is None:
            continue
        days = by_day.setdefault(line.summary.gpu_model, defaultdict(float))
        since = energy.saved
        for use in used.get(line.summary.job_id, ()):
            place = DAYS - 1 - (today - use.day).days
            if place > 0:
                amount = use.converged * energy.per_default_run - use.energy
                days[min(place, DAYS - 1)] += amount
                since -= amount
        days[0] += since
    sums = {model: list(accumulate(days[place] for place in range(DAYS))) for model, days in by_day.items()}
    return _with_others(dict(sorted(sums.items(), key=lambda each: -abs(each[1][-1]))))


def _with_others(sums: Mapping[str, list[float]]) -> dict[str, list[float]]:
    if len(sums) <= MODELS_SHOWN:
        return dict(sums)
    models = list(sums)
    rest = [sums[model] for model in models[MODELS_SHOWN - 1 :]]
    return {model: sums[model] for model in models[: MODELS_SHOWN - 1]} | {
        OTHERS: [sum(amounts) for amounts in zip(*rest, strict=True)]
    }


def _colour(place: int, models: int, model: str) -> str:
    return MUTED if model == OTHERS else variable(round(place * (STEPS - 1) / max(1, models - 1)))
