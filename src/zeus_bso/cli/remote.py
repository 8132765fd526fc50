"""The command line's requests about jobs and trials, to a server or to an embedded file."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO

from zeus_bso.cli.errors import BAD_USE, CommandError
from zeus_bso.client.connection.connect import SERVER_URL_VARIABLE, missing_file, transport_for
from zeus_bso.client.connection.read_api import ReadApi
from zeus_bso.exceptions import ZeusBSOConfigError, ZeusBSOServerUnreachableError
from zeus_bso.protocol.past_runs import PastRunsTaken
from zeus_bso.protocol.transport import Answer, FileTransport, TransportError
from zeus_bso.protocol.urls import (
    DELETE_JOB_URL,
    EXPORT_URL,
    IMPORT_URL,
    OBSERVATIONS_URL,
    REPORT_END_URL,
    RESET_URL,
)
from zeus_bso.protocol.views import ImportedJob, ImportProgress, JobView, TrialView

_TRANSFER_S = 600.0


def add_server_options(parser: argparse.ArgumentParser, *, table: bool = False) -> None:
    """Declare the options that name the server and the format of the output.

    Args:
        parser: Gets the options.
        table: Whether the output is a table, which can be printed as CSV.
    """
    parser.add_argument(
        "--server-url",
        metavar="URL",
        help=f"http(s)://..., or sqlite:///path for a file without a server (default: {SERVER_URL_VARIABLE})",
    )
    parser.add_argument(
        "--token", help="the token for the server (default: ZEUS_BSO_TOKEN, or the file ZEUS_BSO_TOKEN_FILE)"
    )
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument("--json", action="store_true", help="print the answer of the server's API as JSON")
    if table:
        formats.add_argument("--csv", action="store_true", help="print a table as CSV, with full figures")


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
    if (url := missing_file(args.server_url)) is not None:
        raise CommandError(f"{url}: there is no such file.")
    return transport_for(args.server_url, args.token)


class Remote(ReadApi):
    """Sends requests to the API. Every error has the message of the server.

    Args:
        transport: The connection to the server.
    """

    def __init__(self, transport: FileTransport) -> None:
        super().__init__(transport, "Give a token with --token or ZEUS_BSO_TOKEN.")
        self._files = transport

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

    def tell_past_runs(
        self, job_id: str, source: str, runs: Sequence[Mapping[str, object]], *, dry_run: bool
    ) -> PastRunsTaken:
        """Tell a job of past runs."""
        body = {"job_id": job_id, "source": source, "runs": list(runs), "dry_run": dry_run}
        return self._validated(PastRunsTaken, self._ask("POST", OBSERVATIONS_URL, body=body))

    def import_progress(self, job_id: str) -> ImportProgress:
        """How far an import is."""
        return ImportProgress.model_validate(self._ask("GET", IMPORT_URL, {"job_id": job_id}).body)

    def import_job(self, file: IO[bytes], *, new_id: str | None, replace: bool) -> ImportedJob:
        """Import a whole job."""
        params = ({"as": new_id} if new_id else {}) | ({"replace": "true"} if replace else {})
        return ImportedJob.model_validate(self._transfer("POST", IMPORT_URL, params, body=file).body)

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
            answer = self._files.transfer(method, path, params=params, body=body, into=into, timeout_s=_TRANSFER_S)
        except TransportError as error:
            raise ZeusBSOServerUnreachableError(str(error)) from None
        return self._accepted(answer)
