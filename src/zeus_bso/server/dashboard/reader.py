"""Reads the content of a job's page within one transaction."""

from __future__ import annotations

from dataclasses import dataclass

from zeus_bso.policy.explanation import Explanation
from zeus_bso.server.dashboard.queries import DashboardQueries
from zeus_bso.server.job.models import JobState
from zeus_bso.server.overview.overview import Overview
from zeus_bso.server.services.service import ZeusService
from zeus_bso.server.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Reader:
    """All sources of the content of a job's page, within one transaction.

    Attributes:
        service: Jobs, batch sizes and trials.
        overview: Summaries and savings.
        queries: Queries that only the dashboard uses.
    """

    service: ZeusService
    overview: Overview
    queries: DashboardQueries

    @classmethod
    def of(cls, unit: UnitOfWork) -> Reader:
        """All sources within a transaction."""
        return cls(unit.service, Overview.of(unit), DashboardQueries(unit.connection, unit.access))

    def job(self, job_id: str) -> JobState:
        """Read a job.

        Raises:
            UnknownJobError: There is no such job. The answer is 404.
        """
        return self.service.get_job(job_id, status_code=404)

    def explain(self, job: JobState) -> Explanation:
        """Explain what the next ask would get now."""
        return job.policy.explain(self.service.choice_input(job))

    def chosen(self, job: JobState) -> int | None:
        """The batch size that a job has chosen so far."""
        return job.policy.best(job.knobs, job.progress, self.service.choice_input(job).sizes)
