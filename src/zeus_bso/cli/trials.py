"""``zeus-bso trials``: show the trials of a job, and end one whose process is gone."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

from zeus_bso.cli.remote import Remote, add_server_options, connected
from zeus_bso.protocol import wording
from zeus_bso.protocol.views import TrialView
from zeus_bso.protocol.words import FailReason, TrialStatus

_LATEST = 20

_REASONS = [reason.value for reason in FailReason if reason is not FailReason.EXPIRED]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list the trials of a job, newest first")
    listing.add_argument("job_id", metavar="JOB_ID", help="the id of the job")
    listing.add_argument("--status", choices=[status.value for status in TrialStatus], help="only this status")
    listing.add_argument("--batch-size", type=int, metavar="N", help="only this batch size")
    count = listing.add_mutually_exclusive_group()
    count.add_argument(
        "--limit", type=_positive, default=_LATEST, metavar="N", help=f"list at most N trials (default: {_LATEST})"
    )
    count.add_argument("--all", action="store_true", help="list all trials")
    show = actions.add_parser("show", help="show a trial with its learning curve")
    end = actions.add_parser("end", help="end a trial whose process is gone, without a result")
    for parser_of_one in (show, end):
        parser_of_one.add_argument("job_id", metavar="JOB_ID", help="the id of the job")
        parser_of_one.add_argument("trial_number", type=_positive, metavar="TRIAL", help="the number of the trial")
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
    trials = remote.trials(args.job_id, limit=limit, status=args.status, batch_size=args.batch_size)
    if args.json:
        print(json.dumps([trial.model_dump(mode="json") for trial in trials], indent=2))
    elif args.csv:
        from zeus_bso.cli.csv_output import print_csv

        print_csv(TrialView, trials)
    else:
        from zeus_bso.cli.tables import show_trials

        show_trials(trials)


def _show(remote: Remote, args: argparse.Namespace) -> None:
    trial = remote.trial(args.job_id, args.trial_number)
    reports = remote.reports(args.job_id, args.trial_number)
    if args.json:
        curve = [report.model_dump(mode="json") for report in reports]
        print(json.dumps(trial.model_dump(mode="json") | {"reports": curve}, indent=2))
    else:
        from zeus_bso.cli.tables import show_trial

        show_trial(trial, reports)


def _end(remote: Remote, args: argparse.Namespace) -> None:
    before = remote.trial(args.job_id, args.trial_number)
    after = remote.end(before, args.reason)
    state = wording.state_of(after.outcome, after.reason)
    if args.json:
        print(after.model_dump_json(indent=2))
    elif before.status is TrialStatus.SUCCEEDED:
        print(f"Trial {after.trial_number} had already ended: {state}.")
    else:
        print(f"Trial {after.trial_number} has ended: {state}.")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


_ACTIONS: dict[str, Callable[[Remote, argparse.Namespace], None]] = {"list": _list, "show": _show, "end": _end}
