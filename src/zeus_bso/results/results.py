"""Reads the results of jobs from a server or from an embedded file."""

from __future__ import annotations

from types import TracebackType
from typing import Literal

from zeus_bso.client.connection.connect import missing_file, transport_for
from zeus_bso.client.connection.read_api import ReadApi
from zeus_bso.exceptions import ZeusBSOConfigError, ZeusBSORequestError
from zeus_bso.protocol.transport import Transport
from zeus_bso.protocol.views import JobView
from zeus_bso.results.result_values import JobList, JobResult, SavingsResult, TrialList

_NAMED = 5
"""An error names at most so many jobs."""


def connect(url: str | None = None, token: str | None = None) -> Results:
    """Connect to a server, or open an embedded file, to read results.

    Args:
        url: ``http(s)://host:port`` of a server, or ``sqlite:///path`` of a file. Default: the environment variable
            ``ZEUS_BSO_SERVER_URL``.
        token: The server's token. Default: user info in the URL, then the environment variable ``ZEUS_BSO_TOKEN``, then
            the file in ``ZEUS_BSO_TOKEN_FILE``.

    Raises:
        ZeusBSOConfigError: There is no URL, it is of another kind, or there is no such file.
        ZeusBSOServerUnreachableError: The file cannot be used.

    Examples:
        >>> from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor, connect
        >>> job = JobSpec(job_id="nightly", job_id_prefix="n", batch_sizes=[64], default_batch_size=64)
        >>> with BatchSizeOptimizer(ReplayMonitor([(10.0, 500.0)] * 2), "sqlite:///jobs.db", job) as bso:
        ...     batch_size = bso.get_batch_size()
        ...     bso.on_train_begin()
        ...     bso.on_evaluate(0.95)
        >>> with connect("sqlite:///jobs.db") as results:
        ...     for trial in results.trials("nightly"):
        ...         print(trial.batch_size, trial.outcome.value, trial.energy)
        64 converged 500.0
    """
    if (missing := missing_file(url)) is not None:
        raise ZeusBSOConfigError(f"{missing}: there is no such file; a training with this server_url makes it.")
    return Results(transport_for(url, token))


class Results:
    """Reads the results of jobs. Every call reads anew. Close it, or use it in a ``with`` block.

    Every method raises :class:`ZeusBSORequestError` if the server refuses, for example because there is no such job,
    and :class:`ZeusBSOServerUnreachableError` if no server answers.

    Args:
        transport: The connection to the server, which is closed with this object.

    Examples:
        Of a server in memory, in a test; else :func:`connect` makes one:

        >>> from zeus_bso.results.results import Results
        >>> from zeus_bso.testing import InMemoryServer
        >>> with Results(InMemoryServer()) as results:
        ...     results.jobs()
        <0 jobs>
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._api = ReadApi(transport)

    def __repr__(self) -> str:
        return f"<results of {self._transport.address}>"

    def __enter__(self) -> Results:
        """Start a block. The connection is closed with the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def jobs(self, search: str | None = None) -> JobList:
        """All jobs with their savings, by id.

        Args:
            search: Only jobs with this text in their id or GPU model, in any case.
        """
        return JobList(tuple(self._api.jobs(search=search)))

    def job(self, job_id: str) -> JobResult:
        """One job with its spec and the results for each batch size.

        Args:
            job_id: The id of the job, or a beginning of it that no other job has.
        """
        return JobResult.model_validate(dict(self._find(job_id)))

    def trials(
        self,
        job_id: str,
        *,
        limit: int | None = None,
        status: Literal["Dispatched", "Succeeded", "Failed"] | None = None,
        batch_size: int | None = None,
    ) -> TrialList:
        """The trials of a job, in their order.

        Args:
            job_id: The id of the job, or a beginning of it that no other job has.
            limit: Only so many of the latest trials.
            status: Only trials of this status.
            batch_size: Only trials of this batch size.
        """
        job = self._find(job_id)
        latest_first = self._api.trials(job.job_id, limit=limit, status=status, batch_size=batch_size)
        return TrialList(tuple(reversed(latest_first)), job)

    def savings(self, job_id: str) -> SavingsResult:
        """What a job has saved against its default batch size, now and after each run.

        Args:
            job_id: The id of the job, or a beginning of it that no other job has.
        """
        job = self._find(job_id)
        history = tuple(self._api.savings_history(job.job_id))
        return SavingsResult.model_validate(dict(self._api.savings(job.job_id)) | {"history": history})

    def _find(self, job_id: str) -> JobView:
        """The job of this id, or else the only job whose id begins so."""
        if (job := self._api.find_job(job_id)) is not None:
            return job
        found = [job.job_id for job in self._api.jobs(search=job_id) if job.job_id.startswith(job_id)]
        if len(found) == 1:
            return self._api.job(found[0])
        if not found:
            raise ZeusBSORequestError(f"No job's id is or begins with {job_id!r}; jobs() lists all jobs.")
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        raise ZeusBSORequestError(f"{job_id!r} begins the ids of {', '.join(found[:_NAMED])}{more}: write more of it.")
