"""``zeus-bso jobs``: show jobs, delete and reset them, and move them between databases."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

from zeus_bso import units
from zeus_bso.cli.confirmation import confirm
from zeus_bso.cli.errors import FAILED, CommandError
from zeus_bso.cli.remote import Remote, add_server_options, connected
from zeus_bso.files import written_whole
from zeus_bso.protocol.import_views import ImportedJob
from zeus_bso.protocol.views import JobSummary

_ORDERS = ("job_id", "created_at", "updated_at", "trials", "saved")
_STANDARD_STREAM = "-"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = _action(actions, "list", "list jobs with their chosen batch size and the energy saved")
    listing.add_argument("--search", metavar="TEXT", help="only jobs with this text in their id or GPU model")
    listing.add_argument("--sort", choices=_ORDERS, default="job_id", help="sort by this field (default: job_id)")
    listing.add_argument("--reverse", action="store_true", help="put the greatest first")
    add_server_options(listing, table=True)
    add_server_options(_action(actions, "show", "show a job", job=True))
    for name, summary in (
        ("delete", "delete a job with all its trials"),
        ("reset", "forget what a job has learned; its trials stay on record"),
    ):
        final = _action(actions, name, summary, job=True)
        final.add_argument("--yes", action="store_true", help="do not ask for confirmation")
        add_server_options(final)
    export = _action(actions, "export", "write a whole job to a file", job=True)
    export.add_argument(
        "-o", "--output", default=_STANDARD_STREAM, metavar="FILE", help="the file (default: standard output)"
    )
    add_server_options(export)
    taking = _action(actions, "import", "import a job from a file, all of it or nothing")
    taking.add_argument("file", metavar="FILE", help="an exported job; - reads standard input")
    taking.add_argument("--as", dest="new_id", metavar="JOB_ID", help="import the job under this id instead of its own")
    taking.add_argument("--replace", action="store_true", help="replace the job that has this id")
    add_server_options(taking)


def run(args: argparse.Namespace) -> int:
    """Run the chosen action."""
    with connected(args, may_create=args.action == "import") as remote:
        return _ACTIONS[args.action](remote, args)


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str, *, job: bool = False
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    if job:
        parser.add_argument("job_id", metavar="JOB_ID", help="the id of the job, or the beginning of it")
    return parser


def _list(remote: Remote, args: argparse.Namespace) -> int:
    jobs = remote.jobs(search=args.search, sort=f"{'-' if args.reverse else ''}{args.sort}")
    if args.json:
        print(json.dumps([job.model_dump(mode="json") for job in jobs], indent=2))
    elif args.csv:
        from zeus_bso.cli.csv_output import print_csv

        print_csv(JobSummary, jobs)
    elif not jobs:
        print(_none_listed(args.search))
    else:
        from zeus_bso.cli.tables import show_jobs

        show_jobs(jobs)
    return 0


def _none_listed(search: str | None) -> str:
    """Why a list has no job, and what to do next."""
    if search:
        return f"No job matches {search!r}. `zeus-bso jobs list` lists all jobs."
    return "No job has registered yet. Run a training script that asks for its batch size, or watch `zeus-bso demo`."


def _show(remote: Remote, args: argparse.Namespace) -> int:
    job = remote.job(remote.find_id(args.job_id))
    if args.json:
        print(job.model_dump_json(indent=2))
    else:
        from zeus_bso.cli.tables import show_job

        show_job(job)
    return 0


def _delete(remote: Remote, args: argparse.Namespace) -> int:
    # Whoever answers the question has read the whole id; --yes answers none.
    job = remote.job(remote.find_id(args.job_id, whole=args.yes))
    if not confirm(f"Delete job {job.job_id!r} with {_trials(job)}?", yes=args.yes):
        return FAILED
    remote.delete(job.job_id)
    _say(args, f"Deleted job {job.job_id!r} with {_trials(job)}.")
    return 0


def _reset(remote: Remote, args: argparse.Namespace) -> int:
    job = remote.job(remote.find_id(args.job_id, whole=args.yes))
    if not confirm(f"Forget what job {job.job_id!r} has learned from {_trials(job)}?", yes=args.yes):
        return FAILED
    remote.reset(job.job_id)
    _say(args, f"Job {job.job_id!r} starts again from the beginning.")
    return 0


def _export(remote: Remote, args: argparse.Namespace) -> int:
    job_id = remote.find_id(args.job_id)
    if args.output == _STANDARD_STREAM:
        remote.export(job_id, sys.stdout.buffer)
        return 0
    target = Path(args.output)
    try:
        # As a whole, because a broken connection must neither leave half an export nor damage an older one.
        with written_whole(target) as file:
            remote.export(job_id, file)
    except OSError as error:
        raise CommandError(f"{target} cannot be written: {error.strerror}.") from None
    if target.is_file():  # a pipe may be standard output
        _say(args, f"Wrote job {job_id!r} to {target}.")
    return 0


def _import(remote: Remote, args: argparse.Namespace) -> int:
    if args.file == _STANDARD_STREAM:
        imported = _imported(remote, sys.stdin.buffer, args)
    else:
        try:
            with Path(args.file).open("rb") as file:
                imported = _imported(remote, file, args)
        except OSError as error:
            raise CommandError(f"{args.file} cannot be read: {error.strerror}.") from None
    if args.json:
        print(imported.model_dump_json(indent=2))
    else:
        act = "Replaced" if imported.replaced else "Imported"
        print(f"{act} job {imported.job_id!r} with {_counted(imported.trials, 'trial')}.")
    return 0


def _imported(remote: Remote, file: IO[bytes], args: argparse.Namespace) -> ImportedJob:
    from zeus_bso.cli import import_progress

    with import_progress.shown(remote.import_progress, args.new_id or import_progress.job_id_in(file)):
        return remote.import_job(file, new_id=args.new_id, replace=args.replace)


def _say(args: argparse.Namespace, message: str) -> None:
    print(json.dumps({"message": message}) if args.json else message)


def _trials(job: JobSummary) -> str:
    return _counted(job.trials, "trial")


def _counted(value: int, noun: str) -> str:
    return units.plain(units.counted(value, noun))


_ACTIONS: dict[str, Callable[[Remote, argparse.Namespace], int]] = {
    "list": _list,
    "show": _show,
    "delete": _delete,
    "reset": _reset,
    "export": _export,
    "import": _import,
}
