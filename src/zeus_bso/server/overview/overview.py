"""Reads jobs for people. It is the read-only counterpart of the service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from zeus_bso.protocol.views import FleetSavings, JobSavings, JobSummary, JobView, ReportView, SavingsPoint
from zeus_bso.server import presenter
from zeus_bso.server.job.models import JobState
from zeus_bso.server.overview import job_savings
from zeus_bso.server.overview.commands import ListJobs, ReadReports
from zeus_bso.server.overview.models import JobFigures, JobKey, JobLine, JobVersion
from zeus_bso.server.overview.prices import EnergyPrices
from zeus_bso.server.overview.repository import OverviewRepository
from zeus_bso.server.services.service import ZeusService
from zeus_bso.server.unit_of_work import UnitOfWork

_AT_ONCE = 1000
"""Largest number of jobs in one SQL statement."""

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
        return job_savings.job_savings(job, records, job_savings.job_totals(job, records, since), since, self._prices)

    def savings_over_time(self, job_id: str) -> list[SavingsPoint]:
        """The savings of a job after each run.

        Raises:
            UnknownJobError: There is no such job.
        """
        return job_savings.savings_over_time(self._job(job_id), self._repository.ended_trials(job_id), self._prices)

    def fleet(self) -> FleetSavings:
        """The savings of all jobs together."""
        records = self._repository.records_of()
        since = self._repository.ended_since_converged_of()
        jobs = self._service.jobs()
        totals = [job_savings.job_totals(job, records.get(job.job_id, []), since[job.job_id]) for job in jobs]
        return job_savings.fleet_savings(totals, self._prices)

    def versions(self) -> list[JobVersion]:
        """The versions of all jobs. A job's version changes when one of its trials begins or ends."""
        return self._repository.versions()

    def figures(self, job_ids: Sequence[str]) -> dict[str, JobFigures]:
        """The figures of several jobs for the metrics."""
        kinds = self._repository.trial_kinds(job_ids)
        records = self._repository.records_of(job_ids)
        since = self._repository.ended_since_converged_of(job_ids)
        return {
            job.job_id: JobFigures(
                trials=kinds.get(job.job_id, {}),
                totals=job_savings.job_totals(job, records.get(job.job_id, []), since[job.job_id]),
            )
            for job in self._service.jobs(job_ids)
        }

    def lines(self, job_ids: Sequence[str]) -> dict[str, JobLine]:
        """Several jobs for the pages about all jobs."""
        return {line.summary.job_id: line for line in self._lines(job_ids)}

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
        records = self._repository.records_of(job_ids)
        since = self._repository.ended_since_converged_of(job_ids)
        sizes = self._service.sizes_of(job_ids)
        found = []
        for job in self._service.jobs(job_ids):
            of_job, ended = records.get(job.job_id, []), since[job.job_id]
            trials, running = sum(r.trials for r in of_job), sum(r.running for r in of_job)
            summary = presenter.summarize(job, sizes[job.job_id], trials, running)
            totals = job_savings.job_totals(job, of_job, ended)
            saved = job_savings.job_savings(job, of_job, totals, ended, self._prices)
            found.append(JobLine(summary.model_copy(update={"savings": saved}), totals))
        return found

    def _job(self, job_id: str) -> JobState:
        return self._service.get_job(job_id, status_code=404)


def _saved_energy(summary: JobSummary) -> float:
    return summary.savings.energy.saved if summary.savings and summary.savings.energy else 0.0
