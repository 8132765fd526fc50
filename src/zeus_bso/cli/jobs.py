"""``zeus-bso jobs``: look at jobs, delete and reset them, take them from one database to another."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from zeus_bso.cli.errors import BAD_USE, FAILED, CommandError
from zeus_bso.cli.remote import Remote, add_server_options, connected
from zeus_bso.views import JobSummary

_ORDERS = ("job_id", "created_at", "updated_at", "trials", "saved")
_STANDARD_STREAM = "-"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = _action(actions, "list", "list jobs, with the batch size chosen and the energy saved")
    listing.add_argument("--search", metavar="TEXT", help="those with this text in their id or GPU model")
    listing.add_argument("--sort", choices=_ORDERS, default="job_id", help="the order (default: job_id)")
    listing.add_argument("--reverse", action="store_true", help="the greatest first")
    _action(actions, "show", "show a job", job=True)
    for name, summary in (
        ("delete", "delete a job with all its trials"),
        ("reset", "forget what was learnt about a job; its trials stay on record"),
    ):
        _action(actions, name, summary, job=True).add_argument("--yes", action="store_true", help="do not ask")
    export = _action(actions, "export", "write a whole job into a file", job=True)
    export.add_argument("-o", "--output", default=_STANDARD_STREAM, metavar="FILE", help="default: standard output")
    taking = _action(actions, "import", "take in a job from a file, all of it or nothing")
    taking.add_argument("file", metavar="FILE", help="an exported job; - is standard input")
    taking.add_argument("--as", dest="new_id", metavar="JOB_ID", help="under this id instead of its own")
    taking.add_argument("--replace", action="store_true", help="in the place of the job that has the id")


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    with connected(args, may_create=args.action == "import") as remote:
        return _ACTIONS[args.action](remote, args)


def confirm(question: str, *, yes: bool) -> bool:
    """Ask before something is done for good.

    Raises:
        CommandError: Nobody is there to be asked, and ``yes`` was not said.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise CommandError(f"{question} Nobody is there to be asked: say --yes.", BAD_USE)
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return True
    print("Nothing was done.", file=sys.stderr)
    return False


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str, *, job: bool = False
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    if job:
        parser.add_argument("job_id", metavar="JOB_ID")
    add_server_options(parser)
    return parser


def _list(remote: Remote, args: argparse.Namespace) -> int:
    jobs = remote.jobs(search=args.search, sort=f"{'-' if args.reverse else ''}{args.sort}")
    if args.json:
        print(json.dumps([job.model_dump(mode="json") for job in jobs], indent=2))
    else:
        from zeus_bso.cli.tables import show_jobs

        show_jobs(jobs)
    return 0


def _show(remote: Remote, args: argparse.Namespace) -> int:
    job = remote.job(args.job_id)
    if args.json:
        print(job.model_dump_json(indent=2))
    else:
        from zeus_bso.cli.tables import show_job

        show_job(job)
    return 0


def _delete(remote: Remote, args: argparse.Namespace) -> int:
    job = remote.job(args.job_id)
    if not confirm(f"Delete job {job.job_id!r} with {_trials(job)}?", yes=args.yes):
        return FAILED
    remote.delete(job.job_id)
    _say(args, f"Deleted job {job.job_id!r} with {_trials(job)}.")
    return 0


def _reset(remote: Remote, args: argparse.Namespace) -> int:
    job = remote.job(args.job_id)
    if not confirm(f"Forget what was learnt about job {job.job_id!r} from {_trials(job)}?", yes=args.yes):
        return FAILED
    remote.reset(job.job_id)
    _say(args, f"Job {job.job_id!r} starts anew.")
    return 0


def _export(remote: Remote, args: argparse.Namespace) -> int:
    if args.output == _STANDARD_STREAM:
        remote.export(args.job_id, sys.stdout.buffer)
        return 0
    target = Path(args.output)
    try:
        # A file of its own first: a broken connection must not leave half an export, nor spoil an older one.
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
            try:
                remote.export(args.job_id, file.file)
                file.flush()
                os.fsync(file.fileno())
            except BaseException:
                with suppress(OSError):
                    Path(file.name).unlink()
                raise
        Path(file.name).replace(target)
    except OSError as error:
        raise CommandError(f"{target} cannot be written: {error.strerror}.") from None
    _say(args, f"Wrote job {args.job_id!r} into {target}.")
    return 0


def _import(remote: Remote, args: argparse.Namespace) -> int:
    if args.file == _STANDARD_STREAM:
        imported = remote.import_job(sys.stdin.buffer, new_id=args.new_id, replace=args.replace)
    else:
        try:
            with Path(args.file).open("rb") as file:
                imported = remote.import_job(file, new_id=args.new_id, replace=args.replace)
        except OSError as error:
            raise CommandError(f"{args.file} cannot be read: {error.strerror}.") from None
    if args.json:
        print(imported.model_dump_json(indent=2))
    else:
        act = "Replaced" if imported.replaced else "Imported"
        print(f"{act} job {imported.job_id!r} with {imported.trials} trial{'s' if imported.trials != 1 else ''}.")
    return 0


def _say(args: argparse.Namespace, message: str) -> None:
    print(json.dumps({"message": message}) if args.json else message)


def _trials(job: JobSummary) -> str:
    return f"{job.trials} trial{'s' if job.trials != 1 else ''}"


_ACTIONS: dict[str, Callable[[Remote, argparse.Namespace], int]] = {
    "list": _list,
    "show": _show,
    "delete": _delete,
    "reset": _reset,
    "export": _export,
    "import": _import,
}
