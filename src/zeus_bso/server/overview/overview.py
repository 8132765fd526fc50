"""What people want to see of jobs; the counterpart of the service for those who only look."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from zeus_bso.common import EnergySource
from zeus_bso.savings import Saving, saving
from zeus_bso.server import presenter
from zeus_bso.server.job.models import JobState
from zeus_bso.server.overview import savings
from zeus_bso.server.overview.commands import ListJobs, ReadReports
from zeus_bso.server.overview.models import JobKey, JobMark
from zeus_bso.server.overview.prices import Prices
from zeus_bso.server.overview.repository import OverviewRepository
from zeus_bso.server.services.service import ZeusService
from zeus_bso.views import FleetSavings, JobSavings, JobSummary, JobView, ReportView, SavingsPoint

_AT_ONCE = 1000
"""A statement names so many jobs at most."""

_SORTED_BY: dict[str, Callable[[JobSummary], tuple[float, str]]] = {
    "trials": lambda summary: (summary.trials, summary.job_id),
    "saved": lambda summary: (_saved_energy(summary), summary.job_id),
}


@dataclass(frozen=True, slots=True)
class JobPage:
    """A page of the list of jobs.

    Attributes:
        jobs: The jobs.
        total: How many there are on all pages.
    """

    jobs: list[JobSummary]
    total: int


@dataclass(frozen=True, slots=True)
class JobFigures:
    """What the metrics tell of a job.

    Attributes:
        trials: Its trials by status and reason.
        energy: What it saved of energy [J]; None: there is not enough data.
        time: What it saved of time [s]; likewise.
        spent_energy: Energy that its ended trials used [J].
        energy_source: What its energy readings rest on.
        alarmed: None of its latest runs converged.
    """

    trials: Mapping[tuple[str, str], int]
    energy: Saving | None
    time: Saving | None
    spent_energy: float
    energy_source: EnergySource | None
    alarmed: bool


class Overview:
    """Reads within one transaction.

    Args:
        service: The jobs and trials.
        repository: Queries over many of them.
        prices: What energy costs.
    """

    def __init__(self, service: ZeusService, repository: OverviewRepository, prices: Prices) -> None:
        self._service = service
        self._repository = repository
        self._prices = prices

    def jobs(self, command: ListJobs) -> JobPage:
        """A page of the list of jobs; as many queries for a page of a thousand jobs as for one of one."""
        keys = self._repository.job_keys(command.search)
        column = command.sort.value.removeprefix("-")
        down = command.sort.value.startswith("-")
        if column in JobKey.__dataclass_fields__:
            keys.sort(key=lambda key: (getattr(key, column), key.job_id), reverse=down)
            page = keys[command.offset : command.offset + command.limit]
            place = {key.job_id: number for number, key in enumerate(page)}
            summaries = self._summaries(list(place))
            return JobPage(sorted(summaries, key=lambda summary: place[summary.job_id]), len(keys))
        job_ids = [key.job_id for key in keys]
        chunks = (job_ids[start : start + _AT_ONCE] for start in range(0, len(job_ids), _AT_ONCE))
        summaries = [summary for chunk in chunks for summary in self._summaries(chunk)]
        summaries.sort(key=_SORTED_BY[column], reverse=down)
        if column == "saved":
            summaries.sort(key=lambda summary: summary.savings is None or summary.savings.energy is None)
        return JobPage(summaries[command.offset : command.offset + command.limit], len(keys))

    def job(self, job_id: str) -> JobView:
        """One job with its spec, what is known about each batch size, and what it has saved.

        Raises:
            UnknownJobError: There is no such job.
        """
        view = presenter.show_job(self._service, job_id)
        return view.model_copy(update={"savings": self.savings(job_id)})

    def savings(self, job_id: str) -> JobSavings:
        """What a job has saved.

        Raises:
            UnknownJobError: There is no such job.
        """
        job = self._job(job_id)
        since = self._repository.ended_since_converged(job_id)
        return savings.job_savings(job, self._repository.records(job_id), since, self._prices)

    def savings_over_time(self, job_id: str) -> list[SavingsPoint]:
        """What a job had saved after each run.

        Raises:
            UnknownJobError: There is no such job.
        """
        return savings.savings_over_time(self._job(job_id), self._repository.ended_trials(job_id), self._prices)

    def fleet(self) -> FleetSavings:
        """What all jobs have saved together."""
        records = self._repository.records_of()
        since = self._repository.ended_since_converged_of()
        jobs = [(job, records.get(job.job_id, [])) for job in self._service.jobs()]
        return savings.fleet_savings(jobs, sum(map(savings.alarmed, since.values())), self._prices)

    def marks(self) -> list[JobMark]:
        """The marks of all jobs: those of a job change when its trials do."""
        return self._repository.marks()

    def figures(self, job_ids: Sequence[str]) -> dict[str, JobFigures]:
        """What the metrics tell of several jobs."""
        kinds = self._repository.trial_kinds(job_ids)
        records = self._repository.records_of(job_ids)
        since = self._repository.ended_since_converged_of(job_ids)
        found = {}
        for job in self._service.jobs(job_ids):
            of_job, default = records.get(job.job_id, []), job.spec.default_batch_size
            found[job.job_id] = JobFigures(
                trials=kinds.get(job.job_id, {}),
                energy=saving({record.batch_size: record.energy for record in of_job}, default),
                time=saving({record.batch_size: record.time for record in of_job}, default),
                spent_energy=sum(record.energy.total + record.energy.lost for record in of_job),
                energy_source=job.energy_source,
                alarmed=savings.alarmed(since[job.job_id]),
            )
        return found

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
        records = self._repository.records_of(job_ids)
        since = self._repository.ended_since_converged_of(job_ids)
        sizes = self._service.sizes_of(job_ids)
        found = []
        for job in self._service.jobs(job_ids):
            of_job = records.get(job.job_id, [])
            trials, running = sum(r.trials for r in of_job), sum(r.running for r in of_job)
            summary = presenter.summarize(job, sizes[job.job_id], trials, running)
            saved = savings.job_savings(job, of_job, since[job.job_id], self._prices)
            found.append(summary.model_copy(update={"savings": saved}))
        return found

    def _job(self, job_id: str) -> JobState:
        return self._service.get_job(job_id, status_code=404)


def _saved_energy(summary: JobSummary) -> float:
    return summary.savings.energy.saved if summary.savings and summary.savings.energy else 0.0
