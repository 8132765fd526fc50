"""``zeus-bso runs``: tell a job of past runs."""

from __future__ import annotations

import argparse
import sys

from zeus_bso.cli.errors import BAD_USE, CommandError
from zeus_bso.cli.remote import add_server_options, connected

_LONGEST_SOURCE = 255


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    summary = "tell a job of runs that were recorded elsewhere"
    taking = actions.add_parser("import", help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    taking.add_argument("source", metavar="SOURCE", help="a CSV file, mlflow:URI#EXPERIMENT, or wandb:FILE")
    taking.add_argument("--job", required=True, metavar="JOB_ID", help="the id of the job, or the beginning of it")
    taking.add_argument(
        "--map", metavar="FIELD=NAME,...", help="the columns, where they have other names, such as batch_size=bs"
    )
    taking.add_argument(
        "--target", type=float, metavar="METRIC",
        help="the target that the runs were recorded with, if it is not the job's: only a metric or a curve says then "
        "whether a run has reached the job's",
    )  # fmt: skip
    taking.add_argument("--reached", action="store_true", help="every run has reached the target of the job")
    taking.add_argument("--source-name", metavar="NAME", help="tells the runs of two sources of one kind apart")
    taking.add_argument("--dry-run", action="store_true", help="say what would be learnt, and store nothing")
    add_server_options(taking)


def run(args: argparse.Namespace) -> int:
    """Run the chosen action."""
    from zeus_bso.cli.importing import sending
    from zeus_bso.cli.importing.checked_runs import check
    from zeus_bso.cli.importing.import_report import show_past_runs
    from zeus_bso.cli.importing.rows import RunReader, columns_of, told_columns
    from zeus_bso.cli.importing.sources import opened

    told = told_columns(args.map)
    with connected(args) as remote:
        job = remote.job(remote.find_id(args.job))
        spec = job.spec
        with opened(args.source, told, spec.max_epochs) as source:
            reader = RunReader(
                columns_of(source.names, told, source.guessed),
                decimal_comma=source.decimal_comma,
                all_reached=args.reached,
                believes_reached=args.target in (None, spec.target_metric),
                higher_is_better=spec.higher_is_better_metric,
            )
            name = _name(args, source.kind)
            runs, notes = check(source.runs(), reader, spec, source.where), source.notes()
        with runs:
            answers = sending.send(remote, job.job_id, name, runs, reader.place_of, dry_run=args.dry_run)
    for note in notes:
        print(f"zeus-bso: {note}", file=sys.stderr)
    answer = sending.total(answers)
    if args.json:
        print(answer.model_dump_json(indent=2))
    else:
        show_past_runs(answer)
    return 0


def _name(args: argparse.Namespace, kind: str) -> str:
    """The name of the source, under which the server knows its runs."""
    name: str = args.source_name or kind
    if not 0 < len(name) <= _LONGEST_SOURCE or not name.isprintable():
        raise CommandError(f"--source-name must have 1 to {_LONGEST_SOURCE} printable characters.", BAD_USE)
    return name
