"""The figures that a benchmark's records give, as values and as tables."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict

from benchmarks.gpu.child import Json
from benchmarks.gpu.sampler import Samples
from zeus_bso.savings import EndedRun, Use, saving, t_quantile

ETA = 0.5
LAST = 10
JOB = "gpu-benchmark"


def report(results: Json, samples: Samples) -> Json:
    """All figures of what has been recorded so far."""
    runs = [run for run in results["runs"] if run.get("epochs")]
    default = results["default_size"]
    target = results.get("task", {}).get("target", 0.0)
    return {
        "sizes": _by_size(runs),
        "saved": _saved(runs, default),
        "spread": _spreads(runs, target),
        "first_epoch": _first_epochs(runs),
        "counter_against_power": _counter_against_power(runs, samples),
        "on_evaluate_in_training_s": _quantiles([e["on_evaluate_s"] for run in runs for e in run["epochs"]]),
        "failed_runs": sum("error" in run for run in results["runs"]),
    }


def cost(run: Json) -> float:
    """The cost of a run, or of an epoch of it, at equal weights [J]."""
    return ETA * float(run["energy_j"]) + (1 - ETA) * float(run["max_power_w"]) * float(run["time_s"])


def _by_size(runs: list[Json]) -> Json:
    """Means over the runs of each size that reached the target."""
    sizes = {}
    for size, of_size in sorted(_grouped(runs).items()):
        reached = [run for run in of_size if run["target_reached"]]
        figures: Json = {"runs": len(of_size), "reached": len(reached)}
        for name, figure in _FIGURES.items():
            values = [figure(run) for run in reached]
            figures[name] = statistics.fmean(values) if values else None
            figures[f"{name}_sd"] = statistics.stdev(values) if len(values) > 1 else None
        sizes[str(size)] = figures
    return sizes


_FIGURES: Mapping[str, Callable[[Json], float]] = {
    "energy_j": lambda run: float(run["energy_j"]),
    "time_s": lambda run: float(run["time_s"]),
    "epochs": lambda run: float(len(run["epochs"])),
    "power_w": lambda run: float(run["energy_j"]) / float(run["time_s"]),
    "epoch_s": lambda run: float(run["time_s"]) / len(run["epochs"]),
    "epoch_j": lambda run: float(run["energy_j"]) / len(run["epochs"]),
    "cost_j": cost,
}


def _saved(runs: list[Json], default: int) -> Json:
    """What the job used against the same number of runs of the default size.

    ``product``: by the product's own formula, exploration paid, baseline from all default runs. ``all`` and ``last``:
    the mean of all and of the last recurrences against the mean default run, whose interval comes from the spreads
    of both alone (Welch).
    """
    job = [run for run in runs if run["job"] == JOB]
    baseline = [run for run in runs if run["job"] != JOB and run["size"] == default and run["target_reached"]]
    saved: Json = {"recurrences": len(job), "default_runs": len(baseline)}
    for name, used in {"energy_j": _FIGURES["energy_j"], "time_s": _FIGURES["time_s"], "cost_j": cost}.items():
        by_size: dict[int, list[EndedRun]] = defaultdict(list)
        for run in [*job, *baseline]:
            by_size[run["size"]].append(EndedRun(run["size"], run["target_reached"], used(run)))
        product = saving({size: Use.of(of_size) for size, of_size in by_size.items()}, default)
        against = [used(run) for run in baseline]
        saved[name] = {
            "product": asdict(product) if product else None,
            "all": _welch(against, [used(run) for run in job]),
            "last": _welch(against, [used(run) for run in job[-LAST:]]) | {"runs": len(job[-LAST:])},
        }
    return saved


def _welch(before: list[float], after: list[float]) -> Json:
    """The difference of two means per run, with its 95 % interval, and as a part of the first mean."""
    if len(before) < 2 or len(after) < 2:
        return {}
    errors = [statistics.variance(values) / len(values) for values in (before, after)]
    parts = [error**2 / (len(values) - 1) for error, values in zip(errors, (before, after), strict=True)]
    dof = max(1, math.floor(sum(errors) ** 2 / sum(parts))) if sum(parts) else 1
    mean = statistics.fmean(before)
    saved, margin = mean - statistics.fmean(after), t_quantile(dof) * math.sqrt(sum(errors))
    return {
        "default": mean,
        "saved": saved,
        "low": saved - margin,
        "high": saved + margin,
        "fraction": saved / mean,
        "fraction_low": (saved - margin) / mean,
        "fraction_high": (saved + margin) / mean,
    }


def _spreads(runs: list[Json], target: float) -> Json:
    """Standard deviations of logarithms between runs of the same size, pooled over the sizes."""
    groups: dict[str, dict[int, list[float]]] = {name: defaultdict(list) for name in _SPREADS}
    within: dict[int, list[float]] = {}
    for run in runs:
        size, each = run["size"], [cost(epoch | {"max_power_w": run["max_power_w"]}) for epoch in run["epochs"]]
        if min(each) <= 0:
            continue
        groups["cost_per_epoch"][size].append(math.log(statistics.fmean(each)))
        if len(each) > 1:
            later_j = statistics.fmean([epoch["energy_j"] for epoch in run["epochs"][1:]])
            groups["cost_per_epoch_without_first"][size].append(math.log(statistics.fmean(each[1:])))
            groups["energy_per_epoch_without_first"][size].append(math.log(later_j or 1.0))
        if len(each) > 3:
            within[len(within)] = [math.log(figure) for figure in each[1:]]
        if run["target_reached"]:
            groups["epochs"][size].append(math.log(len(each)))
            groups["epochs_interpolated"][size].append(math.log(_crossing(run, target)))
    pooled = {name: _pooled(of_sizes) for name, of_sizes in groups.items()}
    return pooled | {
        "cost_of_an_epoch_within_a_run": {key: _pooled(within)[key] for key in ("log_sd", "dof")},
        "priors": {"cost_per_epoch": 0.03, "epochs": 0.3},
    }


_SPREADS = (
    "cost_per_epoch",
    "cost_per_epoch_without_first",
    "energy_per_epoch_without_first",
    "epochs",
    "epochs_interpolated",
)


def _crossing(run: Json, target: float) -> float:
    """The epoch at which the metric crossed the target, between two evaluations along a straight line of its log."""
    metrics = [epoch["metric"] for epoch in run["epochs"]]
    if len(metrics) < 2 or not metrics[-2] or not metrics[-1] or metrics[-2] <= metrics[-1] or target <= 0:
        return float(len(metrics))
    part = math.log(metrics[-2] / target) / math.log(metrics[-2] / metrics[-1])
    return len(metrics) - 1 + min(1.0, max(0.0, part))


def _pooled(groups: Mapping[int, list[float]]) -> Json:
    """The pooled deviation, its degrees of freedom, and each group's own with its count."""
    full = {key: values for key, values in groups.items() if len(values) > 1}
    dof = sum(len(values) - 1 for values in full.values())
    squares = sum(statistics.variance(values) * (len(values) - 1) for values in full.values())
    return {
        "log_sd": math.sqrt(squares / dof) if dof else None,
        "dof": dof,
        "groups": {
            str(key): {"log_sd": statistics.stdev(values), "count": len(values)} for key, values in full.items()
        },
    }


def _first_epochs(runs: list[Json]) -> Json:
    """What the first epoch cost beyond the median of the later ones, in such epochs, by size."""
    extras: dict[int, list[Json]] = defaultdict(list)
    for run in runs:
        first, *later = run["epochs"]
        if len(later) > 1:
            extras[run["size"]].append({name: _extra(name, first, later) for name in ("time_s", "energy_j")})
    return {
        str(size): {
            "runs": len(each),
            **{f"extra_{name}": statistics.fmean([extra[name] for extra in each]) for name in ("time_s", "energy_j")},
        }
        for size, each in sorted(extras.items())
    }


def _extra(name: str, first: Json, later: Iterable[Json]) -> float:
    normal = statistics.median([epoch[name] for epoch in later])
    return float((first[name] - normal) / normal) if normal else 0.0


def _counter_against_power(runs: list[Json], samples: Samples) -> Json:
    """The energy of whole runs by the monitor, over the same windows by power, integrated."""
    columns = {"power": samples.power_w, "instant_power": samples.instant_w}
    result: Json = {
        name: samples.renewals(column) for name, column in {"counter": samples.counter_j, **columns}.items()
    }
    for name, column in columns.items():
        of_runs, of_epochs = [], []
        for run in runs:
            pairs = [(e["energy_j"], samples.integral(column, *e["window"])) for e in run["epochs"]]
            known = [(a, b) for a, b in pairs if a and b]
            of_epochs += [math.log(a / b) for a, b in known]
            if known and len(known) == len(pairs):
                of_runs.append(math.log(sum(a for a, _ in known) / sum(b for _, b in known)))
        result[name] |= {"runs": _ratio(of_runs), "epochs": _ratio(of_epochs)}
    return result


def _ratio(logs: list[float]) -> Json:
    """The typical ratio of the counter to power, and how much it varies."""
    if len(logs) < 2:
        return {"count": len(logs)}
    deviation = statistics.stdev(logs)
    return {"count": len(logs), "counter_over_power": math.exp(statistics.fmean(logs)), "log_sd": deviation}


def _quantiles(values: list[float]) -> Json:
    if not values:
        return {}
    ordered = sorted(values)
    return {"p50": statistics.median(ordered), "p95": ordered[int(0.95 * (len(ordered) - 1))], "count": len(ordered)}


def _grouped(runs: list[Json]) -> dict[int, list[Json]]:
    groups: dict[int, list[Json]] = defaultdict(list)
    for run in runs:
        groups[run["size"]].append(run)
    return groups
