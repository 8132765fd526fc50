"""``zeus-bso try -- COMMAND``: launches a user's script until its batch size is settled, and says what that saves."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from zeus_bso.cli.errors import BAD_USE, FAILED, INTERRUPTED, CommandError
from zeus_bso.cli.own_command import own_command, shown_path
from zeus_bso.cli.parser import add_command, command_of, whole_number
from zeus_bso.client.connection.connect import SERVER_URL_VARIABLE

if TYPE_CHECKING:
    from zeus_bso.cli.job_report import JobReport
    from zeus_bso.cli.repeated_runs import Plan
    from zeus_bso.cli.runs_display import Display

_DESCRIPTION = """\
Launches a training script again and again, as a recurring job would be, until its batch size is settled. No server has
to be set up: everything is kept in one SQLite file, from which the next `zeus-bso try` or your own launches go on. The
script finds the file by the environment variable ZEUS_BSO_SERVER_URL, so it must not give a server_url of its own.
"""

DEFAULT_FILE = "zeus-bso.db"
MOST_RUNS = 40

_LINES = """\
  bso = BatchSizeOptimizer(EnergyMonitor(), job=JobSpec(...))   # no server_url
  batch_size = bso.get_batch_size()
  bso.on_train_begin()
  bso.on_evaluate(metric)          # after each epoch
  if bso.training_finished: break"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = _DESCRIPTION
    parser.add_argument(
        "--file",
        type=Path,
        help="SQLite file that keeps what is learned; what the script prints goes to a .log file beside it "
        f"(default: the file of a sqlite:/// URL in {SERVER_URL_VARIABLE}, else {DEFAULT_FILE} in the current "
        "directory)",
    )
    parser.add_argument(
        "--max-runs",
        type=whole_number(1),
        default=MOST_RUNS,
        metavar="N",
        help="launch it at most N times (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON, progress on stderr")
    add_command(parser)


def run(args: argparse.Namespace) -> int:
    """Launch the script until its batch size is settled."""
    command = command_of(args, "zeus-bso try -- python train.py")
    file: Path = (args.file or _usual_file()).resolve()
    if not file.parent.is_dir():
        raise CommandError(f"there is no folder {file.parent} for --file.", BAD_USE)

    from zeus_bso.cli.repeated_runs import Plan, termination_as_interrupt
    from zeus_bso.cli.runs_display import open_display

    plan = Plan(command, file.with_suffix(".log"), args.max_runs)
    with termination_as_interrupt(), open_display(plan.most_runs, to_stderr=args.json) as display:
        often = "once" if args.max_runs == 1 else f"until its batch size is settled, at most {args.max_runs} times"
        display.say(f"Launching `{shlex.join(command)}` {often}.")
        if os.environ.get(SERVER_URL_VARIABLE, "").strip().lower().startswith("http"):
            display.say(f"The server in {SERVER_URL_VARIABLE} is not used: all is kept in {shown_path(file)}.")
        display.say(f"What it prints goes to {shown_path(plan.log)}. Ctrl-C stops; nothing is lost.")
        report, interrupted = _watch(plan, file, display)
    if report is not None:
        _show(report, plan, file, as_json=args.json)
    if interrupted:
        print("Interrupted. Nothing is lost: the same command goes on from here.", file=sys.stderr)
        return INTERRUPTED
    return FAILED if report is not None and report.no_size_converges else 0


def _usual_file() -> Path:
    """The file that the script would use by itself, if the environment names one, else one in this directory."""
    scheme, separator, path = os.environ.get(SERVER_URL_VARIABLE, "").strip().partition(":///")
    path = path.partition("?")[0]
    return Path(path if separator and scheme.lower() == "sqlite" and path else DEFAULT_FILE)


def _watch(plan: Plan, file: Path, display: Display) -> tuple[JobReport | None, bool]:
    """Launch the script, and summarize its job. The second value says whether the user has interrupted it."""
    from zeus_bso.cli.job_report import make_report
    from zeus_bso.cli.local_server import started_server
    from zeus_bso.cli.repeated_runs import NoTrialError, repeat
    from zeus_bso.cli.server_reader import ServerReader

    interrupted = False
    with ExitStack() as stack:
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="zeus-bso-try-")))
        url = stack.enter_context(started_server(logs, file))
        display.say(f"Watch it live: {url}/")
        reader = ServerReader(url)
        try:
            repeat(plan, url, reader, display)
        except KeyboardInterrupt:
            interrupted = True
        except NoTrialError as error:
            raise CommandError(_why_no_trial(error.last_words, plan.log)) from None
        job = reader.find_job()
        if job is None:
            return None, interrupted
        return make_report(reader.job(job.job_id), reader.trials(job.job_id)), interrupted


def _why_no_trial(last_words: str | None, log: Path) -> str:
    printed = f"It printed last: {last_words}" if last_words else "It printed nothing"
    return (
        f"the script ended without asking for a batch size. {printed} (log: {shown_path(log)})\n"
        "If it uses zeus-bso, leave server_url out of BatchSizeOptimizer(...): it is in ZEUS_BSO_SERVER_URL here.\n"
        f"If it does not use zeus-bso yet, it needs these lines:\n{_LINES}"
    )


def _show(report: JobReport, plan: Plan, file: Path, *, as_json: bool) -> None:
    from zeus_bso.cli.job_report import none_converges_in_words, print_commands, print_report

    url = f"sqlite:///{file}"
    if as_json:
        if report.no_size_converges:
            print(none_converges_in_words(report), file=sys.stderr)
        print(json.dumps({**asdict(report), "server_url": url}, indent=2))
        return
    print_report(report)
    print_commands(_next_steps(report, plan.command, file))


def _next_steps(report: JobReport, command: Sequence[str], file: Path) -> list[tuple[str, str]]:
    """The lines to paste, and commands that work in this directory."""
    ours, url, job = own_command(), f"sqlite:///{file}", shlex.quote(report.job_id)
    kept = "" if file == _usual_file().resolve() else f" --file {shlex.quote(shown_path(file))}"
    steps = []
    if report.chosen_batch_size is not None:
        steps = [
            (
                "Paste into the script, to go on learning with every launch",
                f"server_url={json.dumps(url, ensure_ascii=False)},",
            ),
            (
                "or leave the script as it is, and launch it like this",
                f"{SERVER_URL_VARIABLE}={shlex.quote(url)} {shlex.join(command)}",
            ),
            ("or fix the size, without zeus-bso", f"batch_size = {report.chosen_batch_size}"),
        ]
    if not report.confirmed and not report.no_size_converges:
        steps.append(("Go on until it is settled", f"{ours} try{kept} -- {shlex.join(command)}"))
    return [
        *steps,
        ("Show the job", f"{ours} jobs show {job} --server-url sqlite:///{shlex.quote(shown_path(file))}"),
        ("See it on a dashboard", f"{ours} serve --database-url sqlite:///{shlex.quote(shown_path(file))}"),
    ]
