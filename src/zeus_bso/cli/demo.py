"""``zeus-bso demo``: a real recurring training job finds its batch size, on this machine's CPU."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from contextlib import ExitStack
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from zeus_bso.cli.errors import INTERRUPTED, CommandError
from zeus_bso.cli.own_command import own_command, shown_path
from zeus_bso.cli.parser import whole_number

if TYPE_CHECKING:
    from zeus_bso.cli.job_report import JobReport
    from zeus_bso.cli.repeated_runs import Plan
    from zeus_bso.cli.runs_display import Display
    from zeus_bso.cli.server_reader import ServerReader

JOB_ID_PREFIX = "digits-mlp"
"""The prefix in the training script. The demo finds its job by this prefix."""

MOST_RUNS = 60
"""So often the demo trains at most, unless told how often."""

_DESCRIPTION = """\
Trains a small neural network on scikit-learn's handwritten digits again and again, as a nightly job would, until its
batch size is settled. The demo starts a server with a dashboard. Each training is a process of its own that asks this
server for a batch size. At the end you see the chosen size and what it saves. If you run the demo again, it continues
where it stopped.
"""

_WELCOME = "Training a small network on handwritten digits {often}. Ctrl-C stops it."


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = _DESCRIPTION
    parser.add_argument(
        "--recurrences",
        type=whole_number(1),
        metavar="N",
        help="train exactly N times (default: until the batch size is settled)",
    )
    parser.add_argument(
        "--dir", type=Path, default=Path(".demo"), help="folder for the database and logs (default: %(default)s)"
    )
    parser.add_argument("--server-url", metavar="URL", help="use this server instead of starting one")
    parser.add_argument("--json", action="store_true", help="print the result as JSON, progress on stderr")


def run(args: argparse.Namespace) -> int:
    """Run the demo."""
    if find_spec("sklearn") is None:  # rather than in the first training process
        raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn")

    from zeus_bso.cli.local_server import started_server
    from zeus_bso.cli.repeated_runs import Plan, open_browser, termination_as_interrupt
    from zeus_bso.cli.runs_display import open_display
    from zeus_bso.cli.server_reader import ServerReader

    directory: Path = args.dir.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    plan = Plan(
        command=[sys.executable, str(training_script())],
        log=directory / "train.log",
        most_runs=args.recurrences or MOST_RUNS,
        stops_when_settled=args.recurrences is None,
        job_id_prefix=JOB_ID_PREFIX,
    )
    with termination_as_interrupt(), ExitStack() as stack:
        display = stack.enter_context(open_display(plan.most_runs, to_stderr=args.json))
        display.say(_WELCOME.format(often=_how_often(args.recurrences)))
        url: str = args.server_url or stack.enter_context(started_server(directory))
        reader = ServerReader(url)
        known = reader.find_job(JOB_ID_PREFIX)
        display.say(_address(url, None if known is None else known.job_id))
        if known is not None:
            display.say(f"Continuing {known.job_id} (runs so far: {known.trials}).")
        open_browser(url, os.environ, is_terminal=sys.stdout.isatty() and not args.json)
        report, interrupted = _watch(plan, url, reader, display)
    if report is not None:
        _show(report, directory, args.server_url, as_json=args.json)
    if interrupted:
        print("Interrupted. Run the demo again to continue from here.", file=sys.stderr)
        return INTERRUPTED
    return 0


def _how_often(recurrences: int | None) -> str:
    if recurrences is None:
        return "again and again, until its batch size is settled: one to two minutes"
    return "once" if recurrences == 1 else f"{recurrences} times"


def training_script() -> Path:
    """The training script that the demo launches. The checkout has it in ``examples/``, and the wheel includes it."""
    package = Path(__file__).resolve().parents[1]
    for home in (package, package.parents[1]):
        script = home / "examples" / "digits" / "train.py"
        if script.is_file():
            return script
    raise CommandError("the training script of the demo is missing from this installation.")


def _watch(plan: Plan, url: str, reader: ServerReader, display: Display) -> tuple[JobReport | None, bool]:
    """Train, and summarize the job. The second value says whether the user has interrupted the training."""
    from zeus_bso.cli.job_report import make_report
    from zeus_bso.cli.repeated_runs import repeat

    interrupted = False
    try:
        repeat(plan, url, reader, display)
    except KeyboardInterrupt:
        interrupted = True
    summary = reader.find_job(JOB_ID_PREFIX)
    if summary is None:
        return None, interrupted
    job_id = summary.job_id
    return make_report(reader.job(job_id), reader.trials(job_id)), interrupted


def _address(url: str, job_id: str | None) -> str:
    page = "/" if job_id is None else f"/job?{urlencode({'job_id': job_id})}"
    return f"Watch it live: {url.rstrip('/')}{page}"


def _show(report: JobReport, directory: Path, server_url: str | None, *, as_json: bool) -> None:
    from zeus_bso.cli.job_report import print_commands, print_report

    if as_json:
        print(json.dumps(asdict(report), indent=2))
        return
    print_report(report)
    print_commands(_how_to_see_more(report, directory, server_url))


def _how_to_see_more(report: JobReport, directory: Path, server_url: str | None) -> list[tuple[str, str]]:
    """What to do next, as commands that work in this directory."""
    command, folder, job = own_command(), shlex.quote(shown_path(directory)), shlex.quote(report.job_id)
    again = f"{command} demo --recurrences 20" + ("" if folder == ".demo" else f" --dir {folder}")
    if server_url is not None:
        again, where = f"{again} --server-url {server_url}", server_url
    else:
        where = f"sqlite:///{folder}/zeus-bso.db"
    commands = [
        ("Train 20 times more", again),
        ("Show the job", f"{command} jobs show {job} --server-url {where}"),
        ("List its runs", f"{command} trials list {job} --all --server-url {where}"),
    ]
    if server_url is None:
        commands.append(
            ("Open its dashboard again, at http://127.0.0.1:8000", f"{command} serve --database-url {where}")
        )
    return [
        *commands,
        ("Read what training printed", f"less {folder}/train.log"),
        ("Read the training script", f"less {shlex.quote(shown_path(training_script()))}"),
    ]
