"""Metrics from the database, in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from zeus_bso.savings import Saving
from zeus_bso.server.metrics.job_totals import AllJobsTotals


class _Once(Collector):
    """Collector for metrics that are exported once."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def text(totals: AllJobsTotals | None) -> bytes:
    """The totals in Prometheus' text format. Every server on the same database gives the same text.

    Args:
        totals: The totals, or None if the database does not answer.
    """
    registry = CollectorRegistry()
    up = GaugeMetricFamily("zeus_bso_database_up", "Whether the database answers.", int(totals is not None))
    registry.register(_Once([up, *(_families(totals) if totals else ())]))
    return generate_latest(registry)


def _families(totals: AllJobsTotals) -> Iterable[Metric]:
    jobs = GaugeMetricFamily("zeus_bso_jobs", "Jobs by stage.", labels=["stage"])
    for stage, count in sorted(totals.jobs.items()):
        jobs.add_metric([stage], count)
    yield jobs
    trials = GaugeMetricFamily(
        "zeus_bso_trials",
        "Trials by status and reason. The reason of a decided trial is its outcome.",
        labels=["status", "reason"],
    )
    for (status, reason), count in sorted(totals.trials.items()):
        trials.add_metric([status, reason], count)
    yield trials
    yield GaugeMetricFamily("zeus_bso_open_trials", "Trials that are running.", totals.open_trials)
    yield GaugeMetricFamily("zeus_bso_alarmed_jobs", "Jobs whose last 5 runs did not converge.", totals.alarmed_jobs)
    yield GaugeMetricFamily("zeus_bso_energy_spent_joules", "Energy that ended trials used.", totals.spent_energy)
    yield from _saving("zeus_bso_energy_saved_joules", "Energy saved against the default batch sizes", totals.energy)
    yield from _saving("zeus_bso_time_saved_seconds", "Time saved against the default batch sizes", totals.time)
    if totals.energy is not None:
        yield GaugeMetricFamily(
            "zeus_bso_energy_saved_by_power_limits_joules",
            "The part of the saved energy that is due to power limits, less the cost of measuring them.",
            totals.energy.by_limits,
        )
    of_jobs = GaugeMetricFamily(
        "zeus_bso_job_energy_saved_joules",
        "Energy saved by a job against its default batch size, for the most recently active jobs only.",
        labels=["job_id", "estimated"],
    )
    for job_id, energy, estimated in totals.saved_of_jobs:
        of_jobs.add_metric([job_id, "true" if estimated else "false"], energy)
    yield of_jobs
    limits = GaugeMetricFamily(
        "zeus_bso_job_power_limit_watts",
        "Power limit of each GPU at a job's chosen batch size, for the most recently active jobs only.",
        labels=["job_id"],
    )
    for job_id, limit_w in totals.limits_of_jobs:
        limits.add_metric([job_id], limit_w)
    yield limits


def _saving(name: str, documentation: str, saving: Saving | None) -> Iterable[Metric]:
    """The figure and the ends of its 95 % interval. There is no metric until there is enough data."""
    if saving is not None:
        family = GaugeMetricFamily(name, f"{documentation}, and its 95 % interval.", labels=["bound"])
        for bound, value in (("estimate", saving.saved), ("low", saving.low), ("high", saving.high)):
            family.add_metric([bound], value)
        yield family
