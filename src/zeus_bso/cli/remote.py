"""The command line's requests about jobs and trials, to a server or to an embedded file."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar

from pydantic import TypeAdapter, ValidationError

from zeus_bso.cli.errors import BAD_USE, CommandError
from zeus_bso.client.connection.connect import SERVER_URL_VARIABLE, transport_for
from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.protocol.transport import Answer, FileTransport, TransportError
from zeus_bso.protocol.urls import (
    DELETE_JOB_URL,
    EXPORT_URL,
    IMPORT_URL,
    JOB_URL,
    JOBS_URL,
    REPORT_END_URL,
    REPORTS_URL,
    RESET_URL,
    TRIALS_URL,
)
from zeus_bso.protocol.views import ImportedJob, ImportProgress, JobSummary, JobView, ReportView, TrialView

_T = TypeVar("_T")

_CALL_S = 60.0
_TRANSFER_S = 600.0
_PAGE = 1000

_JOBS = TypeAdapter(list[JobSummary])
_TRIALS = TypeAdapter(list[TrialView])
_REPORTS = TypeAdapter(list[ReportView])


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options that name the server."""
    parser.add_argument(
        "--server-url",
        metavar="URL",
        help=f"http(s)://..., or sqlite:///path for a file without a server (default: {SERVER_URL_VARIABLE})",
    )
    parser.add_argument(
        "--token", help="the token for the server (default: ZEUS_BSO_TOKEN, or the file ZEUS_BSO_TOKEN_FILE)"
    )
    parser.add_argument("--json", action="store_true", help="print the answer of the server's API as JSON")


@contextmanager
def connected(args: argparse.Namespace, *, may_create: bool = False) -> Iterator[Remote]:
    """Connect to the server or file that the arguments name.

    Args:
        args: The arguments.
        may_create: Whether to create a file that does not exist.

    Raises:
        CommandError: The arguments name no server, or the file does not exist.
    """
    try:
        transport = transport_for(args.server_url, args.token) if may_create else _existing(args)
    except ZeusBSOConfigError as error:
        raise CommandError(str(error), BAD_USE) from None
    try:
        yield Remote(transport)
    finally:
        transport.close()


def _existing(args: argparse.Namespace) -> FileTransport:
    url = args.server_url or os.environ.get(SERVER_URL_VARIABLE) or ""
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///").partition("?")[0]).exists():
        raise CommandError(f"{url}: there is no such file.")
    return transport_for(args.server_url, args.token)


class Remote:
    """Sends requests to the API. Every error is a :class:`CommandError` with the message of the server.

    Args:
        transport: The connection to the server.
    """

    def __init__(self, transport: FileTransport) -> None:
        self._transport = transport

    def jobs(self, *, search: str | None, sort: str) -> list[JobSummary]:
        """All jobs, or the jobs that contain a text."""
        found: list[JobSummary] = []
        while True:
            params = {"sort": sort, "offset": str(len(found)), "limit": str(_PAGE)}
            page = self._read(_JOBS, self._ask("GET", JOBS_URL, params | ({"search": search} if search else {})))
            found += page
            if len(page) < _PAGE:
                return found

    def job(self, job_id: str) -> JobView:
        """One job."""
        return JobView.model_validate(self._ask("GET", JOB_URL, {"job_id": job_id}).body)

    def trials(
        self, job_id: str, *, limit: int | None, status: str | None = None, batch_size: int | None = None
    ) -> list[TrialView]:
        """The latest trials of a job, newest first."""
        filters = {"status": status, "batch_size": None if batch_size is None else str(batch_size)}
        given = {name: value for name, value in filters.items() if value is not None}
        found: list[TrialView] = []
        while limit is None or len(found) < limit:
            size = _PAGE if limit is None else min(_PAGE, limit - len(found))
            after = found[-1].trial_number if found else 0
            params = {"job_id": job_id, "descending": "true", "after": str(after), "limit": str(size)}
            page = self._read(_TRIALS, self._ask("GET", TRIALS_URL, params | given))
            found += page
            if len(page) < size:
                break
        return found

    def trial(self, job_id: str, number: int) -> TrialView:
        """One trial of a job."""
        params = {"job_id": job_id, "after": str(max(0, number - 1)), "limit": "1"}
        page = self._read(_TRIALS, self._ask("GET", TRIALS_URL, params))
        if not page or page[0].trial_number != number:
            raise CommandError(f"job {job_id!r} has no trial {number}.")
        return page[0]

    def reports(self, job_id: str, number: int) -> list[ReportView]:
        """The learning curve of a trial."""
        found: list[ReportView] = []
        while True:
            after = found[-1].epoch if found else -1
            params = {"job_id": job_id, "trial_number": str(number), "after": str(after), "limit": str(_PAGE)}
            page = self._read(_REPORTS, self._ask("GET", REPORTS_URL, params))
            found += page
            if len(page) < _PAGE:
                return found

    def end(self, trial: TrialView, reason: str) -> TrialView:
        """End a trial without a result."""
        body = {"job_id": trial.job_id, "batch_size": trial.batch_size, "trial_number": trial.trial_number}
        return TrialView.model_validate(self._ask("PATCH", REPORT_END_URL, body=body | {"reason": reason}).body)

    def delete(self, job_id: str) -> None:
        """Delete a job."""
        self._ask("DELETE", DELETE_JOB_URL, {"job_id": job_id})

    def reset(self, job_id: str) -> JobView:
        """Reset a job, so that it explores again."""
        return JobView.model_validate(self._ask("POST", RESET_URL, {"job_id": job_id}).body)

    def export(self, job_id: str, into: IO[bytes]) -> None:
        """Write a whole job to a file."""
        self._transfer("GET", EXPORT_URL, {"job_id": job_id}, into=into)

    def import_progress(self, job_id: str) -> ImportProgress:
        """How far an import is."""
        return ImportProgress.model_validate(self._ask("GET", IMPORT_URL, {"job_id": job_id}).body)

    def import_job(self, file: IO[bytes], *, new_id: str | None, replace: bool) -> ImportedJob:
        """Import a whole job."""
        params = ({"as": new_id} if new_id else {}) | ({"replace": "true"} if replace else {})
        return ImportedJob.model_validate(self._transfer("POST", IMPORT_URL, params, body=file).body)

    def _ask(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> Answer:
        try:
            return _accepted(self._transport.request(method, path, params=params, body=body, timeout_s=_CALL_S))
        except TransportError as error:
            raise CommandError(str(error)) from None

    def _transfer(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        *,
        body: IO[bytes] | None = None,
        into: IO[bytes] | None = None,
    ) -> Answer:
        try:
            answer = self._transport.transfer(method, path, params=params, body=body, into=into, timeout_s=_TRANSFER_S)
        except TransportError as error:
            raise CommandError(str(error)) from None
        return _accepted(answer)

    def _read(self, kind: TypeAdapter[list[_T]], answer: Answer) -> list[_T]:
        try:
            return kind.validate_python(list(answer.items))
        except ValidationError:
            raise CommandError(
                f"{self._transport.address} answers in another format; it may be another release of zeus-bso."
            ) from None


def _accepted(answer: Answer) -> Answer:
    if answer.status < 400:
        return answer
    hint = " Give a token with --token or ZEUS_BSO_TOKEN." if answer.status in (401, 403) else ""
    raise CommandError((answer.message or f"the server answered {answer.status}.") + hint)
