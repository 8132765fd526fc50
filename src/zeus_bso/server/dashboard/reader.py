"""Reads the content of a job's page within one transaction."""

from __future__ import annotations

from dataclasses import dataclass

from zeus_bso.exceptions import UnknownTrialError
from zeus_bso.policy.explanation import Explanation
from zeus_bso.server.dashboard.queries import DashboardQueries, SizeCosts, TrialPage, TrialPoint, TrialRow
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

    def trial(self, job_id: str, number: int) -> TrialRow:
        """Read a trial of a job.

        Raises:
            UnknownTrialError: The job has no such trial.
        """
        rows = self.queries.trials(TrialPage(job_id, before=number + 1, limit=1))
        if not rows or rows[0].trial_number != number:
            raise UnknownTrialError(f"Job {job_id!r} has no trial {number}.", status_code=404)
        return rows[0]

    def costs_before(self, job_id: str, trial: TrialPoint) -> dict[int, SizeCosts]:
        """Sum up what runs of each batch size had cost when a trial began, past runs included."""
        costs = self.queries.past_costs(job_id, trial.generation, trial.started_at)
        of_trials = self.queries.costs_before(job_id, trial.generation, trial.trial_number)
        return costs | {size: costs.get(size, SizeCosts()) | own for size, own in of_trials.items()}

    def explain(self, job: JobState) -> Explanation:
        """Explain what the next ask would get now."""
        return job.policy.explain(self.service.choice_input(job))

    def chosen(self, job: JobState) -> int | None:
        """The batch size that a job has chosen so far."""
        return job.policy.best(job.knobs, job.progress, self.service.choice_input(job).sizes)
