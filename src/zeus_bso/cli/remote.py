"""The command line's requests about jobs and trials, to a server or to an embedded file."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import IO

from zeus_bso.cli.errors import BAD_USE, CommandError
from zeus_bso.cli.parser import closest
from zeus_bso.client.connection.connect import SERVER_URL_VARIABLE, missing_file, transport_for
from zeus_bso.client.connection.read_api import ReadApi
from zeus_bso.exceptions import ZeusBSOConfigError, ZeusBSOServerUnreachableError
from zeus_bso.protocol.import_views import ImportedJob, ImportProgress
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
from zeus_bso.protocol.views import JobView, TrialView

DATABASE_URL_VARIABLE = "ZEUS_BSO_DATABASE_URL"
LOCAL_SERVER = "http://127.0.0.1:8000"
"""Where `zeus-bso serve` listens."""

_WAYS = (
    f"give --server-url, or set {SERVER_URL_VARIABLE}, as one of\n"
    "  http://HOST:8000           a server\n"
    "  sqlite:///zeus-bso.db      the file of a server or of a script without one\n"
    "or start a server here: zeus-bso serve"
)
_API_WORDS = {"as=NEW_ID": "--as NEW_ID", "replace=true": "--replace"}
_SHOWN = 5
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
        help=f"http(s)://..., or sqlite:///path for a file without a server (default: {SERVER_URL_VARIABLE}, else an "
        f"SQLite file in {DATABASE_URL_VARIABLE}, else {LOCAL_SERVER})",
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
    url = _given_url(args.server_url)
    try:
        transport = transport_for(url or LOCAL_SERVER, args.token) if may_create else _existing(url, args.token)
    except ZeusBSOConfigError as error:
        raise CommandError(str(error).replace("give server_url", "give --server-url"), BAD_USE) from None
    try:
        yield Remote(transport)
    except ZeusBSOServerUnreachableError:
        if url:
            raise
        raise CommandError(f"No server is given, and none answers at {LOCAL_SERVER}: {_WAYS}", BAD_USE) from None
    finally:
        transport.close()


def _given_url(option: str | None) -> str | None:
    """The URL of the option or of the environment. The file of a local server is as good as the server."""
    url = option or os.environ.get(SERVER_URL_VARIABLE, "").strip()
    if url:
        return url
    database = os.environ.get(DATABASE_URL_VARIABLE, "").strip()
    scheme, separator, path = database.partition("://")
    return f"sqlite://{path}" if separator and scheme.partition("+")[0] == "sqlite" else None


def _existing(url: str | None, token: str | None) -> FileTransport:
    if (missing := missing_file(url or LOCAL_SERVER)) is not None:
        raise CommandError(f"{missing}: there is no such file.")
    return transport_for(url or LOCAL_SERVER, token)


class Remote(ReadApi):
    """Sends requests to the API. Every error has the message of the server.

    Args:
        transport: The connection to the server.
    """

    def __init__(self, transport: FileTransport) -> None:
        super().__init__(transport, "Give a token with --token or ZEUS_BSO_TOKEN.")
        self._files = transport

    def find_id(self, given: str, *, whole: bool = False) -> str:
        """The id of the job that a person means: the id itself, or the beginning of one id alone.

        Args:
            given: What the person gave.
            whole: Whether the beginning of an id is not enough.

        Raises:
            CommandError: There is no such job, or there are several. The message names those that may be meant.
        """
        if not given:
            raise CommandError("Give the id of a job. `zeus-bso jobs list` lists all jobs.", BAD_USE)
        if self.find_job(given) is not None:
            return given
        ids = [job.job_id for job in self.jobs()]
        meant = [job_id for job_id in ids if job_id.startswith(given)]
        if len(meant) == 1 and not whole:
            return meant[0]
        near = meant[:_SHOWN] or _nearest(given, ids)
        if len(near) < 2:
            suggestion = f"Did you mean {near[0]!r}?" if near else "`zeus-bso jobs list` lists all jobs."
            raise CommandError(f"There is no job {given!r}. {suggestion}")
        more = f", and {len(meant) - _SHOWN} more" if len(meant) > _SHOWN else ""
        raise CommandError(f"There is no job {given!r}, and several begin with it: {', '.join(near)}{more}.")

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
        self,
        job_id: str,
        source: str,
        runs: Sequence[Mapping[str, object]],
        *,
        mean_power: float | None,
        dry_run: bool,
    ) -> PastRunsTaken:
        """Tell a job of past runs; ``mean_power`` is that of all runs of the source [W]."""
        told = {"job_id": job_id, "source": source, "runs": list(runs)}
        body = {**told, "mean_power": mean_power, "dry_run": dry_run}
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
        if answer.status >= 400 and answer.message:
            answer = replace(answer, body={"message": _in_options(answer.message)})
        return self._accepted(answer)


def _nearest(given: str, ids: list[str]) -> list[str]:
    """The id that is most like a misspelt one, or like a misspelt beginning."""
    beginnings = {job_id[: len(given)]: job_id for job_id in ids}
    near = closest(given, ids) or beginnings.get(closest(given, list(beginnings)) or "")
    return [near] if near else []


def _in_options(message: str) -> str:
    """A message of the server, with options in place of the parameters of its API."""
    for parameter, option in _API_WORDS.items():
        message = message.replace(parameter, option)
    return message
