"""The server's reading endpoints as typed calls, which follow lists over all their pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from zeus_bso.exceptions import ZeusBSORequestError, ZeusBSOServerUnreachableError
from zeus_bso.protocol.savings_views import JobSavings, SavingsPoint
from zeus_bso.protocol.transport import Answer, Transport, TransportError
from zeus_bso.protocol.urls import (
    JOB_URL,
    JOBS_URL,
    REPORTS_URL,
    SAVINGS_HISTORY_URL,
    SAVINGS_URL,
    TRIALS_URL,
)
from zeus_bso.protocol.views import JobSummary, JobView, ReportView, TrialView

_T = TypeVar("_T")
_Model = TypeVar("_Model", bound=BaseModel)

_CALL_S = 60.0
_PAGE = 1000
_UNKNOWN = (400, 404)

_JOBS = TypeAdapter(list[JobSummary])
_TRIALS = TypeAdapter(list[TrialView])
_REPORTS = TypeAdapter(list[ReportView])
_HISTORY = TypeAdapter(list[SavingsPoint])


class ReadApi:
    """Reads jobs and trials. Each error is a sentence that says what to do.

    Args:
        transport: Sends the requests.
        token_hint: A sentence that says where a token can be given.
    """

    def __init__(self, transport: Transport, token_hint: str = "Give a token with token= or ZEUS_BSO_TOKEN.") -> None:
        self._transport = transport
        self._token_hint = token_hint

    def jobs(self, *, search: str | None = None, sort: str = "job_id") -> list[JobSummary]:
        """All jobs, or the jobs that contain a text.

        Raises:
            ZeusBSORequestError: The server refuses the request.
            ZeusBSOServerUnreachableError: No server answers. All methods raise these two errors.
        """
        found: dict[str, JobSummary] = {}
        offset = 0
        while True:
            params = {"sort": sort, "offset": str(offset), "limit": str(_PAGE)}
            page = self._read(_JOBS, JOBS_URL, params | ({"search": search} if search else {}))
            # A job that is registered meanwhile moves others to the next page, where they come again.
            found.update((job.job_id, job) for job in page)
            offset += len(page)
            if len(page) < _PAGE:
                return list(found.values())

    def job(self, job_id: str) -> JobView:
        """One job."""
        return self._validated(JobView, self._ask("GET", JOB_URL, {"job_id": job_id}))

    def find_job(self, job_id: str) -> JobView | None:
        """One job, or None if there is no job of this id."""
        answer = self._send("GET", JOB_URL, {"job_id": job_id})
        return None if answer.status in _UNKNOWN else self._validated(JobView, self._accepted(answer))

    def trials(
        self,
        job_id: str,
        *,
        limit: int | None = None,
        status: str | None = None,
        batch_size: int | None = None,
    ) -> list[TrialView]:
        """The latest trials of a job, newest first."""
        filters = {"status": status, "batch_size": None if batch_size is None else str(batch_size)}
        given = {name: value for name, value in filters.items() if value is not None}
        found: list[TrialView] = []
        while limit is None or len(found) < limit:
            size = _PAGE if limit is None else min(_PAGE, limit - len(found))
            after = found[-1].trial_number if found else 0
            params = {"job_id": job_id, "descending": "true", "after": str(after), "limit": str(size)}
            page = self._read(_TRIALS, TRIALS_URL, params | given)
            found += page
            if len(page) < size:
                break
        return found

    def trial(self, job_id: str, number: int) -> TrialView:
        """One trial of a job."""
        params = {"job_id": job_id, "after": str(max(0, number - 1)), "limit": "1"}
        page = self._read(_TRIALS, TRIALS_URL, params)
        if not page or page[0].trial_number != number:
            raise ZeusBSORequestError(f"job {job_id!r} has no trial {number}.")
        return page[0]

    def reports(self, job_id: str, number: int) -> list[ReportView]:
        """The learning curve of a trial."""
        found: list[ReportView] = []
        while True:
            after = found[-1].epoch if found else -1
            params = {"job_id": job_id, "trial_number": str(number), "after": str(after), "limit": str(_PAGE)}
            page = self._read(_REPORTS, REPORTS_URL, params)
            found += page
            if len(page) < _PAGE:
                return found

    def savings(self, job_id: str) -> JobSavings:
        """The savings of a job."""
        return self._validated(JobSavings, self._ask("GET", SAVINGS_URL, {"job_id": job_id}))

    def savings_history(self, job_id: str) -> list[SavingsPoint]:
        """The savings of a job after each of its runs, at most 500 of them."""
        return self._read(_HISTORY, SAVINGS_HISTORY_URL, {"job_id": job_id})

    def _read(self, kind: TypeAdapter[list[_T]], path: str, params: Mapping[str, str]) -> list[_T]:
        try:
            return kind.validate_python(list(self._ask("GET", path, params).items))
        except ValidationError:
            raise self._stranger() from None

    def _validated(self, model: type[_Model], answer: Answer) -> _Model:
        try:
            return model.model_validate(answer.body)
        except ValidationError:
            raise self._stranger() from None

    def _ask(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> Answer:
        return self._accepted(self._send(method, path, params, body))

    def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> Answer:
        try:
            return self._transport.request(method, path, params=params, body=body, timeout_s=_CALL_S)
        except TransportError as error:
            raise ZeusBSOServerUnreachableError(str(error)) from None

    def _accepted(self, answer: Answer) -> Answer:
        if answer.status < 400:
            return answer
        hint = f" {self._token_hint}" if answer.status in (401, 403) else ""
        raise ZeusBSORequestError((answer.message or f"The server answered {answer.status}.") + hint)

    def _stranger(self) -> ZeusBSOServerUnreachableError:
        return ZeusBSOServerUnreachableError(
            f"{self._transport.address} answers in another format; it may be another release of zeus-bso."
        )
