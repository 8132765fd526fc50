"""``zeus-bso trials``: show the trials of a job, and end one whose process is gone."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

from zeus_bso.cli.parser import whole_number
from zeus_bso.cli.remote import Remote, add_server_options, connected
from zeus_bso.protocol import wording
from zeus_bso.protocol.views import TrialView
from zeus_bso.protocol.words import FailReason, TrialStatus
from zeus_bso.units import count, counted

_LATEST = 20

_STATUSES = {
    "running": TrialStatus.DISPATCHED,
    "decided": TrialStatus.SUCCEEDED,
    "failed": TrialStatus.FAILED,
}

_REASONS = [reason.value for reason in FailReason if reason is not FailReason.EXPIRED]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list the trials of a job, newest first")
    listing.add_argument("job_id", metavar="JOB_ID", help="the id of the job, or the beginning of it")
    listing.add_argument(
        "--status",
        type=_status,
        metavar="STATUS",
        help="only trials that are running, decided (converged, missed or stopped), or failed (crashed, out of memory, "
        "interrupted or given up)",
    )
    listing.add_argument("--batch-size", type=int, metavar="N", help="only this batch size")
    most = listing.add_mutually_exclusive_group()
    most.add_argument(
        "--limit",
        type=whole_number(1),
        default=_LATEST,
        metavar="N",
        help=f"list at most N trials (default: {_LATEST})",
    )
    most.add_argument("--all", action="store_true", help="list all trials")
    show = actions.add_parser("show", help="show a trial with its learning curve")
    end = actions.add_parser("end", help="end a trial whose process is gone, without a result")
    for parser_of_one in (show, end):
        parser_of_one.add_argument("job_id", metavar="JOB_ID", help="the id of the job, or the beginning of it")
        parser_of_one.add_argument(
            "trial_number", type=whole_number(1), metavar="TRIAL", help="the number of the trial"
        )
    end.add_argument(
        "--reason",
        choices=_REASONS,
        default=FailReason.CANCELLED.value,
        help="the reason (default: cancelled); oom and error count against the batch size",
    )
    add_server_options(listing, table=True)
    add_server_options(show)
    add_server_options(end)


def run(args: argparse.Namespace) -> int:
    """Run the chosen action."""
    with connected(args) as remote:
        _ACTIONS[args.action](remote, args)
    return 0


def _list(remote: Remote, args: argparse.Namespace) -> None:
    limit = None if args.all else args.limit
    job_id = remote.find_id(args.job_id)
    # One more than is shown says whether there are more.
    asked = None if limit is None else limit + 1
    found = remote.trials(job_id, limit=asked, status=args.status, batch_size=args.batch_size)
    trials = found[:limit]
    if args.json:
        print(json.dumps([trial.model_dump(mode="json") for trial in trials], indent=2))
    elif args.csv:
        from zeus_bso.cli.csv_output import print_csv

        print_csv(TrialView, trials)
    else:
        from zeus_bso.cli.tables import show_trials

        show_trials(trials, _how_many(remote, args, job_id, len(trials), more=len(found) > len(trials)))


def _how_many(remote: Remote, args: argparse.Namespace, job_id: str, shown: int, *, more: bool) -> str:
    if not more:
        return counted(shown, "trial")
    if args.status is None and args.batch_size is None:
        return f"{count(shown)} of {counted(remote.job(job_id).trials, 'trial')}; --all lists all"
    return f"the latest {counted(shown, 'trial')} of these; --all lists all"


def _show(remote: Remote, args: argparse.Namespace) -> None:
    trial = remote.trial(remote.find_id(args.job_id), args.trial_number)
    reports = remote.reports(trial.job_id, args.trial_number)
    if args.json:
        curve = [report.model_dump(mode="json") for report in reports]
        print(json.dumps(trial.model_dump(mode="json") | {"reports": curve}, indent=2))
    else:
        from zeus_bso.cli.tables import show_trial

        show_trial(trial, reports)


def _end(remote: Remote, args: argparse.Namespace) -> None:
    before = remote.trial(remote.find_id(args.job_id, whole=True), args.trial_number)
    after = remote.end(before, args.reason)
    state = wording.state_of(after.outcome, after.reason)
    if args.json:
        print(after.model_dump_json(indent=2))
    elif before.status is TrialStatus.SUCCEEDED:
        print(f"Trial {after.trial_number} had already ended: {state}.")
    else:
        print(f"Trial {after.trial_number} has ended: {state}.")


def _status(text: str) -> str:
    """The API's word for a status, from the word for people or from that word itself."""
    known = {status.value.lower(): status.value for status in TrialStatus}
    known |= {word: status.value for word, status in _STATUSES.items()}
    status = known.get(text.lower())
    if status is None:
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(_STATUSES)}, not {text!r}")
    return status


_ACTIONS: dict[str, Callable[[Remote, argparse.Namespace], None]] = {"list": _list, "show": _show, "end": _end}
