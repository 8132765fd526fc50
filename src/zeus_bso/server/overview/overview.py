"""Reads jobs for people. It is the read-only counterpart of the service."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone

from zeus_bso.protocol.power import PowerProfile
from zeus_bso.protocol.savings_views import FleetSavings, JobSavings, SavingsPoint
from zeus_bso.protocol.views import JobSummary, JobView, ReportView
from zeus_bso.server import presenter
from zeus_bso.server.job.models import JobState
from zeus_bso.server.observations.models import PastTotals
from zeus_bso.server.overview import job_savings
from zeus_bso.server.overview.commands import ListJobs, ReadReports
from zeus_bso.server.overview.models import DayUse, JobFigures, JobKey, JobLine, JobRuns, JobVersion, SizeRecord
from zeus_bso.server.overview.prices import EnergyPrices
from zeus_bso.server.overview.repository import OverviewRepository
from zeus_bso.server.services.service import ZeusService
from zeus_bso.server.unit_of_work import UnitOfWork

_AT_ONCE = 1000
"""Largest number of jobs in one SQL statement."""

DAYS = 60
"""Number of days of which the savings of all jobs are shown one by one."""

_SORTED_BY: dict[str, Callable[[JobSummary], tuple[float, str]]] = {
    "trials": lambda summary: (summary.trials, summary.job_id),
    "saved": lambda summary: (_saved_energy(summary), summary.job_id),
}


@dataclass(frozen=True, slots=True)
class JobSummaries:
    """A page of the list of jobs.

    Attributes:
        jobs: The jobs on the page.
        total: Number of jobs on all pages.
    """

    jobs: list[JobSummary]
    total: int


class Overview:
    """Reads within one transaction.

    Args:
        service: Access to jobs and trials.
        repository: Queries over many jobs or trials.
        prices: Price and emissions of energy.
    """

    def __init__(self, service: ZeusService, repository: OverviewRepository, prices: EnergyPrices) -> None:
        self._service = service
        self._repository = repository
        self._prices = prices

    @classmethod
    def of(cls, unit: UnitOfWork) -> Overview:
        """The overview within a transaction."""
        return cls(unit.service, OverviewRepository(unit.connection, unit.access), EnergyPrices.of(unit.settings))

    def jobs(self, command: ListJobs) -> JobSummaries:
        """A page of the list of jobs. The number of queries does not depend on the number of jobs on the page."""
        keys = self._repository.job_keys(command.search)
        column = command.sort.value.removeprefix("-")
        down = command.sort.value.startswith("-")
        if column in JobKey.__dataclass_fields__:
            keys.sort(key=lambda key: (getattr(key, column), key.job_id), reverse=down)
            page = keys[command.offset : command.offset + command.limit]
            place = {key.job_id: number for number, key in enumerate(page)}
            summaries = self._summaries(list(place))
            return JobSummaries(sorted(summaries, key=lambda summary: place[summary.job_id]), len(keys))
        job_ids = [key.job_id for key in keys]
        chunks = (job_ids[start : start + _AT_ONCE] for start in range(0, len(job_ids), _AT_ONCE))
        summaries = [summary for chunk in chunks for summary in self._summaries(chunk)]
        summaries.sort(key=_SORTED_BY[column], reverse=down)
        if column == "saved":
            summaries.sort(key=lambda summary: summary.savings is None or summary.savings.energy is None)
        return JobSummaries(summaries[command.offset : command.offset + command.limit], len(keys))

    def job(self, job_id: str) -> JobView:
        """One job with its spec, its results for each batch size, and its savings.

        Raises:
            UnknownJobError: There is no such job.
        """
        view = presenter.show_job(self._service, job_id)
        return view.model_copy(update={"savings": self.savings(job_id)})

    def savings(self, job_id: str) -> JobSavings:
        """The savings of a job.

        Raises:
            UnknownJobError: There is no such job.
        """
        job = self._job(job_id)
        records, since = self._repository.records(job_id), self._repository.ended_since_converged(job_id)
        profiles = self._power_profiles([job], {job_id: records})
        ends = self._ends({job_id: since}).get(job_id, {})
        runs = JobRuns(records, profiles.get(job_id, {}), since, ends, self._past_runs(job_id))
        return job_savings.job_savings(job, runs, job_savings.job_totals(job, runs), self._prices)

    def savings_over_time(self, job_id: str) -> list[SavingsPoint]:
        """The savings of a job after each run.

        Raises:
            UnknownJobError: There is no such job.
        """
        job, trials = self._job(job_id), self._repository.ended_trials(job_id)
        limited = any(trial.power_limit is not None for trial in trials)
        profiles = self._service.power_profiles_of([job_id]).get(job_id, {}) if limited else {}
        return job_savings.savings_over_time(job, trials, profiles, self._past_runs(job_id), self._prices)

    def fleet(self) -> FleetSavings:
        """The savings of all jobs together."""
        totals = [job_savings.job_totals(job, runs) for job, runs in self._runs_of(None)]
        return job_savings.fleet_savings(totals, self._prices)

    def versions(self) -> list[JobVersion]:
        """The versions of all jobs. A job's version changes when one of its trials begins or ends."""
        return self._repository.versions()

    def figures(self, job_ids: Sequence[str]) -> dict[str, JobFigures]:
        """The figures of several jobs for the metrics."""
        kinds = self._repository.trial_kinds(job_ids)
        found = self._runs_of(job_ids)
        limited = [job.job_id for job, _ in found if job.spec.power_limit != "off"]
        sizes = self._service.sizes_of(limited) if limited else {}
        return {
            job.job_id: JobFigures(
                trials=kinds.get(job.job_id, {}),
                totals=job_savings.job_totals(job, runs),
                power_limit=presenter.chosen_power_limit(job, sizes.get(job.job_id, {}), runs.power_profiles),
            )
            for job, runs in found
        }

    def lines(self, job_ids: Sequence[str]) -> dict[str, JobLine]:
        """Several jobs for the pages about all jobs."""
        return {line.summary.job_id: line for line in self._lines(job_ids)}

    def uses_by_day(self, job_ids: Sequence[str]) -> dict[str, list[DayUse]]:
        """What the trials of several jobs used on each of the last ``DAYS`` days."""
        since = datetime.now(timezone.utc) - timedelta(days=DAYS)
        found = self._repository.uses_by_day(job_ids, since)
        return {job_id: found.get(job_id, []) for job_id in job_ids}

    def reports(self, command: ReadReports) -> list[ReportView]:
        """The learning curve of a trial.

        Raises:
            UnknownJobError: There is no such job.
        """
        self._job(command.job_id)
        return [
            ReportView(**asdict(report) | {"reported_at": report.reported_at.isoformat()})
            for report in self._repository.reports(command)
        ]

    def _summaries(self, job_ids: Sequence[str]) -> list[JobSummary]:
        return [line.summary for line in self._lines(job_ids)]

    def _lines(self, job_ids: Sequence[str]) -> list[JobLine]:
        sizes = self._service.sizes_of(job_ids)
        found = []
        for job, runs in self._runs_of(job_ids):
            of_job = sizes[job.job_id]
            chosen_limit = presenter.chosen_power_limit(job, of_job, runs.power_profiles)
            summary = presenter.summarize(job, of_job, runs.trials, runs.running, chosen_limit)
            totals = job_savings.job_totals(job, runs)
            saved = job_savings.job_savings(job, runs, totals, self._prices)
            found.append(JobLine(summary.model_copy(update={"savings": saved}), totals))
        return found

    def _runs_of(self, job_ids: Sequence[str] | None) -> list[tuple[JobState, JobRuns]]:
        """Several jobs with their trials, or all for None."""
        records = self._repository.records_of(job_ids)
        since = self._repository.ended_since_converged_of(job_ids)
        jobs = self._service.jobs(job_ids)
        profiles = self._power_profiles(jobs, records)
        ends = self._ends(since)
        past = self._service.past_totals_of(job_ids)
        return [
            (
                job,
                JobRuns(
                    records.get(job.job_id, []),
                    profiles.get(job.job_id, {}),
                    since[job.job_id],
                    ends.get(job.job_id, {}),
                    past.get(job.job_id, PastTotals()),
                ),
            )
            for job in jobs
        ]

    def _ends(self, ended_since_converged: Mapping[str, int]) -> Mapping[str, Mapping[str, int]]:
        """Read how trials ended since the latest that converged, of the jobs with an alarm."""
        alarmed = [job_id for job_id, ended in ended_since_converged.items() if job_savings.alarmed(ended)]
        chunks = (alarmed[start : start + _AT_ONCE] for start in range(0, len(alarmed), _AT_ONCE))
        return {
            job_id: ends for chunk in chunks for job_id, ends in self._repository.ends_since_converged_of(chunk).items()
        }

    def _power_profiles(
        self, jobs: Sequence[JobState], records: Mapping[str, Sequence[SizeRecord]]
    ) -> Mapping[str, Mapping[int, PowerProfile]]:
        """Read what is known about batch sizes at each power limit, of the jobs that set limits or have set some."""
        wanted = [
            job.job_id
            for job in jobs
            if job.spec.power_limit == "optimize" or any(r.power_limit for r in records.get(job.job_id, []))
        ]
        if not wanted:
            return {}
        return self._service.power_profiles_of(wanted if len(wanted) <= _AT_ONCE else None)

    def _past_runs(self, job_id: str) -> PastTotals:
        return self._service.past_totals_of([job_id]).get(job_id, PastTotals())

    def _job(self, job_id: str) -> JobState:
        return self._service.get_job(job_id, status_code=404)


def _saved_energy(summary: JobSummary) -> float:
    return summary.savings.energy.saved if summary.savings and summary.savings.energy else 0.0
