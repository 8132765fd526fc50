"""What commands read from the server that they have started: jobs, a job, its trials."""

from __future__ import annotations

import json

import urllib3
from pydantic import TypeAdapter

from zeus_bso.cli.errors import CommandError
from zeus_bso.protocol.urls import JOB_URL, JOBS_URL, TRIALS_URL
from zeus_bso.protocol.views import JobSummary, JobView, TrialView

_JOBS = TypeAdapter(list[JobSummary])
_TRIALS = TypeAdapter(list[TrialView])
_PAGE = 1000
_LATEST = 20
_TIMEOUT_S = 10.0


class ServerReader:
    """Reads the API of a server.

    Args:
        server_url: URL of the server.
    """

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url.rstrip("/")
        self._pool = urllib3.PoolManager(timeout=_TIMEOUT_S)

    def jobs(self) -> list[JobSummary]:
        """All jobs."""
        return _JOBS.validate_python(self._get(JOBS_URL))

    def find_job(self, job_id_prefix: str | None = None) -> JobSummary | None:
        """The most recently updated job with this prefix, or of all jobs."""
        jobs = [job for job in self.jobs() if job_id_prefix is None or job.job_id.startswith(f"{job_id_prefix}-")]
        return max(jobs, key=lambda job: job.updated_at, default=None)

    def find_trial(self, run_id: str, job_id_prefix: str | None = None) -> TrialView | None:
        """The trial of a run, searched among the latest trials. None if the run has not asked for one yet."""
        job = self.find_job(job_id_prefix)
        if job is None:
            return None
        latest = self.trials(job.job_id, after=max(0, job.trials - _LATEST))
        return next((trial for trial in reversed(latest) if trial.run_id == run_id), None)

    def job(self, job_id: str) -> JobView:
        """A job with its results for each batch size."""
        return JobView.model_validate(self._get(JOB_URL, job_id=job_id))

    def trials(self, job_id: str, after: int = 0) -> list[TrialView]:
        """The trials of a job with numbers above ``after``, in ascending order."""
        trials: list[TrialView] = []
        while True:
            page = _TRIALS.validate_python(self._get(TRIALS_URL, job_id=job_id, after=str(after), limit=str(_PAGE)))
            trials += page
            if len(page) < _PAGE:
                return trials
            after = page[-1].trial_number

    def _get(self, path: str, **fields: str) -> object:
        try:
            response = self._pool.request("GET", self._server_url + path, fields=fields, retries=2)
            answer = json.loads(response.data)
        except (urllib3.exceptions.HTTPError, ValueError):
            raise CommandError(f"no zeus-bso server answers at {self._server_url}.") from None
        if response.status != 200:
            raise CommandError(f"{self._server_url}{path} answered {response.status}: {answer}")
        return answer
