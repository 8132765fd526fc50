"""What the pages are made of, read within one transaction."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from zeus_bso.policy.explanations import Explanation
from zeus_bso.server.dashboard.queries import DashboardQueries
from zeus_bso.server.job.models import JobState
from zeus_bso.server.overview.commands import ListJobs
from zeus_bso.server.overview.overview import Overview
from zeus_bso.server.security.reach import Reach
from zeus_bso.server.services.service import ZeusService
from zeus_bso.views import JobSummary


@dataclass(frozen=True, slots=True)
class Reader:
    """The house's ways to look at jobs, in one transaction.

    Attributes:
        service: Jobs, batch sizes and trials as the optimizer knows them.
        overview: Summaries and savings.
        queries: What only the dashboard reads.
    """

    service: ZeusService
    overview: Overview
    queries: DashboardQueries

    @classmethod
    def over(cls, service: ZeusService, overview: Overview, connection: Connection, reach: Reach) -> Reader:
        """A reader within the transaction of a connection."""
        return cls(service, overview, DashboardQueries(connection, reach))

    def jobs(self) -> list[JobSummary]:
        """Summarize all jobs, with what they have saved; by job id."""
        page = self.overview.jobs(ListJobs())
        found = page.jobs
        while page.jobs and len(found) < page.total:
            page = self.overview.jobs(ListJobs(offset=len(found)))
            found = [*found, *page.jobs]
        return found

    def job(self, job_id: str) -> JobState:
        """Read a job.

        Raises:
            UnknownJobError: There is no such job; answered with 404.
        """
        return self.service.get_job(job_id, status_code=404)

    def explain(self, job: JobState) -> Explanation:
        """Say what a job would run if it were asked now and no lease had ended since."""
        return job.policy.explain(self.service.situation(self.service.with_sizes(job)))
