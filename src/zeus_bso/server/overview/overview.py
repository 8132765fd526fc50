"""What people want to see of jobs; the counterpart of the service for those who only look."""

from __future__ import annotations

from zeus_bso.server import presenter
from zeus_bso.server.job.models import JobState
from zeus_bso.server.overview import savings
from zeus_bso.server.overview.prices import Prices
from zeus_bso.server.overview.repository import OverviewRepository
from zeus_bso.server.services.service import ZeusService
from zeus_bso.views import FleetSavings, JobSavings, JobView, SavingsPoint


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
        since = self._repository.ended_since_converged([job_id])
        return savings.job_savings(job, self._repository.records(job_id), since[job_id], self._prices)

    def savings_over_time(self, job_id: str) -> list[SavingsPoint]:
        """What a job had saved after each run.

        Raises:
            UnknownJobError: There is no such job.
        """
        return savings.savings_over_time(self._job(job_id), self._repository.ended_trials(job_id), self._prices)

    def fleet(self) -> FleetSavings:
        """What all jobs have saved together."""
        records = self._repository.records_of()
        since = self._repository.ended_since_converged()
        jobs = [(job, records.get(job.job_id, [])) for job in self._service.jobs()]
        return savings.fleet_savings(jobs, sum(map(savings.alarmed, since.values())), self._prices)

    def _job(self, job_id: str) -> JobState:
        return self._service.get_job(job_id, status_code=404)
